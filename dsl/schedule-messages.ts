/** The catalogue: what a target or a packing cannot honour, E08xx. Raised after checking, with the spec line it stems from. */
import type { Diagnostic } from './diagnostics.js';
import { error } from './messages.js';
import type { Span } from './span.js';

export function groupedAlongOther(path: string, grouped: string, summed: string, span: Span): Diagnostic {
  return error('E0801', `\`${path}\` is quantized in groups along ${grouped}, but the model sums it along ${summed}`, span, {
    notes: [{ text: 'attention works on the cached entries themselves, so maps of keys move to the query and are summed along the other axis' }, { text: 'leave this parameter out of `quantize`' }],
  });
}

export function neverSummed(path: string, span: Span): Diagnostic {
  return error('E0802', `\`${path}\` is quantized, but nothing sums along its groups`, span, { notes: [{ text: 'only matrices that `@` or `dot` reads can be packed; leave this parameter out of `quantize`' }] });
}

export function tooLargeToBind(what: string, bytes: number, limit: number, target: string, span: Span): Diagnostic {
  return error('E0803', `${what} takes ${bytes} bytes, and ${target} can bind ${limit} at once`, span, { notes: [{ text: 'a smaller dimension, a packed type or another target' }] });
}
