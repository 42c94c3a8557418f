/**
 * Patterns that split text into words, as a tree over sets of characters that needs no Unicode tables to run. What the
 * published tokenizers use: alternatives, groups, classes, properties, greedy repetition of one character, optional
 * groups, lookahead, (?i:..). Read by runtime/native/words.cc.
 */

/** `set`: index into `sets`. A repeated set has at most `most` characters (-1: any number). */
export type PatternNode =
  | readonly ['set', number]
  | readonly ['many', number, number, number]
  | readonly ['sequence' | 'either', readonly PatternNode[]]
  | readonly ['maybe', PatternNode]
  | readonly ['ahead' | 'not_ahead', PatternNode];

export interface SplitPattern {
  /** Ascending, disjoint, both ends included: first, last, first, last, .. code points. */
  readonly sets: readonly (readonly number[])[];
  readonly tree: PatternNode;
}

/** What in a pattern cannot be said as a tree. */
export class PatternError extends Error {}

/** `source`: as JavaScript's `v` flag has it, where \s and \S mean the property White_Space. Throws PatternError. */
export function readPattern(source: string): SplitPattern {
  const reader = new Reader(source);
  const tree = reader.alternatives();
  if (reader.at < source.length) throw new PatternError(`'${source.slice(reader.at)}' at its end`);
  return { sets: [...reader.sets.values()].map((s) => s.ranges), tree };
}

class Reader {
  at = 0;
  readonly sets = new Map<string, { readonly index: number; readonly ranges: number[] }>();
  private foldCase = false;

  constructor(private readonly source: string) {}

  alternatives(): PatternNode {
    const branches: PatternNode[] = [];
    do branches.push(this.sequence()); while (this.skip('|'));
    return branches.length === 1 ? branches[0] : ['either', branches];
  }

  private sequence(): PatternNode {
    const items: PatternNode[] = [];
    while (this.at < this.source.length && !'|)'.includes(this.source[this.at])) items.push(this.repeated(this.item()));
    return items.length === 1 ? items[0] : ['sequence', items];
  }

  private item(): PatternNode {
    if (this.skip('(')) return this.group();
    const start = this.at;
    if (this.source[start] === '[') this.classEnd();
    else if (this.source[start] === '\\') this.at += /^\\(?:[pP]\{[^}]*\}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)/s.exec(this.source.slice(start))![0].length;
    else if ('^$*+?{'.includes(this.source[start])) throw new PatternError(`'${this.source[start]}'`);
    else this.at += this.source.codePointAt(start)! > 0xffff ? 2 : 1;
    return ['set', this.setOf(this.source.slice(start, this.at))];
  }

  private group(): PatternNode {
    const before = this.foldCase;
    const kind = this.skip('?:') ? undefined : this.skip('?i:') ? ((this.foldCase = true), undefined) : this.skip('?!') ? 'not_ahead' : this.skip('?=') ? 'ahead' : undefined;
    if (kind === undefined && this.source[this.at] === '?') throw new PatternError(`'(${this.source.slice(this.at, this.at + 3)}'`);
    const inner = this.alternatives();
    if (!this.skip(')')) throw new PatternError('a group that does not end');
    this.foldCase = before;
    return kind === undefined ? inner : [kind, inner];
  }

  private repeated(node: PatternNode): PatternNode {
    const [text, least, most] = this.quantifier();
    if (text === '') return node;
    // A possessive or lazy form would match otherwise.
    if ('?+'.includes(this.source[this.at] ?? ' ')) throw new PatternError(`'${text}${this.source[this.at]}'`);
    if (node[0] === 'set') return ['many', node[1], least, most];
    if (least === 0 && most === 1) return ['maybe', node];
    throw new PatternError(`'${text}' after a group`);
  }

  private quantifier(): [text: string, least: number, most: number] {
    const [text = '', simple, least, comma, most] = /^(?:([?*+])|\{(\d+)(,(\d*))?\})/.exec(this.source.slice(this.at)) ?? [];
    this.at += text.length;
    if (simple !== undefined) return [text, simple === '+' ? 1 : 0, simple === '?' ? 1 : -1];
    return [text, Number(least), comma === undefined ? Number(least) : most === '' ? -1 : Number(most)];
  }

  /** Moves behind a class, which may hold others. */
  private classEnd(): void {
    let depth = 0;
    do {
      const c = this.source[this.at];
      if (c === undefined) throw new PatternError('a class that does not end');
      if (c === '[') depth++;
      if (c === ']') depth--;
      this.at += c === '\\' ? 2 : 1;
    } while (depth > 0);
  }

  private setOf(text: string): number {
    const flags = this.foldCase ? 'vi' : 'v';
    const key = `${flags} ${text}`;
    const known = this.sets.get(key);
    if (known !== undefined) return known.index;
    const index = this.sets.size;
    this.sets.set(key, { index, ranges: rangesOf(text, flags) });
    return index;
  }

  private skip(text: string): boolean {
    if (!this.source.startsWith(text, this.at)) return false;
    this.at += text.length;
    return true;
  }
}

/** Which code points `text`, one character class, matches. */
function rangesOf(text: string, flags: string): number[] {
  let one: RegExp;
  try {
    one = new RegExp(`^${text.replace(/\\s/g, '\\p{White_Space}').replace(/\\S/g, '\\P{White_Space}')}$`, flags);
  } catch {
    throw new PatternError(`'${text}'`);
  }
  const out: number[] = [];
  for (let point = 0; point <= 0x10ffff; point++) {
    if (point === 0xd800) point = 0xe000;
    if (!one.test(String.fromCodePoint(point))) continue;
    if (out.length > 0 && (out.at(-1) === point - 1 || (point === 0xe000 && out.at(-1) === 0xd7ff))) out[out.length - 1] = point;
    else out.push(point, point);
  }
  return out;
}
