/**
 * A sample: a tile program with dims, the bytes of its views, and what the written views must hold afterwards,
 * computed by plain TypeScript in f64. Fixtures for the interpreter and for every backend.
 */
import { uniform } from '../../support/random.js';
import type { DType } from '../../../compiler/ir/dtype.js';
import type { Program, View } from '../../../compiler/ir/kernel.js';
import type { Packing } from '../../../compiler/ir/packing.js';
import { decodeElements, encodeElements, roundTo } from '../../../compiler/kernels/half.js';
import { pack, unpack } from '../../../compiler/kernels/packing.js';
import { evaluateScalar } from '../../../compiler/kernels/scalar.js';

export interface Sample {
  readonly name: string;
  readonly program: Program;
  readonly dims: Readonly<Record<string, number>>;
  /** Bytes of each view at launch, written ones included (what no program stores must stay as it was). */
  readonly buffers: Readonly<Record<string, Uint8Array>>;
  /** Expected elements of the written views, row-major in storage order. */
  readonly expected: Readonly<Record<string, ArrayLike<number>>>;
  /** Largest |difference| allowed, as a share of the largest |expected|. 0 for integers: exact. */
  readonly tolerance: number;
}

/** Deterministic numbers. */
export class Random {
  /** In [0, 1). */
  readonly next: () => number;
  constructor(seed: number) { this.next = uniform(seed * 0x9e3779b9); }

  below(n: number): number { return Math.floor(this.next() * n); }

  /** Values in [-1, 1) as `dtype` stores them. */
  values(count: number, dtype: DType = 'f32'): Float32Array {
    return Float32Array.from({ length: count }, () => roundTo(dtype, this.next() * 2 - 1));
  }

  ints(count: number, below: number): Int32Array {
    return Int32Array.from({ length: count }, () => this.below(below));
  }

  /** 0 .. n - 1 shuffled. */
  permutation(n: number): Int32Array {
    const out = Int32Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [out[i], out[j]] = [out[j], out[i]];
    }
    return out;
  }
}

/** A weight as kernels read it, and the numbers it then stands for, row-major in `axes` order. */
export interface StoredWeight { readonly bytes: Uint8Array; readonly values: Float32Array }

export function storeWeight(random: Random, packing: Packing, axes: Readonly<Record<string, number>>, dtype: DType): StoredWeight {
  const list = Object.entries(axes).map(([name, size]) => ({ name, size }));
  const bytes = pack(packing, list, dtype, random.values(list.reduce((n, a) => n * a.size, 1)));
  return { bytes, values: unpack(packing, list, dtype, bytes) as Float32Array };
}

export const f32Bytes = (values: ArrayLike<number>): Uint8Array => encodeElements(values, 'f32');
export const bf16Bytes = (values: ArrayLike<number>): Uint8Array => encodeElements(values, 'bf16');
export const i32Bytes = (values: ArrayLike<number>): Uint8Array => encodeElements(values, 'i32');

/** What a written view holds before the launch: a value no sample computes. */
export const untouched = -7;
export function blank(count: number, dtype: DType): Uint8Array {
  return encodeElements(new Float32Array(count).fill(untouched), dtype);
}

/** Number of elements of a dense view without strides under the sample's dims. */
export function elementCount(view: View, dims: Readonly<Record<string, number>>): number {
  return view.axes.reduce((n, a) => n * evaluateScalar(a.extent, { dims }), 1);
}

export interface Difference { readonly view: string; readonly error: number; readonly at: number; readonly got: number; readonly want: number }

/**
 * Compares what a device left in the written views with what the sample expects.
 * @returns the worst difference per written view, as a share of the largest |expected| (NaN counts as infinite).
 */
export function differences(sample: Sample, after: Readonly<Record<string, Uint8Array>>): Difference[] {
  return Object.entries(sample.expected).map(([name, want]): Difference => {
    const view = sample.program.views.find((v) => v.name === name)!;
    const got = decodeElements(after[name], view.dtype);
    let scale = 1e-30;
    for (let i = 0; i < want.length; i++) scale = Math.max(scale, Math.abs(want[i]));
    let worst: Difference = { view: name, error: 0, at: -1, got: 0, want: 0 };
    for (let i = 0; i < want.length; i++) {
      const d = Math.abs(got[i] - want[i]) / scale;
      const error = Number.isNaN(d) ? Infinity : d;
      if (error > worst.error) worst = { view: name, error, at: i, got: got[i], want: want[i] };
    }
    return worst;
  });
}

/** Throws with the worst element if a written view is off by more than the sample's tolerance. */
export function expectResult(sample: Sample, after: Readonly<Record<string, Uint8Array>>): void {
  for (const d of differences(sample, after)) {
    if (d.error > sample.tolerance) throw new Error(`${sample.name}: view '${d.view}' element ${d.at} is ${d.got}, expected ${d.want} (${d.error} of the largest, ${sample.tolerance} allowed)`);
  }
}
