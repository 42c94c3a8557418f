/**
 * Shared memory of an interpreted block, with what is known of every 16 bytes: who wrote and read them and when (vector
 * clocks), whether a copy is under way, and whether TMA and wgmma may see them. An access that nothing orders after what
 * it depends on is an error, whatever happened to come first. Memory starts as NaN.
 */
import { fromBf16 } from '../../compiler/kernels/half.js';

/** Shared memory is written and read by threads themselves, or by TMA and wgmma. */
export type Proxy = 'generic' | 'async';

interface Chunk {
  writer: number;
  time: number;
  /** Written by threads and not yet fenced for the other proxy. */
  unfenced: boolean;
  copies: number;
  /** Reads by wgmma that are under way. */
  products: number;
  readonly reads: Map<number, number>;
}

interface BarrierState { phase: number; arrived: number; bytes: number; clock: number[]; done: number[] }
interface BulkCopy { readonly apply: () => void; readonly barrier: BarrierState; readonly expected: number; readonly bytes: number; readonly clock: readonly number[] }

function joinClock(into: number[], from: readonly number[]): void {
  for (let i = 0; i < from.length; i++) if (from[i] > into[i]) into[i] = from[i];
}

export class BlockMemory {
  readonly bytes: Uint8Array;
  readonly halves: Uint16Array;
  readonly words: Uint32Array;
  /** By warp: the latest moment of every warp that it knows to be past. */
  readonly clocks: number[][];
  private readonly chunks: Chunk[];
  private readonly states = new Map<string, BarrierState>();
  private readonly unfenced: Set<Chunk>[];
  private readonly bulk: BulkCopy[] = [];

  constructor(size: number, private readonly warps: number) {
    this.bytes = new Uint8Array(size).fill(0xff);
    this.halves = new Uint16Array(this.bytes.buffer);
    this.words = new Uint32Array(this.bytes.buffer);
    this.chunks = Array.from({ length: size / 16 }, () => ({ writer: -1, time: 0, unfenced: false, copies: 0, products: 0, reads: new Map() }));
    this.clocks = Array.from({ length: warps }, (_, w) => Array.from({ length: warps }, (_, i) => (i === w ? 1 : 0)));
    this.unfenced = Array.from({ length: warps }, () => new Set());
  }

  tick(warp: number): number { return ++this.clocks[warp][warp]; }

  private knows(warp: number, other: number, time: number): boolean { return other === warp || this.clocks[warp][other] >= time; }

  /** A read of the 16 bytes around `byte`. `held`: by wgmma, until `release`. */
  read(warp: number, byte: number, proxy: Proxy, held = false): void {
    const chunk = this.chunks[byte >> 4];
    if (chunk.copies > 0) throw new Error(`shared byte ${byte} is read while a copy to it is under way`);
    if (chunk.writer >= 0 && !this.knows(warp, chunk.writer, chunk.time)) throw new Error(`shared byte ${byte} is read by warp ${warp} without waiting for warp ${chunk.writer}`);
    if (proxy === 'async' && chunk.unfenced) throw new Error(`shared byte ${byte} is read by wgmma, and its writer did not fence it for the async proxy`);
    if (held) chunk.products++;
    chunk.reads.set(warp, this.clocks[warp][warp]);
  }

  release(warp: number, byte: number): void {
    const chunk = this.chunks[byte >> 4];
    chunk.products--;
    chunk.reads.set(warp, this.clocks[warp][warp]);
  }

  /** A copy to the 16 bytes at `byte` starts: everybody who used them must be known to be done. */
  startCopy(warp: number, byte: number): void {
    const chunk = this.chunks[byte >> 4];
    if (chunk.copies > 0) throw new Error(`shared byte ${byte} is the target of two copies at once`);
    if (chunk.products > 0) throw new Error(`shared byte ${byte} is overwritten while wgmma reads it`);
    if (chunk.writer >= 0 && !this.knows(warp, chunk.writer, chunk.time)) throw new Error(`shared byte ${byte} is overwritten by warp ${warp} without waiting for its writer, warp ${chunk.writer}`);
    for (const [reader, time] of chunk.reads) if (!this.knows(warp, reader, time)) throw new Error(`shared byte ${byte} is overwritten by warp ${warp} without waiting for its reader, warp ${reader}`);
    chunk.copies++;
    chunk.reads.clear();
  }

  finishCopy(warp: number, byte: number, data: Uint8Array, proxy: Proxy, time = this.clocks[warp][warp]): void {
    const chunk = this.chunks[byte >> 4];
    chunk.copies--;
    chunk.writer = warp;
    chunk.time = time;
    chunk.unfenced = proxy === 'generic';
    if (chunk.unfenced) this.unfenced[warp].add(chunk);
    this.bytes.set(data, byte);
  }

  fenceProxy(warp: number): void {
    for (const chunk of this.unfenced[warp]) if (chunk.writer === warp) chunk.unfenced = false;
    this.unfenced[warp].clear();
  }

  half(byte: number): number { return fromBf16(this.halves[byte >> 1]); }

  private state(name: string): BarrierState {
    let state = this.states.get(name);
    if (!state) this.states.set(name, (state = { phase: 0, arrived: 0, bytes: 0, clock: this.zero(), done: this.zero() }));
    return state;
  }

  private zero(): number[] { return Array.from({ length: this.warps }, () => 0); }

  /** One of `expected` arrivals; `bytes` more will be copied in this phase. */
  arrive(name: string, warp: number, expected: number, bytes = 0): void {
    const state = this.state(name);
    joinClock(state.clock, this.clocks[warp]);
    state.arrived++;
    state.bytes += bytes;
    this.tick(warp);
    this.complete(state, expected);
  }

  private complete(state: BarrierState, expected: number): void {
    if (state.arrived > expected) throw new Error('more arrivals at a barrier than it counts');
    if (state.arrived < expected || state.bytes !== 0) return;
    Object.assign(state, { phase: state.phase + 1, arrived: 0, done: state.clock, clock: this.zero() });
  }

  /** Whether the phase of `parity` is complete, as mbarrier.try_wait answers. */
  isComplete(name: string, parity: number): boolean { return (this.state(name).phase & 1) !== parity; }

  acquire(name: string, warp: number): void { joinClock(this.clocks[warp], this.state(name).done); }

  startBulk(name: string, warp: number, expected: number, bytes: number, apply: (time: number) => void): void {
    const time = this.tick(warp);
    this.bulk.push({ apply: () => apply(time), barrier: this.state(name), expected, bytes, clock: [...this.clocks[warp]] });
  }

  get copiesUnderWay(): number { return this.bulk.length; }

  /** One of the copies by TMA arrives. */
  deliver(pick: number): void {
    const [copy] = this.bulk.splice(pick % this.bulk.length, 1);
    copy.apply();
    copy.barrier.bytes -= copy.bytes;
    joinClock(copy.barrier.clock, copy.clock);
    this.complete(copy.barrier, copy.expected);
  }
}
