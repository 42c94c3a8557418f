import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { interpret } from '../../compiler/ir/interpret-graph.js';
import { requireValid } from '../../compiler/ir/verify-graph.js';
import { reassociate } from '../../compiler/passes/reassociate.js';
import { simplify } from '../../compiler/passes/simplify.js';
import { difference } from '../numeric/fixtures.js';
import { loadGoldenModel, readTensors, wholeSequences } from '../support/golden-model.js';
import { families, goldenFolder } from './families.js';

const prompt = 2;

describe('what a published model means', () => {
  for (const family of ['k2-tiny', 'mixtral-tiny', 'llama31-tiny', 'deepseek-v3-tiny', 'moonlight-tiny', 'bloom-tiny', 'qwen3-moe-tiny']) {
    it.skipIf(!families.includes(family))(`${family}: logits, hidden states and expert choices, as elaborated, simplified and reassociated`, async () => {
      const model = await loadGoldenModel(family, { taps: true });
      const simple = simplify(model.module, { inference: true });
      const moved = simplify(reassociate(simple, { tokens: 1, context: 1, force: 'move' }));
      const golden = await readTensors(join(goldenFolder, family, 'golden.safetensors'));
      const { prompts } = JSON.parse(readFileSync(join(goldenFolder, family, 'golden.json'), 'utf8'));
      const { inputs, dims } = wholeSequences([prompts[prompt]]);
      for (const module of [model.module, simple, moved]) {
        requireValid(module, family);
        const { outputs } = interpret(module, { params: model.params, inputs, dims });
        expect(difference(outputs.logits.data, golden.get(`logits.${prompt}`)!)).toBeLessThan(1e-5);
        let compared = 0;
        for (const tap of module.taps) for (const [i, name] of tap.names.entries()) {
          const reference = golden.get(name);
          if (reference === undefined) continue;
          const found = outputs[tap.output].data.slice(i * reference.length, (i + 1) * reference.length);
          if (name.startsWith('router')) expect(ascending(found, outputs[tap.output].axes.at(-1)!.size)).toEqual(Array.from(reference));
          else expect(difference(found, reference)).toBeLessThan(1e-5);
          compared++;
        }
        expect(compared).toBe([...golden.keys()].filter((n) => !n.startsWith('logits')).length);
      }
    });
  }
});

/** Rows of `size` ids, each in ascending order. */
function ascending(ids: ArrayLike<number>, size: number): number[] {
  const all = Array.from(ids);
  return Array.from({ length: all.length / size }, (_, r) => all.slice(r * size, (r + 1) * size).sort((a, b) => a - b)).flat();
}
