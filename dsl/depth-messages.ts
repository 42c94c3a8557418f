/** The catalogue: arms of `route`, values over depth, shared instances, integers, heads. E054x and E042x. */
import { axesText, type AxisSide, type NamedAxis } from './derivation.js';
import type { Diagnostic } from './diagnostics.js';
import { error } from './messages.js';
import type { Span } from './span.js';

export function routeArm(index: string, span: Span): Diagnostic {
  return error('E0541', `an arm of \`route\` is for the ids below a number: \`${index} < 512 => ..\`, then \`_ => ..\``, span);
}

export function routeArmOrder(first: number, end: number, axis: string, size: number, span: Span): Diagnostic {
  return error('E0542', `this arm is for ids from ${first} to below ${end}, of the ${size} of ${axis}`, span, {
    notes: [{ text: 'arms rise, and the last one is `_` unless the others take all ids' }],
  });
}

export function stackLength(axis: NamedAxis, length: number, span: Span): Diagnostic {
  return error('E0543', `${axis.spelling} has ${String(axis.size)} places, the list has ${length} elements`, span, { notes: [{ text: 'dim depth = count(past)' }] });
}

export function sharedOfNoLayer(found: string, span: Span): Diagnostic {
  return error('E0420', `\`shared\` makes an instance of a layer; this is ${found}`, span);
}

export function sharedInRoute(name: string, span: Span): Diagnostic {
  return error('E0421', `\`${name}\` would be one of many routed copies; declare it outside \`route\``, span);
}

export function sharedAxes(path: string, first: AxisSide, found: AxisSide): Diagnostic {
  return error('E0422', `\`${path}\` is shared, and another use gives it other axes`, found.span, {
    label: `over ${axesText(found.axes)}`, notes: [{ text: `the first use made it over ${axesText(first.axes)}; all uses must agree in the axes of their arguments` }],
  });
}

export function mayWrap(fn: string, reach: number, span: Span): Diagnostic {
  return error('E0544', `this ${fn === 'multiply' ? 'product' : 'sum'} of whole numbers can reach ${reach}, beyond the 2147483647 of 32 bits`, span, {
    notes: [{ text: 'inputs count as below 2^28: take `mod` first, or mulmod(a, b, modulus: m) for the remainder of a product' }],
  });
}

export function sharedStorage(first: string, other: string, span: Span): Diagnostic {
  return error('E0423', `\`${first}\` and \`${other}\` belong to one shared list and would be stored differently`, span, {
    notes: [{ text: 'quantize all members, `blocks[*]`, or none; a checkpoint must hold them in one format' }],
  });
}

export function headOutsideModel(label: string, span: Span): Diagnostic {
  return error('E0545', `\`head ${label}\` gives logits of a whole model and stands directly in it`, span);
}

export function headWithoutLogits(label: string, span: Span): Diagnostic {
  return error('E0546', `\`head ${label}\` assigns no \`logits\``, span);
}
