/** Where a load or store touches its view: positions per view axis, what is proven about them, and element text. */
import type { Arithmetic } from '../../compiler/kernels/packing-address.js';
import { elementOffset, int4Location, isCoded, scaledLocation } from '../../compiler/kernels/packing-address.js';
import type { Index, TileId, View } from '../../compiler/ir/kernel.js';
import { addCoordinates, constantAt, highest, lowest, printCoordinate, scaleCoordinate, splitCoordinate, variableAt, type Coordinate } from './coordinate.js';
import { literal, type Value } from './expression.js';
import { viewText, type KernelContext } from './kernel-context.js';

export interface AxisPlace {
  readonly kind: 'point' | 'range' | 'tile';
  /** Of a range: the tile's axis. */
  readonly axis?: string;
  readonly size: number;
  readonly tile?: TileId;
  /** Of a point or range: where it starts. */
  readonly start: Coordinate;
  /** First place that counts as outside; text and its smallest value. */
  readonly limit: string;
  readonly limitLo: number;
  /** No place reaches the limit, whatever the dims are. */
  readonly proven: boolean;
}
export interface LoadPlace { readonly view: View; readonly axes: readonly AxisPlace[]; readonly fill: number }

/** Writes what is uniform about the places into constants, so that it must be called where their scalars are in scope. */
export function placeAccess(k: KernelContext, view: View, at: readonly Index[], fill: number): LoadPlace {
  const axes = at.map((index, i): AxisPlace => {
    const extent = view.axes[i].extent;
    const size = index.kind === 'range' ? index.size : 1;
    const limits = index.kind === 'range' && index.limit ? [index.limit, extent] : [extent];
    const bounds = limits.map((l) => k.bounds(l));
    const limit = limits.length === 1 || bounds[0].hi <= bounds[1].lo ? limits[0] : { kind: 'minimum' as const, a: limits[0], b: limits[1] };
    const limitBounds = k.bounds(limit);
    if (index.kind === 'tile') return { kind: 'tile', size, tile: index.tile, start: constantAt(0), limit: k.hoist(limit, 'lim'), limitLo: limitBounds.lo, proven: false };
    const from = index.kind === 'point' ? index.at : index.start;
    const known = k.bounds(from);
    const start = known.lo === known.hi ? constantAt(known.lo) : variableAt(k.hoist(from, 'at'), known);
    const proven = known.hi + size <= limitBounds.lo || (size === 1 && limits.every((l) => k.isBelow(from, l)));
    return { kind: index.kind, size, start, limit: proven ? k.text(limit) : k.hoist(limit, 'lim'), limitLo: limitBounds.lo, proven, ...(index.kind === 'range' ? { axis: index.axis } : {}) };
  });
  return { view, axes, fill };
}

/** Conditions, uniform in the program, under which every place of the access is inside; empty if that is proven. */
export function insideConditions(a: AxisPlace): string[] {
  const start = printCoordinate(a.start);
  return [
    ...(lowest(a.start) < 0 ? [`${start} >= 0`] : []),
    ...(!a.proven && highest(a.start) + a.size > a.limitLo ? [`${start}${a.size === 1 ? ' <' : ` + ${a.size} <=`} ${a.limit}`] : []),
  ];
}

/** Conditions under which one position is inside. */
export function positionConditions(position: Coordinate, a: AxisPlace): string[] {
  const text = printCoordinate(position);
  return [...(lowest(position) < 0 ? [`${text} >= 0`] : []), ...(!a.proven && highest(position) >= a.limitLo ? [`${text} < ${a.limit}`] : [])];
}

export const coordinateArithmetic: Arithmetic<Coordinate> = {
  constant: constantAt,
  add: addCoordinates,
  multiply: (a, b) => {
    if (b.terms.length === 0) return scaleCoordinate(a, b.constant);
    if (a.terms.length === 0) return scaleCoordinate(b, a.constant);
    return variableAt(`(int64_t)(${printCoordinate(a)}) * (${printCoordinate(b)})`);
  },
  divide: (a, by) => splitCoordinate(a, by).quotient,
  modulo: (a, by) => splitCoordinate(a, by).remainder,
};

function extents(k: KernelContext, view: View): Coordinate[] {
  return view.packing.order.map((name) => {
    const extent = view.axes.find((a) => a.name === name)!.extent;
    const b = k.bounds(extent);
    return b.lo === b.hi ? constantAt(b.lo) : variableAt(k.text(extent), b);
  });
}

function inOrder(view: View, positions: readonly Coordinate[]): Coordinate[] {
  return view.packing.order.map((name) => positions[view.axes.findIndex((a) => a.name === name)]);
}

/** Element offset of `positions` (by view axis) in a dense or panel view. */
export function offsetAt(k: KernelContext, view: View, positions: readonly Coordinate[]): Coordinate {
  if (isCoded(view.packing)) throw new Error(`cpu emitter: ${view.packing.kind} elements have no offset`);
  if (view.packing.kind === 'dense' && view.strides) return positions.reduce((sum, p, i) => addCoordinates(sum, scaleCoordinate(p, view.strides![i])), constantAt(0));
  return elementOffset(coordinateArithmetic, view.packing, extents(k, view), inOrder(view, positions));
}

/** Offsets of the code's word (u32), its shift and its scale (16 bit). */
export function int4At(k: KernelContext, view: View, positions: readonly Coordinate[]): { word: Coordinate; shift: Coordinate; scale: Coordinate } {
  if (view.packing.kind !== 'int4') throw new Error('cpu emitter: not an int4 view');
  return int4Location(coordinateArithmetic, view.packing, extents(k, view), inOrder(view, positions));
}

/** The element at `positions`, widened to the type that tiles hold. */
export function elementText(k: KernelContext, view: View, positions: readonly Coordinate[]): string {
  if (view.packing.kind === 'int4') {
    const at = int4At(k, view, positions);
    return `int4_element(${viewText(view.name)}, ${printCoordinate(at.word)}, ${printCoordinate(at.shift)}, ${printCoordinate(at.scale)})`;
  }
  if (view.packing.kind === 'scaled') {
    const at = scaledLocation(coordinateArithmetic, view.packing, extents(k, view), inOrder(view, positions));
    return `${view.packing.code}_element(${viewText(view.name)}, ${printCoordinate(at.word)}, ${printCoordinate(at.shift)}, ${printCoordinate(at.scale)})`;
  }
  const read = `${viewText(view.name)}[${printCoordinate(offsetAt(k, view, positions))}]`;
  switch (view.dtype) {
    case 'bf16': return `from_bf16(${read})`;
    case 'f16': return `from_f16(${read})`;
    case 'bool': return `(int32_t)(${read} != 0)`;
    default: return read;
  }
}

export function storedText(view: View, value: Value): string {
  switch (view.dtype) {
    case 'bf16': return `to_bf16(${value.text})`;
    case 'f16': return `to_f16(${value.text})`;
    case 'bool': return `(uint32_t)(${value.text} != 0)`;
    default: return value.text;
  }
}

export function fillText(place: LoadPlace): string {
  return literal(place.fill, place.view.dtype);
}
