/** Reductions, running sums and the ops that only move elements between axes. */
import type { Statement } from '../ir/kernel.js';
import { axisOf, mergeAxes, withoutAxes, type Shape } from './build-shapes.js';
import { defineTile, sizeOf, tileOf, type Action, type Machine, type Register } from './interpret-machine.js';
import { alignment, gatherElements, offsets, replaceAxis, stridesByName, volume } from './interpret-tables.js';

type Of<K extends Statement['op']> = Extract<Statement, { op: K }>;

/** Floats are summed in f64 in row-major order of `over` and rounded once. */
export function compileReduce(m: Machine, s: Of<'reduce'>): Action {
  const { tile, register } = tileOf(m, s.value);
  const out = defineTile(m, s.out);
  const strides = stridesByName(tile.shape);
  const starts = offsets(s.out.shape, strides);
  const steps = offsets(s.over.map((name) => axisOf(tile.shape, name)), strides);
  const combine = combiners[s.fn];
  return () => { for (let i = 0; i < starts.length; i++) out[i] = combine(register, starts[i], steps); };
}

const combiners = {
  add: (value: Register, at: number, steps: Int32Array): number => {
    let sum = 0;
    for (let j = 0; j < steps.length; j++) sum += value[at + steps[j]];
    return sum;
  },
  maximum: (value: Register, at: number, steps: Int32Array): number => {
    let best = value[at];
    for (let j = 1; j < steps.length; j++) best = Math.max(best, value[at + steps[j]]);
    return best;
  },
  minimum: (value: Register, at: number, steps: Int32Array): number => {
    let best = value[at];
    for (let j = 1; j < steps.length; j++) best = Math.min(best, value[at + steps[j]]);
    return best;
  },
};

export function compileCumulate(m: Machine, s: Of<'cumulate'>): Action {
  const { tile, register } = tileOf(m, s.value);
  const out = defineTile(m, s.out);
  const strides = stridesByName(tile.shape);
  const starts = offsets(withoutAxes(tile.shape, [s.axis]), strides);
  const steps = offsets([axisOf(tile.shape, s.axis)], strides);
  if (s.reverse) steps.reverse();
  return () => {
    for (let i = 0; i < starts.length; i++) {
      let sum = 0;
      for (let j = 0; j < steps.length; j++) { sum += register[starts[i] + steps[j]]; out[starts[i] + steps[j]] = sum; }
    }
  };
}

/** Same elements in the same order: the register is shared. */
export function compileRename(m: Machine, s: Of<'rename'> | Of<'split'>): Action {
  defineTile(m, s.out, tileOf(m, s.value).register);
  return () => undefined;
}

export function compileMerge(m: Machine, s: Of<'merge'>): Action {
  const { tile, register } = tileOf(m, s.value);
  const parts = s.axes.map((name) => axisOf(tile.shape, name));
  const wanted = replaceAxis(mergeAxes(tile.shape, s.axes, s.into), s.into, parts);
  return moveElements(m, s, register, alignment(tile.shape, wanted));
}

export function compileSlice(m: Machine, s: Of<'slice'>): Action {
  const { tile, register } = tileOf(m, s.value);
  const strides = stridesByName(tile.shape);
  const first = s.start * strides.get(s.axis)!;
  const table = offsets(s.out.shape, new Map([...strides, [s.axis, strides.get(s.axis)! * s.step]])).map((v) => v + first);
  return moveElements(m, s, register, table);
}

function moveElements(m: Machine, s: Of<'merge'> | Of<'slice'>, register: Register, table: Int32Array | undefined): Action {
  const out = defineTile(m, s.out, table ? undefined : register);
  return table ? () => gatherElements(out, register, table) : () => undefined;
}

export function compileConcat(m: Machine, s: Of<'concat'>): Action {
  const strides = stridesByName(s.out.shape);
  let start = 0;
  const moves = s.parts.map((id) => {
    const { tile, register } = tileOf(m, id);
    const first = start * strides.get(s.axis)!;
    start += axisOf(tile.shape, s.axis).size;
    return { register, table: offsets(tile.shape, strides).map((v) => v + first) };
  });
  const out = defineTile(m, s.out);
  return () => {
    for (const { register, table } of moves) for (let i = 0; i < table.length; i++) out[table[i]] = register[i];
  };
}

/** Elements of `value` in the order of `shape`, for carries whose axes are listed in another order. */
export function copyAligned(from: Shape, register: Register, to: Shape, out: Register): Action {
  const table = alignment(from, to);
  if (volume(from) !== volume(to)) throw new Error('interpreting: a carry changes its size');
  return table ? () => gatherElements(out, register, table) : () => out.set(register);
}

export function compileFull(m: Machine, s: Of<'full'>): Action {
  defineTile(m, s.out).fill(s.value);
  return () => undefined;
}

export function compileIota(m: Machine, s: Of<'iota'>, start: () => number): Action {
  const out = defineTile(m, s.out);
  const size = sizeOf(s.out);
  return () => {
    const first = start();
    for (let i = 0; i < size; i++) out[i] = first + i;
  };
}
