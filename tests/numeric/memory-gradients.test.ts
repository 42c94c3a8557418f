import { describe, expect, it } from 'vitest';
import { interpret } from '../../compiler/ir/interpret-graph.js';
import { requireValid } from '../../compiler/ir/verify-graph.js';
import { autodiff, gradientName } from '../../compiler/passes/autodiff.js';
import { expandAttend } from '../../compiler/passes/expand-attend.js';
import { nextTokenLoss } from '../../compiler/passes/next-token-loss.js';
import { moduleOf } from '../support/elaborate-text.js';
import { launchInputs, seededParams } from '../support/interpret-text.js';

const tokens = [3, 1, 4, 1, 5, 2, 0, 5];
const targets = [1, 4, 1, 5, -1, 0, 5, 3];
/** Two sequences, of 5 and 3 tokens. */
const packed = { position: [0, 1, 2, 3, 4, 0, 1, 2], sequence: [0, 0, 0, 0, 0, 1, 1, 1], starts: [0, 5, 8], blocks: [0, 0] };

/** Largest deviation of all gradients from central differences, relative to the largest of each parameter. */
function errorOf(items: string, body: string): number {
  const model = moduleOf(`use std.{embedding, linear, rms}
${items}
model M {
  dim vocab = 6
  dim hidden = 5
  x = embed = embedding(tokens, vocab, hidden)
  ${body}
  logits = head = linear(x, vocab)
}`);
  const module = nextTokenLoss(expandAttend(model));
  const backward = autodiff(module);
  requireValid(backward, 'autodiff');
  const { inputs, dims } = launchInputs(tokens, 0);
  const random = seededParams(module, 0.8);
  const values = module.params.map((p, i) => p.paths.map((_, n) => Float64Array.from(random(i, n))));
  const run = (m: typeof module) => interpret(m, {
    params: (i, n) => values[i][n], inputs: { ...inputs, ...packed, targets }, dims: { ...dims, sequences: 2, pool: 2, slots_2: 8 }, exact: true,
  }).outputs;
  const found = run(backward);
  let worst = 0;
  module.params.forEach((p, i) => values[i].forEach((data, n) => {
    const wanted = Array.from(data, (x, j) => {
      const loss = [1e-5, -1e-5].map((step) => { data[j] = x + step; return run(module).loss.data[0]; });
      data[j] = x;
      return (loss[0] - loss[1]) / 2e-5;
    });
    const scale = wanted.reduce((m, g) => Math.max(m, Math.abs(g)), 0);
    expect(scale, p.paths[n]).toBeGreaterThan(1e-6);
    const gradient = found[gradientName(i)].data;
    wanted.forEach((g, j) => { worst = Math.max(worst, Math.abs(g - gradient[n * data.length + j]) / scale); });
  }));
  return worst;
}

describe('gradients of recurrences and of attention to some entries', () => {
  it.each([
    ['a gated delta rule with its convolutions', 'use std.{gated_delta_net}', 'x += mix = gated_delta_net(x, heads: 2, group: 1, key: 3, value: 2, taps: 3, norm: rms(eps: 1e-5), chunk: 4)'],
    ['Mamba in two layers', 'use std.{mamba}', 'repeat layers[2] as i { x += mix = mamba(x, inner: 4, state: 3, rank: 2, taps: 3, biased: true) }'],
    ['a learned start', `layer summing(x: [.., d]) -> [.., d] {
  param start : [d]
  param fade  : [d]
  o = scan (x) carry s : [d] f32 = start, last : [d] f32 = 2 {
    s = sigmoid(fade) * s + tanh(x)
    emit s * last
    last = x
  }
  return o
}`, 'x += sums = summing(x)'],
    ['a window beside selected entries every 2 tokens', `layer compressed(x: [.., d], picks: dim) -> [.., d] {
  dim size = like d
  dim taps = 3
  param wq, wk, wc : [size, d]
  q = wq @ x
  state recent : last (taps - 1) [size] = wc @ x
  state near : append [size] = wk @ x
  state entry : every 2 [size] = sum(window(recent, axis: taps), over: taps)
  pick = select(picks, over: entry as e, by: dot(q, e, over: size))
  o = attend(q, over: [near where query.position - key.position < 2, entry[pick]], k: it, v: it, score: 0.7 * s)
  return rename(o, from: size, to: d)
}`, 'x += mix = compressed(x, picks: 1)'],
  ])('%s', (_, items, body) => {
    expect(errorOf(items, body)).toBeLessThan(2e-7);
  });
});
