/** The catalogue: arms of `route`, values over depth, shared instances, integers, heads. E053x and E042x. */
import type { Diagnostic } from './diagnostics.js';
import { error } from './messages.js';
import type { Span } from './span.js';

export function routeArm(index: string, span: Span): Diagnostic {
  return error('E0530', `an arm of \`route\` is for the ids below a number: \`${index} < 512 => ..\`, then \`_ => ..\``, span);
}

export function routeArmOrder(first: number, end: number, axis: string, size: number, span: Span): Diagnostic {
  return error('E0531', `this arm is for ids from ${first} to below ${end}, of the ${size} of ${axis}`, span, {
    notes: [{ text: 'arms rise, and the last one is `_` unless the others take all ids' }],
  });
}
