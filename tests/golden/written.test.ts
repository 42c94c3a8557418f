/** Published checkpoints under specs that are written by hand: the examples, in the sizes of the goldens. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { nodeLoader } from '../../dsl/std-node.js';
import { compile, load, openCheckpoint, storedIn } from '../../index.js';
import { runPrompt } from '../../runtime/run-prompt.js';
import { openDevice } from '../support/devices.js';
import { hasFamily, openFamily, relativeError } from './families.js';

const example = (name: string): string => readFileSync(new URL(`../../examples/${name}.firn`, import.meta.url), 'utf8');

/** The spec of each family; its last model is the one that is meant. */
const specs: Readonly<Record<string, string>> = {
  'bloom-tiny': `${example('bloom').replaceAll(/^ {4}"(?!hidden)/gm, '    "transformer.')}
model Tiny = Bloom with { vocab = 320  hidden = 96  heads = 6  depth = 3 }`,
  'qwen3-moe-tiny': `${example('qwen3-235b-a22b')}
model Tiny = Qwen3Moe with {
  vocab = 320  hidden = 96  depth = 3
  rotary = rotate(freq: plain(base: 1e6, dims: 32), pairs: half)
  attention = gqa(heads: 6, kv_heads: 2, size: 32, biases: no, qk_norm: norm, qk_norm_on: each_head, rotary: rotary, score_scale: 32 ** -0.5)
  sparse = moe(experts: 12, active: 4, expert: swiglu(width: 48), gate: softmax_gate(normalize: true))
}`,
  'moonlight-tiny': `${example('moonlight')}
model Tiny = Moonlight with {
  vocab = 320  hidden = 96  depth = 3
  rotary = rotate(freq: plain(base: 50000, dims: 16), pairs: interleaved)
  attention = mla(heads: 4, q_rank: none, kv_rank: 32, nope: 32, rope: 16, value: 24, rotary: rotary, latent_norm: rms(eps: 1e-6), score_scale: 48 ** -0.5)
  dense = swiglu(width: 224)
  sparse = moe(experts: 12, active: 3, expert: swiglu(width: 64), shared: swiglu(width: 128), gate: sigmoid_gate(normalize: true, scale: 2.446))
}`,
};
const bound = { reference: 1e-5, cpu: 3e-5 };

for (const [name, text] of Object.entries(specs)) {
  describe.skipIf(!hasFamily(name))(`${name}, written by hand`, { timeout: 300_000 }, () => {
    it.each(['reference', 'cpu'] as const)('logits on %s, whole and in chunks', async (target) => {
      const family = await openFamily(name);
      const checkpoint = await openCheckpoint(family.folder);
      const { bundle, sources, diagnostics } = compile({ entry: { path: `${name}.firn`, text }, load: nodeLoader, target, precision: 'f32', stored: storedIn(checkpoint), context: 128, maxTokens: 128, outputs: 128 });
      expect(diagnostics).toEqual([]);
      const device = await openDevice(target);
      const model = await load(bundle!, device, { weights: { checkpoint, sources: sources! } });
      try {
        for (const chunk of [128, 7, 1]) for (const [i, prompt] of family.prompts.entries()) {
          const found = new Float32Array(prompt.length * model.session.vocabulary);
          for await (const { start, outputs } of runPrompt(model.session, prompt, ['logits'], chunk)) found.set(outputs.logits, start * model.session.vocabulary);
          expect(relativeError(found, await family.read(`logits.${i}`))).toBeLessThan(bound[target]);
        }
      } finally {
        await model.close();
        await device.close();
        await checkpoint.close();
        await family.close();
      }
    });
  });
}
