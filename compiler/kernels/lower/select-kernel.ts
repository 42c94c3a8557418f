/**
 * The entries of a state with the k largest scores, one program per token. Scores are computed again in every pass over the
 * entries instead of being stored: nothing grows with the context but time. Passes narrow down the k-th largest score, 8
 * of its 32 bits each (4 where tiles must be small); one more counts those above it; the last writes numbers, in increasing order.
 */
import type { Node } from '../../ir/graph.js';
import { num, type Expr } from '../../ir/expr.js';
import type { Index, Scalar, Tile } from '../../ir/kernel.js';
import { lessThan, times } from '../scalar.js';
import { emit } from './emit.js';
import { locateEntries, tokenScalar, visibleEntries, type QueryPlace } from './entries.js';
import { dimScalar, type Lowering } from './lowering.js';
import { complete, withIndex, type Region } from './region.js';

type Select = Node & { op: 'select_keys' };

/** Orders of scores are above it. */
const below = -(2 ** 31);

/** Orders of a stretch of scores, `below` where there is no entry, and the entries' numbers. */
interface Stretch { readonly order: Tile; readonly numbers: Tile }
type Walk = (carried: readonly Tile[], inside: (stretch: Stretch, carried: readonly Tile[]) => readonly Tile[]) => readonly Tile[];

export function writeSelect(l: Lowering, node: Select): void {
  const b = l.builder;
  const [scores, position, sequence] = node.operands;
  const tokens = l.type(position).axes[0];
  const region = new Map<string, Index>(l.type(scores).axes.filter((a) => a.name !== node.keys).map((a) => [a.name, { kind: 'point', at: b.gridAxis(a.name.replace(/\W+/g, '_'), dimScalar(a.size)) }]));
  const own = new Map([[tokens.name, region.get(tokens.name)!]]);
  const query: QueryPlace = { row: tokenScalar(l, sequence, own), at: tokenScalar(l, position, own) };
  const count = visibleEntries(query.at, node.every ?? 1);
  const walk: Walk = (carried, inside) => b.loop('key', 0, count, l.limits.keys, carried, (from, state) => l.scoped(() => inside(stretchOf(l, node, region, query, from), state)));
  const least = threshold(l, walk, node.k, count);
  const zero = b.full(0, [], 'i32');
  const [above] = walk([zero], ({ order }, [sum]) => [b.add(sum, counted(l, b.less(least, order), node.keys))]);
  writeNumbers(l, node, region, walk, { least, ties: b.subtract(b.full(node.k, [], 'i32'), above) });
}

function stretchOf(l: Lowering, node: Select, region: Region, query: QueryPlace, from: Scalar): Stretch {
  const b = l.builder;
  const numbers = b.iota(node.keys, l.limits.keys, from);
  const rule = { every: node.every ?? 1, block: node.block, blocks: node.operands[3] };
  const entries = locateEntries(l, rule, query, numbers);
  const inside = withIndex(region, node.keys, l.tileIndex(entries.slots));
  const score = emit(l, node.operands[0], complete(inside, l.type(node.operands[0])));
  const extras = node.operands.slice(4).map((o) => emit(l, o, complete(inside, l.type(o))));
  const seen = restatesCausality(node.mask) ? entries.valid : b.and(entries.valid, b.map(node.mask, [score, b.scalar(query.at), entries.positions, ...extras]));
  return { order: b.select(seen, b.apply('order', score), below), numbers };
}

/** The order of the k-th largest score; `below` if there are no more than k entries. */
function threshold(l: Lowering, walk: Walk, k: number, count: Scalar): Tile {
  const b = l.builder;
  const bits = 256 * l.limits.keys <= l.limits.tile ? 8 : 4;
  const probes = 2 ** bits;
  const rounds = times(32 / bits, lessThan(k, count));
  const [least] = b.loop('pass', 0, rounds, 1, [b.full(below, [], 'i32'), b.full(2 ** (32 - bits), [], 'i32')], (_, [prefix, width]) => {
    // From the middle of what is left, in halves of halves: nothing may leave the range of i32 on the way.
    const quarter = b.multiply(width, probes / 4);
    const middle = b.add(b.add(prefix, quarter), quarter);
    const steps = b.subtract(b.iota('probe', probes), probes / 2);
    const probed = b.add(b.multiply(steps, width), middle);
    const [reached] = walk([b.full(0, [{ name: 'probe', size: probes }], 'i32')], ({ order }, [sum]) => [b.add(sum, counted(l, b.apply('less_equal', probed, order), order.shape[0].name))]);
    // The first probe is reached by all: the last that at least k reach is where the k-th largest is looked for next.
    const enough = b.apply('less_equal', b.full(k, [], 'i32'), reached);
    const best = b.reduce('maximum', b.select(enough, steps, -probes / 2), 'probe');
    return [b.add(middle, b.multiply(best, width)), b.apply('floor_divide', width, probes)];
  });
  return least;
}

function counted(l: Lowering, which: Tile, over: string): Tile {
  const b = l.builder;
  return b.reduce('add', b.select(which, b.full(1, [], 'i32'), 0), over);
}

/** All above `least`, and of those equal to it the first `ties`; then -1 to the end. */
function writeNumbers(l: Lowering, node: Select, region: Region, walk: Walk, x: { readonly least: Tile; readonly ties: Tile }): void {
  const b = l.builder;
  const out = l.viewOf(l.level.stored.get(node.results[0].id)!, 'write', 'picks');
  const placed = (place: Index): Index[] => out.axes.map((a) => (a.name === node.into ? place : region.get(a.name)!));
  const zero = b.full(0, [], 'i32');
  const exists = (order: Tile): Tile => b.less(b.full(below, [], 'i32'), order);
  const [written] = walk([zero, zero], ({ order, numbers }, [before, tied]) => {
    const equal = b.and(b.equal(order, x.least), exists(order));
    const rank = b.add(b.cumulate(b.select(equal, b.full(1, [], 'i32'), 0), node.keys), tied);
    const first = b.and(equal, b.apply('less_equal', rank, x.ties));
    const taken = b.apply('or', b.less(x.least, order), first);
    const place = b.add(b.cumulate(b.select(taken, b.full(1, [], 'i32'), 0), node.keys), before);
    const target = b.select(taken, b.subtract(place, 1), -1);
    b.store(out, placed(l.tileIndex(target)), numbers, taken);
    return [b.reduce('maximum', place, node.keys), b.reduce('maximum', rank, node.keys)];
  });
  b.loop('rest', 0, node.k, l.limits.ids, [], (from) => {
    const places = b.iota(node.into, l.limits.ids, from);
    const rest = b.and(b.apply('less_equal', written, places), b.less(places, node.k));
    b.store(out, placed(l.tileIndex(b.select(rest, places, -1))), b.full(-1, [{ name: node.into, size: l.limits.ids }], 'i32'), rest);
    return [];
  });
}

/** key position <= query position says no more than that the entry is visible. */
function restatesCausality(mask: Expr): boolean {
  const [key, query] = mask.kind === 'call' && mask.fn === 'less_equal' ? mask.args : [num(0), num(0)];
  return key.kind === 'arg' && key.index === 2 && query.kind === 'arg' && query.index === 1;
}
