/** Where entries of a state lie and which tokens they stand for, inside a program that works for one query token. */
import type { ValueId } from '../../ir/graph.js';
import type { Index, Scalar, Tile } from '../../ir/kernel.js';
import { entryStride } from '../../ir/ops-state.js';
import { range } from '../build.js';
import { floorDivide, plus } from '../scalar.js';
import { emit, nameOf } from './emit.js';
import type { Lowering } from './lowering.js';
import { complete, withIndex, type Region } from './region.js';

/** One stretch of entries: where they lie in the state, the key positions they have, and which exist for the query. */
export interface Entries { readonly slots: Tile; readonly positions: Tile; readonly valid: Tile }

export interface EntryRule { readonly every: number; readonly block: number; readonly blocks: ValueId }

/** The query's row of the block table and its position. */
export interface QueryPlace { readonly row: Scalar; readonly at: Scalar }

/** How many entries a query at `at` may see: those whose last position is not later. */
export function visibleEntries(at: Scalar, every: number): Scalar {
  return every === 1 ? plus(at, 1) : floorDivide(plus(at, 1), every);
}

/** The entries of these numbers (i32, on one axis); `exist` besides being visible. */
export function locateEntries(l: Lowering, rule: EntryRule, query: QueryPlace, numbers: Tile, exist?: Tile): Entries {
  const b = l.builder;
  const stored = l.level.stored.get(rule.blocks);
  if (!stored) throw new Error(`lowering '${b.name}': the block table is not stored`);
  const positions = rule.every === 1 ? numbers : b.add(b.multiply(numbers, rule.every), rule.every - 1);
  const seen = b.apply('less_equal', positions, b.scalar(query.at));
  const valid = exist ? b.and(seen, exist) : seen;
  const block = b.load(l.viewOf(stored, 'read', 'blocks'), [query.row, b.apply('floor_divide', positions, rule.block)]);
  const place = b.add(b.multiply(block, rule.block), b.apply('mod', positions, rule.block));
  const stride = entryStride(rule.every, rule.block);
  return { slots: b.select(valid, stride === 1 ? place : b.apply('floor_divide', place, stride), -1), positions, valid };
}

/** Picked entries `from` .. of a query: an operand holds their numbers. */
export function locatePicked(l: Lowering, rule: EntryRule, query: QueryPlace, o: { readonly picks: ValueId; readonly on: string; readonly axis: string; readonly from: Scalar; readonly stretch: number; readonly region: Region }): Entries {
  const b = l.builder;
  const type = l.type(o.picks);
  const count = type.axes.find((a) => a.name === o.on)!.size as number;
  const index: Index = range(o.axis, o.from, o.stretch, count);
  const numbers = emit(l, o.picks, complete(withIndex(o.region, o.on, index), type));
  const exist = b.and(b.less(b.full(-1, [], 'i32'), numbers), b.less(b.iota(o.axis, o.stretch, o.from), count));
  return locateEntries(l, rule, query, numbers, exist);
}

/** Keys of no token: every query sees them, before its first position. */
export function fixedEntries(l: Lowering, axis: string, from: Scalar, stretch: number, count: number): Entries {
  const b = l.builder;
  const numbers = b.iota(axis, stretch, from);
  const valid = b.less(numbers, count);
  return { slots: b.select(valid, numbers, -1), positions: b.full(-1, [], 'i32'), valid };
}

/** The element of a stored i32 value that belongs to the program's token. */
export function tokenScalar(l: Lowering, value: ValueId, region: Region): Scalar {
  const scalar = l.scalarElement(value, region, nameOf(l, value, l.level.index.producer.get(value)));
  if (!scalar) throw new Error(`lowering '${l.builder.name}': attention works on one token per program`);
  return scalar;
}
