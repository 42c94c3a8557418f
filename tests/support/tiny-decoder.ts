/** A hand-built decoder with everything fusion has to deal with: norms, latent attention through a cache, routed and shared experts, a repeat. */
import { GraphBuilder } from '../../compiler/ir/build.js';
import { symbol } from '../../compiler/ir/dim.js';
import { arg, call, num } from '../../compiler/ir/expr.js';
import type { Axis, Module, ParamDecl, StateDecl, Storage, Value } from '../../compiler/ir/graph.js';

export interface TinyShape {
  readonly hidden: number; readonly heads: number; readonly rank: number; readonly rope: number; readonly nope: number; readonly value: number;
  readonly experts: number; readonly active: number; readonly width: number; readonly vocab: number; readonly layers: number; readonly block: number;
}
export const tinyShape: TinyShape = { hidden: 24, heads: 3, rank: 16, rope: 4, nope: 8, value: 5, experts: 6, active: 2, width: 32, vocab: 37, layers: 2, block: 4 };

const tokens: Axis = { name: 'tokens', size: symbol('tokens') };

export function tinyDecoder(shape: TinyShape = tinyShape, expertStorage: Storage = { kind: 'plain', dtype: 'f32' }): Module {
  const params: ParamDecl[] = [];
  const states: StateDecl[] = [];
  const context = { params, states };
  const a = (name: keyof TinyShape): Axis => ({ name, size: shape[name] });
  const declare = (path: string, axes: readonly Axis[], repeated: boolean, storage: Storage = { kind: 'plain', dtype: 'f32' }): number => {
    const paths = repeated ? Array.from({ length: shape.layers }, (_, i) => `layers[${i}].${path}`) : [path];
    params.push({ paths, type: { dtype: 'f32', axes }, storage, init: { kind: 'normal', deviation: 0.3 }, frozen: false });
    return params.length - 1;
  };

  const body = new GraphBuilder('layer', context);
  const ints = (b: GraphBuilder, name: string, axes: readonly Axis[]): Value => b.input(name, { dtype: 'i32', axes });
  const blocks: Axis[] = [{ name: 'sequences', size: symbol('sequences') }, { name: 'blocks', size: symbol('blocks') }];
  const x0 = body.input('x', { dtype: 'f32', axes: [tokens, a('hidden')] });
  const position = ints(body, 'position', [tokens]);
  const sequence = ints(body, 'sequence', [tokens]);
  const slot = ints(body, 'slot', [tokens]);
  const table = ints(body, 'blocks', blocks);

  const norm = (x: Value, name: string, axis: Axis): Value => {
    const mean = body.map('multiply', body.reduce(body.map('multiply', x, x), 'add', [axis.name]), body.scalar(1 / (axis.size as number)));
    const n = body.map('multiply', x, body.map('rsqrt', body.map('add', mean, body.scalar(1e-6))));
    return body.map('multiply', body.param(declare(name, [axis], true)), n);
  };
  const rotated = (x: Value): Value => {
    const pair: Axis = { name: 'pair', size: shape.rope / 2 };
    const freq = body.constant({ dtype: 'f32', axes: [pair] }, Array.from({ length: shape.rope / 2 }, (_, i) => 0.5 ** i));
    const angle = body.map('multiply', body.cast(position, 'f32'), freq);
    const even = body.slice(x, 'rope', { start: 0, step: 2, size: shape.rope / 2, into: 'pair' });
    const odd = body.slice(x, 'rope', { start: 1, step: 2, size: shape.rope / 2, into: 'pair' });
    const [c, s] = [body.map('cos', angle), body.map('sin', angle)];
    const u = body.map('subtract', body.map('multiply', even, c), body.map('multiply', odd, s));
    const v = body.map('add', body.map('multiply', odd, c), body.map('multiply', even, s));
    return body.merge(body.stack([u, v], 'two'), ['pair', 'two'], 'rope');
  };
  const nopeRope: Axis = { name: 'nope+rope', size: shape.nope + shape.rope };
  const rankRope: Axis = { name: 'rank+rope', size: shape.rank + shape.rope };

  const xn = norm(x0, 'attn_norm', a('hidden'));
  const q = body.contract(xn, body.param(declare('wq', [a('heads'), nopeRope, a('hidden')], true)), ['hidden']);
  const kv = body.contract(xn, body.param(declare('wkv', [rankRope, a('hidden')], true)), ['hidden']);
  const qn = body.slice(q, nopeRope.name, { start: 0, size: shape.nope, into: 'nope' });
  const qr = body.slice(q, nopeRope.name, { start: shape.nope, size: shape.rope, into: 'rope' });
  const latent = norm(body.slice(kv, rankRope.name, { start: 0, size: shape.rank, into: 'rank' }), 'kv_norm', a('rank'));
  const shared = rotated(body.slice(kv, rankRope.name, { start: shape.rank, size: shape.rope, into: 'rope' }));
  states.push({ paths: Array.from({ length: shape.layers }, (_, i) => `layers[${i}].kv`), policy: 'append', type: { dtype: 'f32', axes: [{ name: 'slots', size: symbol('slots') }, rankRope] }, initial: 0 });
  const entry = body.concat([{ value: latent, axis: 'rank' }, { value: shared, axis: 'rope' }], rankRope.name);
  const cache = body.stateWrite(0, body.state(0), slot, entry);
  const absorbed = body.contract(qn, body.param(declare('wk', [a('heads'), a('nope'), a('rank')], true)), ['nope']);
  const query = body.concat([{ value: absorbed, axis: 'rank' }, { value: rotated(qr), axis: 'rope' }], rankRope.name);
  const { out } = body.attend(
    { over: [rankRope.name], score: call('multiply', arg(0), num(0.4)), mask: call('less_equal', arg(2), arg(1)), causal: true, block: shape.block, exports: false },
    { q: query, position, sequence, blocks: table, sources: [{ k: cache, v: body.slice(cache, rankRope.name, { start: 0, size: shape.rank, into: 'rank' }), keys: 'slots' }] },
  );
  const o = body.contract(out, body.param(declare('wv', [a('heads'), a('value'), a('rank')], true)), ['rank']);
  const x1 = body.map('add', x0, body.contract(o, body.param(declare('wo', [a('hidden'), a('heads'), a('value')], true)), ['heads', 'value']));

  const x2 = body.map('add', x1, experts(body, norm(x1, 'ffn_norm', a('hidden')), { declare, a, shape, storage: expertStorage }));
  const layer = body.finish([{ name: 'x', value: x2 }]);

  const top = new GraphBuilder('tiny', context);
  const inputs = ['tokens', 'position', 'sequence', 'slot'].map((n) => ints(top, n, [tokens]));
  const rows = ints(top, 'rows', [{ name: 'outputs', size: symbol('outputs') }]);
  const topTable = ints(top, 'blocks', blocks);
  const x = top.gather(top.param(declare('embed', [a('vocab'), a('hidden')], false)), inputs[0], 'vocab');
  const [final] = top.repeat({ label: 'layers', count: shape.layers, body: layer }, [x], [...inputs.slice(1), topTable]);
  const logits = top.contract(top.gather(final, rows, 'tokens'), top.param(declare('head', [{ name: 'words', size: shape.vocab }, a('hidden')], false)), ['hidden']);
  return { graph: top.finish([{ name: 'logits', value: logits }]), params, states, taps: [] };
}

interface ExpertParts {
  readonly declare: (path: string, axes: readonly Axis[], repeated: boolean, storage?: Storage) => number;
  readonly a: (name: keyof TinyShape) => Axis;
  readonly shape: TinyShape;
  readonly storage: Storage;
}

function experts(body: GraphBuilder, x: Value, { declare, a, shape, storage }: ExpertParts): Value {
  const along = (axis: string): Storage => (storage.kind === 'int4' ? { ...storage, along: axis } : storage);
  const score = body.map('sigmoid', body.contract(x, body.param(declare('router', [a('experts'), a('hidden')], true)), ['hidden']));
  const ids = body.top(score, 'experts', shape.active, 'active');
  const chosen = body.gather(score, ids, 'experts');
  const weight = body.map('divide', chosen, body.reduce(chosen, 'add', ['active']));
  const select = (v: Value, path: string, axes: readonly Axis[], over: string): Value =>
    body.contractSelected(v, body.param(declare(path, axes, true, along(over))), [over], 'experts', ids);
  const silu = (v: Value): Value => body.map('multiply', v, body.map('sigmoid', v));
  const h = body.map('multiply', silu(select(x, 'gate', [a('experts'), a('width'), a('hidden')], 'hidden')), select(x, 'up', [a('experts'), a('width'), a('hidden')], 'hidden'));
  const y = body.contract(weight, select(h, 'down', [a('experts'), a('hidden'), a('width')], 'width'), ['active']);
  const shared = body.contract(silu(body.contract(x, body.param(declare('s_up', [a('width'), a('hidden')], true)), ['hidden'])), body.param(declare('s_down', [a('hidden'), a('width')], true)), ['width']);
  return body.map('add', y, shared);
}
