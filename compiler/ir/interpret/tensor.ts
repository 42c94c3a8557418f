/** Values of the Graph interpreter: dense, row-major in the order of their type's axes, with sizes known. */
import { evaluateDim } from '../dim.js';
import type { DType } from '../dtype.js';
import type { Axis, TensorType } from '../graph.js';

export interface Extent { readonly name: string; readonly size: number }
export type Data = Float32Array | Float64Array | Int32Array | Uint32Array | Uint8Array;
export interface Tensor { readonly dtype: DType; readonly axes: readonly Extent[]; readonly data: Data }

export function volume(axes: readonly Extent[]): number {
  let product = 1;
  for (const a of axes) product *= a.size;
  return product;
}

export function extents(axes: readonly Axis[], dims: Readonly<Record<string, number>>): Extent[] {
  return axes.map((a) => ({ name: a.name, size: evaluateDim(a.size, dims) }));
}

/** `exact`: f32 is held in f64. 16-bit floats are held widened, rounded when they are cast. */
export function allocate(dtype: DType, size: number, exact: boolean): Data {
  switch (dtype) {
    case 'f32': return exact ? new Float64Array(size) : new Float32Array(size);
    case 'bf16': case 'f16': return new Float32Array(size);
    case 'i32': return new Int32Array(size);
    case 'u32': return new Uint32Array(size);
    case 'bool': return new Uint8Array(size);
  }
}

export function makeTensor(type: TensorType, dims: Readonly<Record<string, number>>, exact: boolean): Tensor {
  const axes = extents(type.axes, dims);
  return { dtype: type.dtype, axes, data: allocate(type.dtype, volume(axes), exact) };
}

/** Like `of`, new storage. */
export function emptyLike(of: Tensor, axes: readonly Extent[]): Tensor {
  return { dtype: of.dtype, axes, data: new (of.data.constructor as new (size: number) => Data)(volume(axes)) };
}

export function sizeOf(t: Tensor, name: string): number {
  const axis = t.axes.find((a) => a.name === name);
  if (axis === undefined) throw new Error(`interpret: no axis '${name}' in [${t.axes.map((a) => a.name).join(', ')}]`);
  return axis.size;
}

/** Elements between neighbours along `name`; 0 if the tensor lacks the axis, so that it repeats along it. */
export function strideOf(t: Tensor, name: string): number {
  let stride = 1;
  for (let i = t.axes.length - 1; i >= 0; i--) {
    if (t.axes[i].name === name) return stride;
    stride *= t.axes[i].size;
  }
  return 0;
}

export function stridesOf(t: Tensor, axes: readonly Extent[]): number[] {
  return axes.map((a) => strideOf(t, a.name));
}

/** Neighbouring axes that every operand steps through evenly become one. */
function collapse(sizes: number[], strides: number[][]): void {
  for (let i = sizes.length - 2; i >= 0; i--) {
    if (!strides.every((s) => s[i] === s[i + 1] * sizes[i + 1])) continue;
    sizes.splice(i, 2, sizes[i] * sizes[i + 1]);
    for (const s of strides) s.splice(i, 1);
  }
}

/**
 * Visits every index of `axes` in runs along the last one: `run(offsets, count, steps)`, where operand i starts at
 * offsets[i] and moves by steps[i]. `strides[i]` are operand i's, per axis.
 */
export function visit(axes: readonly Extent[], strides: readonly (readonly number[])[], run: (offsets: readonly number[], count: number, steps: readonly number[]) => void): void {
  const sizes = axes.map((a) => a.size);
  if (sizes.some((s) => s === 0)) return;
  const all = strides.map((s) => [...s]);
  collapse(sizes, all);
  const count = sizes.pop() ?? 1;
  const steps = all.map((s) => s.pop() ?? 0);
  const offsets = all.map(() => 0);
  const index = sizes.map(() => 0);
  for (;;) {
    run(offsets, count, steps);
    let d = sizes.length - 1;
    for (; d >= 0; d--) {
      for (let i = 0; i < all.length; i++) offsets[i] += all[i][d];
      if (++index[d] < sizes[d]) break;
      index[d] = 0;
      for (let i = 0; i < all.length; i++) offsets[i] -= all[i][d] * sizes[d];
    }
    if (d < 0) return;
  }
}

/** The offset of every index of `axes`, in order, for one operand. */
export function offsetsOf(axes: readonly Extent[], strides: readonly number[]): Int32Array {
  const out = new Int32Array(volume(axes));
  let n = 0;
  visit(axes, [strides], ([start], count, [step]) => { for (let i = 0; i < count; i++) out[n++] = start + i * step; });
  return out;
}

/** Copies `from` (starting at `fromBase`, with `fromStrides` per axis) to `to` likewise. */
export function copyRegion(axes: readonly Extent[], to: Data, toBase: number, toStrides: readonly number[], from: Data, fromBase: number, fromStrides: readonly number[]): void {
  visit(axes, [toStrides, fromStrides], ([t, f], count, [ts, fs]) => {
    for (let i = 0; i < count; i++) to[toBase + t + i * ts] = from[fromBase + f + i * fs];
  });
}

/** The same values on `axes`, in that order; axes the tensor lacks repeat it. */
export function align(t: Tensor, axes: readonly Extent[]): Tensor {
  if (axes.length === t.axes.length && axes.every((a, i) => a.name === t.axes[i].name)) return t;
  const out = emptyLike(t, axes);
  copyRegion(axes, out.data, 0, stridesOf(out, axes), t.data, 0, stridesOf(t, axes));
  return out;
}
