/** One instance used in several places, beside plain implementations: weights shared, state not. */
import { describe, expect, it, vi } from 'vitest';
import { elaborateText } from '../support/elaborate-text.js';
import { checkForm, type FormCase, type Weights } from '../support/form-model.js';
import { usualDevices, type Runnable } from '../support/devices.js';
import { add, apply, attend, rms, row, swiglu, type Vector } from '../support/plain.js';

vi.setConfig({ testTimeout: 300_000 });

const [vocab, hidden, heads, size] = [40, 24, 3, 8];
const devices: readonly Runnable[] = ['reference', 'cpu'];

const items = `layer attention(x: [.., d], out: dim, heads: dim, size: dim, rank: dim?) -> [.., out] {
  param wq, wk, wv : [heads, size, d]
  param wo         : [out, heads, size]
  q = wq @ x
  if rank != none {
    dim all = heads * size
    q += split(delta = low_rank_addition(x, out: all, rank: rank), axis: all, into: (heads, size))
  }
  state kv : append [heads, size + size] = [wk @ x | wv @ x]
  o = attend(q, over: kv as (k, v), k: k, v: v, score: s * size ** -0.5)
  return dot(wo, o, over: (heads, size))
}
layer block(x: [.., d], heads: dim, size: dim) -> [.., d] {
  y = x + (attn = attention(attn_norm = rms(x, eps: 1e-6), d, heads, size))
  return y + (ffn = swiglu(ffn_norm = rms(y, eps: 1e-6), width: 16))
}`;

function spec(body: string): string {
  return `use std.{rms, embedding, linear, swiglu, low_rank_addition}
${items}
model Shared {
  dim vocab = ${vocab}
  dim hidden = ${hidden}
  dim heads = ${heads}
  dim size = ${size}
  x = embed = embedding(tokens, vocab, hidden)
  ${body}
  logits = head = linear(x, vocab)
}
`;
}

/** Attention of one layer over its own keys; `path` has the weights, `delta` the low-rank addition of a use. */
function attentionOf(w: Weights, path: string, xs: readonly Vector[], delta?: string): number[][] {
  const [q, k, v] = ['wq', 'wk', 'wv'].map((m) => xs.map((x) => apply(w(`${path}.${m}`), x)));
  const queries = delta === undefined ? q : q.map((list, t) => add(list, apply(w(`${delta}.b`), apply(w(`${delta}.a`), xs[t]))));
  const each = Array.from({ length: heads }, (_, h) => {
    const part = (m: readonly Vector[]): Vector[] => m.map((list) => list.slice(size * h, size * (h + 1)));
    return attend(part(queries), part(k), part(v), size ** -0.5);
  });
  return xs.map((_, t) => apply(w(`${path}.wo`), each.flatMap((h) => h[t])));
}

function blockOf(w: Weights, path: string, xs: readonly Vector[]): number[][] {
  const attended = attentionOf(w, `${path}.attn`, xs.map((x) => rms(x, w(`${path}.attn_norm.weight`), 1e-6)));
  return xs.map((x, t) => {
    const y = add(x, attended[t]);
    return add(y, swiglu(w(`${path}.ffn.gate`), w(`${path}.ffn.up`), w(`${path}.ffn.down`), rms(y, w(`${path}.ffn_norm.weight`), 1e-6)));
  });
}

const model = (f: (xs: readonly Vector[], w: Weights) => readonly Vector[]): FormCase['plain'] =>
  (tokens, w) => f(tokens.map((t) => row(w('embed.table'), t, hidden)), w).flatMap((x) => apply(w('head.weight'), x));

function pathsOf(text: string): readonly string[] {
  return elaborateText(text).module!.params.flatMap((p) => p.paths);
}

describe('shared instances', () => {
  it('one block at every depth (looped models), each time with a cache of its own', async () => {
    const text = spec('shared block = block(heads: heads, size: size)\n  repeat loops[3] as i { x = pass = block(x) }');
    expect(pathsOf(text).filter((p) => p.includes('wq'))).toEqual(['block.attn.wq']);
    expect(elaborateText(text).module!.states.flatMap((s) => s.paths)).toEqual([0, 1, 2].map((i) => `loops[${i}].pass.attn.kv`));
    const plain = model((xs, w) => [0, 1, 2].reduce((x: readonly Vector[]) => blockOf(w, 'block', x), xs));
    for (const device of devices) await checkForm({ text, plain, vocab }, device);
  });

  it('two passes over all layers', async () => {
    const text = spec('shared blocks[4] = block(heads: heads, size: size)\n  repeat passes[2] as p { repeat steps[4] as i { x = pass = blocks[i](x) } }');
    const { module } = elaborateText(text);
    const passes = module!.graph.nodes.find((n) => n.op === 'repeat');
    expect(passes?.op === 'repeat' && [passes.count, passes.body.nodes.filter((n) => n.op === 'repeat').length]).toEqual([2, 1]);
    const plain = model((xs, w) => [0, 1, 2, 3, 0, 1, 2, 3].reduce((x: readonly Vector[], i) => blockOf(w, `blocks[${i}]`, x), xs));
    for (const device of usualDevices) await checkForm({ text, plain, vocab }, device);
  });

  it('a block between the layers, on them and the embeddings, with low-rank additions per use (Zamba2)', async () => {
    const text = spec(`x0 = x
  dim wide = hidden + hidden
  shared mixers[2] = attention(out: hidden, heads: heads, size: size, rank: 2)
  repeat layers[6] as i {
    x += ffn = swiglu(x, width: 16)
    if i mod 2 == 1 { x += mix = mixers[(i // 2) mod 2]([x | x0]) }
  }`.replace('  dim wide = hidden + hidden\n', '').replace('x0 = x', 'dim again = like hidden\n  x0 = rename(x, from: hidden, to: again)'));
    const paths = pathsOf(text);
    expect(paths.filter((p) => p.includes('wq'))).toEqual(['mixers[0].wq', 'mixers[1].wq']);
    expect(paths.filter((p) => p.endsWith('delta.a'))).toEqual([1, 3, 5].map((i) => `layers[${i}].mix.delta.a`));
    const plain = model((xs0, w) => {
      let xs: readonly Vector[] = xs0;
      for (let i = 0; i < 6; i++) {
        xs = xs.map((x) => add(x, swiglu(w(`layers[${i}].ffn.gate`), w(`layers[${i}].ffn.up`), w(`layers[${i}].ffn.down`), x)));
        if (i % 2 === 0) continue;
        const mixed = attentionOf(w, `mixers[${((i - 1) / 2) % 2}]`, xs.map((x, t) => [...x, ...xs0[t]]), `layers[${i}].mix.delta`);
        xs = xs.map((x, t) => add(x, mixed[t]));
      }
      return xs;
    });
    for (const device of devices) await checkForm({ text, plain, vocab }, device);
  });

  it.each([
    ['a use with other axes', 'shared f = swiglu(width: 8)\n  x += a = f(x)\n  dim other = 6\n  y = wide = linear(x, other)\n  z = b = f(y)', 'E0422'],
    ['what is no layer', 'shared f = 3', 'E0420'],
    ['members that are stored differently', 'shared f[2] = swiglu(width: 8)\n  repeat pass[2] as i { x += use = f[i](x) }\n  quantize f[1].gate to int4(group: 8, along: in)', 'E0423'],
  ])('refuses %s', (_, body, code) => {
    expect(elaborateText(spec(body)).diagnostics.map((d) => d.code)).toContain(code);
  });
});
