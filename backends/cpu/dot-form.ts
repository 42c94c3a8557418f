/**
 * How a dot is computed. *outer*: lanes are an axis of the result that one operand (`vector`) is contiguous along, the
 * other operand (`scalar`) is broadcast. *inner*: lanes are the summed axis. *sum*: plain loops, for what is too small.
 */
import type { Statement, TileAxis, TileId, View } from '../../compiler/ir/kernel.js';
import { blockBytes, isCoded } from '../../compiler/kernels/packing-address.js';
import { contiguousAxes } from './axis-structure.js';
import { denseStrides, type KernelContext } from './kernel-context.js';
import { definitionOf } from './program-index.js';

export type DotStatement = Extract<Statement, { op: 'dot' }>;
type Load = Extract<Statement, { op: 'load' }>;

/** An operand that is read where it is stored. */
export interface DirectView {
  readonly kind: 'dense' | 'panel' | 'int4' | 'scaled';
  readonly load: Load;
  readonly view: View;
  /** Tile axis that is contiguous. */
  readonly unit: string | undefined;
  /** Elements between neighbours per tile axis; for lanes of a panel, between panels. Bytes for codes with scales, where `along` counts groups. */
  readonly strides: ReadonlyMap<string, number>;
}

export interface DotForm {
  readonly kind: 'outer' | 'inner' | 'sum';
  /** outer: the operand with the lanes. inner: the one with `columns`. */
  readonly vector: TileId;
  readonly scalar: TileId;
  /** outer: result axis of the vectors. inner: columns, if the operand has such an axis. */
  readonly lanes?: string;
  /** Register-blocked axis of `scalar`, if it has one. */
  readonly rows?: string;
  /** Innermost summed axis. */
  readonly along: string;
  /** All other axes, as loops: shared by both operands, of `scalar`, of `vector`, summed. */
  readonly loops: readonly TileAxis[];
  readonly otherOver: readonly TileAxis[];
}

/** Places of the summed axis at a time: a block of weights, 16 lanes by this in f32, takes half of a 32 KiB cache. */
export const stretch = 256;

const float = new Set(['f32', 'bf16', 'f16']);
/** Fewer lanes than this do not fill a vector. */
const fewest = 4;

export function directView(k: KernelContext, id: TileId): DirectView | undefined {
  if (k.placement(id) !== 'inline') return undefined;
  const load = definitionOf(k.decisions.index, id).statement;
  if (load.op !== 'load' || load.fill !== 0) return undefined;
  const view = k.view(load.view);
  const simple = load.at.every((i) => i.kind === 'point' || (i.kind === 'range' && k.bounds(i.start).lo >= 0));
  if (!simple || (!isCoded(view.packing) && !float.has(view.dtype))) return undefined;
  if (view.packing.kind === 'dense') return denseView(load, view);
  return packedView(k, load, view);
}

function denseView(load: Load, view: View): DirectView | undefined {
  const all = denseStrides(view);
  const strides = new Map<string, number>();
  for (const [n, i] of load.at.entries()) {
    const stride = all[n];
    if (stride === undefined) return undefined;
    if (i.kind === 'range') strides.set(i.axis, stride);
  }
  return { kind: 'dense', load, view, unit: [...strides].find(([, s]) => s === 1)?.[0], strides };
}

function packedView(k: KernelContext, load: Load, view: View): DirectView | undefined {
  const { packing } = view;
  if (packing.kind === 'dense' || packing.kind === 'int4-mma' || packing.width !== 8) return undefined;
  const order = packing.order.map((name) => view.axes.findIndex((a) => a.name === name));
  const lanes = load.at[order[packing.order.indexOf(packing.lanes)]];
  if (lanes.kind !== 'range' || k.bounds(lanes.start).multiple % 8 !== 0 || lanes.size % 8 !== 0) return undefined;
  const along = load.at[order[order.length - 1]];
  // Long sums are walked in stretches, which must hold whole groups.
  const coded = isCoded(packing) ? packing : undefined;
  if (coded && stretch % coded.group !== 0) return undefined;
  if (coded && (along.kind !== 'range' || k.bounds(along.start).multiple % coded.group !== 0 || along.size % coded.group !== 0)) return undefined;
  const strides = new Map<string, number>();
  let step = coded ? blockBytes(coded) : 8;
  for (let i = order.length - 1; i >= 0; i--) {
    const index = load.at[order[i]];
    if (index.kind === 'range') strides.set(index.axis, step);
    const extent = view.axes[order[i]].extent;
    if (extent.kind !== 'int') { if (i > 0) return undefined; continue; }
    const unit = packing.order[i] === packing.lanes ? 8 : coded && i === order.length - 1 ? coded.group : 1;
    step *= Math.ceil(extent.value / unit);
  }
  return { kind: packing.kind, load, view, unit: lanes.axis, strides };
}

/** Axis that the operand is contiguous along: a view's, that of what it is computed from, or a laid out array's. */
function unitOf(k: KernelContext, id: TileId): string | undefined {
  if (k.placement(id) === 'inline') return directView(k, id)?.unit ?? contiguousAxes(k, id)[0];
  const slot = k.slotIfKnown(id);
  return slot && [...slot.strides].find(([, s]) => s === 1)?.[0];
}

export function chooseForm(k: KernelContext, s: DotStatement): DotForm {
  const [a, b] = [k.tile(s.a).shape, k.tile(s.b).shape];
  const own = (x: readonly TileAxis[], y: readonly TileAxis[]): TileAxis[] => x.filter((p) => !y.some((q) => q.name === p.name) && !s.over.includes(p.name));
  const [ownA, ownB] = [own(a, b), own(b, a)];
  const over = a.filter((x) => s.over.includes(x.name));
  const shared = a.filter((x) => b.some((y) => y.name === x.name) && !s.over.includes(x.name));
  const form = (kind: DotForm['kind'], vectorIsA: boolean, lanes: string | undefined, along: string): DotForm => {
    const [mine, others] = vectorIsA ? [ownA, ownB] : [ownB, ownA];
    const rows = others.reduce<TileAxis | undefined>((best, x) => (best && best.size > x.size ? best : x), undefined)?.name;
    const loops = [...shared, ...others.filter((x) => x.name !== rows), ...mine.filter((x) => x.name !== lanes)];
    return { kind, vector: vectorIsA ? s.a : s.b, scalar: vectorIsA ? s.b : s.a, lanes, rows, along, loops, otherOver: over.filter((x) => x.name !== along) };
  };
  const size = (name: string | undefined): number => [...a, ...b].find((x) => x.name === name)?.size ?? 0;
  const outer = outerCandidate(k, s, ownA, ownB);
  if (outer) return form('outer', outer.id === s.a, outer.lanes, innermostOver(k, s, outer.id));
  const alongA = unitOf(k, s.a);
  const alongB = unitOf(k, s.b);
  const along = [alongB, alongA].find((u) => u !== undefined && s.over.includes(u)) ?? over[over.length - 1].name;
  if (size(along) >= fewest) {
    const vectorIsA = innerVectorIsA(k, s, ownA, ownB);
    const mine = vectorIsA ? ownA : ownB;
    return form('inner', vectorIsA, mine.reduce<TileAxis | undefined>((best, x) => (best && best.size > x.size ? best : x), undefined)?.name, along);
  }
  const largest = [...ownA, ...ownB].sort((x, y) => y.size - x.size)[0];
  if (largest && largest.size >= fewest) return form('outer', ownA.includes(largest), largest.name, over[over.length - 1].name);
  return form('sum', false, undefined, over[over.length - 1].name);
}

/** The operand whose contiguous axis is one of the result's own: packed ones first, then the wider. */
function outerCandidate(k: KernelContext, s: DotStatement, ownA: readonly TileAxis[], ownB: readonly TileAxis[]): { id: TileId; lanes: string } | undefined {
  const found = ([[s.b, ownB], [s.a, ownA]] as const).flatMap(([id, own]) => {
    const unit = unitOf(k, id);
    const axis = own.find((x) => x.name === unit);
    if (!axis) return [];
    const direct = directView(k, id);
    if (direct && isCoded(direct.view.packing) && !alongIsSummed(direct, s)) return [];
    return axis.size >= fewest ? [{ id, lanes: axis.name, score: (direct && direct.kind !== 'dense' ? 1e6 : 0) + axis.size }] : [];
  });
  return found.sort((x, y) => y.score - x.score)[0];
}

function alongIsSummed(direct: DirectView, s: DotStatement): boolean {
  const index = direct.load.at[direct.view.axes.findIndex((a) => a.name === direct.view.packing.order.at(-1))];
  return index.kind === 'range' && s.over.includes(index.axis);
}

function innermostOver(k: KernelContext, s: DotStatement, vector: TileId): string {
  const direct = directView(k, vector);
  const summed = k.tile(vector).shape.filter((x) => s.over.includes(x.name));
  if (direct && direct.kind !== 'dense') {
    const last = direct.view.packing.order.filter((n) => direct.view.packing.kind !== 'dense' && n !== direct.view.packing.lanes).at(-1);
    const index = direct.load.at[direct.view.axes.findIndex((a) => a.name === last)];
    if (index?.kind === 'range' && s.over.includes(index.axis)) return index.axis;
  }
  return summed[summed.length - 1].name;
}

/** The columns' operand may stay 16-bit, so it is the one with more elements. */
function innerVectorIsA(k: KernelContext, s: DotStatement, ownA: readonly TileAxis[], ownB: readonly TileAxis[]): boolean {
  const product = (x: readonly TileAxis[]): number => x.reduce((n, a) => n * a.size, 1);
  if (product(ownA) === product(ownB)) return directView(k, s.b) === undefined && directView(k, s.a) !== undefined;
  return product(ownA) > product(ownB);
}
