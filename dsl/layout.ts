/** Layout: which newlines end statements, which comments belong to which token, and brackets that balance (see `lexer.ts`). */
import { createTokenInstance, type IToken, type TokenType } from 'chevrotain';
import type { Diagnostic } from './diagnostics.js';
import * as messages from './messages.js';
import { spanAt, type SourceFile, type Span } from './span.js';
import {
  Comment, contextual, isIdentifier, itemKeywords, keyword, namingKeywords, Newline, NumberLiteral, otherStatementKeywords, Separator, sign,
  StringLiteral, tokenSpan, Underscore, type Symbol, type Token,
} from './tokens.js';

/** Parsing one level of brackets takes some 40 stack frames. */
export const maxDepth = 64;

const closerOf = new Map<TokenType, TokenType>([[sign['('], sign[')']], [sign['['], sign[']']], [sign['{'], sign['}']]]);
const closers = new Set(closerOf.values());

const binary = (['->', '<-', '=>', '==', '!=', '<=', '>=', '<', '>', '+=', '=', '+', '-', '**', '*', '//', '/', '@', ',', ':', '.', '|'] as const)
  .map((s: Symbol) => sign[s]);
const wordOperators = [keyword.and, keyword.or, keyword.mod, keyword.then, keyword.else];
/** A `?` may end a type, so a conditional goes on with it, not after it. */
const cannotEnd = new Set<TokenType>([...binary, ...wordOperators, keyword.not, keyword.if, keyword.match, ...closerOf.keys()]);
const cannotStart = new Set<TokenType>([...binary, sign['?'], ...wordOperators, ...closers, sign['{']]);
const endsValue = new Set<TokenType>([NumberLiteral, StringLiteral, keyword.true, keyword.false, keyword.none, contextual.frozen, Underscore, ...closers]);
/** Behind a keyword these say that it was a name: `over: [dim where ..]`. */
const goesOn = new Set<TokenType>([contextual.as, contextual.where]);
const contextualTypes = new Set<TokenType>(Object.values(contextual));

/** Tokens in, tokens with separators and comments out. One instance per source. */
class Layout {
  readonly tokens: Token[] = [];
  private readonly open: IToken[] = [];
  private pending: string[] = [];
  private lineBroken = false;
  private lineEmpty = true;
  private tooDeep = false;

  constructor(private readonly source: SourceFile, private readonly diagnostics: Diagnostic[]) {}

  newline(): void {
    if (this.lineEmpty && this.pending[this.pending.length - 1] !== '') this.pending.push('');
    this.lineEmpty = true;
    this.lineBroken = true;
  }

  comment(token: IToken): void {
    this.lineEmpty = false;
    const text = token.image.trimEnd();
    const owner = this.lineBroken ? undefined : this.commentOwner();
    if (owner) owner.trailing = text;
    else this.pending.push(text);
  }

  /** A comment behind a comma belongs to what the comma ends. */
  private commentOwner(): Token | undefined {
    const last = this.tokens[this.tokens.length - 1];
    const before = this.tokens[this.tokens.length - 2];
    return last?.tokenType === sign[','] && before && before.trailing === undefined ? before : last;
  }

  token(token: IToken, next: IToken | undefined): void {
    this.lineEmpty = false;
    if (this.open.length > 0 && this.startsOutside(token, next)) this.closeUntil(itemKeywords.includes(token.tokenType) ? 0 : this.braceDepth(), token);
    if (closers.has(token.tokenType) && !this.close(token)) return;
    if (this.separates(token, next)) this.insert(Separator, token.startOffset, tokenSpan(token, token, this.source));
    const leading = this.takePending(token);
    this.push(token, leading);
    if (closerOf.has(token.tokenType)) this.openBracket(token);
    this.lineBroken = false;
  }

  finish(): { tokens: readonly Token[]; trailing: readonly string[] } {
    const last = this.tokens[this.tokens.length - 1];
    const end = last ? last.endOffset! + 1 : 0;
    for (const opened of this.open.reverse()) this.reportUnclosed(opened, spanAt(end, this.source), end);
    while (this.pending[this.pending.length - 1] === '') this.pending.pop();
    return { tokens: this.tokens, trailing: this.tokens.length === 0 ? this.pending.filter((c, i) => c !== '' || i > 0) : this.pending };
  }

  private push(token: IToken, leading: readonly string[]): void {
    this.tokens.push(Object.assign(token, { index: this.tokens.length, leading }) as Token);
  }

  /** No blank line is kept after an opening brace, before a closing one or at the start of the file. */
  private takePending(token: IToken): readonly string[] {
    let lines = this.pending;
    const previous = this.tokens[this.tokens.length - 1];
    if (!previous || previous.tokenType === sign['{']) lines = lines.slice(lines[0] === '' ? 1 : 0);
    if (token.tokenType === sign['}'] && lines[lines.length - 1] === '') lines = lines.slice(0, -1);
    this.pending = [];
    return lines;
  }

  private openBracket(token: IToken): void {
    this.open.push(token);
    if (this.open.length !== maxDepth + 1 || this.tooDeep) return;
    this.tooDeep = true;
    this.diagnostics.push(messages.tooDeep(maxDepth, tokenSpan(token, token, this.source)));
  }

  private inBraces(): boolean {
    return this.open.length === 0 || this.open[this.open.length - 1].tokenType === sign['{'];
  }

  private braceDepth(): number {
    let depth = this.open.length;
    while (depth > 0 && this.open[depth - 1].tokenType !== sign['{']) depth--;
    return depth;
  }

  /** The token starts a line that cannot stand inside the open brackets: the closing one was forgotten. */
  private startsOutside(token: IToken, next: IToken | undefined): boolean {
    if (!this.lineBroken || !next || goesOn.has(next.tokenType)) return false;
    if (itemKeywords.includes(token.tokenType)) return isIdentifier(next) && !this.inWeights();
    if (this.inBraces()) return false;
    if (namingKeywords.includes(token.tokenType) && isIdentifier(next)) return true;
    if ((token.tokenType === contextual.return || token.tokenType === contextual.repeat) && isIdentifier(next)) return true;
    const previous = this.tokens[this.tokens.length - 1];
    const assigns = next.tokenType === sign['='] || next.tokenType === sign['+='];
    return isIdentifier(token) && assigns && !cannotEnd.has(previous.tokenType);
  }

  /** `use` and `layer` do not start an item in a list of names: `{ use, layer }`. */
  private inWeights(): boolean {
    return this.tokens[this.tokens.length - 1]?.tokenType === sign[','];
  }

  private closeUntil(depth: number, at: IToken): void {
    while (this.open.length > depth) this.reportUnclosed(this.open.pop()!, tokenSpan(at, at, this.source), at.startOffset);
  }

  /** False for a closing bracket that matches nothing; it is left out. */
  private close(token: IToken): boolean {
    let depth = this.open.length;
    while (depth > 0 && closerOf.get(this.open[depth - 1].tokenType) !== token.tokenType) depth--;
    const crossesBrace = this.open.slice(depth).some((t) => t.tokenType === sign['{']);
    if (depth > 0 && (!crossesBrace || token.tokenType === sign['}'])) {
      this.closeUntil(depth, token);
      this.open.pop();
      return true;
    }
    if (this.inBraces() || token.tokenType === sign['}']) this.diagnostics.push(messages.unopenedBracket(token.image, tokenSpan(token, token, this.source)));
    else this.closeByAnother(token);
    return false;
  }

  /** `[a)`: one error, not an unclosed and an unopened bracket. */
  private closeByAnother(token: IToken): void {
    const opened = this.open.pop()!;
    const closer = closerOf.get(opened.tokenType)!;
    this.diagnostics.push(messages.mismatchedBracket(
      opened.image, closer.PATTERN as string, token.image, tokenSpan(opened, opened, this.source), tokenSpan(token, token, this.source),
    ));
    this.insert(closer, token.startOffset, tokenSpan(token, token, this.source));
  }

  private insert(type: TokenType, offset: number, { line, column }: Span): void {
    this.push(createTokenInstance(type, '', offset, offset - 1, line, line, column, column), []);
  }

  private reportUnclosed(opened: IToken, span: Span, offset: number): void {
    const closer = closerOf.get(opened.tokenType)!;
    this.diagnostics.push(messages.unclosedBracket(opened.image, closer.PATTERN as string, tokenSpan(opened, opened, this.source), span));
    this.insert(closer, offset, span);
  }

  private separates(token: IToken, next: IToken | undefined): boolean {
    const previous = this.tokens[this.tokens.length - 1];
    if (!previous || !this.inBraces() || cannotStart.has(token.tokenType)) return false;
    if (this.lineBroken) return !cannotEnd.has(previous.tokenType) || this.isWildcard();
    const ended = endsValue.has(previous.tokenType) || this.isWildcard() || (isIdentifier(previous) && !contextualTypes.has(previous.tokenType));
    if (!ended || !next) return false;
    return otherStatementKeywords.includes(token.tokenType) || (namingKeywords.includes(token.tokenType) && isIdentifier(next));
  }

  /** The last token is the `*` of a selector (`experts.*`), which ends it, and not a product. */
  private isWildcard(): boolean {
    const [before, last] = this.tokens.slice(-2);
    return last?.tokenType === sign['*'] && before.tokenType === sign['.'];
  }
}

export function layOut(raw: readonly IToken[], source: SourceFile, diagnostics: Diagnostic[]): { tokens: readonly Token[]; trailing: readonly string[] } {
  const layout = new Layout(source, diagnostics);
  const following = followers(raw);
  raw.forEach((token, i) => {
    if (token.tokenType === Newline) layout.newline();
    else if (token.tokenType === Comment) layout.comment(token);
    else layout.token(token, following[i]);
  });
  return layout.finish();
}

/** For each raw token the next one that is neither a newline nor a comment. */
function followers(raw: readonly IToken[]): (IToken | undefined)[] {
  const out = new Array<IToken | undefined>(raw.length);
  let next: IToken | undefined;
  for (let i = raw.length - 1; i >= 0; i--) {
    out[i] = next;
    if (raw[i].tokenType !== Newline && raw[i].tokenType !== Comment) next = raw[i];
  }
  return out;
}
