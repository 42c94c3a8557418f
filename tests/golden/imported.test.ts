/** Families whose rules are checked against the published code: config.json, imported, gives its logits. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { importHf } from '../../compiler/import/hf.js';
import { nodeLoader, standardFamilies } from '../../dsl/std-node.js';
import { compile, load, openCheckpoint, storedIn } from '../../index.js';
import { runPrompt } from '../../runtime/run-prompt.js';
import { openDevice } from '../support/devices.js';
import { relativeError } from './families.js';

const folder = 'tests/families';

describe('imported by config.json', () => {
  it.skipIf(!existsSync(join(folder, 'gpt2', 'config.json'))).each(['gpt2', 'gemma2', 'gemma3', 'gpt-oss', 'olmo2', 'granite', 'cohere2', 'neox', 'phi', 'phi3',
    'qwen3_next', 'ernie4_5_moe', 'deepseek_v2', 'glm4_moe', 'smollm3', 'seed_oss', 'starcoder2'])('%s', async (name) => {
    const path = join(folder, name);
    const { text, diagnostics } = importHf({ config: { path: 'config.json', text: readFileSync(join(path, 'config.json'), 'utf8') }, rules: standardFamilies() });
    expect(diagnostics).toEqual([]);
    const checkpoint = await openCheckpoint(join(path, 'model.safetensors'));
    const compiled = compile({ entry: { path: `${name}.firn`, text: text! }, load: nodeLoader, target: 'reference', stored: storedIn(checkpoint), context: 64, maxTokens: 40, outputs: 40 });
    expect(compiled.diagnostics).toEqual([]);
    const device = await openDevice('reference');
    const model = await load(compiled.bundle!, device, { weights: { checkpoint, sources: compiled.sources! } });
    const golden = await openCheckpoint(join(path, 'golden.safetensors'));
    const prompt = [...new Int32Array((await golden.read('tokens')).slice().buffer)];
    const expected = new Float32Array((await golden.read('logits')).slice().buffer);
    for (const chunk of [40, 7, 1]) {
      const found = new Float32Array(expected.length);
      for await (const { start, outputs } of runPrompt(model.session, prompt, ['logits'], chunk)) found.set(outputs.logits as Float32Array, start * model.session.vocabulary);
      expect(relativeError(found, expected)).toBeLessThan(1e-5);
    }
    await model.close();
    await checkpoint.close();
    await golden.close();
  }, 60_000);
});
