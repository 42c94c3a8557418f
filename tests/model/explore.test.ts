import { readFileSync } from 'node:fs';
import fc from '../support/properties.js';
import { describe, expect, it } from 'vitest';
import { countSteps } from '../../backends/null/count.js';
import { compile } from '../../compiler/compile.js';
import { explore } from '../../compiler/model/explore.js';
import { type Measures, meets, measureNames, paretoFront, parseBudget } from '../../compiler/model/measures.js';
import { knownDevices, modelRun } from '../../compiler/model/roofline.js';
import { int, dim } from '../../compiler/ir/kernel.js';
import { times } from '../../compiler/kernels/scalar.js';
import type { LaunchStep } from '../../compiler/plan/launches.js';
import { nodeLoader } from '../../dsl/std-node.js';

const path = 'examples/kimi-k2.firn';
const entry = { path, text: readFileSync(path, 'utf8') };
const device = knownDevices.h200;

describe('variants of K2', () => {
  const { exploration, diagnostics } = explore({
    entry, load: nodeLoader, device, context: 4096, vary: [{ name: 'experts', values: ['256', '384'] }, { name: 'sparse.active', values: ['6', '8'] }],
    budgets: [{ measure: 'parameters', relation: '>=', limit: 1e12 }],
  });
  const all = exploration!.variants;

  it('come in order, with full paths', () => {
    expect(diagnostics).toEqual([]);
    expect(exploration!.paths).toEqual(['sparse.experts', 'sparse.active']);
    expect(all.map((v) => v.values.join())).toEqual(['256,6', '256,8', '384,6', '384,8']);
  });

  it('are counted exactly', () => {
    const published = all[3].measures!;
    expect(published.parameters).toBe(1_026_408_232_448);
    expect(published.kv_token).toBe(70_272);
    // An expert and its row of the gate, with its bias.
    const expert = 3 * 7168 * 2048 + 7168 + 1;
    expect(published.parameters - all[1].measures!.parameters).toBe(60 * 128 * expert);
    expect(published.active - all[2].measures!.active).toBe(60 * 2 * 3 * 7168 * 2048);
  });

  it('launch what the compiled plan launches', () => {
    const { bundle } = compile({ entry, load: nodeLoader, target: 'null', context: 4096 });
    const decode = bundle!.plan.entries.find((e) => e.name === 'decode')!;
    const counts = countSteps(decode.steps, { tokens: 1, outputs: 1, sequences: 1, blocks: 256, context: 4096, slots: 4096, pool: 1 });
    expect(all[3].measures!.launches).toBe(counts.launches);
    expect(all[3].measures!.flops).toBe(counts.flops);
    // One token reads its active weights, so it cannot be faster than that many bytes.
    expect(all[3].measures!.decode).toBeGreaterThan(counts.bytes / device.bandwidth);
    expect(all[3].measures!.decode).toBeLessThan(counts.bytes / device.bandwidth + counts.launches * device.launch + 1e-3);
  });

  it('are judged by the budget, and the front is among those within it', () => {
    expect(all.map((v) => v.within)).toEqual([false, false, true, true]);
    // Fewer active experts are faster, and as many parameters.
    expect(all.map((v) => v.front)).toEqual([false, false, true, false]);
  });

  it('a longer context costs time and cache, a batch shares the weights', () => {
    const of = (context: number, batch: number): Measures => explore({ entry, load: nodeLoader, device, context, batch, vary: [] }).exploration!.variants[0].measures!;
    const [short, long, many] = [of(1024, 1), of(65536, 1), of(1024, 64)];
    expect(long.kv).toBe(64 * short.kv);
    expect(long.decode).toBeGreaterThan(short.decode);
    expect(long.prefill).toBeGreaterThan(64 * short.prefill * 0.9);
    expect(many.decode / 64).toBeLessThan(short.decode);
    // 64 tokens choose at most 384 experts: the weights are read once, however many tokens there are.
    expect(many.decode).toBeLessThan(short.weights / device.bandwidth + 5e-3);
  });
});

it('the model is the roofline, launch by launch', () => {
  const launch = (products: number, flops: number, bytes: number): LaunchStep => ({ kind: 'launch', program: undefined as never, args: [], cost: { contraction: int(products), flops: times(dim('tokens'), flops), bytes: int(bytes) } });
  const figures = { name: 'x', bandwidth: 100, products: { bf16: 1000, f32: 10 }, vector: 50, launch: 0.5, memory: 1 };
  const steps: LaunchStep[] = [launch(1000, 1000, 50), { kind: 'repeat', label: 'l', count: 3, reverse: false, carries: [], stacked: [], body: [launch(0, 100, 10)] }];
  // Compute bound at 1 s, then three times 100 operations at 50 per second.
  expect(modelRun(steps, { tokens: 1 }, figures, 'bf16')).toEqual({ launches: 4, seconds: 0.5 + 1 + 3 * (0.5 + 2), flops: 1300, bytes: 80 });
  expect(modelRun([launch(0, 0, 50)], { tokens: 1 }, figures, 'f32').seconds).toBe(0.5 + 0.5);
});

describe('budgets', () => {
  it.each([
    ['decode<=20ms', 'decode', '<=', 0.02], ['weights <= 600GB', 'weights', '<=', 600e9], ['active>=30B', 'active', '>=', 30e9], ['kv<=1.5GiB', 'kv', '<=', 1.5 * 1024 ** 3], ['launches<=600', 'launches', '<=', 600],
  ])('%s', (text, measure, relation, limit) => {
    expect(parseBudget(text)).toEqual({ measure, relation, limit });
  });
  it.each([['decode=20', /no budget/], ['speed<=3', /not measured; what is: parameters/], ['decode<=20GB', /'GB' is no unit of decode; units: s, ms, us/]])('%s is refused', (text, why) => {
    expect(parseBudget(text)).toMatch(why);
  });
});

it('no variant on a front is beaten, and every other one is', () => {
  const measure = fc.record(Object.fromEntries(measureNames.map((m) => [m, fc.integer({ min: 0, max: 5 })]))) as unknown as fc.Arbitrary<Measures>;
  fc.assert(fc.property(fc.array(measure, { minLength: 1, maxLength: 30 }), fc.subarray([...measureNames], { minLength: 1 }), (all, objectives) => {
    const front = paretoFront(all, objectives);
    const better = (a: Measures, b: Measures): boolean => {
      const gain = objectives.map((o) => (o === 'parameters' || o === 'active' ? a[o] - b[o] : b[o] - a[o]));
      return gain.every((g) => g >= 0) && gain.some((g) => g > 0);
    };
    expect(front).toContain(true);
    all.forEach((m, i) => expect(front[i]).toBe(!all.some((other) => better(other, m))));
  }));
  expect(meets({ measure: 'kv', relation: '<=', limit: 3 }, { kv: 3 } as Measures)).toBe(true);
});
