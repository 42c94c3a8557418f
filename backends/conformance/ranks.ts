import { expect, it } from 'vitest';
import { withExecutable, writeWeights } from './arrays.js';
import type { UseDevice } from './conformance.js';
import { ModelBuilder } from './launch-builder.js';

const ranks = 4;
const groups = [{ name: 'tensor', teams: [[0, 1], [2, 3]] }, { name: 'expert', teams: [[0, 2], [1, 3]] }];

/** Several ranks: weights and constants of their own, collectives within teams. */
export function rankCases(device: UseDevice): void {
  it('sums over teams, one group after another, in place and not', async () => {
    const m = new ModelBuilder(2);
    const w = m.param(['w']);
    m.entry('forward', 2, (e) => {
      const [x, part, half, y] = [e.input('x'), e.value('part'), e.value('half'), e.output('y')];
      const own = e.rankConstant([1, 1], [1, 1], [10, 10], [10, 10]);
      return [
        e.launch('scale', [x], [e.param(w), own], part),
        { kind: 'collective', op: 'all_reduce', group: 'tensor', from: part, to: half },
        { kind: 'collective', op: 'all_reduce', group: 'expert', from: half, to: half },
        e.launch('copy', [half], [], y),
      ];
    });
    const bundle = m.plan({ ranks, groups });
    await withExecutable(device(), bundle, async (exec) => {
      await writeWeights(exec, bundle, (_, rank) => rank + 1);
      // 1 + 2 + 10 * (3 + 4)
      expect((await exec.run('forward', { tokens: 1 }, { x: Float32Array.of(1, 2) }, ['y'])).y).toEqual(Float32Array.of(73, 146));
    });
  });

  it('gathers the parts of a team and scatters their sum', async () => {
    const m = new ModelBuilder(2);
    const w = m.param(['w']);
    m.entry('forward', 1, (e) => {
      const [x, part, all, sum, y] = [e.input('x'), e.value('part'), e.value('all', 2), e.value('sum'), e.output('y')];
      return [
        e.launch('scale', [x], [e.param(w)], part),
        { kind: 'collective', op: 'all_gather', group: 'tensor', from: part, to: all },
        { kind: 'collective', op: 'reduce_scatter', group: 'expert', from: all, to: sum },
        e.launch('copy', [sum], [], y),
      ];
    });
    const bundle = m.plan({ ranks, groups });
    await withExecutable(device(), bundle, async (exec) => {
      await writeWeights(exec, bundle, (_, rank) => 10 ** rank);
      // Rank 0 has [1, 10] and rank 2 [100, 1000]; rank 0 keeps the first part of the sum.
      expect((await exec.run('forward', { tokens: 1 }, { x: Float32Array.of(1, 2) }, ['y'])).y).toEqual(Float32Array.of(101, 202));
    });
  });
}
