import { describe, expect, test } from 'vitest';
import { elaborateText } from '../support/elaborate-text.js';
import { expectRows, oneLayer } from './one-layer.js';

type Pairs = 'interleaved' | 'half';

/** Rotates all of v by position * freq. */
function rotated(v: readonly number[], position: number, freq: readonly number[], pairs: Pairs, scale = 1): number[] {
  const out = [...v];
  freq.forEach((f, i) => {
    const [a, b] = pairs === 'half' ? [i, i + freq.length] : [2 * i, 2 * i + 1];
    const [c, s] = [scale * Math.cos(position * f), scale * Math.sin(position * f)];
    [out[a], out[b]] = [v[a] * c - v[b] * s, v[b] * c + v[a] * s];
  });
  return out;
}
const plain = (base: number, dims: number, over = dims): number[] => Array.from({ length: dims / 2 }, (_, i) => base ** (-2 * i / over));

/** YaRN as its paper defines it, the bounds rounded or not. */
function yarn(base: number, dims: number, factor: number, original: number, fast: number, slow: number, truncate: boolean): number[] {
  const dim = (turns: number): number => dims * Math.log(original / (turns * 2 * Math.PI)) / (2 * Math.log(base));
  const [low, high] = truncate ? [Math.floor(dim(fast)), Math.ceil(dim(slow))] : [dim(fast), dim(slow)];
  const [from, to] = [Math.max(low, 0), Math.min(high, dims - 1)];
  return plain(base, dims).map((f, i) => {
    const ramp = Math.min(Math.max((i - from) / (to - from), 0), 1);
    return f / factor * ramp + f * (1 - ramp);
  });
}

describe('rotary positions', () => {
  test.each<readonly [string, string, (v: readonly number[], t: number) => number[]]>([
    ['neighbouring pairs', 'rotate(x, position, freq: plain(100, 8), pairs: interleaved)', (v, t) => rotated(v, t, plain(100, 8), 'interleaved')],
    ['halves', 'rotate(x, position, freq: plain(100, 8), pairs: half)', (v, t) => rotated(v, t, plain(100, 8), 'half')],
    ['the first dims', 'rotate_first(x, position, freq: plain(100, 4), pairs: half)', (v, t) => [...rotated(v.slice(0, 4), t, plain(100, 4), 'half'), ...v.slice(4)]],
    ['the last dims', 'rotate_last(x, position, freq: plain(100, 4), pairs: interleaved)', (v, t) => [...v.slice(0, 4), ...rotated(v.slice(4), t, plain(100, 4), 'interleaved')]],
    ['a part of the whole head', 'rotate(x, position, freq: proportional(100, 4, 8), pairs: half)', (v, t) => rotated(v, t, [...plain(100, 4, 8), 0, 0], 'half')],
    ['stretched positions', 'rotate(x, position, freq: stretched(100, 8, 4), pairs: half)', (v, t) => rotated(v, t / 4, plain(100, 8), 'half')],
    ['LongRoPE', 'rotate(x, position, freq: longrope(100, 8, [1, 1.5, 2, 4]), pairs: half, scale: longrope_scale(4, 16))',
      (v, t) => rotated(v, t, plain(100, 8).map((f, i) => f / [1, 1.5, 2, 4][i]), 'half', Math.sqrt(1 + Math.log(4) / Math.log(16)))],
    ['YaRN, its bounds rounded', 'rotate(x, position, freq: yarn(100, 8, 4, 64, 8, 1), pairs: half)', (v, t) => rotated(v, t, yarn(100, 8, 4, 64, 8, 1, true), 'half')],
    ['YaRN, its bounds not rounded, on cos and sin', 'rotate(x, position, freq: yarn_fractional(100, 8, 4, 64, 8, 1), pairs: half, scale: yarn_mscale(4, 1))',
      (v, t) => rotated(v, t, yarn(100, 8, 4, 64, 8, 1, false), 'half', 0.1 * Math.log(4) + 1)],
  ])('%s', (_, value, meaning) => {
    const uses = 'rotate, rotate_first, rotate_last, plain, proportional, stretched, longrope, longrope_scale, yarn, yarn_fractional, yarn_mscale';
    const { out, x } = oneLayer(uses, value);
    expectRows(out, x.map((v, t) => meaning(v, t)));
  });

  test('learned positions begin at an offset', () => {
    const { out, param } = oneLayer('learned_positions', 'learned_positions(position, 16, hidden, 2)');
    const table = param('f.table');
    expectRows(out, out.map((_, t) => table.slice((t + 2) * 8, (t + 3) * 8)));
  });

  test('queries that grow with the logarithm of their position', () => {
    const { out, x } = oneLayer('log_temperature', 'log_temperature(x, position, stretch: 4, factor: 0.25, offset: 1)');
    expectRows(out, x.map((v, t) => v.map((a) => a * (1 + 0.25 * Math.log(1 + Math.floor((t + 1) / 4))))));
  });

  test('frequencies for another number of dims are a mistake', () => {
    const { rendered } = elaborateText('use std.{embedding, rotate, plain}\nmodel M {\n  x = embed = embedding(tokens, 11, 8)\n  logits = rotate(x, position, freq: plain(100, 6), pairs: half)\n}');
    expect(rendered).toMatch(/error\[E/);
  });
});

describe('ALiBi slopes', () => {
  /** The published rule: a power of two of heads, then every second slope of twice as many. */
  const published = (n: number): number[] => {
    const series = (m: number): number[] => Array.from({ length: m }, (_, i) => 2 ** (-(2 ** -(Math.log2(m) - 3)) * (i + 1)));
    const closest = 2 ** Math.floor(Math.log2(n));
    return [...series(closest), ...series(2 * closest).filter((_, i) => i % 2 === 0).slice(0, n - closest)];
  };

  test.each([1, 2, 3, 6, 7, 8, 12, 14, 16, 31, 40, 64, 71, 112])('%d heads', (heads) => {
    const { out } = oneLayer('alibi, relu', `relu(0 * x + tensor(alibi(${heads}), axis: hidden))`, { hidden: heads });
    expectRows([out[0]], [published(heads)]);
  });
});
