import { describe, expect, test } from 'vitest';
import type { Module } from '../../../compiler/ir/graph.js';
import { interpret } from '../../../compiler/ir/interpret-graph.js';
import { verifyModule } from '../../../compiler/ir/verify-graph.js';
import { moduleOf } from '../../support/elaborate-text.js';
import { launchInputs, seededParams } from '../../support/interpret-text.js';

const tokens = [3, 1, 4, 1, 5, 9, 2, 6];
const [vocab, hidden] = [11, 4];

/** `logits = value` over the embeddings x [tokens, hidden]. */
function model(body: string, items = ''): Module {
  const module = moduleOf(`use std.{embedding, linear, rms}
${items}
model M {
  dim vocab = ${vocab}
  dim hidden = ${hidden}
  x = embed = embedding(tokens, vocab, hidden)
  ${body}
}`, { taps: true });
  expect(verifyModule(module)).toEqual([]);
  return module;
}

function run(module: Module): { readonly logits: readonly number[]; readonly param: (path: string) => ArrayLike<number>; readonly x: (t: number, k: number) => number } {
  const params = seededParams(module);
  const { inputs, dims } = launchInputs(tokens, 0);
  const { outputs } = interpret(module, { params, inputs, dims, exact: true });
  const param = (path: string): ArrayLike<number> => params(module.params.findIndex((p) => p.paths[0] === path), 0);
  const table = param('embed.table');
  return { logits: [...outputs.logits.data], param, x: (t, k) => table[tokens[t] * hidden + k] };
}

function expectClose(found: readonly number[], value: (t: number, k: number) => number, columns = hidden): void {
  expect(found.length).toBe(tokens.length * columns);
  expect(Math.max(...found.map((f, n) => Math.abs(f - value(Math.floor(n / columns), n % columns))))).toBeLessThan(1e-12);
}

describe('layers', () => {
  test('a routed expert chooses its parameters, gains and biases too', () => {
    const items = `layer expert(x: [.., d]) -> [.., d] {
  param w : [d]
  param b : [d]
  dim out = like d
  param m : [out, d]
  return rename(m @ (w * x + b), from: out, to: d)
}
layer routed(x: [.., d], experts: dim, active: dim) -> [.., d] {
  param score : [experts, d]
  s = score @ x
  ids = top(active, of: s, over: experts)
  return route(x, ids, s[experts: ids]) over experts as e { experts[e] = expert(x) }
}`;
    const module = model('logits = mix = routed(x, experts: 5, active: 2)', items);
    const { logits, param, x } = run(module);
    const [score, w, b, m] = ['mix.score', 'mix.experts.w', 'mix.experts.b', 'mix.experts.m'].map(param);
    expectClose(logits, (t, k) => {
      const scores = Array.from({ length: 5 }, (_, e) => Array.from({ length: hidden }, (_, i) => score[e * hidden + i] * x(t, i)).reduce((a, c) => a + c, 0));
      const chosen = [...scores.keys()].sort((i, j) => scores[j] - scores[i]).slice(0, 2);
      return chosen.reduce((sum, e) => sum + scores[e] * Array.from({ length: hidden }, (_, i) => m[(e * hidden + k) * hidden + i] * (w[e * hidden + i] * x(t, i) + b[e * hidden + i])).reduce((a, c) => a + c, 0), 0);
    });
  });

  test('choices that do the same are weighted together', () => {
    const items = `layer routed(x: [.., d], experts: dim, active: dim) -> [.., d] {
  param score : [experts, d]
  s = score @ x
  ids = top(active, of: s, over: experts)
  return route(x, ids, s[experts: ids]) over experts as e { 3 * x }
}`;
    const { logits, param, x } = run(model('logits = mix = routed(x, experts: 5, active: 2)', items));
    const score = param('mix.score');
    expectClose(logits, (t, k) => {
      const scores = Array.from({ length: 5 }, (_, e) => Array.from({ length: hidden }, (_, i) => score[e * hidden + i] * x(t, i)).reduce((a, c) => a + c, 0));
      const [first, second] = [...scores].sort((a, b) => b - a);
      return 3 * x(t, k) * (first + second);
    });
  });

  test('a layer binds its own dims, so one layer runs at several widths', () => {
    const items = 'layer ffn(x: [.., d], width: dim) -> [.., d] {\n param up : [width, d]\n param down : [d, width]\n return down @ (up @ x)\n}';
    const module = model('y = wide = linear(x, 6)\n  y += inner = ffn(y, width: 3)\n  logits = outer = ffn(x, width: 5)', items);
    expect(module.params.map((p) => `${p.paths[0]} ${p.type.axes.map((a) => a.size).join('x')}`)).toEqual([
      'embed.table 11x4', 'wide.weight 6x4', 'inner.up 3x6', 'inner.down 6x3', 'outer.up 5x4', 'outer.down 4x5',
    ]);
  });

  test('layers are arguments; what is chosen decides which parameters there are', () => {
    const items = `layer wrapped(x: [.., d], body: layer, norm: layer?) -> [.., d] {
  if norm == none { h = x } else { h = n = norm(x) }
  return x + (b = body(h))
}
layer gain(x: [.., d], bias: bool) -> [.., d] {
  param w : [d]
  param b : [d] when bias
  return if bias then w * x + b else w * x
}`;
    const paths = (args: string): readonly string[] => model(`logits = f = wrapped(x, ${args})`, items).params.map((p) => p.paths[0]);
    expect(paths('body: gain(bias: false)')).toEqual(['embed.table', 'f.b.w']);
    expect(paths('body: gain(bias: true), norm: rms(eps: 1e-6)')).toEqual(['embed.table', 'f.n.weight', 'f.b.w', 'f.b.b']);
  });

  test('sum axes split by position, and equal sums are one axis', () => {
    const items = `layer halves(x: [.., d], a: dim, b: dim) -> [.., d] {
  param w : [a + b, d]
  param o : [d, b + a]
  [u | v] = w @ x
  return o @ [v | u]
}`;
    const { logits, param, x } = run(model('logits = h = halves(x, a: 2, b: 3)', items));
    const [w, o] = ['h.w', 'h.o'].map(param);
    const wide = (t: number, r: number): number => Array.from({ length: hidden }, (_, i) => w[r * hidden + i] * x(t, i)).reduce((p, q) => p + q, 0);
    expectClose(logits, (t, k) => [2, 3, 4, 0, 1].reduce((sum, r, n) => sum + o[k * 5 + n] * wide(t, r), 0));
  });

  test('a token sees the ones before it through a state `last`', () => {
    const items = `layer shift(x: [.., d], taps: dim) -> [.., d] {
  param w : [taps, d]
  state tail : last (taps - 1) [d] = x fill 0.5
  return sum(w * window(tail, axis: taps), over: taps)
}`;
    const { logits, param, x } = run(model('logits = s = shift(x, taps: 3)', items));
    const w = param('s.w');
    expectClose(logits, (t, k) => [2, 1, 0].reduce((sum, back, n) => sum + w[n * hidden + k] * (t - back < 0 ? 0.5 : x(t - back, k)), 0));
  });

  test('stretches, elements and pairs', () => {
    const body = 'dim pair = hidden / 2\n  a = slice(x, axis: hidden, start: 0, step: 2, to: pair)\n  b = slice(x, axis: hidden, start: 1, step: 2, to: pair)\n  logits = interleave(b, a, axis: pair, to: hidden) + x[hidden: 3] + two_of(x)';
    const { logits, x } = run(model(body, 'layer two_of(x: [.., d]) -> [..] {\n dim two = 2\n return sum(x[last two], over: two)\n}'));
    expectClose(logits, (t, k) => x(t, k % 2 === 0 ? k + 1 : k - 1) + x(t, 3) + x(t, 2) + x(t, 3));
  });
});
