/**
 * Workgroup memory: which arrays there are, who uses them when, and where barriers must stand. Two values whose
 * lifetimes do not meet share an array.
 */

/** An array wanted from statement `from` to statement `to`. */
export interface Request { readonly key: string; readonly type: string; readonly elements: number; readonly from: number; readonly to: number }
/** `elements` is a multiple of 4. */
export interface SharedArray { readonly name: string; readonly type: string; readonly elements: number }
export interface Allocation { readonly arrays: readonly SharedArray[]; readonly of: ReadonlyMap<string, SharedArray>; readonly bytes: number }

/** Largest requests first, each into the first array of its type that is free during its life and large enough. */
export function allocateShared(requests: readonly Request[]): Allocation {
  const arrays: { name: string; type: string; elements: number; lives: Request[] }[] = [];
  const of = new Map<string, SharedArray>();
  for (const r of [...requests].sort((a, b) => b.elements - a.elements || a.from - b.from)) {
    const free = arrays.find((a) => a.type === r.type && a.lives.every((l) => l.to < r.from || r.to < l.from));
    const array = free ?? { name: `shared_${arrays.length}`, type: r.type, elements: Math.ceil(r.elements / 4) * 4, lives: [] };
    if (!free) arrays.push(array);
    array.lives.push(r);
    of.set(r.key, array);
  }
  return { arrays, of, bytes: arrays.reduce((n, a) => n + 4 * a.elements, 0) };
}

/** What has been touched since the last barrier. */
export interface Pending { readonly reads: ReadonlySet<string>; readonly writes: ReadonlySet<string> }
export const nothingPending: Pending = { reads: new Set(), writes: new Set() };

const union = (a: ReadonlySet<string>, b: ReadonlySet<string>): Set<string> => new Set([...a, ...b]);
const meet = (a: ReadonlySet<string>, b: ReadonlySet<string>): boolean => [...a].some((x) => b.has(x));

export function unitePending(a: Pending, b: Pending): Pending {
  return { reads: union(a.reads, b.reads), writes: union(a.writes, b.writes) };
}

/** True if code that touches `next` must be kept apart from what is pending. */
export function needsBarrier(pending: Pending, next: Pending): boolean {
  return meet(next.reads, pending.writes) || meet(next.writes, pending.writes) || meet(next.writes, pending.reads);
}

export const isPending = (p: Pending): boolean => p.reads.size + p.writes.size > 0;
