/** How inline tiles cut (concat) or regroup (merge) an axis, and which axis they are contiguous along. */
import type { Statement, TileId } from '../../compiler/ir/kernel.js';
import { denseStrides, type KernelContext } from './kernel-context.js';
import { definitionOf } from './program-index.js';

export interface Structure {
  /** Coordinates where another part begins, ascending, without 0. */
  readonly cuts: readonly number[];
  /** Axes whose row-major combination the axis is. */
  readonly factors?: readonly { readonly size: number; readonly cuts: readonly number[] }[];
}

const none: Structure = { cuts: [] };
/** More stretches than this would multiply the text. */
const mostCuts = 6;

export function structureOf(k: KernelContext, roots: readonly TileId[], axis: string): Structure {
  const all = roots.map((id) => structure(k, id, axis));
  const cuts = [...new Set(all.flatMap((s) => s.cuts))].sort((a, b) => a - b);
  const factors = all.flatMap((s) => (s.factors ? [s.factors] : []));
  const agree = factors.length > 0 && factors.every((f) => f.length === factors[0].length && f.every((x, i) => x.size === factors[0][i].size));
  if (cuts.length === 0 && agree) return { cuts: [], factors: factors[0].map((f, i) => ({ size: f.size, cuts: [...new Set(factors.flatMap((g) => g[i].cuts))].sort((a, b) => a - b) })) };
  return { cuts: cuts.length <= mostCuts ? cuts : [] };
}

function structure(k: KernelContext, id: TileId, axis: string): Structure {
  if (k.placement(id) !== 'inline' || !k.tile(id).shape.some((a) => a.name === axis)) return none;
  const s = definitionOf(k.decisions.index, id).statement;
  switch (s.op) {
    case 'map': return structureOf(k, s.args, axis);
    case 'rename': return structure(k, s.value, axis === s.to ? s.from : axis);
    case 'merge': {
      if (axis !== s.into) return structure(k, s.value, axis);
      return { cuts: [], factors: s.axes.map((name) => ({ size: sizeIn(k, s.value, name), cuts: structure(k, s.value, name).cuts })) };
    }
    case 'split': return s.into.some((p) => p.name === axis) ? none : structure(k, s.value, axis);
    case 'slice': return s.axis === axis ? none : structure(k, s.value, axis);
    case 'concat': return s.axis === axis ? { cuts: cutsOf(k, s) } : structureOf(k, s.parts, axis);
    default: return none;
  }
}

function cutsOf(k: KernelContext, s: Extract<Statement, { op: 'concat' }>): number[] {
  let end = 0;
  return s.parts.map((p) => (end += sizeIn(k, p, s.axis))).slice(0, -1);
}

function sizeIn(k: KernelContext, id: TileId, axis: string): number {
  return k.tile(id).shape.find((a) => a.name === axis)!.size;
}

/** Axes along which the memory behind an inline or kept tile is contiguous, one entry per array or view read. */
export function contiguousAxes(k: KernelContext, id: TileId): string[] {
  if (k.placement(id) !== 'inline') return [...(k.slotIfKnown(id)?.strides ?? [])].filter(([, stride]) => stride === 1).map(([axis]) => axis);
  return contiguousIn(k, definitionOf(k.decisions.index, id).statement);
}

/** The same of the tile that statement `s` defines, from what it reads. */
export function contiguousIn(k: KernelContext, s: Statement): string[] {
  switch (s.op) {
    case 'load': {
      const view = k.view(s.view);
      const at = view.packing.kind === 'dense' ? denseStrides(view).indexOf(1) : view.axes.findIndex((a) => view.packing.kind !== 'dense' && a.name === view.packing.lanes);
      const index = s.at[at];
      return index?.kind === 'range' ? [index.axis] : [];
    }
    case 'map': return s.args.flatMap((a) => contiguousAxes(k, a));
    case 'rename': return contiguousAxes(k, s.value).map((a) => (a === s.from ? s.to : a));
    case 'split': return contiguousAxes(k, s.value).map((a) => (a === s.axis ? s.into[s.into.length - 1].name : a));
    case 'merge': return contiguousAxes(k, s.value).map((a) => (a === s.axes[s.axes.length - 1] ? s.into : a)).filter((a) => !s.axes.includes(a));
    case 'slice': return contiguousAxes(k, s.value).filter((a) => a !== s.axis || s.step === 1);
    case 'concat': return s.parts.flatMap((p) => contiguousAxes(k, p));
    default: return [];
  }
}

/** The axis of `shape` that most reads are contiguous along (`votes`: one axis per read); the last one if there is none. */
export function innermostAxis(votes: readonly string[], shape: readonly { readonly name: string; readonly size: number }[]): string | undefined {
  const score = (a: { name: string; size: number }): number => votes.filter((v) => v === a.name).length * Math.min(a.size, 8);
  const best = Math.max(...shape.map(score));
  return best > 0 ? shape.filter((a) => score(a) === best).at(-1)?.name : shape.at(-1)?.name;
}

/** `shape` with `last` moved to the end. */
export function withLast<T extends { readonly name: string }>(shape: readonly T[], last: string | undefined): T[] {
  return [...shape.filter((a) => a.name !== last), ...shape.filter((a) => a.name === last)];
}
