/** Ops that only rearrange axes: they translate the region, and rearrange the tile where a region cannot say it. */
import type { Axis, Node } from '../../ir/graph.js';
import type { Index, Scalar, Tile } from '../../ir/kernel.js';
import { range } from '../build.js';
import { constantOf, floorDivide, minus, modulo, plus, times } from '../scalar.js';
import { emit } from './emit.js';
import type { Lowering } from './lowering.js';
import { indexOf, isWhole, whole, withIndex, type Region } from './region.js';

type AxesNode = Extract<Node, { op: 'rename' | 'slice' | 'pick' | 'split' | 'merge' | 'concat' | 'stack' | 'broadcast' }>;

export function emitAxes(l: Lowering, node: AxesNode, region: Region): Tile {
  const x = node.operands[0];
  switch (node.op) {
    case 'rename': return emit(l, x, withIndex(region, node.from, indexOf(region, node.to)));
    case 'pick': return emit(l, x, withIndex(region, node.axis, { kind: 'point', at: { kind: 'int', value: node.at } }));
    case 'broadcast': return emit(l, x, region);
    case 'slice': return emitSlice(l, node, region);
    case 'split': return emitSplit(l, node, region);
    case 'merge': return emitMerge(l, node, region);
    case 'concat': return emitConcat(l, node, region);
    case 'stack': return emitStack(l, node, region);
  }
}

function axisOf(l: Lowering, value: number, name: string): Axis {
  return l.type(value).axes.find((a) => a.name === name)!;
}

/** The tile with all axes of `names` (name -> size) present, repeated where it lacks them. */
export function spread(l: Lowering, tile: Tile, axes: readonly { readonly name: string; readonly size: number }[]): Tile {
  const missing = axes.filter((a) => !tile.shape.some((s) => s.name === a.name));
  return missing.length === 0 ? tile : l.builder.broadcast(tile, [...tile.shape, ...missing]);
}

/** The part `index` of a tile that has `axis` (of `size`) in full, for results that come only in full. */
export function cut(l: Lowering, tile: Tile, axis: string, size: number, index: Index): Tile {
  const b = l.builder;
  if (index.kind === 'point') {
    const at = constantOf(index.at);
    if (at !== undefined) return b.reduce('add', b.slice(tile, axis, { start: at, size: 1 }), axis);
    const here = b.equal(b.iota(axis, size), b.scalar(index.at));
    return b.reduce('add', b.select(here, tile, 0), axis);
  }
  const start = index.kind === 'range' ? constantOf(index.start) : undefined;
  if (index.kind !== 'range' || start === undefined) throw new Error(`lowering '${b.name}': '${axis}' comes in full; a moving part of it has no form`);
  const part = start === 0 && index.size === size ? tile : b.slice(tile, axis, { start, size: index.size });
  return axis === index.axis ? part : b.rename(part, axis, index.axis);
}

function emitSlice(l: Lowering, node: Node & { op: 'slice' }, region: Region): Tile {
  const x = node.operands[0];
  const index = indexOf(region, node.into);
  if (index.kind === 'point') return emit(l, x, withIndex(region, node.axis, { kind: 'point', at: plus(node.start, times(index.at, node.step)) }));
  if (index.kind === 'tile') {
    const tile = l.builder.map({ kind: 'call', fn: 'add', args: [{ kind: 'call', fn: 'multiply', args: [{ kind: 'arg', index: 0 }, { kind: 'number', value: node.step, dtype: 'i32' }] }, { kind: 'number', value: node.start, dtype: 'i32' }] }, [tileOf(l, index)]);
    return emit(l, x, withIndex(region, node.axis, l.tileIndex(tile)));
  }
  if (node.step === 1) return emit(l, x, withIndex(region, node.axis, { ...index, start: plus(index.start, node.start) }));
  const source = axisOf(l, x, node.axis);
  const start = constantOf(index.start);
  if (start === undefined) throw new Error(`lowering '${l.builder.name}': a strided slice of '${node.axis}' needs the axis whole`);
  const tile = emit(l, x, withIndex(region, node.axis, whole(source)));
  if (!tile.shape.some((a) => a.name === node.axis)) return tile;
  const cut = l.builder.slice(tile, node.axis, { start: node.start + start * node.step, step: node.step, size: index.size });
  return node.axis === index.axis ? cut : l.builder.rename(cut, node.axis, index.axis);
}

function tileOf(l: Lowering, index: Index & { kind: 'tile' }): Tile {
  return l.builder.tileOf(index.tile);
}

/** Places of a mixed pair of indices, as one index of the axis they split or merge. */
function combine(l: Lowering, outer: Index, inner: Index, innerSize: number): Index {
  if (outer.kind === 'point' && inner.kind === 'point') return { kind: 'point', at: plus(times(outer.at, innerSize), inner.at) };
  if (outer.kind === 'point' && inner.kind === 'range' && !inner.limit) return range(inner.axis, plus(times(outer.at, innerSize), inner.start), inner.size);
  const b = l.builder;
  return l.tileIndex(b.add(b.multiply(places(l, outer), innerSize), places(l, inner)));
}

function places(l: Lowering, index: Index): Tile {
  switch (index.kind) {
    case 'point': return l.builder.scalar(index.at);
    case 'range': return l.builder.iota(index.axis, index.size, index.start);
    case 'tile': return tileOf(l, index);
  }
}

function emitSplit(l: Lowering, node: Node & { op: 'split' }, region: Region): Tile {
  const x = node.operands[0];
  const source = axisOf(l, x, node.axis);
  const indices = node.into.map((a) => indexOf(region, a.name));
  if (node.into.every((a, i) => isWhole(indices[i], a))) {
    const tile = emit(l, x, withIndex(region, node.axis, whole(source)));
    if (!tile.shape.some((a) => a.name === node.axis)) return tile;
    return l.builder.split(tile, node.axis, Object.fromEntries(node.into.map((a, i) => [(indices[i] as { axis: string }).axis, a.size as number])));
  }
  if (scatters(indices) && !l.level.stored.has(x)) return cutFromWhole(l, node, region, indices);
  // The one place of an axis of size 1 lies nowhere else.
  indices.forEach((index, i) => { if (index.kind === 'range' && node.into[i].size === 1) indices[i] = { kind: 'point', at: index.start }; });
  let index = indices[0];
  for (let i = 1; i < indices.length; i++) index = combine(l, index, indices[i], node.into[i].size as number);
  return emit(l, x, withIndex(region, node.axis, index));
}

/** Several places of an outer axis, but not all of the inner ones: no stretch of the axis that was split, and all known now. */
function scatters(indices: readonly Index[]): boolean {
  const known = (index: Index): boolean => index.kind === 'point' || (index.kind === 'range' && index.limit === undefined && constantOf(index.start) !== undefined);
  return indices.every(known) && indices.slice(0, -1).some((index) => index.kind !== 'point');
}

/** A part of a split axis that is no stretch, of a value that is computed here: all of it, split, then cut. */
function cutFromWhole(l: Lowering, node: Node & { op: 'split' }, region: Region, indices: readonly Index[]): Tile {
  let all = region;
  for (const a of node.into) all = withIndex(all, a.name, whole(a));
  let tile = emit(l, node.results[0].id, all);
  node.into.forEach((a, i) => {
    if (tile.shape.some((s) => s.name === a.name)) tile = cut(l, tile, a.name, a.size as number, indices[i]);
  });
  return tile;
}

function emitMerge(l: Lowering, node: Node & { op: 'merge' }, region: Region): Tile {
  const x = node.operands[0];
  const axes = node.axes.map((n) => axisOf(l, x, n));
  const index = indexOf(region, node.into);
  const inner = axes.slice(1).reduce((product, a) => product * (a.size as number), 1);
  if (index.kind === 'range') {
    const start = constantOf(index.start);
    const aligned = !index.limit && index.size % inner === 0 && (start === undefined ? dividesStart(index.start, inner) : start % inner === 0);
    if (!aligned) return emitMergedTile(l, node, region, axes, l.builder.iota(index.axis, index.size, index.start));
    let inside = withIndex(region, axes[0].name, range(axes[0].name, floorDivide(index.start, inner), index.size / inner));
    for (const a of axes.slice(1)) inside = withIndex(inside, a.name, whole(a));
    const sizes = axes.map((a, i) => ({ name: a.name, size: i === 0 ? index.size / inner : (a.size as number) }));
    return l.builder.merge(spread(l, emit(l, x, inside), sizes), node.axes, index.axis);
  }
  if (index.kind === 'tile') return emitMergedTile(l, node, region, axes, tileOf(l, index));
  let rest = index.at;
  let inside = region;
  for (let i = axes.length - 1; i > 0; i--) {
    inside = withIndex(inside, axes[i].name, { kind: 'point', at: modulo(rest, axes[i].size as number) });
    rest = floorDivide(rest, axes[i].size as number);
  }
  return emit(l, x, withIndex(inside, axes[0].name, { kind: 'point', at: rest }));
}

/** start = variable * c with c a multiple of `inner`, the form that grid tiles have. */
function dividesStart(start: Scalar, inner: number): boolean {
  if (start.kind !== 'multiply') return false;
  const factor = constantOf(start.a) ?? constantOf(start.b);
  return factor !== undefined && factor % inner === 0;
}

function emitMergedTile(l: Lowering, node: Node & { op: 'merge' }, region: Region, axes: readonly Axis[], tile: Tile): Tile {
  const b = l.builder;
  let rest = tile;
  let inside = region;
  for (let i = axes.length - 1; i > 0; i--) {
    inside = withIndex(inside, axes[i].name, l.tileIndex(b.apply('mod', rest, axes[i].size as number)));
    rest = b.apply('floor_divide', rest, axes[i].size as number);
  }
  return emit(l, node.operands[0], withIndex(inside, axes[0].name, l.tileIndex(rest)));
}

function emitConcat(l: Lowering, node: Node & { op: 'concat' }, region: Region): Tile {
  const b = l.builder;
  const index = indexOf(region, node.into);
  const sizes = node.operands.map((v, i) => axisOf(l, v, node.axes[i]).size as number);
  const total = sizes.reduce((sum, s) => sum + s, 0);
  if (index.kind === 'range' && constantOf(index.start) === 0 && index.size === total && !index.limit) {
    const parts = node.operands.map((v, i) => {
      const tile = emit(l, v, withIndex(region, node.axes[i], range(index.axis, 0, sizes[i])));
      return spread(l, tile, [{ name: index.axis, size: sizes[i] }]);
    });
    const outer = parts.flatMap((p) => p.shape).filter((a) => a.name !== index.axis);
    return b.concat(parts.map((p) => spread(l, p, outer)), index.axis);
  }
  // A stretch that need not respect the parts: each part where it applies, chosen by place.
  const at = places(l, index);
  let before = 0;
  let result: Tile | undefined;
  for (const [i, v] of node.operands.entries()) {
    const shifted: Index = index.kind === 'tile' ? l.tileIndex(b.subtract(at, before))
      : index.kind === 'point' ? { kind: 'point', at: minus(index.at, before) } : { ...index, start: minus(index.start, before) };
    const tile = emit(l, v, withIndex(region, node.axes[i], shifted));
    result = result ? b.select(b.less(at, before), result, tile) : tile;
    before += sizes[i];
  }
  return result!;
}

function emitStack(l: Lowering, node: Node & { op: 'stack' }, region: Region): Tile {
  const b = l.builder;
  const index = indexOf(region, node.into);
  const tiles = node.operands.map((v) => emit(l, v, region));
  if (index.kind === 'range' && constantOf(index.start) === 0 && index.size === tiles.length) {
    const outer = tiles.flatMap((t) => t.shape);
    return b.concat(tiles.map((t) => spread(l, spread(l, t, outer), [{ name: index.axis, size: 1 }])), index.axis);
  }
  const at = places(l, index);
  return tiles.slice(1).reduce((result, t, i) => b.select(b.less(at, i + 1), result, t), tiles[0]);
}
