/** Elementwise ops and the ones that only move values between axes. */
import { castTo } from '../evaluate-expr.js';
import type { Operation } from '../graph.js';
import { scalarFunction } from '../scalar-functions.js';
import { copyRegion, emptyLike, stridesOf, strideOf, visit, type Tensor } from './tensor.js';

type Op<K extends Operation['op']> = Extract<Operation, { op: K }>;

/** `out` has the result's axes; storing rounds to its dtype. */
export function map(op: Op<'map'>, operands: readonly Tensor[], out: Tensor): void {
  const fn = scalarFunction(op.fn, operands[op.fn === 'select' ? 1 : 0].dtype);
  const strides = [stridesOf(out, out.axes), ...operands.map((o) => stridesOf(o, out.axes))];
  const target = out.data;
  const [a, b, c] = operands.map((o) => o.data);
  if (operands.length === 1) {
    visit(out.axes, strides, ([o, x], count, [so, sx]) => { for (let i = 0; i < count; i++) target[o + i * so] = fn(a[x + i * sx], 0, 0); });
  } else if (operands.length === 2) {
    visit(out.axes, strides, ([o, x, y], count, [so, sx, sy]) => { for (let i = 0; i < count; i++) target[o + i * so] = fn(a[x + i * sx], b[y + i * sy], 0); });
  } else {
    visit(out.axes, strides, ([o, x, y, z], count, [so, sx, sy, sz]) => { for (let i = 0; i < count; i++) target[o + i * so] = a[x + i * sx] !== 0 ? b[y + i * sy] : c[z + i * sz]; });
  }
}

export function cast(x: Tensor, out: Tensor, exact: boolean): void {
  for (let i = 0; i < out.data.length; i++) out.data[i] = castTo(out.dtype, x.dtype, x.data[i], { exact });
}

export function merge(op: Op<'merge'>, x: Tensor, out: Tensor): void {
  // The merged axis, spelled out again as its parts in row-major order, is the order in which `out` is stored.
  const axes = out.axes.flatMap((a) => (a.name === op.into ? op.axes.map((name) => x.axes.find((p) => p.name === name)!) : [a]));
  copyRegion(axes, out.data, 0, stridesOf({ ...out, axes }, axes), x.data, 0, stridesOf(x, axes));
}

export function slice(op: Op<'slice'>, x: Tensor, out: Tensor): void {
  const step = strideOf(x, op.axis);
  const from = out.axes.map((a) => (a.name === op.into ? step * op.step : strideOf(x, a.name)));
  copyRegion(out.axes, out.data, 0, stridesOf(out, out.axes), x.data, op.start * step, from);
}

export function pick(op: Op<'pick'>, x: Tensor, out: Tensor): void {
  copyRegion(out.axes, out.data, 0, stridesOf(out, out.axes), x.data, op.at * strideOf(x, op.axis), stridesOf(x, out.axes));
}

export function concat(op: Op<'concat'>, parts: readonly Tensor[], out: Tensor): void {
  let start = 0;
  const step = strideOf(out, op.into);
  parts.forEach((part, p) => {
    const own = part.axes.find((a) => a.name === op.axes[p])!;
    const axes = out.axes.map((a) => (a.name === op.into ? own : a));
    const to = out.axes.map((a) => strideOf(out, a.name));
    copyRegion(axes, out.data, start * step, to, part.data, 0, stridesOf(part, axes));
    start += own.size;
  });
}

export function stack(op: Op<'stack'>, parts: readonly Tensor[], out: Tensor): void {
  const axes = out.axes.filter((a) => a.name !== op.into);
  parts.forEach((part, p) => copyRegion(axes, out.data, p * strideOf(out, op.into), stridesOf(out, axes), part.data, 0, stridesOf(part, axes)));
}

export function broadcast(x: Tensor, out: Tensor): void {
  copyRegion(out.axes, out.data, 0, stridesOf(out, out.axes), x.data, 0, stridesOf(x, out.axes));
}

/** New names for the same storage: rename, split. */
export function relabel(x: Tensor, axes: Tensor['axes']): Tensor {
  return { dtype: x.dtype, axes, data: x.data };
}

/** The elements `index` of `axis`, which disappears, as a tensor of its own. */
export function row(x: Tensor, axis: string, index: number): Tensor {
  const axes = x.axes.filter((a) => a.name !== axis);
  const out = emptyLike(x, axes);
  copyRegion(axes, out.data, 0, stridesOf(out, axes), x.data, index * strideOf(x, axis), stridesOf(x, axes));
  return out;
}

/** Stores `value` as index `index` of `axis` of `out`. */
export function storeRow(out: Tensor, axis: string, index: number, value: Tensor): void {
  const axes = out.axes.filter((a) => a.name !== axis);
  copyRegion(axes, out.data, index * strideOf(out, axis), stridesOf(out, axes), value.data, 0, stridesOf(value, axes));
}
