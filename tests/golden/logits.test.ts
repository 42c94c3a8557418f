/**
 * Published checkpoints against PyTorch: imported, compiled and run, whole and in chunks. The bound is that of f32
 * arithmetic in another order; see the goldens' notes on what it lets through and what not.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Device } from '../../backends/device.js';
import { importHf } from '../../compiler/import/hf.js';
import { nodeLoader, standardFamilies } from '../../dsl/std-node.js';
import { compile, load, openCheckpoint, storedIn, type Compiled, type LoadedModel } from '../../index.js';
import { generate } from '../../runtime/generate.js';
import { runPrompt } from '../../runtime/run-prompt.js';
import { splitTap, tapsOf } from '../../runtime/taps.js';
import { everything, openDevice, type Runnable, wgslMissing } from '../support/devices.js';
import { families, goldenFolder, openFamily, relativeError, type Family } from './families.js';

const bound = { reference: 1e-5, cpu: 3e-5, wgsl: 3e-5 };

interface Opened { readonly family: Family; readonly device: Device; readonly compiled: Compiled; readonly model: LoadedModel }

async function open(name: string, target: Runnable): Promise<Opened> {
  const family = await openFamily(name);
  const config = { path: join(family.folder, 'config.json'), text: readFileSync(join(family.folder, 'config.json'), 'utf8') };
  const imported = importHf({ config, rules: standardFamilies() });
  expect(imported.diagnostics).toEqual([]);
  const checkpoint = await openCheckpoint(family.folder);
  const longest = Math.max(...family.prompts.map((p) => p.length));
  const tokens = Math.min(128, longest);
  const taps = ['hidden', ...(imported.text!.includes('"router.') ? ['router'] : [])];
  const compiled = compile({
    entry: { path: `${name}.firn`, text: imported.text! }, load: nodeLoader, target, stored: storedIn(checkpoint), taps,
    context: longest + family.greedy.tokens.length, maxTokens: tokens, outputs: tokens,
  });
  expect(compiled.diagnostics).toEqual([]);
  const device = await openDevice(target);
  const model = await load(compiled.bundle!, device, { weights: { checkpoint, sources: compiled.sources! } });
  await checkpoint.close();
  return { family, device, compiled, model };
}

async function logitsOf({ model }: Opened, prompt: readonly number[], chunk?: number): Promise<Float32Array> {
  const { session } = model;
  const out = new Float32Array(prompt.length * session.vocabulary);
  for await (const { start, outputs } of runPrompt(session, prompt, ['logits'], { chunk })) out.set(outputs.logits, start * session.vocabulary);
  return out;
}

if (families.length === 0) describe('goldens', () => it.skip(`skipped: no goldens in ${goldenFolder}; set FIRN_GOLDENS to their folder`, () => undefined));

const noWgsl = await wgslMissing();

for (const device of ['reference', 'cpu', 'wgsl'] as const) {
  for (const name of families) {
    // A software renderer needs minutes for its shaders.
    if (!everything && device === 'wgsl' && name !== 'k2-tiny') continue;
    if (device === 'wgsl' && noWgsl !== undefined) {
      describe(`${name} on wgsl`, () => it.skip(`skipped: ${noWgsl}`, () => undefined));
      continue;
    }
    describe(`${name} on ${device}`, { timeout: 600_000 }, () => {
      let opened: Opened;
      beforeAll(async () => { opened = await open(name, device); }, 600_000);
      afterAll(async () => {
        await opened.model.close();
        await opened.device.close();
        await opened.family.close();
      });

      it.each([['whole', undefined], ['in chunks of 5', 5], ['token by token', 1]])('logits %s', async (_, chunk) => {
        for (const [i, prompt] of opened.family.prompts.entries()) {
          const expected = await opened.family.read(`logits.${i}`);
          expect(relativeError(await logitsOf(opened, prompt, chunk), expected)).toBeLessThan(bound[device]);
        }
      });

      it('24 greedy tokens', async () => {
        const { prompt, tokens } = opened.family.greedy;
        const result = await generate(opened.model.session, opened.family.prompts[prompt], { maxTokens: tokens.length });
        expect(result.tokens).toEqual(tokens);
      });

      it('hidden states and expert choices', async () => {
        const taps = tapsOf(opened.compiled.bundle!.plan, opened.compiled.module!.taps);
        const prompt = opened.family.prompts[2];
        const names = opened.family.names.filter((n) => !n.startsWith('logits.'));
        for await (const { tokens, outputs } of runPrompt(opened.model.session, prompt, taps.map((t) => t.output))) {
          expect(tokens).toBe(prompt.length);
          const parts = new Map(taps.flatMap((t) => splitTap(t, outputs[t.output], tokens)).map((p) => [p.name, p.data]));
          for (const tap of names) {
            const expected = await opened.family.read(tap);
            if (expected instanceof Int32Array) expect(parts.get(tap)).toEqual(expected);
            else expect(relativeError(parts.get(tap)!, expected)).toBeLessThan(bound[device]);
          }
        }
      });
    });
  }
}
