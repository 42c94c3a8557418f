import { describe, expect, it } from 'vitest';
import { leftLayout } from '../../backends/cuda/fragments.js';
import { placeOf } from '../../backends/cuda/layout.js';
import { int4Location, int4MmaBlock, numberArithmetic, packedBytes } from '../../compiler/kernels/packing-address.js';
import { packInt4, quantizeInt4, unpackInt4 } from '../../compiler/kernels/packing.js';
import type { Packing } from '../../compiler/ir/packing.js';
import { Random } from '../kernels/samples/sample.js';

type Fragments = Extract<Packing, { kind: 'int4-mma' }>;
const packingOf = (group: number): Fragments => ({ kind: 'int4-mma', order: ['experts', 'n', 'k'], lanes: 'n', width: 16, group });

describe('4-bit codes in fragment order', () => {
  it.each([16, 32, 64])('round trip with groups of %i, extents off the blocks', (group) => {
    const axes = [{ name: 'experts', size: 2 }, { name: 'n', size: 19 }, { name: 'k', size: 160 }];
    const values = quantizeInt4(new Random(group).values(2 * 19 * 160), 160, group);
    const packed = packInt4(packingOf(group), axes, values);
    expect(packed.length).toBe(packedBytes(packingOf(group), axes, 'f32'));
    const back = unpackInt4(packingOf(group), axes, packed);
    expect(back.codes).toEqual(values.codes);
    expect(back.scales).toEqual(values.scales);
  });

  it('every word holds the left operand of its lane, neighbours in the halves', () => {
    const packing = packingOf(32);
    const layout = leftLayout({ name: 'm', size: 16 }, { name: 'k', size: 64 }, { m: 1, n: 1, repeat: false, rows: 16 });
    for (let lane = 0; lane < 32; lane++) for (let step = 0; step < 4; step++) for (let e = 0; e < 8; e++) {
      const [row, column] = placeOf(layout, step * 8 + e, lane, 0);
      const { word, shift } = int4Location(numberArithmetic, packing, [1, 16, 64], [0, row, column]);
      // A shift by 4 (e / 2) and the mask 0x000f000f leave elements e and e + 1.
      expect([word, shift]).toEqual([lane * 4 + step, 4 * (e >> 1) + 16 * (e & 1)]);
    }
  });

  it('blocks are multiples of 16 bytes, so that rows of them can be copied', () => {
    for (const group of [16, 32, 64]) expect((int4MmaBlock(packingOf(group)).words * 4) % 16).toBe(0);
  });
});
