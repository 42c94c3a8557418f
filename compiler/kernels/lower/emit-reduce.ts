/** Reductions, running sums and top-k inside a program. A long axis is walked in stretches with a carried result. */
import type { Node } from '../../ir/graph.js';
import { call, cast, arg, num } from '../../ir/expr.js';
import type { Tile } from '../../ir/kernel.js';
import { lowest, range } from '../build.js';
import { cut, spread } from './emit-axes.js';
import { emit } from './emit.js';
import type { Lowering } from './lowering.js';
import { freeName, indexOf, whole, withIndex, type Region } from './region.js';

const identity = { add: 0, maximum: lowest, minimum: -lowest } as const;

export function emitReduce(l: Lowering, node: Node & { op: 'reduce' }, region: Region): Tile {
  const b = l.builder;
  const x = node.operands[0];
  const axes = l.type(x).axes.filter((a) => node.over.includes(a.name));
  const size = axes.reduce((product, a) => product * (a.size as number), 1);
  let inside = region;
  const names = axes.map((a) => {
    const name = freeName(inside, a);
    inside = withIndex(inside, a.name, whole(a, name));
    return name;
  });
  const sizes = axes.map((a, i) => ({ name: names[i], size: a.size as number }));
  if (size <= l.limits.tile || axes.length !== 1) {
    return b.reduce(node.fn, spread(l, emit(l, x, inside), sizes), ...names);
  }
  const [axis] = axes;
  const [name] = names;
  const step = l.limits.tile;
  const shape = l.shapeOver(node.results[0].type, region);
  const dtype = node.results[0].type.dtype;
  const [out] = b.loop(axis.name, 0, axis.size as number, step, [b.full(identity[node.fn], shape, dtype)], (at, [carried]) => l.scoped(() => {
    const stretch = emit(l, x, withIndex(region, axis.name, range(name, at, step, axis.size as number)));
    const valid = b.less(b.iota(name, step, at), axis.size as number);
    const part = b.reduce(node.fn, b.select(valid, stretch, identity[node.fn]), name);
    return [b.apply(node.fn, carried, part)];
  }));
  return out;
}

export function emitCumulate(l: Lowering, node: Node & { op: 'cumulate' }, region: Region): Tile {
  const axis = l.type(node.operands[0]).axes.find((a) => a.name === node.axis)!;
  const tile = spread(l, emit(l, node.operands[0], withIndex(region, axis.name, whole(axis))), [{ name: axis.name, size: axis.size as number }]);
  return cut(l, l.builder.cumulate(tile, axis.name, { reverse: node.reverse }), axis.name, axis.size as number, indexOf(region, axis.name));
}

/** k rounds of "largest, lowest id first"; the ids found so far are carried. */
export function emitTop(l: Lowering, node: Node & { op: 'top' }, region: Region): Tile {
  const b = l.builder;
  const x = node.operands[0];
  const axis = l.type(x).axes.find((a) => a.name === node.axis)!;
  const index = indexOf(region, node.into);
  if (index.kind !== 'range' || index.size !== node.k) {
    const all = emit(l, node.results[0].id, withIndex(region, node.into, range(node.into, 0, node.k)));
    return cut(l, all, node.into, node.k, index);
  }
  if ((axis.size as number) > l.limits.tile) return topOfLongAxis(l, node, region, index.axis);
  const tile = spread(l, emit(l, x, withIndex(region, axis.name, whole(axis))), [{ name: axis.name, size: axis.size as number }]);
  const places = b.iota(axis.name, axis.size as number);
  const rounds = b.iota(index.axis, node.k);
  const outer = tile.shape.filter((a) => a.name !== axis.name);
  const [ids] = b.loop('round', 0, node.k, 1, [b.full(0, [...outer, { name: index.axis, size: node.k }], 'i32'), tile], (round, [found, left]) => {
    const best = firstOfLargest(l, left, places, axis.name);
    const next = b.select(b.equal(rounds, b.scalar(round)), best, found);
    return [next, b.select(b.equal(places, best), lowest, left)];
  });
  return ids;
}

function firstOfLargest(l: Lowering, values: Tile, places: Tile, axis: string): Tile {
  const b = l.builder;
  const largest = b.reduce('maximum', values, axis);
  return b.reduce('minimum', b.select(b.apply('less', values, largest), 0x7fffffff, places), axis);
}

/** The largest only: stretches in order, a later one wins only if strictly larger. */
function topOfLongAxis(l: Lowering, node: Node & { op: 'top' }, region: Region, into: string): Tile {
  const b = l.builder;
  const x = node.operands[0];
  const axis = l.type(x).axes.find((a) => a.name === node.axis)!;
  if (node.k !== 1) throw new Error(`lowering '${b.name}': top ${node.k} of ${axis.size} elements; more than ${l.limits.tile} are supported for the single largest only`);
  const shape = l.shapeOver(node.results[0].type, region).filter((a) => a.name !== into);
  const step = l.limits.tile;
  const [, id] = b.loop(axis.name, 0, axis.size as number, step, [b.full(lowest, shape), b.full(0, shape, 'i32')], (at, [largest, best]) => l.scoped(() => {
    const stretch = emit(l, x, withIndex(region, axis.name, range(axis.name, at, step, axis.size as number)));
    const places = b.iota(axis.name, step, at);
    const values = b.select(b.less(places, axis.size as number), stretch, lowest);
    const top = b.reduce('maximum', values, axis.name);
    const first = b.reduce('minimum', b.select(b.less(values, top), 0x7fffffff, places), axis.name);
    const better = b.less(largest, top);
    return [b.select(better, top, largest), b.select(better, first, best)];
  }));
  return b.map(cast('i32', call('add', arg(0), num(0, 'i32'))), [b.broadcast(id, [...id.shape, { name: into, size: 1 }])]);
}
