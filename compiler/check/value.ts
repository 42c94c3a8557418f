/** What names stand for while a spec is elaborated: compile-time values, templates, and values of the graph. */
import type { ConstStatement, Fn, Layer } from '../../dsl/ast.js';
import type { Span } from '../../dsl/span.js';
import type { DType } from '../ir/dtype.js';
import type { Expr as ScalarExpr } from '../ir/expr.js';
import type { Value as GraphValue } from '../ir/graph.js';
import type { AxisValue } from './axis.js';
import type { GraphScope } from './graph-scope.js';
import { integer, real, type NumberValue } from './number.js';
import type { Scope } from './scope.js';
import type { SharedUse } from './shared.js';

export type Value =
  | NumberValue | AxisValue | TensorValue | StateValue | TemplateValue | FnValue
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'string'; readonly value: string }
  /** A value of an enum, `interleaved`; `of` are all values where the enum is known. */
  | { readonly kind: 'symbol'; readonly name: string; readonly of?: readonly string[] }
  | { readonly kind: 'none' }
  /** Numbers in f64; `axis` when declared on one. */
  | VectorValue
  | { readonly kind: 'list'; readonly items: readonly Value[] }
  | { readonly kind: 'tuple'; readonly items: readonly Value[] }
  | { readonly kind: 'builtin'; readonly name: string }
  | ScoreValue
  /** `query` or `key` inside score and mask. */
  | { readonly kind: 'score-side'; readonly side: 'query' | 'key' }
  /** What a statement with an error left behind; using it reports nothing more. */
  | { readonly kind: 'error' };

/** `truth`: the numbers are 0 and 1 and mean false and true. */
export interface VectorValue { readonly kind: 'vector'; readonly data: readonly number[]; readonly axis?: AxisValue; readonly truth?: boolean }

export interface TensorValue {
  readonly kind: 'tensor';
  readonly graph: GraphScope;
  readonly value: GraphValue;
  readonly span: Span;
  /** Its rounding is decided: it was bound to a name, or its layer declared the dtype. */
  readonly settled: boolean;
  /** Made of parameters and constants only. */
  readonly fixed: boolean;
  /** Stands for one slice of its `routing.axis` per routed row. */
  readonly routing?: Routing;
}

/** What `route` puts around its body: parameters made inside have the axis, and are chosen by the ids. */
export interface Routing { readonly axis: AxisValue; readonly ids: TensorValue; readonly index: string }

export interface StateValue {
  readonly kind: 'state';
  readonly state: number;
  readonly name: string;
  readonly policy: 'append' | 'every' | 'window' | 'last';
  /** The n of `window n` and `last n` (past entries that are kept) and of `every n` (tokens per entry). */
  readonly extent?: number;
  /** append, window: the state after this step's entries were written. last: the state before. */
  readonly value: TensorValue;
  /** What this step writes (rounded to the state's dtype). */
  readonly entry: TensorValue;
  readonly span: Span;
}

/** A layer with some arguments bound. */
export interface TemplateValue {
  readonly kind: 'template';
  readonly layer: Layer;
  /** File-level names that the layer sees. */
  readonly scope: Scope;
  readonly bound: ReadonlyMap<string, Value>;
  /** Every call is a use of one instance. */
  readonly shared?: SharedUse;
}

export interface FnValue { readonly kind: 'fn'; readonly fn: Fn | ConstStatement; readonly scope: Scope }

/** A scalar expression over (score, query position, key position, extras..), inside score and mask. */
export interface ScoreValue { readonly kind: 'score'; readonly expr: ScalarExpr; readonly dtype: DType }

export const none: Value = { kind: 'none' };
export const errorValue: Value = { kind: 'error' };

export function bool(value: boolean): Value {
  return { kind: 'bool', value };
}

/** A list literal: numbers become a vector. */
export function list(items: readonly Value[]): Value {
  const numbers = items.filter((i) => i.kind === 'number');
  return numbers.length === items.length && items.length > 0
    ? { kind: 'vector', data: numbers.map((n) => n.value) }
    : { kind: 'list', items };
}

/** The elements of a list or a vector; undefined for anything else. */
export function listItems(v: Value): readonly Value[] | undefined {
  if (v.kind === 'list') return v.items;
  return v.kind === 'vector' ? v.data.map((x) => (Number.isInteger(x) ? integer(x) : real(x))) : undefined;
}

/** For messages: what kind of thing a value is, with its article. */
export function describe(v: Value): string {
  switch (v.kind) {
    case 'number': return `the number ${v.value}`;
    case 'axis': return `the axis ${v.spelling}`;
    case 'tensor': return 'a tensor';
    case 'state': return `the state ${v.name}`;
    case 'template': return `the layer ${v.layer.name.name}`;
    case 'fn': return `the function ${v.fn.name.name}`;
    case 'builtin': return `the function ${v.name}`;
    case 'bool': return String(v.value);
    case 'string': return `the string ${JSON.stringify(v.value)}`;
    case 'symbol': return `the name ${v.name}`;
    case 'none': return 'none';
    case 'vector': return `a list of ${v.data.length} numbers`;
    case 'list': return `a list of ${v.items.length}`;
    case 'tuple': return `a tuple of ${v.items.length}`;
    case 'score': return 'an expression of scores';
    case 'score-side': return `\`${v.side}\``;
    case 'error': return 'nothing';
  }
}
