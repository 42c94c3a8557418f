/** Elementwise maps: an expression is evaluated node by node over whole tiles, each node rounded to its dtype. */
import { exprDType, type Expr, type ScalarFunction } from '../ir/expr.js';
import type { DType } from '../ir/dtype.js';
import type { Statement, Tile } from '../ir/kernel.js';
import { scalarFunction, type Scalar3 } from '../ir/scalar-functions.js';
import { roundTo } from './half.js';
import { defineTile, newRegister, sizeOf, tileOf, type Action, type Machine, type Register } from './interpret-machine.js';
import { alignment, gatherElements } from './interpret-tables.js';

type MapStatement = Extract<Statement, { op: 'map' }>;

/** An operand, already in the order of the result's axes. */
interface Value { readonly register: Register; readonly dtype: DType }

export function compileMap(m: Machine, s: MapStatement): Action {
  const steps: Action[] = [];
  const size = sizeOf(s.out);
  const args = s.args.map((id): Value => {
    const { tile, register } = tileOf(m, id);
    return { dtype: tile.dtype, register: aligned(tile, register, s.out, steps) };
  });
  const out = defineTile(m, s.out);
  const result = evaluate(s.expr, args, size, out, steps);
  if (result !== out) steps.push(() => out.set(result));
  return steps.length === 1 ? steps[0] : () => { for (const step of steps) step(); };
}

function aligned(tile: Tile, register: Register, out: Tile, steps: Action[]): Register {
  const table = alignment(tile.shape, out.shape);
  if (!table) return register;
  const copy = newRegister(tile.dtype, sizeOf(out));
  steps.push(() => gatherElements(copy, register, table));
  return copy;
}

/** Appends the steps that compute `e`; its elements end up in the returned register (`out` where there is something to compute). */
function evaluate(e: Expr, args: readonly Value[], size: number, out: Register | undefined, steps: Action[]): Register {
  const dtypes = args.map((a) => a.dtype);
  switch (e.kind) {
    case 'arg': return args[e.index].register;
    case 'number': return newRegister(e.dtype, size).fill(roundTo(e.dtype, e.value));
    case 'cast': {
      const value = evaluate(e.value, args, size, undefined, steps);
      const to = out ?? newRegister(e.to, size);
      steps.push(castStep(e.to, exprDType(e.value, dtypes), to, value));
      return to;
    }
    case 'call': {
      const operands = e.args.map((a) => evaluate(a, args, size, undefined, steps));
      const to = out ?? newRegister(exprDType(e, dtypes), size);
      steps.push(callStep(e.fn, exprDType(e.args[e.fn === 'select' ? 1 : 0], dtypes), to, operands));
      return to;
    }
  }
}

function castStep(to: DType, from: DType, out: Register, value: Register): Action {
  if (to === 'bf16' || to === 'f16' || to === 'bool') return () => { for (let i = 0; i < out.length; i++) out[i] = roundTo(to, value[i]); };
  if (to === 'i32' && (from === 'f32' || from === 'bf16' || from === 'f16')) return () => { for (let i = 0; i < out.length; i++) out[i] = Math.trunc(value[i]); };
  return () => { for (let i = 0; i < out.length; i++) out[i] = value[i]; };
}

/** The typed array that is stored into rounds floats to f32 and wraps integers. */
function callStep(fn: ScalarFunction, dtype: DType, out: Register, operands: readonly Register[]): Action {
  const [a, b, c] = operands;
  if (fn === 'select') return () => { for (let i = 0; i < out.length; i++) out[i] = a[i] !== 0 ? b[i] : c[i]; };
  if (out instanceof Float32Array && a instanceof Float32Array) {
    if (fn === 'multiply' && b instanceof Float32Array) return () => multiplyFloats(out, a, b);
    if (fn === 'add' && b instanceof Float32Array) return () => addFloats(out, a, b);
    if (b === undefined) return unaryFloats(scalarFunction(fn, dtype), out, a);
    if (b instanceof Float32Array) return binaryFloats(scalarFunction(fn, dtype), out, a, b);
  }
  const f = scalarFunction(fn, dtype);
  if (b === undefined) return () => { for (let i = 0; i < out.length; i++) out[i] = f(a[i], 0, 0); };
  return () => { for (let i = 0; i < out.length; i++) out[i] = f(a[i], b[i], 0); };
}

function multiplyFloats(out: Float32Array, a: Float32Array, b: Float32Array): void {
  for (let i = 0; i < out.length; i++) out[i] = a[i] * b[i];
}

function addFloats(out: Float32Array, a: Float32Array, b: Float32Array): void {
  for (let i = 0; i < out.length; i++) out[i] = a[i] + b[i];
}

function unaryFloats(f: Scalar3, out: Float32Array, a: Float32Array): Action {
  return () => { for (let i = 0; i < out.length; i++) out[i] = f(a[i], 0, 0); };
}

function binaryFloats(f: Scalar3, out: Float32Array, a: Float32Array, b: Float32Array): Action {
  return () => { for (let i = 0; i < out.length; i++) out[i] = f(a[i], b[i], 0); };
}
