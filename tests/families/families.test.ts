/**
 * Published architectures as specs of one file each, on checkpoints with the published names, against what the published
 * code computes (see make.py): whole, in chunks and token by token.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { nodeLoader } from '../../dsl/std-node.js';
import { compile, load, openCheckpoint, storedIn, type LoadedModel } from '../../index.js';
import { runPrompt } from '../../runtime/run-prompt.js';
import { relativeError } from '../golden/families.js';
import { everything, openDevice, type Runnable, wgslMissing } from '../support/devices.js';
import { readTensors } from '../support/golden-model.js';

const folder = fileURLToPath(new URL('.', import.meta.url));
const names = readdirSync(folder).filter((f) => f.endsWith('.firn')).map((f) => f.slice(0, -5));
const bound = { reference: 1e-5, cpu: 3e-5, wgsl: 3e-5 };
/** Say nothing that others do not say, or take long: with FIRN_FULL, on the reference device. */
const combined = ['deepseek_v2', 'ernie4_5_moe', 'falcon_h1', 'gemma3n', 'jamba', 'kimi_linear', 'mamba2', 'minimax', 'recurrent_gemma', 'xlstm', 'zamba2', 'zaya'];
const telling = names.filter((n) => !combined.includes(n));
/** Compilers and software renderers need a while: these between them use most of what differs; all that are telling with FIRN_FULL. */
const chosen: Readonly<Record<Runnable, readonly string[]>> = everything
  ? { reference: names, cpu: telling, wgsl: telling }
  : { reference: telling, cpu: ['gpt-oss', 'gemma2', 'llama4', 'diffllama', 'longcat', 'mimo'].filter((n) => names.includes(n)), wgsl: [] };
const noWgsl = everything ? await wgslMissing() : undefined;

async function withModel(name: string, target: Runnable, use: (model: LoadedModel) => Promise<void>): Promise<void> {
  const checkpoint = await openCheckpoint(`${folder}${name}`);
  const entry = { path: `${name}.firn`, text: readFileSync(`${folder}${name}.firn`, 'utf8') };
  const { bundle, sources, diagnostics } = compile({ entry, load: nodeLoader, target, stored: storedIn(checkpoint), maxTokens: 64, outputs: 64 });
  expect(diagnostics).toEqual([]);
  const device = await openDevice(target);
  const model = await load(bundle!, device, { weights: { checkpoint, sources: sources! } });
  try {
    await use(model);
  } finally {
    await model.close();
    await device.close();
    await checkpoint.close();
  }
}

for (const target of ['reference', 'cpu', 'wgsl'] as const) {
  if (chosen[target].length === 0) continue;
  describe.skipIf(target === 'wgsl' && noWgsl !== undefined)(`on ${target}`, { timeout: 300_000 }, () => {
    it.each(chosen[target])('%s', async (name) => {
      const golden = await readTensors(`${folder}${name}/golden.safetensors`);
      const tokens = [...golden.get('tokens')!];
      await withModel(name, target, async ({ session }) => {
        for (const chunk of target === 'wgsl' ? [40, 1] : [40, 7, 1]) {
          const found = new Float32Array(tokens.length * session.vocabulary);
          for await (const { start, outputs } of runPrompt(session, tokens, ['logits'], chunk)) found.set(outputs.logits, start * session.vocabulary);
          expect(relativeError(found, golden.get('logits')!), `in pieces of ${chunk}`).toBeLessThan(bound[target]);
        }
      });
    });
  });
}
