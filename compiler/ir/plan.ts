/**
 * The Plan: everything that happens when an entry point runs, decided beforehand. A public, versioned document: JSON
 * with this schema, hashed by content. Executors do what it says and nothing else. Tile programs travel beside it
 * (`Bundle`), since a device may have them compiled already.
 */
import type { DType } from './dtype.js';
import type { Scalar } from './kernel.js';
import type { Packing } from './packing.js';
import type { Program } from './kernel.js';

/** Travels beside a plan: which tensors of a checkpoint its weights are. */
export type { WeightSource, WeightSources } from './weight-sources.js';

export const planVersion = 1;

export interface Plan {
  readonly version: typeof planVersion;
  readonly model: string;
  readonly target: string;
  /** sha256 of the canonical JSON with `hash` empty. */
  readonly hash: string;
  /** Dynamic dims and the largest value each may take; what is sized by them is sized by the largest. */
  readonly dims: readonly { readonly name: string; readonly max: number }[];
  /** Token entries per cache block. */
  readonly block: number;
  readonly ranks: number;
  /** Who takes part in a collective: each group divides all ranks into teams of equal size, in order of their parts. */
  readonly groups: readonly { readonly name: string; readonly teams: readonly (readonly number[])[] }[];
  readonly buffers: readonly Buffer[];
  readonly weights: readonly Weight[];
  readonly states: readonly StateRegion[];
  readonly constants: readonly Constant[];
  readonly kernels: readonly Kernel[];
  readonly entries: readonly Entry[];
  /** Proven bytes per rank: all buffers together. */
  readonly peakBytes: number;
}

export type BufferId = string;
/** `weights`, `constants`: written once at load. `state`: kept between runs. `input`/`output`: exchanged with the host. `scratch`: dead between runs. */
export interface Buffer {
  readonly id: BufferId;
  readonly kind: 'weights' | 'constants' | 'state' | 'input' | 'output' | 'scratch';
  readonly bytes: number;
  /**
   * Where a device may cut the buffer (ascending, from 0) if it cannot allocate or bind it whole; no region crosses a
   * cut, and no piece exceeds the limit the plan was made for. Absent: one piece.
   */
  readonly pieces?: readonly number[];
}

/** One stored tensor, or one slice of it per expert or per split of a fused checkpoint tensor (see `sources`). */
export interface Weight {
  readonly path: string;
  readonly buffer: BufferId;
  readonly offset: number;
  readonly bytes: number;
  readonly dtype: DType;
  readonly axes: readonly { readonly name: string; readonly size: number }[];
  readonly packing: Packing;
  /** With several ranks: `axes` are those of this rank's part; it is cut along `axis` by the teams of `group`. */
  readonly shard?: readonly { readonly axis: string; readonly group: string }[];
  readonly init: { readonly kind: string; readonly [key: string]: number | string };
}
export interface StateRegion {
  readonly path: string;
  readonly policy: 'append' | 'recurrent' | 'last';
  readonly buffer: BufferId;
  readonly offset: number;
  readonly bytes: number;
  readonly dtype: DType;
  readonly axes: readonly { readonly name: string; readonly size: number }[];
  readonly initial: number;
}
/** Little-endian bytes, base64. `rank`: only that rank's; the others have their own. */
export interface Constant { readonly buffer: BufferId; readonly offset: number; readonly dtype: DType; readonly data: string; readonly rank?: number }

/** The interface of a tile program; `program` is the sha256 of its canonical text. */
export interface Kernel {
  readonly name: string;
  readonly program: string;
  readonly views: readonly { readonly name: string; readonly dtype: DType; readonly access: 'read' | 'write' | 'readwrite' }[];
  readonly origin: readonly { readonly what: string; readonly where: string }[];
}

/** base + sum of variable * stride, in bytes; variables are those of enclosing `repeat` steps. */
export interface Offset { readonly base: number; readonly terms: readonly { readonly variable: string; readonly stride: number }[] }
/**
 * Bytes [offset, offset + bytes) of a buffer, `bytes` at the dims' largest values. `tensor` says which value the bytes
 * are meant to hold: devices ignore it, `verify-plan` proves that a read finds the last write of that tensor.
 */
export interface Region { readonly buffer: BufferId; readonly offset: Offset; readonly bytes: number; readonly tensor: string }

export type Step =
  | {
      readonly kind: 'launch'; readonly kernel: string;
      /** One region per view of the kernel, in order. */
      readonly args: readonly Region[];
      /** Number of programs per grid axis; over dims only. */
      readonly grid: readonly Scalar[];
      /** For the dims' values of the entry: floating-point operations of contractions, all operations, bytes moved. */
      readonly cost: { readonly contraction: Cost; readonly flops: Cost; readonly bytes: Cost };
    }
  | {
      /** The variable runs from 0 to count - 1, or down. */
      readonly kind: 'repeat'; readonly variable: string; readonly count: number; readonly reverse: boolean; readonly body: readonly Step[];
      /**
       * Names that change without a byte moving, for the verifier: on entry `initial` becomes `inside`, after each
       * iteration `next` becomes `inside` and a stacked `inside` part of `out`, at the end a carried `inside` is `out`.
       */
      readonly carries: readonly { readonly initial: string; readonly inside: string; readonly next: string; readonly out: string }[];
      readonly stacked: readonly { readonly inside: string; readonly out: string }[];
    }
  /** `bytes` of the run's dims, at most those of the regions, which do not overlap (they may share a buffer). */
  | { readonly kind: 'copy'; readonly from: Region; readonly to: Region; readonly bytes: Scalar }
  /**
   * `count` elements per rank: of `from` and `to` for all_reduce (sum, in rank order), of `from` for all_gather (`to` is
   * the team's, one after another), of `to` for reduce_scatter. Tags rise in the order of an entry's steps.
   */
  | { readonly kind: 'collective'; readonly op: 'all_reduce' | 'all_gather' | 'reduce_scatter'; readonly group: string; readonly tag: number; readonly dtype: DType; readonly from: Region; readonly to: Region; readonly count: Scalar };

/** A polynomial over dims as text that `Scalar` can hold. */
export type Cost = Scalar;

/**
 * What the host exchanges: row-major in `shape`. If the leading axes come from repeats, `stretches` says (outermost
 * first) how many bytes apart their elements lie; each is row-major in the rest of `shape`.
 */
export interface Port {
  readonly name: string;
  readonly region: Region;
  readonly dtype: DType;
  readonly shape: readonly Scalar[];
  readonly stretches?: readonly { readonly count: number; readonly stride: number }[];
}
export interface Entry {
  readonly name: string;
  /**
   * Largest values of the dims a run states (`decode` has few tokens); within the plan's. The plan's other dims (`slots`,
   * `pool`) have their largest value in every run.
   */
  readonly dims: readonly { readonly name: string; readonly max: number }[];
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  readonly steps: readonly Step[];
}

/** What `compile` returns and `firn compile` writes (plan.json, kernels.json, then what the target adds). */
export interface Bundle { readonly plan: Plan; readonly programs: readonly Program[] }
