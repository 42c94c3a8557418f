/**
 * Scalar functions: the closed set that elementwise graph nodes, score and mask expressions and tile programs share.
 * Meaning on f32 follows IEEE except where noted; integer division and `mod` floor (as Python's do).
 */
import type { DType } from './dtype.js';

export const scalarFunctions = {
  // name: number of arguments
  add: 2, subtract: 2, multiply: 2, divide: 2, floor_divide: 2, mod: 2, power: 2, minimum: 2, maximum: 2,
  negate: 1, absolute: 1, sign: 1, floor: 1, round: 1,
  exp: 1, log: 1, sqrt: 1, rsqrt: 1, tanh: 1, sigmoid: 1, softplus: 1, erf: 1, sin: 1, cos: 1,
  less: 2, less_equal: 2, equal: 2, not_equal: 2, and: 2, or: 2, not: 1,
  /** select(c, a, b) = c ? a : b, where the branch not taken may be anything, NaN included. */
  select: 3,
  /** hash(seed, counter) -> u32, Philox-4x32-10 first word with key (seed, 0) and counter (counter, 0, 0, 0). */
  hash: 2,
  /** uniform(u32) -> f32 in (0, 1): (x >> 8 + 0.5) * 2^-24. */
  uniform: 1,
  /** order(f32) -> i32 that compare as the floats do (0 and -0 are equal); never -2^31. */
  order: 1,
} as const;
export type ScalarFunction = keyof typeof scalarFunctions;

/** An expression over numbered operands. `cast` rounds to nearest even (to i32: truncates toward zero). */
export type Expr =
  | { readonly kind: 'arg'; readonly index: number }
  | { readonly kind: 'number'; readonly value: number; readonly dtype: DType }
  | { readonly kind: 'call'; readonly fn: ScalarFunction; readonly args: readonly Expr[] }
  | { readonly kind: 'cast'; readonly to: DType; readonly value: Expr };

export const arg = (index: number): Expr => ({ kind: 'arg', index });
export const num = (value: number, dtype: DType = 'f32'): Expr => ({ kind: 'number', value, dtype });
export const call = (fn: ScalarFunction, ...args: Expr[]): Expr => ({ kind: 'call', fn, args });
export const cast = (to: DType, value: Expr): Expr => ({ kind: 'cast', to, value });

const comparisons: ReadonlySet<ScalarFunction> = new Set(['less', 'less_equal', 'equal', 'not_equal', 'and', 'or', 'not']);

/** The dtype of `fn` on operands of `operands` dtypes; f32 arithmetic for the 16-bit floats (they widen on read). */
export function resultDType(fn: ScalarFunction, operands: readonly DType[]): DType {
  if (comparisons.has(fn)) return 'bool';
  if (fn === 'hash') return 'u32';
  if (fn === 'uniform') return 'f32';
  if (fn === 'order') return 'i32';
  const first = fn === 'select' ? operands[1] : operands[0];
  return first === 'bf16' || first === 'f16' ? 'f32' : first;
}

export function exprDType(e: Expr, args: readonly DType[]): DType {
  switch (e.kind) {
    case 'arg': return args[e.index];
    case 'number': return e.dtype;
    case 'cast': return e.to;
    case 'call': return resultDType(e.fn, e.args.map((a) => exprDType(a, args)));
  }
}

export function printExpr(e: Expr, args: readonly string[]): string {
  switch (e.kind) {
    case 'arg': return args[e.index] ?? `$${e.index}`;
    case 'number': return e.dtype === 'f32' ? String(e.value) : `${e.value}:${e.dtype}`;
    case 'cast': return `${e.to}(${printExpr(e.value, args)})`;
    case 'call': return `${e.fn}(${e.args.map((a) => printExpr(a, args)).join(', ')})`;
  }
}
