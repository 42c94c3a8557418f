import { describe, expect, it } from 'vitest';
import type { DType } from '../../compiler/ir/dtype.js';
import { arg, call, cast, num } from '../../compiler/ir/expr.js';
import { dim, type Program, type Tile } from '../../compiler/ir/kernel.js';
import { ProgramBuilder, range, type IndexLike } from '../../compiler/kernels/build.js';
import { decodeElements, encodeElements, fromBf16, toBf16 } from '../../compiler/kernels/half.js';
import { interpretProgram } from '../../compiler/kernels/interpret.js';
import { pack, unpack } from '../../compiler/kernels/packing.js';
import { element, floorDivide, minus, modulo, plus, times } from '../../compiler/kernels/scalar.js';
import { Random } from './samples.js';

const f32 = (values: readonly number[]): Uint8Array => encodeElements(values, 'f32');
const i32 = (values: readonly number[]): Uint8Array => encodeElements(values, 'i32');

/** Builds a program that ends in one store to `out`, runs it, returns what `out` holds. */
function compute(sizes: Record<string, number>, dtype: DType, write: (p: ProgramBuilder) => Tile, buffers: Record<string, Uint8Array> = {}, dims: Record<string, number> = {}): number[] {
  const p = new ProgramBuilder('compute');
  const out = p.view('out', dtype, 'write', sizes);
  const value = write(p);
  p.store(out, Object.entries(sizes).map(([axis, size]): IndexLike => range(axis, 0, size)), value);
  const bytes = new Uint8Array(Object.values(sizes).reduce((n, s) => n * s, 1) * (dtype === 'bf16' || dtype === 'f16' ? 2 : 4));
  interpretProgram(p.finish(), dims, { ...buffers, out: bytes }, { checked: true });
  return Array.from(decodeElements(bytes, dtype));
}

describe('loads', () => {
  const loaded = (start: number, limit?: number): number[] => compute({ x: 4 }, 'f32', (p) => p.load(p.view('a', 'f32', 'read', { x: 5 }), [range('x', start, 4, limit)], { fill: -9 }), { a: f32([1, 2, 3, 4, 5]) });
  it('fill what lies before, behind or beyond the limit', () => {
    expect(loaded(0)).toEqual([1, 2, 3, 4]);
    expect(loaded(3)).toEqual([4, 5, -9, -9]);
    expect(loaded(-2)).toEqual([-9, -9, 1, 2]);
    expect(loaded(1, 3)).toEqual([2, 3, -9, -9]);
    expect(loaded(9)).toEqual([-9, -9, -9, -9]);
    expect(loaded(-9)).toEqual([-9, -9, -9, -9]);
    expect(loaded(2, 1)).toEqual([-9, -9, -9, -9]);
  });

  it('match axes that ranges and index tiles share', () => {
    // out[t, a] = table[t, ids[t, a]]
    const ids = [2, 0, 1, 1, -1, 3];
    const got = compute({ t: 3, a: 2 }, 'f32', (p) => {
      const index = p.load(p.view('ids', 'i32', 'read', { t: 3, a: 2 }), [range('t', 0, 3), range('a', 0, 2)]);
      return p.load(p.view('table', 'f32', 'read', { t: 3, c: 3 }), [range('t', 0, 3), index], { fill: -1 });
    }, { ids: i32(ids), table: f32([0, 1, 2, 10, 11, 12, 20, 21, 22]) });
    expect(got).toEqual([2, 0, 11, 11, -1, -1]);
  });

  it('honour strides, every dtype and every packing, whatever the order of the run', () => {
    const random = new Random(3);
    for (const dtype of ['f32', 'bf16', 'f16', 'i32', 'u32', 'bool'] as DType[]) {
      const values = Array.from({ length: 24 }, () => (dtype === 'bool' ? random.below(2) : random.below(200)));
      const bytes = encodeElements(values, dtype);
      const got = compute({ y: 3, x: 2 }, dtype, (p) => p.load(p.view('a', dtype, 'read', { y: 3, x: 2 }, { strides: [8, 3] }), [range('y', 0, 3), range('x', 0, 2)], { dtype: dtype === 'f16' ? 'f32' : dtype }), { a: bytes });
      expect(got).toEqual([0, 1, 2].flatMap((y) => [values[y * 8], values[y * 8 + 3]]));
    }
    for (const kind of ['panel', 'int4'] as const) {
      const axes = [{ name: 'n', size: 13 }, { name: 'k', size: 70 }];
      const packing = { kind, order: ['n', 'k'], lanes: 'n', width: 8, group: 32 } as const;
      const bytes = pack(packing, axes, 'f32', random.values(13 * 70));
      const values = unpack(packing, axes, 'f32', bytes);
      const view = (p: ProgramBuilder) => p.view('w', 'f32', 'read', { n: 13, k: 70 }, { packing });
      expect(compute({ n: 5 }, 'f32', (p) => p.load(view(p), [range('n', 6, 5), 41]), { w: bytes })).toEqual([6, 7, 8, 9, 10].map((n) => values[n * 70 + 41]));
      expect(compute({ k: 9 }, 'f32', (p) => p.load(view(p), [11, p.map(call('add', arg(0), num(30, 'i32')), [p.iota('k', 9)])]), { w: bytes })).toEqual(Array.from({ length: 9 }, (_, k) => values[11 * 70 + 30 + k]));
    }
  });

  it('round an int4 product to bf16 if the view says so', () => {
    const packing = { kind: 'int4', order: ['n', 'k'], lanes: 'n', width: 8, group: 32 } as const;
    const axes = [{ name: 'n', size: 8 }, { name: 'k', size: 32 }];
    const bytes = pack(packing, axes, 'f32', new Random(5).values(256));
    const want = Array.from(unpack(packing, axes, 'f32', bytes), (v) => fromBf16(toBf16(v)));
    expect(compute({ n: 8, k: 32 }, 'f32', (p) => p.cast('f32', p.load(p.view('w', 'bf16', 'read', { n: 8, k: 32 }, { packing }), [range('n', 0, 8), range('k', 0, 32)], { dtype: 'bf16' })), { w: bytes })).toEqual(want);
  });

  it('need all of a view and aligned elements', () => {
    const read = (bytes: Uint8Array) => compute({ x: 4 }, 'f32', (p) => p.load(p.view('a', 'f32', 'read', { x: 4 }), [range('x', 0, 4)]), { a: bytes });
    expect(() => read(new Uint8Array(15))).toThrow(/needs 16 bytes, 15/);
    expect(() => read(new Uint8Array(20).subarray(2, 18))).toThrow(/aligned/);
  });
});

describe('scalars', () => {
  it('of memory are 0 outside, division and remainder floor', () => {
    const got = compute({ x: 5 }, 'i32', (p) => {
      const list = p.view('list', 'i32', 'read', { n: dim('n') });
      const values = [element(list, 1), element(list, 7), element(list, -1), floorDivide(minus(element(list, 0), 5), 3), modulo(minus(element(list, 0), 5), 3)];
      return p.concat(values.map((v) => p.iota('x', 1, v)), 'x');
    }, { list: i32([1, 42]) }, { n: 2 });
    expect(got).toEqual([42, 0, 0, -2, 2]);
  });
});

describe('ops', () => {
  const values = (p: ProgramBuilder, list: readonly number[], axis = 'x'): Tile => p.concat(list.map((v) => p.full(v, [{ name: axis, size: 1 }])), axis);

  it('dot over several axes, with axes that both operands have', () => {
    const random = new Random(9);
    const [a, b] = [random.values(2 * 3 * 4 * 5), random.values(2 * 6 * 4 * 5)];
    const got = compute({ h: 2, m: 3, n: 6 }, 'f32', (p) => {
      const av = p.view('a', 'f32', 'read', { h: 2, m: 3, j: 4, k: 5 });
      const bv = p.view('b', 'f32', 'read', { n: 6, k: 5, h: 2, j: 4 });
      const at = (names: Record<string, number>) => Object.entries(names).map(([name, size]) => range(name, 0, size));
      return p.dot(p.load(av, at({ h: 2, m: 3, j: 4, k: 5 })), p.load(bv, at({ n: 6, k: 5, h: 2, j: 4 })), { over: ['j', 'k'] });
    }, { a: encodeElements(a, 'f32'), b: encodeElements(b, 'f32') });
    for (let h = 0; h < 2; h++) for (let m = 0; m < 3; m++) for (let n = 0; n < 6; n++) {
      let sum = 0;
      for (let j = 0; j < 4; j++) for (let k = 0; k < 5; k++) sum += a[((h * 3 + m) * 4 + j) * 5 + k] * b[((n * 5 + k) * 2 + h) * 4 + j];
      expect(got[(h * 3 + m) * 6 + n]).toBeCloseTo(sum, 5);
    }
  });

  it('reduce, cumulate forwards and backwards', () => {
    const list = [3, -1, 4, 1, 5];
    expect(compute({ x: 3 }, 'f32', (p) => p.concat((['add', 'maximum', 'minimum'] as const).map((fn) => p.broadcast(p.reduce(fn, values(p, list), 'x'), [{ name: 'x', size: 1 }])), 'x'))).toEqual([12, 5, -1]);
    expect(compute({ x: 5 }, 'f32', (p) => p.cumulate(values(p, list), 'x'))).toEqual([3, 2, 6, 7, 12]);
    expect(compute({ x: 5 }, 'f32', (p) => p.cumulate(values(p, list), 'x', { reverse: true }))).toEqual([12, 9, 10, 6, 5]);
  });

  it('split, merge, slice and concat are row-major', () => {
    const list = Array.from({ length: 12 }, (_, i) => i);
    expect(compute({ z: 12 }, 'f32', (p) => p.merge(p.split(values(p, list), 'x', { a: 3, b: 4 }), ['b', 'a'], 'z'))).toEqual([0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]);
    expect(compute({ x: 4 }, 'f32', (p) => p.slice(values(p, list), 'x', { start: 2, step: 3, size: 4 }))).toEqual([2, 5, 8, 11]);
    expect(compute({ b: 4, c: 2 }, 'f32', (p) => {
      const parts = p.split(values(p, list), 'x', { a: 3, b: 4 });
      const row = (i: number) => p.rename(p.slice(parts, 'a', { start: i, size: 1 }), 'a', 'c');
      return p.concat([row(2), row(0)], 'c');
    })).toEqual([8, 0, 9, 1, 10, 2, 11, 3]);
  });

  it('integers wrap, floor and compare; casts truncate to i32 and round to 16 bits', () => {
    const map = (dtype: DType, from: DType, list: readonly number[], e: Parameters<ProgramBuilder['map']>[0]) => compute({ x: list.length }, dtype, (p) => p.map(e, [p.load(p.view('a', from, 'read', { x: list.length }), [range('x', 0, list.length)])]), { a: encodeElements(list, from) });
    expect(map('i32', 'i32', [2 ** 30, 65537], call('multiply', arg(0), num(65537, 'i32')))).toEqual([Math.imul(2 ** 30, 65537), Math.imul(65537, 65537)]);
    expect(map('i32', 'i32', [-7, 7], call('floor_divide', arg(0), num(4, 'i32')))).toEqual([-2, 1]);
    expect(map('i32', 'i32', [-7, 7], call('mod', arg(0), num(4, 'i32')))).toEqual([1, 3]);
    expect(map('i32', 'f32', [-1.7, 2.9], cast('i32', arg(0)))).toEqual([-1, 2]);
    expect(map('f32', 'f32', [1.00390625, 2.5], cast('bf16', arg(0)))).toEqual([1, 2.5]);
    expect(map('f32', 'f32', [0.5, 1.5, 2.5, -0.5], call('round', arg(0))).map((v) => v + 0)).toEqual([0, 2, 2, 0]);
    expect(map('f32', 'f32', [NaN, 1], call('select', call('less', arg(0), num(2)), arg(0), num(5)))).toEqual([5, 1]);
    expect(map('u32', 'u32', [1, 2], call('hash', num(7, 'u32'), arg(0))).every((v) => v >= 0 && v < 2 ** 32)).toBe(true);
  });

  it('a loop may exchange what it carries', () => {
    const fibonacci = compute({ x: 1 }, 'f32', (p) => {
      const one = [{ name: 'x', size: 1 }];
      const [, b] = p.loop('i', 0, 10, 1, [p.full(0, one), p.full(1, one)], (_, [a, b]) => [b, p.add(a, b)]);
      return b;
    });
    expect(fibonacci).toEqual([89]);
    const untouched = compute({ x: 1 }, 'f32', (p) => p.loop('i', 3, 3, 1, [p.full(4, [{ name: 'x', size: 1 }])], (_, [a]) => [p.add(a, 1)])[0]);
    expect(untouched).toEqual([4]);
  });

  it('a carry keeps its axes in order though the body finds them in another', () => {
    const got = compute({ a: 2, b: 3 }, 'f32', (p) => {
      const [a, b] = [p.cast('f32', p.iota('a', 2)), p.cast('f32', p.iota('b', 3))];
      const start = p.full(0, [{ name: 'a', size: 2 }, { name: 'b', size: 3 }]);
      return p.loop('i', 0, 1, 1, [start], (_, [sum]) => [p.map(call('add', call('add', arg(0), call('multiply', arg(1), num(10))), arg(2)), [b, a, sum])])[0];
    });
    expect(got).toEqual([0, 1, 2, 10, 11, 12]);
  });
});

describe('checked mode', () => {
  const colliding = (step: number): Program => {
    const p = new ProgramBuilder('colliding');
    const ids = p.view('ids', 'i32', 'read', { n: 4 });
    const y = p.view('y', 'f32', 'readwrite', { x: 8 });
    const g = p.gridAxis('g', 4);
    const at = [range('x', times(element(ids, g), step), 2)];
    p.store(y, at, p.add(p.load(y, at), 1));
    return p.finish();
  };
  const run = (step: number, ids: readonly number[], checked: boolean): number[] => {
    const y = f32(new Array<number>(8).fill(0));
    interpretProgram(colliding(step), {}, { ids: i32(ids), y }, { checked });
    return Array.from(decodeElements(y, 'f32'));
  };
  it('rejects programs that touch one element, and only then', () => {
    expect(run(2, [3, 1, 0, 2], true)).toEqual([1, 1, 1, 1, 1, 1, 1, 1]);
    expect(() => run(2, [3, 1, 0, 3], true)).toThrow(/element 6 of view 'y' was stored by program 0 and is read by program 3/);
    expect(() => run(1, [0, 4, 1, 6], true)).toThrow(/program/);
    expect(run(1, [0, 4, 1, 6], false)).toEqual([1, 2, 1, 0, 1, 1, 1, 1]);
  });

  it('rejects two stores', () => {
    const p = new ProgramBuilder('twice');
    const y = p.view('y', 'f32', 'write', { x: 8 });
    const g = p.gridAxis('g', 4);
    p.store(y, [plus(g, modulo(g, 2))], p.full(1));
    expect(() => interpretProgram(p.finish(), {}, { y: new Uint8Array(32) }, { checked: true })).toThrow(/element 2 of view 'y' is stored by program 1 and by program 2/);
  });

  it('names a view without bytes and a dim without value', () => {
    const p = new ProgramBuilder('lacking');
    const y = p.view('y', 'f32', 'write', { x: dim('n') });
    p.store(y, [0], p.full(1));
    const program = p.finish();
    expect(() => interpretProgram(program, { n: 1 }, {})).toThrow(/no bytes for view 'y'/);
    expect(() => interpretProgram(program, {}, { y: new Uint8Array(4) })).toThrow(/dim 'n'/);
  });
});
