/**
 * Packs tensors into the bytes that kernels read, and back. Sources are row-major in the order of `axes` (a checkpoint's
 * order); `packing.order` may differ. Elements are moved, never rounded: round trips are exact.
 */
import { dtypeBytes, type DType } from '../ir/dtype.js';
import type { Packing } from '../ir/packing.js';
import { fromBf16, decodeElements, encodeElements, toBf16 } from './half.js';
import { checkPacking, int4BlockBytes, int4BlockLength, int4Location, isInt4, isScaled, numberArithmetic, orderedExtents, packedBytes, type Int4Packing, type PlainPacking, type SizedAxis } from './packing-address.js';
import { packScaled, quantizeScaled, unpackScaled } from './scaled-packing.js';

type Words = Uint16Array | Uint32Array;

/** Element codes 0 .. 15 and bf16 bit patterns of scales, both row-major in the tensor's `axes`. */
export interface Int4Values {
  readonly codes: Uint8Array;
  /** One per group along the packing's last axis: the axes of the tensor with that one divided by `group` (rounded up). */
  readonly scales: Uint16Array;
}

/** Packs stored elements of `dtype` (little-endian bytes). Padding is zero. */
export function packBytes(packing: PlainPacking, axes: readonly SizedAxis[], dtype: DType, source: Uint8Array): Uint8Array {
  const out = new Uint8Array(packedBytes(packing, axes, dtype));
  const from = words(source.slice(), dtype);
  const to = words(out, dtype);
  eachRun(packing, axes, (packed, plain, count, stride, step) => {
    for (let i = 0; i < count; i++) to[packed + i * step] = from[plain + i * stride];
  });
  return out;
}

/** Inverse of `packBytes`. */
export function unpackBytes(packing: PlainPacking, axes: readonly SizedAxis[], dtype: DType, packed: Uint8Array): Uint8Array {
  const out = new Uint8Array(axes.reduce((n, a) => n * a.size, 1) * dtypeBytes(dtype));
  const from = words(packed.slice(), dtype);
  const to = words(out, dtype);
  eachRun(packing, axes, (at, plain, count, stride, step) => {
    for (let i = 0; i < count; i++) to[plain + i * stride] = from[at + i * step];
  });
  return out;
}

/** Rounds f32 (or integer) values to `dtype` and packs them; for codes with scales quantises them (see `quantizeInt4`, `quantizeScaled`). */
export function pack(packing: Packing, axes: readonly SizedAxis[], dtype: DType, values: ArrayLike<number>): Uint8Array {
  if (isScaled(packing)) return packScaled(packing, axes, quantizeScaled(packing, axes, values));
  if (!isInt4(packing)) return packBytes(packing, axes, dtype, encodeElements(values, dtype));
  return packInt4(packing, axes, quantizeAlong(packing, axes, values));
}

/** The values a packed tensor stands for, row-major in `axes`; 16-bit floats widened, int4 as code times scale in f32. */
export function unpack(packing: Packing, axes: readonly SizedAxis[], dtype: DType, packed: Uint8Array): Float32Array | Int32Array | Uint32Array {
  if (isScaled(packing)) return unpackScaled(packing, axes, packed);
  if (!isInt4(packing)) return decodeElements(unpackBytes(packing, axes, dtype, packed), dtype);
  const { codes, scales } = unpackInt4(packing, axes, packed);
  const out = new Float32Array(codes.length);
  eachInt4Row(packing, axes, (row) => {
    for (let k = 0; k < row.length; k++) {
      const at = row.plain + k * row.stride;
      out[at] = (codes[at] - 8) * fromBf16(scales[row.scalePlain + Math.floor(k / packing.group) * row.scaleStride]);
    }
  });
  return out;
}

/** Groups of neighbours in rows of `length`: scale = bf16(max|w| / 7), code = 8 + round-half-even(w / scale) in 0 .. 15. */
export function quantizeInt4(values: ArrayLike<number>, length: number, group: number): Int4Values {
  const rows = length === 0 ? 0 : values.length / length;
  const groups = Math.ceil(length / group);
  const codes = new Uint8Array(values.length).fill(8);
  const scales = new Uint16Array(rows * groups);
  for (let row = 0; row < rows; row++) {
    for (let g = 0; g < groups; g++) {
      const lo = row * length + g * group;
      const hi = row * length + Math.min(length, (g + 1) * group);
      scales[row * groups + g] = quantizeGroup(values, lo, hi, codes);
    }
  }
  return { codes, scales };
}

/** 1.5 * 2^23: adding it to an f32 below 2^22 and taking it away again rounds to the nearest integer, ties to even. */
const rounder = 12582912;

/** Divides by the rounded scale, so that what is stored is the nearest code of what will be read. */
function quantizeGroup(values: ArrayLike<number>, lo: number, hi: number, codes: Uint8Array): number {
  let largest = 0;
  for (let i = lo; i < hi; i++) {
    const magnitude = Math.abs(values[i]);
    if (magnitude > largest) largest = magnitude;
  }
  const stored = toBf16(Math.fround(largest / 7));
  const scale = fromBf16(stored);
  if (scale === 0) return stored;
  for (let i = lo; i < hi; i++) {
    // Within 7 * (1 + 2^-8) by the choice of the scale, so the code is within 1 .. 15.
    codes[i] = 8 + Math.fround(Math.fround(Math.fround(values[i] / scale) + rounder) - rounder);
  }
  return stored;
}

function quantizeAlong(packing: Int4Packing, axes: readonly SizedAxis[], values: ArrayLike<number>): Int4Values {
  if (axes.at(-1)?.name !== packing.order.at(-1)) throw new Error(`int4: values must have '${packing.order.at(-1)}' as their last axis`);
  return quantizeInt4(values, axes[axes.length - 1].size, packing.group);
}

/** Packs exact codes and scales. */
export function packInt4(packing: Int4Packing, axes: readonly SizedAxis[], values: Int4Values): Uint8Array {
  const out = new Uint8Array(packedBytes(packing, axes, 'f32'));
  const u32 = new Uint32Array(out.buffer);
  const u16 = new Uint16Array(out.buffer);
  fillPadding(packing, u32);
  const { width, group } = packing;
  const blockWords = int4BlockBytes(packing) / 4;
  eachInt4Row(packing, axes, (row) => {
    if (packing.kind === 'int4-mma') {
      for (let k = 0; k < row.length; k++) storeInFragment(packing, row, k, values, u32, u16);
      return;
    }
    for (let first = 0, block = row.block, scale = row.scalePlain; first < row.length; first += group, block++, scale += row.scaleStride) {
      const last = Math.min(row.length, first + group);
      for (let k = first, word = block * blockWords + row.lane; k < last; k += 8, word += width) {
        u32[word] = codeWord(values.codes, row.plain + k * row.stride, row.stride, Math.min(8, last - k));
      }
      u16[block * blockWords * 2 + (width * group) / 4 + row.lane] = values.scales[scale];
    }
  });
  return out;
}

/** Up to 8 codes, the first lowest; missing ones are 8. */
function codeWord(codes: Uint8Array, at: number, stride: number, count: number): number {
  let word = 0;
  for (let i = 0; i < count; i++) word |= codes[at + i * stride] << (4 * i);
  for (let i = count; i < 8; i++) word |= 8 << (4 * i);
  return word;
}

/** Inverse of `packInt4`. */
export function unpackInt4(packing: Int4Packing, axes: readonly SizedAxis[], packed: Uint8Array): Int4Values {
  const bytes = packed.slice();
  const u32 = new Uint32Array(bytes.buffer);
  const u16 = new Uint16Array(bytes.buffer);
  const { width, group } = packing;
  const blockWords = int4BlockBytes(packing) / 4;
  const size = (a: SizedAxis): number => (a.name === packing.order.at(-1) ? Math.ceil(a.size / group) : a.size);
  const codes = new Uint8Array(axes.reduce((n, a) => n * a.size, 1));
  const scales = new Uint16Array(axes.reduce((n, a) => n * size(a), 1));
  eachInt4Row(packing, axes, (row) => {
    for (let k = 0; k < row.length; k++) {
      if (packing.kind === 'int4-mma') {
        const at = placeInFragment(packing, row, k);
        codes[row.plain + k * row.stride] = (u32[at.word] >>> at.shift) & 15;
        if (k % group === 0) scales[row.scalePlain + (k / group) * row.scaleStride] = u16[at.scale];
        continue;
      }
      const block = row.block + Math.floor(k / group);
      const word = u32[block * blockWords + Math.floor((k % group) / 8) * width + row.lane];
      codes[row.plain + k * row.stride] = (word >>> ((k % 8) * 4)) & 15;
      if (k % group === 0) scales[row.scalePlain + (k / group) * row.scaleStride] = u16[block * blockWords * 2 + (width * group) / 4 + row.lane];
    }
  });
  return { codes, scales };
}

function placeInFragment(packing: Int4Packing, row: Int4Row, k: number): { word: number; shift: number; scale: number } {
  const length = int4BlockLength(packing);
  const start = (row.block + Math.floor(k / length)) * int4BlockBytes(packing);
  const one = (lane: number, along: number, other: number): number[] => packing.order.map((name, i) => (name === packing.lanes ? lane : i === packing.order.length - 1 ? along : other));
  const { word, shift, scale } = int4Location(numberArithmetic, packing, one(packing.width, length, 1), one(row.lane, k % length, 0));
  return { word: start / 4 + word, shift, scale: start / 2 + scale };
}

function storeInFragment(packing: Int4Packing, row: Int4Row, k: number, values: Int4Values, u32: Uint32Array, u16: Uint16Array): void {
  const { word, shift, scale } = placeInFragment(packing, row, k);
  u32[word] = (u32[word] & ~(15 << shift)) | (values.codes[row.plain + k * row.stride] << shift);
  if (k % packing.group === 0) u16[scale] = values.scales[row.scalePlain + (k / packing.group) * row.scaleStride];
}

function fillPadding(packing: Int4Packing, u32: Uint32Array): void {
  const blockWords = int4BlockBytes(packing) / 4;
  const codeWords = (packing.width * int4BlockLength(packing)) / 8;
  for (let at = 0; at < u32.length; at += blockWords) u32.fill(0x88888888, at, at + codeWords);
}

function words(bytes: Uint8Array, dtype: DType): Words {
  return dtypeBytes(dtype) === 2 ? new Uint16Array(bytes.buffer, 0, bytes.length >> 1) : new Uint32Array(bytes.buffer, 0, bytes.length >> 2);
}

function strides(sizes: readonly number[]): number[] {
  const out = sizes.map(() => 1);
  for (let i = sizes.length - 2; i >= 0; i--) out[i] = out[i + 1] * sizes[i + 1];
  return out;
}

/** Calls `visit` for every combination of `sizes`, last fastest. */
function eachIndex(sizes: readonly number[], visit: (index: readonly number[]) => void): void {
  const total = sizes.reduce((n, s) => n * s, 1);
  const index = sizes.map(() => 0);
  for (let i = 0; i < total; i++) {
    visit(index);
    for (let d = sizes.length - 1; d >= 0 && ++index[d] === sizes[d]; d--) index[d] = 0;
  }
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((n, x, i) => n + x * b[i], 0);
}

/** Runs along the innermost axis: packed start, plain start, count, plain stride, packed step. */
function eachRun(packing: PlainPacking, axes: readonly SizedAxis[], visit: (packed: number, plain: number, count: number, stride: number, step: number) => void): void {
  const extents = orderedExtents(packing, axes);
  const sourceStrides = strides(axes.map((a) => a.size));
  const plain = packing.order.map((name) => sourceStrides[axes.findIndex((a) => a.name === name)]);
  const last = extents.length - 1;
  if (last < 0) return visit(0, 0, 1, 1, 1);
  const width = packing.kind === 'panel' ? packing.width : 1;
  const lanes = packing.kind === 'panel' ? packing.order.indexOf(packing.lanes) : -1;
  const packedStrides = strides(extents.map((e, i) => (i === lanes ? Math.ceil(e / width) : e))).map((s) => s * width);
  if (extents[last] === 0) return;
  eachIndex(extents.slice(0, -1), (index) => {
    const lane = lanes < 0 ? 0 : index[lanes] % width;
    const packed = dot(index.map((x, i) => (i === lanes ? Math.floor(x / width) : x)), packedStrides) + lane;
    visit(packed, dot(index, plain), extents[last], plain[last], packedStrides[last]);
  });
}

interface Int4Row {
  /** First block of the row, its lane in the blocks. */
  readonly block: number; readonly lane: number;
  readonly length: number;
  readonly plain: number; readonly stride: number;
  readonly scalePlain: number; readonly scaleStride: number;
}

function eachInt4Row(packing: Int4Packing, axes: readonly SizedAxis[], visit: (row: Int4Row) => void): void {
  checkPacking(packing);
  const extents = orderedExtents(packing, axes);
  const place = packing.order.map((name) => axes.findIndex((a) => a.name === name));
  const last = extents.length - 1;
  const groups = Math.ceil(extents[last] / packing.group);
  const lengths = Math.ceil(extents[last] / int4BlockLength(packing));
  const plainStrides = strides(axes.map((a) => a.size));
  const scaleStrides = strides(axes.map((a, i) => (i === place[last] ? groups : a.size)));
  const plain = place.map((p) => plainStrides[p]);
  const scale = place.map((p) => scaleStrides[p]);
  const lanes = packing.order.indexOf(packing.lanes);
  const blocks = strides(extents.map((e, i) => (i === last ? lengths : i === lanes ? Math.ceil(e / packing.width) : e)));
  eachIndex(extents.slice(0, -1), (index) => {
    const row = index[lanes];
    visit({
      block: dot(index.map((x, i) => (i === lanes ? Math.floor(x / packing.width) : x)), blocks), lane: row % packing.width,
      length: extents[last], plain: dot(index, plain), stride: plain[last], scalePlain: dot(index, scale), scaleStride: scale[last],
    });
  });
}
