/**
 * Small floats as codes (OCP 8-bit formats and microscaling formats, 2023). All values are exact in f32.
 *   e4m3  sign, 4 exponent bits (bias 7), 3 of mantissa; no infinity, 0x7f and 0xff are NaN; largest 448
 *   e2m1  sign, 2 exponent bits (bias 1), 1 of mantissa: 0 0.5 1 1.5 2 3 4 6
 *   e8m0  an exponent alone: 2 ** (code - 127); 0xff is NaN
 */
export type FloatCode = 'e4m3' | 'e2m1';

function decode(code: number, exponentBits: number, mantissaBits: number, bias: number): number {
  const magnitude = code & ((1 << (exponentBits + mantissaBits)) - 1);
  const exponent = magnitude >> mantissaBits;
  const mantissa = magnitude & ((1 << mantissaBits) - 1);
  const scale = 2 ** -mantissaBits;
  const value = exponent === 0 ? mantissa * scale * 2 ** (1 - bias) : (1 + mantissa * scale) * 2 ** (exponent - bias);
  return code >> (exponentBits + mantissaBits) ? -value : value;
}

/** Value by code. */
export const floatValues: Readonly<Record<FloatCode, Float32Array>> = {
  e4m3: Float32Array.from({ length: 256 }, (_, code) => ((code & 0x7f) === 0x7f ? NaN : decode(code, 4, 3, 7))),
  e2m1: Float32Array.from({ length: 16 }, (_, code) => decode(code, 2, 1, 1)),
};
export const floatBits: Readonly<Record<FloatCode, number>> = { e4m3: 8, e2m1: 4 };
export const largestFloat: Readonly<Record<FloatCode, number>> = { e4m3: 448, e2m1: 6 };

export function fromE8m0(code: number): number {
  return code === 0xff ? NaN : 2 ** (code - 127);
}

/** The smallest power of two that is not below `value`, as a code; 0 for 0. */
export function toE8m0(value: number): number {
  return value === 0 ? 0 : Math.min(254, Math.max(0, Math.ceil(Math.log2(value)) + 127));
}

/** The nearest code, ties to the even one; beyond the largest value, the largest. */
export function nearestCode(format: FloatCode, value: number): number {
  const values = floatValues[format];
  const half = values.length / 2;
  const top = format === 'e4m3' ? half - 2 : half - 1;
  const magnitude = Math.abs(value);
  let low = 0;
  let high = top;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (values[middle] <= magnitude) low = middle;
    else high = middle - 1;
  }
  const rest = low < top ? magnitude - values[low] : 0;
  const gap = low < top ? values[low + 1] - values[low] : 1;
  const up = rest * 2 > gap || (rest * 2 === gap && low % 2 === 1);
  return low + Number(up) + (value < 0 || Object.is(value, -0) ? half : 0);
}
