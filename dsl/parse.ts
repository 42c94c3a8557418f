/** Text to AST, with every syntax error that stands in a statement of its own. */
import { EOF } from 'chevrotain';
import type { File } from './ast.js';
import type { Diagnostic } from './diagnostics.js';
import { explain } from './explain.js';
import { lex, mostErrors } from './lexer.js';
import * as messages from './messages.js';
import { parser } from './parser.js';
import { statementAround, withoutRegion, type Region } from './regions.js';
import type { SourceFile } from './span.js';
import { Broken, type Token } from './tokens.js';

export interface Parsed {
  /** Without the statements that were wrong; absent when not even that could be read. */
  readonly file?: File;
  /** In source order; empty when the text is well formed. */
  readonly diagnostics: readonly Diagnostic[];
}

/** Parses a file. Never throws for bad text: it is in `diagnostics`. */
export function parse(source: SourceFile): Parsed {
  const lexed = lex(source);
  const diagnostics = [...lexed.diagnostics];
  const tooDeep = diagnostics.some((d) => d.code === 'E0016');
  let tokens = lexed.tokens;
  while (!tooDeep && diagnostics.length <= mostErrors) {
    const contents = run(source, tokens);
    if (contents === 'too deep') return { diagnostics: [...diagnostics, messages.tooDeep(undefined, parser.reached())] };
    const [error] = parser.errors;
    if (!error) {
      const span = { file: source.path, start: 0, end: source.text.length, line: 1, column: 1 };
      return { file: { kind: 'file', ...contents, span, trailing: lexed.trailing }, diagnostics: inOrder([...diagnostics, ...parser.problems]) };
    }
    const at = error.token.tokenType === EOF ? tokens.length : (error.token as Token).index;
    const region = statementAround(tokens, at);
    const reported = tokens[at]?.tokenType === Broken || isExplained(region, tokens, lexed.diagnostics);
    if (!reported) diagnostics.push(explain(error, at, region, tokens, source));
    if (region.to <= region.from) break;
    tokens = withoutRegion(tokens, region);
  }
  return { diagnostics: inOrder(diagnostics) };
}

/** Forms that nest without brackets (`if a then b else if ...`) are limited by the stack only. */
function run(source: SourceFile, tokens: readonly Token[]): Pick<File, 'uses' | 'items'> | 'too deep' {
  parser.start(source, tokens);
  try {
    return parser.file();
  } catch (e) {
    if (e instanceof RangeError) return 'too deep';
    throw e;
  }
}

/** In source order; the first of those that are too many says that there are more. */
function inOrder(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  const sorted = [...diagnostics].sort((a, b) => a.span.start - b.span.start);
  return sorted.length <= mostErrors ? sorted : [...sorted.slice(0, mostErrors), messages.moreErrors(sorted[mostErrors].span)];
}

/** The statement has a wrong character, number or bracket: what the parser then stumbles over is no news. */
function isExplained(region: Region, tokens: readonly Token[], lexical: readonly Diagnostic[]): boolean {
  if (region.to <= region.from) return lexical.length > 0;
  const from = tokens[region.from].startOffset;
  const to = tokens[region.to]?.startOffset ?? Infinity;
  return lexical.some((d) => (d.span.start >= from && d.span.start <= to) || d.notes.some((n) => n.span && n.span.start >= from && n.span.start < to));
}
