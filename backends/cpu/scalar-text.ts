/** Uniform integers of tile programs as C++ text, and what can be proven about their values. */
import type { Scalar } from '../../compiler/ir/kernel.js';
import { gcd } from '../../compiler/ir/divisors.js';

/** lo <= value <= hi, and value is a multiple of `multiple` (0: the value is 0). */
export interface Bounds { readonly lo: number; readonly hi: number; readonly multiple: number }

export const unknown: Bounds = { lo: -Infinity, hi: Infinity, multiple: 1 };

export function exactly(value: number): Bounds {
  return { lo: value, hi: value, multiple: Math.abs(value) };
}

export interface ScalarScope {
  /** C++ text and bounds of grid axes, loop variables, lets and dims. */
  variable(name: string): { readonly text: string; readonly bounds: Bounds };
  dim(name: string): { readonly text: string; readonly bounds: Bounds };
  /** C++ text of an element of a view; 0 outside. */
  element(view: string, at: readonly Scalar[]): string;
}

export function boundsOf(s: Scalar, scope: ScalarScope): Bounds {
  switch (s.kind) {
    case 'int': return exactly(s.value);
    case 'dim': return scope.dim(s.name).bounds;
    case 'var': return scope.variable(s.name).bounds;
    case 'element': return { lo: -(2 ** 31), hi: 2 ** 31 - 1, multiple: 1 };
    default: return combine(s.kind, boundsOf(s.a, scope), boundsOf(s.b, scope));
  }
}

/** A scalar that is greater than `s` whatever the dims are: what a grid axis or loop stays below. */
export function strictLimit(s: Scalar): Scalar | undefined {
  if (s.kind === 'mod') return s.b;
  if (s.kind !== 'minimum') return undefined;
  const [limit, back] = s.b.kind === 'add' ? [s.b.a, s.b.b] : [undefined, undefined];
  return limit && back?.kind === 'int' && back.value === -1 ? limit : undefined;
}

/** 0 * Infinity is 0 here: a bound that is not known, times nothing. */
function product(a: number, b: number): number {
  return a === 0 || b === 0 ? 0 : a * b;
}

function combine(kind: Exclude<Scalar['kind'], 'int' | 'dim' | 'var' | 'element'>, a: Bounds, b: Bounds): Bounds {
  switch (kind) {
    case 'add': return { lo: a.lo + b.lo, hi: a.hi + b.hi, multiple: gcd(a.multiple, b.multiple) };
    case 'subtract': return { lo: a.lo - b.hi, hi: a.hi - b.lo, multiple: gcd(a.multiple, b.multiple) };
    case 'multiply': {
      const corners = [product(a.lo, b.lo), product(a.lo, b.hi), product(a.hi, b.lo), product(a.hi, b.hi)];
      return { lo: Math.min(...corners), hi: Math.max(...corners), multiple: a.multiple * b.multiple };
    }
    case 'divide': return divided(a, b);
    case 'mod': return b.lo >= 0 ? { lo: 0, hi: Math.max(0, a.lo >= 0 ? Math.min(a.hi, b.hi - 1) : b.hi - 1), multiple: gcd(a.multiple, b.multiple) || 1 } : unknown;
    case 'minimum': return { lo: Math.min(a.lo, b.lo), hi: Math.min(a.hi, b.hi), multiple: gcd(a.multiple, b.multiple) };
    case 'maximum': return { lo: Math.max(a.lo, b.lo), hi: Math.max(a.hi, b.hi), multiple: gcd(a.multiple, b.multiple) };
    case 'less': return { lo: 0, hi: 1, multiple: 1 };
  }
}

function divided(a: Bounds, b: Bounds): Bounds {
  if (a.lo >= 0 && b.lo >= 0 && b.lo !== b.hi) return { lo: 0, hi: Math.floor(a.hi / Math.max(1, b.lo)), multiple: 1 };
  if (b.lo !== b.hi || b.lo <= 0) return unknown;
  const by = b.lo;
  return { lo: Math.floor(a.lo / by), hi: Math.floor(a.hi / by), multiple: a.multiple % by === 0 ? a.multiple / by : 1 };
}

const operators = { add: '+', subtract: '-', multiply: '*', less: '<' } as const;

/** An int64_t expression, parenthesised unless atomic. */
export function scalarText(s: Scalar, scope: ScalarScope): string {
  switch (s.kind) {
    case 'int': return Math.abs(s.value) < 2 ** 31 ? String(s.value) : `INT64_C(${s.value})`;
    case 'dim': return scope.dim(s.name).text;
    case 'var': return scope.variable(s.name).text;
    case 'element': return scope.element(s.view, s.at);
    case 'add': case 'subtract': case 'multiply': return `(${wide(s.a, scope)} ${operators[s.kind]} ${wide(s.b, scope)})`;
    case 'less': return `(int64_t)(${scalarText(s.a, scope)} < ${scalarText(s.b, scope)})`;
    case 'minimum': case 'maximum': return `${s.kind}64(${scalarText(s.a, scope)}, ${scalarText(s.b, scope)})`;
    case 'divide': case 'mod': {
      const natural = boundsOf(s.a, scope).lo >= 0 && boundsOf(s.b, scope).lo > 0;
      const [a, b] = [scalarText(s.a, scope), scalarText(s.b, scope)];
      return natural ? `(${a} ${s.kind === 'divide' ? '/' : '%'} ${b})` : `${s.kind}64(${a}, ${b})`;
    }
  }
}

function wide(s: Scalar, scope: ScalarScope): string {
  return s.kind === 'int' ? `INT64_C(${s.value})` : scalarText(s, scope);
}

