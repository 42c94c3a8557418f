/** Prompts continued together get the tokens that each gets alone. */
import { describe, expect, it } from 'vitest';
import { nodeLoader } from '../../dsl/std-node.js';
import { compile, load } from '../../index.js';
import { generate } from '../../runtime/generate.js';
import { generateBatch } from '../../runtime/generate-batch.js';
import { openDevice, wgslMissing, type Runnable } from '../support/devices.js';
import { smallSpec } from '../support/small-spec.js';

const prompts = [1, 13, 40, 6].map((length, s) => Array.from({ length }, (_, i) => (s * 31 + i * 7 + ((i * i) % 11)) % 64));
const why = await wgslMissing();

describe.each(['reference', 'cpu', 'wgsl'] as Runnable[])('a batch on %s', (name) => {
  it.skipIf(name === 'wgsl' && why !== undefined)('gives each prompt what it gets alone, and says whose each token is', async () => {
    const device = await openDevice(name);
    const compiled = (sequences: number): ReturnType<typeof compile> => compile({ entry: smallSpec, load: nodeLoader, target: name, sequences, maxTokens: 48, context: 64 });
    const [one, many] = [await load(compiled(1).bundle!, device, { weights: { seed: 3 } }), await load(compiled(4).bundle!, device, { weights: { seed: 3 } })];
    try {
      for (const sampling of [{}, { temperature: 1.5, topK: 20, topP: 0.9, seed: 5 }]) {
        const streamed: number[][] = prompts.map(() => []);
        const together = await generateBatch(many.session, prompts, { ...sampling, maxTokens: 12, chunk: 16, onToken: (prompt, id) => streamed[prompt].push(id) });
        for (const [i, prompt] of prompts.entries()) {
          const alone = await generate(one.session, prompt, { ...sampling, maxTokens: 12, chunk: 16 });
          expect(together[i].tokens, `prompt ${i}`).toEqual(alone.tokens);
          expect(together[i]).toMatchObject({ reason: 'length', promptTokens: prompt.length, decodedTokens: 11 });
          expect(streamed[i]).toEqual(alone.tokens);
        }
      }
      const { tokens } = await generate(one.session, prompts[1], { maxTokens: 12 });
      const stopped = await generateBatch(many.session, prompts, { maxTokens: 12, stop: [tokens[2]] });
      expect(stopped[1]).toMatchObject({ reason: 'stop', tokens: tokens.slice(0, tokens.indexOf(tokens[2])) });
      await expect(generateBatch(many.session, [...prompts, [1]], { maxTokens: 1 })).rejects.toMatchObject({ code: 'R03' });
      // Nothing of a refused batch stays open.
      expect(await generateBatch(many.session, prompts, { maxTokens: 1 })).toHaveLength(4);
    } finally {
      await one.close();
      await many.close();
      await device.close();
    }
  }, 300_000);
});
