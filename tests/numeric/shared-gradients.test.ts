/** Gradients of parameters that several places use are the sums over their uses. */
import { expect, it } from 'vitest';
import { interpret } from '../../compiler/ir/interpret-graph.js';
import type { Module } from '../../compiler/ir/graph.js';
import { requireValid } from '../../compiler/ir/verify-graph.js';
import { autodiff, gradientName } from '../../compiler/passes/autodiff.js';
import { nextTokenLoss } from '../../compiler/passes/next-token-loss.js';
import { moduleOf } from '../support/elaborate-text.js';
import { launchInputs, seededParams } from '../support/interpret-text.js';

const text = `use std.{embedding, linear, swiglu}
model Shared {
  dim vocab = 9
  dim hidden = 4
  shared one = swiglu(width: 3)
  shared blocks[3] = swiglu(width: 2)
  x = embed = embedding(tokens, vocab, hidden)
  x += first = one(x)
  repeat passes[2] as p {
    repeat steps[3] as i { x += use = blocks[i](x) }
    x += last = one(x)
  }
  logits = head = linear(x, vocab)
}`;

it('a block used once outside and in every pass, and a list of blocks passed twice', () => {
  const module = nextTokenLoss(moduleOf(text));
  const backward = autodiff(module);
  requireValid(backward, 'autodiff');
  expect(module.params.map((p) => `${p.paths.join(' ')} ${p.shared === true}`).filter((p) => p.includes('gate'))).toEqual([
    'one.gate true', 'blocks[0].gate blocks[1].gate blocks[2].gate true',
  ]);
  const seeded = seededParams(module, 0.7);
  const values = module.params.map((p, i) => p.paths.map((_, n) => Float64Array.from(seeded(i, n))));
  const { inputs, dims } = launchInputs([3, 1, 4, 1, 5], 0);
  const bindings = { params: (i: number, n: number) => values[i][n], inputs: { ...inputs, targets: [1, 4, 1, 5, -1] }, dims, exact: true };
  const lossOf = (m: Module): number => interpret(m, bindings).outputs.loss.data[0];
  const { outputs } = interpret(backward, bindings);
  module.params.forEach((p, i) => {
    const gradient = outputs[gradientName(i)].data;
    p.paths.forEach((_, n) => values[i][n].forEach((x, j, data) => {
      const [up, down] = [1e-5, -1e-5].map((step) => { data[j] = x + step; return lossOf(module); });
      data[j] = x;
      expect(Math.abs((up - down) / 2e-5 - gradient[n * data.length + j])).toBeLessThan(1e-8);
    }));
  });
});
