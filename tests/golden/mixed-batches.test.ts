/**
 * Three sequences of different lengths in one run of one entry, prefill and decode mixed, their cache blocks shuffled,
 * get what each gets alone: bit for bit on the reference device, to rounding on the others (whose kernels group rows).
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Device } from '../../backends/device.js';
import { importHf } from '../../compiler/import/hf.js';
import { nodeLoader } from '../../dsl/std-node.js';
import { compile, load, type LoadedModel } from '../../index.js';
import type { BlockPolicy } from '../../runtime/block-pool.js';
import { kimiK2, mixtral } from '../import/configs.js';
import { testDevices } from '../support/devices.js';
import { relativeError } from './families.js';

const latent = {
  ...kimiK2, hidden_size: 64, num_hidden_layers: 3, num_attention_heads: 3, num_key_value_heads: 3, q_lora_rank: 24, kv_lora_rank: 32, qk_nope_head_dim: 16,
  qk_rope_head_dim: 8, v_head_dim: 12, intermediate_size: 96, moe_intermediate_size: 32, n_routed_experts: 6, num_experts_per_tok: 2, vocab_size: 160, max_position_embeddings: 256,
};
const grouped = { ...mixtral, hidden_size: 64, intermediate_size: 48, num_attention_heads: 6, num_hidden_layers: 2, num_key_value_heads: 2, head_dim: 8, num_local_experts: 4, vocab_size: 160, max_position_embeddings: 256 };

const ids = (n: number, seed: number): number[] => Array.from({ length: n }, (_, i) => (i * i * 7 + i * 13 + seed * 29) % 160);
/** Lengths of the three sequences' prompts, and how many tokens each adds in each run. */
const lengths = [37, 5, 18];
const runs = [[20, 0, 18], [17, 5, 1], [1, 1, 1], [1, 1, 1]];

function shuffled(): BlockPolicy {
  let state = 12345;
  return (free) => (state = (state * 1103515245 + 12345) % 2147483648) % free.length;
}

async function open(config: object, target: 'reference' | 'cpu' | 'wgsl', device: Device, policy?: BlockPolicy): Promise<LoadedModel> {
  const { text } = importHf({ config: { path: 'config.json', text: JSON.stringify(config) } });
  const { bundle, diagnostics } = compile({ entry: { path: 'tiny.firn', text: text! }, load: nodeLoader, target, context: 64, sequences: 3, maxTokens: 48, outputs: 48 });
  expect(diagnostics).toEqual([]);
  return load(bundle!, device, { weights: { seed: 3 }, ...(policy === undefined ? {} : { policy }) });
}

/** Logits of every token of every sequence: the sequences in turn, or together in the runs above. */
async function logits({ session }: LoadedModel, together: boolean): Promise<Float32Array[]> {
  const out: number[][] = [[], [], []];
  const all = lengths.map((n, s) => ids(n + 3, s));
  const groups = together ? [[0, 1, 2]] : [[0], [1], [2]];
  for (const group of groups) {
    const open = group.map((s) => ({ s, sequence: session.open() }));
    for (const counts of runs) {
      const works = open.filter(({ s }) => counts[s] > 0).map(({ s, sequence }) => ({ s, sequence, tokens: all[s].slice(sequence.length, sequence.length + counts[s]), rows: 'all' as const }));
      if (works.length === 0) continue;
      const results = await session.run(works, ['logits']);
      results.forEach((r, i) => out[works[i].s].push(...r.outputs.logits));
    }
    open.forEach(({ sequence }) => session.close(sequence));
  }
  return out.map((x) => Float32Array.from(x));
}

for (const { name, missing, open: openDevice } of testDevices) {
  for (const [kind, config] of [['latent attention', latent], ['grouped-query attention', grouped]] as const) {
    if (missing !== undefined) {
      describe(`${kind} on ${name}`, () => it.skip(`skipped: ${missing}`, () => undefined));
      continue;
    }
    describe(`${kind} on ${name}`, { timeout: 300_000 }, () => {
      let device: Device;
      let alone: LoadedModel;
      let mixed: LoadedModel;
      beforeAll(async () => {
        device = await openDevice();
        alone = await open(config, name, device);
        mixed = await open(config, name, device, shuffled());
      }, 300_000);
      afterAll(async () => {
        await alone.close();
        await mixed.close();
        await device.close();
      });

      it('equals each sequence alone', async () => {
        const expected = await logits(alone, false);
        const actual = await logits(mixed, true);
        for (let s = 0; s < 3; s++) {
          expect(actual[s].length).toBe(runs.reduce((n, r) => n + r[s], 0) * 160);
          if (name === 'reference') expect(actual[s]).toEqual(expected[s]);
          else expect(relativeError(actual[s], expected[s])).toBeLessThan(3e-5);
        }
      });
    });
  }
}
