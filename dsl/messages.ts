/**
 * The catalogue: every message that a spec's author can see, one typed function each, in order of code.
 * E00xx text and syntax, E01xx names and modules; later phases add their own ranges.
 */
import type { Diagnostic, Fix, Note } from './diagnostics.js';
import type { Span } from './span.js';

export function error(code: string, message: string, span: Span, rest: { label?: string; notes?: readonly Note[]; fix?: Fix } = {}): Diagnostic {
  return { code, severity: 'error', message, span, label: rest.label, notes: rest.notes ?? [], fix: rest.fix };
}

export function didYouMean(suggestions: readonly string[]): Note[] {
  if (suggestions.length === 0) return [];
  const quoted = suggestions.map((s) => `\`${s}\``);
  const last = quoted[quoted.length - 1];
  return [{ text: `did you mean ${quoted.length === 1 ? last : `${quoted.slice(0, -1).join(', ')} or ${last}`}?` }];
}

/** A diagnostic that shows nothing of the file that `use` is in also shows `use`, which led to it. */
export function withUse(d: Diagnostic, use: Span): Diagnostic {
  if ([d.span, ...d.notes.map((n) => n.span)].some((s) => s?.file === use.file)) return d;
  return { ...d, notes: [...d.notes, { span: use, text: 'used here' }] };
}

/** Replaces the misspelt word when there is one candidate only. */
export function replaceBy(suggestions: readonly string[], span: Span): Fix | undefined {
  if (suggestions.length !== 1) return undefined;
  return { title: `write \`${suggestions[0]}\``, edits: [{ span, replacement: suggestions[0] }] };
}

/** `instead`: what the language writes; `hint`: what to do where no one symbol is meant. */
export function unexpectedCharacter(text: string, span: Span, instead?: string, hint?: string): Diagnostic {
  const point = text.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0');
  return error('E0001', `unexpected character ${JSON.stringify(text)} (U+${point})`, span, {
    notes: instead !== undefined ? [{ text: `the language writes \`${instead}\` for it` }] : hint === undefined ? [] : [{ text: hint }],
    fix: instead === undefined ? undefined : { title: `write \`${instead}\``, edits: [{ span, replacement: instead }] },
  });
}

export function unterminatedString(span: Span): Diagnostic {
  return error('E0002', 'this string is not closed on its line', span, {
    label: 'no closing `"`',
    notes: [{ text: 'a string ends on the line on which it starts; write \\" for a quote and \\\\ for a backslash' }],
  });
}

export function unclosedBracket(open: string, close: string, opened: Span, span: Span): Diagnostic {
  return error('E0003', `\`${open}\` is never closed`, span, {
    label: `expected \`${close}\` before this`,
    notes: [{ span: opened, text: `\`${open}\` opened here` }],
  });
}

export function unopenedBracket(close: string, span: Span): Diagnostic {
  return error('E0004', `\`${close}\` closes nothing`, span, { label: 'no opening bracket matches it' });
}

export function mismatchedBracket(open: string, expected: string, close: string, opened: Span, span: Span): Diagnostic {
  return error('E0006', `\`${open}\` is closed by \`${close}\``, span, {
    label: `expected \`${expected}\``,
    notes: [{ span: opened, text: `\`${open}\` opened here` }],
    fix: { title: `write \`${expected}\``, edits: [{ span, replacement: expected }] },
  });
}

export function malformedNumber(text: string, span: Span): Diagnostic {
  return error('E0005', `\`${text}\` is not a number`, span, {
    notes: [{ text: 'numbers are written 8, 0.5, 1e-6 or 163_840; a name cannot start with a digit' }],
  });
}

/**
 * `expected` is a description (`an expression`, `` `)` ``), `found` the token's text, '' at the end of the file and
 * a newline at the end of a statement. `hints` explain what may have been meant.
 */
export function unexpectedToken(expected: string, found: string, span: Span, hints: readonly string[] = []): Diagnostic {
  const what = found === '' ? 'but the file ends' : found === '\n' ? 'but the line ends' : `found \`${found}\``;
  return error('E0010', `expected ${expected}, ${what}`, span, { label: `expected ${expected}`, notes: hints.map((text) => ({ text })) });
}

/** More mistakes than anybody reads. */
export function moreErrors(span: Span): Diagnostic {
  return error('E0025', 'there are more errors from here on', span, { notes: [{ text: 'put right those above first' }] });
}

/** Why a token stands where it cannot. */
export const hints = {
  associative: 'a scan has no associative form: its step runs channels side by side; a parallel form over tokens is a body `chunk 16 as (i, j) { .. }`',
  reservedWord: (word: string) => `\`${word}\` is a reserved word and cannot be a name`,
  slashes: '`//` divides and rounds down; a comment starts with `#`',
  doubled: (symbol: string, word: string) => `\`${symbol}${symbol}\` is written \`${word}\``,
  equals: '`=` binds a name; equality is written `==`',
  continued: (operator: string) => `the line before ends with \`${operator}\`, so it goes on here`,
  mixedBrackets: 'brackets hold a list `[a, b]` or a join `[a | b]`, not both',
};

/** What a statement is, said to somebody who wrote `word` and `next`. */
export function statementRule(word: string, next: string): string {
  if (next === '==') return `\`==\` compares; to bind a name write \`${word} = ...\``;
  if (next === '(') return `a call alone changes nothing; bind what it returns: \`y = ${word}(...)\``;
  return 'a statement is `name = expression` or starts with a keyword';
}

export function unknownStatement(word: string, suggestions: readonly string[], what: string, rule: string, span: Span): Diagnostic {
  return error('E0011', `\`${word}\` does not start ${what}`, span, {
    notes: [...didYouMean(suggestions), { text: rule }],
    fix: replaceBy(suggestions, span),
  });
}

export function missingSeparator(found: string, span: Span, hints: readonly string[] = []): Diagnostic {
  return error('E0012', `unexpected \`${found}\` after a complete statement`, span, {
    label: 'not part of the statement before it',
    notes: [...hints.map((text) => ({ text })), { text: 'a statement ends with its line; operators, brackets and `=` continue it on the next line' }],
  });
}

export function positionalAfterNamed(named: Span, span: Span): Diagnostic {
  return error('E0013', 'an argument without a name after one with a name', span, {
    notes: [{ span: named, text: 'first argument with a name' }, { text: 'arguments by position come first' }],
  });
}

export function emptyBrackets(what: string, span: Span): Diagnostic {
  return error('E0014', `${what} cannot be empty`, span);
}

export function restNotFirst(span: Span): Diagnostic {
  return error('E0015', '`..` stands for the leading axes and must come first', span, {
    notes: [{ text: 'write [.., a, b]' }],
  });
}

/** `limit`: of brackets; undefined for what nests without them: `if a then b else if ..`. */
export function tooDeep(limit: number | undefined, span: Span): Diagnostic {
  const what = limit === undefined ? 'expressions are nested too deep here' : `brackets are nested more than ${limit} deep here`;
  return error('E0016', what, span, { notes: limit === undefined ? [{ text: 'choose with `match`, or name parts in statements of their own' }] : [] });
}

export function duplicateClause(clause: string, span: Span): Diagnostic {
  return error('E0017', `\`${clause}\` is given twice`, span);
}

export function missingOption(form: string, option: string, usage: string, span: Span): Diagnostic {
  return error('E0018', `\`${form}\` needs \`${option}\``, span, { notes: [{ text: `write ${usage}` }] });
}

export function unnamedOption(form: string, span: Span): Diagnostic {
  return error('E0019', `the options of \`${form}\` have names`, span, { notes: [{ text: 'write `name: value`, such as `mask: key.position <= query.position`' }] });
}

export function unknownType(name: string, suggestions: readonly string[], span: Span): Diagnostic {
  return error('E0020', `there is no type \`${name}\``, span, {
    notes: [...didYouMean(suggestions), { text: 'types are dim, int, real, bool, layer, fn, list, enum { a, b } and tensors such as [.., d]' }],
    fix: replaceBy(suggestions, span),
  });
}

export function unknownDtype(name: string, known: Iterable<string>, span: Span): Diagnostic {
  return error('E0021', `\`${name}\` is not an element type`, span, { notes: [{ text: `element types are ${[...known].join(', ')}` }] });
}

export function statementOutside(word: string, span: Span): Diagnostic {
  return error('E0022', `\`${word}\` stands outside of a model or layer`, span, {
    notes: [{ text: 'a file holds `use`, `model`, `layer`, `fn` and `const`' }],
  });
}

export function lateUse(span: Span): Diagnostic {
  return error('E0023', '`use` stands behind a definition', span, { notes: [{ text: 'every `use` comes before the first `model`, `layer`, `fn` or `const`' }] });
}

export function unknownModule(module: string, suggestions: readonly string[], span: Span): Diagnostic {
  return error('E0101', `there is no module \`${module}\``, span, {
    notes: [...didYouMean(suggestions), { text: 'the standard library is `std`; a file of your own is written `use "./file.firn".{name}`' }],
  });
}

export function missingFile(module: string, path: string, span: Span): Diagnostic {
  return error('E0102', `cannot read "${module}"`, span, { notes: [{ text: `looked for ${path}, relative to the file with this \`use\`` }] });
}

export function unreadableFile(module: string, path: string, reason: string, span: Span): Diagnostic {
  return error('E0108', `cannot read "${module}"`, span, { notes: [{ text: `${path} ${reason}` }] });
}

/** `elsewhere`: modules of the standard library that have the name. */
export function unknownImport(name: string, module: string, suggestions: readonly string[], elsewhere: readonly string[], span: Span): Diagnostic {
  const found = elsewhere.map((other) => ({ text: `${other} defines it: write \`use ${other}.{${name}}\`` }));
  return error('E0103', `\`${module}\` does not define \`${name}\``, span, { notes: [...found, ...didYouMean(suggestions)], fix: replaceBy(suggestions, span) });
}

/** `round`: module names from the one that closes the cycle back to itself. */
export function moduleCycle(round: readonly string[], uses: readonly Span[], span: Span): Diagnostic {
  return error('E0104', 'these files use each other in a circle', span, {
    label: 'closes the circle',
    notes: [...uses.map((use) => ({ span: use, text: 'part of it' })), { text: round.join(' -> ') }, { text: 'move what both need into a third file' }],
  });
}

export function ambiguousName(name: string, modules: readonly string[], span: Span): Diagnostic {
  return error('E0105', `\`${name}\` is defined by ${modules.join(' and ')}`, span, { notes: [{ text: `name the module: \`use ${modules[0]}.{${name}}\`` }] });
}

export function definedTwice(name: string, first: Span, span: Span): Diagnostic {
  return error('E0106', `\`${name}\` is defined twice`, span, { label: 'again here', notes: [{ span: first, text: 'first here' }] });
}

/** `site`: the definition in the same file, when that is what the name already stands for. */
export function usedTwice(name: string, module: string, other: string, site: Span | undefined, span: Span): Diagnostic {
  const earlier = site ? { span: site, text: 'this file defines it' } : { text: `the name is already that of ${module}` };
  return error('E0107', `\`${name}\` would stand for two things`, span, { label: `also brought in from ${other}`, notes: [earlier] });
}

/** `what` has more parts than any reader or later phase can follow. */
export function tooLong(what: string, limit: number, span: Span): Diagnostic {
  return error('E0024', `this ${what} has more than ${limit} parts`, span, { notes: [{ text: 'name its parts in statements of their own' }] });
}
