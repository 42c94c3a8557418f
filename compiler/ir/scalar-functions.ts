/**
 * What each scalar function means, on numbers. Results are not rounded: whoever stores them rounds to the dtype. Bools
 * are 0 and 1. The operands' dtype matters only where integers differ from floats.
 */
import { roundHalfEven } from '../kernels/half.js';
import type { DType } from './dtype.js';
import type { ScalarFunction } from './expr.js';
import { philox } from './philox.js';

export type Scalar3 = (a: number, b: number, c: number) => number;

/** The error function, to a few ulps of f64: a series near 0, the continued fraction of erfc further out. */
export function erf(x: number): number {
  const t = Math.abs(x);
  if (t > 6) return Math.sign(x);
  const scale = Math.exp(-t * t) / Math.sqrt(Math.PI);
  if (t < 2.5) {
    let term = t;
    let sum = t;
    for (let n = 1; term > sum * 1e-17; n++) { term *= (2 * t * t) / (2 * n + 1); sum += term; }
    return Math.sign(x) * 2 * scale * sum;
  }
  let fraction = t;
  for (let n = 60; n > 0; n--) fraction = t + (n / 2) / fraction;
  return Math.sign(x) * (1 - scale / fraction);
}

const floored = (a: number, b: number): number => Math.floor(a / b);

const float = new Float32Array(1);
const bits = new Int32Array(float.buffer);

/** The bits of the float's magnitude, with its sign. */
function order(a: number): number {
  float[0] = a;
  return bits[0] < 0 ? 0 - (bits[0] & 0x7fffffff) : bits[0];
}

const functions: Readonly<Record<ScalarFunction, Scalar3>> = {
  add: (a, b) => a + b,
  subtract: (a, b) => a - b,
  multiply: (a, b) => a * b,
  divide: (a, b) => a / b,
  floor_divide: floored,
  mod: (a, b) => a - Math.floor(a / b) * b,
  power: (a, b) => a ** b,
  minimum: (a, b) => Math.min(a, b),
  maximum: (a, b) => Math.max(a, b),
  negate: (a) => -a,
  absolute: (a) => Math.abs(a),
  sign: (a) => Math.sign(a),
  floor: (a) => Math.floor(a),
  round: (a) => roundHalfEven(a),
  exp: (a) => Math.exp(a),
  log: (a) => Math.log(a),
  sqrt: (a) => Math.sqrt(a),
  rsqrt: (a) => 1 / Math.sqrt(a),
  tanh: (a) => Math.tanh(a),
  sigmoid: (a) => 1 / (1 + Math.exp(-a)),
  softplus: (a) => Math.max(a, 0) + Math.log1p(Math.exp(-Math.abs(a))),
  erf,
  sin: (a) => Math.sin(a),
  cos: (a) => Math.cos(a),
  less: (a, b) => (a < b ? 1 : 0),
  less_equal: (a, b) => (a <= b ? 1 : 0),
  equal: (a, b) => (a === b ? 1 : 0),
  not_equal: (a, b) => (a !== b ? 1 : 0),
  and: (a, b) => (a !== 0 && b !== 0 ? 1 : 0),
  or: (a, b) => (a !== 0 || b !== 0 ? 1 : 0),
  not: (a) => (a === 0 ? 1 : 0),
  select: (c, a, b) => (c !== 0 ? a : b),
  hash: (seed, counter) => philox(seed, counter),
  uniform: (a) => ((a >>> 8) + 0.5) * 2 ** -24,
  order,
};

/** `fn` on operands of `dtype` (that of the first operand which is a value, not a condition). */
export function scalarFunction(fn: ScalarFunction, dtype: DType): Scalar3 {
  if (dtype === 'i32' || dtype === 'u32') {
    if (fn === 'multiply') return Math.imul;
    if (fn === 'divide') return floored;
  }
  return functions[fn];
}
