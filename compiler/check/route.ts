/**
 * `route(x, ids, w) over experts as e { experts[e] = expert(x) }`: the body is read once; parameters declared in it get
 * the axis in front, and its uses of them are chosen by the ids. The result is the sum of w * body over the choices, or
 * with `none` for w the body of each choice.
 *
 * Arms divide the axis: each has an axis of its own for its parameters, and ids that are another arm's name none of its
 * places, so nothing is computed for them. What an arm without parameters gives is weighted by the sum of its choices.
 */
import type { RouteArm, RouteExpr } from '../../dsl/ast.js';
import * as messages from '../../dsl/check-messages.js';
import { hasAxis, sameAxes } from '../ir/axes.js';
import { graphAxis, type AxisValue } from './axis.js';
import { contractOver, reduce, requireTensor, tensorAxes } from './contract.js';
import { resolveAxis } from './dims.js';
import { elementwise, sizeOf, spread } from './elementwise.js';
import { evaluate } from './evaluate.js';
import { building, fail, place, tensor, type Frame } from './frame.js';
import { integer } from './number.js';
import type { TensorValue, Value } from './value.js';

/** What all arms share. */
interface Route {
  readonly frame: Frame;
  readonly e: RouteExpr;
  readonly ids: TensorValue;
  /** A number if every choice weighs the same; none if nothing is summed. */
  readonly weights: Value;
  /** Axis of the choices. */
  readonly chosen: AxisValue;
  readonly axis: AxisValue;
}
/** An arm and its stretch of the axis. */
interface Stretch { readonly arm: RouteArm; readonly first: number; readonly end: number }

export function evaluateRoute(frame: Frame, e: RouteExpr): TensorValue {
  if (frame.routing !== undefined) fail(messages.nestedRoute(e.span));
  const operand = (part: RouteExpr['ids'], what: string): TensorValue => requireTensor(frame, { value: evaluate(frame, part), span: part.span }, what);
  const [x, ids] = [operand(e.input, 'the input of route'), operand(e.ids, 'the ids of route')];
  const weights = evaluate(frame, e.weights);
  const axis = resolveAxis(frame, { kind: 'name', name: e.axis.name, span: e.axis.span });
  if (ids.value.type.dtype !== 'i32') fail(messages.idsNotIntegers(ids.value.type.dtype, e.ids.span));
  const side = (t: TensorValue, part: RouteExpr['ids']): messages.AxisSide => ({ span: part.span, axes: tensorAxes(frame, t) });
  if (weights.kind !== 'number' && weights.kind !== 'none') {
    const w = requireTensor(frame, { value: weights, span: e.weights.span }, 'the weights of route');
    if (!sameAxes(ids.value.type.axes, w.value.type.axes)) fail(messages.routeWeights(side(ids, e.ids), side(w, e.weights), e.span));
  }
  const chosen = tensorAxes(frame, ids).filter((a) => !hasAxis(x.value.type.axes, a.name));
  if (chosen.length !== 1) fail(messages.routeChoices(side(ids, e.ids), side(x, e.input), e.span));
  const route: Route = { frame, e, ids, weights, chosen: chosen[0], axis };
  const parts = stretches(route).map((s) => evaluateArm(route, s));
  return parts.reduce((sum, part) => elementwise(frame, 'add', [sum, part], e.span) as TensorValue);
}

/** Which ids each arm takes: rising bounds, the last arm up to the end. */
function stretches({ frame, e, axis }: Route): readonly Stretch[] {
  const size = sizeOf(axis, e.axis.span).value;
  let first = 0;
  const found = e.arms.map((arm): Stretch => {
    const end = arm.pattern === undefined ? size : boundOf(frame, e, arm.pattern);
    if (end <= first || end > size) fail(messages.routeArmOrder(first, end, axis.spelling, size, arm.span));
    const stretch = { arm, first, end };
    first = end;
    return stretch;
  });
  if (first !== size) fail(messages.routeArmOrder(first, size, axis.spelling, size, e.span));
  return found;
}

function boundOf(frame: Frame, e: RouteExpr, pattern: RouteExpr['ids']): number {
  const isIndex = pattern.kind === 'binary' && pattern.operator === '<' && pattern.left.kind === 'name' && pattern.left.name === e.index.name;
  if (!isIndex) fail(messages.routeArm(e.index.name, pattern.span));
  const bound = evaluate(frame, pattern.right);
  const number = bound.kind === 'axis' ? sizeOf(bound, pattern.span) : bound;
  return number.kind === 'number' && Number.isInteger(number.value) ? number.value : fail(messages.routeArm(e.index.name, pattern.span));
}

function evaluateArm(route: Route, { arm, first, end }: Stretch): TensorValue {
  const { frame, e, ids, chosen, axis } = route;
  const whole = end - first === axis.size;
  const own = whole ? axis : frame.run.axes.fresh(place(frame, arm.span), axis.spelling, end - first, axis.origin);
  const number = (fn: 'subtract' | 'less' | 'less_equal', a: Value, b: Value): TensorValue => elementwise(frame, fn, [a, b], arm.span) as TensorValue;
  const inside: Frame = { ...frame, routing: { axis: own, ids: first === 0 ? ids : number('subtract', ids, integer(first)), index: e.index.name } };
  const y = spread(inside, requireTensor(inside, { value: evaluate(inside, arm.value), span: arm.value.span }, 'the body of route'), arm.value.span);
  const onlyOwn = (v: Value): Value => (whole ? v : elementwise(frame, 'select', [
    elementwise(frame, 'and', [number('less_equal', integer(first), ids), number('less', ids, integer(end))], arm.span), v, integer(0),
  ], arm.span));
  const choices = hasAxis(y.value.type.axes, chosen.name);
  if (route.weights.kind === 'none') {
    const each = choices ? y : tensor(frame, building(frame, e.span).broadcast(frame.graph.use(y), graphAxis(chosen)), e.span, [y]);
    return onlyOwn(each) as TensorValue;
  }
  const weights = onlyOwn(route.weights);
  if (weights.kind === 'number') {
    const sum = choices ? reduce(frame, 'add', { value: y, span: arm.value.span }, [chosen], e.span) : y;
    return elementwise(frame, 'multiply', [sum, choices ? weights : integer(weights.value * sizeOf(chosen, e.span).value)], e.span) as TensorValue;
  }
  const located = { value: weights, span: e.weights.span };
  // A body without parameters is the same for every choice.
  if (!choices) return elementwise(frame, 'multiply', [y, reduce(frame, 'add', located, [chosen], e.span)], e.span) as TensorValue;
  return contractOver(frame, located, { value: y, span: arm.value.span }, [chosen], e.span);
}
