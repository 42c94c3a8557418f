import { vi } from 'vitest';
import { add, chunks, convolve, dot, times } from '../support/plain-math.js';
import { checkSequenceLayer } from '../support/sequence-layer.js';

vi.setConfig({ testTimeout: 300_000 });

checkSequenceLayer({
  name: 'embeddings of the last three token ids', hidden: 6,
  items: `layer grams(ids: [..] i32, rows: dim, d: dim) -> [.., d] {
  dim three = 3
  param table : [rows, d]
  state seen : last 2 [] i32 = ids fill 4
  w = window(seen, axis: three)
  id = (w[three: 2] + mulmod(w[three: 1], 7, modulus: rows) + mulmod(w[three: 0], 49, modulus: rows)) mod rows
  return table[id]
}`,
  body: 'y = x + (grams = grams(tokens, 11, hidden))',
  plain: (x, w, ids) => x.map((row, t) => {
    const id = (ids[t] + 7 * (ids[t - 1] ?? 4) + 49 * (ids[t - 2] ?? 4)) % 11;
    return add(row, w('grams.table').slice(6 * id, 6 * id + 6));
  }),
});

const [heads, size] = [2, 3];
checkSequenceLayer({
  name: 'keys and values convolved with those of the token before', hidden: 6,
  items: `layer convolved(x: [.., d], heads: dim, size: dim) -> [.., d] {
  dim two = 2
  param wq, wk, wv : [heads, size, d]
  param ck, cv     : [heads, two]
  param wo         : [d, heads, size]
  state last_k : last 1 [heads, size] = wk @ x
  state last_v : last 1 [heads, size] = wv @ x
  k = sum(ck * window(last_k, axis: two), over: two)
  v = sum(cv * window(last_v, axis: two), over: two)
  state kv : append [heads, size + size] = [k | v]
  o = attend(wq @ x, over: kv as (k, v), k: k, v: v, score: s)
  return dot(wo, o, over: (heads, size))
}`,
  body: `y = mix = convolved(x, heads: ${heads}, size: ${size})`,
  plain: (x, w) => {
    const taps = (name: string): number[] => chunks(w(name), heads).flatMap((c) => Array.from({ length: size }, () => c).flat());
    const [k, v] = ['k', 'v'].map((n) => convolve(x.map((row) => times(w(`mix.w${n}`), row)), taps(`mix.c${n}`), 2));
    return x.map((row, t) => times(w('mix.wo'), chunks(times(w('mix.wq'), row), heads).flatMap((q, h) => {
      const weights = k.slice(0, t + 1).map((key) => Math.exp(dot(q, chunks(key, heads)[h])));
      const total = weights.reduce((a, b) => a + b, 0);
      return q.map((_, j) => weights.reduce((sum, c, n) => sum + (c / total) * chunks(v[n], heads)[h][j], 0));
    })));
  },
});
