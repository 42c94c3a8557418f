/**
 * The last element that top-k and nucleus sampling keep. No sorting: "how much lies at or before a place of the order"
 * only grows with the place, so its value is found bit by bit, then, among equal values, its index. Each bit is one walk
 * over the axis. Without a limit (k < 1) no walk takes place.
 */
import type { Node } from '../../ir/graph.js';
import type { Scalar, Tile, TileAxis } from '../../ir/kernel.js';
import { lowest, range } from '../build.js';
import { lessThan, times, toScalar } from '../scalar.js';
import { emit } from './emit.js';
import { type Lowering } from './lowering.js';
import { withIndex, type Region } from './region.js';

/** One walk: the axis in stretches of at most `step`, `size` of them in all; `size` is 0 where there is no limit. */
interface Walk { readonly l: Lowering; readonly size: number; readonly step: number; readonly end: Scalar; readonly active: Scalar; readonly axis: string; readonly shape: readonly TileAxis[]; readonly values: (at: Scalar) => Tile }

/** A place in the order: elements of a larger ordinal, and those of `value` with an index below `index`, come before it. */
interface Place { readonly value: Tile; readonly index: Tile }

export function emitNucleus(l: Lowering, node: Node & { op: 'nucleus' }, region: Region): Tile {
  const b = l.builder;
  const [x, k, p, temperature] = node.operands;
  const axis = l.type(x).axes.find((a) => a.name === node.axis)!;
  const size = axis.size as number;
  const count = l.scalarElement(k, new Map([[l.type(k).axes[0].name, { kind: 'point', at: toScalar(0) }]]), 'top_k');
  if (count === undefined) throw new Error(`lowering '${b.name}': the limit of nucleus %${node.results[0].id} is not stored`);
  const active = lessThan(0, count);
  const step = Math.min(size, l.limits.tile);
  const walk: Walk = {
    l, size, step, end: times(active, size), active, axis: axis.name, shape: l.shapeOver(node.results[0].type, region),
    values: (at) => emit(l, x, withIndex(region, axis.name, range(axis.name, at, step, size))),
  };
  const wanted = b.scalar(count);
  const counted = last(walk, (place) => atLeast(walk, sumOver(walk, 'i32', (v) => before(walk, v, place)), wanted));
  const [share, heat] = [emit(l, p, region), emit(l, temperature, region)];
  const largest = walkOver(walk, lowest, 'f32', (v, carried) => b.apply('maximum', carried, b.reduce('maximum', b.select(v.inside, v.values, lowest), walk.axis)));
  const mass = (place: Place): Tile => sumOver(walk, 'f32', (v) => {
    const kept = b.and(before(walk, v, place), before(walk, v, after(walk, counted)));
    return b.select(kept, b.apply('exp', b.divide(b.subtract(v.values, largest), heat)), 0);
  });
  const total = mass(after(walk, counted));
  // At least one element, also where p is so small that its share of the sum vanishes.
  const target = b.apply('maximum', b.multiply(total, share), 1e-30);
  const massed = last(walk, (place) => atLeast(walk, mass(place), target));
  const found = b.select(b.less(share, 1), massed.index, counted.index);
  return b.select(b.less(wanted, 1), -1, found);
}

/** A stretch of the axis: its values, their ordinals and indices, and which of them exist. */
interface Stretch { readonly values: Tile; readonly ordinals: Tile; readonly places: Tile; readonly inside: Tile }

function walkOver(w: Walk, initial: number, dtype: 'f32' | 'i32', next: (stretch: Stretch, carried: Tile) => Tile): Tile {
  const b = w.l.builder;
  const [out] = b.loop(w.axis, 0, w.end, w.step, [b.full(initial, w.shape, dtype)], (at, [carried]) => w.l.scoped(() => {
    const values = w.values(at);
    const places = b.iota(w.axis, w.step, at);
    return [next({ values, ordinals: b.apply('order', values), places, inside: b.less(places, w.size) }, carried)];
  }));
  return out;
}

/** Sum of `what` over the axis; of a condition, how many elements meet it. */
function sumOver(w: Walk, dtype: 'f32' | 'i32', what: (stretch: Stretch) => Tile): Tile {
  const b = w.l.builder;
  return walkOver(w, 0, dtype, (stretch, carried) => {
    const value = what(stretch);
    return b.add(carried, b.reduce('add', value.dtype === 'bool' ? b.select(value, b.full(1, [], 'i32'), b.full(0, [], 'i32')) : value, w.axis));
  });
}

function before(w: Walk, s: Stretch, place: Place): Tile {
  const b = w.l.builder;
  const among = b.and(b.equal(s.ordinals, place.value), b.less(s.places, place.index));
  return b.and(s.inside, b.apply('or', b.less(place.value, s.ordinals), among));
}

function after(w: Walk, { value, index }: Place): Place {
  return { value, index: w.l.builder.add(index, 1) };
}

function atLeast(w: Walk, a: Tile, b: Tile): Tile {
  return w.l.builder.apply('less_equal', b, a);
}

/** The first element up to which (itself included) `enough` holds; `enough` holds for all places after it. */
function last(w: Walk, enough: (place: Place) => Tile): Place {
  const b = w.l.builder;
  const everyIndex = b.full(w.size, [], 'i32');
  const lowestOrdinal = -0x7fffffff;
  // The sign first: adding 2^31 to the lowest ordinal would not fit.
  const start = b.select(enough({ value: b.full(0, w.shape, 'i32'), index: everyIndex }), b.full(0, [], 'i32'), b.full(lowestOrdinal, [], 'i32'));
  const value = bits(w, start, 31, (candidate) => enough({ value: candidate, index: everyIndex }));
  const index = bits(w, b.full(0, w.shape, 'i32'), Math.ceil(Math.log2(w.size + 1)), (candidate) => b.apply('not', enough({ value, index: candidate })));
  return { value, index };
}

/** The largest number start + (some of 2^(count - 1) .. 1) for which `holds`, which holds for all below it. */
function bits(w: Walk, start: Tile, count: number, holds: (candidate: Tile) => Tile): Tile {
  const b = w.l.builder;
  const [found] = b.loop('bit', 0, times(w.active, count), 1, [start, b.full(2 ** (count - 1), [], 'i32')], (_, [value, bit]) => w.l.scoped(() => {
    const candidate = b.add(value, bit);
    return [b.select(holds(candidate), candidate, value), b.apply('floor_divide', bit, 2)];
  }));
  return found;
}
