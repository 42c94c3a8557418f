/** What a file says per layer, and how a model begins and ends. */
import { describe, expect, test } from 'vitest';
import type { Module } from '../../compiler/ir/graph.js';
import { elaborateText, moduleOf } from '../support/elaborate-text.js';
import { dot, expectRows, oneLayer, rows } from './one-layer.js';

const layers = 'layer wide(x: [.., d], width: int) -> [.., d] { dim inner = width  param up : [inner, d]  param down : [d, inner]  return down @ (up @ x) }';

/** The widths of the layers of a model, 0 where there is none. */
function widths(table: string, use: string): readonly number[] {
  const module: Module = moduleOf(`use std.{embedding}
${layers}
model M {
  dim vocab = 11
  dim hidden = 4
  ${table}
  x = embed = embedding(tokens, vocab, hidden)
  repeat layers[8] as i { ${use} }
  logits = embed.table @ x
}`);
  const found = new Map(module.params.flatMap((p) => p.paths.map((path) => [path, p.type.axes[0].size as number] as const)));
  return Array.from({ length: 8 }, (_, i) => found.get(`layers[${i}].f.up`) ?? 0);
}

const narrowOrBroad = 'x += f = wide(x, width: match kind[i] { narrow => 2  broad => 5 })';

describe('tables per layer', () => {
  test.each<readonly [string, string, readonly number[]]>([
    ['a cycle', 'cycle([narrow, narrow, broad])', [2, 2, 5, 2, 2, 5, 2, 2]],
    ['every fourth, the last of four', 'match iota(8) mod 4 { 3 => broad  _ => narrow }', [2, 2, 2, 5, 2, 2, 2, 5]],
    ['a period with an offset', 'match iota(8) mod 4 { 1 => broad  _ => narrow }', [2, 5, 2, 2, 2, 5, 2, 2]],
    ['a pattern of letters', 'match letters("NNBBN*NB") { "N" => narrow  "B" => broad  "*" => broad }', [2, 2, 5, 5, 2, 5, 2, 5]],
    ['a list that counts from one', 'match among(iota(8) + 1, [1, 2, 8]) { true => broad  false => narrow }', [5, 5, 2, 2, 2, 2, 2, 5]],
  ])('%s', (_, table, wanted) => {
    expect(widths(`table kind[8] = ${table}`, narrowOrBroad)).toEqual(wanted);
  });

  test('numbers per layer, and a layer that is not there', () => {
    expect(widths('table width[8] = [3, 3, 0, 4, 4, 0, 1, 2]', 'if width[i] > 0 { x += f = wide(x, width: width[i]) }')).toEqual([3, 3, 0, 4, 4, 0, 1, 2]);
  });

  test('a condition on a set of layers', () => {
    expect(widths('', 'x += f = wide(x, width: if among(i, [0, 6]) then 7 else 1)')).toEqual([7, 1, 1, 1, 1, 1, 7, 1]);
  });

  test.each([
    ['letters(3)', /`text` must be a string/], ['among(x, [1])', /`x` must be a number or a list of numbers/],
    ['among(1, 2)', /`numbers` must be a list of numbers/], ['count(2)', /`list` must be a list/],
    ['match letters("AZ") { "A" => 1 }', /no arm of this `match` fits the string "Z"/],
  ])('%s is refused', (value, message) => {
    const { rendered } = elaborateText(`use std.{embedding}\nmodel M {\n  x = embed = embedding(tokens, 11, 4)\n  const c = ${value}\n  logits = embed.table @ x\n}`);
    expect(rendered).toMatch(message);
  });
});

describe('ends', () => {
  test('a head of rows of unit length', () => {
    const { out, x, param } = oneLayer('normalized_linear', 'normalized_linear(x, 3, eps: 1e-12)');
    const w = rows(param('f.weight'), 8).map((r) => r.map((a) => a / Math.sqrt(dot(r, r))));
    expectRows(out, x.map((v) => w.map((r) => dot(r, v))));
  });

  test('softmax along an axis', () => {
    const { out, x } = oneLayer('softmax, relu', 'relu(softmax(x, hidden))');
    expectRows(out, x.map((v) => v.map((a) => Math.exp(a) / v.reduce((s, b) => s + Math.exp(b), 0))));
  });

  test.each([[3584, 59.75], [2048, 45.25], [3072, 55.5]])('the square root of %d in bf16', (hidden, factor) => {
    const { out, x } = oneLayer('relu', `relu(x * 0 + cast(${hidden} ** 0.5, to: bf16))`);
    expectRows(out, x.map((v) => v.map(() => factor)));
  });

  test('rows that pad the vocabulary are not among the logits', () => {
    const module = moduleOf(`use std.{embedding, linear, round_up}
model M {
  const vocab = 11
  x = embed = embedding(tokens, round_up(vocab, 8), 4)
  y = head = linear(x, round_up(vocab, 8))
  logits = y[first vocab]
}`);
    expect(module.params.map((p) => p.type.axes[0].size)).toEqual([16, 16]);
    const logits = module.graph.outputs.find((o) => o.name === 'logits')!;
    const { type } = module.graph.nodes.flatMap((n) => n.results).find((r) => r.id === logits.value)!;
    expect(type.axes.map((a) => a.size)[1]).toBe(11);
  });
});
