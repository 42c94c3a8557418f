/** Parameter types bind a layer's dims: `x: [.., d]` calls the last axis of its argument `d`. */
import type { Expr, Parameter, TensorTypeExpr } from '../../dsl/ast.js';
import * as messages from '../../dsl/check-messages.js';
import type { AxisValue } from './axis.js';
import { tensorAxes } from './contract.js';
import { resolveAxis } from './dims.js';
import { fail, type Frame } from './frame.js';
import type { TensorValue } from './value.js';

/** Names of a sum of axes, in order; undefined for any other expression. */
function summands(e: Expr): readonly string[] | undefined {
  if (e.kind === 'name') return [e.name];
  if (e.kind !== 'binary' || e.operator !== '+') return undefined;
  const [left, right] = [summands(e.left), summands(e.right)];
  return left === undefined || right === undefined ? undefined : [...left, ...right];
}

function isBound(frame: Frame, e: Expr): boolean {
  const names = summands(e);
  return names === undefined || names.every((n) => frame.scope.has(n) || frame.run.inputs.has(n));
}

/**
 * Axes that are known are found by identity; the others are bound from the last axis backwards. Returns what `..`
 * stands for.
 */
export function bindAxes(frame: Frame, param: Parameter, type: TensorTypeExpr, t: TensorValue): readonly AxisValue[] {
  const side = { span: t.span, axes: tensorAxes(frame, t) };
  let open = [...side.axes];
  for (const e of type.axes.filter((a) => isBound(frame, a))) {
    const wanted = resolveAxis(frame, e);
    if (!open.some((a) => a.name === wanted.name)) fail(messages.parameterMismatch(param.name.name, { span: e.span, axes: [wanted] }, side));
    open = open.filter((a) => a.name !== wanted.name);
  }
  for (const e of type.axes.filter((a) => !isBound(frame, a)).reverse()) {
    const axis = open.pop();
    if (axis === undefined) fail(messages.tooFewAxes(param.name.name, type.axes.length, side, type.span));
    bind(frame, e, axis, side);
  }
  const ambient = new Set(frame.routing?.ids.value.type.axes.map((a) => a.name));
  if (!type.rest && open.some((a) => !ambient.has(a.name))) fail(messages.tooManyAxes(param.name.name, { span: t.span, axes: open }, type.span));
  return open;
}

function bind(frame: Frame, e: Expr, axis: AxisValue, side: messages.AxisSide): void {
  const names = summands(e)!;
  if (names.length === 1) { frame.scope.set(names[0], axis); return; }
  if (axis.parts?.length !== names.length) fail(messages.nothingToSplit(names.length, side, false, e.span));
  names.forEach((name, i) => frame.scope.set(name, axis.parts![i]));
}
