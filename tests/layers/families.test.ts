/**
 * Whole architectures as one file each, with their weight maps: counted in full, and a miniature of each beside a plain
 * implementation.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import { checkSpec } from '../../index.js';
import { nodeLoader } from '../../dsl/std-node.js';
import { checkForm, type Plain, type Weights } from '../support/form-model.js';
import { add, apply, attend, frequencies, rms, rotate, row, sigmoid, softmax, swiglu, times, top, type Vector } from '../support/plain.js';

vi.setConfig({ testTimeout: 300_000 });

const [vocab, hidden] = [40, 24];
const precision = 'precision { activations: f32  cache: f32 }';

function fileOf(name: string): string {
  return readFileSync(new URL(`../spec/families/${name}.firn`, import.meta.url), 'utf8');
}

const cut = (list: Vector, part: number, size: number): Vector => list.slice(part * size, (part + 1) * size);
const expertOf = (w: Weights, path: string, e: number, x: Vector, width: number): number[] =>
  swiglu(...(['gate', 'up', 'down'] as const).map((m) => row(w(`${path}.${m}`), e, width * x.length)) as [Vector, Vector, Vector], x);
const mlp = (w: Weights, path: string, x: Vector): number[] => swiglu(w(`${path}.gate`), w(`${path}.up`), w(`${path}.down`), x);

/** Embeds, runs the layers over all tokens, and gives logits. */
const model = (eps: number, layers: (xs: readonly Vector[], w: Weights) => readonly Vector[]): Plain => (tokens, w) =>
  layers(tokens.map((t) => row(w('embed.table'), t, hidden)), w).flatMap((x) => apply(w('head.weight'), rms(x, w('final_norm.weight'), eps)));

// Latent attention with 2 heads, ranks 12 and 8, parts 4 | 4, values 6.
function latent(w: Weights, at: string, xs: readonly Vector[], qScale: number, latentScale: number): number[][] {
  const freq = frequencies(1e7, 4);
  const q = xs.map((x) => times(apply(w(`${at}.wq_b`), rms(apply(w(`${at}.wq_a`), x), w(`${at}.q_norm.weight`), 1e-6)), qScale));
  const kv = xs.map((x) => apply(w(`${at}.wkv_a`), x));
  const c = kv.map((x) => times(rms(x.slice(0, 8), w(`${at}.kv_norm.weight`), 1e-6), latentScale));
  const heads = [0, 1].map((h) => attend(
    q.map((x, t) => [...cut(x, h, 8).slice(0, 4), ...rotate(cut(x, h, 8).slice(4), t, freq, 'interleaved')]),
    c.map((x, t) => [...apply(cut(w(`${at}.wk_b`), h, 32), x), ...rotate(kv[t].slice(8), t, freq, 'interleaved')]),
    c.map((x) => apply(cut(w(`${at}.wv_b`), h, 48), x)), 8 ** -0.5,
  ));
  return xs.map((_, t) => apply(w(`${at}.wo`), heads.flatMap((h) => h[t])));
}

const longcat = `
model Tiny = LongCatFlash with {
  vocab = ${vocab}  hidden = ${hidden}  depth = 2
  attention = mla(heads: 2, q_rank: 12, kv_rank: 8, nope: 4, rope: 4, value: 6,
    rotary: rotate(freq: plain(base: 1e7, dims: 4), pairs: interleaved), latent_norm: rms(eps: 1e-6), score_scale: 8 ** -0.5,
    q_scale: 2 ** 0.5, latent_scale: 3 ** 0.5)
  dense = swiglu(width: 16)
  sparse = moe_with_identities(experts: 5, identities: 3, active: 3, expert: swiglu(width: 16),
    gate: scored_gate(score: softmax, router_bias: false, select_bias: true, normalize: false, epsilon: 0, scale: 6))
}`;
const longcatPlain = model(1e-5, (xs0, w) => {
  let xs = xs0;
  for (let i = 0; i < 2; i++) {
    let shortcut: Vector[] = [];
    for (let j = 0; j < 2; j++) {
      const at = `layers[${i}].half[${j}]`;
      const attended = latent(w, `${at}.attn`, xs.map((x) => rms(x, w(`${at}.attn_norm.weight`), 1e-5)), 2 ** 0.5, 3 ** 0.5);
      xs = xs.map((x, t) => add(x, attended[t]));
      const ns = xs.map((x) => rms(x, w(`${at}.ffn_norm.weight`), 1e-5));
      if (j === 0) {
        shortcut = ns.map((n) => {
          const s = softmax(apply(w(`${at}.moe.gate.weight`), n));
          return add(...top(add(s, w(`${at}.moe.gate.bias`)), 3).map((e) => times(e < 5 ? expertOf(w, `${at}.moe.experts`, e, n, 16) : n, 6 * s[e])));
        });
      }
      xs = xs.map((x, t) => add(x, mlp(w, `${at}.mlp`, ns[t])));
    }
    xs = xs.map((x, t) => add(x, shortcut[t]));
  }
  return xs;
});

const gptOss = `
model Tiny = GptOss with {
  vocab = ${vocab}  hidden = ${hidden}  depth = 4  window = 4
  freq = yarn_fractional(base: 150000, dims: 8, factor: 32, original: 64, beta_fast: 4, beta_slow: 1)
  attention = gqa(heads: 4, kv_heads: 2, size: 8, biases: all, sinks: true, score_scale: 8 ** -0.5,
    rotary: rotate(freq: freq, pairs: half, scale: yarn_mscale(32, 1.0)))
  sparse = moe(experts: 5, active: 2, expert: gated(width: 12, combine: gate_of, biased: true), gate: softmax_after_gate(router_bias: true))
}`;
const gptOssPlain = model(1e-5, (xs0, w) => {
  // YaRN: frequencies below the ramp are divided by the factor; the ramp's bounds are not rounded.
  const dim = (turns: number): number => 8 * Math.log(64 / (2 * Math.PI * turns)) / (2 * Math.log(150000));
  const [low, high] = [Math.max(dim(4), 0), Math.min(dim(1), 7)];
  const freq = frequencies(150000, 8).map((f, i) => { const r = Math.min(Math.max((i - low) / (high - low), 0), 1); return f / 32 * r + f * (1 - r); });
  const scale = 0.1 * Math.log(32) + 1;
  let xs = xs0;
  for (let i = 0; i < 4; i++) {
    const at = `layers[${i}]`;
    const ns = xs.map((x) => rms(x, w(`${at}.attn_norm.weight`), 1e-5));
    const [q, k, v] = ['q', 'k', 'v'].map((m) => ns.map((n) => add(apply(w(`${at}.attn.w${m}`), n), w(`${at}.attn.b${m}`))));
    const heads = [0, 1, 2, 3].map((h) => attend(
      q.map((x, t) => rotate(cut(x, h, 8), t, freq, 'half', scale)), k.map((x, t) => rotate(cut(x, h >> 1, 8), t, freq, 'half', scale)),
      v.map((x) => cut(x, h >> 1, 8)), 8 ** -0.5, { sink: w(`${at}.attn.sink`)[h], ...(i % 2 === 0 ? { window: 4 } : {}) },
    ));
    xs = xs.map((x, t) => add(x, apply(w(`${at}.attn.wo`), heads.flatMap((h) => h[t])), w(`${at}.attn.bo`)));
    xs = xs.map((x) => {
      const n = rms(x, w(`${at}.ffn_norm.weight`), 1e-5);
      const z = add(apply(w(`${at}.ffn.gate.weight`), n), w(`${at}.ffn.gate.logit_bias`));
      const ids = top(z, 2);
      const weights = softmax(ids.map((e) => z[e]));
      return add(x, ...ids.map((e, c) => {
        const half = (m: string): number[] => add(apply(cut(w(`${at}.ffn.experts.${m}`), e, 12 * hidden), n), cut(w(`${at}.ffn.experts.${m}_bias`), e, 12));
        const [g, u] = [half('gate').map((y) => Math.min(y, 7)), half('up').map((y) => Math.min(Math.max(y, -7), 7))];
        const h = g.map((y, p) => (u[p] + 1) * y * sigmoid(1.702 * y));
        return times(add(apply(cut(w(`${at}.ffn.experts.down`), e, 12 * hidden), h), cut(w(`${at}.ffn.experts.down_bias`), e, hidden)), weights[c]);
      }));
    });
  }
  return xs;
});

const llama4 = `
model Tiny = Llama4Scout with {
  vocab = ${vocab}  hidden = ${hidden}  depth = 4  chunk = 4
  freq = plain_of(8)
  attention = gqa(heads: 4, kv_heads: 2, size: 8, biases: no, score_scale: 8 ** -0.5)
  far = attention(temper: log_temperature(stretch: 4, factor: 0.1, offset: 1))
  sparse = moe_scaled_input(experts: 4, active: 1, expert: swiglu(width: 12), shared: swiglu(width: 12),
    gate: scored_gate(score: sigmoid_score, router_bias: false, select_bias: false, normalize: false, epsilon: 0, scale: 1))
}
fn plain_of(dims: int) = 500000 ** (-2 * iota(dims / 2) / dims)`;
const llama4Plain = model(1e-5, (xs0, w) => {
  const freq = frequencies(500000, 8);
  let xs = xs0;
  for (let i = 0; i < 4; i++) {
    const at = `layers[${i}]`;
    const far = i === 3;
    const ns = xs.map((x) => rms(x, w(`${at}.attn_norm.weight`), 1e-5));
    const [q, k, v] = ['q', 'k', 'v'].map((m) => ns.map((n) => apply(w(`${at}.attn.w${m}`), n)));
    const turn = (x: Vector, t: number): Vector => (far ? x : rms(rotate(x, t, freq, 'interleaved'), undefined, 1e-5));
    const heads = [0, 1, 2, 3].map((h) => {
      const queries = q.map((x, t) => times(turn(cut(x, h, 8), t), far ? 1 + 0.1 * Math.log(1 + Math.floor((t + 1) / 4)) : 1));
      const keys = k.map((x, t) => turn(cut(x, h >> 1, 8), t));
      const values = v.map((x) => cut(x, h >> 1, 8));
      // A query sees the stretch of 4 positions that it is in.
      return queries.map((_, t) => attend(queries.slice(0, t + 1), keys.slice(0, t + 1), values.slice(0, t + 1), 8 ** -0.5, { from: far ? 0 : 4 * Math.floor(t / 4) })[t]);
    });
    xs = xs.map((x, t) => add(x, apply(w(`${at}.attn.wo`), heads.flatMap((h) => h[t]))));
    xs = xs.map((x) => {
      const n = rms(x, w(`${at}.ffn_norm.weight`), 1e-5);
      const z = apply(w(`${at}.ffn.gate.weight`), n);
      const [e] = top(z, 1);
      return add(x, expertOf(w, `${at}.ffn.experts`, e, times(n, sigmoid(z[e])), 12), mlp(w, `${at}.ffn.shared`, n));
    });
  }
  return xs;
});

const glm = `
model Tiny = Glm45Air with {
  vocab = ${vocab}  hidden = ${hidden}  depth = 2
  attention = gqa(heads: 4, kv_heads: 2, size: 8, biases: qkv, score_scale: 8 ** -0.5,
    rotary: rotate_first(freq: plain(base: 1e6, dims: 4), pairs: half))
  dense = swiglu(width: 16)
  sparse = moe(experts: 6, active: 2, expert: swiglu(width: 12), shared: swiglu(width: 12),
    gate: scored_gate(score: sigmoid_score, router_bias: false, select_bias: true, normalize: true, epsilon: 1e-20, scale: 1))
}`;
/** Logits of the model, or of the head that reads the token after each. */
const glmPlain = (head: boolean): Plain => (tokens, w) => {
  const freq = frequencies(1e6, 4);
  const norm = (at: string, x: Vector): number[] => rms(x, w(`${at}.weight`), 1e-5);
  const layer = (at: string, isDense: boolean, xs: readonly Vector[]): Vector[] => {
    const ns = xs.map((x) => norm(`${at}.attn_norm`, x));
    const [q, k, v] = ['q', 'k', 'v'].map((m) => ns.map((n) => add(apply(w(`${at}.attn.w${m}`), n), w(`${at}.attn.b${m}`))));
    const turn = (x: Vector, t: number): Vector => [...rotate(x.slice(0, 4), t, freq, 'half'), ...x.slice(4)];
    const heads = [0, 1, 2, 3].map((h) => attend(q.map((x, t) => turn(cut(x, h, 8), t)), k.map((x, t) => turn(cut(x, h >> 1, 8), t)), v.map((x) => cut(x, h >> 1, 8)), 8 ** -0.5));
    return xs.map((x0, t) => {
      const x = add(x0, apply(w(`${at}.attn.wo`), heads.flatMap((h) => h[t])));
      const n = norm(`${at}.ffn_norm`, x);
      if (isDense) return add(x, mlp(w, `${at}.ffn`, n));
      const s = apply(w(`${at}.ffn.gate.weight`), n).map(sigmoid);
      const ids = top(add(s, w(`${at}.ffn.gate.bias`)), 2);
      const sum = ids.reduce((total, e) => total + s[e], 0);
      return add(x, ...ids.map((e) => times(expertOf(w, `${at}.ffn.experts`, e, n, 12), s[e] / sum)), mlp(w, `${at}.ffn.shared`, n));
    });
  };
  const embedded = tokens.map((t) => row(w('embed.table'), t, hidden));
  const xs = layer('layers[1]', false, layer('layers[0]', true, embedded));
  if (!head) return xs.flatMap((x) => apply(w('out.weight'), norm('final_norm', x)));
  const ys = xs.map((x, t) => apply(w('mtp[0].proj.weight'), [...norm('mtp[0].embed_norm', embedded[t + 1] ?? x.map(() => 0)), ...norm('mtp[0].hidden_norm', x)]));
  return layer('mtp[0]', false, ys).flatMap((y) => apply(w('out.weight'), norm('mtp[0].final_norm', y)));
};

const families = [
  { name: 'longcat-flash', parameters: 560_664_980_480, tiny: longcat, plain: longcatPlain },
  { name: 'gpt-oss-20b', parameters: 20_914_757_184, tiny: gptOss, plain: gptOssPlain },
  { name: 'llama-4-scout', parameters: 107_769_861_120, tiny: llama4, plain: llama4Plain },
  { name: 'glm-4.5-air', parameters: 106_852_251_264, tiny: glm, plain: glmPlain(false) },
];

/** The miniature keeps the file's model, but for f32 and the packing of its experts. */
function miniature(name: string, tiny: string): string {
  return `${fileOf(name).replace(/^ {2}quantize .*\n/m, '').replace(/^ {2}precision .*$/m, `  ${precision}`)}\n${tiny}\n`;
}
const scale = (path: string): number => (path.endsWith('gate.bias') ? 0.1 : 0.4);

describe.each(families)('$name', ({ name, parameters, tiny, plain }) => {
  it('has every parameter mapped, and as many as its published dims give', () => {
    const checked = checkSpec({ entry: { path: `${name}.firn`, text: fileOf(name) }, load: nodeLoader });
    expect(checked.diagnostics.map((d) => `${d.code} ${d.message} @${d.span.line}`)).toEqual([]);
    expect(checked.parameters).toBe(parameters);
    const mapped = new Set(checked.sources!.weights.map((s) => s.path));
    expect(checked.module!.params.flatMap((p) => p.paths).filter((p) => !mapped.has(p))).toEqual([]);
  });

  it('in miniature gives what a plain implementation gives', async () => {
    const text = miniature(name, tiny);
    for (const device of ['reference', 'cpu'] as const) await checkForm({ text, plain, vocab, scale }, device);
  });
});

describe('glm-4.5-air with its head', () => {
  it('has every parameter of the head mapped too', () => {
    const checked = checkSpec({ entry: { path: 'glm.firn', text: fileOf('glm-4.5-air') }, load: nodeLoader, taps: ['mtp'] });
    expect(checked.diagnostics).toEqual([]);
    expect(checked.parameters).toBe(109_227_310_848);
    expect(checked.sources!.weights.filter((s) => s.path.startsWith('mtp')).length).toBeGreaterThan(15);
  });

  it('predicts the token after the next one as a plain implementation does', async () => {
    for (const device of ['reference', 'cpu'] as const) {
      await checkForm({ text: miniature('glm-4.5-air', glm), plain: glmPlain(true), vocab, scale, taps: ['mtp'], output: 'mtp.logits' }, device);
    }
  });
});
