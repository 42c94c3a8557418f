/** Index arithmetic equals integer arithmetic, and its ranges hold. */
import fc from '../support/properties.js';
import { expect, test } from 'vitest';
import { add, affineText, constant, divide, flatten, modulo, ofAtom, offset, rangeOf, scale, unflatten, type Affine, type Atom, type Bind } from '../../backends/wgsl/affine.js';
import { lessThan, within } from '../../backends/wgsl/conditions.js';

const ranges: Readonly<Record<string, readonly [number, number]>> = { a: [0, 7], b: [0, 31], c: [-5, 9], d: [3, 3] };
const term = fc.tuple(fc.constantFrom(...Object.keys(ranges)), fc.integer({ min: -40, max: 40 }));
const affine = fc.tuple(fc.array(term, { maxLength: 4 }), fc.integer({ min: -200, max: 200 }));
const values = fc.record(Object.fromEntries(Object.entries(ranges).map(([n, [min, max]]) => [n, fc.integer({ min, max })])));

const build = ([terms, c]: [readonly (readonly [string, number])[], number]): Affine =>
  terms.reduce((sum, [name, factor]) => add(sum, scale(ofAtom({ text: name, min: ranges[name][0], max: ranges[name][1], level: 0 }), factor)), constant(c));

/** WGSL integer text as JavaScript. */
function evaluate(text: string, at: Readonly<Record<string, number>>): number {
  const js = text.replace(/\bfloor_divide\(/g, 'FD(').replace(/\bfloor_mod\(/g, 'FM(').replace(/(\d)u\b/g, '$1').replace(/^(.*) \/ (\d+)$/, 'T($1, $2)');
  const names = Object.keys(at);
  // Integers have no negative zero.
  return new Function(...names, 'FD', 'FM', 'T', `return 0 + (${js});`)(...names.map((n) => at[n]), (a: number, b: number) => Math.floor(a / b), (a: number, b: number) => a - Math.floor(a / b) * b, (a: number, b: number) => Math.trunc(a / b)) as number;
}

/** Binds to fresh names whose values are computed from their text when asked. */
function environment(at: Readonly<Record<string, number>>): { bind: Bind; valueOf: (a: Affine) => number } {
  const known: Record<string, number> = { ...at };
  const bind: Bind = (text, min, max, level): Atom => {
    const name = `n${Object.keys(known).length}`;
    const value = evaluate(text, known);
    expect(value).toBeGreaterThanOrEqual(min);
    expect(value).toBeLessThanOrEqual(max);
    known[name] = value;
    return { text: name, min, max, level };
  };
  return { bind, valueOf: (a) => evaluate(affineText(a), known) };
}

test('sums, quotients and remainders by constants floor, for negative values too', () => {
  fc.assert(fc.property(affine, affine, fc.integer({ min: 1, max: 64 }), values, (x, y, divisor, at) => {
    const { bind, valueOf } = environment(at);
    const [a, b] = [build(x), build(y)];
    const value = valueOf(a);
    expect(valueOf(add(a, b))).toBe(value + valueOf(b));
    expect(rangeOf(a).min <= value && value <= rangeOf(a).max).toBe(true);
    expect(valueOf(divide(a, divisor, bind))).toBe(Math.floor(value / divisor));
    expect(valueOf(modulo(a, divisor, bind))).toBe(value - Math.floor(value / divisor) * divisor);
  }), { numRuns: 400 });
});

test('row-major indices and back', () => {
  fc.assert(fc.property(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 }), fc.nat(1000), (sizes, seed) => {
    const total = sizes.reduce((n, s) => n * s, 1);
    const index = seed % total;
    const { bind, valueOf } = environment({ e: index });
    const at = unflatten(ofAtom({ text: 'e', min: 0, max: total - 1, level: 0 }), sizes, bind);
    at.forEach((c, i) => expect(valueOf(c)).toBeLessThan(sizes[i]));
    expect(valueOf(flatten(at, sizes))).toBe(index);
  }));
});

test('what ranges prove is not tested', () => {
  const tile = ofAtom({ text: 'r', min: 0, max: 3, level: 0 });
  const thread = ofAtom({ text: 't', min: 0, max: 15, level: 0 });
  expect(lessThan(add(scale(tile, 16), thread), constant(64))).toEqual([]);
  expect(lessThan(add(scale(tile, 16), thread), constant(63))).toHaveLength(1);
  expect(lessThan(offset(thread, 64), constant(64))).toBe(false);
  expect(within(offset(thread, -1), constant(99))).toMatchObject([{ text: 'u32(t - 1) < u32(99)' }]);
  const tokens = ofAtom({ text: 'dims.tokens', min: 0, max: 2 ** 31 - 1, level: 0 });
  expect(within(ofAtom({ text: 'row', min: 0, max: 2 ** 31 - 1, level: 0, below: 'dims.tokens' }), tokens)).toEqual([]);
});

test('eight neighbours are one packed word', () => {
  const { bind, valueOf } = environment({ k: 5 });
  const k = ofAtom({ text: 'k', min: 0, max: 63, level: 0 });
  const words = Array.from({ length: 8 }, (_, u) => affineText(divide(offset(scale(k, 8), u), 8, bind)));
  expect(new Set(words)).toEqual(new Set(['k']));
  expect(Array.from({ length: 8 }, (_, u) => valueOf(modulo(offset(scale(k, 8), u), 32, bind)))).toEqual([8, 9, 10, 11, 12, 13, 14, 15]);
});
