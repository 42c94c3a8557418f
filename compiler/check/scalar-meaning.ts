/** The scalar functions in f64, for what is known at compile time. Booleans are 0 and 1. */
import type { ScalarFunction } from '../ir/expr.js';

function erf(x: number): number {
  // Series near 0, continued fraction of erfc beyond: both to the last bits of f64.
  const a = Math.abs(x);
  if (a < 2.5) {
    let [term, sum] = [a, a];
    for (let n = 1; n < 200 && Math.abs(term) > 1e-18 * sum; n++) { term *= -a * a / n; sum += term / (2 * n + 1); }
    return Math.sign(x) * 2 / Math.sqrt(Math.PI) * sum;
  }
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = n / 2 / (a + fraction);
  return Math.sign(x) * (1 - Math.exp(-a * a) / (Math.sqrt(Math.PI) * (a + fraction)));
}

const truth = (b: boolean): number => (b ? 1 : 0);

/** Rounds half to even. */
function round(x: number): number {
  const r = Math.round(x);
  return Math.abs(x % 1) === 0.5 && r % 2 !== 0 ? r - 1 : r;
}

type Meaning = (a: number, b: number, c: number) => number;

const meanings: Partial<Record<ScalarFunction, Meaning>> = {
  add: (a, b) => a + b, subtract: (a, b) => a - b, multiply: (a, b) => a * b, divide: (a, b) => a / b,
  floor_divide: (a, b) => Math.floor(a / b), mod: (a, b) => a - b * Math.floor(a / b), power: (a, b) => a ** b,
  minimum: (a, b) => Math.min(a, b), maximum: (a, b) => Math.max(a, b), negate: (a) => -a, absolute: Math.abs, sign: Math.sign, floor: Math.floor, round,
  exp: Math.exp, log: Math.log, sqrt: Math.sqrt, rsqrt: (a) => 1 / Math.sqrt(a), tanh: Math.tanh,
  sigmoid: (a) => 1 / (1 + Math.exp(-a)), softplus: (a) => Math.max(a, 0) + Math.log1p(Math.exp(-Math.abs(a))), erf,
  sin: Math.sin, cos: Math.cos,
  less: (a, b) => truth(a < b), less_equal: (a, b) => truth(a <= b), equal: (a, b) => truth(a === b), not_equal: (a, b) => truth(a !== b),
  and: (a, b) => truth(a !== 0 && b !== 0), or: (a, b) => truth(a !== 0 || b !== 0), not: (a) => truth(a === 0),
  select: (a, b, c) => (a !== 0 ? b : c),
};

export function scalarMeaning(fn: ScalarFunction, args: readonly number[]): number {
  const meaning = meanings[fn];
  if (meaning === undefined) throw new Error(`elaborate: ${fn} has no meaning at compile time`);
  return meaning(args[0], args[1], args[2]);
}
