/**
 * Tile programs: one kernel, for every target. A grid of independent programs runs `body`, a structured list of
 * statements over *tiles*: values of static shape whose axes have names. Tiles align by axis name as graph tensors do.
 * There are no threads, lanes, barriers, shared memory or vector widths here: lowering derives them. Sizes are in the
 * shapes, everything else that is a choice is in `schedule`.
 *
 * Laws (checked by kernels/verify.ts): every tile is assigned once and used in scope; axis names in a tile are unique;
 * loads may reach outside a view's extents (they yield `fill`), stores there are dropped; two programs of one launch
 * never store to one element; a program never loads what the launch stores, except through the same index of a
 * `readwrite` view; conditions and bounds are scalars, so control flow is uniform within a program.
 */
import type { DType } from './dtype.js';
import type { Expr } from './expr.js';
import type { Packing } from './packing.js';

/** A uniform integer: known to the whole program. Division and mod floor. */
export type Scalar =
  | { readonly kind: 'int'; readonly value: number }
  /** A dynamic dim of the plan. */
  | { readonly kind: 'dim'; readonly name: string }
  /** A grid axis, loop variable or `let`. */
  | { readonly kind: 'var'; readonly name: string }
  | { readonly kind: 'add' | 'multiply' | 'divide' | 'mod' | 'minimum' | 'maximum' | 'subtract'; readonly a: Scalar; readonly b: Scalar }
  /** 1 or 0. */
  | { readonly kind: 'less'; readonly a: Scalar; readonly b: Scalar }
  /** An element of an i32 view with access `read`; 0 if out of range. */
  | { readonly kind: 'element'; readonly view: string; readonly at: readonly Scalar[] };

export const int = (value: number): Scalar => ({ kind: 'int', value });
export const dim = (name: string): Scalar => ({ kind: 'dim', name });
export const variable = (name: string): Scalar => ({ kind: 'var', name });

/** A typed window on a buffer that the plan binds. Axes in storage order; `packing.order` repeats their names. */
export interface View {
  readonly name: string;
  readonly dtype: DType;
  readonly access: 'read' | 'write' | 'readwrite';
  readonly axes: readonly { readonly name: string; readonly extent: Scalar }[];
  /** For `int4`, `dtype` is what a load yields (f32 or bf16). Only `dense` views may be written. */
  readonly packing: Packing;
  /**
   * Elements between neighbours per axis, for dense views only; lets a view split, slice or skip. Row-major if absent.
   * Of packed views only the outermost extent may be dynamic.
   */
  readonly strides?: readonly number[];
}

export interface TileAxis { readonly name: string; readonly size: number }
export type TileId = number;
export interface Tile { readonly id: TileId; readonly dtype: DType; readonly shape: readonly TileAxis[] }

/** Where along one view axis. */
export type Index =
  /** One place; the axis disappears. */
  | { readonly kind: 'point'; readonly at: Scalar }
  /** `size` neighbours from `start`, on the tile axis `axis`; places at or beyond `limit` count as outside the view. */
  | { readonly kind: 'range'; readonly axis: string; readonly start: Scalar; readonly size: number; readonly limit?: Scalar }
  /** The places an i32 tile names; its axes become (or are matched with) axes of the result. */
  | { readonly kind: 'tile'; readonly tile: TileId };

export type Statement =
  /** `out` has one axis per range and those of index tiles. 16-bit floats widen to f32 (`out.dtype` f32 or as stored). */
  | { readonly op: 'load'; readonly out: Tile; readonly view: string; readonly at: readonly Index[]; readonly fill: number }
  /** `value` has exactly the axes that `at` spans; rounds to the view's dtype. `where`: a bool tile, false drops. */
  | { readonly op: 'store'; readonly view: string; readonly at: readonly Index[]; readonly value: TileId; readonly where?: TileId }
  /** Elementwise over `args`, aligned by name; out.shape is the union of their axes. */
  | { readonly op: 'map'; readonly out: Tile; readonly expr: Expr; readonly args: readonly TileId[] }
  /** start, start + 1, .. as i32 on one axis. */
  | { readonly op: 'iota'; readonly out: Tile; readonly start: Scalar }
  /** A scalar as a tile without axes (i32). */
  | { readonly op: 'scalar'; readonly out: Tile; readonly value: Scalar }
  | { readonly op: 'full'; readonly out: Tile; readonly value: number }
  /** acc + sum over `over` of a * b in f32, `over` in increasing order; out axes = those of a and b without `over`. */
  | { readonly op: 'dot'; readonly out: Tile; readonly a: TileId; readonly b: TileId; readonly acc?: TileId; readonly over: readonly string[] }
  | { readonly op: 'reduce'; readonly out: Tile; readonly fn: 'add' | 'maximum' | 'minimum'; readonly value: TileId; readonly over: readonly string[] }
  /** Inclusive running sum along `axis`. */
  | { readonly op: 'cumulate'; readonly out: Tile; readonly value: TileId; readonly axis: string; readonly reverse: boolean }
  | { readonly op: 'rename'; readonly out: Tile; readonly value: TileId; readonly from: string; readonly to: string }
  /** Row-major, as in the Graph. */
  | { readonly op: 'split'; readonly out: Tile; readonly value: TileId; readonly axis: string; readonly into: readonly TileAxis[] }
  | { readonly op: 'merge'; readonly out: Tile; readonly value: TileId; readonly axes: readonly string[]; readonly into: string }
  | { readonly op: 'slice'; readonly out: Tile; readonly value: TileId; readonly axis: string; readonly start: number; readonly step: number; readonly size: number }
  /** Side by side along `axis`, which every part has. */
  | { readonly op: 'concat'; readonly out: Tile; readonly parts: readonly TileId[]; readonly axis: string }
  | { readonly op: 'let'; readonly name: string; readonly value: Scalar }
  /** var = lo, lo + step, .. < hi. Each carry starts as `initial`, is `inside` in the body, `next` after it, `out` at the end. */
  | {
      readonly op: 'for'; readonly variable: string; readonly lo: Scalar; readonly hi: Scalar; readonly step: number;
      readonly carries: readonly { readonly initial: TileId; readonly inside: Tile; readonly next: TileId; readonly out: Tile }[];
      readonly body: readonly Statement[];
    }
  /** Runs `body` if the scalar is not 0; no tile leaves it. */
  | { readonly op: 'if'; readonly condition: Scalar; readonly body: readonly Statement[] };

export interface Program {
  readonly name: string;
  readonly views: readonly View[];
  /** Programs run for every combination; the first axis is outermost (slowest). */
  readonly grid: readonly { readonly name: string; readonly extent: Scalar }[];
  readonly body: readonly Statement[];
  /** Choices that change speed, never results beyond rounding: `threads`, `stages`, `roles`, `split`. */
  readonly schedule: Readonly<Record<string, number>>;
  /** What was fused, in order, each with `file:line`: for `explain`, profiles and comments in generated source. */
  readonly origin: readonly { readonly what: string; readonly where: string }[];
}
