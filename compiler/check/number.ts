/**
 * Compile-time numbers: f64 values that stay exact fractions as long as arithmetic keeps them so. `0.29 * 100` is 29,
 * `heads / kv_heads` is 7/2 and says so where an extent is wanted. A result whose parts leave 2^53 is only its f64.
 */
import { gcd } from '../ir/divisors.js';
import type { Span } from '../../dsl/span.js';

/** Where a number came from: a name of the spec, its value there, and what that in turn was computed from. */
export interface Origin {
  readonly name: string;
  readonly value: number;
  readonly span: Span;
  readonly from: readonly Origin[];
}

export interface NumberValue {
  readonly kind: 'number';
  readonly value: number;
  /** numerator / denominator in lowest terms, denominator > 0; absent for reals. */
  readonly exact?: readonly [number, number];
  readonly from?: readonly Origin[];
}

function fraction(n: number, d: number): readonly [number, number] | undefined {
  if (d === 0 || !Number.isSafeInteger(n) || !Number.isSafeInteger(d)) return undefined;
  const common = gcd(n, d) * Math.sign(d);
  return [n / common, d / common];
}

export function real(value: number): NumberValue {
  return { kind: 'number', value };
}

export function integer(value: number): NumberValue {
  return { kind: 'number', value, exact: [value, 1] };
}

/** Reads `8`, `0.5`, `1e-6`, `163_840` as the fraction that is written. */
export function literal(text: string, value: number): NumberValue {
  const match = /^(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text.replaceAll('_', ''));
  if (match === null) return real(value);
  const digits = Number(match[1] + (match[2] ?? ''));
  const power = Number(match[3] ?? 0) - (match[2]?.length ?? 0);
  const exact = power >= 0 ? fraction(digits * 10 ** power, 1) : fraction(digits, 10 ** -power);
  return exact === undefined ? real(value) : { kind: 'number', value, exact };
}

export function isInteger(x: NumberValue): boolean {
  return x.exact !== undefined && x.exact[1] === 1;
}

function merged(a: NumberValue, b: NumberValue): { readonly from?: readonly Origin[] } {
  if (a.from === undefined) return b.from === undefined ? {} : { from: b.from };
  if (b.from === undefined) return { from: a.from };
  return { from: [...a.from, ...b.from.filter((o) => !a.from!.includes(o))] };
}

function of(exact: readonly [number, number] | undefined, value: number, a: NumberValue, b: NumberValue = a): NumberValue {
  const origin = merged(a, b);
  return exact === undefined ? { kind: 'number', value, ...origin } : { kind: 'number', value: exact[0] / exact[1], exact, ...origin };
}

function exactly(a: NumberValue, b: NumberValue, f: (x: readonly [number, number], y: readonly [number, number]) => readonly [number, number] | undefined): readonly [number, number] | undefined {
  return a.exact !== undefined && b.exact !== undefined ? f(a.exact, b.exact) : undefined;
}

/** Floors, as Python's integer division and modulo do. */
function floorMod(a: number, b: number): number {
  return a - b * Math.floor(a / b);
}

function power(a: NumberValue, b: NumberValue): NumberValue {
  const value = a.value ** b.value;
  if (a.exact === undefined || !isInteger(b) || Math.abs(b.value) > 64) return of(undefined, value, a, b);
  const [n, d] = b.value < 0 ? [a.exact[1], a.exact[0]] : a.exact;
  return of(fraction(n ** Math.abs(b.value), d ** Math.abs(b.value)), value, a, b);
}

/** The binary arithmetic of compile-time numbers; `mod` and `floor_divide` floor. */
export const arithmetic = {
  add: (a, b) => of(exactly(a, b, ([n, d], [m, e]) => fraction(n * e + m * d, d * e)), a.value + b.value, a, b),
  subtract: (a, b) => of(exactly(a, b, ([n, d], [m, e]) => fraction(n * e - m * d, d * e)), a.value - b.value, a, b),
  multiply: (a, b) => of(exactly(a, b, ([n, d], [m, e]) => fraction(n * m, d * e)), a.value * b.value, a, b),
  divide: (a, b) => of(exactly(a, b, ([n, d], [m, e]) => fraction(n * e, d * m)), a.value / b.value, a, b),
  mod: (a, b) => of(exactly(a, b, ([n, d], [m, e]) => (m === 0 ? undefined : fraction(floorMod(n * e, m * d), d * e))), floorMod(a.value, b.value), a, b),
  floor_divide: (a, b) => of(fraction(Math.floor(a.value / b.value), 1), Math.floor(a.value / b.value), a, b),
  minimum: (a, b) => (a.value <= b.value ? of(a.exact, a.value, a, b) : of(b.exact, b.value, a, b)),
  maximum: (a, b) => (a.value >= b.value ? of(a.exact, a.value, a, b) : of(b.exact, b.value, a, b)),
  power,
} as const satisfies Readonly<Record<string, (a: NumberValue, b: NumberValue) => NumberValue>>;

export function negate(a: NumberValue): NumberValue {
  return of(a.exact === undefined ? undefined : [-a.exact[0], a.exact[1]], -a.value, a);
}

export function floor(a: NumberValue): NumberValue {
  const value = Math.floor(a.value);
  return of(fraction(value, 1), value, a);
}

export function ceil(a: NumberValue): NumberValue {
  const value = Math.ceil(a.value);
  return of(fraction(value, 1), value, a);
}

/** `7/2`, `0.1` or `29`: what a message shows. */
export function printNumber(x: NumberValue): string {
  return x.exact !== undefined && x.exact[1] !== 1 && x.exact[1] < 1000 ? `${x.exact[0]}/${x.exact[1]}` : String(x.value);
}
