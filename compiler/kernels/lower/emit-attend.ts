/**
 * Attention inside a program, for one query token and some of its heads: keys are walked in stretches of `stretch`
 * through the block table with a running softmax (Milakov & Gimelshein 2018), so nothing grows with the context.
 */
import type { Node } from '../../ir/graph.js';
import type { Expr } from '../../ir/expr.js';
import type { Scalar, Tile, TileAxis } from '../../ir/kernel.js';
import { lowest } from '../build.js';
import { attendOperands } from '../../ir/ops-state.js';
import { maximum, minus } from '../scalar.js';
import { cut, spread } from './emit-axes.js';
import { emit } from './emit.js';
import { fixedEntries, locateEntries, locatePicked, tokenScalar, visibleEntries, type Entries, type QueryPlace } from './entries.js';
import type { Lowering } from './lowering.js';
import { complete, indexOf, withIndex, type Region } from './region.js';

type Attend = Node & { op: 'attend' };

export function emitAttend(l: Lowering, node: Attend, region: Region, stretch: number): Tile {
  const b = l.builder;
  if (!node.causal) throw new Error(`lowering '${b.name}': attention that is not causal has no cached form`);
  const [q, position, sequence] = node.operands;
  const place: QueryPlace = { at: tokenScalar(l, position, region), row: tokenScalar(l, sequence, region) };
  const outer = scoreShape(l, node, region);
  const inner = valueShape(l, node);
  // Inside, axes that are summed and those of the values have their own names, whatever the result's are called.
  const bare: Region = new Map([...region].filter(([name]) => !node.over.includes(name) && !inner.some((a) => a.name === name)));
  const query = emit(l, q, complete(bare, l.type(q)));
  let carried: readonly Tile[] = [b.full(lowest, outer), b.full(0, outer), b.full(0, [...outer, ...inner])];
  if (node.sink !== undefined) {
    const sink = emit(l, attendOperands(node, node.operands).extras[node.sink], region);
    carried = [b.broadcast(sink, outer), b.full(1, outer), carried[2]];
  }
  node.keys.forEach((axis, source) => {
    const [first, end] = walkedEntries(l, node, source, place.at);
    carried = b.loop(`key_${axis}`, first, end, stretch, carried, (from, state) => l.scoped(() => {
      const keys = entriesOf(l, node, source, bare, place, from, stretch);
      return softmaxStep(l, node, source, axis, bare, { query, keys, at: place.at, state });
    }));
  });
  const [, total, sum] = carried;
  const out = b.select(b.less(b.full(0), total), b.divide(sum, b.apply('maximum', total, 1e-38)), 0);
  return inner.reduce((tile, a) => cut(l, tile, a.name, a.size, indexOf(region, a.name)), out);
}

/** From where to where a source is walked: its picks, or the entries that the query may see. */
function walkedEntries(l: Lowering, node: Attend, source: number, at: Scalar): [Scalar | number, Scalar | number] {
  const rule = node.sources?.[source];
  if (rule?.fixed) return [0, fixedKeys(l, node, source)];
  if (rule?.picks !== undefined) {
    const { picks } = attendOperands(node, node.operands).sources[source];
    return [0, l.type(picks!).axes.find((a) => a.name === rule.picks)!.size as number];
  }
  const every = rule?.every ?? 1;
  const window = Math.min(node.window ?? Infinity, rule?.window ?? Infinity);
  return [every > 1 || window === Infinity ? 0 : maximum(minus(at, window - 1), 0), visibleEntries(at, every)];
}

function fixedKeys(l: Lowering, node: Attend, source: number): number {
  return l.type(node.operands[4 + 2 * source]).axes.find((a) => a.name === node.keys[source])!.size as number;
}

function entriesOf(l: Lowering, node: Attend, source: number, region: Region, query: QueryPlace, from: Scalar, stretch: number): Entries {
  const axis = node.keys[source];
  if (node.sources?.[source].fixed) return fixedEntries(l, axis, from, stretch, fixedKeys(l, node, source));
  const on = node.sources?.[source].picks;
  const rule = { every: node.sources?.[source].every ?? 1, block: node.block, blocks: node.operands[3] };
  const { picks } = attendOperands(node, node.operands).sources[source];
  if (picks === undefined || on === undefined) return locateEntries(l, rule, query, l.builder.iota(axis, stretch, from));
  return locatePicked(l, rule, query, { picks, on, axis, from, stretch, region });
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

function softmaxStep(l: Lowering, node: Attend, source: number, axis: string, region: Region, x: { query: Tile; keys: Entries; at: Scalar; state: readonly Tile[] }): Tile[] {
  const b = l.builder;
  const [most, total, sum] = x.state;
  const [k, v] = [node.operands[4 + 2 * source], node.operands[5 + 2 * source]];
  const inside = withIndex(region, axis, l.tileIndex(x.keys.slots));
  const over = l.type(k).axes.filter((a) => node.over.includes(a.name)).map((a) => ({ name: a.name, size: a.size as number }));
  const key = spread(l, emit(l, k, complete(inside, l.type(k))), over);
  const raw = b.dot(spread(l, x.query, over), key, { over: node.over });
  const extras = attendOperands(node, node.operands).extras.map((o) => emit(l, o, complete(inside, l.type(o))));
  const args = [raw, b.scalar(x.at), x.keys.positions, ...extras];
  const score = b.map(node.score, args);
  const masks = [node.mask, node.sources?.[source].mask].filter((m): m is Expr => m !== undefined && !alwaysTrue(m));
  const seen = masks.reduce((all, mask) => b.and(all, b.map(mask, args)), x.keys.valid);
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

