/**
 * Which tiles exist in memory. A tile is *inline* (computed again wherever its consumer needs an element), *scalar* (a
 * C++ constant, for tiles without axes) or an *array* on the stack. Loop carries, results of dots, reductions and
 * running sums are arrays; what is costly and needed more often than it has elements becomes one.
 */
import type { Program, Statement, TileId } from '../../compiler/ir/kernel.js';
import { exprCost } from './expression.js';
import { definitionOf, extraLoops, sizeOf, type Definition, type ProgramIndex, type Use } from './program-index.js';

export type Placement = 'inline' | 'scalar' | 'array';

/** An element's cost at which computing it twice is worse than a store and a load. */
const keepAbove = 2;
/** Loop trips assumed where they are not known. */
const assumedTrips = 8;

export function placeTiles(program: Program, index: ProgramIndex): ReadonlyMap<TileId, Placement> {
  const places = new Map<TileId, Placement>();
  const evaluations = new Map<TileId, number>();
  const costs = inlineCosts(program, index);
  const ids = [...index.definitions.values()].sort((a, b) => b.position - a.position || b.tile.id - a.tile.id);
  for (const d of ids) {
    const id = d.tile.id;
    const needed = (index.uses.get(id) ?? []).reduce((sum, u) => sum + evaluationsBy(u, d, index, places, evaluations), 0);
    evaluations.set(id, needed);
    places.set(id, place(d, needed, costs.get(id) ?? 0, program, index));
  }
  return places;
}

function place(d: Definition, needed: number, cost: number, program: Program, index: ProgramIndex): Placement {
  const kept: Placement = d.tile.shape.length === 0 ? 'scalar' : 'array';
  if (d.role !== 'op') return kept;
  const s = d.statement;
  switch (s.op) {
    case 'dot': case 'reduce': case 'cumulate': return kept;
    case 'iota': case 'full': case 'scalar': return 'inline';
    case 'rename': case 'split': case 'merge': case 'slice': case 'concat': return needed > sizeOf(d.tile) && cost > 4 * keepAbove ? kept : 'inline';
    case 'load':
      if (program.views.find((v) => v.name === s.view)?.access !== 'read') return kept;
      if (d.tile.shape.length === 0) return 'scalar';
      if (onlyDots(d, index)) return 'inline';
      break;
    case 'map':
      if (d.tile.shape.length === 0) return 'scalar';
      break;
  }
  return needed > sizeOf(d.tile) && cost >= keepAbove ? kept : 'inline';
}

/** Dots read stored operands in their own order, straight from the view; a 16-bit one that serves several is kept. */
function onlyDots(d: Definition, index: ProgramIndex): boolean {
  const uses = index.uses.get(d.tile.id) ?? [];
  return uses.length === 1 && uses.every((u) => (u.as === 'a' || u.as === 'b') && extraLoops(u.scope, d.scope) === 0);
}

/** How many elements of `d` the use computes if `d` is inline. */
function evaluationsBy(u: Use, d: Definition, index: ProgramIndex, places: ReadonlyMap<TileId, Placement>, evaluations: ReadonlyMap<TileId, number>): number {
  const trips = assumedTrips ** extraLoops(u.scope, d.scope);
  const s = u.statement;
  if ('out' in s && places.get(s.out.id) === 'inline') {
    const own = evaluations.get(s.out.id) ?? 0;
    return (s.op === 'concat' || s.op === 'slice' ? own * (sizeOf(d.tile) / sizeOf(s.out)) : own) * trips;
  }
  switch (s.op) {
    case 'map': case 'load': return sizeOf(s.out) * trips;
    case 'store': return sizeOf(definitionOf(index, s.value).tile) * trips;
    default: return sizeOf(d.tile) * trips;
  }
}

/** Cost of one element of each tile if it is computed where it is used. */
function inlineCosts(program: Program, index: ProgramIndex): ReadonlyMap<TileId, number> {
  const costs = new Map<TileId, number>();
  for (const { statement } of index.statements) {
    if ('out' in statement) costs.set(statement.out.id, costOf(statement, program, (id) => costs.get(id) ?? 1));
  }
  return costs;
}

function costOf(s: Statement, program: Program, cost: (id: TileId) => number): number {
  switch (s.op) {
    case 'load': {
      const view = program.views.find((v) => v.name === s.view);
      const gathers = s.at.filter((i) => i.kind === 'tile').length;
      const read = view?.packing.kind === 'int4' || view?.packing.kind === 'scaled' ? 8 : view?.packing.kind === 'panel' ? 4 : view?.dtype === 'f32' || view?.dtype === 'i32' ? 1 : 2;
      return read + gathers;
    }
    case 'map': return exprCost(s.expr) + s.args.reduce((sum, a) => sum + cost(a), 0);
    case 'rename': case 'split': case 'merge': case 'slice': return cost(s.value);
    case 'concat': return Math.max(...s.parts.map(cost));
    case 'iota': case 'full': case 'scalar': return 0;
    default: return 1;
  }
}
