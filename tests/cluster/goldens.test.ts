import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { referenceDevice } from '../../backends/reference/device.js';
import { compile, importHf, load, storedIn, type Compiled } from '../../index.js';
import type { Mesh } from '../../compiler/ir/mesh.js';
import { nodeLoader, standardFamilies } from '../../dsl/std-node.js';
import { openCheckpoint } from '../../runtime/disk.js';
import { families, goldenFolder, openFamily, relativeError } from '../golden/families.js';

interface Ran { readonly logits: readonly Float32Array[]; readonly compiled: Compiled; readonly weightBytes: number }

/** Logits of all prompts: whole, or the first part at once and then token by token. */
async function logitsOf(family: string, prompts: readonly (readonly number[])[], mesh: Mesh | undefined, decodeFrom = Infinity): Promise<Ran> {
  const folder = join(goldenFolder, family);
  const imported = importHf({ config: { path: 'config.json', text: readFileSync(join(folder, 'config.json'), 'utf8') }, rules: standardFamilies() });
  const checkpoint = await openCheckpoint(folder);
  try {
    const longest = Math.max(...prompts.map((p) => p.length));
    const compiled = compile({
      entry: { path: 'model.firn', text: imported.text! }, load: nodeLoader, target: 'reference', stored: storedIn(checkpoint),
      context: longest, maxTokens: longest, outputs: longest, ...(mesh ? { mesh } : {}),
    });
    if (compiled.bundle === undefined) throw new Error(compiled.diagnostics.map((d) => d.message).join('\n'));
    const model = await load(compiled.bundle!, referenceDevice(), { weights: { checkpoint, sources: compiled.sources! } });
    const logits: Float32Array[] = [];
    for (const prompt of prompts) {
      const sequence = model.session.open();
      const parts: Float32Array[] = [];
      for (let at = 0; at < prompt.length;) {
        const tokens = prompt.slice(at, at < decodeFrom ? Math.min(decodeFrom, prompt.length) : at + 1);
        parts.push((await model.session.run([{ sequence, tokens, rows: 'all' }], ['logits']))[0].outputs.logits as Float32Array);
        at += tokens.length;
      }
      logits.push(Float32Array.from(parts.flatMap((p) => [...p])));
      model.session.close(sequence);
    }
    const weightBytes = model.executable.resident.get('weights')! / compiled.bundle!.plan.ranks;
    await model.close();
    return { logits, compiled, weightBytes };
  } finally {
    await checkpoint.close();
  }
}

const mesh = { tensor: 2, expert: 2 };

/** Bytes that one rank stores, by what the paths of the weights match. */
function storedBytes({ compiled }: Ran, pattern: RegExp): number {
  return compiled.bundle!.plan.weights.filter((w) => pattern.test(w.path)).reduce((n, w) => n + w.bytes, 0);
}

describe('four ranks, two tensor parts times two expert parts', () => {
  for (const name of ['k2-tiny', 'k2-tiny-int4']) {
    it.skipIf(!families.includes(name))(`${name}: logits of every prompt as published and as on one rank, prefill and decode`, { timeout: 300_000 }, async () => {
      const family = await openFamily(name);
      const one = await logitsOf(name, family.prompts, undefined);
      const four = await logitsOf(name, family.prompts, mesh);
      const decoded = await logitsOf(name, family.prompts, mesh, 3);
      for (const ran of [four, decoded]) for (const [i, logits] of ran.logits.entries()) {
        expect(relativeError(logits, one.logits[i]), `prompt ${i}, one rank`).toBeLessThan(1e-5);
        expect(relativeError(logits, await family.read(`logits.${i}`)), `prompt ${i}, published`).toBeLessThan(1e-5);
      }
      expect(storedBytes(one, /experts/) / storedBytes(four, /experts/)).toBe(4);
      expect(storedBytes(one, /attn\.(wq_b|wk_b|wv_b|wo)$/) / storedBytes(four, /attn\.(wq_b|wk_b|wv_b|wo)$/)).toBe(2);
      expect(storedBytes(one, /shared/) / storedBytes(four, /shared/)).toBe(2);
      expect(four.weightBytes).toBeLessThan(0.55 * one.weightBytes);
      await family.close();
    });
  }

  it.skipIf(!families.includes('llama31-tiny'))('llama31-tiny: seven query heads per key head do not divide by two', async () => {
    await expect(logitsOf('llama31-tiny', [[1]], { tensor: 2 })).rejects.toThrow(/the axis group of `layers\[0\]\.attn\.wq` has 7 places/);
  });
});
