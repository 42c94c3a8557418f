import type { DType } from '../../ir/dtype.js';

/** Bytes [from, to) last written as `tensor`, in the tensor's `version`-th life. */
interface Segment { from: number; to: number; tensor: string; version: number; dtype: DType | undefined }

/**
 * What the bytes of one rank hold while an entry runs, as the last writes say: per buffer a list of disjoint segments in
 * order. A tensor's version rises when its old content stops being its value (a new iteration begins), so that a
 * leftover is never taken for the value.
 */
export class Memory {
  private readonly buffers = new Map<string, Segment[]>();
  private readonly versions = new Map<string, number>();

  private segments(buffer: string): Segment[] {
    let list = this.buffers.get(buffer);
    if (!list) this.buffers.set(buffer, (list = []));
    return list;
  }

  private version(tensor: string): number { return this.versions.get(tensor) ?? 0; }

  /** All that `tensor` held is no longer its value. */
  forget(tensor: string): void { this.versions.set(tensor, this.version(tensor) + 1); }

  write(buffer: string, from: number, to: number, tensor: string, dtype: DType | undefined): void {
    if (to <= from) return;
    const list = this.segments(buffer);
    const start = list.findIndex((s) => s.to > from);
    const first = start < 0 ? list.length : start;
    let last = first;
    while (last < list.length && list[last].from < to) last++;
    const parts: Segment[] = [];
    if (last > first) {
      const [a, b] = [list[first], list[last - 1]];
      if (a.from < from) parts.push({ ...a, to: from });
      parts.push({ from, to, tensor, version: this.version(tensor), dtype });
      if (b.to > to) parts.push({ ...b, from: to });
    } else parts.push({ from, to, tensor, version: this.version(tensor), dtype });
    list.splice(first, last - first, ...parts);
  }

  /** What is wrong with reading these bytes as `tensor`, or the dtype they were written with. */
  read(buffer: string, from: number, to: number, tensor: string): { readonly problem?: string; readonly dtype?: DType } {
    let at = from;
    let dtype: DType | undefined;
    for (const s of this.segments(buffer)) {
      if (s.to <= at) continue;
      if (at >= to) break;
      if (s.from > at) return { problem: `bytes ${at} to ${Math.min(s.from, to)} were never written` };
      if (s.tensor !== tensor) return { problem: `bytes from ${at} hold '${s.tensor}'` };
      if (s.version !== this.version(tensor)) return { problem: `bytes from ${at} hold '${tensor}' of an earlier iteration` };
      dtype = s.dtype ?? dtype;
      at = s.to;
    }
    return at < to ? { problem: `bytes ${at} to ${to} were never written` } : { dtype };
  }

  /** Simultaneously: what holds `from` holds `to` from now on. Only names with a current value move. */
  rename(pairs: readonly { readonly from: string; readonly to: string; readonly replaces: boolean }[], forgotten: Iterable<string>): void {
    const moved: { segment: Segment; to: string }[] = [];
    for (const list of this.buffers.values()) for (const segment of list) {
      for (const p of pairs) if (segment.tensor === p.from && segment.version === this.version(p.from)) moved.push({ segment, to: p.to });
    }
    for (const tensor of forgotten) this.forget(tensor);
    for (const p of pairs) if (p.replaces) this.forget(p.to);
    for (const m of moved) { m.segment.tensor = m.to; m.segment.version = this.version(m.to); }
  }
}
