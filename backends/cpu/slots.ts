/**
 * Memory of the tiles that are kept: one slot each, except that a loop's carry is one slot for `inside`, `out` and,
 * where nothing reads the old value afterwards, `next` (it is then updated in place).
 */
import type { Statement, TileId } from '../../compiler/ir/kernel.js';
import type { Placement } from './placement.js';
import { definitionOf, operandsOf, sizeOf, type Carry, type ForStatement, type ProgramIndex } from './program-index.js';

export type SlotId = number;

/** Tile -> slot; tiles of one slot have the same axes. */
export function assignSlots(index: ProgramIndex, places: ReadonlyMap<TileId, Placement>): ReadonlyMap<TileId, SlotId> {
  const slots = new Map<TileId, SlotId>();
  const loops = index.statements.filter((s): s is { statement: ForStatement; position: number; scope: readonly Statement[] } => s.statement.op === 'for');
  // Outer loops first: an inner loop that continues an outer carry then finds the slot already given.
  for (const { statement, scope } of loops) {
    for (const carry of statement.carries) {
      const slot = slots.get(carry.out.id) ?? (ownsInitial(carry, statement, scope, index, places, slots) ? carry.initial : carry.inside.id);
      if (slot === carry.initial) slots.set(carry.initial, slot);
      slots.set(carry.inside.id, slot);
      slots.set(carry.out.id, slot);
      if (places.get(carry.next) !== 'inline' && !slots.has(carry.next) && updatesInPlace(carry, statement, index, places)) slots.set(carry.next, slot);
    }
  }
  for (const { statement } of index.statements) if (statement.op === 'dot') continueSum(statement, index, places, slots);
  for (const id of index.definitions.keys()) if (places.get(id) !== 'inline' && !slots.has(id)) slots.set(id, id);
  return slots;
}

/** A sum made of several dots accumulates in one slot: the earlier result is read by the later dot only. */
function continueSum(dot: Extract<Statement, { op: 'dot' }>, index: ProgramIndex, places: ReadonlyMap<TileId, Placement>, slots: Map<TileId, SlotId>): void {
  if (dot.acc === undefined || places.get(dot.acc) === 'inline' || slots.has(dot.acc)) return;
  const earlier = definitionOf(index, dot.acc);
  const own = definitionOf(index, dot.out.id);
  if (earlier.role !== 'op' || (index.uses.get(dot.acc) ?? []).length !== 1 || earlier.scope.at(-1) !== own.scope.at(-1)) return;
  const slot = slots.get(dot.out.id);
  // A carry's slot still holds the old value while the earlier dot runs.
  if (slot !== undefined && slot !== dot.out.id) return;
  slots.set(dot.out.id, dot.acc);
  slots.set(dot.acc, dot.acc);
}

/** The initial value's array may be taken over if nothing else reads it and it is made in the same body. */
function ownsInitial(carry: Carry, loop: ForStatement, scope: readonly Statement[], index: ProgramIndex, places: ReadonlyMap<TileId, Placement>, slots: ReadonlyMap<TileId, SlotId>): boolean {
  const d = definitionOf(index, carry.initial);
  if (places.get(carry.initial) === 'inline' || slots.has(carry.initial) || d.role !== 'op') return false;
  const sameBody = d.scope.length === scope.length && d.scope.every((s, i) => s === scope[i]);
  return sameBody && (index.uses.get(carry.initial) ?? []).every((u) => u.statement === loop) && loop.carries.filter((c) => c.initial === carry.initial).length === 1;
}

interface Read { readonly statement: Statement; readonly position: number; readonly elementwise: boolean }

function updatesInPlace(carry: Carry, loop: ForStatement, index: ProgramIndex, places: ReadonlyMap<TileId, Placement>): boolean {
  const d = definitionOf(index, carry.next);
  if (d.scope.at(-1) !== loop || d.scope.length !== definitionOf(index, carry.inside.id).scope.length || d.role === 'inside') return false;
  if ((index.uses.get(carry.next) ?? []).filter((u) => u.as === 'next').length !== 1) return false;
  const writer = d.statement;
  const start = d.role === 'out' ? index.statements.find((s) => s.statement === writer)!.position : d.position;
  return readsOf(carry.inside.id, true, index, places).every((r) => r.position < start || (r.statement === writer && r.elementwise && sizeOf(d.tile) === sizeOf(carry.inside)));
}

/** Kept statements that read tile `id`, directly or through inline tiles; `elementwise`: only the element they write. */
function readsOf(id: TileId, elementwise: boolean, index: ProgramIndex, places: ReadonlyMap<TileId, Placement>): Read[] {
  return (index.uses.get(id) ?? []).flatMap((u): Read[] => {
    const s = u.statement;
    if ('out' in s && places.get(s.out.id) === 'inline') return readsOf(s.out.id, elementwise && s.op === 'map', index, places);
    const aligned = s.op === 'map' || (s.op === 'dot' && u.as === 'acc') || (s.op === 'for' && u.as === 'initial');
    return [{ statement: s, position: u.position, elementwise: elementwise && aligned }];
  });
}

/** Carried tiles that the value of `id` is computed from where it stands inline; `elementwise`: only at the same element. */
export function carriedReads(id: TileId, index: ProgramIndex, places: ReadonlyMap<TileId, Placement>, elementwise = true): { readonly tile: TileId; readonly elementwise: boolean }[] {
  const d = definitionOf(index, id);
  if (places.get(id) !== 'inline') return d.role === 'inside' ? [{ tile: id, elementwise }] : [];
  return operandsOf(d.statement).flatMap((o) => carriedReads(o.tile, index, places, elementwise && d.statement.op === 'map'));
}
