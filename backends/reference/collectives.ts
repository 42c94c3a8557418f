import { dtypeBytes } from '../../compiler/ir/dtype.js';
import type { Plan, Step } from '../../compiler/ir/plan.js';
import { decodeElements, encodeElements } from '../../compiler/kernels/half.js';

type Collective = Extract<Step, { kind: 'collective' }>;

/** One collective among ranks of one process. `ranks[r]` = bytes of rank r's `from` and `to`; `count` as in the step. */
export function exchange(step: Collective, plan: Plan, ranks: readonly (readonly [from: Uint8Array, to: Uint8Array])[], count: number): void {
  const group = plan.groups.find((g) => g.name === step.group);
  if (!group) throw new Error(`reference: collective over unknown group '${step.group}'`);
  const part = count * dtypeBytes(step.dtype);
  for (const team of group.teams) {
    // Copies, since an all_reduce may be in place.
    const sources = team.map((rank) => ranks[rank][0].slice(0, step.op === 'reduce_scatter' ? part * team.length : part));
    team.forEach((rank, member) => {
      const to = ranks[rank][1];
      switch (step.op) {
        case 'all_reduce': to.set(sum(step, sources)); break;
        case 'all_gather': sources.forEach((s, i) => to.set(s, i * part)); break;
        case 'reduce_scatter': to.set(sum(step, sources.map((s) => s.subarray(member * part, (member + 1) * part)))); break;
      }
    });
  }
}

/** Adds in rank order, in f32 for floats, rounding once to the stored dtype. */
function sum(step: Collective, sources: readonly Uint8Array[]): Uint8Array {
  const total = decodeElements(sources[0], step.dtype);
  for (const source of sources.slice(1)) decodeElements(source, step.dtype).forEach((x, i) => { total[i] += x; });
  return encodeElements(total, step.dtype);
}
