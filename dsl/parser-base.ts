/**
 * What all grammar rules share: spans, comments, gates. The parser stops at its first error; `parse.ts` takes the
 * broken statement out and parses again, so every rule may assume that what it has consumed is right.
 */
import { EmbeddedActionsParser, type IToken, type TokenType } from 'chevrotain';
import type { Identifier, Statement, StringLiteral } from './ast.js';
import type { Diagnostic } from './diagnostics.js';
import { describeExpected } from './expected.js';
import type { SourceFile, Span } from './span.js';
import { isIdentifier, tokenSpan, vocabulary, type Token } from './tokens.js';

export interface Trivia {
  readonly leading?: readonly string[];
  readonly trailing?: string;
  readonly closing?: readonly string[];
}

const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };

/** A block with its braces. */
export interface Block {
  readonly opener: IToken;
  readonly closer: IToken;
  readonly body: readonly Statement[];
}

export abstract class ParserBase extends EmbeddedActionsParser {
  source: SourceFile = { path: '', text: '' };
  /** Errors that do not stop the parser. */
  problems: Diagnostic[] = [];
  /** Tokens (by index) whose comments an inner node has taken. */
  private claimed = new Set<number>();

  /** `validate`: look for ambiguities and left recursion of the grammar, which only a change of it can bring in. */
  constructor(validate: boolean) {
    super(vocabulary, { recoveryEnabled: false, maxLookahead: 2, errorMessageProvider: describeExpected, skipValidations: !validate });
  }

  start(source: SourceFile, tokens: readonly Token[]): void {
    this.source = source;
    this.problems = [];
    this.claimed = new Set();
    this.input = [...tokens];
  }

  /** From `first` to the last token consumed. */
  protected spanFrom(first: IToken): Span {
    return tokenSpan(first, this.LA(0), this.source);
  }

  protected identifier(token: IToken): Identifier {
    return { name: token.image, span: tokenSpan(token, token, this.source) };
  }

  protected string(token: IToken): StringLiteral {
    const value = token.image.slice(1, -1).replace(/\\(.)/g, (_, c: string) => escapes[c] ?? c);
    return { value, span: tokenSpan(token, token, this.source) };
  }

  /** Whether the token at `offset` is one of this type and stands against the one before it. */
  protected touches(offset: number, type: TokenType): boolean {
    return this.is(offset, type) && this.LA(offset - 1).endOffset! + 1 === this.LA(offset).startOffset;
  }

  protected is(offset: number, ...types: readonly TokenType[]): boolean {
    return types.includes(this.LA(offset).tokenType);
  }

  protected isName(offset: number): boolean {
    return isIdentifier(this.LA(offset));
  }

  /** The comments of one token, taken from the nodes around it. */
  protected takeComments(token: IToken): readonly string[] {
    const { index, leading, trailing } = token as Token;
    this.claimed.add(index);
    return trailing === undefined ? leading : [...leading, trailing];
  }

  /** As `trivia`, for a node within a line: blank lines above it mean nothing. */
  protected inlineTrivia(first: IToken): Trivia {
    const { leading, ...rest } = this.trivia(first);
    const lines = leading?.filter((line) => line !== '') ?? [];
    return lines.length > 0 ? { leading: lines, ...rest } : rest;
  }

  /**
   * The comments of the tokens from `first` to the last one consumed that no inner node has taken. With a block, those
   * behind its `{` (`opener`) and around its `}` have their own places.
   */
  protected trivia(first: IToken, opener?: IToken): Trivia {
    const from = (first as Token).index;
    const to = (this.LA(0) as Token).index;
    const leading: string[] = [];
    const closing: string[] = [];
    let trailing: string | undefined;
    for (let i = from; i <= to; i++) {
      const token = this.input[i] as Token;
      if (this.claimed.has(i)) continue;
      const place = opener && i === to ? closing : leading;
      place.push(...(i === from || place === closing ? token.leading : token.leading.filter((line) => line !== '')));
      if (token.trailing === undefined) continue;
      if (opener ? token === opener : i === to) trailing = token.trailing;
      else place.push(token.trailing);
    }
    for (let i = from; i <= to; i++) this.claimed.add(i);
    return {
      ...(leading.length > 0 ? { leading } : {}),
      ...(trailing !== undefined ? { trailing } : {}),
      ...(closing.length > 0 ? { closing } : {}),
    };
  }
}
