import { describe, expect, test } from 'vitest';
import { apply, expectRows, oneLayer, sigmoid, sum } from './one-layer.js';

/** Abramowitz and Stegun's definition by Simpson's rule, for |x| small. */
function erf(x: number): number {
  const steps = 2000;
  const h = x / steps;
  const f = (i: number): number => Math.exp(-((i * h) ** 2)) * (i === 0 || i === steps ? 1 : i % 2 === 1 ? 4 : 2);
  return 2 / Math.sqrt(Math.PI) * h / 3 * sum(Array.from({ length: steps + 1 }, (_, i) => f(i)));
}
const relu = (v: number): number => Math.max(v, 0);
const clamp = (v: number, low: number, high: number): number => Math.min(Math.max(v, low), high);
const gelu = (v: number): number => v / 2 * (1 + erf(v / Math.SQRT2));
const geluTanh = (v: number): number => v / 2 * (1 + Math.tanh(0.7978845608028654 * (v + 0.044715 * v ** 3)));
const silu = (v: number): number => v * sigmoid(v);

describe('activations', () => {
  test.each<readonly [string, (v: number) => number]>([
    ['relu', relu], ['relu_squared', (v) => relu(v) ** 2], ['silu', silu], ['gelu', gelu], ['gelu_tanh', geluTanh], ['gelu_sigmoid', (v) => v * sigmoid(1.702 * v)],
  ])('%s between two matrices', (name, f) => {
    const layer = oneLayer(`mlp, ${name}`, `mlp(x, width: 5, activation: ${name}, biased: true)`);
    const [up, upBias, down, downBias] = ['up', 'up_bias', 'down', 'down_bias'].map((p) => layer.param(`f.${p}`));
    expectRows(layer.out, layer.x.map((v) => apply(down, apply(up, v).map((a, i) => f(a + upBias[i]))).map((a, i) => a + downBias[i])));
  });

  test.each<readonly [string, string, (g: number, u: number) => number]>([
    ['swish_gate', 'swish_gate', (g, u) => silu(g) * u],
    ['gelu_gate', 'gelu_gate', (g, u) => gelu(g) * u],
    ['gelu_tanh_gate', 'gelu_tanh_gate', (g, u) => geluTanh(g) * u],
    ['relu_gate', 'relu_gate', (g, u) => relu(g) * u],
    ['clamped_swish_gate', 'clamped', (g, u) => Math.min(g, 0.5) * sigmoid(1.702 * Math.min(g, 0.5)) * (clamp(u, -0.5, 0.5) + 1)],
    ['situ_gate', 'situ', (g, u) => 0.75 * Math.tanh(g / 0.75) * sigmoid(g) * 0.5 * Math.tanh(u / 0.5)],
  ])('%s', (name, combine, f) => {
    const before = `const clamped(g, u) = clamped_swish_gate(g, u, limit: 0.5, slope: 1.702, offset: 1)
  const situ(g, u) = situ_gate(g, u, b: 0.75, c: 0.5)`;
    const uses = [...new Set(['gated', 'clamped_swish_gate', 'situ_gate', name])].join(', ');
    const layer = oneLayer(uses, `gated(x, width: 5, combine: ${combine}, biased: true)`, { before });
    const [gate, gateBias, up, upBias, down, downBias] = ['gate', 'gate_bias', 'up', 'up_bias', 'down', 'down_bias'].map((p) => layer.param(`f.${p}`));
    const inner = (v: readonly number[]): number[] => apply(gate, v).map((g, i) => f(g + gateBias[i], apply(up, v)[i] + upBias[i]));
    expectRows(layer.out, layer.x.map((v) => apply(down, inner(v)).map((a, i) => a + downBias[i])));
  });

  test('xIELU, with trained slopes', () => {
    const layer = oneLayer('xielu', 'xielu(x, beta: 0.5, eps: 1e-6)');
    const [p, n] = ['alpha_p', 'alpha_n'].map((a) => Math.log(1 + Math.exp(layer.param(`f.${a}`)[0])));
    const f = (v: number): number => (v > 0 ? p * v * v + 0.5 * v : (Math.expm1(Math.min(v, -1e-6)) - v) * (0.5 + n) + 0.5 * v);
    expectRows(layer.out, layer.x.map((v) => v.map(f)));
  });

  test('the statistical top of a vector', () => {
    const layer = oneLayer('gaussian_top', 'gaussian_top(x, share: 0.75)');
    // The 75th percentile of the standard normal distribution.
    const quantile = 0.6744897501960817;
    expectRows(layer.out, layer.x.map((v) => {
      const mean = sum(v) / v.length;
      const deviation = Math.sqrt(sum(v.map((a) => (a - mean) ** 2)) / v.length);
      return v.map((a) => relu(a - mean - deviation * quantile));
    }));
  });

  test.each([[0.5, 0], [0.75, 0.6744897501960817], [0.95, 1.6448536269514722], [0.99, 2.3263478740408408], [0.999, 3.090232306167813]])('the normal quantile of %d', (p, z) => {
    const layer = oneLayer('normal_quantile, relu', `relu(x * 0 + 4 + normal_quantile(${p}))`);
    expect(layer.out[0][0]).toBeCloseTo(4 + z, 11);
  });
});
