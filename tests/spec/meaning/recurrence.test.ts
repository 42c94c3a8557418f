import { describe, expect, test } from 'vitest';
import type { Module } from '../../../compiler/ir/graph.js';
import { interpret } from '../../../compiler/ir/interpret-graph.js';
import { verifyModule } from '../../../compiler/ir/verify-graph.js';
import { moduleOf } from '../../support/elaborate-text.js';
import { launchInputs, seededParams } from '../../support/interpret-text.js';

const spec = (chunk: number): string => `
use std.{rms, embedding, linear, gated_delta_net}
model Recurrent {
  dim vocab = 19
  dim hidden = 10
  def norm = rms(eps: 1e-6)
  def mixer = gated_delta_net(heads: 2, group: 1, key: 5, value: 3, taps: 4, norm: norm, chunk: ${chunk})
  x = embed = embedding(tokens, vocab, hidden)
  repeat layers[2] as i { x += mix = mixer(pre = norm(x)) }
  logits = head = linear(final = norm(x), vocab)
}`;

/** Logits of all tokens, the sequence being cut into launches of these lengths. */
function run(module: Module, tokens: readonly number[], lengths: readonly number[], chunked: boolean): number[] {
  const params = seededParams(module);
  let states: readonly (readonly ArrayLike<number>[])[] | undefined;
  const logits: number[] = [];
  let at = 0;
  for (const length of lengths) {
    const { inputs, dims } = launchInputs(tokens.slice(at, at + length), at);
    const before = states;
    const result = interpret(module, { params, states: (s, i) => before?.[s][i], inputs, dims, exact: true, chunked });
    logits.push(...result.outputs.logits.data);
    states = result.states;
    at += length;
  }
  return logits;
}

describe('the gated delta rule of the standard library', () => {
  const tokens = Array.from({ length: 37 }, (_, i) => (i * 7 + 3) % 19);

  test('gives equal results whole, in chunks and token by token', () => {
    const module = moduleOf(spec(16));
    expect(verifyModule(module)).toEqual([]);
    const whole = run(module, tokens, [37], false);
    expect(Math.max(...whole.map(Math.abs))).toBeGreaterThan(0.01);
    for (const [lengths, chunked] of [[[37], true], [[5, 16, 16], true], [tokens.map(() => 1), false], [[20, 1, 16], false]] as const) {
      const other = run(module, tokens, lengths, chunked);
      expect(Math.max(...other.map((x, i) => Math.abs(x - whole[i])))).toBeLessThan(1e-12);
    }
  });

  test.each([1, 3, 64])('chunks of %d rows mean the same', (chunk) => {
    const module = moduleOf(spec(chunk));
    const [steps, chunks] = [run(module, tokens, [37], false), run(module, tokens, [37], true)];
    expect(Math.max(...chunks.map((x, i) => Math.abs(x - steps[i])))).toBeLessThan(1e-12);
  });
});
