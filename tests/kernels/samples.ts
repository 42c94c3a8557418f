/** Sample tile programs for everybody who runs tile programs: see `samples/sample.ts` for what a sample is. */
import { attention } from './samples/attention.js';
import { countOffsets, listMembers, topIds } from './samples/lists.js';
import { gateUp, groupedMatmul, matmul, matvec, selectMatvec } from './samples/matmul.js';
import { argmax, elementwise, gatherRows, rmsnorm, rotary, scatterRows, softmax } from './samples/rows.js';
import type { Sample } from './samples/sample.js';

export * from './samples/attention.js';
export * from './samples/lists.js';
export * from './samples/matmul.js';
export * from './samples/rows.js';
export * from './samples/sample.js';

/** One instance of every sample, with sizes that no tile divides. */
export function everySample(): Sample[] {
  return [
    elementwise({ tokens: 7, width: 45 }),
    rmsnorm({ tokens: 5, width: 77 }),
    softmax({ tokens: 3, width: 101 }),
    argmax({ tokens: 3, width: 333 }),
    gatherRows({ tokens: 9, width: 45 }),
    scatterRows({ tokens: 11, width: 24 }),
    rotary({ tokens: 3, heads: 5, pairs: 8, layout: 'interleaved' }),
    rotary({ tokens: 3, heads: 5, pairs: 8, layout: 'half' }),
    matmul({ tokens: 19, n: 75, k: 130, weight: 'dense-f32' }),
    matmul({ tokens: 19, n: 75, k: 130, weight: 'panel-f32' }),
    matmul({ tokens: 19, n: 75, k: 130, weight: 'panel-bf16' }),
    matmul({ tokens: 19, n: 75, k: 160, weight: 'int4' }),
    matmul({ tokens: 1, n: 75, k: 70, bm: 1, weight: 'int4' }),
    matvec({ n: 75, k: 200 }),
    gateUp({ tokens: 9, n: 45, k: 70 }),
    selectMatvec({ tokens: 5, experts: 6, active: 3, n: 45, k: 70 }),
    groupedMatmul({ tokens: 23, experts: 6, active: 3, n: 45, k: 70 }),
    countOffsets({ routed: 53, experts: 11 }),
    listMembers({ routed: 53, experts: 11 }),
    topIds({ tokens: 5, width: 29, k: 4 }),
    attention({ lengths: [5, 1, 9], past: [3, 17, 0], kvHeads: 2, group: 3, size: 12, valueSize: 7, block: 4 }),
  ];
}
