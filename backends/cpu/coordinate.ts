/**
 * Coordinates in generated loops: sums of C++ integer variables times constants, with what is known of the variables.
 * Splitting and merging axes needs division and remainder; most of them fold away here, so that inner loops stay affine
 * and the C++ compiler can vectorise them.
 */
import { gcd } from '../../compiler/ir/divisors.js';

export interface Term {
  /** C++ expression of an integer. */
  readonly text: string;
  readonly factor: number;
  /** The expression is within [lo, hi] and divisible by `multiple`. */
  readonly lo: number;
  readonly hi: number;
  readonly multiple: number;
}
export interface Coordinate { readonly terms: readonly Term[]; readonly constant: number }

export const zero: Coordinate = { terms: [], constant: 0 };

export function constantAt(value: number): Coordinate {
  return { terms: [], constant: value };
}

export function variableAt(text: string, known: { readonly lo?: number; readonly hi?: number; readonly multiple?: number } = {}): Coordinate {
  const { lo = -Infinity, hi = Infinity, multiple = 1 } = known;
  if (lo === hi) return constantAt(lo);
  return { terms: [{ text, factor: 1, lo, hi, multiple }], constant: 0 };
}

export function addCoordinates(a: Coordinate, b: Coordinate): Coordinate {
  const terms = [...a.terms];
  for (const t of b.terms) {
    const at = terms.findIndex((u) => u.text === t.text);
    if (at < 0) terms.push(t);
    else terms[at] = { ...terms[at], factor: terms[at].factor + t.factor };
  }
  return { terms: terms.filter((t) => t.factor !== 0), constant: a.constant + b.constant };
}

export function offsetCoordinate(a: Coordinate, by: number): Coordinate {
  return { terms: a.terms, constant: a.constant + by };
}

export function scaleCoordinate(a: Coordinate, by: number): Coordinate {
  if (by === 0) return zero;
  return { terms: a.terms.map((t) => ({ ...t, factor: t.factor * by })), constant: a.constant * by };
}

export function lowest(c: Coordinate): number {
  return c.terms.reduce((sum, t) => sum + Math.min(t.factor * t.lo, t.factor * t.hi), c.constant);
}

export function highest(c: Coordinate): number {
  return c.terms.reduce((sum, t) => sum + Math.max(t.factor * t.lo, t.factor * t.hi), c.constant);
}

/** floor(c / by) and c mod by, exact where the parts allow it, else as C++ division of a value that must not be negative. */
export function splitCoordinate(c: Coordinate, by: number): { readonly quotient: Coordinate; readonly remainder: Coordinate } {
  if (by === 1) return { quotient: c, remainder: zero };
  const isWhole = (t: Term): boolean => (t.factor * t.multiple) % by === 0;
  const rest = c.terms.filter((t) => !isWhole(t));
  const low = Math.floor(c.constant / by) * by;
  const remainder: Coordinate = { terms: rest, constant: c.constant - low };
  const whole: Coordinate = { terms: c.terms.filter(isWhole).map((t) => divideTerm(t, by)), constant: low / by };
  if (lowest(remainder) >= 0 && highest(remainder) < by) return { quotient: whole, remainder };
  const text = printCoordinate(remainder);
  const hi = Math.floor(highest(remainder) / by);
  return {
    quotient: addCoordinates(whole, variableAt(`(${text}) / ${by}`, { lo: 0, hi })),
    remainder: variableAt(`(${text}) % ${by}`, { lo: 0, hi: by - 1 }),
  };
}

function divideTerm(t: Term, by: number): Term {
  if (t.factor % by === 0) return { ...t, factor: t.factor / by };
  const divisor = by / gcd(by, t.factor);
  return { text: `(${t.text}) / ${divisor}`, factor: t.factor / gcd(by, t.factor), lo: Math.floor(t.lo / divisor), hi: Math.floor(t.hi / divisor), multiple: t.multiple / divisor };
}

/** C++ text; products that may pass 31 bits are computed in 64. */
export function printCoordinate(c: Coordinate): string {
  const parts = c.terms.map((t) => {
    if (t.factor === 1) return t.text.includes(' ') ? `(${t.text})` : t.text;
    const wide = Math.max(Math.abs(t.factor * t.lo), Math.abs(t.factor * t.hi)) >= 2 ** 30;
    const text = /^\w+$/.test(t.text) ? t.text : `(${t.text})`;
    return wide ? `(int64_t)${text} * ${t.factor}` : `${text} * ${t.factor}`;
  });
  if (c.constant !== 0 || parts.length === 0) parts.push(String(c.constant));
  return parts.join(' + ').replaceAll('+ -', '- ');
}
