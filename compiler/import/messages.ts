/** Messages about a published `config.json` and the rules that read it: E09xx. Spans point into that file. */
import type { Diagnostic } from '../../dsl/diagnostics.js';
import type { Span } from '../../dsl/span.js';
import type { Value } from './config.js';

function error(code: string, message: string, span: Span, ...notes: string[]): Diagnostic {
  return { code, severity: 'error', message, span, notes: notes.map((text) => ({ text })) };
}
const byHand = 'or write the spec by hand: start from the nearest file in examples/, which says the same things in words, and run `firn check` on it; docs/language.md is the language on one page, with weight maps';

/** A value as it is quoted: enough to find it. */
function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length <= 120 ? text : `${text.slice(0, 120)}...`;
}

export function notJson(why: string, span: Span): Diagnostic {
  return error('E0901', `this is not JSON: ${why}`, span);
}

export function tooDeep(levels: number, span: Span): Diagnostic {
  return error('E0901', `lists and objects are nested more than ${levels} levels deep`, span, 'no published configuration is: download the file again');
}

export function unknownArchitecture(found: string, known: readonly string[], span: Span): Diagnostic {
  return error('E0902', `no import rules for the architecture '${found}'`, span,
    `known: ${[...known].sort().join(', ')}`,
    `a family is one file: a model with \`import ${JSON.stringify(found)} { .. }\`, which says where its numbers stand in config.json; copy the nearest one from dsl/std/families/ and give it with --rules FILE`,
    byHand);
}

/** `rules`: the binding that asked, which has no default. */
export function missingKey(keys: readonly string[], isNull: boolean, rules: Span, span: Span): Diagnostic {
  const names = keys.map((k) => `'${k}'`).join(' or ');
  return error('E0903', `${names} is ${isNull ? 'null' : 'missing'}`, span, `${rules.file}:${rules.line} reads it and has no default: numbers that differ between models are never guessed`);
}

export function wrongKind(key: string, wanted: string, found: unknown, span: Span): Diagnostic {
  return error('E0904', `'${key}' should be ${wanted}, but is ${shown(found)}`, span);
}

/** A key or value that changes what the model computes, in a way the rules cannot write. */
export function unsupported(key: string, found: unknown, why: string, rules: string, span: Span): Diagnostic {
  return error('E0905', `'${key}' is ${shown(found)}: ${why}`, span, `the rules are in ${rules}: extend a copy of it and give it with --rules FILE`, byHand);
}

export function unknownKey(key: string, rules: string, span: Span): Diagnostic {
  return error('E0906', `unknown key '${key}'`, span,
    'it may change what the model computes, and leaving it out silently would give other numbers',
    `if it changes nothing, list it as \`known\` in ${rules} (or a copy of it, given with --rules FILE)`, byHand);
}

/** The value is none of those that a `match` of the rules lists. */
export function valueOutside(key: string, found: unknown, known: readonly string[], match: Span, span: Span): Diagnostic {
  return error('E0907', `'${key}' is ${shown(found)}, which ${match.file} does not know`, span,
    `${match.file}:${match.line} has ${known.join(', ')}: add an arm to it, or to a copy given with --rules FILE`, byHand);
}

export function wrongOperand(wanted: string, found: Value | undefined, span: Span): Diagnostic {
  return error('E0908', `the rules need ${wanted} here, this is ${shown(found)}`, span);
}

export function notOfTheConfiguration(span: Span): Diagnostic {
  return error('E0910', 'an entry of an import section is made of keys, numbers, strings, lists, operators, `if` and `match`', span, 'what is of the model itself stands in the model');
}

export function noTemplate(span: Span): Diagnostic {
  return error('E0909', 'no model of this file has an `import` section', span, 'write model Name { import "model_type" { hidden : int = hidden_size } .. }; see dsl/std/families/');
}

export function quantization(key: string, found: unknown, why: string, span: Span): Diagnostic {
  return error('E0905', `'${key}' is ${shown(found)}: ${why}`, span, byHand);
}
