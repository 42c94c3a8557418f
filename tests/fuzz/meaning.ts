/** One random model with one set of weights: what the graph interpreter makes of it, and what a device makes of its plan. */
import type { Device, Executable } from '../../backends/device.js';
import type { Module } from '../../compiler/ir/graph.js';
import { interpret } from '../../compiler/ir/interpret-graph.js';
import type { Bundle, Plan, Weight } from '../../compiler/ir/plan.js';
import { pack, unpack } from '../../compiler/kernels/packing.js';
import { renderDiagnostic } from '../../dsl/diagnostics.js';
import { nodeLoader } from '../../dsl/std-node.js';
import { compile } from '../../index.js';
import { Session } from '../../runtime/session.js';
import { wholeSequences } from '../support/golden-model.js';
import { random } from './mutate.js';

export interface Compiled {
  /** As elaborated, before any pass. */
  readonly module: Module;
  readonly bundle: Bundle;
}

/** Throws the diagnostics of a spec that should have none. */
export function compileText(text: string, target: 'reference' | 'cpu' | 'wgsl', fuse = true): Compiled {
  let module: Module | undefined;
  const { bundle, diagnostics, files } = compile({
    entry: { path: 'random.firn', text }, load: nodeLoader, target, fuse, longest: 16, sequences: 2, maxTokens: 16, outputs: 16,
    onPhase: (phase, value) => { if (phase === 'graph') module = value as Module; },
  });
  if (!bundle || !module) throw new Error(`${diagnostics.map((d) => renderDiagnostic(d, files)).join('\n')}\n${text}`);
  return { module, bundle };
}

/** Of a size that a trained weight has, so that nothing vanishes: by path, in the order of `axes`. */
function valuesOf(weight: Weight, seed: number): Float32Array {
  const r = random([...weight.path].reduce((h, c) => Math.imul(h, 31) + c.charCodeAt(0), seed));
  const size = weight.axes.reduce((n, a) => n * a.size, 1);
  // Tables of chosen experts: different ones in a row, of the three that every mixture has.
  if (weight.dtype === 'i32') return Float32Array.from({ length: size }, (_, i) => (Math.floor(i / weight.axes.at(-1)!.size) + i) % 3);
  const unit = (): number => r.below(2 ** 24) / 2 ** 23 - 1;
  if (weight.axes.length < 2) return Float32Array.from({ length: size }, () => 0.3 * unit() + (weight.init.kind === 'constant' ? (weight.init.value as number) : 0));
  const scale = (weight.path === 'embed.table' ? 1 : 1.7) / Math.sqrt(weight.axes.at(-1)!.size);
  return Float32Array.from({ length: size }, () => scale * unit());
}

/** The values that the plan stores, as they are after rounding and packing: by path, by axis name. */
function storedValues(plan: Plan, seed: number): ReadonlyMap<string, { readonly weight: Weight; readonly bytes: Uint8Array; readonly values: ArrayLike<number> }> {
  return new Map(plan.weights.map((weight) => {
    const bytes = pack(weight.packing, weight.axes, weight.dtype, valuesOf(weight, seed));
    return [weight.path, { weight, bytes, values: unpack(weight.packing, weight.axes, weight.dtype, bytes) }];
  }));
}

/** Values in the order of the module's axes, which need not be the plan's. */
function inOrder(values: ArrayLike<number>, from: readonly { readonly name: string; readonly size: number }[], to: readonly { readonly name: string }[]): Float32Array {
  const strides = new Map<string, number>();
  [...from].reverse().reduce((stride, a) => { strides.set(a.name, stride); return stride * a.size; }, 1);
  const sizes = to.map((a) => from.find((f) => f.name === a.name)!.size);
  const out = new Float32Array(values.length);
  const index = to.map(() => 0);
  for (let i = 0; i < out.length; i++) {
    out[i] = values[index.reduce((at, n, a) => at + n * strides.get(to[a].name)!, 0)];
    for (let a = to.length - 1; a >= 0 && ++index[a] === sizes[a]; a--) index[a] = 0;
  }
  return out;
}

export const prompts = (vocab: number): number[][] => [9, 4].map((n, s) => Array.from({ length: n }, (_, i) => (s * 5 + i * 7 + ((i * i) % 3)) % vocab));

/** Logits of every token of both prompts, node by node. */
export function interpreted({ module, bundle: { plan } }: Compiled, seed: number, vocab: number): number[][] {
  const stored = storedValues(plan, seed);
  const { inputs, dims } = wholeSequences(prompts(vocab));
  const params = (param: number, iteration: number): ArrayLike<number> => {
    const { paths, type } = module.params[param];
    const found = stored.get(paths[iteration])!;
    return inOrder(found.values, found.weight.axes, type.axes);
  };
  const { data } = interpret(module, { params, inputs, dims: { ...dims, context: 16 } }).outputs.logits;
  let at = 0;
  return prompts(vocab).map((p) => Array.from(data.slice(at, (at += p.length * vocab))));
}

/** The same on a device: both prompts in one run, then in pieces, mixed. */
export async function run(device: Device, bundle: Bundle, seed: number, vocab: number): Promise<{ whole: number[][]; pieces: number[][] }> {
  const executable = await device.load(bundle);
  try {
    await fill(executable, bundle.plan, seed);
    const session = new Session(executable, bundle.plan);
    const rounds = (cuts: readonly (readonly number[])[]): Promise<number[][]> => runRounds(session, prompts(vocab), cuts);
    return { whole: await rounds([[9], [4]]), pieces: await rounds([[4, 3, 1, 1], [1, 0, 2, 1]]) };
  } finally {
    await executable.close();
  }
}

async function fill(executable: Executable, plan: Plan, seed: number): Promise<void> {
  for (const { weight, bytes } of storedValues(plan, seed).values()) await executable.write(weight.buffer, weight.offset, bytes);
}

/** `cuts[s][r]`: tokens of sequence s in round r. */
async function runRounds(session: Session, all: readonly (readonly number[])[], cuts: readonly (readonly number[])[]): Promise<number[][]> {
  const sequences = all.map(() => session.open());
  const out: number[][] = all.map(() => []);
  for (let round = 0; round < cuts[0].length; round++) {
    const active = all.flatMap((_, s) => (cuts[s][round] > 0 ? [s] : []));
    const works = active.map((s) => ({ sequence: sequences[s], tokens: all[s].slice(sequences[s].length, sequences[s].length + cuts[s][round]), rows: 'all' as const }));
    const results = await session.run(works, ['logits']);
    active.forEach((s, i) => out[s].push(...(results[i].outputs.logits as Float32Array)));
  }
  sequences.forEach((s) => session.close(s));
  return out;
}

/** max|a - b| / max|b|; NaN counts as infinite. */
export function distance(a: readonly number[][], b: readonly number[][]): number {
  const [x, y] = [a.flat(), b.flat()];
  const largest = y.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
  const worst = x.length === y.length ? x.reduce((m, v, i) => Math.max(m, Number.isNaN(v - y[i]) ? Infinity : Math.abs(v - y[i])), 0) : Infinity;
  return worst / largest;
}
