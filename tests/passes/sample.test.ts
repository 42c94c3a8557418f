import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../compiler/ir/build.js';
import type { Module } from '../../compiler/ir/graph.js';
import { interpret } from '../../compiler/ir/interpret-graph.js';
import { requireValid } from '../../compiler/ir/verify-graph.js';
import { sample } from '../../compiler/passes/sample.js';
import { axis, dynamic, f32, i32, moduleOf, tokens } from '../numeric/fixtures.js';

function module(vocabulary: number): Module {
  const b = new GraphBuilder('m', { params: [], states: [] });
  b.input('position', i32(tokens));
  const x = b.input('x', f32(tokens, axis('vocab', vocabulary)));
  const made = sample(moduleOf(b.finish([{ name: 'logits', value: b.gather(x, b.input('rows', i32(dynamic('outputs'))), 'tokens') }])));
  requireValid(made, 'sample');
  return made;
}

/** Rows of equal logits at positions from, from + 1, .. */
function draw(m: Module, logits: number[], count: number, from: number, temperature: number, seed: number, [k, p]: readonly [number, number] = [0, 1]): number[] {
  const index = Array.from({ length: count }, (_, i) => i);
  const { outputs } = interpret(m, {
    params: () => [], dims: { tokens: count, outputs: count },
    inputs: { position: index.map((i) => from + i), rows: index, x: index.flatMap(() => logits), temperature: [temperature], seed: [seed], top_k: [k], top_p: [p] },
  });
  return Array.from(outputs.next.data);
}

describe('sample', () => {
  const m = module(4);
  const logits = [0, 1, 2, 1];

  it('takes the largest at temperature 0, the lowest id among equals', () => {
    expect(draw(m, logits, 2, 0, 0, 1)).toEqual([2, 2]);
    expect(draw(m, [5, 7, 7, 0], 1, 0, 0, 1)).toEqual([1]);
  });

  it('draws from the softmax of logits over temperature', () => {
    const count = 4000;
    for (const temperature of [1, 0.5]) {
      const drawn = draw(m, logits, count, 0, temperature, 42);
      const weights = logits.map((z) => Math.exp(z / temperature));
      const total = weights.reduce((a, b) => a + b);
      weights.forEach((w, id) => {
        const p = w / total;
        const share = drawn.filter((x) => x === id).length / count;
        expect(Math.abs(share - p)).toBeLessThan(4 * Math.sqrt((p * (1 - p)) / count));
      });
    }
  });

  it('draws among what top-k and top-p keep, the lower id first among equals', () => {
    const drawn = (limits: readonly [number, number]): number[] => [...new Set(draw(m, logits, 400, 0, 1, 3, limits))].sort();
    expect(drawn([0, 1])).toEqual([0, 1, 2, 3]);
    expect(drawn([1, 1])).toEqual([2]);
    expect(drawn([2, 1])).toEqual([1, 2]);
    // Shares 0.534, 0.197, 0.197, 0.072.
    expect(drawn([4, 0.5])).toEqual([2]);
    expect(drawn([4, 0.6])).toEqual([1, 2]);
    expect(drawn([4, 0.8])).toEqual([1, 2, 3]);
    // Of the first two alone, their shares are 0.73 and 0.27.
    expect(drawn([2, 0.7])).toEqual([2]);
    expect(draw(m, logits, 3, 0, 0, 3, [4, 0.8])).toEqual([2, 2, 2]);
  });

  it('depends on seed and position, not on the launch', () => {
    const whole = draw(m, logits, 50, 0, 1, 7);
    expect(draw(m, logits, 20, 30, 1, 7)).toEqual(whole.slice(30));
    expect(draw(m, logits, 50, 0, 1, 8)).not.toEqual(whole);
  });
});
