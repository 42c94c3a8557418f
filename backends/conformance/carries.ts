import { expect, it } from 'vitest';
import { withExecutable } from './arrays.js';
import type { UseDevice } from './conformance.js';
import { layerPaths, ModelBuilder } from './launch-builder.js';

/** Carried values that cannot share one place, and those that share it in unusual ways. */
export function carryCases(device: UseDevice): void {
  it('carries a value whose next one is computed from it', async () => {
    const m = new ModelBuilder(4).entry('forward', 2, (e) => {
      const [x, inside, next, y] = [e.input('x'), e.value('inside'), e.value('next'), e.output('y')];
      return [{ kind: 'repeat', label: 'steps', count: 5, reverse: false, carries: [{ initial: x, inside, next, out: y }], stacked: [], body: [e.launch('double', [inside, inside], [], next)] }];
    });
    await expectRun(device, m, [32, 32, 32, 32]);
  });

  it('shifts values through several carries: a Fibonacci sequence', async () => {
    const m = new ModelBuilder(4).entry('forward', 2, (e) => {
      const [x, a, b, next, outA, y] = [e.input('x'), e.value('a'), e.value('b'), e.value('next'), e.value('outA'), e.output('y')];
      return [{
        kind: 'repeat', label: 'steps', count: 6, reverse: false, stacked: [],
        carries: [{ initial: x, inside: a, next: b, out: outA }, { initial: x, inside: b, next, out: y }],
        body: [e.launch('sum', [a, b], [], next)],
      }];
    });
    await expectRun(device, m, [21, 21, 21, 21]);
  });

  it('updates a carried value in place', async () => {
    const m = new ModelBuilder(4).entry('forward', 2, (e) => {
      const [x, start, inside, out, y] = [e.input('x'), e.value('start'), e.value('inside'), e.value('out'), e.output('y')];
      return [
        e.launch('copy', [x], [], start),
        { kind: 'repeat', label: 'steps', count: 3, reverse: false, stacked: [], carries: [{ initial: start, inside, next: inside, out }], body: [e.accumulate('add', [x], [], inside)] },
        e.launch('copy', [out], [], y),
      ];
    });
    await expectRun(device, m, [4, 4, 4, 4]);
  });

  it('keeps what a repeat uses from outside, and feeds one repeat to the next', async () => {
    const m = new ModelBuilder(4);
    const weights = [m.param(layerPaths(2, 'w')), m.param(['layers[2].w'])];
    m.entry('forward', 2, (e) => {
      const [x, kept, y] = [e.input('x'), e.value('kept'), e.output('y')];
      const one = e.constant([1, 2, 3, 4]);
      const runs = [2, 1].map((count, r) => {
        const [inside, scaled, next, out] = ['inside', 'scaled', 'next', 'out'].map((n) => e.value(`${n}${r}`));
        return { count, inside, scaled, next, out, w: e.param(weights[r]) };
      });
      return [
        e.launch('copy', [x], [one], kept),
        ...runs.map((r, i) => ({
          kind: 'repeat' as const, label: 'layers', count: r.count, reverse: false, stacked: [], carries: [{ initial: i === 0 ? kept : runs[0].out, inside: r.inside, next: r.next, out: r.out }],
          body: [e.launch('scale', [r.inside], [r.w], r.scaled), e.launch('add', [r.scaled, kept], [], r.next)],
        })),
        e.launch('copy', [runs[1].out], [], y),
      ];
    });
    const bundle = m.plan();
    await withExecutable(device(), bundle, async (exec) => {
      for (const [i, w] of bundle.plan.weights.entries()) await exec.write(w.buffer, w.offset, new Uint8Array(new Float32Array(4).fill(2 + i).buffer));
      // ((k * 2 + k) * 3 + k) * 4 + k = 41 k
      expect((await exec.run('forward', { tokens: 1 }, { x: new Float32Array(4).fill(1) }, ['y'])).y).toEqual(Float32Array.of(41, 82, 123, 164));
    });
  });
}

/** Runs `forward` on a row of ones and on two rows. */
async function expectRun(device: UseDevice, model: ModelBuilder, expected: readonly number[]): Promise<void> {
  await withExecutable(device(), model.plan(), async (exec) => {
    for (const tokens of [1, 2]) {
      const { y } = await exec.run('forward', { tokens }, { x: new Float32Array(4 * tokens).fill(1) }, ['y']);
      expect([...y as Float32Array]).toEqual(Array.from({ length: tokens }, () => expected).flat());
    }
  });
}
