/**
 * The Graph: what a model computes, with no word about how. SSA over tensors whose axes have names; within a tensor the
 * names are unique, and two axes are the same axis exactly if they have the same name. Every op aligns operands by
 * axis name, so there is no transpose and no implicit broadcast by position. The order of `axes` in a type carries no
 * meaning; it is the order in which the value is stored if it is stored.
 *
 * Tokens of all sequences are packed on one axis `tokens`; the inputs `position`, `sequence` and `slot` say whose they
 * are (see `EntryInputs`). Repeats stay rolled: a `repeat` node owns a body graph, in which `param` and `state` nodes
 * mean the slot of the current iteration.
 */
import type { Span } from '../../dsl/span.js';
import type { Dim } from './dim.js';
import type { DType } from './dtype.js';
import type { Expr, ScalarFunction } from './expr.js';

export interface Axis { readonly name: string; readonly size: Dim }
export interface TensorType { readonly dtype: DType; readonly axes: readonly Axis[] }

/** Unique within one Graph (bodies have their own numbering). */
export type ValueId = number;
export interface Value { readonly id: ValueId; readonly type: TensorType }

/**
 * Inputs every entry point has, all i32 unless noted. Packed tokens of one sequence are neighbours, in order.
 * - tokens [tokens]: token ids. - position [tokens]: index in its own sequence, from 0.
 * - sequence [tokens]: row of `blocks` and of recurrent state. - slot [tokens]: cache entry the token writes.
 * - blocks [sequences, blocks]: block table; key j of sequence s is cache entry blocks[s, j / block] * block + j mod block.
 * - starts [sequences + 1]: tokens of sequence s are starts[s] .. starts[s + 1] - 1 of this launch.
 * - rows [outputs]: which tokens' logits are wanted.
 * - temperature [1] f32, seed [1] u32, top_k [1] i32, top_p [1] f32: sampling (see passes/sample.ts).
 * Models that look ahead have `aheadK` [tokens] besides: the id K places later in the sequence, -1 where it is not known.
 */
export const entryInputs = ['tokens', 'position', 'sequence', 'slot', 'blocks', 'starts', 'rows', 'temperature', 'seed', 'top_k', 'top_p'] as const;

/** Dynamic dims. `slots` (cache entries) and `pool` (sequences with recurrent state) are fixed when a plan is loaded. */
export const dynamicDims = ['tokens', 'outputs', 'sequences', 'blocks', 'slots', 'pool'] as const;

/** `slots_n`: entries of a state of which a cache block holds one per n tokens. */
export const entryDim = /^slots_\d+$/;

/** What the elements of a parameter are in memory. */
export type Storage = { readonly kind: 'plain'; readonly dtype: DType } | Quantized;
export type Quantized =
  | { readonly kind: 'int4'; readonly group: number; readonly along: string; readonly scale: 'bf16' }
  /** e4m3 codes with one f32 scale per `block` x `block` elements of the stored matrix. */
  | { readonly kind: 'fp8'; readonly block: number }
  /** e2m1 codes with a power of two (e8m0) per `group` neighbours. */
  | { readonly kind: 'mxfp4'; readonly group: number; readonly along: string };

export interface ParamDecl {
  /**
   * One path per iteration of the enclosing repeats (outermost slowest), `layers[3].ffn.experts.gate`; one if outside.
   * Where `shared`, the nodes that use it say with `rows` which path they mean.
   */
  readonly paths: readonly string[];
  readonly type: TensorType;
  readonly storage: Storage;
  /** Distribution or constant for seeded initialisation. */
  readonly init: Init;
  readonly frozen: boolean;
  readonly shared?: boolean;
  /** With several ranks: `type` is that of one rank's part; the whole has `count` times its extent along `axis`, part i being that of place i on the mesh axis `group`. */
  readonly shard?: readonly { readonly axis: string; readonly group: string; readonly count: number }[];
  readonly span?: Span;
}
/** `log_uniform` is the logarithm of a sample of uniform(low, high). */
export type Init =
  | { readonly kind: 'normal'; readonly deviation: number }
  | { readonly kind: 'uniform'; readonly low: number; readonly high: number }
  | { readonly kind: 'log_uniform'; readonly low: number; readonly high: number }
  | { readonly kind: 'constant'; readonly value: number };

/**
 * - append: `[slots, entry..]`, one entry per token, reached through the block table.
 * - recurrent: `[pool, entry..]`, one value per sequence; `initial` where a sequence starts (position 0).
 * - last: `[pool, last, entry..]`, the newest n values of a sequence, oldest first; `initial` before its start.
 */
export interface StateDecl {
  readonly paths: readonly string[];
  readonly policy: 'append' | 'recurrent' | 'last';
  /** append: one entry per m tokens, for the positions g m .. g m + m - 1, kept where the last of them is. */
  readonly every?: number;
  readonly type: TensorType;
  readonly initial: number;
  readonly span?: Span;
}

export interface Graph {
  readonly name: string;
  /** For a body: carried values, then captured ones. */
  readonly inputs: readonly { readonly name: string; readonly value: Value }[];
  readonly nodes: readonly Node[];
  readonly outputs: readonly { readonly name: string; readonly value: ValueId }[];
}

/** A whole model: the top-level graph with the tables its nodes (bodies included) refer to by index. */
export interface Module {
  readonly graph: Graph;
  readonly params: readonly ParamDecl[];
  readonly states: readonly StateDecl[];
  /** Public names of exports: output name in the graph -> name for the user (one per iteration for stacked outputs). */
  readonly taps: readonly { readonly output: string; readonly names: readonly string[] }[];
}

export interface AttendSource { readonly mask?: Expr; readonly window?: number; readonly every?: number; readonly fixed?: boolean; readonly picks?: string }

interface NodeBase {
  readonly operands: readonly ValueId[];
  readonly results: readonly Value[];
  readonly span?: Span;
  /** Path of the instance the node came from, for people. */
  readonly label?: string;
}

export type Node = NodeBase & Operation;
export type OpName = Operation['op'];

export type Operation =
  // Sources
  /** `rows`, where several places use one declaration: which of its paths each iteration means. */
  | { readonly op: 'param'; readonly param: number; readonly rows?: readonly number[] }
  /**
   * The state's value when the entry point starts (first use) or as last written. `at`: that of one iteration of the
   * repeats around its writer, whichever this is; such a read comes after the write and writes nothing.
   */
  | { readonly op: 'state'; readonly state: number; readonly at?: number }
  /** Row-major in the result's axis order, evaluated in f64 and rounded once. `perIteration`: one array per iteration. */
  | { readonly op: 'const'; readonly data: readonly number[]; readonly perIteration?: readonly (readonly number[])[] }
  /** 0, 1, .. along `axis`. */
  | { readonly op: 'iota'; readonly axis: string }

  // Elementwise; result axes = union of the operands' axes
  | { readonly op: 'map'; readonly fn: ScalarFunction }
  | { readonly op: 'cast'; readonly to: DType }

  // Axes
  | { readonly op: 'rename'; readonly from: string; readonly to: string }
  /** Row-major: index of `axis` = index(into[0]) * size(into[1]) + index(into[1]) .. */
  | { readonly op: 'split'; readonly axis: string; readonly into: readonly Axis[] }
  | { readonly op: 'merge'; readonly axes: readonly string[]; readonly into: string }
  /** Elements start, start + step, .. of `axis` (size many), on an axis named `into` (may equal `axis`). */
  | { readonly op: 'slice'; readonly axis: string; readonly start: number; readonly step: number; readonly size: number; readonly into: string }
  /** Index `at` of `axis`; the axis disappears. */
  | { readonly op: 'pick'; readonly axis: string; readonly at: number }
  /** Parts side by side; `axes[i]` is the axis of operand i that becomes a stretch of `into`. Other axes: union. */
  | { readonly op: 'concat'; readonly axes: readonly string[]; readonly into: string }
  /** Operands side by side on a new axis `into`. */
  | { readonly op: 'stack'; readonly into: string }
  | { readonly op: 'broadcast'; readonly axis: Axis }

  // Reductions and contractions, accumulated in f32
  | { readonly op: 'reduce'; readonly fn: 'add' | 'maximum' | 'minimum'; readonly over: readonly string[] }
  /**
   * Sum over `over` of a * b; result axes = union minus `over`. With `select`, operand 2 holds ids: operand 1 stands for
   * operand 1 gathered along `select.axis` by the ids (never materialised); ids outside the extent contribute 0.
   */
  | { readonly op: 'contract'; readonly over: readonly string[]; readonly select?: { readonly axis: string } }
  /** Inclusive running sum. */
  | { readonly op: 'cumulate'; readonly axis: string; readonly reverse: boolean }
  /** Ids (i32) of the k largest along `axis`, descending, lower id first among equals, on a new axis `into`. */
  | { readonly op: 'top'; readonly axis: string; readonly k: number; readonly into: string }
  /**
   * What top-k and nucleus (top-p) sampling keep. Operands: x, k (i32 [1]), p and temperature (f32 scalars). Elements of
   * `axis` in descending order, the lower index first among equals: the first k of them, then the shortest prefix of
   * those whose share of their softmax(x / temperature) reaches p. Result (i32): index of the last one kept, or -1 if
   * k < 1 (p then counts for nothing).
   */
  | { readonly op: 'nucleus'; readonly axis: string }
  /** x with (I + tril(a, -1)) x = b; a over [rows, columns], b over [rows, ..]. */
  | { readonly op: 'solve_lower'; readonly rows: string; readonly columns: string }

  // Indexing. Operands: x, ids. The axis is replaced by the ids' axes; axes that both have are matched.
  | { readonly op: 'gather'; readonly axis: string }
  /** Operands: x, ids, values. x with values stored (added) at ids along `axis`; ids outside the extent are dropped. */
  | { readonly op: 'scatter'; readonly axis: string; readonly mode: 'set' | 'add' }

  // State. Operand 0 is the state's value; the result is its next value. write operands: state, slot, entry.
  | { readonly op: 'state_write'; readonly state: number }
  /**
   * Causal window over one sequence's tokens, past ones from a `last` state. Operands: state value, x, position,
   * sequence, starts. Results: x on a new axis `into` of `size` (oldest first, the token itself last), next state.
   */
  | { readonly op: 'window'; readonly state: number; readonly size: number; readonly into: string }

  /**
   * Softmax attention. Operands: q, position, sequence, blocks, then k and v per source, then `extras`.
   * k and v have the axis `keys[i]` (the state's slots). Scores s = sum over `over` of q * k; its axes are q's and k's
   * without `over`. `score` has operands (s, query position, key position, extras..); `mask` the same: a key counts iff
   * it exists (key position <= the sequence's newest written entry), belongs to the query's sequence and `mask` is true.
   * `causal` states that mask implies key position <= query position; `window` that it implies their difference < window.
   * `sink`: index among extras of one more logit in the denominator. A query with no key gives 0.
   * `sources`, one per k, says what differs between them: `mask` holds besides the common one, `every` m: entry g stands
   * for the positions g m .. g m + m - 1 and its key position is the last of them, `fixed`: keys of no token (parameters),
   * which every query may see, their key position being -1, `picks`: only the entries are seen
   * whose numbers an operand (i32, over tokens, `picks` and axes of the scores) holds, -1 being none. Those operands
   * follow k and v.
   * Result 0: sum of softmax(s) * v, axes of s without keys, then v's own. Result 1 if `exports`: the maximal score over
   * tokens and keys per remaining score axis (f32).
   */
  | {
      readonly op: 'attend'; readonly over: readonly string[]; readonly keys: readonly string[]; readonly score: Expr; readonly mask: Expr;
      readonly causal: boolean; readonly window?: number; readonly sink?: number; readonly block: number; readonly exports: boolean;
      readonly sources?: readonly AttendSource[];
    }
  /**
   * The entries of a state with the k largest scores, per token and remaining axis of the scores. Operands: scores (over
   * tokens and `keys`), position, sequence, blocks, extras. An entry counts iff it exists, belongs to the token's sequence
   * and `mask` (args: score, query position, key position, extras..) is true; among equal scores the lower one comes
   * first. Result: i32, their numbers (key positions, if not `every`) on `into`, increasing, -1 behind the last.
   */
  | {
      readonly op: 'select_keys'; readonly keys: string; readonly k: number; readonly into: string; readonly mask: Expr;
      readonly every?: number; readonly block: number;
    }

  /**
   * Per sequence, in order. Operands: `inputs` many xs (with the tokens axis), then per carry its state value, then
   * captured values, then position, sequence, starts. Body inputs: xs without tokens, carries, captured; outputs: `emits`
   * values, then next carries. Results: emitted values with the tokens axis, then next state values.
   * `chunk` means the same on runs of up to `size` tokens: xs keep an axis `chunk` (and padding rows contribute nothing:
   * see docs/language.md), emits have it too.
   * `fresh` (training): no states; so many operands are what every sequence starts with, without the pool axis, and there
   * are no results but the emitted values. `reverse` runs from each sequence's last token to its first.
   */
  | {
      readonly op: 'scan'; readonly inputs: number; readonly emits: number; readonly states: readonly number[]; readonly body: Graph;
      readonly fresh?: number; readonly reverse?: boolean;
      readonly chunk?: { readonly size: number; readonly axis: string; readonly body: Graph };
    }
  /**
   * `count` iterations. Operands: initial carries, then captured values. Body outputs: next carries, then stacked values,
   * which get a leading axis `label`. `reverse` runs from the last iteration to the first (the backward pass).
   */
  | { readonly op: 'repeat'; readonly label: string; readonly count: number; readonly carries: number; readonly reverse: boolean; readonly body: Graph }

  // Training
  | { readonly op: 'stop_gradient' }
  /** Operand 0's gradient flows to operand 1 unchanged; the value is operand 0's. */
  | { readonly op: 'straight_through' }
  /** Rounds to the values that `storage` can hold, in f32. */
  | { readonly op: 'fake_quantize'; readonly storage: Storage }

  // Several ranks; `group` names a mesh axis
  | { readonly op: 'all_reduce'; readonly group: string }
  | { readonly op: 'all_gather'; readonly group: string; readonly axis: string }
  | { readonly op: 'reduce_scatter'; readonly group: string; readonly axis: string }
  | { readonly op: 'rank'; readonly group: string };
