/**
 * Score and mask expressions of `attend`: scalar expressions over the score (argument 0), the query's position (1), the
 * key's position (2) and further tensors (3 and up).
 */
import * as messages from '../../dsl/check-messages.js';
import type { Span } from '../../dsl/span.js';
import type { DType } from '../ir/dtype.js';
import { arg, call, cast, num, type Expr, type ScalarFunction } from '../ir/expr.js';
import { requireF32, vectorTensor } from './elementwise.js';
import { fail, type Frame } from './frame.js';
import { describe, type ScoreValue, type Value } from './value.js';

const booleans: ReadonlySet<ScalarFunction> = new Set(['less', 'less_equal', 'equal', 'not_equal', 'and', 'or', 'not']);

export function score(expr: Expr, dtype: DType): ScoreValue {
  return { kind: 'score', expr, dtype };
}

export const scoreItself = score(arg(0), 'f32');
const queryPosition = score(arg(1), 'i32');
const keyPosition = score(arg(2), 'i32');

/** `causal`: the key is not later than the query. */
export const causalMask = score(call('less_equal', arg(2), arg(1)), 'bool');

/** `query.position` or `key.position`. */
export function scoreMember(side: 'query' | 'key', name: string, span: Span): ScoreValue {
  if (name !== 'position') fail(messages.unknownScoreMember(side, name, span));
  return side === 'query' ? queryPosition : keyPosition;
}

/** A value as part of a score expression; tensors become extra operands of the attend. */
export function toScore(frame: Frame, v: Value, span: Span): ScoreValue {
  switch (v.kind) {
    case 'score': return v;
    case 'number': return score(num(requireF32(v.value, span), Number.isInteger(v.value) ? 'i32' : 'f32'), Number.isInteger(v.value) ? 'i32' : 'f32');
    case 'bool': return score(num(v.value ? 1 : 0, 'bool'), 'bool');
    case 'vector': return toScore(frame, vectorTensor({ ...frame, extras: undefined }, v, span), span);
    case 'tensor': {
      const extras = frame.extras!;
      let index = extras.findIndex((t) => t.value === v.value);
      if (index < 0) index = extras.push(v) - 1;
      return score(arg(3 + index), v.value.type.dtype);
    }
    default: return fail(messages.notInScore(describe(v), span));
  }
}

function widen(v: ScoreValue): Expr {
  if (v.dtype !== 'i32') return v.expr;
  return v.expr.kind === 'number' ? num(v.expr.value, 'f32') : cast('f32', v.expr);
}

export function scoreCall(fn: ScalarFunction, args: readonly ScoreValue[]): ScoreValue {
  const condition = fn === 'select' ? 1 : 0;
  const values = args.slice(condition);
  const float = fn === 'divide' || values.some((a) => a.dtype !== 'i32' && a.dtype !== 'bool');
  const widened = args.map((a, i) => (float && i >= condition ? widen(a) : a.expr));
  return score(call(fn, ...widened), booleans.has(fn) ? 'bool' : float ? 'f32' : values[0].dtype);
}

function conjuncts(mask: Expr): readonly Expr[] {
  return mask.kind === 'call' && mask.fn === 'and' ? mask.args.flatMap(conjuncts) : [mask];
}

function isArg(e: Expr, index: number): boolean {
  return e.kind === 'arg' && e.index === index;
}

/** What the mask implies for every pair: key not after query; query - key below the width of a window. */
export function analyseMask(mask: Expr): { readonly causal: boolean; readonly window?: number } {
  let causal = false;
  let window: number | undefined;
  for (const e of conjuncts(mask)) {
    if (e.kind !== 'call' || (e.fn !== 'less' && e.fn !== 'less_equal')) continue;
    const [a, b] = e.args;
    if (isArg(a, 2) && isArg(b, 1)) causal = true;
    const difference = a.kind === 'call' && a.fn === 'subtract' && isArg(a.args[0], 1) && isArg(a.args[1], 2);
    if (difference && b.kind === 'number') window = Math.min(window ?? Infinity, e.fn === 'less' ? b.value : b.value + 1);
  }
  return window === undefined ? { causal } : { causal, window };
}
