/**
 * Gives parameters the storage that the spec's `quantize` rules say: packed types, for serving.
 *
 *   before  param layers[*].ffn.experts.gate bf16 [experts, width, d]
 *   after   param layers[*].ffn.experts.gate int4 group 32 [experts, width, d]
 *
 * Needs: rules whose paths are those of whole parameters. Gives: the same graph over parameters stored differently.
 */
import type { Module, Storage } from '../ir/graph.js';

export interface StorageRule { readonly storage: Storage; readonly paths: readonly string[] }

export function quantize(module: Module, rules: readonly StorageRule[]): Module {
  const storageOf = new Map(rules.flatMap((r) => r.paths.map((p) => [p, r.storage] as const)));
  const params = module.params.map((decl) => {
    const found = decl.paths.filter((p) => storageOf.has(p));
    if (found.length === 0) return decl;
    if (found.length < decl.paths.length) {
      const plain = decl.paths.find((p) => !storageOf.has(p))!;
      throw new Error(`quantize: '${found[0]}' is quantised and '${plain}' of the same repeat is not`);
    }
    return { ...decl, storage: storageOf.get(found[0])! };
  });
  return { ...module, params };
}
