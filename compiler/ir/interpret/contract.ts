/** Contractions. Products are summed in f64 and rounded once, which no summation order of a target can be further from. */
import type { Operation } from '../graph.js';
import { offsetsOf, strideOf, stridesOf, visit, type Data, type Extent, type Tensor } from './tensor.js';

/** One inner sum: operand offsets in pairs (outer part), then a strided run. */
interface Inner { readonly a: Int32Array; readonly b: Int32Array; readonly count: number; readonly stepA: number; readonly stepB: number }

function innerSum(axes: readonly Extent[], a: readonly number[], b: readonly number[]): Inner {
  const starts: { a: number[]; b: number[] } = { a: [], b: [] };
  let [count, stepA, stepB] = [0, 0, 0];
  visit(axes, [a, b], ([x, y], n, steps) => { starts.a.push(x); starts.b.push(y); count = n; [stepA, stepB] = steps; });
  return { a: Int32Array.from(starts.a), b: Int32Array.from(starts.b), count, stepA, stepB };
}

function sum(inner: Inner, a: Tensor['data'], aBase: number, b: Tensor['data'], bBase: number): number {
  const { count, stepA, stepB } = inner;
  let total = 0;
  for (let p = 0; p < inner.a.length; p++) {
    let x = aBase + inner.a[p];
    let y = bBase + inner.b[p];
    for (let i = 0; i < count; i++) { total += a[x] * b[y]; x += stepA; y += stepB; }
  }
  return total;
}

function overExtents(op: { readonly over: readonly string[] }, operands: readonly Tensor[]): Extent[] {
  return op.over.map((name) => operands.flatMap((t) => t.axes).find((a) => a.name === name)!);
}

export function contract(op: Extract<Operation, { op: 'contract' }>, operands: readonly Tensor[], out: Tensor): void {
  const [a, b, ids] = operands;
  const over = overExtents(op, operands);
  if (op.select !== undefined) { contractSelected(op.select.axis, a, b, ids, over, out); return; }
  const inner = innerSum(over, stridesOf(a, over), stridesOf(b, over));
  const isProduct = inner.a.length === 1 && inner.count === 1;
  visit(out.axes, [stridesOf(out, out.axes), stridesOf(a, out.axes), stridesOf(b, out.axes)], ([o, x, y], count, [so, sx, sy]) => {
    if (isProduct) products(out.data, o, so, a.data, x, sx, b.data, y, sy, count);
    else for (let i = 0; i < count; i++) out.data[o + i * so] = sum(inner, a.data, x + i * sx, b.data, y + i * sy);
  });
}

/** Nothing to sum: an outer product, `count` elements of it. */
function products(out: Data, o: number, so: number, a: Data, x: number, sx: number, b: Data, y: number, sy: number, count: number): void {
  for (let i = 0; i < count; i++) { out[o] = a[x] * b[y]; o += so; x += sx; y += sy; }
}

/** Ids outside the extent contribute 0. The axes of ids that are summed over are the outer part of the sum. */
function contractSelected(axis: string, a: Tensor, b: Tensor, ids: Tensor, over: readonly Extent[], out: Tensor): void {
  const chosen = b.axes.find((x) => x.name === axis)!;
  const step = strideOf(b, axis);
  // The ids' axes replace the selected one, so an axis of ids with its name is not b's.
  const fromB = (axes: readonly Extent[]): number[] => axes.map((x) => (x.name === axis ? 0 : strideOf(b, x.name)));
  const inIds = over.filter((x) => ids.axes.some((y) => y.name === x.name));
  const rest = over.filter((x) => !inIds.includes(x));
  const inner = innerSum(rest, stridesOf(a, rest), fromB(rest));
  const outer = [a, b, ids].map((t) => offsetsOf(inIds, t === b ? fromB(inIds) : stridesOf(t, inIds)));
  const strides = [stridesOf(out, out.axes), stridesOf(a, out.axes), fromB(out.axes), stridesOf(ids, out.axes)];
  visit(out.axes, strides, ([o, x, y, s], count, [so, sx, sy, ss]) => {
    for (let i = 0; i < count; i++) {
      let total = 0;
      for (let p = 0; p < outer[0].length; p++) {
        const id = ids.data[s + i * ss + outer[2][p]];
        if (id < 0 || id >= chosen.size) continue;
        total += sum(inner, a.data, x + i * sx + outer[0][p], b.data, y + i * sy + outer[1][p] + id * step);
      }
      out.data[o + i * so] = total;
    }
  });
}
