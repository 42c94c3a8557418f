/** Says in words what the parser would have taken: the text of its exceptions, which `parse.ts` turns into diagnostics. */
import type { IParserErrorMessageProvider, TokenType } from 'chevrotain';
import { Broken, Identifier, NumberLiteral, Separator, sign, StringLiteral } from './tokens.js';

function nameOf(type: TokenType): string {
  if (type === Identifier) return 'a name';
  return type.LABEL ?? type.name;
}

/** Sets of first tokens that read better under one word. */
function describe(types: readonly TokenType[]): string {
  let rest = [...new Set(types)].filter((t) => t !== Broken && t !== Separator);
  const out: string[] = [];
  if (rest.includes(NumberLiteral) && rest.includes(StringLiteral) && rest.includes(sign['('])) {
    rest = rest.filter((t) => t === sign['->'] || t === sign['|'] || t === sign[')'] || t === sign[']'] || t === sign[',']);
    out.push('an expression');
  } else if (rest.includes(Identifier)) {
    rest = rest.filter((t) => t !== Identifier && !isContextual(t));
    out.push('a name');
  }
  out.push(...rest.map(nameOf));
  if (out.length === 1) return out[0];
  return `${out.slice(0, -1).join(', ')} or ${out[out.length - 1]}`;
}

function isContextual(type: TokenType): boolean {
  return (type.CATEGORIES ?? []).includes(Identifier);
}

/** What else could have stood where the one token that a rule insists on is missing. */
const alternatives: Readonly<Record<string, string>> = {
  'argumentList )': '`,` or `)`', 'attendExpr )': '`,` or `)`', 'parameters )': '`,` or `)`', 'parens )': '`,` or `)`', 'results )': '`,` or `)`',
  'nameTuple )': '`,` or `)`', 'carry )': '`,` or `)`', 'pattern ]': '`|` or `]`', 'pattern )': '`,` or `)`', 'tensorType ]': '`,` or `]`', 'attendSources ]': '`,` or `]`',
  'enumType }': '`,` or `}`', 'use }': '`,` or `}`', 'segment }': '`,` or `}`',
  'matchExpr }': 'an arm `pattern => value`', 'entriesSection }': 'an entry `name: value`', 'model }': 'a replacement `name = value`',
  'weights }': 'a rule: `"name" -> path`, `ignore "pattern"` or `tap "name" <- path`',
  'mapRule ->': '`,` or `->`',
};

export const describeExpected: IParserErrorMessageProvider = {
  buildMismatchTokenMessage: ({ expected, ruleName, actual }) =>
    ruleName === 'brackets' && actual.tokenType !== sign[','] && actual.tokenType !== sign['|'] ? '`,`, `|` or `]`' : alternatives[`${ruleName} ${String(expected.PATTERN)}`] ?? nameOf(expected),
  buildNotAllInputParsedMessage: () => 'the end of the file',
  buildNoViableAltMessage: ({ expectedPathsPerAlt, customUserDescription }) =>
    customUserDescription ?? describe(expectedPathsPerAlt.flat().map((path) => path[0]).filter((t) => t !== undefined)),
  buildEarlyExitMessage: ({ expectedIterationPaths, customUserDescription }) =>
    customUserDescription ?? describe(expectedIterationPaths.map((path) => path[0]).filter((t) => t !== undefined)),
};
