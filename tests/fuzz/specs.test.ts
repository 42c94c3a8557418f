/**
 * Random models: every device gives what the graph interpreter gives, whole and in pieces. A few by default;
 * FIRN_FUZZ_REFERENCE, FIRN_FUZZ_CPU (above 10 without the C++ compiler's optimisation) and FIRN_FUZZ_WGSL say how many,
 * FIRN_FUZZ_SEED which ones. FIRN_FUZZ_RECORD: see record.ts.
 */
import fc from '../support/properties.js';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { cpuDevice } from '../../backends/cpu/device.js';
import type { Device } from '../../backends/device.js';
import type { Bundle } from '../../compiler/ir/plan.js';
import { root } from '../cli/firn.js';
import { openDevice, wgslMissing, type Runnable } from '../support/devices.js';
import { compileText, distance, interpreted, run, type Compiled } from './meaning.js';
import { randomChoices, randomSpec } from './random-spec.js';
import { record } from './record.js';

vi.setConfig({ testTimeout: 24 * 3600_000 });

const library = readdirSync(join(root, 'dsl', 'std')).filter((n) => n.endsWith('.firn')).map((n) => readFileSync(join(root, 'dsl', 'std', n), 'utf8')).join('\n');
const names = [...library.matchAll(/^(?:layer|fn|const) (\w+)/gm)].map((m) => m[1]);
const seed = Number(process.env.FIRN_FUZZ_SEED ?? 1);
const counts: Readonly<Record<Runnable, number>> = { reference: Number(process.env.FIRN_FUZZ_REFERENCE ?? 12), cpu: Number(process.env.FIRN_FUZZ_CPU ?? 1), wgsl: Number(process.env.FIRN_FUZZ_WGSL ?? 1) };

/** Plans to run on a device; the reference device runs one in three models also without fusion. */
function plansFor(name: Runnable, reference: Compiled, text: string, choices: readonly number[]): readonly (readonly [string, Bundle])[] {
  if (name !== 'reference') return [['', compileText(text, name).bundle]];
  const apart = choices[0] % 3 === 0 ? [['unfused, ', compileText(text, name, false).bundle] as const] : [];
  return [['', reference.bundle], ...apart];
}

/**
 * What disagrees, or undefined. Near-ties of a router and steps of a short float can make one set of weights differ a
 * lot without a fault, two in three cannot.
 */
async function disagreement(name: Runnable, device: Device, choices: readonly number[]): Promise<string | undefined> {
  const { text, vocab, reduced } = randomSpec(choices, names);
  const reference = compileText(text, 'reference');
  for (const [how, bundle] of plansFor(name, reference, text, choices)) {
    const found: string[] = [];
    for (const weights of [1, 2, 3]) {
      const meaning = interpreted(reference, weights, vocab);
      const { whole, pieces } = await run(device, bundle, weights, vocab);
      const [a, b] = [distance(whole, meaning), distance(pieces, meaning)];
      if (Math.max(a, b) <= (reduced ? 0.06 : 3e-5)) { if (weights === 1) break; continue; }
      found.push(`${how}whole ${a.toExponential(1)}, in pieces ${b.toExponential(1)}`);
      if (found.length === 2) return `${found.join('; ')}\n${text}`;
    }
  }
  return undefined;
}

/** The C++ compiler takes most of the time of a model that runs once: it does not optimise, and what it wrote does not stay. */
async function briefCpu(): Promise<Device> {
  const cache = mkdtempSync(join(tmpdir(), 'firn-fuzz-'));
  process.env.XDG_CACHE_HOME = cache;
  const device = await cpuDevice({ threads: 2, optimization: 'none' });
  const close = async (): Promise<void> => {
    await device.close();
    rmSync(cache, { recursive: true, force: true });
  };
  const load: Device['load'] = async (bundle) => {
    const loaded = await device.load(bundle);
    rmSync(join(cache, 'firn', 'kernels'), { recursive: true, force: true });
    return loaded;
  };
  return { ...device, load, close };
}

const why = await wgslMissing();
describe.each(['reference', 'cpu', 'wgsl'] as Runnable[])('random models on %s', (name) => {
  const device = name === 'wgsl' && why !== undefined ? undefined : name === 'cpu' && counts.cpu > 10 ? briefCpu() : openDevice(name);
  afterAll(async () => (await device)?.close());
  it.skipIf(device === undefined)(`mean what the graph interpreter says${device === undefined ? ` (needs WebGPU: ${why})` : ''}`, async () => {
    const [start, faults] = [performance.now(), [] as string[]];
    let count = 0;
    await fc.assert(fc.asyncProperty(randomChoices, async (choices) => {
      count += Number(faults.length === 0);
      const wrong = await disagreement(name, await device!, choices);
      if (wrong !== undefined) faults.push(wrong);
      if (wrong !== undefined) throw new Error(wrong);
    }), { numRuns: counts[name], seed, interruptAfterTimeLimit: Number(process.env.FIRN_FUZZ_LIMIT ?? 24 * 3600_000) })
      .finally(() => record({ what: `models on ${name}`, seed, count, faults: faults.slice(-1), seconds: (performance.now() - start) / 1000 }));
  });
});

it('every layer of the library is in the menu', () => {
  const menu = readFileSync(join(root, 'tests', 'fuzz', 'random-spec.ts'), 'utf8');
  const layers = [...library.matchAll(/^layer (\w+)/gm)].map((m) => m[1]);
  const inside = (layer: string): boolean => [...library.matchAll(new RegExp(`\\b${layer}\\(`, 'g'))].length > 1;
  // Update rules belong to training; the indexer chooses tokens for an attention that tests/layers/selection.test.ts has.
  const others = ['adamw', 'muon_clip', 'lightning_indexer'];
  expect(layers.filter((layer) => !others.includes(layer) && !new RegExp(`\\b${layer}\\b`).test(menu) && !inside(layer))).toEqual([]);
});
