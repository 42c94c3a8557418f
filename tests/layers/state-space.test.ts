import { vi } from 'vitest';
import { add, chunks, convolve, dot, parts, product, rms, sigmoid, silu, softplus, times, zeros } from '../support/plain-math.js';
import { checkSequenceLayer } from '../support/sequence-layer.js';

vi.setConfig({ testTimeout: 300_000 });

const [groups, heads, value, state, taps] = [2, 3, 4, 5, 4];
const inner = groups * heads * value;

checkSequenceLayer({
  name: 'Mamba-2', hidden: 12,
  items: 'use std.{mamba2}',
  body: `y = mix = mamba2(x, groups: ${groups}, heads: ${heads}, value: ${value}, state: ${state}, taps: ${taps}, biased: true, eps: 1e-5, chunk: 8)`,
  plain: (x, w) => {
    const rows = x.map((row) => parts(times(w('mix.w_in'), row), [inner, inner + 2 * groups * state, groups * heads]));
    const mixed = convolve(rows.map((r) => r[1]), w('mix.conv.weight'), taps, w('mix.conv.bias')).map((r) => r.map(silu));
    const memory = Array.from({ length: groups * heads }, () => zeros(state, value));
    return rows.map(([z, , dt], t) => {
      const [u, b, c] = parts(mixed[t], [inner, groups * state, groups * state]);
      const y = memory.flatMap((s, h) => {
        const g = Math.floor(h / heads);
        const step = softplus(dt[h] + w('mix.dt_bias')[h]);
        const keep = Math.exp(-Math.exp(w('mix.a_log')[h]) * step);
        const v = chunks(u, groups * heads)[h];
        s.forEach((row, k) => row.forEach((_, j) => { row[j] = keep * row[j] + step * b[g * state + k] * v[j]; }));
        return v.map((x_, j) => s.reduce((sum, row, k) => sum + c[g * state + k] * row[j], 0) + w('mix.skip')[h] * x_);
      });
      const gated = chunks(product(y, z.map(silu)), groups);
      return times(w('mix.w_out'), gated.flatMap((part, g) => rms(part, chunks(w('mix.norm.weight'), groups)[g], 1e-5)));
    });
  },
});

checkSequenceLayer({
  name: 'Mamba', hidden: 10,
  items: 'use std.{mamba}',
  body: 'y = mix = mamba(x, inner: 6, state: 5, rank: 3, taps: 4, biased: true)',
  plain: (x, w) => {
    const rows = x.map((row) => parts(times(w('mix.w_in'), row), [6, 6]));
    const mixed = convolve(rows.map((r) => r[0]), w('mix.conv.weight'), 4, w('mix.conv.bias')).map((r) => r.map(silu));
    const s = zeros(6, 5);
    return rows.map(([, z], t) => {
      const u = mixed[t];
      const [dt, b, c] = parts(times(w('mix.w_x'), u), [3, 5, 5]);
      const step = add(times(w('mix.w_step'), dt), w('mix.b_step')).map(softplus);
      const y = s.map((row, i) => {
        row.forEach((_, n) => { row[n] = Math.exp(-step[i] * Math.exp(w('mix.a_log')[i * 5 + n])) * row[n] + step[i] * u[i] * b[n]; });
        return dot(row, c) + w('mix.skip')[i] * u[i];
      });
      return times(w('mix.w_out'), product(y, z.map(silu)));
    });
  },
});

checkSequenceLayer({
  name: 'the block of Griffin, with its real-gated recurrent unit', hidden: 8,
  items: 'use std.{griffin_block, silu}',
  body: 'y = mix = griffin_block(x, width: 6, heads: 2, taps: 4, gate: silu)',
  plain: (x, w) => {
    const u = convolve(x.map((row) => add(times(w('mix.w_x'), row), w('mix.b_x'))), w('mix.conv.weight'), 4, w('mix.conv.bias'));
    const gate = (name: string, row: readonly number[]): number[] => chunks(row, 2).flatMap((part, h) =>
      add(times(chunks(w(`mix.rg_lru.w_${name}`), 2)[h], part), chunks(w(`mix.rg_lru.b_${name}`), 2)[h]).map(sigmoid));
    let state = new Array<number>(6).fill(0);
    return x.map((row, t) => {
      const g = gate('read', u[t]).map((r, c) => -8 * softplus(w('mix.rg_lru.a')[c]) * r);
      const write = gate('write', u[t]);
      state = state.map((s, c) => Math.exp(g[c]) * s + (t === 0 ? 1 : Math.sqrt(1 - Math.exp(2 * g[c]))) * write[c] * u[t][c]);
      return add(times(w('mix.w_out'), product(state, add(times(w('mix.w_y'), row), w('mix.b_y')).map(silu))), w('mix.b_out'));
    });
  },
});
