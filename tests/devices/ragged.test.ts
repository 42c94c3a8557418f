import { describe, expect, it, vi } from 'vitest';
import { compile, load } from '../../index.js';
import type { Bundle } from '../../compiler/ir/plan.js';
import { nodeLoader } from '../../dsl/std-node.js';
import { Session, type WorkResult } from '../../runtime/session.js';
import { openDevice, wgslMissing, type Runnable } from '../support/devices.js';
import { smallSpec } from '../support/small-spec.js';

vi.setConfig({ testTimeout: 300_000 });

/** Per sequence, its tokens in the pieces in which they are run; round r of all sequences is one run. */
const rounds: readonly (readonly number[])[] = [[19, 1, 1], [5, 1, 4], [0, 33, 1]];
const ids = (sequence: number, from: number, count: number): number[] => Array.from({ length: count }, (_, i) => (sequence * 31 + (from + i) * 7 + ((from + i) * (from + i)) % 11) % 64);

/** Blocks in an order that has nothing to do with positions. */
function shuffled(): (free: readonly number[]) => number {
  let state = 12345;
  return (free) => { state = (Math.imul(state, 1103515245) + 12345) >>> 0; return state % free.length; };
}

function bundleFor(target: Runnable): Bundle {
  const { bundle, diagnostics } = compile({ entry: smallSpec, load: nodeLoader, target, sequences: 3, maxTokens: 48, outputs: 48, context: 48 });
  expect(diagnostics).toEqual([]);
  return bundle!;
}

/** All logits of each sequence, running the given sequences together. */
async function run(session: Session, which: readonly number[]): Promise<Map<number, number[]>> {
  const sequences = new Map(which.map((s) => [s, session.open()]));
  const logits = new Map<number, number[]>(which.map((s) => [s, []]));
  const done = new Map<number, number>(which.map((s) => [s, 0]));
  for (let round = 0; round < 3; round++) {
    const active = which.filter((s) => rounds[s][round] > 0);
    if (active.length === 0) continue;
    const works = active.map((s) => ({ sequence: sequences.get(s)!, tokens: ids(s, done.get(s)!, rounds[s][round]), rows: 'all' as const }));
    const results: WorkResult[] = await session.run(works, ['logits']);
    active.forEach((s, i) => { logits.get(s)!.push(...(results[i].outputs.logits as Float32Array)); done.set(s, done.get(s)! + rounds[s][round]); });
  }
  for (const s of sequences.values()) session.close(s);
  return logits;
}

const why = await wgslMissing();
describe('sequences of different lengths in one run, cache in shuffled blocks', () => {
  for (const name of ['reference', 'cpu', 'wgsl'] as Runnable[]) {
    it.skipIf(name === 'wgsl' && why !== undefined)(`${name}: prefill and decode mixed equal each sequence alone`, async () => {
      const device = await openDevice(name);
      const bundle = bundleFor(name);
      const model = await load(bundle, device, { weights: { seed: 11 }, policy: shuffled() });
      try {
        const prefillOnly = new Session(model.executable, { ...bundle.plan, entries: bundle.plan.entries.filter((e) => e.name === 'prefill') }, { policy: shuffled() });
        const together = await run(prefillOnly, [0, 1, 2]);
        for (const s of [0, 1, 2]) {
          const alone = (await run(prefillOnly, [s])).get(s)!;
          const mixed = together.get(s)!;
          expect(mixed.length).toBe(alone.length);
          const largest = alone.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
          const worst = mixed.reduce((m, v, i) => Math.max(m, Math.abs(v - alone[i])), 0);
          expect(largest).toBeGreaterThan(0.05);
          if (name === 'reference') expect(mixed).toEqual(alone);
          else expect(worst / largest).toBeLessThan(3e-5);
        }
        // The entry for few tokens means the same.
        const decoded = (await run(model.session, [1])).get(1)!;
        const mixed = together.get(1)!;
        const largest = mixed.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
        decoded.forEach((v, i) => expect(Math.abs(v - mixed[i]) / largest).toBeLessThan(3e-5));
      } finally {
        await model.close();
        await device.close();
      }
    });
  }
});
