/** Text to AST, with every syntax error that stands in a statement of its own. */
import { EOF, MismatchedTokenException, NoViableAltException, NotAllInputParsedException, type IRecognitionException } from 'chevrotain';
import type { File } from './ast.js';
import type { Diagnostic } from './diagnostics.js';
import { lex } from './lexer.js';
import * as messages from './messages.js';
import { parser } from './parser.js';
import { statementAround, withoutRegion, type Region } from './regions.js';
import { spanAt, type SourceFile, type Span } from './span.js';
import { suggest } from './suggest.js';
import { Broken, isIdentifier, itemWords, Separator, statementWords, tokenSpan, type Token } from './tokens.js';

export interface Parsed {
  /** Without the statements that were wrong; absent when not even that could be read. */
  readonly file?: File;
  /** In source order; empty when the text is well formed. */
  readonly diagnostics: readonly Diagnostic[];
}

/** Reports after this many broken statements are noise. */
const mostErrors = 50;

/** Parses a file. Never throws for bad text: it is in `diagnostics`. */
export function parse(source: SourceFile): Parsed {
  const lexed = lex(source);
  const diagnostics = [...lexed.diagnostics];
  const tooDeep = diagnostics.some((d) => d.code === 'E0016');
  let tokens = lexed.tokens;
  while (!tooDeep && diagnostics.length < mostErrors) {
    parser.start(source, tokens);
    const contents = parser.file();
    const [error] = parser.errors;
    if (!error) {
      const span = { file: source.path, start: 0, end: source.text.length, line: 1, column: 1 };
      return { file: { kind: 'file', ...contents, span, trailing: lexed.trailing }, diagnostics: inOrder([...diagnostics, ...parser.problems]) };
    }
    const at = error.token.tokenType === EOF ? tokens.length : (error.token as Token).index;
    const region = statementAround(tokens, at);
    if (region.to <= region.from) {
      diagnostics.push(explain(error, at, region, tokens, source));
      break;
    }
    const reported = tokens[at]?.tokenType === Broken || isExplained(region, tokens, lexed.diagnostics);
    if (!reported) diagnostics.push(explain(error, at, region, tokens, source));
    tokens = withoutRegion(tokens, region);
  }
  return { diagnostics: inOrder(diagnostics) };
}

function inOrder(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  return [...diagnostics].sort((a, b) => a.span.start - b.span.start);
}

/** The statement has a wrong character, number or bracket: what the parser then stumbles over is no news. */
function isExplained(region: Region, tokens: readonly Token[], lexical: readonly Diagnostic[]): boolean {
  const from = tokens[region.from].startOffset;
  const to = tokens[region.to]?.startOffset ?? Infinity;
  return lexical.some((d) => (d.span.start >= from && d.span.start <= to) || d.notes.some((n) => n.span && n.span.start >= from && n.span.start < to));
}

/** At the end of a line or of the file, the place is right behind the last token. */
function spanOf(at: number, tokens: readonly Token[], source: SourceFile): Span {
  const token = tokens[at];
  if (token && token.tokenType !== Separator) return tokenSpan(token, token, source);
  const previous = tokens[at - 1];
  return spanAt(previous ? previous.endOffset! + 1 : source.text.length, source);
}

function explain(error: IRecognitionException, at: number, region: Region, tokens: readonly Token[], source: SourceFile): Diagnostic {
  const token: Token | undefined = tokens[at];
  const span = spanOf(at, tokens, source);
  const rule = error.context.ruleStack[error.context.ruleStack.length - 1];
  const place = rule === 'item' || rule === 'file' ? 'item' : 'statement';
  const found = token === undefined ? '' : token.tokenType === Separator ? '\n' : token.image;
  const betweenStatements = error.name === NotAllInputParsedException.name || (error.name === MismatchedTokenException.name && rule === 'block');
  if (betweenStatements && at > region.from && found !== '') return messages.missingSeparator(found, span);
  const atStart = betweenStatements || (error.name === NoViableAltException.name && (rule === 'statement' || rule === 'item'));
  if (!atStart) return messages.unexpectedToken(error.message, found, span);
  if (token === undefined || !isIdentifier(token)) return messages.unexpectedToken(place === 'item' ? '`use`, `model`, `layer`, `fn` or `const`' : 'a statement', found, span);
  return unknownStart(token, place, span);
}

function unknownStart(token: Token, place: 'item' | 'statement', span: Span): Diagnostic {
  if (place === 'item') {
    if (statementWords.includes(token.image)) return messages.statementOutside(token.image, span);
    return messages.unknownStatement(token.image, suggest(token.image, itemWords), 'part of a file', 'a file holds `use`, `model`, `layer`, `fn` and `const`', span);
  }
  const known = suggest(token.image, statementWords);
  return messages.unknownStatement(token.image, known, 'statement', 'a statement is `name = expression` or starts with a keyword', span);
}
