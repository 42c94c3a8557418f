/** The catalogue: extents and axes, E03xx. */
import type { Diagnostic } from './diagnostics.js';
import { axesText, axisText, derivation, type AxisSide, type KnownNumber, type NamedAxis } from './derivation.js';
import { didYouMean, error } from './messages.js';
import type { Span } from './span.js';

export function dynamicSize(axis: string, span: Span): Diagnostic {
  return error('E0301', `the size of \`${axis}\` is known only when the model runs`, span);
}

/** `value` is a fraction or a real. */
export function notWhole(what: string, v: KnownNumber, span: Span): Diagnostic {
  const text = v.exact === undefined ? String(v.value) : `${v.exact[0]}/${v.exact[1]}`;
  return error('E0302', `\`${what}\` must be a whole number, this is ${text}`, span, {
    notes: [...derivation(v.from ?? []), { text: '`/` is exact; write floor(..) or `//` where rounding down is meant' }],
  });
}

export function notPositive(what: string, v: KnownNumber, span: Span): Diagnostic {
  return error('E0303', `\`${what}\` must be at least 1, this is ${v.value}`, span, { notes: derivation(v.from ?? []) });
}

export function notADim(name: string, found: string, span: Span): Diagnostic {
  return error('E0304', `\`${name}\` must be an axis or a whole number, this is ${found}`, span);
}

export function contractMismatch(w: AxisSide, x: AxisSide, suggestions: readonly string[], span: Span): Diagnostic {
  const [last] = w.axes;
  return error('E0305', `\`@\` sums over ${last.spelling}, which the right side does not have`, span, {
    notes: [
      { span: w.span, text: `ends in ${axisText(last)}` },
      { span: x.span, text: `has ${x.axes.map(axisText).join(', ')}` },
      ...derivation([last.origin, x.axes.at(-1)?.origin]),
      ...unlikeAxes([last], x.axes),
      ...didYouMean(suggestions),
    ],
  });
}

export function noAxisToContract(left: Span, span: Span): Diagnostic {
  return error('E0306', '`@` sums over the last axis of its left side, which has none', span, { notes: [{ span: left, text: 'a scalar' }] });
}

export function axisNotThere(what: string, axis: NamedAxis, side: AxisSide, span: Span): Diagnostic {
  return error('E0307', `${what} needs the axis ${axis.spelling}, which is not there`, span, {
    notes: [{ span: side.span, text: `has ${side.axes.map(axisText).join(', ') || 'no axes'}` }, ...derivation([axis.origin]), ...unlikeAxes([axis], side.axes)],
  });
}

/** Why axes that look alike are not one, if some of `wanted` and `found` do. */
function unlikeAxes(wanted: readonly NamedAxis[], found: readonly NamedAxis[]): { text: string }[] {
  const [a, b] = [wanted.filter((w) => !found.some((f) => f.name === w.name)), found.filter((f) => !wanted.some((w) => w.name === f.name))];
  const twin = a.find((w) => b.some((f) => f.spelling === w.spelling));
  if (twin !== undefined) {
    return [{ text: `these are two axes called ${twin.spelling}: every layer that is given a number makes one of its own; \`dim ${twin.spelling} = ${twin.size}\` where both are called, given to both, is one` }];
  }
  if (!a.some((w) => b.some((f) => f.size === w.size))) return [];
  return [{ text: 'axes of one size are still different axes; rename(x, from: a, to: b) makes one the other, and `dim c = a + b` names a sum for a layer to take' }];
}

export function axesOfBoth(a: AxisSide, b: AxisSide, span: Span): Diagnostic {
  return error('E0308', 'each side has an axis that the other lacks', span, {
    notes: [
      { span: a.span, text: `has ${a.axes.map(axisText).join(', ')}` }, { span: b.span, text: `has ${b.axes.map(axisText).join(', ')}` },
      ...derivation([...a.axes, ...b.axes].map((x) => x.origin)),
      ...unlikeAxes(a.axes, b.axes),
      { text: 'outer(a, b) multiplies over the axes of both; broadcast(x, axis) gives one side an axis' },
    ],
  });
}

export function noAxisToJoin(span: Span): Diagnostic {
  return error('E0309', 'a join needs an axis on each side, this has none', span);
}

export function joinOfIntegers(span: Span): Diagnostic {
  return error('E0310', 'this is of integers, the other parts are not', span, { notes: [{ text: 'cast(x, to: f32) makes floats of them' }] });
}

export function nothingToSplit(parts: number, side: AxisSide, sums: boolean, span: Span): Diagnostic {
  return error('E0311', `no axis is a sum of ${parts} parts`, span, {
    notes: [{ span: side.span, text: `${sums ? 'sums here' : 'axes here'}: ${side.axes.map(axisText).join(', ') || 'none'}` }, ...derivation(side.axes.map((a) => a.origin)), { text: 'a sum axis is declared as a + b, or comes from [x | y]' }],
  });
}

export function axisTwice(axis: NamedAxis, span: Span): Diagnostic {
  return error('E0312', `the axis ${axis.spelling} is there already`, span, { notes: [{ text: `\`dim other = like ${axis.spelling}\` makes a second axis of that size` }, ...derivation([axis.origin])] });
}

export function axisSize(axis: NamedAxis, wanted: number, span: Span): Diagnostic {
  return error('E0313', `this needs an axis of ${wanted}, ${axisText(axis)}`, span, { notes: derivation([axis.origin]) });
}

export function topTooMany(k: NamedAxis, over: NamedAxis, span: Span): Diagnostic {
  return error('E0314', `the top ${axisText(k)} of only ${axisText(over)}`, span, { notes: derivation([k.origin, over.origin]) });
}

export function sliceOutside(start: number, last: number, axis: NamedAxis, span: Span): Diagnostic {
  return error('E0315', `elements ${start} to ${last} are not all in ${axisText(axis)}`, span, { notes: derivation([axis.origin]) });
}

export function indexOutside(index: number, axis: NamedAxis, span: Span): Diagnostic {
  return error('E0316', `index ${index} of ${axisText(axis)}`, span, { notes: derivation([axis.origin]) });
}

export function badStretch(count: string, axis: NamedAxis, span: Span): Diagnostic {
  return error('E0317', `a stretch of ${axisText(axis)} is a whole number of its elements, not ${count}`, span, { notes: derivation([axis.origin]) });
}

export function idsNotIntegers(dtype: string, span: Span): Diagnostic {
  return error('E0318', `ids are i32, these are ${dtype}`, span, { notes: [{ text: '`top` gives ids' }] });
}

export function parameterMismatch(name: string, wanted: AxisSide, found: AxisSide): Diagnostic {
  return error('E0319', `\`${name}\` must have ${wanted.axes.map(axisText).join(', ')}`, found.span, {
    label: `has ${found.axes.map(axisText).join(', ') || 'no axes'}`,
    notes: [{ span: wanted.span, text: 'declared here' }, ...derivation([...wanted.axes, ...found.axes].map((a) => a.origin))],
  });
}

export function tooFewAxes(name: string, wanted: number, found: AxisSide, declared: Span): Diagnostic {
  return error('E0320', `\`${name}\` needs at least ${wanted} ${wanted === 1 ? 'axis' : 'axes'}`, found.span, {
    label: `has ${axesText(found.axes)}`, notes: [{ span: declared, text: 'declared here' }],
  });
}

export function tooManyAxes(name: string, extra: AxisSide, declared: Span): Diagnostic {
  return error('E0321', `\`${name}\` has no place for ${extra.axes.map(axisText).join(', ')}`, extra.span, {
    notes: [{ span: declared, text: '`..` in front would take any further axes' }],
  });
}

export function resultAxes(layer: string, missing: AxisSide, extra: AxisSide): Diagnostic {
  const parts = [...(missing.axes.length > 0 ? [`lacks ${missing.axes.map(axisText).join(', ')}`] : []), ...(extra.axes.length > 0 ? [`has ${extra.axes.map(axisText).join(', ')} besides`] : [])];
  return error('E0322', `what \`${layer}\` returns is not what it declares: it ${parts.join(' and ')}`, extra.span, {
    notes: [{ span: missing.span, text: 'declared here' }, ...derivation([...missing.axes, ...extra.axes].map((a) => a.origin))],
  });
}

export function wrongDType(name: string, wanted: string, found: string, span: Span, declared: Span): Diagnostic {
  return error('E0323', `${name.startsWith('the ') ? name : `\`${name}\``} must be ${wanted}, this is ${found}`, span, { notes: [{ span: declared, text: 'declared here' }] });
}
