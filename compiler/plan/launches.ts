/**
 * What `schedule` hands to the planner: one entry point as launches of tile programs over named tensors, before any
 * tensor has an address. Repeats are still rolled.
 */
import type { Axis } from '../ir/graph.js';
import type { DType } from '../ir/dtype.js';
import type { Program, Scalar } from '../ir/kernel.js';
import type { Packing } from '../ir/packing.js';

export type TensorIndex = number;

export type Tensor =
  /** An intermediate, stored dense in the order of `axes`. Inside a repeat body it lives for one iteration. */
  | { readonly kind: 'value'; readonly name: string; readonly dtype: DType; readonly axes: readonly Axis[] }
  /** A parameter of the module; inside a repeat, the slot of the iteration (or the one in `rows`). All uses agree on the packing. */
  | { readonly kind: 'param'; readonly param: number; readonly packing: Packing; readonly rows?: readonly number[] }
  /** Inside a repeat, the slot of the iteration, or always the slot `at`. */
  | { readonly kind: 'state'; readonly state: number; readonly at?: number }
  | {
      readonly kind: 'const'; readonly dtype: DType; readonly axes: readonly Axis[]; readonly data: readonly number[];
      /** One array per iteration of the enclosing repeat, or one per rank. */
      readonly perIteration?: readonly (readonly number[])[]; readonly perRank?: readonly (readonly number[])[];
    }
  | { readonly kind: 'input'; readonly name: string; readonly dtype: DType; readonly axes: readonly Axis[] }
  | { readonly kind: 'output'; readonly name: string; readonly dtype: DType; readonly axes: readonly Axis[] };

export type LaunchStep =
  | {
      readonly kind: 'launch'; readonly program: Program;
      /** One tensor per view of the program, in order, and where in it the view starts (elements; constant). */
      readonly args: readonly { readonly tensor: TensorIndex; readonly offset: number }[];
      readonly cost: { readonly contraction: Scalar; readonly flops: Scalar; readonly bytes: Scalar };
    }
  | {
      readonly kind: 'repeat'; readonly label: string; readonly count: number; readonly reverse: boolean;
      readonly body: readonly LaunchStep[];
      /** `inside` holds the carried value during an iteration, `next` is written by it; outside, `initial` and `out`. */
      readonly carries: readonly { readonly initial: TensorIndex; readonly inside: TensorIndex; readonly next: TensorIndex; readonly out: TensorIndex }[];
      /** `inside` of iteration i is the i-th stretch of `out` (whose first axis is the repeat). */
      readonly stacked: readonly { readonly inside: TensorIndex; readonly out: TensorIndex }[];
    }
  | { readonly kind: 'collective'; readonly op: 'all_reduce' | 'all_gather' | 'reduce_scatter'; readonly group: string; readonly from: TensorIndex; readonly to: TensorIndex };

export interface EntryLaunches {
  readonly name: string;
  /** Largest values of the dims in this entry. */
  readonly dims: readonly { readonly name: string; readonly max: number }[];
  readonly tensors: readonly Tensor[];
  readonly steps: readonly LaunchStep[];
}
