/** Types, seeded numbers and comparison for tests of graphs. */
import { symbol } from '../../compiler/ir/dim.js';
import type { Axis, Graph, Module, ParamDecl, StateDecl, TensorType } from '../../compiler/ir/graph.js';
import { philox } from '../../compiler/ir/philox.js';

export const axis = (name: string, size: number): Axis => ({ name, size });
export const dynamic = (name: string, dim = name): Axis => ({ name, size: symbol(dim) });
export const tokens = dynamic('tokens');
export const f32 = (...axes: Axis[]): TensorType => ({ dtype: 'f32', axes });
export const i32 = (...axes: Axis[]): TensorType => ({ dtype: 'i32', axes });

export function moduleOf(graph: Graph, params: readonly ParamDecl[] = [], states: readonly StateDecl[] = []): Module {
  return { graph, params, states, taps: [] };
}

export function paramDecl(path: string | readonly string[], ...axes: Axis[]): ParamDecl {
  return { paths: typeof path === 'string' ? [path] : path, type: f32(...axes), storage: { kind: 'plain', dtype: 'f32' }, init: { kind: 'normal', deviation: 1 }, frozen: false };
}

export function stateDecl(policy: StateDecl['policy'], path: string | readonly string[], initial: number, ...axes: Axis[]): StateDecl {
  return { paths: typeof path === 'string' ? [path] : path, policy, type: f32(...axes), initial };
}

/** Numbers in [-1, 1) that depend on the seed alone, exact in f32. */
export function uniform(seed: number, count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => (philox(seed, i) >>> 9) * 2 ** -22 - 1);
}

/** Largest difference relative to the largest reference. */
export function difference(found: ArrayLike<number>, wanted: ArrayLike<number>): number {
  if (found.length !== wanted.length) return Infinity;
  let [error, scale] = [0, 0];
  for (let i = 0; i < wanted.length; i++) {
    error = Math.max(error, Number.isNaN(found[i]) ? Infinity : Math.abs(found[i] - wanted[i]));
    scale = Math.max(scale, Math.abs(wanted[i]));
  }
  return scale === 0 ? error : error / scale;
}

/**
 * Entry inputs of a launch: `sequences` lists, per sequence, its tokens' count and the position of the first. Blocks of
 * `block` entries are dealt out in the order of `deal`.
 */
export function launch(sequences: readonly { readonly count: number; readonly from: number }[], block: number, blocksPerSequence: number, deal: (n: number) => number): {
  readonly inputs: Record<string, Int32Array>; readonly dims: Record<string, number>;
} {
  const blocks = Int32Array.from({ length: sequences.length * blocksPerSequence }, (_, n) => deal(n));
  const [position, sequence, slot, starts]: number[][] = [[], [], [], [0]];
  sequences.forEach(({ count, from }, s) => {
    for (let i = 0; i < count; i++) {
      const p = from + i;
      position.push(p);
      sequence.push(s);
      slot.push(blocks[s * blocksPerSequence + Math.floor(p / block)] * block + (p % block));
    }
    starts.push(position.length);
  });
  const inputs = Object.fromEntries(Object.entries({ position, sequence, slot, starts }).map(([k, v]) => [k, Int32Array.from(v)]));
  return {
    inputs: { ...inputs, blocks },
    dims: { tokens: position.length, sequences: sequences.length, blocks: blocksPerSequence, slots: (Math.max(...blocks) + 1) * block, pool: sequences.length },
  };
}
