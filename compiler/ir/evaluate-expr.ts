/** What an `Expr` means: every intermediate is rounded to its dtype, as a target's registers would hold it. */
import { roundTo } from '../kernels/half.js';
import type { DType } from './dtype.js';
import { exprDType, type Expr } from './expr.js';
import { scalarFunction } from './scalar-functions.js';

export type CompiledExpr = (args: ArrayLike<number>) => number;

/** `exact` leaves f32 intermediates unrounded (f64), for checks of gradients; 16-bit and integer casts still round. */
export interface Rounding { readonly exact?: boolean }

export function castTo(to: DType, from: DType, value: number, rounding: Rounding = {}): number {
  if (to === 'i32' && (from === 'f32' || from === 'bf16' || from === 'f16')) return Math.trunc(value) | 0;
  return to === 'f32' && rounding.exact ? value : roundTo(to, value);
}

/** A function of the operands' values, for operands of dtypes `dtypes`. */
export function compileExpr(e: Expr, dtypes: readonly DType[], rounding: Rounding = {}): CompiledExpr {
  switch (e.kind) {
    case 'arg': { const { index } = e; return (args) => args[index]; }
    case 'number': { const value = castTo(e.dtype, e.dtype, e.value, rounding); return () => value; }
    case 'cast': {
      const inner = compileExpr(e.value, dtypes, rounding);
      const from = exprDType(e.value, dtypes);
      return (args) => castTo(e.to, from, inner(args), rounding);
    }
    case 'call': {
      const [a, b, c] = e.args.map((x) => compileExpr(x, dtypes, rounding));
      const operand = exprDType(e.args[e.fn === 'select' ? 1 : 0], dtypes);
      const fn = scalarFunction(e.fn, operand);
      const result = exprDType(e, dtypes);
      if (result === 'bool') return b === undefined ? (args) => fn(a(args), 0, 0) : (args) => fn(a(args), b(args), 0);
      const round = (value: number): number => castTo(result, result, value, rounding);
      if (b === undefined) return (args) => round(fn(a(args), 0, 0));
      if (c === undefined) return (args) => round(fn(a(args), b(args), 0));
      return (args) => round(a(args) !== 0 ? b(args) : c(args));
    }
  }
}

export function evaluateExpr(e: Expr, args: readonly number[], dtypes: readonly DType[], rounding: Rounding = {}): number {
  return compileExpr(e, dtypes, rounding)(args);
}
