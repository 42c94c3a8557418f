/**
 * The vocabulary. A few words are reserved (they have a meaning in every expression); all other keywords are
 * contextual: they are also identifiers (by chevrotain's token categories), so an axis may be called `state` and a
 * member `table`. Adding a keyword therefore never breaks a spec that uses the word as a name.
 */
import { createToken, Lexer, type IToken, type TokenType } from 'chevrotain';
import type { SourceFile, Span } from './span.js';

/** A token after layout, with the comments that belong to it. */
export interface Token extends IToken {
  /** Position in the token list. */
  index: number;
  /** Comment lines with their `#` above the token; '' is a blank line. */
  leading: readonly string[];
  /** Comment after the token on its line, with its `#`. */
  trailing?: string;
}

const name = /[A-Za-z_]\w*/;

export const Identifier = createToken({ name: 'Identifier', pattern: name });

function word(text: string, categories: TokenType[]): TokenType {
  return createToken({ name: `word:${text}`, pattern: new RegExp(`${text}\\b`), label: `\`${text}\``, categories });
}

function symbol(text: string): TokenType {
  return createToken({ name: `symbol:${text}`, pattern: text, label: `\`${text}\`` });
}

const reservedWords = ['if', 'then', 'else', 'match', 'and', 'or', 'not', 'mod', 'true', 'false', 'none'] as const;

const contextualWords = [
  'use', 'model', 'layer', 'fn', 'const', 'dim', 'table', 'def', 'param', 'state', 'repeat', 'at', 'return', 'export', 'require',
  'emit', 'weights', 'quantize', 'precision', 'train', 'mesh', 'context', 'stop', 'with', 'as', 'carry', 'init', 'frozen', 'when',
  'append', 'every', 'window', 'last', 'first', 'fill', 'like', 'to', 'ignore', 'tap', 'attend', 'select', 'route', 'scan', 'where', 'chunk', 'over', 'enum',
  'shared', 'own', 'head', 'import', 'within', 'known',
] as const;

const symbols = [
  '->', '<-', '=>', '==', '!=', '<=', '>=', '<', '>', '+=', '=', '+', '-', '**', '*', '//', '/', '@',
  '(', ')', '[', ']', '{', '}', ',', ':', '..', '.', '|', '?',
] as const;

export type Word = (typeof reservedWords)[number] | (typeof contextualWords)[number];
export type Symbol = (typeof symbols)[number];

function tableOf<K extends string>(keys: readonly K[], make: (key: K) => TokenType): Readonly<Record<K, TokenType>> {
  return Object.fromEntries(keys.map((key) => [key, make(key)])) as Record<K, TokenType>;
}

export const reserved = tableOf(reservedWords, (w) => word(w, []));
export const contextual = tableOf(contextualWords, (w) => word(w, [Identifier]));
export const keyword: Readonly<Record<Word, TokenType>> = { ...reserved, ...contextual };
export const sign = tableOf(symbols, symbol);

export const Underscore = createToken({ name: 'Underscore', pattern: /_\b/, label: '`_`' });
export const NumberLiteral = createToken({ name: 'Number', pattern: /\d[\d_]*(?:\.\d[\d_]*)?(?:[eE][+-]?\d+)?/, label: 'a number' });
export const StringLiteral = createToken({ name: 'String', pattern: /"(?:[^"\\\r\n]|\\.)*"/, label: 'a string' });
export const OpenString = createToken({ name: 'OpenString', pattern: /"(?:[^"\\\r\n]|\\.)*/, label: 'a string' });
export const Comment = createToken({ name: 'Comment', pattern: /#[^\r\n]*/ });
export const Newline = createToken({ name: 'Newline', pattern: /\r\n|\r|\n/, line_breaks: true });
export const Blank = createToken({ name: 'Blank', pattern: /[ \t\f\u00a0\ufeff]+/, group: Lexer.SKIPPED });

/** Ends a statement; written by layout, never by the user. */
export const Separator = createToken({ name: 'Separator', pattern: Lexer.NA, label: 'the end of the line' });
/** Stands for a statement that has already been reported as wrong. */
export const Broken = createToken({ name: 'Broken', pattern: Lexer.NA, label: 'a statement' });

export const lexed: readonly TokenType[] = [
  Blank, Newline, Comment, StringLiteral, OpenString, NumberLiteral, Underscore,
  ...Object.values(reserved), ...Object.values(contextual), Identifier,
  ...[...symbols].sort((a, b) => b.length - a.length).map((s) => sign[s]),
];
export const vocabulary: TokenType[] = [...lexed, Separator, Broken];

/** Keywords that start a statement, by what follows them. */
export const namingKeywords: readonly TokenType[] = (['dim', 'const', 'table', 'def', 'shared', 'param', 'state', 'export', 'head'] as const).map((w) => contextual[w]);
export const itemKeywords: readonly TokenType[] = (['use', 'model', 'layer', 'fn'] as const).map((w) => contextual[w]);
export const otherStatementKeywords: readonly TokenType[] = [
  reserved.if,
  ...(['repeat', 'at', 'return', 'require', 'emit', 'weights', 'quantize', 'precision', 'train', 'mesh', 'context', 'stop', 'import'] as const).map((w) => contextual[w]),
];

export const statementWords: readonly string[] = [
  'dim', 'const', 'table', 'def', 'shared', 'param', 'state', 'repeat', 'head', 'if', 'at', 'return', 'export', 'require', 'emit',
  'weights', 'quantize', 'precision', 'train', 'mesh', 'context', 'stop', 'import',
];
export const itemWords: readonly string[] = ['use', 'model', 'layer', 'fn', 'const'];

/** Element types that may follow an axis list. */
export const dtypeNames: ReadonlySet<string> = new Set(['f32', 'bf16', 'f16', 'i32', 'u32', 'bool']);

export function isIdentifier(token: IToken): boolean {
  return token.tokenType === Identifier || (token.tokenType.CATEGORIES ?? []).includes(Identifier);
}

export function tokenSpan(first: IToken, last: IToken, source: SourceFile): Span {
  const end = (last.endOffset ?? last.startOffset - 1) + 1;
  return { file: source.path, start: first.startOffset, end, line: first.startLine ?? 1, column: first.startColumn ?? 1 };
}
