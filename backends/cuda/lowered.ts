/**
 * The lowered form of a tile program for CUDA: what each role of a block does, with values as register fragments, tiles
 * in shared memory, asynchronous copies and the barriers between them. Below it there is only text. Its meaning is
 * `interpret-lowered.ts`; how tile programs become this is `lower.ts`.
 */
import type { DType } from '../../compiler/ir/dtype.js';
import type { ScalarFunction } from '../../compiler/ir/expr.js';
import type { Scalar } from '../../compiler/ir/kernel.js';
import type { Layout } from './layout.js';
import type { SharedBuffer } from './shared-memory.js';

export type Architecture = 'sm_80' | 'sm_90a';

/** Memory as copies and elements see it: elements of `bytes` bytes, row-major or with `strides` in elements. */
export interface GlobalView {
  readonly name: string;
  readonly access: 'read' | 'write' | 'readwrite';
  /** `words`: packed data, as u32. */
  readonly dtype: DType | 'words';
  readonly extents: readonly Scalar[];
  readonly strides?: readonly number[];
}

/** A value at one place of a tile. Places outside guarded extents yield `fill`; unguarded ones are in range by proof. */
export type Value =
  | { readonly kind: 'number'; readonly value: number; readonly dtype: DType }
  | { readonly kind: 'coordinate'; readonly axis: string }
  | { readonly kind: 'scalar'; readonly value: Scalar }
  | { readonly kind: 'fragment'; readonly id: number }
  | { readonly kind: 'load'; readonly view: string; readonly at: readonly Position[]; readonly fill: number; readonly dtype: DType }
  | { readonly kind: 'call'; readonly fn: ScalarFunction; readonly dtype: DType; readonly args: readonly Value[] }
  | { readonly kind: 'cast'; readonly to: DType; readonly from: DType; readonly value: Value };

/** A place along one axis of a view. `limit`: places at or beyond count as outside. */
export interface Position { readonly value: Value; readonly guarded: boolean; readonly limit?: Scalar }

/** Registers of every thread of a role, mutable. */
export interface Fragment { readonly id: number; readonly dtype: DType; readonly layout: Layout; readonly name: string }

/** `arrivals` that complete a phase; `slots` barriers used in turn. */
export interface Barrier { readonly name: string; readonly arrivals: number; readonly slots: number }

/** A rectangle that TMA copies: the view's axes in order, box sizes in elements. */
export interface TensorMap { readonly name: string; readonly view: string; readonly box: readonly number[]; readonly swizzle: SharedBuffer['swizzle'] }

/** A matrix operand: registers from `register` on, or rows of a buffer from (row, column) on. */
export type Operand =
  | { readonly kind: 'registers'; readonly fragment: number; readonly step: Scalar }
  | { readonly kind: 'shared'; readonly buffer: string; readonly slot: Scalar; readonly column: Scalar };

export type Statement =
  | { readonly op: 'let'; readonly name: string; readonly value: Scalar }
  /** A variable that `count` increases by one. */
  | { readonly op: 'counter'; readonly name: string }
  | { readonly op: 'count'; readonly name: string }
  | { readonly op: 'for'; readonly variable: string; readonly lo: Scalar; readonly hi: Scalar; readonly step: Scalar; readonly unroll: boolean; readonly body: readonly Statement[] }
  | { readonly op: 'if'; readonly condition: Scalar; readonly body: readonly Statement[] }
  /** Every register of `out` := `value` at its place. Fragments in `value` lie as `out` does, or as a slice of it. */
  | { readonly op: 'compute'; readonly out: number; readonly value: Value }
  /** Over all of `axis`, which must lie within a warp: registers in order, then lanes by halving. */
  | { readonly op: 'reduce'; readonly out: number; readonly fn: 'add' | 'maximum' | 'minimum'; readonly value: number; readonly axis: string }
  /** `over`: the fragment whose places are stored. Only places below `within` (sizes of its axes) exist. */
  | { readonly op: 'store'; readonly view: string; readonly at: readonly Position[]; readonly value: Value; readonly where?: Value; readonly over: number; readonly within: readonly number[] }
  /**
   * cp.async: fills a slot by chunks of 16 bytes, each thread every so many; `at` in the coordinates `row` and `column`
   * (elements). Places outside are zero.
   */
  | { readonly op: 'copy'; readonly buffer: string; readonly slot: Scalar; readonly view: string; readonly at: readonly Position[]; readonly row: string; readonly column: string; readonly within: readonly [number, number] }
  | { readonly op: 'commit' }
  /** Waits until at most `pending` groups of this thread's copies are under way. */
  | { readonly op: 'wait_copies'; readonly pending: number }
  /** All warps of the role. */
  | { readonly op: 'sync' }
  /** TMA by one thread of the role into a slot's panel that starts at byte `column` of its rows; arrives at `barrier`. */
  | { readonly op: 'bulk'; readonly map: string; readonly at: readonly Scalar[]; readonly buffer: string; readonly slot: Scalar; readonly column: number; readonly barrier: string }
  /** One thread of the role arrives and announces `bytes` of copies. */
  | { readonly op: 'expect'; readonly barrier: string; readonly slot: Scalar; readonly bytes: number }
  /** Each warp of the role arrives once. */
  | { readonly op: 'arrive'; readonly barrier: string; readonly slot: Scalar }
  /** Until the phase of `parity` is complete. */
  | { readonly op: 'wait'; readonly barrier: string; readonly slot: Scalar; readonly parity: Scalar }
  /** What this thread wrote to shared memory becomes visible to TMA and wgmma. */
  | { readonly op: 'proxy_fence' }
  /** ldmatrix: 16 columns of k of an operand. `transposed`: rows of the buffer are k. */
  | { readonly op: 'load_matrix'; readonly out: number; readonly side: 'left' | 'right'; readonly buffer: string; readonly slot: Scalar; readonly column: Scalar; readonly row: Scalar; readonly transposed: boolean }
  /** 4-bit codes and scales of a slot in fragment order (packing `int4-mma`), columns from `step` * 16 on, as bf16. */
  | { readonly op: 'dequantize'; readonly out: number; readonly buffer: string; readonly slot: Scalar; readonly step: number; readonly group: number }
  /** d += left * right for one stretch of 16 of k, by warp. */
  | { readonly op: 'mma'; readonly d: number; readonly left: Operand & { kind: 'registers' }; readonly right: number }
  | { readonly op: 'wgmma'; readonly d: number; readonly left: Operand; readonly right: Operand & { kind: 'shared' } }
  | { readonly op: 'wgmma_fence' }
  | { readonly op: 'wgmma_commit' }
  | { readonly op: 'wgmma_wait'; readonly pending: number };

export interface Role {
  readonly name: string;
  readonly warps: number;
  /** Registers per thread after setmaxnreg, where roles differ. */
  readonly registers?: number;
  readonly body: readonly Statement[];
}

export interface Kernel {
  readonly name: string;
  readonly architecture: Architecture;
  readonly views: readonly GlobalView[];
  readonly dims: readonly string[];
  /** Extents of the tile program's grid; `tile` numbers its programs, last axis fastest. */
  readonly grid: readonly { readonly name: string; readonly extent: Scalar }[];
  readonly fragments: readonly Fragment[];
  readonly buffers: readonly SharedBuffer[];
  readonly barriers: readonly Barrier[];
  readonly maps: readonly TensorMap[];
  readonly roles: readonly Role[];
  readonly origin: readonly { readonly what: string; readonly where: string }[];
}
