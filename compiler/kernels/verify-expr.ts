/** Typing of scalar expressions: which operand dtypes each function takes. 16-bit floats widen to f32 when read. */
import { isFloat, type DType } from '../ir/dtype.js';
import { resultDType, scalarFunctions, type Expr, type ScalarFunction } from '../ir/expr.js';

type Kind = 'float' | 'number' | 'bool' | 'u32';
const floatFunctions: readonly ScalarFunction[] = ['power', 'floor', 'round', 'exp', 'log', 'sqrt', 'rsqrt', 'tanh', 'sigmoid', 'softplus', 'erf', 'sin', 'cos', 'order'];

function operandKind(fn: ScalarFunction): Kind {
  if (floatFunctions.includes(fn)) return 'float';
  if (fn === 'and' || fn === 'or' || fn === 'not') return 'bool';
  return fn === 'hash' || fn === 'uniform' ? 'u32' : 'number';
}

function accepts(kind: Kind, dtype: DType): boolean {
  switch (kind) {
    case 'float': return dtype === 'f32';
    case 'number': return dtype !== 'bool';
    case 'bool': return dtype === 'bool';
    case 'u32': return dtype === 'u32';
  }
}

/** Checks `e` on operands of dtypes `args`; returns its dtype, throws an Error that says what is wrong. */
export function typeOfExpr(e: Expr, args: readonly DType[]): DType {
  switch (e.kind) {
    case 'arg':
      if (!(e.index in args)) throw new Error(`expression names operand ${e.index} of ${args.length}`);
      return args[e.index];
    case 'number': checkNumber(e.value, e.dtype); return e.dtype;
    case 'cast': typeOfExpr(e.value, args); return e.to;
    case 'call': return typeOfCall(e.fn, e.args.map((a) => typeOfExpr(a, args)));
  }
}

function typeOfCall(fn: ScalarFunction, operands: readonly DType[]): DType {
  if (!(fn in scalarFunctions)) throw new Error(`no scalar function '${fn}'`);
  if (operands.length !== scalarFunctions[fn]) throw new Error(`'${fn}' takes ${scalarFunctions[fn]} operands, not ${operands.length}`);
  const wide = operands.map((d): DType => (isFloat(d) ? 'f32' : d));
  if (fn === 'select') {
    if (wide[0] !== 'bool') throw new Error(`'select' by ${wide[0]}, needs bool`);
    if (wide[1] !== wide[2]) throw new Error(`'select' between ${wide[1]} and ${wide[2]}`);
    return resultDType(fn, wide);
  }
  if (wide.some((d) => d !== wide[0])) throw new Error(`'${fn}' of ${wide.join(' and ')}`);
  if (!accepts(operandKind(fn), wide[0])) throw new Error(`'${fn}' of ${wide[0]}`);
  return resultDType(fn, operands);
}

/** Constants are finite (targets may assume so, and JSON has nothing else) and integral for integers. */
export function checkNumber(value: number, dtype: DType): void {
  if (!Number.isFinite(value)) throw new Error(`constant ${value} is not finite`);
  if (dtype === 'bool' ? value !== 0 && value !== 1 : !isFloat(dtype) && !Number.isInteger(value)) throw new Error(`constant ${value} is not a ${dtype}`);
  const [lo, hi] = dtype === 'i32' ? [-(2 ** 31), 2 ** 31 - 1] : dtype === 'u32' ? [0, 2 ** 32 - 1] : [-3.4028234663852886e38, 3.4028234663852886e38];
  if (value < lo || value > hi) throw new Error(`constant ${value} is out of range for ${dtype}`);
}
