/** Order of the axes of every stack array: dots decide first, what feeds them follows, the rest is as contiguous as its sources. */
import type { TileAxis, TileId } from '../../compiler/ir/kernel.js';
import { contiguousIn, innermostAxis, withLast } from './axis-structure.js';
import { chooseForm, type DotForm, type DotStatement } from './dot-form.js';
import type { KernelContext, Slot } from './kernel-context.js';
import type { SlotId } from './slots.js';

/** Rows of arrays that vectors run along are padded to this, so that a vector never crosses into the next row. */
const rowPadding = 8;
/** Rows whose distance is a multiple of this many elements share few sets of a cache, and evict each other: they lie a cache line further apart. */
export const crowdedDistance = 128;
const cacheLine = 16;

export function layOutSlots(k: KernelContext): void {
  const { index, slotOf, slots, forms } = k.decisions;
  for (const { statement } of index.statements) {
    if (statement.op !== 'dot') continue;
    const form = chooseForm(k, statement);
    forms.set(statement, form);
    layOutDot(k, statement, form);
  }
  for (const d of index.definitions.values()) {
    const slot = slotOf.get(d.tile.id);
    if (slot === undefined || slots.has(slot)) continue;
    const votes = d.role === 'op' ? contiguousIn(k, d.statement) : [];
    slots.set(slot, makeSlot(k, slot, withLast(d.tile.shape, innermostAxis(votes, d.tile.shape)), false));
  }
}

function layOutDot(k: KernelContext, s: DotStatement, form: DotForm): void {
  const lay = (id: TileId, last: readonly (string | undefined)[], padded: boolean): void => {
    const slot = k.decisions.slotOf.get(id);
    if (slot === undefined || k.decisions.slots.has(slot)) return;
    const order = last.reduce<TileAxis[]>((axes, name) => withLast(axes, name), [...k.tile(id).shape]);
    k.decisions.slots.set(slot, makeSlot(k, slot, order, padded));
  };
  if (form.kind === 'sum') return;
  const outer = form.kind === 'outer';
  lay(s.out.id, [form.rows, form.lanes], outer);
  lay(form.scalar, [form.rows, form.along], false);
  lay(form.vector, outer ? [form.along, form.lanes] : [form.lanes, form.along], outer);
}

function makeSlot(k: KernelContext, slot: SlotId, order: readonly TileAxis[], padded: boolean): Slot {
  const { strides, elements } = stridesOf(order, padded);
  return { name: `t${slot}`, dtype: k.tile(slot).dtype, strides, elements };
}

/** Row-major strides of `order`; `padded`: vectors run along the last axis, which takes a multiple of `rowPadding`. */
export function stridesOf(order: readonly TileAxis[], padded: boolean): { strides: ReadonlyMap<string, number>; elements: number } {
  const strides = new Map<string, number>();
  let step = 1;
  for (let i = order.length - 1; i >= 0; i--) {
    strides.set(order[i].name, step);
    step *= padded && i === order.length - 1 ? Math.ceil(order[i].size / rowPadding) * rowPadding : order[i].size;
    if (!padded && i === order.length - 1 && i > 0 && step % crowdedDistance === 0) step += cacheLine;
  }
  return { strides: new Map([...strides].reverse()), elements: step };
}
