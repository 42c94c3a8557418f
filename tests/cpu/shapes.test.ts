/** Matrix products around every block size that the emitter chooses: rows, lanes, groups and tails. */
import { afterAll, beforeAll, describe } from 'vitest';
import { kernelCases } from '../../backends/conformance/kernels.js';
import { cpuDevice, type CpuDevice } from '../../backends/cpu/device.js';
import { attention, gateUp, groupedMatmul, matmul, matvec, softmax } from '../kernels/samples.js';

const products = [
  // One register block and its remainders, rows unknown until it runs.
  ...[1, 2, 5, 7].map((tokens) => matmul({ tokens, n: 72, k: 96, bm: 8, bn: 64, bk: 32, weight: 'int4' })),
  ...[3, 17].map((tokens) => matmul({ tokens, n: 136, k: 64, bm: 16, bn: 64, bk: 64, weight: 'panel-bf16' })),
  // Lanes that are no whole vector, sums that are no whole group.
  matmul({ tokens: 1, n: 8, k: 32, bm: 1, bn: 8, bk: 32, weight: 'int4' }),
  matmul({ tokens: 1, n: 13, k: 33, bm: 1, bn: 16, bk: 64, weight: 'int4' }),
  matmul({ tokens: 4, n: 21, k: 100, bm: 4, bn: 24, bk: 64, weight: 'panel-bf16' }),
  matmul({ tokens: 13, n: 20, k: 37, bm: 12, bn: 20, bk: 16, weight: 'dense-f32' }),
  matmul({ tokens: 50, n: 40, k: 520, bm: 48, bn: 32, bk: 520, weight: 'panel-f32' }),
  matmul({ tokens: 50, n: 40, k: 544, bm: 48, bn: 40, bk: 544, weight: 'int4' }),
  // Long sums in stretches, the last one not whole.
  matmul({ tokens: 20, n: 24, k: 600, bm: 16, bn: 24, bk: 600, weight: 'dense-f32' }),
  matmul({ tokens: 20, n: 24, k: 600, bm: 16, bn: 24, bk: 600, weight: 'panel-bf16' }),
  groupedMatmul({ tokens: 40, experts: 3, active: 2, n: 40, k: 576, bm: 16, bn: 40, bk: 576 }),
  groupedMatmul({ tokens: 9, experts: 3, active: 2, n: 40, k: 520, bm: 4, bn: 40, bk: 520 }),
  // Lists of many lengths in blocks of sixes and fours; enough programs that later chunks are shorter.
  groupedMatmul({ tokens: 200, experts: 14, active: 2, n: 128, k: 96, bm: 48, bn: 16, bk: 96 }),
  groupedMatmul({ tokens: 120, experts: 14, active: 2, n: 32, k: 320, bm: 48, bn: 32, bk: 320 }),
  groupedMatmul({ tokens: 60, experts: 14, active: 1, n: 32, k: 96, bm: 12, bn: 32, bk: 96 }),
  matvec({ n: 200, k: 64, bn: 200, bk: 64 }),
  matvec({ n: 40, k: 96, bn: 40, bk: 32, weight: 'dense-f32' }),
  gateUp({ tokens: 1, n: 64, k: 64, bm: 1, bn: 64, bk: 64, weight: 'int4' }),
  softmax({ tokens: 1, width: 1 }),
  attention({ lengths: [1, 1], past: [0, 31], kvHeads: 1, group: 8, size: 24, valueSize: 16, block: 16, queryTile: 1, keyTile: 32 }),
];

describe('shapes on cpu', () => {
  let device: CpuDevice;
  beforeAll(async () => { device = await cpuDevice({ threads: 2 }); }, 120_000);
  afterAll(() => device.close());
  kernelCases(() => device, products, 3e-6);
});
