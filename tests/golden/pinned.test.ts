/**
 * Forced expert choices. The selection bias of a K2 gate decides who is chosen and nothing else: without it, but with the
 * choices pinned, the logits must be those with it.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Device } from '../../backends/device.js';
import { importHf } from '../../compiler/import/hf.js';
import type { PinnedInput } from '../../compiler/passes/pin.js';
import { nodeLoader, standardFamilies } from '../../dsl/std-node.js';
import { compile, type CompileRequest, load, openCheckpoint, storedIn, type LoadedModel } from '../../index.js';
import { runPrompt } from '../../runtime/run-prompt.js';
import { splitTap, tapsOf } from '../../runtime/taps.js';
import { openDevice } from '../support/devices.js';
import { families, openFamily, relativeError, type Family } from './families.js';

describe.skipIf(!families.includes('k2-tiny')).each(['reference', 'cpu'] as const)('pinned expert choices on %s', (target) => {
  let family: Family;
  let device: Device | undefined;
  beforeAll(async () => {
    family = await openFamily('k2-tiny');
    device = await openDevice(target);
  }, 120_000);
  afterAll(async () => {
    await device?.close();
    await family.close();
  });

  async function open(extra: Pick<CompileRequest, 'taps' | 'pins'>): Promise<{ model: LoadedModel; compiled: ReturnType<typeof compile> }> {
    const path = join(family.folder, 'config.json');
    const text = importHf({ config: { path, text: readFileSync(path, 'utf8') }, rules: standardFamilies() }).text!;
    const checkpoint = await openCheckpoint(family.folder);
    const compiled = compile({ entry: { path: 'k2.firn', text }, load: nodeLoader, target, stored: storedIn(checkpoint), context: 128, maxTokens: 128, outputs: 128, ...extra });
    expect(compiled.diagnostics).toEqual([]);
    const model = await load(compiled.bundle!, device!, { weights: { checkpoint, sources: compiled.sources! } });
    await checkpoint.close();
    return { model, compiled };
  }

  async function dropBias({ model, compiled }: Awaited<ReturnType<typeof open>>): Promise<void> {
    const biases = compiled.bundle!.plan.weights.filter((w) => /bias/.test(w.path));
    expect(biases.length).toBeGreaterThan(0);
    for (const w of biases) await model.executable.write(w.buffer, w.offset, new Uint8Array(w.bytes));
  }

  it('give the logits of the model that made them', async () => {
    const prompt = family.prompts[2];
    const expected = await family.read('logits.2');
    const free = await open({ taps: ['router'] });
    const chosen = new Map<string, Int32Array>();
    for await (const { outputs, tokens } of runPrompt(free.model.session, prompt, tapsOf(free.compiled.bundle!.plan, free.compiled.module!.taps).map((t) => t.output))) {
      for (const tap of tapsOf(free.compiled.bundle!.plan, free.compiled.module!.taps)) for (const { name, data } of splitTap(tap, outputs[tap.output], tokens)) chosen.set(name, data as Int32Array);
    }
    const logits = async (model: LoadedModel, inputs: Record<string, Int32Array>, chunk?: number): Promise<Float32Array> => {
      const out = new Float32Array(expected.length);
      for await (const { start, outputs } of runPrompt(model.session, prompt, ['logits'], { inputs, chunk })) out.set(outputs.logits, start * model.session.vocabulary);
      return out;
    };
    await dropBias(free);
    expect(relativeError(await logits(free.model, {}), expected)).toBeGreaterThan(1e-3);
    await free.model.close();

    const pinned = await open({ pins: [...chosen.keys()] });
    // Nothing needs the bias any more, and the plan does without it.
    expect(pinned.compiled.bundle!.plan.weights.filter((w) => /bias/.test(w.path))).toEqual([]);
    const inputs = Object.fromEntries(pinned.compiled.pinned!.map((p) => [p.input, packed(p, chosen, prompt.length)]));
    expect(pinned.compiled.bundle!.plan.entries[0].outputs.map((o) => o.name)).toEqual(['logits', 'next']);
    for (const chunk of [undefined, 5]) expect(relativeError(await logits(pinned.model, inputs, chunk), expected)).toBeLessThan(3e-5);
    await pinned.model.close();
  }, 240_000);
});

/** [tokens, names, active] of the ids by name. */
function packed(p: PinnedInput, chosen: ReadonlyMap<string, Int32Array>, tokens: number): Int32Array {
  const out: number[] = [];
  for (let t = 0; t < tokens; t++) for (const name of p.names) out.push(...chosen.get(name)!.subarray(t * p.active, (t + 1) * p.active));
  return Int32Array.from(out);
}
