/** Writes what a kernel is for: a stored value, part by part where it is a concatenation, or an entry of a state. */
import type { Node, TensorType, ValueId } from '../../ir/graph.js';
import type { Index, View } from '../../ir/kernel.js';
import { range } from '../build.js';
import { constantOf, plus } from '../scalar.js';
import { spread } from './emit-axes.js';
import { emit } from './emit.js';
import type { Lowering } from './lowering.js';
import { indexOf, withIndex, type Region } from './region.js';

/** The value whose axes a kernel's grid walks: for a state write, the entry. */
export function domainOf(l: Pick<Lowering, 'type' | 'level'>, root: ValueId): TensorType {
  const node = l.level.index.producer.get(root);
  return node?.op === 'state_write' ? l.type(node.operands[2]) : l.type(root);
}

export function storeRoot(l: Lowering, root: ValueId, region: Region): void {
  const node = l.level.index.producer.get(root);
  const stored = l.level.stored.get(root);
  if (!stored) throw new Error(`lowering '${l.builder.name}': %${root} is to be stored but has no memory`);
  if (node?.op !== 'state_write') {
    const view = l.viewOf(stored, 'write', 'out');
    return storeInto(l, root, view, region, new Map(view.axes.map((a) => [a.name, indexOf(region, a.name)])));
  }
  const [, slot, entry] = node.operands;
  const view = l.viewOf(stored, 'write', 'cache_out');
  const at = l.scalarElement(slot, region, 'slot');
  // Rows past the launch's tokens have no slot: they must be dropped, not written to slot 0.
  const loaded = l.level.stored.has(slot) && !l.own.has(slot);
  const place: Index = at ? { kind: 'point', at } : l.tileIndex(loaded ? l.load(slot, region, 'slot', -1) : emit(l, slot, region));
  const slots = view.axes.find((a) => !l.type(entry).axes.some((e) => e.name === a.name))!.name;
  const target = new Map(view.axes.map((a) => [a.name, a.name === slots ? place : indexOf(region, a.name)]));
  storeInto(l, entry, view, region, target);
}

/** `target`: the places in the view, by view axis; `region`: those of the value. */
function storeInto(l: Lowering, value: ValueId, view: View, region: Region, target: ReadonlyMap<string, Index>): void {
  const node = l.level.index.producer.get(value);
  if (node?.op === 'concat' && !isLoaded(l, value) && storeParts(l, node, view, region, target)) return;
  const tile = emit(l, value, region);
  const at = view.axes.map((a) => target.get(a.name)!);
  const shape = l.shapeOver({ dtype: tile.dtype, axes: view.axes.map((a) => ({ name: a.name, size: 0 })) }, target);
  l.builder.store(view, at, spread(l, tile, shape));
}

function isLoaded(l: Lowering, value: ValueId): boolean {
  return l.level.stored.has(value) && !l.own.has(value);
}

function storeParts(l: Lowering, node: Node & { op: 'concat' }, view: View, region: Region, target: ReadonlyMap<string, Index>): boolean {
  const index = indexOf(region, node.into);
  const place = target.get(node.into);
  if (index.kind !== 'range' || place?.kind !== 'range' || constantOf(index.start) !== 0 || index.limit) return false;
  const sizes = node.operands.map((v, i) => l.type(v).axes.find((a) => a.name === node.axes[i])!.size as number);
  if (sizes.reduce((sum, s) => sum + s, 0) !== index.size) return false;
  let before = 0;
  node.operands.forEach((v, i) => {
    // The part's own tile axis: parts differ in extent, so they may not share a name with each other.
    const axis = node.axes[i];
    const inside = withIndex(region, axis, range(axis, 0, sizes[i]));
    const there = withIndex(target, node.into, range(axis, plus(place.start, before), sizes[i]));
    storeInto(l, v, view, inside, there);
    before += sizes[i];
  });
  return true;
}

