import { expect, it } from 'vitest';
import { layerOf, numbered, withExecutable, writeWeights } from './arrays.js';
import type { UseDevice } from './conformance.js';
import { ModelBuilder, residualStack } from './launch-builder.js';

/** Rolled repeats: slots of weights and constants, nesting, direction, stacked values. */
export function repeatCases(device: UseDevice): void {
  for (const stacked of ['mid', 'inside'] as const) it(`runs layers with their own weights and stacks ${stacked === 'mid' ? 'what they compute' : 'what they start with'}`, async () => {
    const layers = 4;
    const bundle = residualStack(layers, 16, stacked).plan();
    await withExecutable(device(), bundle, async (exec) => {
      await writeWeights(exec, bundle, (path) => (path === 'head' ? 3 : path.endsWith('.a') ? layerOf(path) : 1));
      // Fewer tokens than the plan allows, then as many: stretches lie as far apart as before.
      for (const tokens of [3, 8, 1]) {
        const x = numbered(tokens, 16);
        const { y, hidden } = await exec.run('forward', { tokens }, { x }, ['y', 'hidden']);
        const before = Array.from({ length: layers + 1 }, (_, i) => Array.from({ length: i }, (_, l) => 2 * (1 + l)).reduce((a, b) => a * b, 1));
        expect(y).toEqual(x.map((v) => v * before[layers] * 3));
        const rows = Array.from({ length: layers }, (_, l) => [...x].map((v) => v * before[l] * (stacked === 'mid' ? 1 + l : 1)));
        expect([...hidden as Float32Array]).toEqual(rows.flat());
      }
    });
  });

  it('gives two runs the same bits', async () => {
    const bundle = residualStack(3).plan();
    await withExecutable(device(), bundle, async (exec) => {
      await writeWeights(exec, bundle, (path) => 0.1 + layerOf(path) / 7);
      const x = numbered(7, 16).map((v) => v / 3);
      const once = await exec.run('forward', { tokens: 7 }, { x }, ['y', 'hidden']);
      expect(await exec.run('forward', { tokens: 7 }, { x }, ['y', 'hidden'])).toEqual(once);
    });
  });

  it('numbers weights and constants through nested repeats, in both directions', async () => {
    for (const reverse of [false, true]) {
      const bundle = nested(reverse);
      await withExecutable(device(), bundle, async (exec) => {
        await writeWeights(exec, bundle, (path) => 1 + bundle.plan.weights.findIndex((w) => w.path === path));
        const { y } = await exec.run('forward', { tokens: 1 }, { x: new Float32Array(4).fill(1) }, ['y']);
        let expected = 1;
        const order = reverse ? [2, 1, 0] : [0, 1, 2];
        for (const i of order) for (const j of [0, 1]) expected = expected * (1 + 2 * i + j) + 10 * (i + 1);
        expect(y).toEqual(new Float32Array(4).fill(expected));
      });
    }
  });
}

/** outer (3) of inner (2): x = x * w[outer][inner], then + c[outer] where c = 10, 20, 30 comes from constants. */
function nested(reverse: boolean): ReturnType<ModelBuilder['plan']> {
  const m = new ModelBuilder(4);
  const w = m.param(Array.from({ length: 6 }, (_, i) => `outer[${Math.floor(i / 2)}].inner[${i % 2}].w`));
  return m.entry('forward', 2, (e) => {
    const [x, y, one, weight] = [e.input('x'), e.output('y'), e.constant([1, 1, 1, 1]), e.param(w)];
    const offset = e.constant(...[10, 20, 30].map((v) => [v, v, v, v]));
    const [o, i, scaled, c, next, out, start, ones] = ['o', 'i', 'scaled', 'c', 'next', 'out', 'start', 'ones'].map((n) => e.value(n));
    return [
      e.launch('copy', [x], [one], start),
      e.launch('copy', [x], [one], ones),
      {
        kind: 'repeat', label: 'outer', count: 3, reverse, carries: [{ initial: start, inside: o, next: out, out: y }], stacked: [],
        body: [
          e.launch('offset', [ones], [offset], c),
          {
            kind: 'repeat', label: 'inner', count: 2, reverse: false, carries: [{ initial: o, inside: i, next, out }], stacked: [],
            body: [e.launch('scale', [i], [weight], scaled), e.launch('add', [scaled, c], [], next)],
          },
        ],
      },
    ];
  }).plan();
}
