import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../compiler/ir/build.js';
import { arg, call, num } from '../../compiler/ir/expr.js';
import type { DType } from '../../compiler/ir/dtype.js';
import type { Module, Node, TensorType } from '../../compiler/ir/graph.js';
import { interpret } from '../../compiler/ir/interpret-graph.js';
import { requireValid } from '../../compiler/ir/verify-graph.js';
import { reassociate } from '../../compiler/passes/reassociate.js';
import { simplify } from '../../compiler/passes/simplify.js';
import { axis, difference, dynamic, f32, i32, launch, moduleOf, paramDecl, stateDecl, tokens, uniform } from '../numeric/fixtures.js';

const slots = dynamic('slots');
const [heads, nope, rope, rank, value] = [axis('heads', 3), axis('nope', 4), axis('rope', 2), axis('rank', 5), axis('value', 4)];

/** Keys [wk @ c | r] and values wv @ c of a cached entry [c | r]. */
function latentAttention(cache: DType = 'f32'): Module {
  const params = [paramDecl('wk', heads, nope, rank), paramDecl('wv', heads, value, rank)];
  const state = { ...stateDecl('append', 'kv', 0, slots, axis('entry', 7)), type: { dtype: cache, axes: [slots, axis('entry', 7)] } as TensorType };
  const b = new GraphBuilder('m', { params, states: [state] });
  const [position, sequence, slot] = ['position', 'sequence', 'slot'].map((n) => b.input(n, i32(tokens)));
  const blocks = b.input('blocks', i32(dynamic('sequences'), dynamic('blocks')));
  const q = b.input('q', f32(tokens, heads, axis('size', 6)));
  const entry = b.cast(b.input('entry', f32(tokens, axis('entry', 7))), cache);
  const kv = b.stateWrite(0, b.state(0), slot, entry);
  const c = b.slice(kv, 'entry', { start: 0, size: 5, into: 'rank' });
  const r = b.slice(kv, 'entry', { start: 5, size: 2, into: 'rope' });
  const mapped = b.contract(b.param(0), c, ['rank']);
  const k = b.concat([{ value: mapped, axis: 'nope' }, { value: cache === 'f32' ? r : b.cast(r, 'f32'), axis: 'rope' }], 'size');
  const { out, maximum } = b.attend(
    { over: ['size'], score: call('multiply', arg(0), num(0.4)), mask: call('less_equal', arg(2), arg(1)), causal: true, block: 4, exports: true },
    { q, position, sequence, blocks, sources: [{ k, v: b.contract(b.param(1), c, ['rank']), keys: 'slots' }] },
  );
  return moduleOf(b.finish([{ name: 'out', value: out }, { name: 'maximum', value: maximum! }]), params, [state]);
}

function evaluate(module: Module) {
  const { inputs, dims } = launch([{ count: 5, from: 0 }, { count: 3, from: 0 }], 4, 2, (n) => 3 - n);
  const sizes = [3 * 4 * 5, 3 * 4 * 5];
  return interpret(module, { params: (i) => uniform(20 + i, sizes[i]), inputs: { ...inputs, q: uniform(1, 8 * 18), entry: uniform(2, 8 * 7) }, dims }).outputs;
}

const attends = (m: Module): Extract<Node, { op: 'attend' }>[] => m.graph.nodes.filter((n) => n.op === 'attend');
const makerOf = (m: Module, id: number): string => m.graph.nodes.find((n) => n.results.some((r) => r.id === id))?.op ?? 'input';

describe('reassociate', () => {
  it('reads keys and values from the state itself, with the same results', () => {
    const module = latentAttention();
    const moved = simplify(reassociate(module, { tokens: 1, context: 1, force: 'move' }));
    requireValid(moved, 'reassociate');
    const [attend] = attends(moved);
    // The key is the written entry under the name of the query's inner axis; the value is a slice of it.
    expect([makerOf(moved, attend.operands[4]), makerOf(moved, attend.operands[5])]).toEqual(['rename', 'slice']);
    expect(moved.graph.nodes.filter((n) => n.op === 'contract' && n.results[0].type.axes.some((a) => a.name === 'slots'))).toEqual([]);
    const [before, after] = [evaluate(module), evaluate(moved)];
    for (const name of ['out', 'maximum']) {
      expect(after[name].axes).toEqual(before[name].axes);
      expect(difference(after[name].data, before[name].data)).toBeLessThan(1e-6);
    }
  });

  it('looks through widening of a narrow cache', () => {
    const module = latentAttention('bf16');
    const moved = simplify(reassociate(module, { tokens: 1, context: 1, force: 'move' }));
    requireValid(moved, 'reassociate');
    expect(difference(evaluate(moved).out.data, evaluate(module).out.data)).toBeLessThan(1e-6);
  });

  it('decides by cost: moved where few queries meet many entries, kept where most entries are new', () => {
    const form = (count: number, context: number): string => {
      const module = simplify(reassociate(latentAttention(), { tokens: count, context, operationsPerByte: 0 }));
      return makerOf(module, attends(module)[0].operands[5]) === 'slice' ? 'moved' : 'kept';
    };
    expect(form(1, 100)).toBe('moved');
    expect(form(1000, 1000)).toBe('kept');
  });

  it('leaves keys that depend on tokens, and keys stored as they are used', () => {
    const b = new GraphBuilder('m', { params: [], states: [stateDecl('append', 'kv', 0, slots, axis('size', 4))] });
    const [position, sequence, slot] = ['position', 'sequence', 'slot'].map((n) => b.input(n, i32(tokens)));
    const blocks = b.input('blocks', i32(dynamic('sequences'), dynamic('blocks')));
    const q = b.input('q', f32(tokens, axis('size', 4)));
    const kv = b.stateWrite(0, b.state(0), slot, q);
    const { out } = b.attend({ over: ['size'], score: arg(0), mask: call('less_equal', arg(2), arg(1)), causal: true, block: 4, exports: false }, { q, position, sequence, blocks, sources: [{ k: kv, v: b.rename(kv, 'size', 'value'), keys: 'slots' }] });
    const module = moduleOf(b.finish([{ name: 'out', value: out }]), [], b.context.states);
    expect(simplify(reassociate(module, { tokens: 1, context: 1, force: 'move' }))).toEqual(simplify(module));
  });
});
