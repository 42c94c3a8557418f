/** Packs codes of small floats with their scales into the blocks that kernels read, and back. */
import { floatBits, floatValues, fromE8m0, largestFloat, nearestCode, toE8m0 } from './float-codes.js';
import { checkPacking, codesPerWord, numberArithmetic, orderedExtents, packedBytes, scaledLocation, type ScaledPacking, type SizedAxis } from './packing-address.js';

/** Both row-major in the tensor's `axes`; scales have the packing's last axis divided by `group` (rounded up). */
export interface ScaledValues {
  readonly codes: Uint8Array;
  /** e2m1: powers of two. */
  readonly scales: Float32Array;
}

export function packScaled(packing: ScaledPacking, axes: readonly SizedAxis[], values: ScaledValues): Uint8Array {
  const out = new Uint8Array(packedBytes(packing, axes, 'f32'));
  const u32 = new Uint32Array(out.buffer);
  const f32 = new Float32Array(out.buffer);
  eachElement(packing, axes, ({ word, shift, scale }, plain, group, first) => {
    u32[word] |= values.codes[plain] << shift;
    if (!first) return;
    if (packing.code === 'e4m3') f32[scale] = values.scales[group];
    else out[scale] = toE8m0(values.scales[group]);
  });
  return out;
}

/** The values that the blocks stand for, row-major in `axes`. */
export function unpackScaled(packing: ScaledPacking, axes: readonly SizedAxis[], packed: Uint8Array): Float32Array {
  const bytes = packed.slice();
  const u32 = new Uint32Array(bytes.buffer);
  const f32 = new Float32Array(bytes.buffer);
  const values = floatValues[packing.code];
  const mask = 2 ** floatBits[packing.code] - 1;
  const out = new Float32Array(axes.reduce((n, a) => n * a.size, 1));
  eachElement(packing, axes, ({ word, shift, scale }, plain) => {
    out[plain] = values[(u32[word] >>> shift) & mask] * (packing.code === 'e4m3' ? f32[scale] : fromE8m0(bytes[scale]));
  });
  return out;
}

/** Nearest codes of f32 values, row-major in `axes`; the scale brings a group's largest value to the largest code. */
export function quantizeScaled(packing: ScaledPacking, axes: readonly SizedAxis[], values: ArrayLike<number>): ScaledValues {
  const codes = new Uint8Array(values.length);
  const largest = new Float32Array(groupCount(packing, axes));
  eachElement(packing, axes, (_, plain, group) => { largest[group] = Math.max(largest[group], Math.abs(values[plain])); });
  const top = largestFloat[packing.code];
  const scales = largest.map((most) => (packing.code === 'e4m3' ? most / top : fromE8m0(toE8m0(most / top))));
  eachElement(packing, axes, (_, plain, group) => {
    codes[plain] = scales[group] === 0 ? 0 : nearestCode(packing.code, values[plain] / scales[group]);
  });
  return { codes, scales };
}

function groupCount(packing: ScaledPacking, axes: readonly SizedAxis[]): number {
  const along = packing.order.at(-1);
  return axes.reduce((n, a) => n * (a.name === along ? Math.ceil(a.size / packing.group) : a.size), 1);
}

type Visit = (at: { readonly word: number; readonly shift: number; readonly scale: number }, plain: number, group: number, firstOfGroup: boolean) => void;

/** Every element, with its place among the row-major elements and groups of `axes`. */
function eachElement(packing: ScaledPacking, axes: readonly SizedAxis[], visit: Visit): void {
  checkPacking(packing);
  const extents = orderedExtents(packing, axes);
  const last = extents.length - 1;
  const strideIn = (sizes: readonly number[]): number[] => sizes.map((_, i) => sizes.slice(i + 1).reduce((n, s) => n * s, 1));
  const place = packing.order.map((name) => axes.findIndex((a) => a.name === name));
  const groups = Math.ceil(extents[last] / packing.group);
  const plainStrides = strideIn(axes.map((a) => a.size));
  const groupStrides = strideIn(axes.map((a, i) => (i === place[last] ? groups : a.size)));
  const rows = extents.slice(0, -1).reduce((n, e) => n * e, 1);
  const index = extents.map(() => 0);
  const perWord = codesPerWord(packing);
  const bits = 32 / perWord;
  for (let row = 0; row < rows; row++) {
    let rest = row;
    for (let d = last - 1; d >= 0; d--) {
      index[d] = rest % extents[d];
      rest = Math.floor(rest / extents[d]);
    }
    const plain = place.slice(0, -1).reduce((n, p, d) => n + index[d] * plainStrides[p], 0);
    const group = place.slice(0, -1).reduce((n, p, d) => n + index[d] * groupStrides[p], 0);
    for (let k = 0; k < extents[last]; k += packing.group) {
      index[last] = k;
      const start = scaledLocation(numberArithmetic, packing, extents, index);
      const many = Math.min(packing.group, extents[last] - k);
      for (let i = 0; i < many; i++) {
        const at = { word: start.word + Math.floor(i / perWord) * packing.width, shift: (i % perWord) * bits, scale: start.scale };
        visit(at, plain + (k + i) * plainStrides[place[last]], group + (k / packing.group) * groupStrides[place[last]], i === 0);
      }
    }
  }
}
