/** Collectives among ranks that run in step. Sums go in the order of the ranks, in f64, rounded once. */
import type { Operation } from '../graph.js';
import { concat, relabel } from './elementwise.js';
import { copyRegion, emptyLike, stridesOf, strideOf, type Tensor } from './tensor.js';

export type CollectiveOp = Extract<Operation, { op: 'all_reduce' | 'all_gather' | 'reduce_scatter' }>;
export interface Collective { readonly op: CollectiveOp; readonly value: Tensor }
export type Ranks = Readonly<Record<string, { readonly index: number; readonly count: number }>>;

/** What each rank receives, given what each issued. */
export function exchange(issued: readonly Collective[], ranks: readonly Ranks[]): readonly Tensor[] {
  const [{ op }] = issued;
  for (const other of issued) {
    if (other.op.op !== op.op || other.op.group !== op.group) throw new Error(`interpret: one rank issues ${op.op} over '${op.group}' while another issues ${other.op.op} over '${other.op.group}'`);
  }
  return issued.map(({ value, op: mine }, i) => {
    const place = ranks[i][op.group];
    if (place === undefined) throw new Error(`interpret: no place on the mesh axis '${op.group}'`);
    const members = issued.filter((_, j) => sameOtherPlaces(ranks[i], ranks[j], op.group)).map((c) => c.value);
    switch (mine.op) {
      case 'all_reduce': return total(members);
      case 'all_gather': return gathered(members, mine.axis, value);
      case 'reduce_scatter': return part(total(members), mine.axis, place);
    }
  });
}

function sameOtherPlaces(a: Ranks, b: Ranks, group: string): boolean {
  return Object.keys(a).every((g) => g === group || a[g].index === b[g].index);
}

function total(members: readonly Tensor[]): Tensor {
  const out = emptyLike(members[0], members[0].axes);
  for (let i = 0; i < out.data.length; i++) out.data[i] = members.reduce((sum, m) => sum + m.data[i], 0);
  return out;
}

function gathered(members: readonly Tensor[], axis: string, like: Tensor): Tensor {
  const out = emptyLike(like, like.axes.map((a) => (a.name === axis ? { name: axis, size: a.size * members.length } : a)));
  concat({ op: 'concat', axes: members.map(() => axis), into: axis }, members, out);
  return out;
}

function part(whole: Tensor, axis: string, place: { readonly index: number; readonly count: number }): Tensor {
  const out = emptyLike(whole, whole.axes.map((a) => (a.name === axis ? { name: axis, size: a.size / place.count } : a)));
  const own = out.axes.find((a) => a.name === axis)!.size;
  copyRegion(out.axes, out.data, 0, stridesOf(out, out.axes), whole.data, place.index * own * strideOf(whole, axis), stridesOf(whole, out.axes));
  return relabel(out, out.axes);
}
