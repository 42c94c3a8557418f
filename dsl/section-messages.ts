/** The catalogue: models and their sections, E06xx. */
import type { Diagnostic } from './diagnostics.js';
import { derivation, quoted, type DimOrigin } from './derivation.js';
import { didYouMean, error, replaceBy } from './messages.js';
import type { Span } from './span.js';

export function noModel(span: Span): Diagnostic {
  return error('E0601', 'this file has no model', span, { notes: [{ text: 'model Name { .. }' }] });
}

export function unknownModel(name: string, known: readonly string[], suggestions: readonly string[], span: Span): Diagnostic {
  return error('E0602', `there is no model \`${name}\``, span, { notes: [...didYouMean(suggestions), ...(known.length === 0 ? [] : [{ text: `models here: ${quoted(known)}` }])] });
}

export function circularModel(name: string, span: Span): Diagnostic {
  return error('E0603', `the model \`${name}\` is based on itself`, span);
}

export function unknownOverride(name: string, model: string, suggestions: readonly string[], span: Span): Diagnostic {
  return error('E0604', `\`${model}\` has no dim, const, table or def \`${name}\` to replace`, span, { notes: didYouMean(suggestions), fix: replaceBy(suggestions, span) });
}

export function noLogits(model: string, span: Span): Diagnostic {
  return error('E0605', `\`${model}\` gives no logits`, span, { notes: [{ text: 'a model assigns `logits` a value over the tokens and the vocabulary' }] });
}

export function logitsAxes(found: string, span: Span): Diagnostic {
  return error('E0606', `\`logits\` are over the tokens and one more axis, these are over ${found}`, span);
}

export function sectionTwice(section: string, span: Span, first: Span): Diagnostic {
  return error('E0607', `\`${section}\` is given twice`, span, { notes: [{ span: first, text: 'given here already' }] });
}

export function unknownEntry(section: string, name: string, known: readonly string[], suggestions: readonly string[], span: Span): Diagnostic {
  return error('E0608', `\`${section}\` has no entry \`${name}\``, span, { notes: [...didYouMean(suggestions), { text: `entries: ${quoted(known)}` }], fix: replaceBy(suggestions, span) });
}

export function wrongEntry(name: string, wanted: string, span: Span): Diagnostic {
  return error('E0609', `\`${name}\` must be ${wanted}`, span);
}

export function wrongSetting(name: string, wanted: string, found: string, span: Span): Diagnostic {
  return error('E0610', `\`${name}\` is ${wanted}, this is ${found}`, span);
}

export function unknownFormat(span: Span): Diagnostic {
  return error('E0611', 'parameters are quantized to int4(group: n, along: in), fp8(block: n) or mxfp4', span, { notes: [{ text: '`in` is the last axis of a parameter, over which `@` sums; `out` is its first' }] });
}

export function quantizeNothing(span: Span, known: readonly string[]): Diagnostic {
  return error('E0612', 'this selects no parameter', span, { notes: known.length === 0 ? [] : [{ text: `nearest: ${quoted(known)}` }] });
}

export function groupRemainder(path: string, axis: string, size: number, group: number, origin: DimOrigin | undefined, span: Span): Diagnostic {
  return error('E0613', `${axis} = ${size} of ${path} does not divide into groups of ${group}`, span, { notes: derivation([origin]) });
}

export function tapNothing(target: string, suggestions: readonly string[], span: Span): Diagnostic {
  return error('E0614', `nothing is exported as \`${target}\``, span, { notes: [...didYouMean(suggestions), { text: '`export name = value` in a layer or model makes a value that a tap can name' }] });
}

export function wrongUpdateRule(found: string, span: Span): Diagnostic {
  return error('E0615', `\`train with\` needs an update rule with its settings, this is ${found}`, span, { notes: [{ text: 'such as muon_clip(lr: 2e-4, weight_decay: 0.1)' }] });
}

export function unknownTap(name: string, known: readonly string[], suggestions: readonly string[], span: Span): Diagnostic {
  return error('E0616', `no tap is called \`${name}\``, span, { notes: [...didYouMean(suggestions), { text: known.length === 0 ? 'the model has no taps' : `taps: ${quoted(known)}` }] });
}

export function unfilledTemplate(span: Span): Diagnostic {
  return error('E0617', 'this model is a template: its names come from a published configuration', span, {
    notes: [{ text: '`firn import HF_DIR --rules THIS_FILE` fills it in and writes a spec' }],
  });
}

export function conditionalRule(span: Span): Diagnostic {
  return error('E0618', 'only the rules of a template have a `when`', span, { notes: [{ text: 'a finished spec has the rule, or does not have it' }] });
}
