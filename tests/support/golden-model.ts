/** A published checkpoint in f32 as a module and its parameters' values, to be interpreted. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { elaborate, type ElaborateOptions } from '../../compiler/check/elaborate.js';
import { importHf } from '../../compiler/import/hf.js';
import type { DType } from '../../compiler/ir/dtype.js';
import type { Axis, Module } from '../../compiler/ir/graph.js';
import { offsetsOf, type Extent } from '../../compiler/ir/interpret/tensor.js';
import type { WeightSource } from '../../compiler/ir/weight-sources.js';
import { decodeElements, type Elements } from '../../compiler/kernels/half.js';
import { weightRules } from '../../compiler/model/weight-rules.js';
import { resolveWeightSources } from '../../compiler/model/weight-sources.js';
import { openCheckpoint } from '../../runtime/disk.js';
import { settleNames, valueDType } from '../../runtime/weight-names.js';
import { goldenFolder } from '../golden/families.js';
import { loadText } from './load-program.js';
import { standardFamilies } from '../../dsl/std-node.js';

/** All tensors of a safetensors file, or of a checkpoint in a folder, as values. */
export async function readTensors(path: string): Promise<ReadonlyMap<string, Elements>> {
  const checkpoint = await openCheckpoint(path);
  const out = new Map<string, Elements>();
  for (const t of checkpoint.tensors.values()) out.set(t.name, decodeElements(await checkpoint.read(t.name), valueDType(t.dtype) as DType));
  await checkpoint.close();
  return out;
}

export interface GoldenModel {
  readonly module: Module;
  /** In the order of the parameter's axes. */
  readonly params: (param: number, iteration: number) => Elements;
  /** Where each element of a parameter's iteration is stored: tensor name and element, in the order of its axes. */
  readonly stored: (param: number, iteration: number) => readonly { readonly tensor: string; readonly at: number }[];
}

export async function loadGoldenModel(family: string, options: ElaborateOptions = {}): Promise<GoldenModel> {
  const folder = join(goldenFolder, family);
  const imported = importHf({ config: { path: 'config.json', text: readFileSync(join(folder, 'config.json'), 'utf8') }, rules: standardFamilies() });
  if (imported.text === undefined) throw new Error(`${family}: ${imported.diagnostics.map((d) => d.message).join('\n')}`);
  const program = loadText(imported.text);
  const { module, diagnostics } = elaborate(program, options);
  if (module === undefined) throw new Error(`${family}: ${diagnostics.map((d) => d.message).join('\n')}`);
  const resolved = resolveWeightSources(module, weightRules(program), program.files.get(program.entry)!.span);
  const checkpoint = await openCheckpoint(folder);
  const sources = settleNames(resolved.sources, checkpoint);
  await checkpoint.close();
  const byPath = new Map(sources.weights.map((w) => [w.path, w]));
  const tensors = await readTensors(folder);
  const stored = remember((param: number, iteration: number) => placesOf(byPath.get(module.params[param].paths[iteration])!, module.params[param].type.axes));
  const params = (param: number, iteration: number): Elements => Float32Array.from(stored(param, iteration), ({ tensor, at }) => tensors.get(tensor)![at]);
  return { module, params: remember(params), stored };
}

function placesOf(source: WeightSource, axes: readonly Axis[]): { tensor: string; at: number }[] {
  const extents = axes as readonly Extent[];
  const offsets = offsetsOf(extents, extents.map((a) => source.axes.find((s) => s.name === a.name)?.stride ?? 0));
  const named = extents.findIndex((a) => source.tensor.includes(`{${a.name}}`));
  if (named < 0) return Array.from(offsets, (offset) => ({ tensor: source.tensor, at: source.offset + offset }));
  const inner = extents.slice(named + 1).reduce((n, a) => n * a.size, 1);
  const names = Array.from({ length: extents[named].size }, (_, i) => source.tensor.replace(`{${extents[named].name}}`, String(i)));
  return Array.from(offsets, (offset, i) => ({ tensor: names[Math.floor(i / inner) % names.length], at: source.offset + offset }));
}

function remember<T>(make: (a: number, b: number) => T): (a: number, b: number) => T {
  const made = new Map<string, T>();
  return (a, b) => {
    const key = `${a} ${b}`;
    if (!made.has(key)) made.set(key, make(a, b));
    return made.get(key)!;
  };
}

/** Entry inputs of one launch of whole sequences, each in blocks of its own; logits of every token. */
export function wholeSequences(prompts: readonly (readonly number[])[], block = 16): { readonly inputs: Record<string, number[]>; readonly dims: Record<string, number> } {
  const perSequence = Math.ceil(Math.max(...prompts.map((p) => p.length)) / block);
  const blocks = prompts.flatMap((_, s) => Array.from({ length: perSequence }, (_, i) => s * perSequence + i));
  const each = (of: (position: number, sequence: number) => number): number[] => prompts.flatMap((p, s) => p.map((_, i) => of(i, s)));
  const tokens = prompts.flat();
  let end = 0;
  const inputs = {
    tokens: [...tokens], position: each((i) => i), sequence: each((_, s) => s), slot: each((i, s) => (s * perSequence) * block + i), blocks,
    starts: [0, ...prompts.map((p) => (end += p.length))], rows: tokens.map((_, i) => i), temperature: [0], seed: [0], top_k: [0], top_p: [1],
  };
  return { inputs, dims: { tokens: tokens.length, outputs: tokens.length, sequences: prompts.length, blocks: perSequence, slots: blocks.length * block, pool: prompts.length } };
}
