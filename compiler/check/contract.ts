/** Sums over named axes: `W @ x`, `dot(a, b, over: ..)`, reductions. */
import * as messages from '../../dsl/check-messages.js';
import type { Span } from '../../dsl/span.js';
import { hasAxis } from '../ir/axes.js';
import { isFloat } from '../ir/dtype.js';
import type { Value as GraphValue } from '../ir/graph.js';
import type { AxisValue } from './axis.js';
import { spread, vectorTensor } from './elementwise.js';
import { Abandoned, building, fail, tensor, type Frame } from './frame.js';
import { describe, type TensorValue, type Value } from './value.js';

export interface Located { readonly value: Value; readonly span: Span }

/** A tensor, or a vector that has an axis; everything else is a mistake where `what` wants one. */
export function requireTensor(frame: Frame, o: Located, what: string): TensorValue {
  if (o.value.kind === 'tensor') return o.value;
  if (o.value.kind === 'vector') return vectorTensor(frame, o.value, o.span);
  if (o.value.kind === 'error') throw new Abandoned();
  return fail(messages.notATensor(what, describe(o.value), o.span));
}

export function tensorAxes(frame: Frame, t: TensorValue): readonly AxisValue[] {
  return t.value.type.axes.map((a) => frame.run.axes.get(a.name));
}

/** Axes as they are seen in the body of a `route`: a routed parameter is one slice of itself. */
function visibleAxes(frame: Frame, t: TensorValue): readonly AxisValue[] {
  return tensorAxes(frame, t).filter((a) => a.name !== t.routing?.axis.name);
}

/** `W @ x`: sums over the last axis of W. */
export function contractLast(frame: Frame, left: Located, right: Located, span: Span): TensorValue {
  const w = requireTensor(frame, left, 'the left side of @');
  const x = requireTensor(frame, right, 'the right side of @');
  const last = visibleAxes(frame, w).at(-1);
  if (last === undefined) fail(messages.noAxisToContract(left.span, span));
  if (!hasAxis(x.value.type.axes, last.name)) {
    fail(messages.contractMismatch({ span: left.span, axes: [last] }, { span: right.span, axes: visibleAxes(frame, x) }, fitting(frame, x), span));
  }
  return contract(frame, x, w, [last.name], span);
}

/** Parameters in scope that could stand on the left of `@ x`. */
function fitting(frame: Frame, x: TensorValue): readonly string[] {
  return frame.scope.visible().filter((name) => {
    const v = frame.scope.findAssignable(name);
    if (v?.kind !== 'tensor' || !v.fixed) return false;
    const last = visibleAxes(frame, v).at(-1);
    return last !== undefined && hasAxis(x.value.type.axes, last.name);
  }).slice(0, 3);
}

/** `dot(a, b, over: axes)`. The operand that follows the tokens comes first, so that results start with their axes. */
export function contractOver(frame: Frame, a: Located, b: Located, over: readonly AxisValue[], span: Span): TensorValue {
  const [x, y] = [requireTensor(frame, a, 'dot'), requireTensor(frame, b, 'dot')];
  for (const axis of over) {
    for (const [t, o] of [[x, a], [y, b]] as const) {
      if (!hasAxis(t.value.type.axes, axis.name)) fail(messages.axisNotThere('dot', axis, { span: o.span, axes: visibleAxes(frame, t) }, span));
    }
  }
  const names = over.map((o) => o.name);
  return x.fixed && !y.fixed ? contract(frame, y, x, names, span) : contract(frame, x, y, names, span);
}

function floating(frame: Frame, t: TensorValue, span: Span): GraphValue {
  const value = frame.graph.use(t);
  return isFloat(value.type.dtype) ? value : building(frame, span).cast(value, 'f32');
}

function contract(frame: Frame, first: TensorValue, second: TensorValue, over: readonly string[], span: Span): TensorValue {
  const [a, b] = first.routing !== undefined && second.routing === undefined ? [second, first] : [spread(frame, first, span), second];
  const builder = building(frame, span);
  const [x, w] = [floating(frame, a, span), floating(frame, b, span)];
  const value = b.routing === undefined ? builder.contract(x, w, over)
    : builder.contractSelected(x, w, over, b.routing.axis.name, frame.graph.use(b.routing.ids));
  return tensor(frame, value, span, b.routing === undefined ? [a, b] : []);
}

export function reduce(frame: Frame, fn: 'add' | 'maximum' | 'minimum', o: Located, over: readonly AxisValue[], span: Span): TensorValue {
  const x = spread(frame, requireTensor(frame, o, 'a reduction'), o.span);
  for (const axis of over) {
    if (!hasAxis(x.value.type.axes, axis.name)) fail(messages.axisNotThere('the reduction', axis, { span: o.span, axes: visibleAxes(frame, x) }, span));
  }
  return tensor(frame, building(frame, span).reduce(frame.graph.use(x), fn, over.map((a) => a.name)), span, [x]);
}
