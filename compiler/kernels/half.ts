/**
 * The 16-bit floats as bit patterns, and stored elements as bytes. Narrowing rounds to nearest, ties to even; NaN stays
 * NaN (quiet), overflow becomes infinity. All stored values are little-endian.
 */
import { dtypeBytes, type DType } from '../ir/dtype.js';

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

export function toBf16(value: number): number {
  float[0] = value;
  const b = bits[0];
  if ((b & 0x7fffffff) > 0x7f800000) return (b >>> 16) | 0x40;
  return ((b + 0x7fff + ((b >>> 16) & 1)) >>> 16) & 0xffff;
}

export function fromBf16(half: number): number {
  bits[0] = half << 16;
  return float[0];
}

export function toF16(value: number): number {
  float[0] = value;
  const sign = (bits[0] >>> 16) & 0x8000;
  const magnitude = bits[0] & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00 | ((magnitude >>> 13) & 0x3ff);
  if (magnitude >= 0x47800000) return sign | 0x7c00;
  // Below 2^-14 results are subnormal: multiples of 2^-24, which f64 scales exactly.
  if (magnitude < 0x38800000) return sign | roundHalfEven(Math.abs(float[0]) * 2 ** 24);
  return sign | (((magnitude + 0xfff + ((magnitude >>> 13) & 1)) >>> 13) - (112 << 10));
}

export function fromF16(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >>> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The integer nearest to `value`, the even one of two equally near. */
export function roundHalfEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 !== 0) ? below + 1 : below;
}

/** `value` as an element of `dtype` would be read back. */
export function roundTo(dtype: DType, value: number): number {
  switch (dtype) {
    case 'f32': return Math.fround(value);
    case 'bf16': return fromBf16(toBf16(value));
    case 'f16': return fromF16(toF16(value));
    case 'i32': return value | 0;
    case 'u32': return value >>> 0;
    case 'bool': return value ? 1 : 0;
  }
}

export type Elements = Float32Array | Int32Array | Uint32Array;

/** Stored bytes -> values; 16-bit floats widen to f32, bool is 0 or 1. */
export function decodeElements(bytes: Uint8Array, dtype: DType): Elements {
  const raw = aligned(bytes);
  switch (dtype) {
    case 'f32': return new Float32Array(raw);
    case 'i32': return new Int32Array(raw);
    case 'u32': case 'bool': return new Uint32Array(raw);
    case 'bf16': case 'f16': {
      const from = dtype === 'bf16' ? fromBf16 : fromF16;
      return Float32Array.from(new Uint16Array(raw), from);
    }
  }
}

/** Values -> stored bytes, rounded to `dtype`. */
export function encodeElements(values: ArrayLike<number>, dtype: DType): Uint8Array {
  const out = new Uint8Array(values.length * dtypeBytes(dtype));
  switch (dtype) {
    case 'f32': new Float32Array(out.buffer).set(values); break;
    case 'i32': new Int32Array(out.buffer).set(values); break;
    case 'u32': new Uint32Array(out.buffer).set(values); break;
    case 'bool': new Uint32Array(out.buffer).set(Array.from(values, (v) => (v ? 1 : 0))); break;
    case 'bf16': case 'f16': {
      const to = dtype === 'bf16' ? toBf16 : toF16;
      const halves = new Uint16Array(out.buffer);
      for (let i = 0; i < halves.length; i++) halves[i] = to(values[i]);
    }
  }
  return out;
}

/** A copy that starts at a buffer's beginning, so that any typed array may look at it. */
function aligned(bytes: Uint8Array): ArrayBuffer {
  return bytes.slice().buffer as ArrayBuffer;
}
