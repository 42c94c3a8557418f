import fc from '../support/properties.js';
import { describe, expect, it } from 'vitest';
import { interpretProgram } from '../../compiler/kernels/interpret.js';
import { verifyProgram } from '../../compiler/kernels/verify.js';
import * as samples from './samples.js';
import { everySample, expectResult, type Sample, type WeightKind } from './samples.js';

/** Buffers lie between bytes that read as NaN and must survive. */
const margin = 256;

function run(sample: Sample, checked: boolean): Record<string, Uint8Array> {
  const arenas = Object.entries(sample.buffers).map(([name, bytes]) => {
    const arena = new Uint8Array(bytes.length + 2 * margin).fill(0xff);
    arena.set(bytes, margin);
    return [name, arena, arena.subarray(margin, margin + bytes.length)] as const;
  });
  interpretProgram(sample.program, sample.dims, Object.fromEntries(arenas.map(([name, , view]) => [name, view])), { checked });
  for (const [name, arena, view] of arenas) {
    const touched = (bytes: Uint8Array): boolean => bytes.some((b) => b !== 0xff);
    if (touched(arena.subarray(0, margin)) || touched(arena.subarray(margin + view.length))) throw new Error(`${sample.name}: stored outside view '${name}'`);
  }
  return Object.fromEntries(arenas.map(([name, , view]) => [name, view.slice()]));
}

function prove(sample: Sample): void {
  expect(verifyProgram(sample.program)).toEqual([]);
  const once = run(sample, true);
  expectResult(sample, once);
  const twice = run(sample, false);
  for (const name of Object.keys(once)) expect(Buffer.compare(once[name], twice[name])).toBe(0);
}

describe('every sample computes what its reference does, twice the same', () => {
  for (const sample of everySample()) it(sample.name, () => prove(sample));
});

/** Sizes around a tile of `tile`: none, one, one less, equal, one more, and primes. */
const around = (tile: number): fc.Arbitrary<number> => fc.constantFrom(0, 1, tile - 1, tile, tile + 1, 2 * tile + 1, 7, 13, 29);
const some = (tile: number): fc.Arbitrary<number> => around(tile).map((n) => Math.max(1, n));
const seed = fc.integer({ min: 1, max: 1e6 });
const weight = fc.constantFrom<WeightKind>('dense-f32', 'panel-f32', 'panel-bf16', 'int4');
const ofMatmul = fc.record({ tokens: around(8), n: some(32), k: some(32), weight, seed, bm: fc.constant(8), bn: fc.constantFrom(8, 32), bk: fc.constantFrom(32, 64) });
const ofExperts = fc.record({ tokens: around(8), n: some(16), k: some(32), weight, seed, experts: fc.constantFrom(1, 2, 5, 8), active: fc.constantFrom(1, 2, 3), bn: fc.constant(16), bk: fc.constant(32) });
const ofRows = (tile: number) => fc.record({ tokens: around(4), width: some(tile), seed });

const families: Record<string, fc.Arbitrary<Sample>> = {
  elementwise: ofRows(32).map(samples.elementwise),
  rmsnorm: ofRows(32).map(samples.rmsnorm),
  softmax: ofRows(32).map(samples.softmax),
  argmax: ofRows(64).map(samples.argmax),
  gatherRows: ofRows(32).map(samples.gatherRows),
  scatterRows: ofRows(32).map(samples.scatterRows),
  rotary: fc.record({ tokens: around(4), heads: fc.constantFrom(1, 2, 5), pairs: fc.constantFrom(1, 3, 8), layout: fc.constantFrom('interleaved' as const, 'half' as const), seed }).map(samples.rotary),
  matmul: ofMatmul.map(samples.matmul),
  matvec: ofMatmul.map(samples.matvec),
  gateUp: ofMatmul.map(samples.gateUp),
  selectMatvec: ofExperts.map(samples.selectMatvec),
  groupedMatmul: ofExperts.map(samples.groupedMatmul),
  countOffsets: fc.record({ routed: around(16), experts: some(8), seed }).map(samples.countOffsets),
  listMembers: fc.record({ routed: around(16), experts: some(8), seed }).map(samples.listMembers),
  topIds: fc.record({ tokens: around(4), width: fc.constantFrom(5, 8, 13, 31), k: fc.constantFrom(1, 2, 5), seed }).map(samples.topIds),
  attention: fc.record({
    sequences: fc.array(fc.tuple(fc.constantFrom(0, 1, 3, 4, 5, 9), fc.constantFrom(0, 1, 7, 8, 15)), { minLength: 1, maxLength: 3 }),
    kvHeads: fc.constantFrom(1, 2), group: fc.constantFrom(1, 3), size: fc.constantFrom(1, 5, 8), valueSize: fc.constantFrom(1, 7, 8),
    block: fc.constantFrom(1, 3, 4, 16), queryTile: fc.constantFrom(1, 4), keyTile: fc.constantFrom(1, 8), seed,
  }).map(({ sequences, ...rest }) => samples.attention({ ...rest, lengths: sequences.map((s) => s[0]), past: sequences.map((s) => s[1]) })),
};

describe('at sizes around the tiles', () => {
  for (const [name, family] of Object.entries(families)) it(name, () => {
    fc.assert(fc.property(family, prove), { numRuns: 25 });
  });
});
