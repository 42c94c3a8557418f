import { describe, expect, test } from 'vitest';
import type { Graph, Node } from '../../../compiler/ir/graph.js';
import { moduleOf } from '../../support/elaborate-text.js';

const spec = (body: string, precision = 'precision { activations: bf16  cache: bf16 }', items = ''): string => `use std.{embedding, linear, rms}
${items}
model M {
  dim vocab = 11
  dim hidden = 6
  x = embed = embedding(tokens, vocab, hidden)
  ${body}
  logits = head = linear(x, vocab)
  ${precision}
}`;

/** Casts to bf16, by the ops whose results they round. */
function roundings(graph: Graph): readonly string[] {
  const made = new Map<number, Node>();
  for (const n of graph.nodes) for (const r of n.results) made.set(r.id, n);
  const name = (n: Node): string => (n.op === 'map' ? n.fn : n.op);
  return graph.nodes.flatMap((n) => (n.op === 'cast' && n.to === 'bf16' ? [name(made.get(n.operands[0])!)] : []));
}

describe('precision', () => {
  test('f32 activations need no casts', () => {
    expect(roundings(moduleOf(spec('x = x * 2 + 1', '')).graph)).toEqual([]);
  });

  test('a value is rounded where it gets a name, not between', () => {
    expect(roundings(moduleOf(spec('x = exp(x * 2) + 1')).graph)).toEqual(['gather', 'add', 'contract']);
  });

  test('what has a name is not rounded again by another', () => {
    expect(roundings(moduleOf(spec('y = x\n  x = y')).graph)).toEqual(['gather', 'contract']);
  });

  test('inside `at f32` nothing is rounded, what leaves by name is where it is named next', () => {
    expect(roundings(moduleOf(spec('at f32 { y = exp(x) }\n  x = y')).graph)).toEqual(['gather', 'exp', 'contract']);
    expect(roundings(moduleOf(spec('at f32 { y = exp(x)\n z = x * y }')).graph)).toEqual(['gather', 'contract']);
  });

  test('a layer rounds its argument and its result; a result declared f32 stays', () => {
    const layer = (dtype: string): string => `layer sharp(x: [.., d]) -> [.., d]${dtype} { return exp(x) }`;
    expect(roundings(moduleOf(spec('x = x * sharp(2 * x)', undefined, layer(''))).graph)).toEqual(['gather', 'multiply', 'exp', 'multiply', 'contract']);
    expect(roundings(moduleOf(spec('y = sharp(2 * x)', undefined, layer(' f32'))).graph)).toEqual(['gather', 'multiply', 'contract']);
  });

  test('a flag replaces what the spec declares; logits are f32', () => {
    const module = moduleOf(spec('x = x * 2'), { precision: { activations: 'f32', cache: 'f32' } });
    expect(roundings(module.graph)).toEqual([]);
    expect(moduleOf(spec('')).graph.nodes.at(-1)).toMatchObject({ op: 'cast', to: 'f32' });
  });

  test('states hold the cache dtype unless they say another', () => {
    const layer = `layer keeps(x: [.., d]) -> [.., d] {
  state a : append [d] = x
  state b : append [d] f32 = x
  o = attend(x, over: a as (c), k: c, v: c, score: s)
  return o + attend(x, over: b as (c), k: c, v: c, score: s)
}`;
    const { states } = moduleOf(spec('x += k = keeps(x)', undefined, layer));
    expect(states.map((s) => [s.paths[0], s.type.dtype])).toEqual([['k.a', 'bf16'], ['k.b', 'f32']]);
  });

  test('the router of a mixture is f32 from scores to weights', () => {
    const moe = 'use std.{swiglu, moe, sigmoid_gate}';
    const { graph } = moduleOf(spec('x += m = moe(x, experts: 4, active: 2, expert: swiglu(width: 8), gate: sigmoid_gate(normalize: true, scale: 1.0))', undefined, moe));
    const ofWeights = graph.nodes.filter((n) => n.op === 'cast' && n.results[0].type.axes.map((a) => a.name).join() === 'tokens,active');
    expect(ofWeights).toEqual([]);
    const combined = graph.nodes.find((n) => n.op === 'contract' && n.over.includes('active') && n.results[0].type.axes.length === 2);
    expect(combined?.results[0].type.dtype).toBe('f32');
  });
});
