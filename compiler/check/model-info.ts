/** What a spec says about a model besides its graph: for the passes, commands and runtime that come later. */
import type { WeightRule } from '../../dsl/ast.js';
import type { Span } from '../../dsl/span.js';
import type { Module, ParamDecl, Quantized } from '../ir/graph.js';
import type { Precision } from './frame.js';

export interface ModelInfo {
  readonly name: string;
  readonly span: Span;
  /** Longest sequence, in tokens; 4096 where the spec does not say. */
  readonly context: number;
  /** Token ids that end a text. */
  readonly stop: readonly number[];
  readonly precision: Precision;
  readonly quantize: readonly QuantizeRule[];
  /** The `weights` section, absent if the spec has none. */
  readonly weights?: { readonly rules: readonly WeightRule[]; readonly span: Span };
  /** Labels of `head`s that were not asked for: nothing under them is built or loaded. */
  readonly absentHeads: readonly string[];
  readonly train?: TrainInfo;
  readonly mesh?: MeshInfo;
  /** Dims that the model declares by name. */
  readonly dims: ReadonlyMap<string, number>;
}

/** Binds training entry points: the update rule and what the spec sets of it. */
export interface TrainInfo { readonly rule: string; readonly settings: ReadonlyMap<string, number | boolean>; readonly span: Span }

/** Binds multi-rank entry points: ranks per kind of parallelism. */
export interface MeshInfo { readonly entries: ReadonlyMap<string, number>; readonly spans: ReadonlyMap<string, Span>; readonly span: Span }

export interface QuantizeRule { readonly storage: Quantized; readonly paths: readonly string[]; readonly span: Span }

/** Scalars in one parameter, over all iterations. */
export function parameterSize(p: ParamDecl): number {
  return p.paths.length * p.type.axes.reduce((product, a) => product * (a.size as number), 1);
}

/** All scalars of the module's parameters; exact up to 2^53. */
export function countParameters(module: Module): number {
  return module.params.reduce((sum, p) => sum + parameterSize(p), 0);
}
