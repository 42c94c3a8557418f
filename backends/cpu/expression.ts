/** Scalar expressions of tile programs as C++ text on values that are C++ scalars (see runtime/native/kernel.h). */
import type { DType } from '../../compiler/ir/dtype.js';
import { isFloat } from '../../compiler/ir/dtype.js';
import { resultDType, type Expr, type ScalarFunction } from '../../compiler/ir/expr.js';

/** A C++ expression and the dtype of its value; 16-bit floats are held as float. */
export interface Value { readonly text: string; readonly dtype: DType }

export function cType(dtype: DType): string {
  switch (dtype) {
    case 'f32': case 'bf16': case 'f16': return 'float';
    case 'i32': return 'int32_t';
    case 'u32': return 'uint32_t';
    // As wide as float, so that masks vectorise with what they select.
    case 'bool': return 'int32_t';
  }
}

/** C++ type of an element in memory. */
export function storedType(dtype: DType): string {
  switch (dtype) {
    case 'bf16': case 'f16': return 'uint16_t';
    case 'bool': return 'uint32_t';
    default: return cType(dtype);
  }
}

export function literal(value: number, dtype: DType): string {
  if (!isFloat(dtype)) return dtype === 'u32' ? `${value}u` : value === -(2 ** 31) ? 'INT32_MIN' : String(Math.trunc(value));
  if (Number.isNaN(value)) return '__builtin_nanf("")';
  if (!Number.isFinite(value)) return value > 0 ? '__builtin_inff()' : '-__builtin_inff()';
  const text = String(Math.fround(value));
  return `${/[.e]/.test(text) ? text : `${text}.0`}f`;
}

/** Costs in units of one vector instruction, for deciding what to compute again and what to keep. */
const expensive: Partial<Record<ScalarFunction, number>> = {
  divide: 4, floor_divide: 6, mod: 6, power: 40, exp: 10, log: 15, sqrt: 5, rsqrt: 8, tanh: 15, sigmoid: 14, softplus: 25, erf: 20, sin: 15, cos: 15, hash: 60,
};

export function exprCost(e: Expr): number {
  switch (e.kind) {
    case 'arg': case 'number': return 0;
    case 'cast': return 1 + exprCost(e.value);
    case 'call': return (expensive[e.fn] ?? 1) + e.args.reduce((sum, a) => sum + exprCost(a), 0);
  }
}

export function emitExpr(e: Expr, args: readonly Value[]): Value {
  switch (e.kind) {
    case 'arg': return args[e.index];
    case 'number': return { text: literal(e.value, e.dtype), dtype: e.dtype };
    case 'cast': return { text: castText(emitExpr(e.value, args), e.to), dtype: e.to };
    case 'call': {
      const operands = e.args.map((a) => emitExpr(a, args));
      return { text: callText(e.fn, operands), dtype: resultDType(e.fn, operands.map((o) => o.dtype)) };
    }
  }
}

/** Rounds or converts a value to `to`. */
export function castText(v: Value, to: DType): string {
  switch (to) {
    case 'bf16': return v.dtype === 'bf16' ? v.text : `round_bf16(${castText(v, 'f32')})`;
    case 'f16': return v.dtype === 'f16' ? v.text : `round_f16(${castText(v, 'f32')})`;
    case 'f32': return isFloat(v.dtype) ? v.text : `(float)(${v.text})`;
    case 'i32': return isFloat(v.dtype) ? `to_i32(${v.text})` : `(int32_t)(${v.text})`;
    case 'u32': return isFloat(v.dtype) ? `to_u32(${v.text})` : `(uint32_t)(${v.text})`;
    case 'bool': return v.dtype === 'bool' ? v.text : `(int32_t)(${v.text} != 0)`;
  }
}

const infix: Partial<Record<ScalarFunction, string>> = {
  add: '+', subtract: '-', multiply: '*', less: '<', less_equal: '<=', equal: '==', not_equal: '!=', and: '&', or: '|',
};

function callText(fn: ScalarFunction, operands: readonly Value[]): string {
  const [a, b, c] = operands.map((o) => o.text);
  const symbol = infix[fn];
  if (symbol) return `(${a} ${symbol} ${b})`;
  switch (fn) {
    case 'divide': return isFloat(operands[0].dtype) ? `(${a} / ${b})` : `floor_divide(${a}, ${b})`;
    case 'negate': return `(-${a})`;
    case 'not': return `(int32_t)(${a} == 0)`;
    case 'select': return `(${a} ? ${b} : ${c})`;
    case 'hash': return `philox((uint32_t)(${a}), (uint32_t)(${b}))`;
    default: return `${fn}_(${operands.map((o) => o.text).join(', ')})`;
  }
}
