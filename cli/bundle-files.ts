/**
 * A compiled model as files: plan.json, kernels.json (tile programs), weights.json (where weights are in a checkpoint).
 * `writeBundleFiles` replaces files one by one, each atomically; the plan, which names the others, last.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Bundle, WeightSources } from '../compiler/ir/plan.js';
import { canonicalJson } from '../compiler/plan/canonical-json.js';
import { FormatError } from '../compiler/plan/json-reader.js';
import { readBundle as parseBundle, writeBundle } from '../compiler/plan/plan-json.js';
import { readTextFile } from '../dsl/text-node.js';
import { makeFolder, writeFileAtomically } from '../runtime/atomic-file.js';
import { CommandError } from './failure.js';

/** Names and bytes of the files written. */
export async function writeBundleFiles(folder: string, bundle: Bundle, sources: WeightSources | undefined, sourceTexts: ReadonlyMap<string, string>): Promise<Map<string, number>> {
  await makeFolder(folder);
  const { plan, kernels } = writeBundle(bundle);
  const files = new Map([...sourceTexts, ['kernels.json', kernels], ...(sources === undefined ? [] : [['weights.json', canonicalJson(sources)] as const]), ['plan.json', plan]]);
  for (const [name, text] of files) {
    const path = join(folder, name);
    await makeFolder(join(path, '..'));
    await writeFileAtomically(path, text);
  }
  return new Map([...files].map(([name, text]) => [name, Buffer.byteLength(text)]));
}

/** Reads plan and kernels, checked against their schema and the plan's hash. */
export function readBundleFiles(folder: string): Bundle {
  const text = (name: string): string => {
    const path = join(folder, name);
    if (!existsSync(path)) throw new CommandError('C20', `${folder} holds no ${name}`, 'give the folder that `firn compile` wrote');
    return readTextFile(path, 2 ** 28);
  };
  try {
    return parseBundle(text('plan.json'), text('kernels.json'));
  } catch (error) {
    if (error instanceof FormatError) throw new CommandError('C21', `${folder}: ${error.message}`, 'compile the spec again with this version of firn');
    throw error;
  }
}
