/**
 * Random small modules for property tests: a list of numbers steers which op is applied to which earlier values, so
 * that fast-check can shrink a failure to few ops. What does not fit is left out.
 */
import fc from '../support/properties.js';
import { GraphBuilder } from '../../compiler/ir/build.js';
import type { Module, Value } from '../../compiler/ir/graph.js';
import { interpret, type Tensor } from '../../compiler/ir/interpret-graph.js';
import { requireValid } from '../../compiler/ir/verify-graph.js';
import { axis, dynamic, f32, i32, moduleOf, paramDecl, tokens, uniform } from '../numeric/fixtures.js';

export const dims = { tokens: 3, outputs: 2 };
const d = axis('d', 4);
const layers = ['w[0]', 'w[1]'];
const params = [paramDecl('a', d, axis('e', 3)), paramDecl(layers, d, axis('e', 4)), paramDecl('experts', axis('n', 3), axis('e', 4), d)];

type Choose = (options: number) => number;

/** One op on earlier values. */
const steps: readonly ((b: GraphBuilder, any: () => Value, choose: Choose) => Value)[] = [
  (b, any, choose) => b.map((['add', 'multiply', 'maximum', 'subtract'] as const)[choose(4)], any(), any()),
  (b, any, choose) => b.map((['tanh', 'negate', 'sigmoid', 'exp'] as const)[choose(4)], any()),
  (b, any) => b.map('select', b.map('less', any(), any()), any(), any()),
  (b, any) => b.map('multiply', any(), b.scalar(1)),
  (b, any) => b.map('add', b.scalar(0), any()),
  (b, any, choose) => b.constant(f32(d), [1, 2, 3, choose(5)]),
  (b) => b.cast(b.iota(d), 'f32'),
  (b, any, choose) => b.cast(b.cast(any(), choose(2) ? 'bf16' : 'f32'), 'f32'),
  (b, any, choose) => b.slice(any(), 'd', { start: choose(3), size: 1 + choose(2), into: 's' }),
  (b, any) => { const x = any(); return b.concat([{ value: b.slice(x, 'd', { start: 0, size: 1 }), axis: 'd' }, { value: b.slice(x, 'd', { start: 1, size: 3, into: 'r' }), axis: 'r' }], 'd'); },
  (b, any, choose) => b.concat([{ value: any(), axis: 'd' }, { value: any(), axis: 'd' }], choose(2) ? 'd' : 'dd'),
  (b, any) => b.slice(any(), 'dd', { start: 4, size: 4, into: 'd' }),
  (b, any) => b.rename(b.rename(any(), 'd', 'f'), 'f', 'd'),
  (b, any) => b.merge(b.split(any(), 'd', [axis('p', 2), axis('q', 2)]), ['p', 'q'], 'd'),
  (b, any) => b.merge(b.split(any(), 'd', [axis('p', 2), axis('q', 2)]), ['q', 'p'], 'd'),
  (b, any, choose) => b.reduce(any(), choose(2) ? 'add' : 'maximum', ['d']),
  (b, any) => b.map('tanh', b.rename(b.contract(any(), b.param(0), ['d']), 'e', 's')),
  (b, any) => b.map('tanh', b.rename(b.contractSelected(any(), b.param(2), ['d'], 'n', b.rename(b.top(any(), 'd', 2, 'k'), 'k', 'k2')), 'e', 's')),
  (b, any, choose) => b.pick(any(), 'd', choose(4)),
  (b, any) => b.pick(b.stack([any(), any()], 'two'), 'two', 1),
  (b, any) => b.broadcast(any(), d),
  (b, any) => b.cumulate(any(), 'd'),
  (b, any) => b.stopGradient(any()),
  (b, any) => twoLayers(b, any(), any()),
];

/** Two iterations: a carry, a captured value, a per-iteration constant, a loop parameter, a stacked output. */
function twoLayers(outer: GraphBuilder, x: Value, captured: Value): Value {
  const b = new GraphBuilder('layers', outer.context);
  const [inside, other] = [b.input('x', x.type), b.input('y', captured.type)];
  const table = b.map('multiply', b.constant(f32(), [0.5], [[0.5], [2]]), b.scalar(2));
  const hidden = b.rename(b.contract(inside, b.param(1), ['d']), 'e', 'd');
  const next = b.map('tanh', b.map('add', inside, b.map('multiply', table, hidden)));
  const spare = b.map('add', inside, other);
  const body = b.finish([{ name: 'x', value: next }, { name: 'stack', value: inside }, { name: 'spare', value: spare }]);
  const [last, stack] = outer.repeat({ label: 'layers', count: 2, body }, [x], [captured]);
  return outer.map('add', last, outer.pick(stack, 'layers', 1));
}

export function randomModule(choices: readonly number[]): Module {
  let at = 0;
  const choose: Choose = (options) => (choices[at++ % choices.length] ?? 0) % options;
  const b = new GraphBuilder('random', { params, states: [] });
  const rows = b.input('rows', i32(dynamic('outputs')));
  const values: Value[] = [b.input('x', f32(tokens, d)), b.input('y', f32(d)), b.scalar(2)];
  const any = (): Value => values[values.length - 1 - choose(Math.min(values.length, 4))];
  for (let n = 0; n < choices.length / 2; n++) {
    try { values.push(steps[choose(steps.length)](b, any, choose)); } catch { /* the operands do not fit this op */ }
  }
  const wanted = values.slice(-3).map((value, i) => ({ name: `y${i}`, value }));
  const last = values.filter((v) => v.type.axes.some((a) => a.name === 'tokens')).at(-1)!;
  const module = moduleOf(b.finish([...wanted, { name: 'logits', value: b.gather(last, rows, 'tokens') }]), params);
  requireValid(module, 'random');
  return module;
}

export const randomChoices = fc.array(fc.nat({ max: 999 }), { minLength: 4, maxLength: 40 });

export function run(module: Module, exact = false): Record<string, Tensor> {
  const sizes = params.map((p) => p.type.axes.reduce((n, a) => n * (a.size as number), 1));
  return { ...interpret(module, { params: (i, n) => uniform(10 + i + 5 * n, sizes[i]), inputs: { rows: [2, 0], x: uniform(1, 12), y: uniform(2, 4) }, dims, exact }).outputs };
}
