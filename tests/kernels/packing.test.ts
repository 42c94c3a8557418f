import fc from '../support/properties.js';
import { describe, expect, it } from 'vitest';
import type { DType } from '../../compiler/ir/dtype.js';
import { evaluateScalar } from '../../compiler/kernels/scalar.js';
import { dim, int } from '../../compiler/ir/kernel.js';
import type { Packing } from '../../compiler/ir/packing.js';
import { fromBf16, fromF16, roundHalfEven, toBf16, toF16 } from '../../compiler/kernels/half.js';
import { elementOffset, int4BlockBytes, int4Location, numberArithmetic, packedBytes, scalarArithmetic, type Int4Packing } from '../../compiler/kernels/packing-address.js';
import { pack, packBytes, packInt4, quantizeInt4, unpack, unpackBytes, unpackInt4 } from '../../compiler/kernels/packing.js';
import { Random } from './samples.js';

const float = new Float32Array(1);
const word = new Uint32Array(float.buffer);
const f32 = (bits: number): number => { word[0] = bits; return float[0]; };

describe('16-bit floats', () => {
  it('every bit pattern widens and narrows to itself, NaN to NaN', () => {
    for (let h = 0; h < 65536; h++) {
      for (const [to, from, exponent, fraction] of [[toBf16, fromBf16, 0x7f80, 0x7f], [toF16, fromF16, 0x7c00, 0x3ff]] as const) {
        const wide = from(h);
        const isNaN_ = (h & exponent) === exponent && (h & fraction) !== 0;
        const survives = isNaN_ ? Number.isNaN(wide) && Number.isNaN(from(to(wide))) : to(wide) === h;
        if (!survives) throw new Error(`${h} -> ${wide} -> ${to(wide)}`);
      }
    }
  });

  it('bf16 widening is the upper half of the f32 pattern', () => {
    for (let h = 0; h < 65536; h += 7) expect(fromBf16(h)).toEqual(f32((h << 16) >>> 0));
  });

  it('narrowing picks the nearest neighbour, the even one in the middle', () => {
    for (const [to, from, largest] of [[toBf16, fromBf16, 0x7f7f], [toF16, fromF16, 0x7bff]] as const) {
      for (let h = 0; h < largest; h++) {
        const [a, b] = [from(h), from(h + 1)];
        const middle = a / 2 + b / 2;
        const even = h % 2 === 0 ? h : h + 1;
        const nudge = (b - a) / 4;
        if (to(a + nudge) !== h || to(b - nudge) !== h + 1 || to(middle) !== even || to(-middle) !== (even | 0x8000)) throw new Error(`between ${h} and ${h + 1}`);
      }
    }
  });

  it('overflow becomes infinity at the halfway point', () => {
    expect([toF16(65519.99), toF16(65520), toF16(1e30), toF16(-Infinity)]).toEqual([0x7bff, 0x7c00, 0x7c00, 0xfc00]);
    expect([toBf16(f32(0x7f7f7fff)), toBf16(f32(0x7f7f8000)), toBf16(Infinity)]).toEqual([0x7f7f, 0x7f80, 0x7f80]);
    expect([toF16(2 ** -25), toF16(2 ** -25 * 1.001), toF16(1e-30), toBf16(-0), toF16(-0)]).toEqual([0, 1, 0, 0x8000, 0x8000]);
  });
});

const sizes = fc.constantFrom(1, 2, 3, 5, 7, 8, 9, 13, 16, 17, 31, 32, 33, 47, 64, 65);
const small = fc.constantFrom(1, 2, 3, 5);

describe('packing', () => {
  it('moves stored elements exactly, in any order of axes', () => {
    const packings = fc.constantFrom<Packing>(
      { kind: 'dense', order: ['e', 'n', 'k'] }, { kind: 'dense', order: ['k', 'e', 'n'] },
      { kind: 'panel', order: ['e', 'n', 'k'], lanes: 'n', width: 8 }, { kind: 'panel', order: ['e', 'k', 'n'], lanes: 'e', width: 4 },
      { kind: 'panel', order: ['n', 'e', 'k'], lanes: 'n', width: 16 },
    );
    fc.assert(fc.property(packings, small, sizes, sizes, fc.constantFrom<DType>('f32', 'bf16', 'f16', 'i32'), (packing, e, n, k, dtype) => {
      if (packing.kind === 'int4') return;
      const axes = [{ name: 'e', size: e }, { name: 'n', size: n }, { name: 'k', size: k }];
      const random = new Random(e + n * 10 + k * 100);
      const bytes = Uint8Array.from({ length: e * n * k * (dtype === 'bf16' || dtype === 'f16' ? 2 : 4) }, () => random.below(256));
      const packed = packBytes(packing, axes, dtype, bytes);
      expect(packed.length).toBe(packedBytes(packing, axes, dtype));
      expect(Buffer.compare(unpackBytes(packing, axes, dtype, packed), bytes)).toBe(0);
    }), { numRuns: 200 });
  });

  it('puts elements where the address functions say, as numbers and as Scalars', () => {
    const packing: Packing = { kind: 'panel', order: ['e', 'n', 'k'], lanes: 'n', width: 8 };
    fc.assert(fc.property(small, sizes, sizes, (e, n, k) => {
      const axes = [{ name: 'k', size: k }, { name: 'e', size: e }, { name: 'n', size: n }];
      const values = Float32Array.from({ length: e * n * k }, (_, i) => i + 1);
      const packed = new Float32Array(pack(packing, axes, 'f32', values).buffer);
      const random = new Random(n * k);
      for (let i = 0; i < 10; i++) {
        const at = [random.below(e), random.below(n), random.below(k)];
        const offset = elementOffset(numberArithmetic, packing, [e, n, k], at);
        expect(packed[offset]).toBe(values[(at[2] * e + at[0]) * n + at[1]]);
        const symbolic = elementOffset(scalarArithmetic, packing, [dim('e'), int(n), int(k)], at.map(int));
        expect(evaluateScalar(symbolic, { dims: { e } })).toBe(offset);
      }
      expect(packed.filter((v) => v !== 0).length).toBe(e * n * k);
    }), { numRuns: 50 });
  });

  const int4: Int4Packing = { kind: 'int4', order: ['e', 'n', 'k'], lanes: 'n', width: 8, group: 32 };

  it('int4 codes and scales survive exactly, in the words the contract names', () => {
    fc.assert(fc.property(small, sizes, sizes, fc.constantFrom(8, 32, 64), fc.constantFrom(2, 8, 16), (e, n, k, group, width) => {
      const packing = { ...int4, group, width };
      const axes = [{ name: 'e', size: e }, { name: 'n', size: n }, { name: 'k', size: k }];
      const random = new Random(e + n + k);
      const codes = Uint8Array.from({ length: e * n * k }, () => random.below(16));
      const scales = Uint16Array.from({ length: e * n * Math.ceil(k / group) }, () => random.below(65536));
      const packed = packInt4(packing, axes, { codes, scales });
      expect(packed.length).toBe(packedBytes(packing, axes, 'f32'));
      const back = unpackInt4(packing, axes, packed);
      expect([Buffer.compare(back.codes, codes), Buffer.compare(Buffer.from(back.scales.buffer), Buffer.from(scales.buffer))]).toEqual([0, 0]);
      const [u32, u16] = [new Uint32Array(packed.buffer), new Uint16Array(packed.buffer)];
      for (let i = 0; i < 10; i++) {
        const at = [random.below(e), random.below(n), random.below(k)];
        const { word, shift, scale } = int4Location(numberArithmetic, packing, [e, n, k], at);
        expect((u32[word] >>> shift) & 15).toBe(codes[(at[0] * n + at[1]) * k + at[2]]);
        expect(u16[scale]).toBe(scales[(at[0] * n + at[1]) * Math.ceil(k / group) + Math.floor(at[2] / group)]);
      }
    }), { numRuns: 100 });
  });

  it('a block of width 8 and group 32 is 144 bytes, padded with code 8 and scale 0', () => {
    expect(int4BlockBytes(int4)).toBe(144);
    const packed = packInt4(int4, [{ name: 'e', size: 1 }, { name: 'n', size: 1 }, { name: 'k', size: 1 }], { codes: Uint8Array.of(3), scales: Uint16Array.of(0x3f80) });
    expect(packed.length).toBe(144);
    expect([...packed.subarray(0, 8)]).toEqual([0x83, 0x88, 0x88, 0x88, 0x88, 0x88, 0x88, 0x88]);
    expect([...packed.subarray(128, 132)]).toEqual([0x80, 0x3f, 0, 0]);
  });

  it('quantises by the rounded scale, half to even, zero groups to code 8', () => {
    const values = new Float32Array(64);
    values.set([7, -7, 0.5, 1.5, -0.5, 2.5, 3.49, -3.51]);
    const { codes, scales } = quantizeInt4(values, 64, 32);
    expect([...codes.subarray(0, 8)]).toEqual([15, 1, 8, 10, 8, 10, 11, 4]);
    expect([fromBf16(scales[0]), scales[1], codes[40]]).toEqual([1, 0, 8]);
    fc.assert(fc.property(fc.array(fc.float({ noNaN: true, noDefaultInfinity: true, min: -1e3, max: 1e3 }), { minLength: 1, maxLength: 70 }), (list) => {
      const q = quantizeInt4(list, list.length, 32);
      list.forEach((w, i) => {
        const s = fromBf16(q.scales[Math.floor(i / 32)]);
        expect(q.codes[i]).toBe(s === 0 ? 8 : 8 + Math.min(7, Math.max(-8, roundHalfEven(Math.fround(w / s)))));
      });
      const axes = [{ name: 'n', size: 1 }, { name: 'k', size: list.length }];
      const packing = { ...int4, order: ['n', 'k'] };
      const read = unpack(packing, axes, 'f32', pack(packing, axes, 'f32', list));
      read.forEach((v, i) => expect(v).toBe((q.codes[i] - 8) * fromBf16(q.scales[Math.floor(i / 32)])));
    }), { numRuns: 100 });
  });

  it('rejects parameters that contradict each other', () => {
    const axes = [{ name: 'n', size: 4 }, { name: 'k', size: 4 }];
    expect(() => packedBytes({ kind: 'int4', order: ['k', 'n'], lanes: 'n', width: 8, group: 32 }, axes, 'f32')).toThrow(/grouped axis must be the last/);
    expect(() => packedBytes({ kind: 'int4', order: ['n', 'k'], lanes: 'n', width: 8, group: 12 }, axes, 'f32')).toThrow(/multiple of 8/);
    expect(() => packedBytes({ kind: 'panel', order: ['n', 'k'], lanes: 'k', width: 8 }, axes, 'f32')).toThrow(/last axis/);
    expect(() => packedBytes({ kind: 'dense', order: ['n', 'x'] }, axes, 'f32')).toThrow(/'x'/);
  });
});
