/**
 * Random models: every device gives what the graph interpreter gives, whole and in pieces. A few by default;
 * FIRN_FUZZ_REFERENCE, FIRN_FUZZ_CPU and FIRN_FUZZ_WGSL say how many, FIRN_FUZZ_SEED where the seeds start.
 */
import fc from '../support/properties.js';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import type { Device } from '../../backends/device.js';
import { compile } from '../../index.js';
import { nodeLoader } from '../../dsl/std-node.js';
import { root } from '../cli/firn.js';
import { openDevice, wgslMissing, type Runnable } from '../support/devices.js';
import { distance, interpreted, moduleOf, run } from './meaning.js';
import { randomChoices, randomSpec } from './random-spec.js';

vi.setConfig({ testTimeout: 24 * 3600_000 });

const library = readdirSync(join(root, 'dsl', 'std')).filter((n) => n.endsWith('.firn')).map((n) => readFileSync(join(root, 'dsl', 'std', n), 'utf8')).join('\n');
const names = [...library.matchAll(/^(?:layer|fn|const) (\w+)/gm)].map((m) => m[1]);
const seed = Number(process.env.FIRN_FUZZ_SEED ?? 1);
const counts: Readonly<Record<Runnable, number>> = { reference: Number(process.env.FIRN_FUZZ_REFERENCE ?? 12), cpu: Number(process.env.FIRN_FUZZ_CPU ?? 1), wgsl: Number(process.env.FIRN_FUZZ_WGSL ?? 1) };

/**
 * What disagrees, or undefined. Near-ties of a router and steps of a short float can make one set of weights differ a
 * lot without a fault, two in three cannot.
 */
async function disagreement(device: Device, choices: readonly number[]): Promise<string | undefined> {
  const { text, vocab, reduced } = randomSpec(choices, names);
  const module = moduleOf(text);
  const { plan } = compile({ entry: { path: 'random.firn', text }, load: nodeLoader, target: 'reference', longest: 16, maxTokens: 16 }).bundle!;
  const found: string[] = [];
  for (const weights of [1, 2, 3]) {
    const meaning = interpreted(module, plan, weights, vocab);
    const { whole, pieces } = await run(device, text, weights, vocab);
    const [a, b] = [distance(whole, meaning), distance(pieces, meaning)];
    if (Math.max(a, b) <= (reduced ? 0.06 : 3e-5)) { if (weights === 1) return undefined; continue; }
    found.push(`whole ${a.toExponential(1)}, in pieces ${b.toExponential(1)}`);
    if (found.length === 2) return `${found.join('; ')}\n${text}`;
  }
  return undefined;
}

const why = await wgslMissing();
describe.each(['reference', 'cpu', 'wgsl'] as Runnable[])('random models on %s', (name) => {
  const device = name === 'wgsl' && why !== undefined ? undefined : openDevice(name);
  afterAll(async () => (await device)?.close());
  it.skipIf(device === undefined)(`mean what the graph interpreter says${device === undefined ? ` (needs WebGPU: ${why})` : ''}`, async () => {
    await fc.assert(fc.asyncProperty(randomChoices, async (choices) => {
      const wrong = await disagreement(await device!, choices);
      if (wrong !== undefined) throw new Error(wrong);
    }), { numRuns: counts[name], seed, interruptAfterTimeLimit: Number(process.env.FIRN_FUZZ_LIMIT ?? 24 * 3600_000) });
  });
});

it('every layer of the library is in the menu', () => {
  const menu = readFileSync(join(root, 'tests', 'fuzz', 'random-spec.ts'), 'utf8');
  const layers = [...library.matchAll(/^layer (\w+)/gm)].map((m) => m[1]);
  const inside = (layer: string): boolean => [...library.matchAll(new RegExp(`\\b${layer}\\(`, 'g'))].length > 1;
  // Update rules belong to training; the indexer chooses tokens for an attention that tests/layers/selection.test.ts has.
  // What a model has around other layers is in tests/layers/{depth,sharing,routing}.test.ts.
  const around = ['depth_attention', 'depth_average', 'hyper_connections', 'low_rank_addition', 'hash_gate'];
  const others = ['adamw', 'muon_clip', 'lightning_indexer', ...around];
  expect(layers.filter((layer) => !others.includes(layer) && !new RegExp(`\\b${layer}\\b`).test(menu) && !inside(layer))).toEqual([]);
});
