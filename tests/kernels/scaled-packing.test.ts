import fc from '../support/properties.js';
import { describe, expect, it } from 'vitest';
import type { Packing } from '../../compiler/ir/packing.js';
import { floatValues, fromE8m0, nearestCode, toE8m0 } from '../../compiler/kernels/float-codes.js';
import { packedBytes, type ScaledPacking } from '../../compiler/kernels/packing-address.js';
import { pack, unpack } from '../../compiler/kernels/packing.js';
import { packScaled, unpackScaled } from '../../compiler/kernels/scaled-packing.js';

describe('codes of small floats', () => {
  it('e2m1 has the sixteen values of the format', () => {
    expect([...floatValues.e2m1]).toEqual([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0, -0.5, -1, -1.5, -2, -3, -4, -6]);
  });
  it('e4m3: least, least normal, one, largest, not a number', () => {
    expect([0x01, 0x08, 0x38, 0x7e, 0x7f, 0x81, 0xfe].map((c) => floatValues.e4m3[c])).toEqual([2 ** -9, 2 ** -6, 1, 448, NaN, -(2 ** -9), -448]);
  });
  it('every value is its own nearest, and halfway goes to the even code', () => {
    for (const format of ['e4m3', 'e2m1'] as const) {
      const values = floatValues[format];
      for (let code = 0; code < values.length; code++) if (!Number.isNaN(values[code])) expect(nearestCode(format, values[code])).toBe(code);
      for (let code = 0; code + 1 < values.length / 2 - Number(format === 'e4m3'); code++) {
        expect(nearestCode(format, (values[code] + values[code + 1]) / 2)).toBe(code % 2 === 0 ? code : code + 1);
        expect(nearestCode(format, values[code] + 0.75 * (values[code + 1] - values[code]))).toBe(code + 1);
      }
      expect(values[nearestCode(format, 1e9)]).toBe(format === 'e4m3' ? 448 : 6);
    }
  });
  it('e8m0 is a power of two, never too small', () => {
    expect([fromE8m0(127), fromE8m0(130), fromE8m0(0)]).toEqual([1, 8, 2 ** -127]);
    for (const value of [1, 1.5, 0.3, 7, 2 ** -20]) expect(fromE8m0(toE8m0(value))).toBeGreaterThanOrEqual(value);
  });
});

const size = fc.constantFrom(1, 2, 3, 5, 7, 8, 9, 16, 17, 31, 33, 47, 64);
const packing = fc.constantFrom<ScaledPacking>(
  { kind: 'scaled', code: 'e4m3', order: ['e', 'n', 'k'], lanes: 'n', width: 8, group: 16 },
  { kind: 'scaled', code: 'e4m3', order: ['e', 'n', 'k'], lanes: 'e', width: 8, group: 4 },
  { kind: 'scaled', code: 'e2m1', order: ['e', 'n', 'k'], lanes: 'n', width: 8, group: 32 },
  { kind: 'scaled', code: 'e2m1', order: ['n', 'e', 'k'], lanes: 'e', width: 4, group: 8 },
);

describe('packing of codes with scales', () => {
  it('keeps every code and scale, whatever the sizes', () => {
    fc.assert(fc.property(packing, fc.constantFrom(1, 2, 3), size, size, fc.nat(1000), (p, e, n, k, seed) => {
      const axes = [{ name: 'e', size: e }, { name: 'n', size: n }, { name: 'k', size: k }];
      const groups = Math.ceil(k / p.group);
      const random = (i: number): number => Math.imul(i + seed, 2654435761) >>> 8;
      const codes = Uint8Array.from({ length: e * n * k }, (_, i) => random(i) % (p.code === 'e4m3' ? 127 : 16));
      const scales = Float32Array.from({ length: e * n * groups }, (_, i) => 2 ** ((random(i) % 9) - 4));
      const packed = packScaled(p, axes, { codes, scales });
      expect(packed.length).toBe(packedBytes(p as Packing, axes, 'f32'));
      const values = unpackScaled(p, axes, packed);
      values.forEach((v, i) => {
        const row = Math.floor(i / k);
        expect(v).toBe(floatValues[p.code][codes[i]] * scales[row * groups + Math.floor((i % k) / p.group)]);
      });
      // What the codes can represent is quantised to itself.
      expect(unpack(p, axes, 'f32', pack(p, axes, 'f32', Float32Array.from(values, Math.abs))).length).toBe(values.length);
    }), { numRuns: 200 });
  });
  it('quantises to within half a step of the largest value of a group', () => {
    const p: ScaledPacking = { kind: 'scaled', code: 'e4m3', order: ['n', 'k'], lanes: 'n', width: 8, group: 32 };
    const axes = [{ name: 'n', size: 3 }, { name: 'k', size: 40 }];
    const values = Float32Array.from({ length: 120 }, (_, i) => Math.sin(i * 7) * (i % 5));
    const back = unpack(p, axes, 'f32', pack(p, axes, 'f32', values)) as Float32Array;
    values.forEach((v, i) => expect(Math.abs(back[i] - v)).toBeLessThanOrEqual(4 / 448 * 16 + 1e-6));
  });
});
