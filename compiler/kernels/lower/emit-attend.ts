/**
 * Attention inside a program, for one query token and some of its heads: keys are walked in stretches of `stretch`
 * through the block table with a running softmax (Milakov & Gimelshein 2018), so nothing grows with the context.
 */
import type { Node } from '../../ir/graph.js';
import type { Expr } from '../../ir/expr.js';
import type { Scalar, Tile, TileAxis } from '../../ir/kernel.js';
import { lowest } from '../build.js';
import { maximum, minus, plus } from '../scalar.js';
import { spread } from './emit-axes.js';
import { emit, nameOf } from './emit.js';
import type { Lowering } from './lowering.js';
import { complete, withIndex, type Region } from './region.js';

type Attend = Node & { op: 'attend' };

/** One stretch of keys: where they lie in the cache, their positions and which exist. */
interface Keys { readonly slots: Tile; readonly positions: Tile; readonly valid: Tile }

export function emitAttend(l: Lowering, node: Attend, region: Region, stretch: number): Tile {
  const b = l.builder;
  if (!node.causal) throw new Error(`lowering '${b.name}': attention that is not causal has no cached form`);
  const [q, position, sequence] = node.operands;
  const at = scalarOf(l, position, region);
  const row = scalarOf(l, sequence, region);
  const query = emit(l, q, complete(region, l.type(q)));
  const outer = scoreShape(l, node, region);
  const inner = valueShape(l, node);
  let carried: readonly Tile[] = [b.full(lowest, outer), b.full(0, outer), b.full(0, [...outer, ...inner])];
  if (node.sink !== undefined) {
    const sink = emit(l, node.operands[extrasFrom(node) + node.sink], region);
    carried = [b.broadcast(sink, outer), b.full(1, outer), carried[2]];
  }
  node.keys.forEach((axis, source) => {
    const first: Scalar = node.window === undefined ? { kind: 'int', value: 0 } : maximum(minus(at, node.window - 1), 0);
    carried = b.loop(`key_${axis}`, first, plus(at, 1), stretch, carried, (from, state) => l.scoped(() => {
      const keys = locate(l, node, axis, row, at, from, stretch);
      return softmaxStep(l, node, source, axis, region, { query, keys, at, state });
    }));
  });
  const [, total, sum] = carried;
  return b.select(b.less(b.full(0), total), b.divide(sum, b.apply('maximum', total, 1e-38)), 0);
}

function extrasFrom(node: Attend): number { return 4 + 2 * node.keys.length; }

function scalarOf(l: Lowering, value: number, region: Region): Scalar {
  const name = nameOf(l, value, l.level.index.producer.get(value));
  const scalar = l.scalarElement(value, region, name);
  if (!scalar) throw new Error(`lowering '${l.builder.name}': attention works on one token per program`);
  return scalar;
}

/** Axes of the scores without the keys: of result 0, those that no value has. */
function scoreShape(l: Lowering, node: Attend, region: Region): TileAxis[] {
  const own = valueShape(l, node).map((a) => a.name);
  const type = node.results[0].type;
  return l.shapeOver({ ...type, axes: type.axes.filter((a) => !own.includes(a.name)) }, region);
}

/** v's own axes, whole. */
export function valueShape(l: Lowering, node: Attend): TileAxis[] {
  const [q, k, v] = [node.operands[0], node.operands[4], node.operands[5]].map((o) => l.type(o).axes.map((a) => a.name));
  const score = new Set([...q, ...k].filter((n) => !node.over.includes(n)));
  return l.type(node.operands[5]).axes.filter((a) => v.includes(a.name) && !score.has(a.name)).map((a) => ({ name: a.name, size: a.size as number }));
}

function locate(l: Lowering, node: Attend, axis: string, row: Scalar, at: Scalar, from: Scalar, stretch: number): Keys {
  const b = l.builder;
  const positions = b.iota(axis, stretch, from);
  const valid = b.apply('less_equal', positions, b.scalar(at));
  const blocks = l.level.stored.get(node.operands[3]);
  if (!blocks) throw new Error(`lowering '${b.name}': the block table is not stored`);
  const view = l.viewOf(blocks, 'read', 'blocks');
  const block = b.load(view, [row, b.apply('floor_divide', positions, node.block)]);
  const slots = b.select(valid, b.add(b.multiply(block, node.block), b.apply('mod', positions, node.block)), -1);
  return { slots, positions, valid };
}

function softmaxStep(l: Lowering, node: Attend, source: number, axis: string, region: Region, x: { query: Tile; keys: Keys; at: Scalar; state: readonly Tile[] }): Tile[] {
  const b = l.builder;
  const [most, total, sum] = x.state;
  const [k, v] = [node.operands[4 + 2 * source], node.operands[5 + 2 * source]];
  const inside = withIndex(region, axis, l.tileIndex(x.keys.slots));
  const over = l.type(k).axes.filter((a) => node.over.includes(a.name)).map((a) => ({ name: a.name, size: a.size as number }));
  const key = spread(l, emit(l, k, complete(inside, l.type(k))), over);
  const raw = b.dot(spread(l, x.query, over), key, { over: node.over });
  const extras = node.operands.slice(extrasFrom(node)).map((o) => emit(l, o, complete(inside, l.type(o))));
  const args = [raw, b.scalar(x.at), x.keys.positions, ...extras];
  const score = b.map(node.score, args);
  const seen = alwaysTrue(node.mask) ? x.keys.valid : b.and(x.keys.valid, b.map(node.mask, args));
  const next = b.apply('maximum', most, b.reduce('maximum', b.select(seen, score, lowest), axis));
  const weight = b.select(seen, b.apply('exp', b.subtract(score, next)), 0);
  const keep = b.apply('exp', b.subtract(most, next));
  const value = emit(l, v, complete(inside, l.type(v)));
  const part = b.dot(weight, value, { over: [axis] });
  return [next, b.add(b.multiply(total, keep), b.reduce('add', weight, axis)), b.add(b.multiply(sum, keep), part)];
}

/** The mask that only restates causality: key position <= query position. */
function alwaysTrue(mask: Expr): boolean {
  return (mask.kind === 'number' && mask.value !== 0)
    || (mask.kind === 'call' && mask.fn === 'less_equal' && mask.args[0].kind === 'arg' && mask.args[0].index === 2 && mask.args[1].kind === 'arg' && mask.args[1].index === 1);
}

