/**
 * Text to tokens. Blanks and comments mean nothing (comments are kept beside the tokens); newlines end statements:
 *
 * - Inside `(...)` and `[...]` a newline means nothing.
 * - Elsewhere a newline ends the statement, unless the line ends with something that cannot end one (a binary
 *   operator, `=`, `,`, `:`, `->`, `=>`, `|`, an opening bracket, `then`, ...) or the next line starts with something
 *   that cannot start one (a binary operator, `=`, `then`, `else`, a closing bracket, ...). Nothing starts with `-`,
 *   so a line that does continues the line before it.
 * - On one line, a statement keyword after a complete statement starts the next: `dim a = 1  dim b = 2`.
 *
 * Layout writes one `Separator` token where a statement ends and another follows. It also makes brackets balance:
 * a missing one is reported and put in, an extra one is reported and dropped, so that the parser sees no such error.
 */
import { createTokenInstance, Lexer, type IToken } from 'chevrotain';
import type { Diagnostic } from './diagnostics.js';
import { layOut } from './layout.js';
import * as messages from './messages.js';
import { spanAt, type SourceFile } from './span.js';
import { isIdentifier, lexed, NumberLiteral, OpenString, StringLiteral, tokenSpan, type Token } from './tokens.js';

export interface Lexed {
  readonly tokens: readonly Token[];
  /** Comment lines after the last token; '' is a blank line. */
  readonly trailing: readonly string[];
  readonly diagnostics: readonly Diagnostic[];
}

/** `validate`: look for mistakes in the patterns, which only a change of the vocabulary can bring in. */
export function makeLexer(validate: boolean): Lexer {
  return new Lexer([...lexed], { positionTracking: 'full', ensureOptimizations: false, skipValidations: !validate });
}

const lexer = makeLexer(false);

/** Reports after this many mistakes of one file are noise. */
export const mostErrors = 20;

/** What people paste for a symbol of the language. */
const lookalikes: Readonly<Record<string, string>> = {
  '→': '->', '←': '<-', '⇒': '=>', '≤': '<=', '≥': '>=', '≠': '!=', '−': '-', '–': '-', '×': '*', '·': '*', '÷': '/',
  '“': '"', '”': '"', "'": '"', '…': '..', '%': 'mod', '!': 'not', '&': 'and', '^': '**',
};

export function lex(source: SourceFile): Lexed {
  const { tokens, errors } = lexer.tokenize(source.text);
  const diagnostics = errors.slice(0, mostErrors + 1).map((e) => {
    const text = String.fromCodePoint(source.text.codePointAt(e.offset)!);
    const hint = text === ';' ? 'a statement ends with its line, and `,` stands between arguments' : undefined;
    return messages.unexpectedCharacter(text, { ...spanAt(e.offset, source), end: e.offset + text.length }, lookalikes[text], hint);
  });
  const clean = tokens.map((token, i) => checkLiteral(token, tokens[i + 1], source, diagnostics));
  const laidOut = layOut(clean, source, diagnostics);
  return { ...laidOut, diagnostics };
}

/** Reports an open string and a number with letters on it; the parser sees a string and a number. */
function checkLiteral(token: IToken, next: IToken | undefined, source: SourceFile, diagnostics: Diagnostic[]): IToken {
  if (token.tokenType === OpenString) {
    diagnostics.push(messages.unterminatedString(tokenSpan(token, token, source)));
    return retyped(token);
  }
  if (token.tokenType === NumberLiteral && next && isIdentifier(next) && next.startOffset === token.endOffset! + 1) {
    diagnostics.push(messages.malformedNumber(token.image + next.image, tokenSpan(token, next, source)));
  }
  return token;
}

function retyped(t: IToken): IToken {
  const end = [t.startLine, t.endLine, t.startColumn, t.endColumn].map((n) => n ?? 1);
  return createTokenInstance(StringLiteral, `${t.image}"`, t.startOffset, t.endOffset ?? t.startOffset, end[0], end[1], end[2], end[3]);
}
