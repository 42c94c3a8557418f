/** Numbers as the bytes that plans and buffers hold: little-endian, `bool` as u32 0 or 1. */
import { dtypeBytes, type DType } from './dtype.js';

/** Rounds to nearest even, once, from f64. */
export function encodeElements(dtype: DType, values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * dtypeBytes(dtype));
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => {
    switch (dtype) {
      case 'f32': view.setFloat32(4 * i, value, true); break;
      case 'bf16': view.setUint16(2 * i, floatBits(value, 8, 7), true); break;
      case 'f16': view.setUint16(2 * i, floatBits(value, 5, 10), true); break;
      case 'i32': view.setInt32(4 * i, value, true); break;
      case 'u32': view.setUint32(4 * i, value, true); break;
      case 'bool': view.setUint32(4 * i, value ? 1 : 0, true); break;
    }
  });
  return bytes;
}

export function decodeElements(dtype: DType, bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = dtypeBytes(dtype);
  return Array.from({ length: bytes.byteLength / size }, (_, i) => {
    switch (dtype) {
      case 'f32': return view.getFloat32(4 * i, true);
      case 'bf16': return floatOf(view.getUint16(2 * i, true), 8, 7);
      case 'f16': return floatOf(view.getUint16(2 * i, true), 5, 10);
      case 'i32': return view.getInt32(4 * i, true);
      case 'u32': case 'bool': return view.getUint32(4 * i, true);
    }
  });
}

/** IEEE-style bits with `exponent` and `mantissa` bits (16 in all with the sign), nearest even, subnormals kept. */
function floatBits(value: number, exponent: number, mantissa: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const top = (2 ** exponent - 1) * 2 ** mantissa;
  if (Number.isNaN(value)) return top + 2 ** (mantissa - 1);
  const bias = 2 ** (exponent - 1) - 1;
  const size = Math.abs(value);
  if (size === Infinity) return sign + top;
  const power = Math.max(size === 0 ? 1 - bias : Math.floor(Math.log2(size)), 1 - bias);
  // Math.log2 may be off by one next to a power of two; the units below absorb it as long as size / unit is exact.
  const exact = size >= 2 ** (power + 1) ? power + 1 : size < 2 ** power && power > 1 - bias ? power - 1 : power;
  const units = roundEven(size / 2 ** (exact - mantissa));
  const bits = (exact + bias - 1) * 2 ** mantissa + units;
  return sign + Math.min(bits, top);
}

function floatOf(bits: number, exponent: number, mantissa: number): number {
  const bias = 2 ** (exponent - 1) - 1;
  const sign = bits & 0x8000 ? -1 : 1;
  const power = (bits & 0x7fff) >> mantissa;
  const fraction = bits & (2 ** mantissa - 1);
  if (power === 2 ** exponent - 1) return fraction ? NaN : sign * Infinity;
  return power === 0 ? sign * fraction * 2 ** (1 - bias - mantissa) : sign * (2 ** mantissa + fraction) * 2 ** (power - bias - mantissa);
}

function roundEven(x: number): number {
  const down = Math.floor(x);
  const rest = x - down;
  return rest > 0.5 || (rest === 0.5 && down % 2 === 1) ? down + 1 : down;
}

export function encodeBase64(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 0x2000) text += String.fromCharCode(...bytes.subarray(i, i + 0x2000));
  return btoa(text);
}

export function decodeBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}
