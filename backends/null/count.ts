/** What a run costs, counted from the plan alone: nothing is allocated and nothing runs. */
import type { Step } from '../../compiler/ir/plan.js';
import { evaluateScalar } from '../../compiler/kernels/scalar.js';
import type { DimValues } from '../device.js';

export interface Counts {
  readonly launches: number;
  readonly copies: number;
  readonly collectives: number;
  /** Multiplications and additions of matrix products. */
  readonly contraction: number;
  /** All floating-point operations, contractions included. */
  readonly flops: number;
  /** Bytes that kernels and copies read and write. */
  readonly bytes: number;
}

export const noCounts: Counts = { launches: 0, copies: 0, collectives: 0, contraction: 0, flops: 0, bytes: 0 };

/** Sums per field; the second operand `times` times. */
export function addCounts(a: Counts, b: Counts, times = 1): Counts {
  return {
    launches: a.launches + times * b.launches, copies: a.copies + times * b.copies, collectives: a.collectives + times * b.collectives,
    contraction: a.contraction + times * b.contraction, flops: a.flops + times * b.flops, bytes: a.bytes + times * b.bytes,
  };
}

/** Counts per rank of one run of `steps` at `dims` (every dim of the plan that the steps use). */
export function countSteps(steps: readonly Step[], dims: DimValues): Counts {
  return steps.reduce((sum, step): Counts => {
    switch (step.kind) {
      case 'launch': {
        const { contraction, flops, bytes } = step.cost;
        const of = (s: typeof flops): number => evaluateScalar(s, { dims });
        return addCounts(sum, { ...noCounts, launches: 1, contraction: of(contraction), flops: of(flops), bytes: of(bytes) });
      }
      case 'copy': return addCounts(sum, { ...noCounts, copies: 1, bytes: 2 * evaluateScalar(step.bytes, { dims }) });
      case 'collective': return addCounts(sum, { ...noCounts, collectives: 1 });
      case 'repeat': return addCounts(sum, countSteps(step.body, dims), step.count);
    }
  }, noCounts);
}
