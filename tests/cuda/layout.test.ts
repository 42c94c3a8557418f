import { describe, expect, it } from 'vitest';
import { accumulatorLayout, leftLayout, rightLayout, type WarpGrid } from '../../backends/cuda/fragments.js';
import { bankWays, classifyConversion, invertLayout, placeOf, registerCount, registerMap, applyMap, sliceLayout, type Layout, type Place } from '../../backends/cuda/layout.js';
import { sharedOffset, swizzled, type SharedBuffer, type Swizzle } from '../../backends/cuda/shared-memory.js';

const axis = (name: string, size: number) => ({ name, size });
const one: WarpGrid = { m: 1, n: 1, repeat: false, rows: 16 };
const grid: WarpGrid = { m: 2, n: 2, repeat: false, rows: 16 };
const wide: WarpGrid = { m: 8, n: 1, repeat: false, rows: 64 };

function everyPlace(layout: Layout, want: (register: number, lane: number, warp: number) => readonly number[]): void {
  for (let warp = 0; warp < 1 << layout.warps.length; warp++) for (let lane = 0; lane < 32; lane++) for (let r = 0; r < registerCount(layout); r++) {
    const got = placeOf(layout, r, lane, warp);
    if (got.join() !== want(r, lane, warp).join()) throw new Error(`register ${r} of lane ${lane}, warp ${warp} is at ${got}, not ${want(r, lane, warp)}`);
  }
}

describe('fragments are those of the PTX ISA', () => {
  it('m16n8k16 accumulators, left and right operands', () => {
    everyPlace(accumulatorLayout(axis('m', 16), axis('n', 8), one), (i, l) => [(l >> 2) + (i >= 2 ? 8 : 0), (l & 3) * 2 + (i & 1)]);
    everyPlace(leftLayout(axis('m', 16), axis('k', 16), one), (i, l) => [(l >> 2) + ([0, 1, 4, 5].includes(i) ? 0 : 8), (l & 3) * 2 + (i & 1) + (i >= 4 ? 8 : 0)]);
    everyPlace(rightLayout(axis('n', 8), axis('k', 16), one), (i, l) => [l >> 2, (l & 3) * 2 + (i & 1) + (i >= 2 ? 8 : 0)]);
  });
  it('m64n64 accumulators of two warpgroups, and their left operand', () => {
    everyPlace(accumulatorLayout(axis('m', 128), axis('n', 64), wide), (i, l, w) => [16 * w + (l >> 2) + 8 * ((i >> 1) & 1), 8 * (i >> 2) + 2 * (l & 3) + (i & 1)]);
    everyPlace(leftLayout(axis('m', 128), axis('k', 16), wide), (i, l, w) => [16 * w + (l >> 2) + 8 * ((i >> 1) & 1), 8 * (i >> 2) + 2 * (l & 3) + (i & 1)]);
  });
  it('hold every element once, or once per warp that repeats it', () => {
    for (const layout of [accumulatorLayout(axis('m', 64), axis('n', 32), grid), leftLayout(axis('m', 64), axis('k', 32), grid)]) {
      expect(invertLayout(layout).size).toBe(layout.axes[0].size * layout.axes[1].size);
    }
  });
});

describe('conversions', () => {
  const scores = accumulatorLayout(axis('m', 32), axis('k', 64), { ...grid, repeat: true });
  it('the accumulators of one product are the left operand of the next', () => {
    expect(classifyConversion(scores, leftLayout(axis('m', 32), axis('k', 64), { ...grid, repeat: true }))).toBe('identity');
  });
  it('but not its right operand, and not what other warps hold', () => {
    const flip = (places: readonly Place[]): Place[] => places.map(([m, k]) => [k, m]);
    const flipped: Layout = { axes: [axis('k', 64), axis('m', 32)], registers: flip(scores.registers), lanes: flip(scores.lanes), warps: flip(scores.warps) };
    expect(classifyConversion(flipped, rightLayout(axis('m', 32), axis('k', 64), one))).toBe('warps');
    expect(classifyConversion(accumulatorLayout(axis('m', 32), axis('k', 64), grid), scores)).toBe('warps');
    expect(classifyConversion(scores, { ...scores, registers: [...scores.registers].reverse() })).toBe('registers');
    expect(classifyConversion(scores, { ...scores, lanes: [...scores.lanes].reverse() })).toBe('lanes');
  });
  it('a slice is held by the threads that use it', () => {
    const rows = sliceLayout(scores, ['m']);
    const map = registerMap(scores, rows)!;
    for (let r = 0; r < registerCount(scores); r++) for (const lane of [0, 5, 31]) {
      expect(placeOf(rows, applyMap(map, r), lane, 1)).toEqual([placeOf(scores, r, lane, 1)[0]]);
    }
    expect(registerMap(scores, sliceLayout(accumulatorLayout(axis('m', 32), axis('k', 64), one), ['m']))).toBeUndefined();
  });
});

describe('shared memory', () => {
  const buffer = (swizzle: Swizzle, rowBytes: number): SharedBuffer => ({ name: 'b', rows: 64, rowBytes, swizzle, slots: 1 });
  it('patterns are the chunk form of TMA, and give every chunk a place of its own', () => {
    for (const swizzle of [32, 64, 128] as const) for (const rowBytes of [swizzle, 3 * swizzle]) {
      const seen = new Set<number>();
      for (let row = 0; row < 64; row++) for (let byte = 0; byte < rowBytes; byte += 16) {
        const panel = Math.floor(byte / swizzle);
        const chunk = ((byte % swizzle) / 16) ^ (Math.floor(row / (128 / swizzle)) % (swizzle / 16));
        const at = sharedOffset(buffer(swizzle, rowBytes), row, byte);
        expect(at).toBe(panel * 64 * swizzle + row * swizzle + chunk * 16);
        seen.add(at);
      }
      expect(seen.size).toBe((64 * rowBytes) / 16);
    }
  });
  it('eight rows of a matrix load lie in different banks, which they do not without a pattern', () => {
    for (const swizzle of [32, 64, 128] as const) {
      const rows = [0, 1, 2].map((bit) => swizzled(swizzle << bit, swizzle));
      expect(bankWays([...rows, 0, 0], 16)).toBe(1);
      expect(bankWays([...[0, 1, 2].map((bit) => swizzle << bit), 0, 0], 16)).toBe(swizzle / 16);
    }
  });
  it('the bank test agrees with counting', () => {
    let state = 7;
    const random = (n: number): number => { state = (Math.imul(state, 1103515245) + 12345) >>> 0; return (state >>> 8) % n; };
    for (let trial = 0; trial < 500; trial++) {
      const width = ([4, 8, 16] as const)[random(3)];
      const lanes = Array.from({ length: 5 }, () => random(4096 / width) * width);
      const phase = 128 / width;
      const perBank = new Map<number, Set<number>>();
      for (let lane = 0; lane < phase; lane++) {
        const address = lanes.reduce((sum, image, i) => ((lane >> i) & 1 ? sum ^ image : sum), 0);
        const bank = (address & 127 & ~(width - 1));
        perBank.set(bank, (perBank.get(bank) ?? new Set()).add(address));
      }
      expect(bankWays(lanes, width)).toBe(Math.max(...[...perBank.values()].map((s) => s.size)));
    }
  });
});
