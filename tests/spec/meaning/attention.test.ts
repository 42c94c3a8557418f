import { describe, expect, test } from 'vitest';
import type { Module, Node } from '../../../compiler/ir/graph.js';
import { interpret } from '../../../compiler/ir/interpret-graph.js';
import { moduleOf } from '../../support/elaborate-text.js';
import { launchInputs, seededParams } from '../../support/interpret-text.js';

const heads = 3;
const size = 4;
const tokens = [3, 1, 4, 1, 5, 9, 2, 6];

/** One attention over the embeddings, heads side by side, as the whole model. */
function model(options: string, state = 'append'): Module {
  return moduleOf(`use std.{embedding}
layer attention(x: [.., d], heads: dim, size: dim) -> [.., d] {
  param sink : [heads]
  h = split(x, axis: d, into: (heads, size))
  state kv : ${state} [heads, size] = h
  o = attend(h, over: kv as (c), k: c, v: c, ${options}, export: max_logit)
  return flatten(o + 0 * sink, axes: (heads, size), to: d)
}
model M {
  dim vocab = 11
  dim hidden = ${heads * size}
  x = embed = embedding(tokens, vocab, hidden)
  logits = attn = attention(x, heads: ${heads}, size: ${size})
}`, { taps: true });
}

interface Meaning { readonly score: (s: number, head: number, i: number, j: number) => number; readonly seen?: (i: number, j: number, head: number) => boolean; readonly sink?: boolean }

/** The same by loops, and the largest score per head. */
function byHand(module: Module, { score, seen = () => true, sink = false }: Meaning): { out: number[]; max: number[] } {
  const params = seededParams(module);
  const find = (path: string): ArrayLike<number> => params(module.params.findIndex((p) => p.paths[0] === path), 0);
  const [table, sinks] = [find('embed.table'), find('attn.sink')];
  const at = (t: number, h: number, k: number): number => table[tokens[t] * heads * size + h * size + k];
  const out: number[] = [];
  const max = new Array<number>(heads).fill(-Infinity);
  for (let i = 0; i < tokens.length; i++) for (let h = 0; h < heads; h++) {
    const keys = tokens.map((_, j) => j).filter((j) => j <= i && seen(i, j, h));
    const scores = keys.map((j) => score(Array.from({ length: size }, (_, k) => at(i, h, k) * at(j, h, k)).reduce((a, b) => a + b, 0), h, i, j));
    scores.forEach((s) => { max[h] = Math.max(max[h], s); });
    const total = scores.reduce((a, s) => a + Math.exp(s), sink ? Math.exp(sinks[h]) : 0);
    for (let k = 0; k < size; k++) out.push(keys.reduce((a, j, n) => a + Math.exp(scores[n]) / total * at(j, h, k), 0));
  }
  return { out, max };
}

function attendOf(module: Module): Extract<Node, { op: 'attend' }> {
  const node = module.graph.nodes.find((n) => n.op === 'attend');
  if (node?.op !== 'attend') throw new Error('no attend');
  return node;
}

describe('attend', () => {
  test.each<readonly [string, string, Meaning, string?]>([
    ['a scale', 'score: s * 0.5', { score: (s) => s * 0.5 }],
    ['a soft cap', 'score: 2 * tanh(s / 2)', { score: (s) => 2 * Math.tanh(s / 2) }],
    ['ALiBi', 'score: s + 2 ** (-8 * (iota(heads) + 1) / heads) * (key.position - query.position)', { score: (s, h, i, j) => s + 2 ** (-8 * (h + 1) / heads) * (j - i) }],
    ['a sliding window', 'score: s, mask: causal and query.position - key.position < 3', { score: (s) => s, seen: (i, j) => i - j < 3 }, 'window 3'],
    ['chunks of positions', 'score: s, mask: causal and key.position // 4 == query.position // 4', { score: (s) => s, seen: (i, j) => Math.floor(i / 4) === Math.floor(j / 4) }],
    ['blocks with a stride that begins elsewhere in every head', 'score: s, mask: causal and (query.position // 2 == key.position // 2 or (key.position // 2 + iota(heads)) mod 2 == 0)',
      { score: (s) => s, seen: (i, j, h) => Math.floor(i / 2) === Math.floor(j / 2) || (Math.floor(j / 2) + h) % 2 === 0 }],
    ['no sink', 'score: s, sink: none', { score: (s) => s }],
    ['sinks', 'score: s, sink: sink', { score: (s) => s, sink: true }],
  ])('%s means what it says', (_, options, meaning, state) => {
    const module = model(options, state);
    const { inputs, dims } = launchInputs(tokens, 0);
    const { outputs } = interpret(module, { params: seededParams(module), inputs, dims, exact: true });
    const { out, max } = byHand(module, meaning);
    expect(Math.max(...out.map((x, i) => Math.abs(x - outputs.logits.data[i])))).toBeLessThan(1e-12);
    const exported = outputs[module.taps[0].output].data;
    expect(Math.max(...max.map((x, i) => Math.abs(x - exported[i])))).toBeLessThan(1e-12);
  });

  test('what a mask implies is read from it', () => {
    expect(attendOf(model('score: s'))).toMatchObject({ causal: true, exports: true });
    expect(attendOf(model('score: s, mask: key.position <= query.position and query.position - key.position <= 4'))).toMatchObject({ causal: true, window: 5 });
    expect(attendOf(model('score: s, mask: key.position < 4'))).toMatchObject({ causal: false });
  });

  test('an export that nobody asked for leaves no trace', () => {
    const silent = moduleOf(`use std.{embedding}
layer attention(x: [.., d]) -> [.., d] {
  state kv : append [d] = x
  return attend(x, over: kv as (c), k: c, v: c, score: s, export: max_logit)
}
model M {
  x = embed = embedding(tokens, 11, 12)
  logits = attn = attention(x)
}`);
    expect(attendOf(silent).exports).toBe(false);
    expect(silent.taps).toEqual([]);
  });
});
