import { vi } from 'vitest';
import { chunks, dot, rms, times } from '../support/plain-math.js';
import { checkSequenceLayer, type Rows, type Weights } from '../support/sequence-layer.js';

vi.setConfig({ testTimeout: 300_000 });

/** Softmax attention of one query over entries. */
function attend(q: readonly number[], keys: Rows, values: Rows, scale: number): number[] {
  const weights = keys.map((k) => Math.exp(scale * dot(q, k)));
  const total = weights.reduce((a, b) => a + b, 0);
  return values.length === 0 ? q.map(() => 0) : values[0].map((_, j) => weights.reduce((sum, s, n) => sum + (s / total) * values[n][j], 0));
}

/** Places of the k largest, the first of equals first, in order. */
function largest(scores: readonly number[], k: number): number[] {
  return scores.map((score, at) => ({ score: Math.fround(score), at })).sort((a, b) => b.score - a.score || a.at - b.at).slice(0, k).map((s) => s.at).sort((a, b) => a - b);
}

const width = 6;
const indexed = `layer indexed(x: [.., d], picks: dim) -> [.., d] {
  dim size = like d
  dim heads = 2
  param wq, wk, wv : [size, d]
  param iq         : [heads, size, d]
  param ik         : [size, d]
  param iw         : [heads, d]
  state kv : append [size + size] = [wk @ x | wv @ x]
  state index : append [size] = ik @ x
  q = iq @ x
  w = iw @ x
  pick = select(picks, over: index as key, by: sum(w * max(dot(q, key, over: size), 0), over: heads))
  o = attend(wq @ x, over: kv[pick] as (k, v), k: k, v: v, score: 0.5 * s)
  return rename(o, from: size, to: d)
}`;

function indexScores(x: Rows, t: number, w: Weights): number[] {
  const q = chunks(times(w('mix.iq'), x[t]), 2);
  const weights = times(w('mix.iw'), x[t]);
  return x.slice(0, t + 1).map((row) => {
    const key = times(w('mix.ik'), row);
    return weights.reduce((sum, c, h) => sum + c * Math.max(dot(q[h], key), 0), 0);
  });
}

checkSequenceLayer({
  name: 'attention over the tokens that an indexer selects', hidden: width, items: indexed, body: 'y = mix = indexed(x, picks: 5)',
  plain: (x, w) => x.map((row, t) => {
    const seen = largest(indexScores(x, t, w), 5).map((at) => x[at]);
    return attend(times(w('mix.wq'), row), seen.map((r) => times(w('mix.wk'), r)), seen.map((r) => times(w('mix.wv'), r)), 0.5);
  }),
});

checkSequenceLayer({
  name: 'a selection carried to the layers after', hidden: width,
  items: `layer chosen(x: [.., d], pick: [.., picks] i32?, picks: dim) -> ([.., d], [.., picks] i32) {
  dim size = like d
  param wq, wk : [size, d]
  state keys : append [size] = wk @ x
  q = wq @ x
  if pick == none {
    ids = select(picks, over: keys as key, by: dot(q, key, over: size))
  } else {
    ids = pick
  }
  o = attend(q, over: keys[ids], k: it, v: it, score: s)
  return (x + rename(o, from: size, to: d), ids)
}`,
  body: `dim picks = 4
  y = x
  repeat layers[4] as i carry (y, pick = none) {
    (y, pick) = attn = chosen(y, if i mod 2 == 0 then none else pick, picks)
  }`,
  plain: (x, w) => {
    let y: Rows = x;
    let picks: number[][] = [];
    for (let i = 0; i < 4; i++) {
      const keys = y.map((row) => times(w(`layers[${i}].attn.wk`), row));
      const queries = y.map((row) => times(w(`layers[${i}].attn.wq`), row));
      if (i % 2 === 0) picks = queries.map((q, t) => largest(keys.slice(0, t + 1).map((k) => dot(q, k)), 4));
      y = y.map((row, t) => attend(queries[t], picks[t].map((at) => keys[at]), picks[t].map((at) => keys[at]), 1).map((c, j) => c + row[j]));
    }
    return y;
  },
});

checkSequenceLayer({
  // Every score is one of three numbers: the earliest of equals are chosen.
  name: 'equal scores, masks and fewer entries than places', hidden: width,
  items: `layer tied(x: [.., d], picks: dim) -> [.., d] {
  dim size = like d
  param wq : [size, d]
  dim one = 1
  state level : append [one] = broadcast(cast(position mod 3, to: f32), axis: one)
  state values : append [size] = wq @ x
  pick = select(picks, over: level as level, by: outer(0 * sum(x, over: d) + 1, sum(level, over: one)), mask: key.position < query.position)
  o = attend(wq @ x, over: values[pick], k: it, v: it, score: s, mask: key.position <= query.position)
  return rename(o, from: size, to: d)
}`,
  body: 'y = mix = tied(x, picks: 7)',
  plain: (x, w) => {
    const rows = x.map((row) => times(w('mix.wq'), row));
    return rows.map((q, t) => {
      const seen = largest(rows.slice(0, t).map((_, at) => at % 3), 7).map((at) => rows[at]);
      return attend(q, seen, seen, 1);
    });
  },
});

const [ring, group] = [6, 4];
checkSequenceLayer({
  name: 'a window and pooled entries every 4 tokens under one softmax, the entries selected', hidden: width,
  items: `layer compressed(x: [.., d], picks: dim) -> [.., d] {
  dim size = like d
  dim taps = ${2 * group}
  param wq, wk, wc, wz : [size, d]
  param sink           : [] init 0.0
  q = wq @ x
  # Each entry pools the last ${2 * group} tokens; what stands before the sequence has no weight.
  state recent : last (taps - 1) [size + size] = [wc @ x | wz @ x]
  [c | z] = window(recent, axis: taps)
  here = iota(taps) - (taps - 1) + position >= 0
  weight = here ? exp(z) : 0
  state near : window ${ring} [size] = wk @ x
  state entry : every ${group} [size] = sum(weight * c, over: taps) / sum(weight, over: taps)
  pick = select(picks, over: entry as e, by: dot(q, e, over: size))
  o = attend(q, over: [near where query.position - key.position < ${ring}, entry[pick]], k: it, v: it, score: 0.7 * s, sink: sink)
  return rename(o, from: size, to: d)
}`,
  body: 'y = mix = compressed(x, picks: 3)',
  plain: (x, w) => {
    const [q, k, c, z] = ['wq', 'wk', 'wc', 'wz'].map((n) => x.map((row) => times(w(`mix.${n}`), row)));
    const entries = x.flatMap((_, t) => (t % group !== group - 1 ? [] : [{ at: t, value: q[0].map((__, j) => {
      const window = Array.from({ length: 2 * group }, (___, n) => t - n).filter((n) => n >= 0);
      const total = window.reduce((sum, n) => sum + Math.exp(z[n][j]), 0);
      return window.reduce((sum, n) => sum + (Math.exp(z[n][j]) / total) * c[n][j], 0);
    }) }]));
    return q.map((query, t) => {
      const visible = entries.filter((e) => e.at <= t).map((e) => e.value);
      const seen = [...k.slice(Math.max(0, t - ring + 1), t + 1), ...largest(visible.map((e) => dot(query, e)), 3).map((n) => visible[n])];
      const scores = seen.map((s) => Math.exp(0.7 * dot(query, s)));
      const total = scores.reduce((a, b) => a + b, Math.exp(w('mix.sink')[0]));
      return query.map((_, j) => scores.reduce((sum, s, n) => sum + (s / total) * seen[n][j], 0));
    });
  },
});

checkSequenceLayer({
  name: 'attention over the tokens of selected blocks', hidden: width,
  items: `layer blocked(x: [.., d], picks: dim) -> [.., d] {
  dim size = like d
  dim within = 4
  dim chosen = picks * within
  param wq, wk : [size, d]
  q = wq @ x
  k = wk @ x
  state recent : last 3 [size] = k
  state keys : append [size] = k
  state block : every 4 [size] = sum(window(recent, axis: within), over: within)
  best = select(picks, over: block as b, by: dot(q, b, over: size))
  # -1, no block, gives numbers below 0, no token.
  ids = flatten(cast(4 * best + iota(within), to: i32), axes: (picks, within), to: chosen)
  o = attend(q, over: keys[ids], k: it, v: it, score: s)
  return rename(o, from: size, to: d)
}`,
  body: 'y = mix = blocked(x, picks: 2)',
  plain: (x, w) => {
    const [q, k] = ['wq', 'wk'].map((n) => x.map((row) => times(w(`mix.${n}`), row)));
    return q.map((query, t) => {
      const sums = Array.from({ length: Math.floor((t + 1) / 4) }, (_, g) => k.slice(4 * g, 4 * g + 4).reduce((a, b) => a.map((c, j) => c + b[j])));
      const seen = largest(sums.map((s) => dot(query, s)), 2).flatMap((g) => k.slice(4 * g, 4 * g + 4));
      return attend(query, seen, seen, 1);
    });
  },
});

checkSequenceLayer({
  // A block of the cache holds 16 tokens; the sum that an entry takes over is carried to its last token.
  name: 'entries every 32 tokens, beside all tokens', hidden: width, lengths: [64, 33],
  items: `layer far(x: [.., d]) -> [.., d] {
  dim size = like d
  param wq, wk : [size, d]
  k = wk @ x
  inside = position mod 32
  total = scan (k, inside) carry s : [size] f32 = 0 {
    s = (inside == 0 ? 0 : s) + k
    emit s
  }
  state keys : append [size] = k
  state entry : every 32 [size] = total
  o = attend(wq @ x, over: [keys where key.position != 3, entry], k: it, v: it, score: 0.2 * s)
  return rename(o, from: size, to: d)
}`,
  body: 'y = mix = far(x)',
  plain: (x, w) => {
    const [q, k] = ['wq', 'wk'].map((n) => x.map((row) => times(w(`mix.${n}`), row)));
    return q.map((query, t) => {
      const sums = Array.from({ length: Math.floor((t + 1) / 32) }, (_, g) => k.slice(32 * g, 32 * g + 32).reduce((a, b) => a.map((c, j) => c + b[j])));
      const seen = [...k.slice(0, t + 1).filter((_, at) => at !== 3), ...sums];
      return attend(query, seen, seen, 0.2);
    });
  },
});

checkSequenceLayer({
  name: 'picks of its own for every head of keys, which a group of queries shares', hidden: width,
  items: `layer grouped(x: [.., d], kv_heads: dim, group: dim, size: dim, picks: dim) -> [.., d] {
  param wq     : [kv_heads, group, size, d]
  param wk, wv : [kv_heads, size, d]
  param wo     : [d, kv_heads, group, size]
  q = wq @ x
  state kv : append [kv_heads, size + size] = [wk @ x | wv @ x]
  best = select(picks, over: kv as (k, v), by: sum(dot(q, k, over: size), over: group))
  o = attend(q, over: kv[best] as (k, v), k: k, v: v, score: 0.6 * s)
  return dot(wo, o, over: (kv_heads, group, size))
}`,
  body: 'y = mix = grouped(x, kv_heads: 2, group: 3, size: 4, picks: 5)',
  plain: (x, w) => x.map((row, t) => times(w('mix.wo'), chunks(times(w('mix.wq'), row), 2).flatMap((all, h) => {
    const queries = chunks(all, 3);
    const [keys, values] = ['wk', 'wv'].map((n) => x.slice(0, t + 1).map((r) => chunks(times(w(`mix.${n}`), r), 2)[h]));
    const best = largest(keys.map((k) => queries.reduce((sum, q) => sum + dot(q, k), 0)), 5);
    return queries.flatMap((q) => attend(q, best.map((at) => keys[at]), best.map((at) => values[at]), 0.6));
  }))),
});

checkSequenceLayer({
  name: 'learned keys and values that belong to no token, beside those of a window', hidden: width,
  items: `layer remembering(x: [.., d], memories: dim, size: dim) -> [.., d] {
  param wq, wk : [size, d]
  param memory : [memories, size]
  param wo     : [d, size]
  state near : window 4 [size] = wk @ x
  o = attend(wq @ x, over: [memory, near where query.position - key.position < 4], k: it, v: it, score: 0.8 * s)
  return wo @ o
}`,
  body: 'y = mix = remembering(x, memories: 37, size: 5)',
  plain: (x, w) => {
    const k = x.map((row) => times(w('mix.wk'), row));
    return x.map((row, t) => {
      const seen = [...chunks(w('mix.memory'), 37), ...k.slice(Math.max(0, t - 3), t + 1)];
      return times(w('mix.wo'), attend(times(w('mix.wq'), row), seen, seen, 0.8));
    });
  },
});

/** Interleaved pairs of the first dims turned by position * base ** (-2 i / dims). */
function turn(x: readonly number[], dims: number, position: number): number[] {
  return x.map((c, i) => {
    if (i >= dims) return c;
    const angle = position * 100 ** (-2 * Math.floor(i / 2) / dims);
    return i % 2 === 0 ? c * Math.cos(angle) - x[i + 1] * Math.sin(angle) : c * Math.cos(angle) + x[i - 1] * Math.sin(angle);
  });
}

checkSequenceLayer({
  name: 'latent attention over the tokens that the indexer of the standard library selects', hidden: 8,
  items: 'use std.{mla, lightning_indexer, layer_norm, rms, rotate, plain}',
  body: `def turned = rotate(freq: plain(100, 2), pairs: interleaved)
  def indexer = lightning_indexer(picks: 6, heads: 3, rope: 2, rest: 3, rotary: turned, norm: layer_norm(eps: 1e-6, biased: true))
  y = mix = mla(x, heads: 2, q_rank: 5, kv_rank: 4, nope: 3, rope: 2, value: 3, rotary: turned, latent_norm: rms(eps: 1e-6), score_scale: 0.4, pick: indexer)`,
  plain: (x, w) => {
    const r = x.map((row) => rms(times(w('mix.wq_a'), row), w('mix.q_norm.weight'), 1e-6));
    const keys = x.map((row, t) => turn(layerNorm(times(w('mix.index.wk'), row), w('mix.index.k_norm.weight'), w('mix.index.k_norm.bias')), 2, t));
    const latents = x.map((row) => times(w('mix.wkv_a'), row));
    const c = latents.map((l) => rms(l.slice(0, 4), w('mix.kv_norm.weight'), 1e-6));
    const shared = latents.map((l, t) => turn(l.slice(4), 2, t));
    return x.map((row, t) => {
      const weights = times(w('mix.index.ww'), row);
      const queries = chunks(times(w('mix.index.wq'), r[t]), 3).map((q) => turn(q, 2, t));
      const scores = keys.slice(0, t + 1).map((key) => queries.reduce((sum, q, h) => sum + weights[h] * Math.max(dot(q, key), 0), 0));
      const seen = largest(scores, 6);
      return times(w('mix.wo'), chunks(times(w('mix.wq_b'), r[t]), 2).flatMap((q, h) => {
        const own = [...q.slice(0, 3), ...turn(q.slice(3), 2, t)];
        const key = (at: number): number[] => [...times(chunks(w('mix.wk_b'), 2)[h], c[at]), ...shared[at]];
        return attend(own, seen.map(key), seen.map((at) => times(chunks(w('mix.wv_b'), 2)[h], c[at])), 0.4);
      }));
    });
  },
});

function layerNorm(x: readonly number[], weight: readonly number[], bias: readonly number[]): number[] {
  const mean = x.reduce((a, b) => a + b, 0) / x.length;
  const deviation = Math.sqrt(x.reduce((a, b) => a + (b - mean) ** 2, 0) / x.length + 1e-6);
  return x.map((c, i) => ((c - mean) / deviation) * weight[i] + bias[i]);
}
