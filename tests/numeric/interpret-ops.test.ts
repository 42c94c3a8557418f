import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../compiler/ir/build.js';
import type { TensorType, Value } from '../../compiler/ir/graph.js';
import { interpret, interpretRanks, type Tensor } from '../../compiler/ir/interpret-graph.js';
import { philox } from '../../compiler/ir/philox.js';
import { erf } from '../../compiler/ir/scalar-functions.js';
import { requireValid } from '../../compiler/ir/verify-graph.js';
import { axis, dynamic, f32, i32, moduleOf, tokens, uniform } from './fixtures.js';

/** Builds with the given inputs, runs, and returns output `y`. */
function evaluate(inputs: Record<string, { type: TensorType; data: ArrayLike<number> }>, build: (b: GraphBuilder, v: Record<string, Value>) => Value, dims: Record<string, number> = {}): Tensor {
  const b = new GraphBuilder('test', { params: [], states: [] });
  const values = Object.fromEntries(Object.entries(inputs).map(([name, { type }]) => [name, b.input(name, type)]));
  const module = moduleOf(b.finish([{ name: 'y', value: build(b, values) }]));
  requireValid(module, 'test');
  const data = Object.fromEntries(Object.entries(inputs).map(([name, i]) => [name, i.data]));
  return interpret(module, { params: () => [], inputs: data, dims }).outputs.y;
}

const list = (t: Tensor): number[] => Array.from(t.data);

describe('elementwise and axes', () => {
  it('aligns by name', () => {
    const y = evaluate({ w: { type: f32(axis('d', 2)), data: [10, 100] }, x: { type: f32(tokens, axis('d', 2)), data: [1, 2, 3, 4] } }, (b, { w, x }) => b.map('multiply', w, x), { tokens: 2 });
    expect(y.axes.map((a) => a.name)).toEqual(['d', 'tokens']);
    expect(list(y)).toEqual([10, 30, 200, 400]);
  });

  it('integers floor and wrap', () => {
    const inputs = { a: { type: i32(axis('n', 3)), data: [-7, 7, 2 ** 30] }, b: { type: i32(axis('n', 3)), data: [2, -2, 8] } };
    expect(list(evaluate(inputs, (b, v) => b.map('divide', v.a, v.b)))).toEqual([-4, -4, 2 ** 27]);
    expect(list(evaluate(inputs, (b, v) => b.map('mod', v.a, v.b)))).toEqual([1, -1, 0]);
    expect(list(evaluate(inputs, (b, v) => b.map('multiply', v.a, v.b)))).toEqual([-14, -14, 0]);
  });

  it('rounds where values are stored, and to bf16 at a cast', () => {
    const x = { x: { type: f32(axis('n', 2)), data: [1 + 2 ** -8, 0.1] } };
    expect(list(evaluate(x, (b, v) => b.cast(b.cast(v.x, 'bf16'), 'f32')))).toEqual([1, 0.10009765625]);
    expect(list(evaluate(x, (b, v) => b.map('add', v.x, v.x)))[1]).toBe(Math.fround(2 * Math.fround(0.1)));
  });

  it('split, merge, slice, pick, concat, stack', () => {
    const x = { x: { type: f32(axis('n', 6)), data: [0, 1, 2, 3, 4, 5] } };
    expect(list(evaluate(x, (b, v) => b.merge(b.split(v.x, 'n', [axis('r', 2), axis('c', 3)]), ['c', 'r'], 'm')))).toEqual([0, 3, 1, 4, 2, 5]);
    expect(list(evaluate(x, (b, v) => b.slice(v.x, 'n', { start: 1, step: 2, size: 3, into: 'odd' })))).toEqual([1, 3, 5]);
    expect(list(evaluate(x, (b, v) => b.pick(b.split(v.x, 'n', [axis('r', 2), axis('c', 3)]), 'c', 1)))).toEqual([1, 4]);
    const halves = (b: GraphBuilder, v: Record<string, Value>): Value[] => [0, 3].map((start) => b.slice(v.x, 'n', { start, size: 3, into: 'h' }));
    expect(list(evaluate(x, (b, v) => { const [p, q] = halves(b, v); return b.concat([{ value: q, axis: 'h' }, { value: p, axis: 'h' }], 'n'); }))).toEqual([3, 4, 5, 0, 1, 2]);
    expect(list(evaluate(x, (b, v) => b.merge(b.stack(halves(b, v), 'two'), ['h', 'two'], 'n')))).toEqual([0, 3, 1, 4, 2, 5]);
  });
});

describe('reductions, contractions, indexing', () => {
  const [t, d, e, w, k] = [4, 5, 3, 2, 2];
  const x = uniform(1, t * d);
  const weights = uniform(2, e * w * d);

  it('contract sums over the named axes of either operand', () => {
    const y = evaluate({ x: { type: f32(tokens, axis('d', d)), data: x }, w: { type: f32(axis('e', e), axis('w', w), axis('d', d)), data: weights } }, (b, v) => b.contract(v.x, v.w, ['d', 'e']), { tokens: t });
    for (let i = 0; i < t; i++) for (let j = 0; j < w; j++) {
      let sum = 0;
      for (let a = 0; a < e; a++) for (let c = 0; c < d; c++) sum += x[i * d + c] * weights[(a * w + j) * d + c];
      expect(y.data[i * w + j]).toBe(Math.fround(sum));
    }
  });

  it('contract with select reads the chosen rows only, also when it sums over the ids', () => {
    const ids = [0, 2, 1, 1, 2, 7, -1, 0];
    const inputs = { x: { type: f32(tokens, axis('d', d)), data: x }, w: { type: f32(axis('e', e), axis('w', w), axis('d', d)), data: weights }, ids: { type: i32(tokens, axis('k', k)), data: ids } };
    const chosen = evaluate(inputs, (b, v) => b.contractSelected(v.x, v.w, ['d'], 'e', v.ids), { tokens: t });
    expect(chosen.axes.map((a) => a.name)).toEqual(['tokens', 'k', 'w']);
    const dense = evaluate(inputs, (b, v) => b.gather(b.contract(v.x, v.w, ['d']), v.ids, 'e'), { tokens: t });
    expect(list(chosen)).toEqual(list(dense));
    const summed = evaluate(inputs, (b, v) => b.contractSelected(v.x, v.w, ['d', 'k'], 'e', v.ids), { tokens: t });
    list(summed).forEach((s, i) => expect(s).toBeCloseTo([0, 1].reduce((n, j) => n + chosen.data[(Math.floor(i / w) * k + j) * w + (i % w)], 0), 6));
  });

  it('top is descending and prefers the lower id', () => {
    expect(list(evaluate({ x: { type: f32(axis('n', 5)), data: [1, 3, 2, 3, 0] } }, (b, v) => b.top(v.x, 'n', 3, 'k')))).toEqual([1, 3, 2]);
  });

  it('cumulate, scatter and solve_lower', () => {
    const x3 = { x: { type: f32(axis('n', 3)), data: [1, 2, 3] } };
    expect(list(evaluate(x3, (b, v) => b.cumulate(v.x, 'n', true)))).toEqual([6, 5, 3]);
    const ids = { ...x3, ids: { type: i32(axis('m', 3)), data: [2, 2, 9] }, y: { type: f32(axis('m', 3)), data: [10, 20, 30] } };
    expect(list(evaluate(ids, (b, v) => b.scatter(v.x, v.ids, v.y, 'n', 'add')))).toEqual([1, 2, 33]);
    expect(list(evaluate(ids, (b, v) => b.scatter(v.x, v.ids, v.y, 'n', 'set')))).toEqual([1, 2, 20]);
    const a = uniform(3, 9);
    const solved = evaluate({ a: { type: f32(axis('i', 3), axis('j', 3)), data: a }, b: { type: f32(axis('i', 3)), data: [1, 2, 3] } }, (b, v) => b.solveLower(v.a, v.b, 'i', 'j'));
    const [p, q, r] = list(solved);
    expect([p, q + a[3] * p, r + a[6] * p + a[7] * q].map((n) => Number(n.toFixed(5)))).toEqual([1, 2, 3]);
  });
});

describe('repeat', () => {
  it('runs from the last iteration when reversed, stacks by iteration and reads tables by iteration', () => {
    const b = new GraphBuilder('test', { params: [], states: [] });
    const body = new GraphBuilder('layers', b.context);
    const x = body.input('x', f32());
    const y = body.map('add', body.map('multiply', x, body.scalar(10)), body.constant(f32(), [0], [[1], [2], [3]]));
    const graph = body.finish([{ name: 'x', value: y }, { name: 'all', value: y }]);
    const [last, all] = b.repeat({ label: 'layers', count: 3, reverse: true, body: graph }, [b.scalar(0)]);
    const { outputs } = interpret(moduleOf(b.finish([{ name: 'last', value: last }, { name: 'all', value: all }])), { params: () => [], inputs: {}, dims: {} });
    expect(list(outputs.last)).toEqual([321]);
    expect(list(outputs.all)).toEqual([321, 32, 3]);
  });
});

describe('ranks', () => {
  it('exchange within their group and notice different collectives', () => {
    const b = new GraphBuilder('test', { params: [], states: [], groups: { expert: 2 } });
    const x = b.input('x', f32(axis('n', 2)));
    const outputs = [{ name: 'sum', value: b.allReduce(x, 'expert') }, { name: 'all', value: b.allGather(x, 'expert', 'n') }, { name: 'part', value: b.reduceScatter(x, 'expert', 'n') }];
    const module = moduleOf(b.finish(outputs));
    const run = (index: number, data: number[]) => ({ params: () => [], inputs: { x: data }, dims: {}, ranks: { expert: { index, count: 2 } } });
    const results = interpretRanks([module], [run(0, [1, 2]), run(1, [10, 20])]);
    expect(results.map((r) => [r.outputs.sum, r.outputs.all, r.outputs.part].map(list))).toEqual([[[11, 22], [1, 2, 10, 20], [11]], [[11, 22], [1, 2, 10, 20], [22]]]);
    const other = new GraphBuilder('other', b.context);
    const different = moduleOf(other.finish([{ name: 'x', value: other.allGather(other.input('x', f32(axis('n', 2))), 'expert', 'n') }]));
    expect(() => interpretRanks([module, different], [run(0, [1, 2]), run(1, [1, 2])])).toThrow('one rank issues all_reduce');
  });
});

describe('scalar functions', () => {
  it('philox matches the published vectors', () => {
    // Random123's kat_vectors: philox 4x32 10, counter 0, key 0.
    expect(philox(0, 0).toString(16)).toBe('6627e8d5');
  });
  it('erf is accurate on both branches', () => {
    for (const [x, y] of [[0.5, 0.5204998778130465], [2.4, 0.999311486103354], [2.6, 0.9997639655834707], [-1, -0.8427007929497149]]) expect(erf(x)).toBeCloseTo(y, 14);
  });
});

it('an axis read from a dynamic dim', () => {
  expect(list(evaluate({ x: { type: f32(dynamic('tokens')), data: [1, 2, 3] } }, (b, v) => b.reduce(v.x, 'add', ['tokens']), { tokens: 3 }))).toEqual([6]);
});
