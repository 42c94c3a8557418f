import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { referenceDevice } from '../../backends/reference/device.js';
import { compile, importHf, load, storedIn, type Compiled } from '../../index.js';
import type { Mesh } from '../../compiler/ir/mesh.js';
import { nodeLoader } from '../../dsl/std-node.js';
import { Checkpoint } from '../../runtime/checkpoint.js';
import { families, goldenFolder, openFamily, relativeError } from '../golden/families.js';

interface Ran { readonly logits: readonly Float32Array[]; readonly compiled: Compiled; readonly weightBytes: number }

/** Logits of all prompts: whole, or the first part at once and then token by token. */
async function logitsOf(family: string, prompts: readonly (readonly number[])[], mesh: Mesh | undefined, decodeFrom = Infinity): Promise<Ran> {
  const folder = join(goldenFolder, family);
  const imported = importHf({ config: { path: 'config.json', text: readFileSync(join(folder, 'config.json'), 'utf8') } });
  const checkpoint = await Checkpoint.open(folder);
  try {
    const longest = Math.max(...prompts.map((p) => p.length));
    const compiled = compile({
      entry: { path: 'model.firn', text: imported.text! }, load: nodeLoader, target: 'reference', stored: storedIn(checkpoint),
      context: longest, maxTokens: longest, outputs: longest, ...(mesh ? { mesh } : {}),
    });
    expect(compiled.diagnostics).toEqual([]);
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

describe('four ranks, two tensor parts times two expert parts', () => {
  it.skipIf(!families.includes('k2-tiny'))('k2-tiny: logits of every prompt as published and as on one rank, prefill and decode', { timeout: 300_000 }, async () => {
    const family = await openFamily('k2-tiny');
    const one = await logitsOf('k2-tiny', family.prompts, undefined);
    const four = await logitsOf('k2-tiny', family.prompts, mesh);
    const decoded = await logitsOf('k2-tiny', family.prompts.slice(0, 2), mesh, 3);
    const errors = [];
    for (const [i, logits] of four.logits.entries()) {
      errors.push(relativeError(logits, one.logits[i]), relativeError(logits, await family.read(`logits.${i}`)));
    }
    for (const [i, logits] of decoded.logits.entries()) errors.push(relativeError(logits, one.logits[i]));
    console.log(errors, one.weightBytes, four.weightBytes);
    expect(Math.max(...errors)).toBeLessThan(1e-5);
    await family.close();
  });
});
