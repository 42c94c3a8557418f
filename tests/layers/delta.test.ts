import { vi } from 'vitest';
import { add, chunks, convolve, dot, parts, product, rms, sigmoid, silu, softplus, times, unit, zeros } from '../support/plain-math.js';
import { checkSequenceLayer, type Rows, type Weights } from '../support/sequence-layer.js';

vi.setConfig({ testTimeout: 300_000 });

/** The delta rule on s [key, value]: every key decays by its share of `keep`, then k is corrected towards v. */
function correct(s: number[][], keep: readonly number[], k: readonly number[], v: readonly number[], beta: number): void {
  s.forEach((row, i) => row.forEach((_, j) => { row[j] *= keep[i]; }));
  const said = v.map((_, j) => s.reduce((sum, row, i) => sum + k[i] * row[j], 0));
  s.forEach((row, i) => row.forEach((_, j) => { row[j] += k[i] * beta * (v[j] - said[j]); }));
}

const read = (s: readonly (readonly number[])[], q: readonly number[]): number[] => s[0].map((_, j) => s.reduce((sum, row, i) => sum + q[i] * row[j], 0));

function projected(x: Rows, w: Weights, name: string): number[][] {
  return convolve(x.map((row) => times(w(`mix.w${name}`), row)), w(`mix.${name}_conv.weight`), 4).map((r) => r.map(silu));
}

const [heads, group, key, value] = [2, 2, 4, 3];

checkSequenceLayer({
  name: 'Gated DeltaNet, heads of values in groups', hidden: 10,
  items: 'use std.{gated_delta_net, rms}',
  body: `y = mix = gated_delta_net(x, heads: ${heads}, group: ${group}, key: ${key}, value: ${value}, taps: 4, norm: rms(eps: 1e-6), chunk: 8)`,
  plain: (x, w) => {
    const [q, k, v] = ['q', 'k', 'v'].map((n) => projected(x, w, n));
    const memory = Array.from({ length: heads * group }, () => zeros(key, value));
    return x.map((row, t) => {
      const [a, b] = [times(w('mix.wa'), row), times(w('mix.wb'), row)];
      const z = chunks(times(w('mix.wz'), row), heads * group);
      const o = memory.flatMap((s, h) => {
        const of = Math.floor(h / group);
        const keep = Math.exp(-Math.exp(w('mix.a_log')[h]) * softplus(a[h] + w('mix.dt_bias')[h]));
        correct(s, new Array<number>(key).fill(keep), unit(chunks(k[t], heads)[of], 1e-6), chunks(v[t], heads * group)[h], sigmoid(b[h]));
        const said = read(s, unit(chunks(q[t], heads)[of], 1e-6).map((c) => c / Math.sqrt(key)));
        return product(rms(said, w('mix.o_norm.weight'), 1e-6), z[h].map(silu));
      });
      return times(w('mix.wo'), o);
    });
  },
});

checkSequenceLayer({
  name: 'Kimi Delta Attention, one decay per channel', hidden: 10,
  items: 'use std.{kda, rms}',
  body: `y = mix = kda(x, heads: ${heads}, key: ${key}, value: ${value}, rank: 3, taps: 4, norm: rms(eps: 1e-6), chunk: 8, rows: 4)`,
  plain: (x, w) => {
    const [q, k, v] = ['q', 'k', 'v'].map((n) => projected(x, w, n));
    const memory = Array.from({ length: heads }, () => zeros(key, value));
    return x.map((row, t) => {
      const f = chunks(add(times(w('mix.wf_b'), times(w('mix.wf_a'), row)), w('mix.dt_bias')), heads);
      const gate = chunks(times(w('mix.wg_b'), times(w('mix.wg_a'), row)), heads);
      const beta = times(w('mix.wb'), row).map(sigmoid);
      return times(w('mix.wo'), memory.flatMap((s, h) => {
        const keep = f[h].map((c) => Math.exp(-Math.exp(w('mix.a_log')[h]) * softplus(c)));
        correct(s, keep, unit(chunks(k[t], heads)[h], 1e-6), chunks(v[t], heads)[h], beta[h]);
        const said = read(s, unit(chunks(q[t], heads)[h], 1e-6).map((c) => c / Math.sqrt(key)));
        return product(rms(said, w('mix.o_norm.weight'), 1e-6), gate[h].map(sigmoid));
      }));
    });
  },
});

checkSequenceLayer({
  // In 16 rows a channel decays by up to exp(-160): what is relative to the chunk's first row alone would overflow.
  name: 'a decay per channel that a chunk cannot factor', hidden: 6,
  items: `use std.{channel_delta}
layer extreme(x: [.., d]) -> [.., d] {
  dim heads = 1
  dim key = like d
  dim value = like d
  param wk, wq, wg : [heads, key, d]
  param wv : [heads, value, d]
  param wb : [heads, d]
  o = rule = channel_delta(wq @ x, wk @ x, wv @ x, -10 * sigmoid(8 * (wg @ x)), sigmoid(wb @ x), chunk: 16, rows: 4)
  return rename(sum(o, over: heads), from: value, to: d)
}`,
  body: 'y = mix = extreme(x)',
  plain: (x, w) => {
    const s = zeros(6, 6);
    return x.map((row) => {
      correct(s, times(w('mix.wg'), row).map((g) => Math.exp(-10 * sigmoid(8 * g))), times(w('mix.wk'), row), times(w('mix.wv'), row), sigmoid(dot(w('mix.wb'), row)));
      return read(s, times(w('mix.wq'), row));
    });
  },
});

/** One layer of RWKV-7's time mixing; `first` are the first layer's values, absent in that layer. */
function timeMix(x: Rows, first: Rows | undefined, w: Weights): { readonly y: Rows; readonly values: Rows } {
  const memory = Array.from({ length: heads }, () => zeros(key, key));
  const values: number[][] = [];
  const y = x.map((row, t) => {
    const change = row.map((c, i) => (t === 0 ? 0 : x[t - 1][i]) - c);
    const mixed = (n: string): number[] => add(row, product(change, w(`x_${n}`)));
    const low = (n: string, input: string, between: (c: number) => number): number[] => times(w(`${n}2`), times(w(`${n}1`), mixed(input)).map(between));
    const [r, k0, v0] = ['r', 'k', 'v'].map((n) => times(w(`w${n}`), mixed(n)));
    const keep = add(w('w0'), low('w', 'w', Math.tanh)).map((c) => Math.exp(-Math.exp(-0.5) * sigmoid(c)));
    const rate = add(w('a0'), low('a', 'a', (c) => c)).map(sigmoid);
    const share = first && add(w('v0'), low('v', 'v', (c) => c)).map(sigmoid);
    const v = share ? v0.map((c, i) => c + (first[t][i] - c) * share[i]) : v0;
    values.push(v);
    const removed = chunks(product(k0, w('k_k')), heads).map((part) => unit(part, 1e-12));
    const k = k0.map((c, i) => c * (1 + (rate[i] - 1) * w('k_a')[i]));
    const o = memory.flatMap((s, h) => {
      const of = (a: readonly number[]): number[] => chunks(a, heads)[h];
      const said = read(s, removed[h]);
      s.forEach((line, i) => line.forEach((_, j) => { line[j] = of(keep)[i] * line[j] - removed[h][i] * of(rate)[i] * said[j] + of(k)[i] * of(v)[j]; }));
      const out = read(s, of(r));
      const mean = out.reduce((a, b) => a + b, 0) / key;
      const deviation = Math.sqrt(out.reduce((a, b) => a + (b - mean) ** 2, 0) / key + 1e-5);
      const bonus = dot(product(of(r), of(k)), of(w('r_k')));
      return out.map((c, j) => ((c - mean) / deviation) * of(w('norm.weight'))[j] + of(w('norm.bias'))[j] + bonus * of(v)[j]);
    });
    return times(w('wo'), product(o, low('g', 'g', sigmoid)));
  });
  return { y, values };
}

checkSequenceLayer({
  name: 'RWKV-7, whose first layer has no values to mix with', hidden: 8,
  items: 'use std.{time_mix, channel_mix}',
  body: `y = x
  repeat layers[3] as i carry (y, first = none) {
    (u, v) = mix = time_mix(y, first, heads: ${heads}, key: ${key}, value: ${key}, decay_rank: 2, rate_rank: 2, value_rank: 3, gate_rank: 3, eps: 1e-5, chunk: 8, rows: 4)
    if i == 0 { first = v }
    y += u
    y += ffn = channel_mix(y, 12)
  }`,
  plain: (x, w) => {
    let y = x;
    let first: Rows | undefined;
    for (let i = 0; i < 3; i++) {
      const mix = timeMix(y, first, (path) => w(`layers[${i}].mix.${path}`));
      first ??= mix.values;
      const mixed = y.map((row, t) => add(row, mix.y[t]));
      y = mixed.map((row, t) => {
        const shifted = row.map((c, j) => c + ((t === 0 ? 0 : mixed[t - 1][j]) - c) * w(`layers[${i}].ffn.x_k`)[j]);
        return add(row, times(w(`layers[${i}].ffn.down`), times(w(`layers[${i}].ffn.up`), shifted).map((c) => Math.max(c, 0) ** 2)));
      });
    }
    return y;
  },
});

checkSequenceLayer({
  name: 'a gated short convolution', hidden: 7,
  items: 'use std.{gated_conv}',
  body: 'y = mix = gated_conv(x, taps: 3, biased: true)',
  plain: (x, w) => {
    const rows = x.map((row) => parts(times(w('mix.w_in'), row), [7, 7, 7]));
    const mixed = convolve(rows.map(([write, , u]) => product(write, u)), w('mix.conv.weight'), 3, w('mix.conv.bias'));
    return rows.map(([, gate], t) => times(w('mix.w_out'), product(gate, mixed[t])));
  },
});
