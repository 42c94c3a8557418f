/** Messages about the `weights` section: E08xx. */
import type { Diagnostic, Note } from '../../dsl/diagnostics.js';
import type { Span } from '../../dsl/span.js';

function error(code: string, message: string, span: Span, notes: readonly Note[]): Diagnostic {
  return { code, severity: 'error', message, span, notes };
}
const list = (items: readonly string[], most = 5): string =>
  items.slice(0, most).join(', ') + (items.length > most ? ` and ${items.length - most} more` : '');

export function badName(why: string, span: Span): Diagnostic {
  return error('E0801', `this weight rule cannot be used: ${why}`, span, [{ text: 'a rule reads "checkpoint.{i}.name" -> path[i].name, and every capture stands on both sides' }]);
}

export function badLayout(pattern: string, why: string, span: Span): Diagnostic {
  return error('E0802', `the layout "${pattern}" does not fit: ${why}`, span, [{
    text: 'a layout lists the stored axes; (a b) is one stored axis of extent a * b, (a | b) is two parameters side by side; names stand for the parameter\'s axes in order',
  }]);
}

export function mappedTwice(path: string, first: Span, span: Span): Diagnostic {
  return error('E0803', `\`${path}\` is mapped by two rules`, span, [
    { span: first, text: 'the first one' },
    { text: 'if the two belong to unlike layers, give each its own label where it is called: `if c then (attn = full(x)) else (delta = linear(x))`' },
  ]);
}

export function ruleMatchesNothing(target: string, near: readonly string[], span: Span): Diagnostic {
  return error('E0804', `no parameter matches \`${target}\``, span, near.length === 0 ? [] : [{ text: `the model has ${list(near)}` }]);
}

export function unmapped(paths: readonly string[], span: Span): Diagnostic {
  return error('E0805', `the weights section says nothing about ${paths.length === 1 ? 'the parameter' : `${paths.length} parameters:`} ${list(paths)}`, span, [
    { text: 'every parameter needs a rule that says which checkpoint tensor it is' },
  ]);
}

export function incompleteFusion(name: string, missing: readonly string[], span: Span): Diagnostic {
  return error('E0806', `the tensor "${name}" holds several parameters, but the model has no ${list(missing)}`, span, [
    { text: 'a rule meets every layer that has its path: unlike layers need labels of their own' },
  ]);
}

export function severalSources(span: Span): Diagnostic {
  return error('E0807', 'several stored tensors for one parameter are understood only as the three parts of int4 (weight_packed, weight_scale, weight_shape)', span, [
    { text: 'a rule for "x.weight" finds those three by itself if the parameter is quantised to int4' },
  ]);
}
