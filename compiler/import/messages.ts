/** Messages about a published `config.json`: E09xx. Spans point into that file. */
import type { Diagnostic } from '../../dsl/diagnostics.js';
import type { Span } from '../../dsl/span.js';

function error(code: string, message: string, span: Span, ...notes: string[]): Diagnostic {
  return { code, severity: 'error', message, span, notes: notes.map((text) => ({ text })) };
}
const byHand = 'write the spec by hand: start from the nearest file in examples/, which says the same things in words, and run `firn check` on it';

export function notJson(why: string, span: Span): Diagnostic {
  return error('E0901', `this is not JSON: ${why}`, span);
}
export function unknownArchitecture(found: string, known: readonly string[], span: Span): Diagnostic {
  return error('E0902', `no importer for the architecture '${found}'`, span, `known: ${known.join(', ')}`, byHand);
}
export function missingKey(key: string, span: Span): Diagnostic {
  return error('E0903', `'${key}' is missing`, span, 'the importer has no default for numbers that differ between models');
}
export function wrongKind(key: string, wanted: string, found: unknown, span: Span): Diagnostic {
  return error('E0904', `'${key}' should be ${wanted}, but is ${JSON.stringify(found)}`, span);
}
/** A key or value that changes what the model computes, in a way the importer cannot write. */
export function unsupported(key: string, found: unknown, why: string, span: Span): Diagnostic {
  return error('E0905', `'${key}' is ${JSON.stringify(found)}: ${why}`, span, byHand);
}
export function unknownKey(key: string, span: Span): Diagnostic {
  return error('E0906', `unknown key '${key}'`, span, 'it may change what the model computes, and leaving it out silently would give other numbers', byHand);
}
