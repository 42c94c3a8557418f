import { vi } from 'vitest';
import { add, chunks, dot, sigmoid, softplus, times, zeros } from '../support/plain-math.js';
import { checkSequenceLayer, type Rows, type Weights } from '../support/sequence-layer.js';

vi.setConfig({ testTimeout: 300_000 });

const heads = 2;
const size = 4;

/** q, k and v of one token, per head. */
function maps(row: readonly number[], w: Weights): readonly (readonly number[][])[] {
  return ['q', 'k', 'v'].map((n) => chunks(times(w(`mix.w${n}`), row), heads));
}

const declared = `dim key = ${size}
  dim value = ${size}
  dim heads = ${heads}
  param wq, wk : [heads, key, d]
  param wv : [heads, value, d]
  param wo : [d, heads, value]`;

checkSequenceLayer({
  name: 'linear attention with a constant decay per head (retention, lightning attention)', hidden: 6,
  items: `use std.{decayed_attention}
layer retention(x: [.., d]) -> [.., d] {
  ${declared}
  dim one = 1
  dim values = heads * value
  slope = tensor(ln(1 - 2 ** (-2 - iota(${heads}))), axis: heads)
  v = split(flatten(wv @ x, axes: (heads, value), to: values), axis: values, into: (heads, one, value))
  g = broadcast(split(slope, axis: heads, into: (heads, one)), axis: tokens)
  o = rule = decayed_attention(wq @ x, wk @ x, v, g, chunk: 8)
  return dot(wo, o[one: 0], over: (heads, value))
}`,
  body: 'y = mix = retention(x)',
  plain: (x, w) => {
    const memory = Array.from({ length: heads }, () => zeros(size, size));
    return x.map((row) => {
      const [q, k, v] = maps(row, w);
      return times(w('mix.wo'), memory.flatMap((s, h) => {
        s.forEach((line, i) => line.forEach((_, j) => { line[j] = (1 - 2 ** (-2 - h)) * line[j] + k[h][i] * v[h][j]; }));
        return v[h].map((_, j) => s.reduce((sum, line, i) => sum + q[h][i] * line[j], 0));
      }));
    });
  },
});

checkSequenceLayer({
  name: 'linear attention divided by what was read', hidden: 6,
  items: `use std.{normalized_attention}
layer features(x: [.., d]) -> [.., d] {
  ${declared}
  o = rule = normalized_attention(softplus(wq @ x), softplus(wk @ x), wv @ x, chunk: 8)
  return dot(wo, o, over: (heads, value))
}`,
  body: 'y = mix = features(x)',
  plain: (x, w) => {
    const rows = x.map((row) => maps(row, w));
    return rows.map(([q], t) => times(w('mix.wo'), q.flatMap((qh, h) => {
      const weights = rows.slice(0, t + 1).map(([, k]) => dot(qh.map(softplus), k[h].map(softplus)));
      const total = weights.reduce((a, b) => a + b, 0);
      return qh.map((_, j) => weights.reduce((sum, c, i) => sum + (c / total) * rows[i][2][h][j], 0));
    })));
  },
});

/** h = sum over tokens of exp(gates) v (k q), written out over all earlier tokens, without a state. */
function matrixMemory(x: Rows, w: Weights): Rows {
  const rows = x.map((row) => ({ maps: maps(row, w), write: times(w('mix.wi'), row).map((c) => 6 * c), keep: times(w('mix.wf'), row).map((c) => Math.log(sigmoid(c + 2))) }));
  return rows.map(({ maps: [q] }, t) => times(w('mix.wo'), q.flatMap((qh, h) => {
    const exponents = rows.slice(0, t + 1).map((r, s) => r.write[h] + rows.slice(s + 1, t + 1).reduce((sum, later) => sum + later.keep[h], 0));
    const weights = rows.slice(0, t + 1).map((r, s) => Math.exp(exponents[s]) * dot(qh, r.maps[1][h]));
    const total = Math.max(Math.abs(weights.reduce((a, b) => a + b, 0)), 1);
    return qh.map((_, j) => weights.reduce((sum, c, s) => sum + (c / total) * rows[s].maps[2][h][j], 0));
  })));
}

checkSequenceLayer({
  name: 'a matrix memory with exponential gates (xLSTM), three carried values', hidden: 6,
  items: `use std.{matrix_memory}
layer mlstm(x: [.., d]) -> [.., d] {
  ${declared}
  param wi, wf : [heads, d]
  o = rule = matrix_memory(wq @ x, wk @ x, wv @ x, 6 * (wi @ x), -softplus(-2 - wf @ x), chunk: 8)
  return dot(wo, o, over: (heads, value))
}`,
  body: 'y = mix = mlstm(x)',
  plain: matrixMemory,
});

checkSequenceLayer({
  name: 'carried values that start at learned ones', hidden: 6,
  items: `layer fading(x: [.., d]) -> [.., d] {
  param start : [d]
  param fade  : [d]
  keep = 0 * x + ln(sigmoid(fade))
  o = scan (x, keep) carry s : [d] f32 = start, last : [d] f32 = 2 {
    emit s + last
    s = exp(keep) * s + x
    last = x
  }
  return o
}
layer summing(x: [.., d]) -> [.., d] {
  param start : [d]
  o = scan (x) carry s : [d] f32 = 3 * start {
    s = s + x
    emit s
  } chunk 8 as (i, j) {
    emit s + cumulate(x, over: i)
    s = s + sum(x, over: i)
  }
  return o
}`,
  body: `u = first = fading(x)
  y = u + (second = summing(x))`,
  plain: (x, w) => {
    let [s, last, total] = [[...w('first.start')], new Array<number>(6).fill(2), w('second.start').map((c) => 3 * c)];
    return x.map((row) => {
      const out = add(s, last);
      s = s.map((c, i) => sigmoid(w('first.fade')[i]) * c + row[i]);
      last = [...row];
      total = add(total, row);
      return add(out, total);
    });
  },
});
