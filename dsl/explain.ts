/** The parser's exceptions, which name tokens and rules, to diagnostics, which say what an author did. */
import { MismatchedTokenException, NoViableAltException, NotAllInputParsedException, type IRecognitionException } from 'chevrotain';
import type { Diagnostic } from './diagnostics.js';
import * as messages from './messages.js';
import { refusalOf } from './refusals.js';
import type { Region } from './regions.js';
import { spanAt, type SourceFile, type Span } from './span.js';
import { suggest } from './suggest.js';
import { isIdentifier, itemWords, reserved, Separator, sign, statementWords, tokenSpan, type Token } from './tokens.js';

/** What the parser found instead: '' at the end of the file, a newline where a statement ends. */
interface Found {
  readonly text: string;
  readonly span: Span;
}

/** At the end of a line or of the file, the place is right behind the last token; so it is before a `}` on a later line. */
function findingAt(at: number, tokens: readonly Token[], source: SourceFile): Found {
  const token: Token | undefined = tokens[at];
  const previous: Token | undefined = tokens[at - 1];
  const ends = token === undefined || token.tokenType === Separator || (token.tokenType === sign['}'] && token.startLine !== previous?.endLine);
  if (!ends) return { text: token.image, span: tokenSpan(token, token, source) };
  return { text: token === undefined ? '' : '\n', span: spanAt(previous ? previous.endOffset! + 1 : source.text.length, source) };
}

/** `at` is the index of the token at which the parser stopped (the number of tokens at the end of the file). */
export function explain(error: IRecognitionException, at: number, region: Region, tokens: readonly Token[], source: SourceFile): Diagnostic {
  const token: Token | undefined = tokens[at];
  const { text, span } = findingAt(at, tokens, source);
  const hints = hintsFor(error, at, tokens);
  const rule = error.context.ruleStack[error.context.ruleStack.length - 1];
  const outside = rule === undefined || rule === 'item' || rule === 'file';
  const betweenStatements = error.name === NotAllInputParsedException.name || (error.name === MismatchedTokenException.name && rule === 'block');
  if (betweenStatements && at > region.from && text !== '') return messages.missingSeparator(text, span, hints);
  const atStart = betweenStatements || (error.name === NoViableAltException.name && (rule === 'statement' || rule === 'item'));
  if (!atStart) return messages.unexpectedToken(error.message, text, span, hints);
  if (token === undefined || !isIdentifier(token)) return messages.unexpectedToken(outside ? '`use`, `model`, `layer`, `fn` or `const`' : 'a statement', text, span, hints);
  return outside ? unknownItem(token.image, span) : unknownStatement(token.image, tokens[at + 1]?.image ?? '', span);
}

function unknownItem(word: string, span: Span): Diagnostic {
  if (statementWords.includes(word)) return messages.statementOutside(word, span);
  return messages.unknownStatement(word, suggestWord(word, itemWords), 'an item', 'a file holds `use`, `model`, `layer`, `fn` and `const`', span);
}

function unknownStatement(word: string, next: string, span: Span): Diagnostic {
  const refusal = refusalOf(word);
  if (refusal !== undefined) return messages.unknownStatement(word, [], 'a statement', refusal, span);
  return messages.unknownStatement(word, suggestWord(word, statementWords), 'a statement', messages.statementRule(word, next), span);
}

function suggestWord(word: string, known: readonly string[]): string[] {
  const foreign = Object.hasOwn(foreignWords, word) ? [foreignWords[word]] : suggest(word, known);
  return foreign.filter((w) => known.includes(w));
}

/** Words of other languages, and what they are called here. */
const foreignWords: Readonly<Record<string, string>> = {
  for: 'repeat', loop: 'repeat', while: 'repeat', import: 'use', from: 'use', include: 'use', func: 'fn', function: 'fn', class: 'layer', module: 'layer',
  block: 'layer', assert: 'require', parameter: 'param', cache: 'state', buffer: 'state', axis: 'dim', dimension: 'dim',
};

function hintsFor(error: IRecognitionException, at: number, tokens: readonly Token[]): string[] {
  const token = tokens[at];
  if (token === undefined) return [];
  const { hints } = messages;
  const rule = error.context.ruleStack[error.context.ruleStack.length - 1];
  const out: string[] = [];
  if (error.message === 'a name' && Object.values(reserved).includes(token.tokenType)) out.push(hints.reservedWord(token.image));
  const onLine = tokens.slice(Math.max(0, at - 40), at + 1).filter((t) => t.startLine === token.startLine);
  if (onLine.some((t) => t.tokenType === sign['//'])) out.push(hints.slashes);
  if (token.tokenType === sign['|'] && [tokens[at - 1], tokens[at + 1]].some((t) => t?.tokenType === sign['|'])) out.push(hints.doubled('|', 'or'));
  else if ([sign['|'], sign[',']].includes(token.tokenType) && rule === 'brackets') out.push(hints.mixedBrackets);
  const refusal = refusalOf(token.image);
  if (refusal !== undefined) out.push(refusal);
  if (token.image === 'associative' && onLine.some((t) => t.image === '}')) out.push(hints.associative);
  if (token.tokenType === sign['=']) out.push(continuedLine(at, tokens) ?? hints.equals);
  return out;
}

/** `x = a +` and `y = b` on the next line: the `=` comes as a surprise because of the `+`. */
function continuedLine(at: number, tokens: readonly Token[]): string | undefined {
  const [operator, name] = tokens.slice(Math.max(0, at - 2), at);
  return operator && name && operator.endLine !== name.startLine ? messages.hints.continued(operator.image) : undefined;
}
