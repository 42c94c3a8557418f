import type { Buffer } from '../ir/plan.js';
import { align } from './view-bytes.js';

export interface Table {
  /** Bytes from the buffer's start to the first element, and between elements. */
  readonly base: number;
  readonly stride: number;
}

/**
 * Lays tensors one after another into one buffer and remembers where a device with a limit on buffers or bindings may
 * cut it: between two tensors, or between two iterations of one table, never inside.
 */
export class BufferLayout {
  private end = 0;
  private readonly cuts: number[] = [0];

  constructor(readonly id: string, readonly kind: Buffer['kind'], private readonly limit: number = Infinity) {}

  /** `count` stored tensors of `bytes` each; `what` names them in the error if one exceeds the limit. */
  place(count: number, bytes: number, what: string): Table {
    if (bytes > this.limit) throw new LimitError(what, bytes, this.limit);
    const stride = align(bytes);
    const base = this.end;
    for (let i = 0; i < count; i++) {
      if (this.end + bytes - this.cuts[this.cuts.length - 1] > this.limit) this.cuts.push(this.end);
      this.end += stride;
    }
    return { base, stride };
  }

  finish(): Buffer {
    return { id: this.id, kind: this.kind, bytes: this.end, ...(this.cuts.length > 1 ? { pieces: this.cuts } : {}) };
  }
}

/** One tensor does not fit what a target can bind: the user's choice of target, not a defect of the planner. */
export class LimitError extends Error {
  constructor(readonly what: string, readonly bytes: number, readonly limit: number) {
    super(`${what} takes ${bytes} bytes, more than the ${limit} bytes that the target can bind at once`);
    this.name = 'LimitError';
  }
}
