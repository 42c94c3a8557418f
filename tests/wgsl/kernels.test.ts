/** Tile programs that the samples do not cover, against the interpreter, as each kind of device gets them. */
import { afterAll, beforeAll, describe } from 'vitest';
import { kernelCases, type KernelCase } from '../../backends/conformance/kernels.js';
import type { Device } from '../../backends/device.js';
import { arg, call, num } from '../../compiler/ir/expr.js';
import { dim, type Program } from '../../compiler/ir/kernel.js';
import { ProgramBuilder, range } from '../../compiler/kernels/build.js';
import { decodeElements, encodeElements } from '../../compiler/kernels/half.js';
import { interpretProgram } from '../../compiler/kernels/interpret.js';
import { element, evaluateScalar, plus, times } from '../../compiler/kernels/scalar.js';
import { Random, untouched } from '../kernels/samples.js';
import { withWgsl } from '../support/wgsl.js';

/** Random contents for every view (integers are small), and what the interpreter makes of them. */
function interpreted(name: string, program: Program, dims: Readonly<Record<string, number>>, tolerance: number, given: Readonly<Record<string, readonly number[]>> = {}): KernelCase {
  const random = new Random(77);
  const before = Object.fromEntries(program.views.map((v) => {
    const count = v.axes.reduce((n, a) => n * evaluateScalar(a.extent, { dims }), 1);
    const values = given[v.name] ?? (v.access === 'write' ? new Float32Array(count).fill(untouched)
      : v.dtype === 'i32' || v.dtype === 'u32' ? random.ints(count, 7) : v.dtype === 'bool' ? random.ints(count, 2) : random.values(count, v.dtype));
    return [v.name, encodeElements(values, v.dtype)];
  }));
  const after = Object.fromEntries(Object.entries(before).map(([k, b]) => [k, b.slice()]));
  interpretProgram(program, dims, after);
  const written = program.views.filter((v) => v.access !== 'read');
  return { name, program, dims, buffers: before, tolerance, expected: Object.fromEntries(written.map((v) => [v.name, decodeElements(after[v.name], v.dtype)])) };
}

/** Tiles of odd width and rows of odd length: neighbours in a word belong to different tiles, rows and programs. */
function halves(dtype: 'bf16' | 'f16', width: number, tile: number): KernelCase {
  const p = new ProgramBuilder(`store_${dtype}`);
  const x = p.view('x', dtype, 'read', { t: dim('tokens'), w: width });
  const y = p.view('y', dtype, 'write', { t: dim('tokens'), w: width });
  const at = [p.gridAxis('row', dim('tokens')), range('w', times(p.gridAxis('part', Math.ceil(width / tile)), tile), tile)];
  p.store(y, at, p.apply('multiply', p.load(x, at), 3));
  return interpreted(`${dtype} rows of ${width} in tiles of ${tile}`, p.finish(), { tokens: 5 }, 0);
}

function halfCache(): KernelCase {
  const p = new ProgramBuilder('half_cache');
  const slot = p.view('slot', 'i32', 'read', { t: dim('tokens') });
  const cache = p.view('cache', 'bf16', 'readwrite', { slots: 9, w: 7 });
  const rows = p.load(slot, [range('t', times(p.gridAxis('tile', 2), 3), 3)], { fill: -1 });
  const old = p.load(cache, [rows, range('w', 0, 7)]);
  p.store(cache, [rows, range('w', 0, 7)], p.apply('add', old, 1));
  p.store(cache, [rows, range('w', 2, 3)], p.load(cache, [rows, range('w', 2, 3)]));
  return interpreted('a bf16 cache updated in place, twice', p.finish(), { tokens: 5 }, 0, { slot: [3, 0, 8, 5, 4] });
}

function runningSums(dtype: 'f32' | 'i32', size: number, reverse: boolean): KernelCase {
  const p = new ProgramBuilder('running_sums');
  const x = p.view('x', dtype, 'read', { a: 3, n: size });
  const y = p.view('y', dtype, 'write', { a: 3, n: size });
  const at = [range('a', 0, 3), range('n', 0, size)];
  const v = p.load(x, at);
  p.store(y, at, p.cumulate(p.apply('multiply', v, v), 'n', { reverse }));
  return interpreted(`running sums of ${dtype} over ${size}${reverse ? ' from the end' : ''}`, p.finish(), {}, dtype === 'i32' ? 0 : 1e-6);
}

function reductions(rows: number, size: number): KernelCase {
  const p = new ProgramBuilder('reductions');
  const x = p.view('x', 'f32', 'read', { a: rows, b: 3, n: size });
  const [sum, top, low] = [p.view('sum', 'f32', 'write', { b: 3 }), p.view('top', 'f32', 'write', { a: rows, n: size }), p.view('low', 'f32', 'write', {})];
  const v = p.load(x, [range('a', 0, rows), range('b', 0, 3), range('n', 0, size)]);
  p.store(sum, [range('b', 0, 3)], p.reduce('add', v, 'a', 'n'));
  p.store(top, [range('a', 0, rows), range('n', 0, size)], p.reduce('maximum', v, 'b'));
  p.store(low, [], p.reduce('minimum', p.apply('absolute', v), 'a', 'b', 'n'));
  return interpreted(`reductions over several axes, ${rows} by ${size}`, p.finish(), {}, 1e-6);
}

/** More elements per invocation than code is unrolled for. */
function largeDot(): KernelCase {
  const p = new ProgramBuilder('large_dot');
  const [m, n, k] = [70, 66, 5];
  const [a, b] = [p.view('a', 'f32', 'read', { m, k }), p.view('b', 'f32', 'read', { k, n })];
  const y = p.view('y', 'f32', 'write', { m, n });
  const start = p.full(0.5, [{ name: 'm', size: m }, { name: 'n', size: n }]);
  const [acc] = p.loop('i', 0, 3, 1, [start], (_, [acc]) => [
    p.dot(p.load(a, [range('m', 0, m), range('k', 0, k)]), p.load(b, [range('k', 0, k), range('n', 0, n)]), { over: ['k'], acc }),
  ]);
  p.store(y, [range('m', 0, m), range('n', 0, n)], p.apply('tanh', acc));
  return interpreted('a dot with thousands of elements', p.finish(), {}, 1e-6);
}

function manyPrograms(): KernelCase {
  const p = new ProgramBuilder('many_programs');
  const x = p.view('x', 'i32', 'read', { t: dim('tokens') });
  const y = p.view('y', 'i32', 'write', { t: dim('tokens') });
  const t = p.gridAxis('t', dim('tokens'));
  p.store(y, [t], p.apply('add', p.load(x, [t]), p.scalar(t)));
  return interpreted('more programs than one dimension holds', p.finish(), { tokens: 70001 }, 0);
}

/** Carries that change places, a loop that may not run, bounds from memory, and a condition. */
function controlFlow(): KernelCase {
  const p = new ProgramBuilder('control_flow');
  const counts = p.view('counts', 'i32', 'read', { t: dim('tokens') });
  const x = p.view('x', 'f32', 'read', { two: 2, w: 40 });
  const y = p.view('y', 'f32', 'write', { t: dim('tokens'), w: 40 });
  const z = p.view('z', 'i32', 'write', { t: dim('tokens') });
  const t = p.gridAxis('t', dim('tokens'));
  const rows = [0, 1].map((i) => p.load(x, [i, range('w', 0, 40)]));
  const [a, b] = p.loop('i', 0, element(counts, t), 1, rows, (_, [a, b]) => [p.add(b, p.reduce('add', a, 'w')), a]);
  p.store(y, [t, range('w', 0, 40)], p.apply('subtract', a, b));
  p.if_({ kind: 'less', a: { kind: 'int', value: 2 }, b: element(counts, plus(t, 1)) }, () => {
    const [n] = p.loop('j', 1, element(counts, t), 2, [p.scalar(0)], (j, [n]) => [p.apply('add', n, p.scalar(j))]);
    p.store(z, [t], n);
  });
  return interpreted('carries, loops and conditions', p.finish(), { tokens: 9 }, 1e-6, { counts: [0, 1, 2, 5, 0, 3, 7, 4, 6] });
}

function booleans(): KernelCase {
  const p = new ProgramBuilder('booleans');
  const m = p.view('m', 'bool', 'read', { a: 6, b: 11 });
  const y = p.view('y', 'bool', 'write', { b: 11, a: 6 });
  const n = p.view('n', 'i32', 'write', { b: 11 });
  const v = p.load(m, [range('a', 0, 6), range('b', 0, 11)]);
  const kept = p.map(call('and', arg(0), call('less', arg(1), num(4, 'i32'))), [v, p.iota('a', 6)]);
  p.store(y, [range('b', 0, 11), range('a', 0, 6)], kept, p.apply('not', p.equal(p.iota('b', 11), p.full(5, [], 'i32'))));
  p.store(n, [range('b', 0, 11)], p.reduce('add', p.cast('i32', kept), 'a'));
  return interpreted('booleans, stored where another one says', p.finish(), {}, 0);
}

/** Index tiles over one axis match a range's; a strided view reads a diagonal. */
function indices(): KernelCase {
  const p = new ProgramBuilder('indices');
  const ids = p.view('ids', 'i32', 'read', { t: 8, j: 3 });
  const x = p.view('x', 'f32', 'read', { t: 8, v: 7 });
  const diagonal = p.view('d', 'f32', 'read', { i: 6 }, { strides: [8] });
  const y = p.view('y', 'f32', 'write', { t: 8, j: 3 });
  const z = p.view('z', 'f32', 'write', { i: 6, c: 4 });
  const id = p.load(ids, [range('t', 0, 8), range('j', 0, 3)]);
  p.store(y, [range('t', 0, 8), range('j', 0, 3)], p.load(x, [range('t', 0, 8), id]));
  const d = p.load(diagonal, [range('i', 0, 6)]);
  const grid = p.map(call('multiply', arg(0), arg(1)), [d, p.cast('f32', p.iota('c', 4, 1))]);
  p.store(z, [range('i', 0, 6), range('c', 0, 4)], p.merge(p.split(p.slice(p.concat([grid, grid], 'c'), 'c', { start: 1, step: 2, size: 4 }), 'c', { u: 2, w: 2 }), ['w', 'u'], 'c'));
  return interpreted('matched index axes, strides and views of tiles', p.finish(), {}, 1e-6, { d: Array.from({ length: 48 }, (_, i) => i) });
}

const cases = (): KernelCase[] => [
  halves('bf16', 13, 4), halves('bf16', 13, 5), halves('f16', 13, 16), halves('f16', 12, 6), halfCache(),
  runningSums('i32', 100, false), runningSums('f32', 77, true), reductions(5, 9), reductions(17, 30),
  largeDot(), manyPrograms(), controlFlow(), booleans(), indices(),
];

await withWgsl('wgsl kernels', (make) => {
  for (const kind of ['default', 'gpu'] as const) describe(`wgsl kernels, ${kind} tuning`, () => {
    let device: Device;
    beforeAll(async () => { device = await make(kind); });
    afterAll(() => device.close());
    kernelCases(() => device, cases(), 0);
  });
});
