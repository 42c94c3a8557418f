/**
 * `route(x, ids, w) over experts as e { experts[e] = expert(x) }`: the body is read once; parameters declared in it get
 * the axis in front, and its uses of them are chosen by the ids. The result is the sum of w * body over the choices.
 */
import type { RouteExpr } from '../../dsl/ast.js';
import * as messages from '../../dsl/check-messages.js';
import { hasAxis, sameAxes } from '../ir/axes.js';
import { contractOver, reduce, requireTensor, tensorAxes } from './contract.js';
import { resolveAxis } from './dims.js';
import { elementwise, spread } from './elementwise.js';
import { evaluate } from './evaluate.js';
import { fail, type Frame } from './frame.js';
import type { TensorValue } from './value.js';

export function evaluateRoute(frame: Frame, e: RouteExpr): TensorValue {
  if (frame.routing !== undefined) fail(messages.nestedRoute(e.span));
  const operand = (part: RouteExpr['ids'], what: string): TensorValue => requireTensor(frame, { value: evaluate(frame, part), span: part.span }, what);
  const [x, ids, w] = [operand(e.input, 'the input of route'), operand(e.ids, 'the ids of route'), operand(e.weights, 'the weights of route')];
  const axis = resolveAxis(frame, { kind: 'name', name: e.axis.name, span: e.axis.span });
  if (ids.value.type.dtype !== 'i32') fail(messages.idsNotIntegers(ids.value.type.dtype, e.ids.span));
  const side = (t: TensorValue, part: RouteExpr['ids']): messages.AxisSide => ({ span: part.span, axes: tensorAxes(frame, t) });
  if (!sameAxes(ids.value.type.axes, w.value.type.axes)) fail(messages.routeWeights(side(ids, e.ids), side(w, e.weights), e.span));
  const chosen = tensorAxes(frame, ids).filter((a) => !hasAxis(x.value.type.axes, a.name));
  if (chosen.length !== 1) fail(messages.routeChoices(side(ids, e.ids), side(x, e.input), e.span));
  const inside: Frame = { ...frame, routing: { axis, ids, index: e.index.name } };
  const y = spread(inside, requireTensor(inside, { value: evaluate(inside, e.body), span: e.body.span }, 'the body of route'), e.body.span);
  const weights = { value: w, span: e.weights.span };
  // A body without parameters is the same for every choice.
  if (!hasAxis(y.value.type.axes, chosen[0].name)) return elementwise(frame, 'multiply', [y, reduce(frame, 'add', weights, chosen, e.span)], e.span) as TensorValue;
  return contractOver(frame, weights, { value: y, span: e.body.span }, chosen, e.span);
}
