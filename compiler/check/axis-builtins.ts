/** Builtins that name axes: `top`, `rename`, `flatten`, `slice`, `interleave`, `window`, .. */
import * as messages from '../../dsl/check-messages.js';
import { hasAxis } from '../ir/axes.js';
import type { DType } from '../ir/dtype.js';
import { roundTo } from '../kernels/half.js';
import { graphAxis, type AxisValue } from './axis.js';
import type { Builtin, BuiltinArguments } from './builtins.js';
import { requireTensor, tensorAxes } from './contract.js';
import { resolveAxes, resolveAxis } from './dims.js';
import { elementwise, listTensor, sizeOf, spread } from './elementwise.js';
import { building, fail, modelInput, place, tensor } from './frame.js';
import { real } from './number.js';
import { describe, type TensorValue, type Value } from './value.js';

function tensorArgument(a: BuiltinArguments, name: string): TensorValue {
  return spread(a.frame, requireTensor(a.frame, a.located(name), `the argument ${name}`), a.span);
}

/** The axis that an argument names, which the tensor must have. */
function axisArgument(a: BuiltinArguments, name: string, x: TensorValue): AxisValue {
  const axis = resolveAxis(a.frame, a.expr(name));
  if (!hasAxis(x.value.type.axes, axis.name)) fail(messages.axisNotThere('the argument', axis, { span: x.span, axes: tensorAxes(a.frame, x) }, a.expr(name).span));
  return axis;
}

function whole(a: BuiltinArguments, name: string): number {
  const v = a.value(name);
  const number = v.kind === 'axis' ? sizeOf(v, a.span) : v;
  if (number.kind !== 'number' || !Number.isInteger(number.value)) fail(messages.wrongArgument(name, 'a whole number', describe(v), a.expr(name).span));
  return number.value;
}

function requireSize(a: BuiltinArguments, name: string, axis: AxisValue, size: number): void {
  if (axis.size !== size) fail(messages.axisSize(axis, size, a.expr(name).span));
}

/** `top(k, of: scores, over: axis)`: ids of the k largest, on the axis k; ties go to the lower id. */
function top(a: BuiltinArguments): Value {
  const x = tensorArgument(a, 'of');
  const over = axisArgument(a, 'over', x);
  const k = resolveAxis(a.frame, a.expr('k'));
  const [count, all] = [sizeOf(k, a.expr('k').span).value, sizeOf(over, a.expr('over').span).value];
  if (count > all) fail(messages.topTooMany(k, over, a.span));
  return tensor(a.frame, building(a.frame, a.span).top(a.frame.graph.use(x), over.name, count, k.name), a.span);
}

function rename(a: BuiltinArguments): Value {
  const x = tensorArgument(a, 'x');
  const from = axisArgument(a, 'from', x);
  const to = resolveAxis(a.frame, a.expr('to'));
  if (typeof from.size === 'number') requireSize(a, 'to', to, from.size);
  return tensor(a.frame, building(a.frame, a.span).rename(a.frame.graph.use(x), from.name, to.name), a.span, [x]);
}

/** `flatten(x, axes: (a, b), to: c)`: row-major; c has the product of their sizes. */
function flatten(a: BuiltinArguments): Value {
  const x = tensorArgument(a, 'x');
  const axes = resolveAxes(a.frame, a.expr('axes'));
  for (const axis of axes) if (!hasAxis(x.value.type.axes, axis.name)) fail(messages.axisNotThere('flatten', axis, { span: x.span, axes: tensorAxes(a.frame, x) }, a.expr('axes').span));
  const to = resolveAxis(a.frame, a.expr('to'));
  requireSize(a, 'to', to, axes.map((axis) => sizeOf(axis, a.span).value).reduce((p, n) => p * n, 1));
  return tensor(a.frame, building(a.frame, a.span).merge(a.frame.graph.use(x), axes.map((axis) => axis.name), to.name), a.span, [x]);
}

/** `split(x, axis: c, into: (a, b))`: the inverse of `flatten`. */
function split(a: BuiltinArguments): Value {
  const x = tensorArgument(a, 'x');
  const axis = axisArgument(a, 'axis', x);
  const into = resolveAxes(a.frame, a.expr('into'));
  requireSize(a, 'into', axis, into.map((i) => sizeOf(i, a.span).value).reduce((p, n) => p * n, 1));
  return tensor(a.frame, building(a.frame, a.span).split(a.frame.graph.use(x), axis.name, into.map(graphAxis)), a.span, [x]);
}

/** `slice(x, axis: r, start: 0, step: 2, to: pair)`: as many elements as `pair` has. */
function slice(a: BuiltinArguments): Value {
  const x = tensorArgument(a, 'x');
  const axis = axisArgument(a, 'axis', x);
  const to = resolveAxis(a.frame, a.expr('to'));
  const [start, step, size] = [whole(a, 'start'), a.has('step') ? whole(a, 'step') : 1, sizeOf(to, a.expr('to').span).value];
  const last = start + step * (size - 1);
  if (start < 0 || step < 1 || last >= sizeOf(axis, a.span).value) fail(messages.sliceOutside(start, last, axis, a.span));
  return tensor(a.frame, building(a.frame, a.span).slice(a.frame.graph.use(x), axis.name, { start, step, size, into: to.name }), a.span, [x]);
}

function pairOf(a: BuiltinArguments): { readonly u: TensorValue; readonly v: TensorValue; readonly axis: AxisValue; readonly to: AxisValue } {
  const [u, v] = [tensorArgument(a, 'u'), tensorArgument(a, 'v')];
  const axis = axisArgument(a, 'axis', u);
  axisArgument(a, 'axis', v);
  const to = resolveAxis(a.frame, a.expr('to'));
  requireSize(a, 'to', to, 2 * sizeOf(axis, a.span).value);
  return { u, v, axis, to };
}

/** `join(u, v, axis: pair, to: r)`: u's elements, then v's. */
function join(a: BuiltinArguments): Value {
  const { u, v, axis, to } = pairOf(a);
  const parts = [u, v].map((t) => ({ value: a.frame.graph.use(t), axis: axis.name }));
  return tensor(a.frame, building(a.frame, a.span).concat(parts, to.name), a.span, [u, v]);
}

/** `interleave(u, v, axis: pair, to: r)`: u0, v0, u1, v1, .. */
function interleave(a: BuiltinArguments): Value {
  const { u, v, axis, to } = pairOf(a);
  const two = a.frame.run.axes.fresh(place(a.frame, a.span), 'two', 2);
  const builder = building(a.frame, a.span);
  const stacked = builder.stack([a.frame.graph.use(u), a.frame.graph.use(v)], two.name);
  return tensor(a.frame, builder.merge(stacked, [axis.name, two.name], to.name), a.span, [u, v]);
}

function broadcast(a: BuiltinArguments): Value {
  const x = tensorArgument(a, 'x');
  const axis = resolveAxis(a.frame, a.expr('axis'));
  if (hasAxis(x.value.type.axes, axis.name)) fail(messages.axisTwice(axis, a.expr('axis').span));
  return tensor(a.frame, building(a.frame, a.span).broadcast(a.frame.graph.use(x), graphAxis(axis)), a.span, [x]);
}

/** `outer(a, b)`: the product over the axes of both, said explicitly. */
function outer(a: BuiltinArguments): Value {
  const [u, v] = [tensorArgument(a, 'a'), tensorArgument(a, 'b')];
  const product = elementwise(a.frame, 'multiply', [{ ...u, fixed: true }, v], a.span);
  return product.kind === 'tensor' ? { ...product, fixed: u.fixed && v.fixed } : product;
}

/** `tensor(numbers, axis: pair)`: a list that is known now, on an axis. */
function tensorOf(a: BuiltinArguments): Value {
  const list = a.value('numbers');
  const axis = resolveAxis(a.frame, a.expr('axis'));
  if (list.kind !== 'vector') fail(messages.wrongArgument('numbers', 'a list of numbers', describe(list), a.expr('numbers').span));
  requireSize(a, 'axis', axis, list.data.length);
  return listTensor(a.frame, list.data, axis, a.span);
}

function stopGradient(a: BuiltinArguments): Value {
  const x = tensorArgument(a, 'x');
  return { ...tensor(a.frame, building(a.frame, a.span).stopGradient(a.frame.graph.use(x)), a.span, [x]), settled: x.settled };
}

/** `cast(x, to: bf16)`; of a number, which is rounded now, to what the dtype can hold. */
function castTo(a: BuiltinArguments): Value {
  const to = a.expr('to');
  const dtypes: readonly string[] = ['f32', 'bf16', 'f16', 'i32'];
  if (to.kind !== 'name' || !dtypes.includes(to.name)) fail(messages.wrongArgument('to', `one of ${dtypes.join(', ')}`, 'something else', to.span));
  const given = a.value('x');
  const number = given.kind === 'axis' ? sizeOf(given, a.span) : given;
  if (number.kind === 'number') return real(roundTo(to.name as DType, number.value));
  const x = tensorArgument(a, 'x');
  return { ...tensor(a.frame, building(a.frame, a.span).cast(a.frame.graph.use(x), to.name as DType), a.span, [x]), settled: true };
}

/** `window(tail, axis: taps)`: this token and the ones before it, oldest first, from a state `last n` with n + 1 taps. */
function window(a: BuiltinArguments): Value {
  const state = a.value('state');
  if (state.kind !== 'state' || state.policy !== 'last') fail(messages.wrongArgument('state', 'a state with the policy `last`', describe(state), a.expr('state').span));
  const axis = resolveAxis(a.frame, a.expr('axis'));
  requireSize(a, 'axis', axis, state.extent! + 1);
  const { graph } = a.frame;
  const input = { value: graph.use(state.value), x: graph.use(state.entry), position: modelInput(a.frame, 'position'), sequence: modelInput(a.frame, 'sequence'), starts: modelInput(a.frame, 'starts') };
  return tensor(a.frame, building(a.frame, a.span).window(state.state, state.extent! + 1, axis.name, input).x, a.span);
}

/** `cumulate(x, over: axis)`: inclusive running sum. */
function cumulate(a: BuiltinArguments): Value {
  const x = tensorArgument(a, 'x');
  return tensor(a.frame, building(a.frame, a.span).cumulate(a.frame.graph.use(x), axisArgument(a, 'over', x).name), a.span, [x]);
}

/** `solve_lower(a, b, rows: i, columns: j)`: x with (I + a below the diagonal) x = b. */
function solveLower(a: BuiltinArguments): Value {
  const [matrix, b] = [tensorArgument(a, 'a'), tensorArgument(a, 'b')];
  const [rows, columns] = [axisArgument(a, 'rows', matrix), axisArgument(a, 'columns', matrix)];
  axisArgument(a, 'rows', b);
  return tensor(a.frame, building(a.frame, a.span).solveLower(a.frame.graph.use(matrix), a.frame.graph.use(b), rows.name, columns.name), a.span, [matrix, b]);
}

export const axisBuiltins: Readonly<Record<string, Builtin>> = {
  top: { parameters: ['k', 'of', 'over'], apply: top },
  rename: { parameters: ['x', 'from', 'to'], apply: rename },
  flatten: { parameters: ['x', 'axes', 'to'], apply: flatten },
  split: { parameters: ['x', 'axis', 'into'], apply: split },
  slice: { parameters: ['x', 'axis', 'start', 'step?', 'to'], apply: slice },
  join: { parameters: ['u', 'v', 'axis', 'to'], apply: join },
  interleave: { parameters: ['u', 'v', 'axis', 'to'], apply: interleave },
  broadcast: { parameters: ['x', 'axis'], apply: broadcast },
  outer: { parameters: ['a', 'b'], apply: outer },
  tensor: { parameters: ['numbers', 'axis'], apply: tensorOf },
  stop_gradient: { parameters: ['x'], apply: stopGradient },
  cast: { parameters: ['x', 'to'], apply: castTo },
  window: { parameters: ['state', 'axis'], apply: window },
  cumulate: { parameters: ['x', 'over'], apply: cumulate },
  solve_lower: { parameters: ['a', 'b', 'rows', 'columns'], apply: solveLower },
};
