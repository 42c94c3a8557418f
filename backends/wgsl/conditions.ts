/** Tests on indices that are proven where ranges allow it, and written out where they do not. */
import { affineText, levelOf, parenthesised, rangeOf, subtract, type Affine } from './affine.js';
import { nameOf, type Scope, type Value } from './scope.js';

/** What has to be tested at run time; `false` if it never holds. */
export type Conditions = readonly Value[] | false;

export function both(a: Conditions, b: Conditions): Conditions {
  return a === false || b === false ? false : [...a, ...b.filter((x) => !a.some((y) => x.text === y.text))];
}

/** a < b */
export function lessThan(a: Affine, b: Affine): Conditions {
  const gap = rangeOf(subtract(b, a));
  if (gap.min > 0) return [];
  if (gap.max <= 0) return false;
  if (a.constant <= 0 && a.terms.length === 1 && a.terms[0].factor === 1 && a.terms[0].atom.below === affineText(b)) return [];
  return [{ text: `${affineText(a)} < ${affineText(b)}`, level: Math.max(levelOf(a), levelOf(b)) }];
}

/** 0 <= a < b, for b >= 0. One unsigned comparison if a may be negative. */
export function within(a: Affine, b: Affine): Conditions {
  if (rangeOf(a).min >= 0) return lessThan(a, b);
  if (rangeOf(a).max < 0) return false;
  return [{ text: `u32${bracket(a)} < u32${bracket(b)}`, level: Math.max(levelOf(a), levelOf(b)) }];
}

const bracket = (a: Affine): string => {
  const text = parenthesised(a);
  return text.startsWith('(') ? text : `(${text})`;
};

/** One boolean expression; what inner loops do not change is named outside of them. */
export function conjunctionIn(scope: Scope, conditions: Exclude<Conditions, false>): Value {
  const top = Math.max(0, ...conditions.map((c) => c.level));
  const outer = conditions.filter((c) => c.level < top);
  if (outer.length === 0) return conjunction(conditions);
  const known = conjunctionIn(scope, outer);
  return conjunction([{ text: nameOf(scope, known, 'c'), level: known.level }, ...conditions.filter((c) => c.level === top)]);
}

export function conjunction(conditions: Exclude<Conditions, false>): Value {
  return { text: conditions.length === 1 ? conditions[0].text : conditions.map((c) => (/^\w+$/.test(c.text) ? c.text : `(${c.text})`)).join(' && '), level: Math.max(0, ...conditions.map((c) => c.level)) };
}
