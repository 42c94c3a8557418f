import { describe, expect, it } from 'vitest';
import { compile } from '../../compiler/compile.js';
import { alignmentFor } from '../../compiler/model/block-alignment.js';
import { nodeLoader } from '../../dsl/std-node.js';

const spec = (n: number, format: string): string => `use std.{embedding, linear}
layer both(x: [.., d], heads: dim, n: dim) -> [.., d] {
  param a : [heads, n, d]
  param b : [heads, n, d]
  return dot(b, a @ x, over: (heads, n))
}
model M {
  dim vocab = 16
  dim hidden = 64
  x = embed = embedding(tokens, vocab, hidden)
  x += mix = both(x, heads: 40, n: ${n})
  logits = head = linear(x, vocab)
  quantize mix.* to ${format}
  weights {
    "embed" -> embed.table
    "head" -> head.weight
    "{p}" -> mix.{p} : "(heads n) d"
  }
}
`;
const request = (text: string, target: 'reference' | 'cuda:sm_80') => compile({ entry: { path: 'm.firn', text }, load: nodeLoader, target, context: 32 });

describe('formats and what a parameter is summed over', () => {
  it('blocks of fp8 become groups that no border cuts', () => {
    const { bundle, diagnostics } = request(spec(8, 'fp8(block: 128)'), 'reference');
    expect(diagnostics).toEqual([]);
    const packing = (path: string): unknown => bundle!.plan.weights.find((w) => w.path === path)!.packing;
    expect(packing('mix.a')).toMatchObject({ kind: 'scaled', code: 'e4m3', group: 64 });
    expect(packing('mix.b')).toMatchObject({ kind: 'scaled', code: 'e4m3', group: 8 });
  });
  it('E0834: borders at places that are no multiple of 4', () => {
    expect(request(spec(6, 'fp8(block: 128)'), 'reference').diagnostics.map((d) => d.code)).toEqual(['E0834']);
  });
  it('E0835: matrix instructions take int4 only', () => {
    expect(request(spec(8, 'fp8(block: 128)'), 'cuda:sm_80').diagnostics.map((d) => d.code)).toContain('E0835');
  });
  it('groups of mxfp4 and int4 run along the summed axis: E0831', () => {
    for (const format of ['mxfp4', 'int4(group: 32, along: in)']) expect(request(spec(8, format), 'reference').diagnostics.map((d) => d.code)).toEqual(['E0831']);
  });
  it('published dims keep whole blocks', () => {
    const decl = (axes: Record<string, number>) => ({
      paths: ['w'], type: { dtype: 'f32' as const, axes: Object.entries(axes).map(([name, size]) => ({ name, size })) }, storage: { kind: 'fp8' as const, block: 128 },
      init: { kind: 'constant' as const, value: 0 }, frozen: false,
    });
    const rows = { version: 1 as const, ignore: [], weights: [{ path: 'w', tensor: 'w', shape: [32768, 512], offset: 0, rule: '', where: '', axes: [{ name: 'heads', size: 128, stride: 256 * 512 }, { name: 'nope', size: 128, stride: 512 }, { name: 'rank', size: 512, stride: 1 }] }] };
    expect(alignmentFor(rows)(decl({ heads: 128, nope: 128, rank: 512 }), 'nope', 128)).toBe(128);
    expect(alignmentFor()(decl({ width: 2048, d: 7168 }), 'd', 128)).toBe(128);
  });
});
