/** Extents and axes: what a `dim`, a type or an argument says about them. */
import type { Expr } from '../../dsl/ast.js';
import * as messages from '../../dsl/check-messages.js';
import type { Span } from '../../dsl/span.js';
import type { AxisValue } from './axis.js';
import { evaluate } from './evaluate.js';
import { Abandoned, fail, place, type Frame } from './frame.js';
import { isInteger, type NumberValue, type Origin } from './number.js';
import { describe, type Value } from './value.js';

/** Ids and places along an axis are i32. */
export const largestExtent = 2 ** 31 - 1;

/** A positive whole number of 31 bits, or the mistake that it is not. */
export function requireExtent(v: NumberValue, what: string, span: Span): number {
  if (v.value > largestExtent) fail(messages.extentTooLarge(what, v, span));
  if (!isInteger(v)) fail(messages.notWhole(what, v, span));
  if (v.value < 1) fail(messages.notPositive(what, v, span));
  return v.value;
}

export function originOf(name: string, value: NumberValue, span: Span): Origin {
  return { name, value: value.value, span, from: value.from ?? [] };
}

/** A number that is known by a name from now on. */
export function named(name: string, value: Value, span: Span): Value {
  return value.kind === 'number' ? { ...value, from: [originOf(name, value, span)] } : value;
}

/** The axis that `value` is, or a fresh one of that extent, spelled `name`. */
export function toAxis(frame: Frame, name: string, value: Value, span: Span): AxisValue {
  if (value.kind === 'axis') return value;
  if (value.kind === 'error') throw new Abandoned();
  if (value.kind !== 'number') fail(messages.notADim(name, describe(value), span));
  const size = requireExtent(value, name, span);
  return frame.run.axes.fresh(place(frame, span), name, size, originOf(name, value, span));
}

/** The axis that an expression of a type names: an axis, a sum of axes, or a number (an axis of its own). */
export function resolveAxis(frame: Frame, e: Expr): AxisValue {
  if (e.kind === 'binary' && e.operator === '+') return frame.run.axes.sum([resolveAxis(frame, e.left), resolveAxis(frame, e.right)]);
  if (e.kind === 'name') {
    // `tokens` is an input and the axis it lies on.
    const value = frame.scope.find(e.name);
    if (value?.kind === 'tensor' && value === frame.run.inputs.get(e.name)) return frame.run.axes.get(value.value.type.axes[0].name);
    if (value?.kind === 'axis') return value;
  }
  const value = evaluate(frame, e);
  return toAxis(frame, e.kind === 'name' ? e.name : 'axis', value, e.span);
}

/** `over: d` or `over: (heads, value)`. */
export function resolveAxes(frame: Frame, e: Expr): readonly AxisValue[] {
  return e.kind === 'tuple' ? e.items.map((i) => resolveAxis(frame, i)) : [resolveAxis(frame, e)];
}
