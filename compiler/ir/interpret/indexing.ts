/** gather and scatter. Ids outside the extent read 0 and write nothing. */
import type { Operation } from '../graph.js';
import { sizeOf, strideOf, stridesOf, visit, type Extent, type Tensor } from './tensor.js';

/** Strides of `x` without `axis`, whose place the ids' axes take (one of them may have its name). */
function otherStrides(x: Tensor, axis: string, axes: readonly Extent[]): number[] {
  return axes.map((a) => (a.name === axis ? 0 : strideOf(x, a.name)));
}

export function gather(op: Extract<Operation, { op: 'gather' }>, x: Tensor, ids: Tensor, out: Tensor): void {
  const [size, step] = [sizeOf(x, op.axis), strideOf(x, op.axis)];
  const strides = [stridesOf(out, out.axes), otherStrides(x, op.axis, out.axes), stridesOf(ids, out.axes)];
  visit(out.axes, strides, ([o, from, at], count, [so, sf, sa]) => {
    for (let i = 0; i < count; i++) {
      const id = ids.data[at + i * sa];
      out.data[o + i * so] = id >= 0 && id < size ? x.data[from + i * sf + id * step] : 0;
    }
  });
}

/** Sums in f64; of several values set at one place the last wins. */
export function scatter(op: Extract<Operation, { op: 'scatter' }>, x: Tensor, ids: Tensor, values: Tensor, out: Tensor): void {
  const [size, step] = [sizeOf(x, op.axis), strideOf(x, op.axis)];
  const total = Float64Array.from(x.data);
  const strides = [otherStrides(x, op.axis, values.axes), stridesOf(values, values.axes), stridesOf(ids, values.axes)];
  visit(values.axes, strides, ([o, from, at], count, [so, sf, sa]) => {
    for (let i = 0; i < count; i++) {
      const id = ids.data[at + i * sa];
      if (id < 0 || id >= size) continue;
      const place = o + i * so + id * step;
      total[place] = values.data[from + i * sf] + (op.mode === 'add' ? total[place] : 0);
    }
  });
  out.data.set(total);
}
