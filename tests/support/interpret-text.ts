/** Inputs and seeded parameters for interpreting small modules. */
import type { Module } from '../../compiler/ir/graph.js';
import { centred } from './random.js';

/** Values by path, so that two modules with the same paths have the same parameters. */
export function seededParams(module: Module, scale = 1): (param: number, iteration: number) => ArrayLike<number> {
  return (param, iteration) => {
    const { paths, type } = module.params[param];
    const random = centred(paths[iteration]);
    return Float64Array.from({ length: type.axes.reduce((n, a) => n * (a.size as number), 1) }, () => scale * random());
  };
}

/** One sequence, its tokens from position `start` on, in blocks of 16. */
export function launchInputs(tokens: readonly number[], start: number): { inputs: Record<string, readonly number[]>; dims: Record<string, number> } {
  const n = tokens.length;
  const blocks = Math.ceil((start + n) / 16);
  const position = tokens.map((_, i) => start + i);
  return {
    inputs: {
      tokens, position, sequence: tokens.map(() => 0), slot: position, blocks: Array.from({ length: blocks }, (_, i) => i), starts: [0, n],
      rows: tokens.map((_, i) => i), temperature: [0], seed: [0], top_k: [0], top_p: [1],
    },
    dims: { tokens: n, outputs: n, sequences: 1, blocks, slots: blocks * 16, pool: 1 },
  };
}
