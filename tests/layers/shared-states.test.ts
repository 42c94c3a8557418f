import { describe, expect, it, vi } from 'vitest';
import { moduleOf } from '../support/elaborate-text.js';
import { add, chunks, dot, times } from '../support/plain-math.js';
import { checkSequenceLayer, type Rows, type Weights } from '../support/sequence-layer.js';

vi.setConfig({ testTimeout: 300_000 });

const [heads, size] = [2, 3];

const items = `layer project(x: [.., d], heads: dim, size: dim) -> [.., heads, size] {
  param w : [heads, size, d]
  return w @ x
}
layer output(o: [.., heads, size], d: dim) -> [.., d] {
  param w : [d, heads, size]
  return dot(w, o, over: (heads, size))
}
# Keys and values of its own, which other layers may read.
layer owning(x: [.., d], heads: dim, size: dim) -> ([.., d], state) {
  q = q = project(x, heads, size)
  state kv : append [heads, size + size] = [k = project(x, heads, size) | v = project(x, heads, size)]
  o = attend(q, over: kv as (k, v), k: k, v: v, score: 0.5 * s)
  return (o = output(o, d), kv)
}
layer reading(x: [.., d], kv: state, heads: dim, size: dim) -> [.., d] {
  q = q = project(x, heads, size)
  o = attend(q, over: kv as (k, v), k: k, v: v, score: 0.5 * s)
  return o = output(o, d)
}`;

interface Cache { readonly k: Rows; readonly v: Rows }

function attention(x: Rows, cache: Cache, w: Weights): number[][] {
  return x.map((row, t) => times(w('o.w'), chunks(times(w('q.w'), row), heads).flatMap((q, h) => {
    const scores = cache.k.slice(0, t + 1).map((k) => Math.exp(0.5 * dot(q, chunks(k, heads)[h])));
    const total = scores.reduce((a, b) => a + b, 0);
    return q.map((_, j) => scores.reduce((sum, s, n) => sum + (s / total) * chunks(cache.v[n], heads)[h][j], 0));
  })));
}

/** `source[i]`: whose keys and values layer i reads. */
function layers(x: Rows, source: readonly number[], w: Weights): Rows {
  const caches: Cache[] = [];
  return source.reduce<Rows>((y, from, i) => {
    const own: Weights = (path) => w(`layers[${i}].attn.${path}`);
    if (from === i) caches[i] = { k: y.map((row) => times(own('k.w'), row)), v: y.map((row) => times(own('v.w'), row)) };
    const out = attention(y, caches[from], own);
    return y.map((row, t) => add(row, out[t]));
  }, x);
}

const last = `dim heads = ${heads}
  dim size = ${size}
  y = x
  repeat layers[8] as i carry (y, even = none, odd = none) {
    if i < 4 {
      (u, kv) = attn = owning(y, heads, size)
      if i mod 2 == 0 { even = kv } else { odd = kv }
      y += u
    } else {
      y += attn = reading(y, if i mod 2 == 0 then even else odd, heads, size)
    }
  }`;

checkSequenceLayer({
  name: 'the last layers read what the last of their kind wrote', hidden: 6, items, body: last,
  plain: (x, w) => layers(x, [0, 1, 2, 3, 2, 3, 2, 3], w),
});

const pairs = `dim heads = ${heads}
  dim size = ${size}
  y = x
  repeat layers[6] as i carry (y, kv = none) {
    if i mod 2 == 0 {
      (u, kv) = attn = owning(y, heads, size)
      y += u
    } else {
      y += attn = reading(y, kv, heads, size)
    }
  }`;

checkSequenceLayer({
  name: 'every second layer reads what the one before it wrote', hidden: 6, items, body: pairs,
  plain: (x, w) => layers(x, [0, 0, 2, 2, 4, 4], w),
});

const first = `dim heads = ${heads}
  dim size = ${size}
  y = x
  repeat layers[6] as i carry (y, kv = none) {
    if i mod 2 == 0 {
      (u, own) = attn = owning(y, heads, size)
      y += u
      if i == 0 { kv = own }
    } else {
      y += attn = reading(y, kv, heads, size)
    }
  }`;

checkSequenceLayer({
  name: 'layers read what the first one wrote, between layers that write their own', hidden: 6, items, body: first,
  plain: (x, w) => layers(x, [0, 0, 2, 0, 4, 0], w),
});

const inner = `dim heads = ${heads}
  dim size = ${size}
  y = x
  repeat passes[3] as p carry (y) {
    kv = none
    repeat writers[2] as i carry (y, kv) {
      (u, kv) = attn = owning(y, heads, size)
      y += u
    }
    y += attn = reading(y, kv, heads, size)
  }`;

checkSequenceLayer({
  name: 'iterations that read what a repeat inside of them wrote', hidden: 6, items, body: inner,
  plain: (x, w) => [0, 1, 2].reduce<Rows>((y, p) => {
    let cache: Cache = { k: [], v: [] };
    const step = (z: Rows, path: string, writes: boolean): Rows => {
      const own: Weights = (name) => w(`${path}.${name}`);
      if (writes) cache = { k: z.map((row) => times(own('k.w'), row)), v: z.map((row) => times(own('v.w'), row)) };
      const out = attention(z, cache, own);
      return z.map((row, t) => add(row, out[t]));
    };
    return step(step(step(y, `passes[${p}].writers[0].attn`, true), `passes[${p}].writers[1].attn`, true), `passes[${p}].attn`, false);
  }, x),
});

describe('layers that read another one\'s state', () => {
  const model = (body: string): string => `use std.{embedding}\n${items}\nmodel M {\n  dim vocab = 6\n  dim hidden = 6\n  x = embed = embedding(tokens, vocab, hidden)\n  ${body}\n  logits = y\n}`;
  const repeats = (body: string): number[] => moduleOf(model(body)).graph.nodes.flatMap((n) => (n.op === 'repeat' ? [n.count] : []));

  it('are rolled up where what they read moves along with them', () => {
    expect(repeats(pairs)).toEqual([3]);
    expect(repeats(last)).toEqual([4, 2]);
  });

  it('own no state', () => {
    expect(moduleOf(model(pairs)).states.flatMap((s) => s.paths)).toEqual([0, 2, 4].map((i) => `layers[${i}].attn.kv`));
    expect(moduleOf(model(last)).states.flatMap((s) => s.paths)).toEqual([0, 1, 2, 3].map((i) => `layers[${i}].attn.kv`));
  });
});
