/** Operands of dots as C++ pointers with constant strides: read where they are stored, or packed into an array first. */
import type { FloatCode } from '../../compiler/kernels/float-codes.js';
import { blockBytes, isCoded } from '../../compiler/kernels/packing-address.js';
import type { TileAxis, TileId } from '../../compiler/ir/kernel.js';
import { addCoordinates, constantAt, printCoordinate, scaleCoordinate, variableAt, type Coordinate } from './coordinate.js';
import { directView, stretch, type DirectView } from './dot-form.js';
import { viewText, type KernelContext, type Slot } from './kernel-context.js';
import { insideConditions, offsetAt } from './load-place.js';
import { stridesOf } from './layout.js';
import type { Element } from './microkernels.js';
import { only, slotOffset, type Coordinates } from './point.js';
import { fill } from './statements.js';
import { zeroTail } from './zero-tails.js';

export interface Operand {
  readonly kind: Element | 'int4' | 'scaled';
  /** Pointer text to the element at `at` (lanes and the innermost summed axis at their starts). */
  pointer(at: Coordinates): string;
  /** Distance of neighbours along a tile axis; along lanes of a panel, of panels. */
  stride(axis: string): number;
  readonly isPanel: boolean;
  /** Elements of a group that has a scale. */
  readonly group: number;
  /** What `scaled` codes are. */
  readonly code?: FloatCode;
  /** Number of places along `axis` that are inside the view, if not all are; the others contribute nothing. */
  count(axis: string): string | undefined;
  /** Places beyond `count` are in memory, and zero. */
  readonly zeros: boolean;
  /** Conditions without which the operand is all zero. */
  readonly live: readonly string[];
  /** Set if the operand is computed into this array one stretch of `along` at a time. */
  readonly piecewise?: { readonly slot: Slot; readonly tile: TileId; readonly axes: readonly TileAxis[] };
}

export interface OperandNeeds {
  readonly f32: boolean;
  /** Vectors run along `unit` and may pass its end. */
  readonly padded: boolean;
  /** Axes whose tails the dot leaves out itself. */
  readonly clipped: readonly (string | undefined)[];
  /** Innermost summed axis. */
  readonly along: string;
}

/** `order`: axes that a packed copy has last, outermost first; `unit`: the axis that must be contiguous. */
export function makeOperand(k: KernelContext, id: TileId, order: readonly (string | undefined)[], unit: string | undefined, options: OperandNeeds): Operand {
  if (k.placement(id) !== 'inline') {
    const slot = k.slot(id);
    const fits = unit === undefined || slot.strides.get(unit) === 1;
    const padded = !options.padded || unit === undefined || paddedRows(slot, unit, k.tile(id).shape);
    if (fits && padded) return slotOperand(slot, k, id);
    return packed(k, id, order, unit, options);
  }
  const direct = directView(k, id);
  if (direct && usable(k, direct, id, unit, options)) return viewOperand(k, direct, id);
  return packed(k, id, order, unit, options);
}

/** Vectors along `unit` stay inside its row. */
function paddedRows(slot: Slot, unit: string, shape: readonly TileAxis[]): boolean {
  const next = Math.min(...[...slot.strides.values()].filter((s) => s > 1), slot.elements);
  return next % 8 === 0 || shape.find((a) => a.name === unit)!.size % 8 === 0;
}

function usable(k: KernelContext, direct: DirectView, id: TileId, unit: string | undefined, options: OperandNeeds): boolean {
  if (options.f32 && (direct.kind !== 'dense' || direct.view.dtype !== 'f32')) return false;
  if (unit !== undefined && direct.unit !== unit) return false;
  const place = k.loads.get(id);
  if (!place) throw new Error(`cpu emitter: load ${id} is used before it is placed`);
  if (options.padded && direct.kind === 'dense' && k.tile(id).shape.find((a) => a.name === unit)!.size % 8 !== 0) return false;
  return place.axes.every((a) => a.kind !== 'range' || options.clipped.includes(a.axis) || insideConditions(a).length === 0);
}

function slotOperand(slot: Slot, k: KernelContext, id: TileId): Operand {
  return {
    kind: 'f32', isPanel: false, group: 0, live: [], zeros: true, count: (axis) => tailCount(k, id, axis),
    pointer: (at) => `${slot.name} + ${printCoordinate(slotOffset(k, id, at))}`,
    stride: (axis) => slot.strides.get(axis) ?? 0,
  };
}

function tailCount(k: KernelContext, id: TileId, axis: string): string | undefined {
  const tail = zeroTail(k.decisions.index, id, axis);
  if (!tail) return undefined;
  const size = k.tile(id).shape.find((a) => a.name === axis)!.size;
  return `clamp64(${k.text(tail.limit)} - (${k.text(tail.start)}), 0, ${size})`;
}

/** Computed into an array: at once, or in stretches if the summed axis is long. */
function packed(k: KernelContext, id: TileId, order: readonly (string | undefined)[], unit: string | undefined, needs: OperandNeeds): Operand {
  const tile = k.tile(id);
  const names = order.filter((n): n is string => n !== undefined && tile.shape.some((a) => a.name === n));
  const last = names.map((n) => tile.shape.find((a) => a.name === n)!);
  const isLong = (tile.shape.find((a) => a.name === needs.along)?.size ?? 0) > stretch;
  const axes = isLong ? last.map((a) => (a.name === needs.along ? { ...a, size: stretch } : a)) : [...tile.shape.filter((a) => !names.includes(a.name)), ...last];
  const slot: Slot = { name: k.fresh('pack'), dtype: 'f32', ...stridesOf(axes, needs.padded) };
  k.line(`alignas(64) float ${slot.name}[${slot.elements}];`);
  if (!isLong) fill(k, { ...tile, dtype: 'f32' }, slot, [id], (point, at) => point.value(id, only(k, id, at)));
  return {
    kind: 'f32', isPanel: false, group: 0, live: [], zeros: true, count: (axis) => (axis === unit || axis === needs.along ? undefined : tailCount(k, id, axis)), ...(isLong ? { piecewise: { slot, tile: id, axes } } : {}),
    pointer: (at) => `${slot.name} + ${isLong ? '0' : printCoordinate([...slot.strides].reduce<Coordinate>((sum, [axis, s]) => addCoordinates(sum, scaleCoordinate(at.get(axis) ?? constantAt(0), s)), constantAt(0)))}`,
    stride: (axis) => slot.strides.get(axis) ?? 0,
  };
}

function viewOperand(k: KernelContext, direct: DirectView, id: TileId): Operand {
  const place = k.loads.get(id)!;
  const { packing } = direct.view;
  const positions = (at: Coordinates): Coordinate[] => place.axes.map((a) => (a.axis === undefined ? a.start : addCoordinates(a.start, at.get(a.axis) ?? constantAt(0))));
  return {
    kind: direct.kind === 'int4' || direct.kind === 'scaled' ? direct.kind : (direct.view.dtype as Element), isPanel: direct.kind !== 'dense',
    group: isCoded(packing) ? packing.group : 0, ...(packing.kind === 'scaled' ? { code: packing.code } : {}),
    live: place.axes.filter((a) => a.kind === 'point').flatMap(insideConditions),
    pointer: (at) => `${viewText(direct.view.name)} + ${isCoded(packing) ? blockText(direct, positions(at)) : printCoordinate(offsetAt(k, direct.view, positions(at)))}`,
    stride: (axis) => direct.strides.get(axis) ?? 0,
    zeros: false,
    count: (axis) => {
      const a = place.axes.find((x) => x.axis === axis);
      if (!a || insideConditions(a).length === 0) return undefined;
      return `clamp64(${a.limit} - (${printCoordinate(a.start)}), 0, ${a.size})`;
    },
  };
}

/** Byte offset of the block that holds `positions`. */
function blockText(direct: DirectView, positions: readonly Coordinate[]): string {
  const { packing } = direct.view;
  if (!isCoded(packing)) throw new Error('cpu emitter: not a view of codes with scales');
  const { width, group } = packing;
  const bytes = blockBytes(packing);
  let block = constantAt(0);
  packing.order.forEach((name, i) => {
    const axis = direct.view.axes.findIndex((a) => a.name === name);
    const by = i === packing.order.length - 1 ? group : i === packing.order.length - 2 ? width : 1;
    const extent = direct.view.axes[axis].extent;
    const at = divideExactly(positions[axis], by);
    block = i === 0 ? at : addCoordinates(scaleCoordinate(block, extent.kind === 'int' ? Math.ceil(extent.value / by) : 1), at);
  });
  return printCoordinate(scaleCoordinate(block, bytes));
}

/** Starts are multiples of `by` (see directView); coordinates of lanes and along are 0 here. */
function divideExactly(c: Coordinate, by: number): Coordinate {
  if (by === 1) return c;
  if (c.terms.length === 0) return constantAt(c.constant / by);
  return variableAt(`(${printCoordinate(c)}) / ${by}`, { lo: 0 });
}
