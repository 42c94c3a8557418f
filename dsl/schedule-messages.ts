/** The catalogue: what a target or a packing cannot honour, E08xx. Raised after checking, with the spec line it stems from. */
import type { Diagnostic } from './diagnostics.js';
import { error } from './messages.js';
import type { Span } from './span.js';

export function groupedAlongOther(path: string, grouped: string, summed: string, span: Span): Diagnostic {
  return error('E0831', `\`${path}\` is quantized in groups along ${grouped}, but the model sums it along ${summed}`, span, {
    notes: [{ text: 'attention works on the cached entries themselves, so maps of keys move to the query and are summed along the other axis' }, { text: 'leave this parameter out of `quantize`' }],
  });
}

export function neverSummed(path: string, span: Span): Diagnostic {
  return error('E0832', `\`${path}\` is quantized, but nothing sums along its groups`, span, { notes: [{ text: 'only matrices that `@` or `dot` reads can be packed; leave this parameter out of `quantize`' }] });
}

export function rankPartsDoNotDivide(axis: string, size: number, path: string, group: string, count: number, span: Span): Diagnostic {
  return error('E0810', `the axis ${axis} of \`${path}\` has ${size} places, which do not divide among ${count} ranks`, span, {
    notes: [{ text: `the mesh cuts ${axis} along \`${group}: ${count}\`; its number of ranks must divide ${size}` }],
  });
}

export function rankPartsCutGroups(axis: string, part: number, path: string, group: string, count: number, quantized: number, span: Span): Diagnostic {
  return error('E0811', `\`${path}\` is quantized in groups of ${quantized} along ${axis}, but each of ${count} ranks gets ${part} places of it`, span, {
    notes: [{ text: `the mesh cuts ${axis} along \`${group}: ${count}\`, and a group shares one scale; fewer ranks, or a group size that divides ${part}` }],
  });
}

export function meshAxisNotSupported(group: string, supported: readonly string[], span: Span): Diagnostic {
  return error('E0812', `nothing can be divided along the mesh axis \`${group}\``, span, { notes: [{ text: `models are divided along ${supported.map((s) => `\`${s}\``).join(' and ')}` }] });
}

export function nothingToDivide(group: string, count: number, what: string, span: Span): Diagnostic {
  return error('E0813', `the model has nothing to divide along \`${group}: ${count}\``, span, { notes: [{ text: `it divides ${what}` }, { text: `leave \`${group}\` out of the mesh` }] });
}

export function tooLargeToBind(what: string, bytes: number, limit: number, target: string, span: Span): Diagnostic {
  return error('E0833', `${what} takes ${bytes} bytes, and ${target} can bind ${limit} at once`, span, { notes: [{ text: 'a smaller dimension, a packed type or another target' }] });
}

export function blocksCut(path: string, along: string, block: number, span: Span): Diagnostic {
  return error('E0834', `\`${path}\` is summed over ${along}, along which the borders of its blocks of ${block} lie at places that are no multiple of 4`, span, {
    notes: [{ text: 'choose dims of which 4 is a divisor, or leave this parameter unquantized' }],
  });
}

export function formatNotOnTarget(path: string, format: string, span: Span): Diagnostic {
  return error('E0835', `\`${path}\` is ${format}, which kernels for matrix instructions do not unpack`, span, { notes: [{ text: 'int4 in groups of 16, 32 or 64 is; or compile for another target' }] });
}
