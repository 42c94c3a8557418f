import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Module } from '../../compiler/ir/graph.js';
import type { Interpreted } from '../../compiler/ir/interpret-graph.js';
import { requireValid } from '../../compiler/ir/verify-graph.js';
import { fakeQuantize } from '../../compiler/passes/fake-quantize.js';
import { difference } from '../numeric/fixtures.js';
import { loadGoldenModel, readTensors } from '../support/golden-model.js';
import { families, goldenFolder } from './families.js';
import { normDifference, runBatch, storedGradients, trainingForm } from './training.js';

const tolerance = 1e-5;

async function compareGradients(family: string, file: string, loss: number, prepare: (m: Module) => Module = (m) => m): Promise<{ zeros: number; count: number; module: Module; outputs: Interpreted['outputs'] }> {
  const model = await loadGoldenModel(family, { taps: true });
  const module = trainingForm(prepare(model.module));
  requireValid(module, 'training form');
  const { outputs } = await runBatch(family, model, module);
  expect(Math.abs(outputs.loss.data[0] - loss) / loss).toBeLessThan(1e-7);
  const wanted = new Map([...(await readTensors(join(goldenFolder, family, file)))].filter(([name]) => name.startsWith('grad.')));
  const found = storedGradients(model, module, outputs, wanted);
  expect([...found.keys()].sort()).toEqual([...wanted.keys()].sort());
  const errors = [...wanted].map(([name, reference]) => ({ name, error: normDifference(found.get(name)!, reference) }));
  expect(errors.filter((e) => !(e.error < tolerance))).toEqual([]);
  return { zeros: [...wanted.values()].filter((w) => w.every((x) => x === 0)).length, count: wanted.size, module, outputs };
}

const lossOf = (family: string): number => JSON.parse(readFileSync(join(goldenFolder, family, 'train.json'), 'utf8')).loss;

const has = (family: string, file: string): boolean => families.includes(family) && existsSync(join(goldenFolder, family, file));

describe('gradients of published models', () => {
  it.skipIf(!has('k2-tiny', 'train.safetensors'))('k2-tiny: through latent attention, routed experts and a rolled repeat; unused experts exactly 0', async () => {
    const { zeros, count, module, outputs } = await compareGradients('k2-tiny', 'train.safetensors', lossOf('k2-tiny'));
    expect(count).toBe(113);
    expect(zeros).toBe(3);
    // The largest scaled score of every head over the batch.
    const wanted = await readTensors(join(goldenFolder, 'k2-tiny/train.safetensors'));
    const found = module.taps.flatMap((t) => t.names.map((name, i) => ({ name, output: t.output, i }))).filter((t) => t.name.endsWith('.max_logit'));
    expect(found).toHaveLength(3);
    for (const { name, output, i } of found) {
      const reference = wanted.get(`max_logit.${/\d+/.exec(name)![0]}`)!;
      expect(difference(outputs[output].data.slice(i * reference.length, (i + 1) * reference.length), reference)).toBeLessThan(1e-6);
    }
  });

  it.skipIf(!has('llama31-tiny', 'train.safetensors'))('llama31-tiny', async () => {
    expect((await compareGradients('llama31-tiny', 'train.safetensors', lossOf('llama31-tiny'))).count).toBe(30);
  });

  for (const [family, count] of [['bloom-tiny', 41], ['moonlight-tiny', 107], ['qwen3-moe-tiny', 138]] as const) {
    it.skipIf(!has(family, 'train.safetensors'))(family, async () => {
      expect((await compareGradients(family, 'train.safetensors', lossOf(family))).count).toBe(count);
    }, 30_000);
  }

  it.skipIf(!has('k2-tiny', 'train-qat.safetensors'))('k2-tiny with fake-quantised experts', async () => {
    const { loss } = JSON.parse(readFileSync(join(goldenFolder, 'k2-tiny/train-extras.json'), 'utf8'));
    const quantize = (m: Module): Module => fakeQuantize({
      ...m, params: m.params.map((p) => (p.paths[0].includes('.experts.') ? { ...p, storage: { kind: 'int4', group: 32, along: p.type.axes.at(-1)!.name, scale: 'bf16' } } : p)),
    });
    await compareGradients('k2-tiny', 'train-qat.safetensors', loss, quantize);
  });
});
