import { align } from './view-bytes.js';
import type { Interval } from './timeline.js';

export interface ArenaItem { readonly key: number; readonly bytes: number; readonly intervals: readonly Interval[] }

/**
 * Offsets for values that die: largest first, each at the lowest offset where nothing alive at the same time lies. With
 * a `limit` no item crosses a multiple of it, so that the arena can be cut there. Returns offsets by key and the size.
 */
export function packArena(items: readonly ArenaItem[], limit = Infinity): { readonly offsets: ReadonlyMap<number, number>; readonly bytes: number } {
  const placed: { item: ArenaItem; from: number; to: number }[] = [];
  const offsets = new Map<number, number>();
  let bytes = 0;
  for (const item of [...items].sort((a, b) => b.bytes - a.bytes || a.key - b.key)) {
    const size = align(item.bytes);
    const neighbours = placed.filter((p) => overlap(p.item, item)).sort((a, b) => a.from - b.from);
    let from = 0;
    for (const n of neighbours) {
      if (inPiece(from, size, limit) + size <= n.from) break;
      from = Math.max(from, n.to);
    }
    from = inPiece(from, size, limit);
    placed.push({ item, from, to: from + size });
    offsets.set(item.key, from);
    bytes = Math.max(bytes, from + size);
  }
  return { offsets, bytes };
}

/** The first offset not before `from` where `size` bytes do not cross a multiple of `limit`. */
function inPiece(from: number, size: number, limit: number): number {
  if (limit === Infinity || from % limit + size <= limit) return from;
  return Math.ceil(from / limit) * limit;
}

function overlap(a: ArenaItem, b: ArenaItem): boolean {
  return a.intervals.some((i) => b.intervals.some((j) => i.from <= j.to && j.from <= i.to));
}
