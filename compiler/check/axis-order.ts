/**
 * A layer's types bind axes from the last one backwards, so the order of a value's axes is part of what it says. Graph
 * ops align by name and have no transpose: 0 + x, the 0 having the wanted order, is x in that order.
 */
import type { Span } from '../../dsl/span.js';
import { isFloat } from '../ir/dtype.js';
import type { Axis, Value as GraphValue } from '../ir/graph.js';
import { building, type Frame } from './frame.js';

/** `value` with its axes in the order of `axes`, which are the same set. Truth values stay as they are. */
export function inOrder(frame: Frame, value: GraphValue, axes: readonly Axis[], span: Span): GraphValue {
  const { dtype } = value.type;
  if (dtype === 'bool' || axes.every((a, i) => value.type.axes[i].name === a.name)) return value;
  const builder = building(frame, span);
  const zero = frame.graph.scalar(0, isFloat(dtype) ? 'f32' : dtype);
  const ordered = builder.map('add', [...axes].reverse().reduce((x, axis) => builder.broadcast(x, axis), zero), value);
  return ordered.type.dtype === dtype ? ordered : builder.cast(ordered, dtype);
}

/** The axes of `found`, those of `last` behind the others and in their order. */
export function endingIn(found: readonly Axis[], last: readonly string[]): readonly Axis[] {
  const end = last.flatMap((name) => found.filter((a) => a.name === name));
  return [...found.filter((a) => !last.includes(a.name)), ...end];
}
