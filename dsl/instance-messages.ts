/** The catalogue: instances, parameters and states, E04xx; attend, route, scan and repeat, E05xx. */
import type { Diagnostic } from './diagnostics.js';
import { axesText, derivation, type AxisSide } from './derivation.js';
import { error } from './messages.js';
import type { Span } from './span.js';

export function unlabelledInstance(layer: string, span: Span): Diagnostic {
  return error('E0401', `this instance of \`${layer}\` has parameters or states, so it needs a label`, span, {
    notes: [{ text: 'labels name weights, taps and adapters: `attn = attention(..)`' }], label: 'write `label = ` in front',
  });
}

export function duplicateLabel(label: string, written: boolean, span: Span, first: Span): Diagnostic {
  return error('E0402', `\`${label}\` is the label of two things here`, span, {
    notes: [{ span: first, text: 'the first one' }, { text: written ? 'labels are what weights are named by: choose another one' : `without a label of its own a call takes the name that it is assigned to: \`${label} = other = layer(..)\` labels it` }],
  });
}

export function noReturn(layer: string, span: Span): Diagnostic {
  return error('E0403', `the layer \`${layer}\` returns nothing`, span, { notes: [{ text: 'its body ends with `return value`' }] });
}

export function resultCount(layer: string, declared: number, found: number, span: Span): Diagnostic {
  return error('E0404', `the layer \`${layer}\` declares ${declared} ${declared === 1 ? 'result' : 'results'} and returns ${found}`, span);
}

export function restInDeclaration(what: string, span: Span): Diagnostic {
  return error('E0405', `${what} has the axes that are written; \`..\` has no meaning here`, span);
}

export function badInit(found: string, span: Span): Diagnostic {
  return error('E0406', `\`init\` is a number, normal(deviation), uniform(low, high) or log_uniform(low, high); this is ${found}`, span);
}

export function stateInRoute(name: string, span: Span): Diagnostic {
  return error('E0407', `the state \`${name}\` would belong to one of many routed copies`, span, { notes: [{ text: 'what is inside `route` may have parameters, not states' }] });
}

export function stateEntryMismatch(name: string, declared: AxisSide, found: AxisSide): Diagnostic {
  return error('E0408', `an entry of \`${name}\` is ${axesText(declared.axes)} per token`, found.span, {
    label: `has ${axesText(found.axes)}`, notes: [{ span: declared.span, text: 'declared here' }, ...derivation([...declared.axes, ...found.axes].map((a) => a.origin))],
  });
}

export function sectionInLayer(section: string, span: Span): Diagnostic {
  return error('E0409', `\`${section}\` is about a whole model and stands directly in it`, span);
}

export function islandDType(dtype: string, span: Span): Diagnostic {
  return error('E0410', `an island is \`at f32\`, not ${dtype}`, span, { notes: [{ text: 'arithmetic is f32 already; `at f32` keeps names from being rounded' }] });
}

export function indexOutsideRoute(label: string, index: string, span: Span): Diagnostic {
  return error('E0501', `\`${label}[${index}] = ..\` needs a \`route .. as ${index}\` around it`, span);
}

export function nestedRoute(span: Span): Diagnostic {
  return error('E0502', 'a `route` inside a `route` is not supported', span);
}

export function routeWeights(ids: AxisSide, weights: AxisSide, span: Span): Diagnostic {
  return error('E0503', 'ids and weights of `route` must have the same axes', span, {
    notes: [{ span: ids.span, text: `has ${axesText(ids.axes)}` }, { span: weights.span, text: `has ${axesText(weights.axes)}` }],
  });
}

export function routeChoices(ids: AxisSide, x: AxisSide, span: Span): Diagnostic {
  return error('E0504', 'the ids of `route` must have exactly one axis that its input lacks: the choices per row', span, {
    notes: [{ span: ids.span, text: `has ${axesText(ids.axes)}` }, { span: x.span, text: `has ${axesText(x.axes)}` }],
  });
}

export function attendOverOther(found: string, span: Span): Diagnostic {
  return error('E0505', `\`attend\` reads a state that is appended to, this is ${found}`, span, { notes: [{ text: 'state kv : append [..] = entry' }] });
}

export function resultNotAState(layer: string, found: string, span: Span): Diagnostic {
  return error('E0526', `${layer} says that it returns a state here, and returns ${found}`, span);
}

export function lastStateReturned(name: string, span: Span): Diagnostic {
  return error('E0527', `\`${name}\` keeps the last tokens for its own layer; others cannot read it`, span, {
    notes: [{ text: 'return `window(..)` of it, or append to a state and return that' }],
  });
}

export function everyExtent(name: string, every: number, block: number, span: Span): Diagnostic {
  return error('E0528', `\`${name}\` has one entry every ${every} tokens; blocks of the cache hold ${block}`, span, {
    notes: [{ text: `a number that divides ${block}, or a multiple of it` }],
  });
}

export function picksAxes(state: string, found: AxisSide, span: Span): Diagnostic {
  return error('E0529', `the entries of \`${state}\` are picked by whole numbers over the tokens and one axis more, as \`select\` gives them`, span, {
    label: `over ${axesText(found.axes)}`,
  });
}

export function selectScore(state: string, found: AxisSide, span: Span): Diagnostic {
  return error('E0530', `\`by\` is a score per token and entry of \`${state}\``, span, { label: `over ${axesText(found.axes)}` });
}

export function selectStored(state: string, span: Span): Diagnostic {
  return error('E0532', `this would keep a value for every token and entry of \`${state}\`, which grows with the context`, span, {
    notes: [{ text: 'a score is made of products, sums and elementwise functions; choose among parts of an entry before it is written' }],
  });
}

export function selectSources(span: Span): Diagnostic {
  return error('E0531', '`select` chooses entries of one state', span, { notes: [{ text: 'the numbers that it gives mean entries of that state: write one `select` for each' }] });
}

export function queryAxes(q: AxisSide, span: Span): Diagnostic {
  return error('E0506', 'a query has the tokens and ends in the axis that it shares with the key', span, { label: `has ${axesText(q.axes)}` });
}

export function notFromState(role: string, state: string, side: AxisSide, span: Span): Diagnostic {
  return error('E0507', `\`${role}:\` is made of the entries of \`${state}\``, side.span, { label: `has ${axesText(side.axes)}`, notes: [{ span, text: 'name its parts here' }] });
}

export function scoreDType(role: string, wanted: string, found: string, span: Span): Diagnostic {
  return error('E0508', `the ${role} must be ${wanted === 'bool' ? 'true or false' : 'a number'}, this is ${found}`, span);
}

export function unknownScoreMember(side: string, name: string, span: Span): Diagnostic {
  return error('E0509', `\`${side}.${name}\` cannot be read in a score or mask`, span, { notes: [{ text: `there is ${side}.position; keys of other sequences are never seen` }] });
}

export function notInScore(found: string, span: Span): Diagnostic {
  return error('E0510', `${found} has no meaning in a score or mask`, span);
}

export function maskWiderThanWindow(state: string, extent: number, window: number | undefined, declared: Span, span: Span): Diagnostic {
  return error('E0511', `\`${state}\` keeps the newest ${extent} entries, the mask ${window === undefined ? 'does not say that it reads no others' : `reads ${window}`}`, span, {
    notes: [{ span: declared, text: 'declared here' }, { text: `add to the mask: query.position - key.position < ${extent}` }],
  });
}

export function emitOutside(span: Span): Diagnostic {
  return error('E0512', '`emit` stands in the body of a `scan`', span);
}

export function repeatInScan(span: Span): Diagnostic {
  return error('E0513', 'a `repeat` inside a `scan` is not supported', span);
}

export function nestedScan(span: Span): Diagnostic {
  return error('E0514', 'a `scan` inside a `scan` is not supported', span);
}

export function scanInput(name: string, side: AxisSide): Diagnostic {
  return error('E0515', `\`scan\` runs over the tokens, which \`${name}\` does not have`, side.span, {
    label: `has ${axesText(side.axes)}`,
    notes: [{ text: `the body sees \`${name}\` without being given it; \`broadcast(${name}, axis: tokens)\` is an input that is the same for every token` }],
  });
}

export function carryInitial(name: string, span: Span): Diagnostic {
  return error('E0516', `what \`${name}\` starts as does not depend on the tokens`, span, {
    notes: [{ text: 'a number, a constant or a parameter: a sequence starts with it, whatever its first token is' }],
  });
}

export function carryAxes(name: string, declared: AxisSide, found: AxisSide): Diagnostic {
  return error('E0517', `\`${name}\` must leave the body as it entered, over ${axesText(declared.axes)}`, found.span, {
    label: `over ${axesText(found.axes)}`, notes: [{ span: declared.span, text: 'carried here' }],
  });
}

export function scanEmitsNothing(span: Span): Diagnostic {
  return error('E0518', 'this `scan` emits nothing', span, { notes: [{ text: '`emit value` gives one value per token' }] });
}

export function chunkNames(span: Span): Diagnostic {
  return error('E0519', 'a chunk has two names: its rows, and a second axis like them', span, { notes: [{ text: 'chunk 64 as (i, j) { .. }' }] });
}

export function chunkEmits(rows: string, span: Span, step: Span): Diagnostic {
  return error('E0520', `a chunk emits what the step emits, over ${rows} besides`, span, { notes: [{ span: step, text: 'the step body' }] });
}
