import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../compiler/ir/build.js';
import { symbol } from '../../compiler/ir/dim.js';
import type { Axis, Graph, Module, Node, ParamDecl } from '../../compiler/ir/graph.js';
import { interpret, interpretRanks, type Data } from '../../compiler/ir/interpret-graph.js';
import type { Mesh } from '../../compiler/ir/mesh.js';
import { verifyModule } from '../../compiler/ir/verify-graph.js';
import { reassociate } from '../../compiler/passes/reassociate.js';
import { simplify } from '../../compiler/passes/simplify.js';
import { launchInputs, seededParams } from '../support/interpret-text.js';
import { moduleOf } from '../support/elaborate-text.js';
import { rankBindings, sharded } from '../support/shard-inputs.js';
import { tinyDecoder, tinyShape } from '../support/tiny-decoder.js';

const four: Mesh = { tensor: 2, expert: 2 };
const decoder = (): Module => tinyDecoder({ ...tinyShape, heads: 4 });

function nodesOf(graph: Graph): Node[] {
  return graph.nodes.flatMap((n) => [n, ...(n.op === 'repeat' ? nodesOf(n.body) : [])]);
}

const cuts = (module: Module): string[] => module.params.flatMap((p) => (p.shard ?? []).map((s) => `${p.paths[0]}: ${s.axis} over ${s.group}`));
const sums = (module: Module): string[] => nodesOf(module.graph).flatMap((n) => (n.op === 'all_reduce' ? [`${n.group} [${n.results[0].type.axes.map((a) => a.name).join(' ')}]`] : []));

/** Largest difference of `logits` over all ranks, relative, for a prompt at once and its last tokens one by one. */
function differenceOnRanks(module: Module, mesh: Mesh, tokens: readonly number[] = [3, 1, 4, 1, 5, 9, 2, 6], decoded = 2): number {
  const divided = sharded(module, mesh);
  expect(verifyModule(divided, mesh)).toEqual([]);
  const moved = simplify(reassociate(divided, { tokens: 1, context: 1, force: 'move' }), { groups: mesh });
  let worst = 0;
  for (const parts of [divided, moved]) {
    let [whole, each]: [readonly (readonly Data[])[] | undefined, readonly (readonly (readonly Data[])[])[]] = [undefined, []];
    for (let at = 0; at < tokens.length;) {
      const run = tokens.slice(at, at === 0 ? tokens.length - decoded : at + 1);
      const { inputs, dims } = launchInputs(run, at);
      const bindings = { params: seededParams(module, 0.4), inputs, dims: { ...dims, blocks: 1, slots: 16 }, exact: true };
      const one = interpret(module, { ...bindings, states: (s, n) => whole?.[s][n] });
      const ranks = interpretRanks([parts], rankBindings(parts, mesh, bindings).map((b, r) => ({ ...b, states: (s: number, n: number) => each[r]?.[s][n] })));
      whole = one.states;
      each = ranks.map((r) => r.states);
      const expected = Array.from(one.outputs.logits.data);
      const largest = expected.reduce((m, x) => Math.max(m, Math.abs(x)), 0);
      for (const { outputs } of ranks) outputs.logits.data.forEach((x, i) => { worst = Math.max(worst, Math.abs(x - expected[i]) / largest); });
      at += run.length;
    }
  }
  return worst;
}

describe('what is divided', () => {
  it('heads, widths and experts of a decoder; sums meet before the residual', () => {
    const module = sharded(decoder(), four);
    expect(cuts(module)).toEqual([
      'layers[0].wq: heads over tensor', 'layers[0].wk: heads over tensor', 'layers[0].wv: heads over tensor', 'layers[0].wo: heads over tensor',
      'layers[0].gate: width over tensor', 'layers[0].gate: experts over expert', 'layers[0].up: width over tensor', 'layers[0].up: experts over expert',
      'layers[0].down: width over tensor', 'layers[0].down: experts over expert', 'layers[0].s_up: width over tensor', 'layers[0].s_down: width over tensor',
    ]);
    expect(sums(module)).toEqual(['tensor [tokens hidden]', 'expert [tokens hidden]', 'tensor [tokens hidden]']);
  });

  it('nothing on one rank', () => {
    const module = decoder();
    expect(sharded(module, { tensor: 1 })).toBe(module);
  });
});

describe('ranks together compute what one computes', () => {
  for (const mesh of [four, { expert: 2, tensor: 2 }, { tensor: 4 }, { expert: 3 }]) it(`a decoder on ${JSON.stringify(mesh)}`, () => {
    expect(differenceOnRanks(decoder(), mesh)).toBeLessThan(1e-12);
  });

  for (const normed of [true, false]) it(`experts with biases, whose rows are not zero on other ranks, ${normed ? 'behind a norm' : 'where all of the model divides'}`, () => {
    const module = moduleOf(`
use std.{embedding, linear, rms, moe, softmax_gate, silu}
layer biased(x: [.., d], width: dim) -> [.., d] {
  param up : [width, d]
  param shift : [width] init normal(0.5)
  param down : [d, width]
  param last : [d] init normal(0.5)
  return down @ silu(up @ x + shift) + last
}
model M {
  dim vocab = 11
  dim hidden = 6
  x = embed = embedding(tokens, vocab, hidden)
  x += ffn = moe(${normed ? 'n = rms(x, eps: 1e-6)' : 'x'}, experts: 6, active: 3, expert: biased(width: 4), gate: softmax_gate(normalize: true), shared: none)
  logits = head = linear(x, vocab)
}
`);
    expect(cuts(sharded(module, four)).filter((c) => /shift|table/.test(c))).toEqual(normed ? ['ffn.experts.shift: width over tensor'] : ['embed.table: hidden over tensor']);
    for (const mesh of [four, { expert: 2 }, { tensor: 2 }]) expect(differenceOnRanks(module, mesh), JSON.stringify(mesh)).toBeLessThan(1e-12);
  });

  it('constants and places of a divided axis: each rank has its own', () => {
    const module = constantsPerHead();
    expect(cuts(sharded(module, { tensor: 2 }))).toEqual(['make: heads over tensor', 'scale: heads over tensor', 'sum: heads over tensor']);
    const bindings = { params: seededParams(module), inputs: { x: Float64Array.from({ length: 6 }, (_, i) => i - 2) }, dims: { tokens: 2 }, exact: true };
    const divided = sharded(module, { tensor: 2 });
    const expected = Array.from(interpret(module, bindings).outputs.y.data);
    for (const { outputs } of interpretRanks([divided], rankBindings(divided, { tensor: 2 }, bindings))) {
      outputs.y.data.forEach((x, i) => expect(x).toBeCloseTo(expected[i], 12));
    }
  });
});

/** y = sum [(make x) * scale * slope + head]: a constant and an iota along the divided axis. */
function constantsPerHead(): Module {
  const [heads, d, out]: Axis[] = [{ name: 'heads', size: 4 }, { name: 'd', size: 3 }, { name: 'out', size: 5 }];
  const param = (path: string, axes: readonly Axis[]): ParamDecl => ({ paths: [path], type: { dtype: 'f32', axes }, storage: { kind: 'plain', dtype: 'f32' }, init: { kind: 'normal', deviation: 1 }, frozen: false });
  const params = [param('make', [heads, d]), param('scale', [heads]), param('sum', [out, heads])];
  const b = new GraphBuilder('constants', { params, states: [] });
  const x = b.input('x', { dtype: 'f32', axes: [{ name: 'tokens', size: symbol('tokens') }, d] });
  const slope = b.constant({ dtype: 'f32', axes: [heads] }, [0.5, 0.25, 0.125, 2]);
  const scaled = b.map('multiply', b.map('multiply', b.contract(x, b.param(0), ['d']), b.param(1)), slope);
  const y = b.contract(b.map('add', scaled, b.cast(b.iota(heads), 'f32')), b.param(2), ['heads']);
  return { graph: b.finish([{ name: 'y', value: y }]), params, states: [], taps: [] };
}
