/** The choice of the next token, on every device, against the definition written out in f64. */
import { afterAll, describe, expect, it } from 'vitest';
import type { Device } from '../../backends/device.js';
import { GraphBuilder } from '../../compiler/ir/build.js';
import { philox } from '../../compiler/ir/philox.js';
import type { Bundle } from '../../compiler/ir/plan.js';
import { scheduleFor } from '../../compiler/kernels/targets.js';
import { choosePackings } from '../../compiler/passes/choose-packings.js';
import { sample } from '../../compiler/passes/sample.js';
import { schedule } from '../../compiler/passes/schedule.js';
import { buildPlan } from '../../compiler/plan/plan.js';
import { axis, dynamic, f32, i32, moduleOf, tokens, uniform } from '../numeric/fixtures.js';
import { openDevice, type Runnable, wgslMissing } from '../support/devices.js';

const count = 24;
interface Controls { readonly temperature: number; readonly seed: number; readonly k: number; readonly p: number }

function bundleFor(vocabulary: number, target: Runnable): Bundle {
  const b = new GraphBuilder('m', { params: [], states: [] });
  b.input('position', i32(tokens));
  const x = b.input('x', f32(tokens, axis('vocab', vocabulary)));
  const module = sample(moduleOf(b.finish([{ name: 'logits', value: b.gather(x, b.input('rows', i32(dynamic('outputs'))), 'tokens') }])));
  const plan = scheduleFor(target, false);
  const dims = ['tokens', 'outputs'].map((name) => ({ name, max: count }));
  return buildPlan(module, [schedule(module, { name: 'choose', dims, schedule: plan, packings: choosePackings(module, plan.panel, plan.int4) })], { target, block: 16, fixed: {} });
}

/** The ids that the limits keep, by sorting. */
function kept(z: Float32Array, { temperature, k, p }: Controls): Set<number> {
  const order = [...z.keys()].sort((a, b) => z[b] - z[a] || a - b).slice(0, k < 1 ? z.length : k);
  if (p >= 1 || k < 1) return new Set(order);
  const weights = order.map((i) => Math.exp((z[i] - z[order[0]]) / temperature));
  const wanted = p * weights.reduce((a, w) => a + w, 0);
  let sum = 0;
  return new Set(order.slice(0, weights.findIndex((w) => (sum += w) >= wanted) + 1));
}

function choice(z: Float32Array, position: number, controls: Controls): number {
  const among = kept(z, controls);
  const score = (i: number): number => {
    if (controls.temperature === 0) return z[i];
    if (!among.has(i)) return -Infinity;
    const uniform = ((philox(controls.seed, position * z.length + i) >>> 8) + 0.5) * 2 ** -24;
    return z[i] / controls.temperature - Math.log(-Math.log(uniform));
  };
  return [...z.keys()].reduce((best, i) => (score(i) > score(best) ? i : best), 0);
}

/** Logits with many equal values, all negative, spread over several binades. */
function logits(vocabulary: number): Float32Array {
  return uniform(vocabulary, count * vocabulary).map((v, i) => (i % 3 === 0 ? Math.round(v * 4) - 5 : v * 8 - 9));
}

const cases: readonly Controls[] = [
  { temperature: 0, seed: 1, k: 0, p: 1 }, { temperature: 1, seed: 1, k: 0, p: 1 }, { temperature: 1, seed: 2, k: 1, p: 1 }, { temperature: 4, seed: 3, k: 7, p: 1 },
  { temperature: 1.5, seed: 4, k: 100000, p: 0.3 }, { temperature: 3, seed: 5, k: 11, p: 0.62 }, { temperature: 2, seed: 6, k: 50, p: 1e-6 }, { temperature: 0.7, seed: 7, k: 25, p: 0.95 },
];

async function choices(device: Device, vocabulary: number): Promise<{ got: number[]; want: number[] }[]> {
  const executable = await device.load(bundleFor(vocabulary, device.name as Runnable));
  const [x, position] = [logits(vocabulary), Int32Array.from({ length: count }, (_, i) => 3 * i)];
  const out = [];
  for (const c of cases) {
    const { next } = await executable.run('choose', { tokens: count, outputs: count }, {
      x, position, rows: Int32Array.from(position.keys()), temperature: Float32Array.of(c.temperature), seed: Uint32Array.of(c.seed),
      top_k: Int32Array.of(Math.min(c.k, vocabulary)), top_p: Float32Array.of(c.p),
    }, ['next']);
    out.push({ got: [...next], want: Array.from(position, (at, i) => choice(x.subarray(i * vocabulary, (i + 1) * vocabulary), at, c)) });
  }
  await executable.close();
  return out;
}

const missing = await wgslMissing();

describe.each(['reference', 'cpu', 'wgsl'] as const)('sampling on %s', (name) => {
  let device: Device | undefined;
  afterAll(() => device?.close());

  // 1031: no multiple of any vector or tile, and longer than WGSL's tiles.
  it.skipIf(name === 'wgsl' && missing !== undefined).each([37, 1031])('keeps and draws as defined, vocabulary %i', async (vocabulary) => {
    device ??= await openDevice(name);
    for (const [i, { got, want }] of (await choices(device, vocabulary)).entries()) expect(got, JSON.stringify(cases[i])).toEqual(want);
  }, 240_000);
});
