/** Combinations that no published checkpoint of tests/families has, by loops. */
import { describe, expect, test } from 'vitest';
import { apply, dot, expectRows, oneLayer, rows, sigmoid, sum, type OneLayer } from './one-layer.js';

const size = 4;
const [heads, kvHeads] = [4, 2];

interface Variant { readonly score?: (s: number, head: number, i: number, j: number) => number; readonly seen?: (i: number, j: number) => boolean; readonly sink?: boolean; readonly after?: (o: number[], head: number, x: readonly number[], l: OneLayer) => number[] }

/** Grouped-query attention without positions. */
function byHand(layer: OneLayer, { score = (s) => s, seen = () => true, sink = false, after = (o) => o }: Variant): number[][] {
  const { x, param } = layer;
  const projected = (name: string): number[][][] => x.map((v) => rows(apply(param(`f.${name}`), v), size));
  const [q, k, v, wo] = [projected('wq'), projected('wk'), projected('wv'), rows(param('f.wo'), heads * size)];
  return x.map((xi, i) => {
    const read = Array.from({ length: heads }, (_, h) => {
      const kv = Math.floor(h / (heads / kvHeads));
      const keys = x.map((_, j) => j).filter((j) => j <= i && seen(i, j));
      const weights = keys.map((j) => Math.exp(score(dot(q[i][h], k[j][kv]), h, i, j)));
      const total = sum(weights) + (sink ? Math.exp(param('f.sink')[h]) : 0);
      return after(Array.from({ length: size }, (_, d) => sum(keys.map((j, n) => weights[n] / total * v[j][kv][d]))), h, xi, layer);
    });
    return wo.map((row) => dot(row, read.flat()));
  });
}

describe('gqa', () => {
  test.each<readonly [string, string, Variant]>([
    ['one gate per head', 'gate: per_head', { after: (o, h, x, l) => o.map((a) => a * sigmoid(apply(l.param('f.wg'), x)[h])) }],
    ['a gate per element', 'gate: per_element', { after: (o, h, x, l) => o.map((a, d) => a * sigmoid(apply(l.param('f.wg'), x)[h * size + d])) }],
    ['ALiBi over grouped heads, with sinks', 'slopes: [0.5, 0.25, 0.125, 0.0625], sinks: true', { score: (s, h, i, j) => s + 0.5 ** (h + 1) * (j - i), sink: true }],
    ['a soft cap over ALiBi in a window', 'slopes: [0.5, 0.25, 0.125, 0.0625], soft_cap: 0.5, window: 3', { score: (s, h, i, j) => 0.5 * Math.tanh((s + 0.5 ** (h + 1) * (j - i)) / 0.5), seen: (i, j) => i - j < 3 }],
    ['chunks', 'chunk: 4', { seen: (i, j) => Math.floor(i / 4) === Math.floor(j / 4) }],
  ])('%s', (_, options, variant) => {
    const layer = oneLayer('gqa', `gqa(x, heads: ${heads}, kv_heads: ${kvHeads}, size: ${size}, biases: no, score_scale: 1, ${options})`);
    expectRows(layer.out, byHand(layer, variant));
  });

  test.each([
    ['window: 4, chunk: 4', /a window and a chunk are two masks/],
    ['qk_norm: rms(eps: 1e-6)', /qk_norm_on says what is normalised/],
    ['qk_norm_on: each_head', /qk_norm says how/],
    ['tied_value: true, value: 8', /values that are the keys' projection have its size/],
  ])('%s is refused', (options, message) => {
    expect(() => oneLayer('gqa, rms', `gqa(x, heads: 4, kv_heads: 2, size: 4, biases: no, score_scale: 1, ${options})`)).toThrow(message);
  });

  test('heads that key/value heads do not divide are refused', () => {
    expect(() => oneLayer('gqa', 'gqa(x, heads: 5, kv_heads: 2, size: 4, biases: no, score_scale: 1)')).toThrow(/the same number of query heads/);
  });
});

describe('mla', () => {
  test('without a query step and without positions, gated', () => {
    const [nope, rope, rank, value] = [4, 2, 6, 3];
    const layer = oneLayer('mla, rms', `mla(x, heads: 2, q_rank: none, kv_rank: ${rank}, nope: ${nope}, rope: ${rope}, value: ${value}, latent_norm: rms(eps: 1e-3), score_scale: 0.5, latent_scale: 1.5, q_scale: 0.75, gate: per_element)`);
    const { x, param } = layer;
    const [wq, wkv, wk, wv, wo, wg] = ['wq', 'wkv_a', 'wk_b', 'wv_b', 'wo', 'wg'].map((p) => param(`f.${p}`));
    const gains = param('f.kv_norm.weight');
    const latents = x.map((v) => {
      const all = apply(wkv, v);
      const raw = all.slice(0, rank);
      const scale = 1.5 / Math.sqrt(dot(raw, raw) / rank + 1e-3);
      return { c: raw.map((a, i) => a * scale * gains[i]), shared: all.slice(rank) };
    });
    expectRows(layer.out, x.map((v, i) => {
      const read = [0, 1].map((h) => {
        const part = (w: readonly number[], n: number, c: readonly number[]): number[] => rows(w, rank).slice(h * n, (h + 1) * n).map((r) => dot(r, c));
        const q = apply(wq, v).slice(h * (nope + rope), (h + 1) * (nope + rope)).map((a) => 0.75 * a);
        const weights = latents.slice(0, i + 1).map(({ c, shared }) => Math.exp(0.5 * dot(q, [...part(wk, nope, c), ...shared])));
        const gate = apply(wg, v).slice(h * value, (h + 1) * value);
        return Array.from({ length: value }, (_, d) => sigmoid(gate[d]) * sum(weights.map((w, j) => w * part(wv, value, latents[j].c)[d])) / sum(weights));
      });
      return rows(wo, 2 * value).map((row) => dot(row, read.flat()));
    }));
    expect(layer.out.length).toBeGreaterThan(8);
  });
});
