/**
 * Index arithmetic as sums of integer variables times constants. Knowing the range of every variable is what removes
 * bounds tests, divisions and remainders from generated code: `(8 c + 3) / 8` is `c`, and `n < 64` is true for
 * `n = 16 r + t` with `r < 4` and `t < 16`.
 */
import { gcd } from '../../compiler/ir/divisors.js';

/** An integer WGSL name or parenthesised expression, its range, and the nesting level where it becomes known. */
export interface Atom {
  readonly text: string; readonly min: number; readonly max: number; readonly level: number;
  /** Text of an index that the value is known to be less than, besides `max`. */
  readonly below?: string;
}
export interface Affine { readonly terms: readonly { readonly atom: Atom; readonly factor: number }[]; readonly constant: number }
/** Names the result of an operation that has no affine form. */
export type Bind = (text: string, min: number, max: number, level: number) => Atom;

export const int32 = { min: -(2 ** 31), max: 2 ** 31 - 1 } as const;

export function constant(value: number): Affine {
  return { terms: [], constant: value };
}

export function ofAtom(atom: Atom): Affine {
  return atom.min === atom.max ? constant(atom.min) : { terms: [{ atom, factor: 1 }], constant: 0 };
}

export function add(a: Affine, b: Affine): Affine {
  const terms = a.terms.map((t) => ({ ...t }));
  for (const t of b.terms) {
    const same = terms.find((u) => u.atom.text === t.atom.text);
    if (same) same.factor += t.factor;
    else terms.push({ ...t });
  }
  return { terms: terms.filter((t) => t.factor !== 0), constant: a.constant + b.constant };
}

export function scale(a: Affine, factor: number): Affine {
  if (factor === 0) return constant(0);
  return { terms: a.terms.map((t) => ({ atom: t.atom, factor: t.factor * factor })), constant: a.constant * factor };
}

export const subtract = (a: Affine, b: Affine): Affine => add(a, scale(b, -1));
export const offset = (a: Affine, by: number): Affine => ({ terms: a.terms, constant: a.constant + by });

export function rangeOf(a: Affine): { readonly min: number; readonly max: number } {
  let min = a.constant;
  let max = a.constant;
  for (const { atom, factor } of a.terms) {
    min += factor * (factor > 0 ? atom.min : atom.max);
    max += factor * (factor > 0 ? atom.max : atom.min);
  }
  return { min, max };
}

export function levelOf(a: Affine): number {
  return a.terms.reduce((level, t) => Math.max(level, t.atom.level), 0);
}

export function constantOf(a: Affine): number | undefined {
  return a.terms.length === 0 ? a.constant : undefined;
}

/** WGSL text, without outer parentheses. */
export function affineText(a: Affine): string {
  const parts = a.terms.map(({ atom, factor }) => ({
    sign: factor < 0 ? '-' : '+', text: Math.abs(factor) === 1 ? atom.text : `${atom.text} * ${Math.abs(factor)}`,
  }));
  if (a.constant !== 0 || parts.length === 0) parts.push({ sign: a.constant < 0 ? '-' : '+', text: String(Math.abs(a.constant)) });
  const positive = parts.findIndex((p) => p.sign === '+');
  if (positive > 0) parts.unshift(...parts.splice(positive, 1));
  return parts.map((p, i) => (i === 0 ? (p.sign === '-' ? `-${p.text}` : p.text) : ` ${p.sign} ${p.text}`)).join('');
}

export const parenthesised = (a: Affine): string =>
  a.terms.length + (a.constant === 0 ? 0 : 1) === 1 && a.terms.every((t) => t.factor === 1) && a.constant >= 0 ? affineText(a) : `(${affineText(a)})`;

/** a = divisor * quotient + rest, where `rest` keeps what the divisor does not divide. */
function splitBy(a: Affine, divisor: number): { quotient: Affine; rest: Affine } {
  const whole = a.terms.filter((t) => t.factor % divisor === 0);
  const high = Math.floor(a.constant / divisor);
  return {
    quotient: { terms: whole.map((t) => ({ atom: t.atom, factor: t.factor / divisor })), constant: high },
    rest: { terms: a.terms.filter((t) => t.factor % divisor !== 0), constant: a.constant - high * divisor },
  };
}

/** floor(a / divisor) for a positive constant. */
export function divide(a: Affine, divisor: number, bind: Bind): Affine {
  if (divisor === 1) return a;
  const { quotient, rest } = splitBy(a, divisor);
  const { min, max } = rangeOf(rest);
  if (min >= 0 && max < divisor) return quotient;
  const common = rest.terms.reduce((g, t) => gcd(g, t.factor), divisor);
  if (common > 1) {
    const reduced = { terms: rest.terms.map((t) => ({ atom: t.atom, factor: t.factor / common })), constant: Math.floor(rest.constant / common) };
    return add(quotient, divide(reduced, divisor / common, bind));
  }
  const text = min >= 0 ? `${parenthesised(rest)} / ${divisor}`
    : Number.isInteger(Math.log2(divisor)) ? `${parenthesised(rest)} >> ${Math.log2(divisor)}u` : `floor_divide(${affineText(rest)}, ${divisor})`;
  return add(quotient, ofAtom(bind(text, Math.floor(min / divisor), Math.floor(max / divisor), levelOf(rest))));
}

/** a - divisor * floor(a / divisor) for a positive constant. */
export function modulo(a: Affine, divisor: number, bind: Bind): Affine {
  if (divisor === 1) return constant(0);
  const { rest } = splitBy(a, divisor);
  const { min, max } = rangeOf(rest);
  if (min >= 0 && max < divisor) return rest;
  const common = rest.terms.reduce((g, t) => gcd(g, t.factor), divisor);
  if (common > 1) {
    // (g y + r) mod (g d) = g (y mod d) + r
    const reduced = { terms: rest.terms.map((t) => ({ atom: t.atom, factor: t.factor / common })), constant: Math.floor(rest.constant / common) };
    return offset(scale(modulo(reduced, divisor / common, bind), common), rest.constant - common * reduced.constant);
  }
  const text = min >= 0 ? `${parenthesised(rest)} % ${divisor}`
    : Number.isInteger(Math.log2(divisor)) ? `${parenthesised(rest)} & ${divisor - 1}` : `floor_mod(${affineText(rest)}, ${divisor})`;
  return ofAtom(bind(text, 0, divisor - 1, levelOf(rest)));
}

/** a * b; named unless one of them is constant. */
export function multiply(a: Affine, b: Affine, bind: Bind): Affine {
  const left = constantOf(a);
  const right = constantOf(b);
  if (left !== undefined) return scale(b, left);
  if (right !== undefined) return scale(a, right);
  const [x, y] = [rangeOf(a), rangeOf(b)];
  const corners = [x.min * y.min, x.min * y.max, x.max * y.min, x.max * y.max];
  return ofAtom(bind(`${parenthesised(a)} * ${parenthesised(b)}`, Math.min(...corners), Math.max(...corners), Math.max(levelOf(a), levelOf(b))));
}

/** Coordinates of a row-major linear index, outermost first. */
export function unflatten(index: Affine, sizes: readonly number[], bind: Bind): Affine[] {
  const out: Affine[] = [];
  let rest = index;
  for (let i = sizes.length - 1; i > 0; i--) {
    out.unshift(modulo(rest, sizes[i], bind));
    rest = divide(rest, sizes[i], bind);
  }
  if (sizes.length > 0) out.unshift(rest);
  return out;
}

/** Row-major linear index of coordinates. */
export function flatten(at: readonly Affine[], sizes: readonly number[]): Affine {
  return at.reduce((index, c, i) => add(scale(index, sizes[i]), c), constant(0));
}
