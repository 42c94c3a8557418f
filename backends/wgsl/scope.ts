/**
 * Nested blocks of generated code. A named value goes to the outermost block where what it depends on is known, and the
 * same text is named once: this is all the hoisting and common-subexpression elimination there is.
 */
import { type Affine, type Atom, type Bind, affineText, constant, levelOf, add, ofAtom, rangeOf } from './affine.js';

/** A WGSL expression and the nesting level where all its parts are known. */
export interface Value { readonly text: string; readonly level: number }

const simple = /^-?[\w.]+$/;

/** Anything longer than a name or number gets a name, so that it is computed once. */
export function nameOf(scope: Scope, value: Value, hint: string): string {
  return simple.test(value.text) ? value.text : scope.name(value, hint);
}

export class Scope {
  readonly lines: string[] = [];
  readonly level: number;
  private readonly names = new Map<string, string>();

  constructor(readonly parent: Scope | undefined, private readonly counter: { next: number }) {
    this.level = parent === undefined ? 0 : parent.level + 1;
  }

  nested(): Scope {
    return new Scope(this, this.counter);
  }

  line(text: string): void {
    this.lines.push(text);
  }

  /** Adds a finished inner block under a header such as `for (..)`. */
  block(header: string, inner: Scope): void {
    if (inner.lines.length === 0) return;
    this.lines.push(header === '' ? '{' : `${header} {`, ...inner.lines.map((l) => `  ${l}`), '}');
  }

  fresh(hint: string): string {
    return `${hint}${this.counter.next++}`;
  }

  /** A `let` for `value` where its operands are known, reused for equal text. */
  name(value: Value, hint: string): string {
    const home = this.at(value.level);
    const known = home.lookup(value.text);
    if (known !== undefined) return known;
    const name = this.fresh(hint);
    home.lines.push(`let ${name} = ${value.text};`);
    home.names.set(value.text, name);
    return name;
  }

  readonly bind: Bind = (text, min, max, level): Atom => ({ text: this.name({ text, level }, 'at'), min, max, level });

  /**
   * The text of an index, with the part that inner loops do not change named outside of them.
   */
  index(a: Affine): Value {
    const top = levelOf(a);
    const lower = a.terms.filter((t) => t.atom.level < top);
    const upper = a.terms.filter((t) => t.atom.level === top);
    if (lower.length === 0 || (lower.length === 1 && lower[0].factor === 1)) return { text: affineText(a), level: top };
    const part: Affine = { terms: lower, constant: 0 };
    const { min, max } = rangeOf(part);
    const inner = this.index(part);
    const named = ofAtom({ text: this.name(inner, 'at'), min, max, level: inner.level });
    return { text: affineText(add(add(named, { terms: upper, constant: 0 }), constant(a.constant))), level: top };
  }

  private at(level: number): Scope {
    let scope: Scope = this;
    while (scope.level > level && scope.parent !== undefined) scope = scope.parent;
    return scope;
  }

  private lookup(text: string): string | undefined {
    return this.names.get(text) ?? this.parent?.lookup(text);
  }
}
