/**
 * Where the elements of a tile lie in the registers of a block, as a linear map over GF(2): each bit of the register
 * number, the lane and the warp moves the place in the tile by a fixed vector, and moves combine by exclusive or. A zero
 * vector means that several places hold one element. (Linear layouts: arXiv 2505.23819; fragments: PTX ISA 9.7.14, 9.7.15.)
 */
import type { TileAxis } from '../../compiler/ir/kernel.js';

/** One place in a tile, or a move between places: one number per axis of the layout. */
export type Place = readonly number[];

export interface Layout {
  /** Sizes are powers of two; a tile may fill less of them. */
  readonly axes: readonly TileAxis[];
  readonly registers: readonly Place[];
  readonly lanes: readonly Place[];
  readonly warps: readonly Place[];
}

export function registerCount(layout: Layout): number { return 1 << layout.registers.length; }

function combine(bases: readonly Place[], bits: number, into: number[]): void {
  bases.forEach((basis, i) => { if ((bits >> i) & 1) basis.forEach((v, axis) => { into[axis] ^= v; }); });
}

/** The element that a register of a lane of a warp holds. */
export function placeOf(layout: Layout, register: number, lane: number, warp: number): number[] {
  const place = layout.axes.map(() => 0);
  combine(layout.registers, register, place);
  combine(layout.lanes, lane, place);
  combine(layout.warps, warp, place);
  return place;
}

/** What of `layout` concerns the axes `names`: other coordinates dropped, registers that then repeat another one too. */
export function sliceLayout(layout: Layout, names: readonly string[]): Layout {
  const kept = names.map((name) => {
    const at = layout.axes.findIndex((a) => a.name === name);
    if (at < 0) throw new Error(`layout: no axis '${name}' among ${layout.axes.map((a) => a.name).join(', ')}`);
    return at;
  });
  const project = (p: Place): Place => kept.map((at) => p[at]);
  return {
    axes: kept.map((at) => layout.axes[at]),
    registers: layout.registers.map(project).filter((p) => p.some((v) => v !== 0)),
    lanes: layout.lanes.map(project), warps: layout.warps.map(project),
  };
}

/** How a value in one layout becomes one in another, from cheapest: same registers, other registers, lanes, warps. */
export type Conversion = 'identity' | 'registers' | 'lanes' | 'warps';

/** Both over the same axes, in any order. Compares what the layouts mean, not how they are written. */
export function classifyConversion(from: Layout, to: Layout): Conversion {
  const order = to.axes.map((a) => a.name);
  const aligned = reorder(from, order);
  const same = (a: readonly Place[], b: readonly Place[]): boolean => a.length === b.length && a.every((p, i) => p.every((v, axis) => v === b[i][axis]));
  if (!same(padded(aligned.warps, to.warps.length, order.length), padded(to.warps, aligned.warps.length, order.length))) return 'warps';
  if (!same(aligned.lanes, to.lanes)) return 'lanes';
  if (same(aligned.registers, to.registers)) return 'identity';
  return spansEqual(aligned.registers, to.registers) ? 'registers' : 'warps';
}

function padded(bases: readonly Place[], length: number, axes: number): Place[] {
  return [...bases, ...Array.from({ length: Math.max(0, length - bases.length) }, () => Array.from({ length: axes }, () => 0))];
}

function reorder(layout: Layout, names: readonly string[]): Layout {
  const at = names.map((n) => layout.axes.findIndex((a) => a.name === n));
  const project = (p: Place): Place => at.map((i) => p[i]);
  return { axes: at.map((i) => layout.axes[i]), registers: layout.registers.map(project), lanes: layout.lanes.map(project), warps: layout.warps.map(project) };
}

function spansEqual(a: readonly Place[], b: readonly Place[]): boolean {
  const span = (bases: readonly Place[]): Set<string> => {
    const out = new Set<string>();
    for (let r = 0; r < 1 << bases.length; r++) {
      const place = (bases[0] ?? []).map(() => 0);
      combine(bases, r, place);
      out.add(place.join());
    }
    return out;
  };
  const [left, right] = [span(a), span(b)];
  return left.size === right.size && [...left].every((p) => right.has(p));
}

/**
 * For a value in layout `small` used by threads laid out as `large` (which has all its axes): bit i of a register of
 * `large` moves the register of `small` by result[i]. Undefined if a thread does not hold what it needs.
 */
export function registerMap(large: Layout, small: Layout): readonly number[] | undefined {
  const names = small.axes.map((a) => a.name);
  const seen = reorder(large, names);
  const zero = names.map(() => 0);
  const same = (a: Place, b: Place): boolean => a.every((v, i) => v === b[i]);
  if (!seen.lanes.every((p, i) => same(p, small.lanes[i] ?? zero))) return undefined;
  for (let i = 0; i < Math.max(seen.warps.length, small.warps.length); i++) if (!same(seen.warps[i] ?? zero, small.warps[i] ?? zero)) return undefined;
  const out: number[] = [];
  for (const move of seen.registers) {
    let found = -1;
    for (let r = 0; r < registerCount(small) && found < 0; r++) {
      const place = names.map(() => 0);
      combine(small.registers, r, place);
      if (same(place, move)) found = r;
    }
    if (found < 0) return undefined;
    out.push(found);
  }
  return out;
}

/** Applies a linear map of bits (`registerMap`) to a register number. */
export function applyMap(map: readonly number[], register: number): number {
  return map.reduce((out, image, i) => ((register >> i) & 1 ? out ^ image : out), 0);
}

/** For each place of the tile (row-major in `axes`): one (register, lane, warp) that holds it. Undefined where none does. */
export function invertLayout(layout: Layout): ReadonlyMap<string, { readonly register: number; readonly lane: number; readonly warp: number }> {
  const out = new Map<string, { register: number; lane: number; warp: number }>();
  for (let warp = 0; warp < 1 << layout.warps.length; warp++) for (let lane = 0; lane < 1 << layout.lanes.length; lane++) for (let register = 0; register < registerCount(layout); register++) {
    const key = placeOf(layout, register, lane, warp).join();
    if (!out.has(key)) out.set(key, { register, lane, warp });
  }
  return out;
}

/**
 * How often a warp's access of `width` bytes per lane (4, 8 or 16) must be repeated because lanes meet in a bank of shared
 * memory. `addresses`: byte address as a linear image of each lane bit. Lanes are served 128 bytes at a time.
 */
export function bankWays(addresses: readonly number[], width: 4 | 8 | 16): number {
  const bits = Math.log2(128 / width);
  const phase = addresses.slice(0, bits);
  const mask = 127 & ~(width - 1);
  const seen = new Set<number>();
  for (let v = 0; v < 1 << phase.length; v++) {
    const address = phase.reduce((sum, image, i) => ((v >> i) & 1 ? sum ^ image : sum), 0);
    if ((address & mask) === 0) seen.add(address);
  }
  return seen.size;
}
