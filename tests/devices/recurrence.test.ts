import { describe, expect, it, vi } from 'vitest';
import { compile, load } from '../../index.js';
import { nodeLoader } from '../../dsl/std-node.js';
import type { Session } from '../../runtime/session.js';
import { openDevice, type Runnable } from '../support/devices.js';

vi.setConfig({ testTimeout: 300_000 });

const spec = {
  path: 'recurrent.firn',
  text: `use std.{rms, embedding, linear, swiglu, gated_delta_net}

model Recurrent {
  dim vocab = 48
  dim hidden = 40
  context 64
  def norm  = rms(eps: 1e-6)
  def mixer = gated_delta_net(heads: 3, group: 1, key: 8, value: 6, taps: 4, norm: norm, chunk: 8)
  x = embed = embedding(tokens, vocab, hidden)
  repeat layers[2] as i {
    x += mix = mixer(mix_norm = norm(x))
    x += ffn = swiglu(ffn_norm = norm(x), 24)
  }
  h = final_norm = norm(x)
  logits = head = linear(h, vocab)
  precision { weights: f32  activations: f32  cache: f32  accumulate: f32 }
}
`,
};

const lengths = [37, 5];
const ids = (s: number): number[] => Array.from({ length: lengths[s] }, (_, i) => (s * 17 + i * 13 + ((i * i) % 7)) % 48);

/** All logits of both sequences, run together in pieces of at most `piece` tokens each. */
async function run(session: Session, piece: number): Promise<number[][]> {
  const sequences = lengths.map(() => session.open());
  const out: number[][] = lengths.map(() => []);
  for (let from = 0; from < Math.max(...lengths); from += piece) {
    const active = [0, 1].filter((s) => from < lengths[s]);
    const works = active.map((s) => ({ sequence: sequences[s], tokens: ids(s).slice(from, from + piece), rows: 'all' as const }));
    const results = await session.run(works, ['logits']);
    active.forEach((s, i) => out[s].push(...(results[i].outputs.logits as Float32Array)));
  }
  sequences.forEach((s) => session.close(s));
  return out;
}

describe('a gated delta rule with short convolutions, written in the language', () => {
  const seen: number[][][] = [];
  for (const name of ['reference', 'cpu'] as Runnable[]) {
    it(`${name}: whole, in chunks and token by token`, async () => {
      const { bundle, diagnostics } = compile({ entry: spec, load: nodeLoader, target: name, sequences: 2, maxTokens: 48, outputs: 48 });
      expect(diagnostics).toEqual([]);
      const device = await openDevice(name);
      const model = await load(bundle!, device, { weights: { seed: 5 } });
      try {
        const whole = await run(model.session, 64);
        seen.push(whole);
        for (const piece of [11, 5, 1]) compareLogits(await run(model.session, piece), whole);
        compareLogits(whole, seen[0]);
      } finally {
        await model.close();
        await device.close();
      }
    });
  }
});

function compareLogits(found: number[][], wanted: number[][]): void {
  wanted.forEach((list, s) => {
    const largest = list.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
    expect(largest).toBeGreaterThan(0.01);
    expect(found[s].length).toBe(list.length);
    expect(found[s].reduce((m, v, i) => Math.max(m, Math.abs(v - list[i])), 0) / largest).toBeLessThan(3e-5);
  });
}
