/** The catalogue: variants of a model, E065x. */
import type { Diagnostic } from './diagnostics.js';
import { quoted } from './derivation.js';
import { didYouMean, error } from './messages.js';
import type { Span } from './span.js';

export function unknownVariable(name: string, model: string, suggestions: readonly string[], known: readonly string[], span: Span): Diagnostic {
  return error('E0650', `\`${model}\` has nothing called \`${name}\` that could vary`, span, {
    notes: [...didYouMean(suggestions), ...(suggestions.length > 0 ? [] : [{ text: `what can vary: ${quoted(known)}` }])],
  });
}

export function ambiguousVariable(name: string, paths: readonly string[], span: Span): Diagnostic {
  return error('E0651', `\`${name}\` could be ${paths.length} things`, span, { notes: [{ text: `write one of ${quoted(paths)}` }] });
}

export function badVariantValue(name: string, text: string, why: string, span: Span): Diagnostic {
  return error('E0652', `\`${text}\` is no value for \`${name}\`: ${why}`, span, { notes: [{ text: 'a value is written as in a spec: 384, 1e-6, full, gqa(heads: 8, ..)' }] });
}

export function tooManyVariants(count: number, most: number, span: Span): Diagnostic {
  return error('E0653', `${count} variants are more than ${most}`, span, { notes: [{ text: 'vary fewer things, or give them fewer values' }] });
}

/** `name` means one thing in the file of a model and another in that of its base. */
export function twoMeanings(model: string, name: string, span: Span, other: Span): Diagnostic {
  return error('E0654', `a miniature of \`${model}\` is one file, in which \`${name}\` would stand for two things`, span, {
    label: 'this one', notes: [{ span: other, text: 'and this one' }, { text: 'give one of them another name' }],
  });
}
