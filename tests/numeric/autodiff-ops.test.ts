import fc from '../support/properties.js';
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../compiler/ir/build.js';
import { arg, call, num } from '../../compiler/ir/expr.js';
import type { Axis, Module, ParamDecl, Value } from '../../compiler/ir/graph.js';
import { interpret } from '../../compiler/ir/interpret-graph.js';
import { requireValid } from '../../compiler/ir/verify-graph.js';
import { autodiff, gradientName } from '../../compiler/passes/autodiff.js';
import { expandAttend } from '../../compiler/passes/expand-attend.js';
import { simplify } from '../../compiler/passes/simplify.js';
import { axis, difference, dynamic, f32, i32, launch, moduleOf, paramDecl, stateDecl, tokens, uniform } from './fixtures.js';
import { dims as randomDims, randomChoices, randomModule } from '../passes/random-graph.js';

const volume = (axes: readonly Axis[]): number => axes.reduce((n, a) => n * (a.size as number), 1);

interface Bindings { inputs: Record<string, ArrayLike<number>>; dims: Record<string, number>; offset?: number }

/** Every gradient against central differences, in f64; returns the largest deviation relative to the largest gradient. */
function gradientError(module: Module, { inputs, dims, offset = 0 }: Bindings): number {
  const backward = autodiff(module);
  requireValid(backward, 'autodiff');
  const values = module.params.map((p, i) => p.paths.map((_, n) => Float64Array.from(uniform(100 + 10 * i + n, volume(p.type.axes)), (x) => x + offset)));
  const run = (m: Module) => interpret(m, { params: (i, n) => values[i][n], inputs, dims, exact: true }).outputs;
  const found = run(backward);
  const simple = simplify(backward);
  requireValid(simple, 'simplify');
  const again = run(simple);
  const errors: number[] = [];
  let scale = 0;
  module.params.forEach((p, i) => {
    if (p.frozen) return;
    const gradient = found[gradientName(i)].data;
    // Folded constants are rounded to f32.
    expect(difference(again[gradientName(i)].data, gradient)).toBeLessThan(2e-6);
    values[i].forEach((data, n) => data.forEach((x, j) => {
      const step = 1e-5;
      const loss = [step, -step].map((s) => { data[j] = x + s; return run(module).loss.data[0]; });
      data[j] = x;
      const wanted = (loss[0] - loss[1]) / (2 * step);
      errors.push(Math.abs(wanted - gradient[n * data.length + j]));
      scale = Math.max(scale, Math.abs(wanted));
    }));
  });
  return scale === 0 ? Math.max(...errors) : Math.max(...errors) / scale;
}

/** sum of y * fixed weights + sum of y^2: every element matters differently. */
function lossOf(b: GraphBuilder, y: Value): Value {
  const weights = y.type.axes.reduce((w, a) => b.map('add', w, b.cast(b.iota(a), 'f32')), b.scalar(0.5) as Value);
  const all = y.type.axes.map((a) => a.name);
  return b.reduce(b.map('add', b.map('multiply', y, b.map('sin', weights)), b.map('multiply', y, y)), 'add', all);
}

function opError(params: readonly ParamDecl[], build: (b: GraphBuilder, p: Value[]) => Value, offset = 0): number {
  const b = new GraphBuilder('op', { params, states: [] });
  const y = build(b, params.map((_, i) => b.param(i)));
  const module = moduleOf(b.finish([{ name: 'loss', value: lossOf(b, y) }]), params);
  return gradientError(module, { inputs: {}, dims: {}, offset });
}

const [r, c, n] = [axis('r', 3), axis('c', 4), axis('n', 2)];
const w = (...axes: Axis[]): ParamDecl => paramDecl('w', ...axes);
const v = (...axes: Axis[]): ParamDecl => paramDecl('v', ...axes);
const ids = (b: GraphBuilder, a: Axis, data: number[]): Value => b.constant(i32(a), data);

const cases: [string, readonly ParamDecl[], (b: GraphBuilder, p: Value[]) => Value, number?][] = [
  ...(['add', 'subtract', 'multiply', 'minimum', 'maximum'] as const).map((fn): (typeof cases)[number] => [fn, [w(r, c), v(c)], (b, [x, y]) => b.map(fn, x, y)]),
  ...(['negate', 'absolute', 'exp', 'tanh', 'sigmoid', 'softplus', 'erf', 'sin', 'cos'] as const).map((fn): (typeof cases)[number] => [fn, [w(r, c)], (b, [x]) => b.map(fn, x)]),
  ...(['log', 'sqrt', 'rsqrt'] as const).map((fn): (typeof cases)[number] => [fn, [w(r, c)], (b, [x]) => b.map(fn, x), 2]),
  ['divide', [w(r, c), v(c)], (b, [x, y]) => b.map('divide', x, y), 2],
  ['power', [w(r, c), v(c)], (b, [x, y]) => b.map('power', x, y), 2],
  ['mod', [w(r), v(r)], (b, [x, y]) => b.map('mod', b.map('add', x, b.scalar(9.3)), y), 2],
  ['select', [w(r, c), v(c)], (b, [x, y]) => b.map('select', b.map('less', x, y), x, y)],
  ['rename, split, merge', [w(r, c)], (b, [x]) => b.merge(b.split(b.rename(x, 'c', 'z'), 'z', [axis('p', 2), axis('q', 2)]), ['q', 'p'], 'z')],
  ['slice', [w(r, c)], (b, [x]) => b.slice(x, 'c', { start: 1, size: 2, into: 's' })],
  ['slice by steps', [w(r, c)], (b, [x]) => b.slice(x, 'c', { start: 3, step: -2, size: 2 })],
  ['pick', [w(r, c)], (b, [x]) => b.pick(x, 'c', 2)],
  ['concat', [w(r, c), v(n)], (b, [x, y]) => b.concat([{ value: x, axis: 'c' }, { value: y, axis: 'n' }], 'z')],
  ['stack', [w(r, c), v(c)], (b, [x, y]) => b.stack([x, y], 'z')],
  ['broadcast', [w(r)], (b, [x]) => b.broadcast(x, c)],
  ['reduce add', [w(r, c)], (b, [x]) => b.reduce(x, 'add', ['c'])],
  ['reduce maximum', [w(r, c)], (b, [x]) => b.reduce(x, 'maximum', ['c'])],
  ['contract', [w(r, c), v(c, n)], (b, [x, y]) => b.contract(x, y, ['c'])],
  ['contract, outer', [w(r), v(c)], (b, [x, y]) => b.contract(x, y, [])],
  ['contract over an axis of one operand', [w(r, c), v(c, n)], (b, [x, y]) => b.contract(x, y, ['c', 'r'])],
  ['contract with select', [w(r, c), v(axis('e', 3), n, c)], (b, [x, y]) => b.contractSelected(x, y, ['c'], 'e', b.constant(i32(r, axis('k', 2)), [0, 2, 2, 2, 5, 0]))],
  ['contract with select, summed over the ids', [w(r, axis('k', 2), c), v(axis('e', 3), n, c)], (b, [x, y]) => b.contractSelected(x, y, ['c', 'k'], 'e', b.constant(i32(r, axis('k', 2)), [0, 2, 2, 2, 5, 0]))],
  ['contract with select, one weight for all rows of x', [w(c), v(axis('e', 3), c)], (b, [x, y]) => b.contractSelected(x, y, ['c'], 'e', ids(b, r, [1, 1, 0]))],
  ['cumulate', [w(r, c)], (b, [x]) => b.cumulate(b.cumulate(x, 'c'), 'r', true)],
  ['solve_lower', [w(n, r, axis('j', 3)), v(r, c)], (b, [x, y]) => b.solveLower(x, y, 'r', 'j')],
  ['gather', [w(r, c)], (b, [x]) => b.gather(x, ids(b, axis('k', 4), [2, 0, 2, 7]), 'r')],
  ['gather with a common axis', [w(r, c)], (b, [x]) => b.gather(x, b.constant(i32(r, n), [0, 1, 3, 3, 2, 0]), 'c')],
  ['scatter add', [w(r, c), v(n, c)], (b, [x, y]) => b.scatter(x, ids(b, n, [1, 1]), y, 'r', 'add')],
  ['scatter set', [w(r, c), v(n, c)], (b, [x, y]) => b.scatter(x, ids(b, n, [2, 0]), y, 'r', 'set')],
  ['top and gather', [w(r, c)], (b, [x]) => b.gather(x, b.top(x, 'c', 2, 'k'), 'c')],
];

describe('gradients equal finite differences', () => {
  for (const [name, params, build, offset] of cases) it(name, () => { expect(opError(params, build, offset)).toBeLessThan(1e-7); });
});

describe('what does not flow', () => {
  const gradients = (params: readonly ParamDecl[], build: (b: GraphBuilder, p: Value[]) => Value): number[][] => {
    const b = new GraphBuilder('op', { params, states: [] });
    const y = build(b, params.map((_, i) => b.param(i)));
    const module = autodiff(moduleOf(b.finish([{ name: 'loss', value: b.reduce(y, 'add', y.type.axes.map((a) => a.name)) }]), params));
    const { outputs } = interpret(module, { params: () => [1.25, -2, 3], inputs: {}, dims: {} });
    return params.flatMap((p, i) => (p.frozen ? [] : [Array.from(outputs[gradientName(i)].data)]));
  };
  it('stop_gradient, and parameters that the loss does not use', () => {
    expect(gradients([w(r), v(r)], (b, [x]) => b.map('add', x, b.map('multiply', b.stopGradient(x), b.scalar(5))))).toEqual([[1, 1, 1], [0, 0, 0]]);
  });
  it('straight_through takes the value of one and gives the gradient to the other', () => {
    expect(gradients([w(r)], (b, [x]) => b.straightThrough(b.fakeQuantize(x, { kind: 'int4', group: 4, along: 'r', scale: 'bf16' }), x))).toEqual([[1, 1, 1]]);
  });
  it('frozen parameters have no gradient', () => {
    expect(gradients([w(r), { ...v(r), frozen: true }], (b, [x, y]) => b.map('multiply', x, y))).toEqual([[1.25, -2, 3]]);
  });
});

describe('repeat', () => {
  it('carries, captured values, stacked outputs and parameters of two nested repeats', () => {
    const params = [paramDecl('x0', r), paramDecl('captured', r), paramDecl(['w[0]', 'w[1]', 'w[2]'], r, axis('q', 3)), paramDecl(Array.from({ length: 6 }, (_, i) => `u[${i}]`), r)];
    const b = new GraphBuilder('m', { params, states: [] });
    const inner = new GraphBuilder('inner', b.context);
    const z = inner.input('z', f32(r));
    const table = inner.constant(f32(), [0], [[1], [2], [3], [4], [5], [6]]);
    const nextZ = inner.map('sin', inner.map('add', z, inner.map('multiply', inner.map('multiply', inner.param(3), inner.input('x', f32(r))), table)));
    const innerBody = inner.finish([{ name: 'z', value: nextZ }, { name: 'all', value: inner.map('multiply', nextZ, z) }]);
    const body = new GraphBuilder('layers', b.context);
    const [x, captured] = [body.input('x', f32(r)), body.input('c', f32(r))];
    const hidden = body.rename(body.contract(body.param(2), x, ['r']), 'q', 'r');
    const [last, all] = body.repeat({ label: 'inner', count: 2, body: innerBody }, [body.map('add', hidden, captured)], [x]);
    const layers = body.finish([{ name: 'x', value: body.map('tanh', body.map('add', last, body.reduce(all, 'add', ['inner']))) }, { name: 'stack', value: body.map('multiply', x, captured) }]);
    const [y, stack] = b.repeat({ label: 'layers', count: 3, body: layers }, [b.param(0)], [b.param(1)]);
    const loss = b.map('add', lossOf(b, y), lossOf(b, stack));
    expect(gradientError(moduleOf(b.finish([{ name: 'loss', value: loss }]), params), { inputs: {}, dims: {} })).toBeLessThan(1e-7);
  });
});

it('attention over packed tokens, expanded', () => {
  const [heads, size, value, d] = [axis('heads', 2), axis('size', 3), axis('value', 2), axis('d', 4)];
  const params = [paramDecl('wq', heads, size, d), paramDecl('wk', heads, size, d), paramDecl('wv', value, d), paramDecl('sink', heads), paramDecl('x', axis('all', 5), d)];
  const states = [stateDecl('append', 'kv', 0, dynamic('slots'), d)];
  const b = new GraphBuilder('m', { params, states });
  const [position, sequence, slot] = ['position', 'sequence', 'slot'].map((name) => b.input(name, i32(tokens)));
  const blocks = b.input('blocks', i32(dynamic('sequences'), dynamic('blocks')));
  const x = b.gather(b.param(4), b.map('add', position, b.map('multiply', sequence, b.scalar(3, 'i32'))), 'all');
  const kv = b.stateWrite(0, b.state(0), slot, x);
  const { out, maximum } = b.attend(
    { over: ['size'], score: call('multiply', arg(0), num(0.7)), mask: call('less_equal', arg(2), arg(1)), causal: true, sink: 0, block: 4, exports: true },
    { q: b.contract(b.param(0), x, ['d']), position, sequence, blocks, extras: [b.param(3)], sources: [{ k: b.contract(b.param(1), kv, ['d']), v: b.contract(b.param(2), kv, ['d']), keys: 'slots' }] },
  );
  const module = moduleOf(b.finish([{ name: 'loss', value: lossOf(b, out) }, { name: 'maximum', value: maximum! }]), params, states);
  const expanded = expandAttend(module);
  requireValid(expanded, 'expand-attend');
  const { inputs, dims } = launch([{ count: 3, from: 0 }, { count: 2, from: 0 }], 4, 1, (s) => 1 - s);
  const run = (m: Module) => interpret(m, { params: (i) => uniform(i, volume(params[i].type.axes)), inputs, dims }).outputs;
  const [before, after] = [run(module), run(expanded)];
  for (const name of ['loss', 'maximum']) before[name].data.forEach((expected, i) => expect(after[name].data[i]).toBeCloseTo(expected, 5));
  expect(gradientError(simplify(expanded), { inputs, dims })).toBeLessThan(1e-7);
});

it('random graphs', () => {
  fc.assert(fc.property(randomChoices, (choices) => {
    const { graph, params } = randomModule(choices);
    const smooth = !graph.nodes.some((x) => (x.op === 'map' && ['less', 'maximum'].includes(x.fn)) || (x.op === 'reduce' && x.fn !== 'add') || x.op === 'top' || (x.op === 'cast' && x.to === 'bf16') || x.op === 'stop_gradient');
    fc.pre(smooth);
    const rebuilt = new GraphBuilder('loss', { params, states: [] });
    const module = withLoss(rebuilt, { graph, params, states: [], taps: [] });
    const error = gradientError(module, { inputs: { rows: [2, 0], x: uniform(1, 12), y: uniform(2, 4) }, dims: randomDims });
    expect(error).toBeLessThan(1e-5);
  }), { numRuns: 8 });
});

/** The module with one loss over its outputs; each is squashed first, so that random products stay tame. */
function withLoss(b: GraphBuilder, module: Module): Module {
  const values = new Map<number, Value>();
  for (const { name, value } of module.graph.inputs) values.set(value.id, b.input(name, value.type));
  for (const node of module.graph.nodes) b.emit(node, node.operands.map((id) => values.get(id)!), node.results[0]?.type).forEach((x, i) => values.set(node.results[i].id, x));
  const losses = module.graph.outputs.map((o) => lossOf(b, b.map('tanh', values.get(o.value)!)));
  return { ...module, graph: b.finish([{ name: 'loss', value: losses.reduce((x, y) => b.map('add', x, y)) }]) };
}
