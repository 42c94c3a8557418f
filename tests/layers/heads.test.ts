/** Heads that predict further tokens: own parameters and caches, sharing the embedding; absent unless asked for. */
import { describe, expect, it, vi } from 'vitest';
import { checkSpec, compile } from '../../index.js';
import { nodeLoader } from '../../dsl/std-node.js';
import { elaborateText } from '../support/elaborate-text.js';
import { checkForm, type Plain, type Weights } from '../support/form-model.js';
import { add, apply, attend, rms, row, swiglu, type Vector } from '../support/plain.js';

vi.setConfig({ testTimeout: 300_000 });

const [vocab, hidden, heads, size] = [40, 24, 3, 8];

const weights = `
  weights {
    "model.embed_tokens.weight" -> embed.table
    "model.layers.{i}.ffn.{p: gate|up|down}.weight" -> layers[i].block.ffn.{p}
    "model.layers.{i}.attn.{p: wq|wk|wv|wo}" -> layers[i].block.attn.{p}
    "model.layers.{i}.{n: attn|ffn}_norm.weight" -> layers[i].block.{n}_norm.weight
    "model.layers.2.eh_proj.weight" -> mtp[0].proj.weight
    "lm_head.weight" -> out.weight
  }`;

/** A block over all tokens so far, a head per further token as DeepSeek-V3 chains them. */
function spec(section = ''): string {
  return `use std.{rms, embedding, linear, swiglu}
layer attention(x: [.., d], heads: dim, size: dim) -> [.., d] {
  param wq, wk, wv : [heads, size, d]
  param wo         : [d, heads, size]
  state kv : append [heads, size + size] = [wk @ x | wv @ x]
  o = attend(wq @ x, over: kv as (k, v), k: k, v: v, score: s * size ** -0.5)
  return dot(wo, o, over: (heads, size))
}
layer block(x: [.., d], heads: dim, size: dim) -> [.., d] {
  y = x + (attn = attention(attn_norm = rms(x, eps: 1e-6), heads, size))
  return y + (ffn = swiglu(ffn_norm = rms(y, eps: 1e-6), width: 16))
}
model Ahead {
  dim vocab = ${vocab}
  dim hidden = ${hidden}
  def norm = rms(eps: 1e-6)
  h = embed = embedding(tokens, vocab, hidden)
  repeat layers[2] as i { h = block = block(h, heads: ${heads}, size: ${size}) }
  logits = out = linear(final_norm = norm(h), vocab)
  head mtp[2] as j {
    h = proj = linear([embed_norm = norm(embed.table[ahead(tokens, by: j + 1)]) | hidden_norm = norm(h)], hidden)
    h = block = block(h, heads: ${heads}, size: ${size})
    logits = out.weight @ (final_norm = norm(h))
  }${section}
}
`;
}

function blockOf(w: Weights, path: string, xs: readonly Vector[]): Vector[] {
  const ns = xs.map((x) => rms(x, w(`${path}.attn_norm.weight`), 1e-6));
  const [q, k, v] = ['wq', 'wk', 'wv'].map((m) => ns.map((n) => apply(w(`${path}.attn.${m}`), n)));
  const each = Array.from({ length: heads }, (_, h) => attend(...([q, k, v].map((m) => m.map((list) => list.slice(size * h, size * (h + 1))))) as [Vector[], Vector[], Vector[]], size ** -0.5));
  return xs.map((x, t) => {
    const y = add(x, apply(w(`${path}.attn.wo`), each.flatMap((h) => h[t])));
    return add(y, swiglu(w(`${path}.ffn.gate`), w(`${path}.ffn.up`), w(`${path}.ffn.down`), rms(y, w(`${path}.ffn_norm.weight`), 1e-6)));
  });
}

/** Logits of the model (0) or of a head (1, 2). */
const plain = (which: number): Plain => (tokens, w) => {
  const norm = (path: string, x: Vector): number[] => rms(x, w(`${path}.weight`), 1e-6);
  let hs: readonly Vector[] = tokens.map((t) => row(w('embed.table'), t, hidden));
  for (let i = 0; i < 2; i++) hs = blockOf(w, `layers[${i}].block`, hs);
  for (let j = 0; j < which; j++) {
    const next = tokens.map((_, t) => (tokens[t + j + 1] === undefined ? new Array<number>(hidden).fill(0) : row(w('embed.table'), tokens[t + j + 1], hidden)));
    hs = blockOf(w, `mtp[${j}].block`, hs.map((h, t) => apply(w(`mtp[${j}].proj.weight`), [...norm(`mtp[${j}].embed_norm`, next[t]), ...norm(`mtp[${j}].hidden_norm`, h)])));
  }
  return hs.flatMap((h) => apply(w('out.weight'), norm(which === 0 ? 'final_norm' : `mtp[${which - 1}].final_norm`, h)));
};

describe('heads', () => {
  it.each([['the model', 0, 'logits'], ['the first head', 1, 'mtp.logits'], ['the second head', 2, 'mtp.logits_2']] as const)('%s', async (_, which, output) => {
    for (const device of ['reference', 'cpu'] as const) await checkForm({ text: spec(), vocab, plain: plain(which), taps: ['mtp[0].logits', 'mtp[1].logits'], output }, device);
  });

  it('leave no trace in a model that is not asked for them', () => {
    const without = spec().replace(/ {2}head mtp[\s\S]*?\n {2}}\n/, '');
    expect(without).not.toContain('mtp');
    const bundleOf = (text: string) => compile({ entry: { path: 'a.firn', text }, load: nodeLoader, target: 'reference' }).bundle!;
    expect(JSON.stringify(bundleOf(spec()).plan.entries)).toBe(JSON.stringify(bundleOf(without).plan.entries));
    expect(bundleOf(spec()).plan.weights.some((w) => w.path.startsWith('mtp'))).toBe(false);
  });

  it('have tensors that a checkpoint may hold without being read', () => {
    const text = spec(weights.replace(/\n {4}"model.layers.{i}.{n.*\n/, '\n'));
    const checked = checkSpec({ entry: { path: 'a.firn', text }, load: nodeLoader });
    expect(checked.sources!.ignore).toEqual(['model.layers.2.eh_proj.weight']);
    expect(checked.diagnostics.filter((d) => d.message.includes('mtp'))).toEqual([]);
  });

  it.each([
    ['a head in a layer', 'layer f(x: [.., d]) -> [.., d] {\n  head more[1] as j { logits = x }\n  return x\n}\n', 'logits = y = f(x)', 'E0545'],
    ['a head without logits', '', 'logits = x\n  head more[1] as j { y = x }', 'E0546'],
  ])('refuses %s', (_, items, body, code) => {
    const text = `use std.{embedding}\n${items}model M {\n  dim vocab = 8\n  dim hidden = 4\n  x = embed = embedding(tokens, vocab, hidden)\n  ${body}\n}\n`;
    expect(elaborateText(text, { taps: true }).diagnostics.map((d) => d.code)).toContain(code);
  });
});
