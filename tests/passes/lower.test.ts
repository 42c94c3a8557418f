import { describe, expect, it } from 'vitest';
import { interpret } from '../../compiler/ir/interpret-graph.js';
import type { Module } from '../../compiler/ir/graph.js';
import { choosePackings } from '../../compiler/passes/choose-packings.js';
import { schedule } from '../../compiler/passes/schedule.js';
import { scheduleFor, type Target } from '../../compiler/kernels/targets.js';
import { pack, unpack } from '../../compiler/kernels/packing.js';
import { runLaunches } from '../support/run-launches.js';
import { tinyDecoder, tinyShape } from '../support/tiny-decoder.js';

function noise(seed: number): () => number {
  let s = seed >>> 0;
  return () => { s = (Math.imul(s, 1664525) + 1013904223) >>> 0; return s / 2 ** 32 - 0.5; };
}

function weightsOf(module: Module): (param: number, iteration: number) => Float32Array {
  const made = new Map<string, Float32Array>();
  return (param, iteration) => {
    const key = `${param} ${iteration}`;
    const old = made.get(key);
    if (old) return old;
    const next = noise(param * 977 + iteration * 31 + 7);
    const decl = module.params[param];
    const values = Float32Array.from({ length: decl.type.axes.reduce((n, a) => n * (a.size as number), 1) }, () => next());
    made.set(key, values);
    return values;
  };
}

/** The numbers an int4 parameter really holds, for the oracle. */
function rounded(module: Module, given: (param: number, iteration: number) => Float32Array, packings: ReturnType<typeof choosePackings>) {
  return (param: number, iteration: number): ArrayLike<number> => {
    const decl = module.params[param];
    if (decl.storage.kind !== 'int4') return given(param, iteration);
    const axes = decl.type.axes.map((a) => ({ name: a.name, size: a.size as number }));
    const packing = packings.get(param)!;
    return unpack(packing, axes, 'f32', pack(packing, axes, 'f32', given(param, iteration)));
  };
}

/** Three sequences in one launch: their tokens packed, cache blocks shuffled. */
function batch(lengths: readonly number[]) {
  const next = noise(5);
  const blocksPer = 4;
  const order = [7, 2, 9, 0, 11, 5, 1, 8, 3, 10, 6, 4];
  const rows = lengths.flatMap((n, s) => Array.from({ length: n }, (_, i) => ({ s, i })));
  const blocks = Int32Array.from({ length: lengths.length * blocksPer }, (_, k) => order[k]);
  return {
    dims: { tokens: rows.length, outputs: rows.length, sequences: lengths.length, blocks: blocksPer, slots: order.length * tinyShape.block, pool: 4, context: 16 },
    inputs: {
      tokens: Int32Array.from(rows, () => Math.floor((next() + 0.5) * tinyShape.vocab)),
      position: Int32Array.from(rows, (r) => r.i), sequence: Int32Array.from(rows, (r) => r.s),
      slot: Int32Array.from(rows, (r) => blocks[r.s * blocksPer + Math.floor(r.i / tinyShape.block)] * tinyShape.block + (r.i % tinyShape.block)),
      rows: Int32Array.from(rows, (_, i) => i), blocks,
    },
  };
}

describe('lowered launches mean what the graph means', () => {
  for (const target of ['reference', 'cpu', 'wgsl'] as Target[]) for (const few of [true, false]) for (const storage of ['f32', 'int4'] as const) {
    it(`${target}, ${few ? 'few' : 'many'} tokens, ${storage} experts`, () => {
      const module = tinyDecoder(tinyShape, storage === 'int4' ? { kind: 'int4', group: 8, along: '', scale: 'bf16' } : { kind: 'plain', dtype: 'f32' });
      const choices = scheduleFor(target, few);
      const packings = choosePackings(module, choices.panel);
      const given = weightsOf(module);
      const { dims, inputs } = batch([5, 1, 9]);
      const entry = schedule(module, { name: 'step', dims: Object.entries(dims).map(([name, max]) => ({ name, max })), schedule: choices, packings });
      const states = module.states.map((s) => s.paths.map(() => new Uint8Array(dims.slots * (tinyShape.rank + tinyShape.rope) * 4)));
      const got = runLaunches(module, entry, { dims, inputs, params: given, states });
      const want = interpret(module, { params: rounded(module, given, packings), inputs, dims });
      const reference = want.outputs.logits.data;
      const largest = reference.reduce((m: number, v: number) => Math.max(m, Math.abs(v)), 0);
      expect(got.logits.length).toBe(reference.length);
      let worst = 0;
      got.logits.forEach((v, i) => { worst = Math.max(worst, Number.isNaN(v) ? Infinity : Math.abs(v - reference[i])); });
      expect(worst / largest).toBeLessThan(2e-6);
    });
  }
});
