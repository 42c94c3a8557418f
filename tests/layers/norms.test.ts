import { describe, expect, test } from 'vitest';
import type { Node } from '../../compiler/ir/graph.js';
import { moduleOf } from '../support/elaborate-text.js';
import { apply, expectRows, oneLayer, sigmoid, sum, type OneLayer } from './one-layer.js';

const eps = 1e-3;
const square = (v: readonly number[]): number => sum(v.map((a) => a * a));
const toRms = (v: readonly number[]): number[] => v.map((a) => a / Math.sqrt(square(v) / v.length + eps));
const standard = (v: readonly number[]): number[] => toRms(v.map((a) => a - sum(v) / v.length));
const parts = (v: readonly number[], groups: number, norm: (part: readonly number[]) => number[]): number[] =>
  Array.from({ length: groups }, (_, g) => norm(v.slice(g * v.length / groups, (g + 1) * v.length / groups))).flat();
const silu = (v: number): number => v * sigmoid(v);

type Meaning = (v: readonly number[], l: OneLayer) => number[];
const gain = (v: readonly number[], w: readonly number[]): number[] => v.map((a, i) => a * w[i]);
const biased = (v: readonly number[], b: readonly number[]): number[] => v.map((a, i) => a + b[i]);

describe('norms mean what their papers say', () => {
  test.each<readonly [string, string, Meaning]>([
    ['rms', 'rms(x, eps: 1e-3)', (v, l) => gain(toRms(v), l.param('f.weight'))],
    ['wide_rms', 'wide_rms(x, eps: 1e-3)', (v, l) => gain(toRms(v), l.param('f.weight'))],
    ['zero_centered_rms', 'zero_centered_rms(x, eps: 1e-3)', (v, l) => gain(toRms(v), l.param('f.weight').map((w) => 1 + w))],
    ['plain_rms', 'plain_rms(x, eps: 1e-3)', toRms],
    ['layer_norm', 'layer_norm(x, eps: 1e-3, biased: true)', (v, l) => biased(gain(standard(v), l.param('f.weight')), l.param('f.bias'))],
    ['layer_norm', 'layer_norm(x, eps: 1e-3, biased: false)', (v, l) => gain(standard(v), l.param('f.weight'))],
    ['zero_centered_layer_norm', 'zero_centered_layer_norm(x, eps: 1e-3, biased: true)', (v, l) => biased(gain(standard(v), l.param('f.weight').map((w) => 1 + w)), l.param('f.bias'))],
    ['plain_layer_norm', 'plain_layer_norm(x, eps: 1e-3)', standard],
    ['group_rms', 'group_rms(x, groups: 4, eps: 1e-3)', (v, l) => gain(parts(v, 4, toRms), l.param('f.weight'))],
    ['group_norm', 'group_norm(x, groups: 4, eps: 1e-3, biased: true)', (v, l) => biased(gain(parts(v, 4, standard), l.param('f.weight')), l.param('f.bias'))],
    ['l2_norm', 'l2_norm(x, eps: 1e-3)', (v) => v.map((a) => a / Math.sqrt(square(v) + eps))],
    ['norm_of_gated', 'norm_of_gated(x, z, norm: rms(eps: 1e-3), activation: silu)', (v, l) => gain(toRms(v.map((a, i) => a * silu(apply(l.param('gate.weight'), v)[i]))), l.param('f.norm.weight'))],
    ['gated_norm', 'gated_norm(x, z, norm: rms(eps: 1e-3), activation: silu)', (v, l) => gain(toRms(v), l.param('f.norm.weight')).map((a, i) => a * silu(apply(l.param('gate.weight'), v)[i]))],
  ])('%s', (name, value, meaning) => {
    const gate = value.includes('z,');
    const uses = [...new Set([name, 'rms', 'linear', 'silu'])].join(', ');
    const layer = oneLayer(uses, value, { before: gate ? 'dim other = like hidden\n  z = rename((gate = linear(x, other)), from: other, to: hidden)' : '' });
    expectRows(layer.out, layer.x.map((v) => meaning(v, layer)));
  });

  test('groups must divide the axis', () => {
    expect(() => oneLayer('group_rms', 'group_rms(x, groups: 3, eps: 1e-3)')).toThrow(/every group has the same number of elements/);
  });
});

describe('where a norm is rounded', () => {
  /** What is rounded to bf16 between the embedding and the head. */
  const rounded = (norm: string): readonly string[] => {
    const { nodes } = moduleOf(`use std.{embedding, linear, ${norm.split('(')[0]}}
model M {
  x = embed = embedding(tokens, 11, 6)
  h = n = ${norm.replace('(', '(x, ')}
  logits = head = linear(h, 5)
  precision { activations: bf16  cache: bf16 }
}`).graph;
    const made = new Map<number, Node>(nodes.flatMap((n) => n.results.map((r) => [r.id, n] as const)));
    const name = (n: Node): string => (n.op === 'map' ? n.fn : n.op);
    return nodes.flatMap((n) => (n.op === 'cast' && n.to === 'bf16' ? [name(made.get(n.operands[0])!)] : [])).slice(1, -1);
  };

  test('before the gain and after it, or after it only', () => {
    expect(rounded('rms(eps: 1e-6)')).toEqual(['multiply', 'multiply']);
    for (const norm of ['wide_rms(eps: 1e-6)', 'zero_centered_rms(eps: 1e-6)', 'plain_rms(eps: 1e-6)', 'layer_norm(eps: 1e-6, biased: true)']) expect(rounded(norm)).toHaveLength(1);
  });
});
