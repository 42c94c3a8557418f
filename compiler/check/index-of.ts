/** `x[..]`: gathers by ids, picks one element, slices a stretch, indexes a list. */
import type { Expr } from '../../dsl/ast.js';
import * as messages from '../../dsl/check-messages.js';
import type { AxisValue } from './axis.js';
import { requireTensor, tensorAxes } from './contract.js';
import { resolveAxis } from './dims.js';
import { sizeOf, spread } from './elementwise.js';
import { evaluate } from './evaluate.js';
import { building, fail, place, tensor, type Frame } from './frame.js';
import type { Value as GraphValue } from '../ir/graph.js';
import { integer, real, type NumberValue } from './number.js';
import { describe, type TensorValue, type Value } from './value.js';

type Index = Extract<Expr, { kind: 'index' }>;

export function evaluateIndex(frame: Frame, e: Index): Value {
  const object = evaluate(frame, e.object);
  if (object.kind === 'vector' || object.kind === 'list') return listElement(frame, object, e);
  const routed = requireTensor(frame, { value: object, span: e.object.span }, 'an index');
  const x = spread(frame, routed, e.span);
  if (e.index.kind === 'range') return stretch(frame, x, e, e.index);
  const axis = indexedAxis(frame, x, e, 'first');
  const index = evaluate(frame, e.index);
  if (index.kind === 'number') {
    const { value } = index;
    if (typeof axis.size === 'number' && (value < 0 || value >= axis.size || !Number.isInteger(value))) fail(messages.indexOutside(value, axis, e.index.span));
    return tensor(frame, element(frame, x, axis, index, e), e.span, [x]);
  }
  const ids = requireTensor(frame, { value: index, span: e.index.span }, 'an index');
  if (ids.value.type.dtype !== 'i32') fail(messages.idsNotIntegers(ids.value.type.dtype, e.index.span));
  return tensor(frame, building(frame, e.span).gather(frame.graph.use(x), frame.graph.use(ids), axis.name), e.span, [x, ids]);
}

function indexedAxis(frame: Frame, x: TensorValue, e: Index, side: 'first' | 'last'): AxisValue {
  const axes = tensorAxes(frame, x);
  if (e.axis !== undefined) {
    const wanted = resolveAxis(frame, { kind: 'name', name: e.axis.name, span: e.axis.span });
    return axes.find((a) => a.name === wanted.name) ?? fail(messages.axisNotThere('the index', wanted, { span: e.object.span, axes }, e.axis.span));
  }
  return axes.at(side === 'first' ? 0 : -1) ?? fail(messages.notATensor('an index', 'a scalar', e.object.span));
}

/**
 * One place of an axis. Where the number depends on names, such as the index of a repeat, it is an id that may differ
 * between iterations, so that they stay one body.
 */
function element(frame: Frame, x: TensorValue, axis: AxisValue, { value, from }: NumberValue, e: Index): GraphValue {
  const builder = building(frame, e.span);
  const varies = from !== undefined && from.length > 0 && frame.graph.parent !== undefined;
  return varies ? builder.gather(frame.graph.use(x), builder.constant({ dtype: 'i32', axes: [] }, [value]), axis.name)
    : builder.pick(frame.graph.use(x), axis.name, value);
}

function listElement(frame: Frame, object: Extract<Value, { kind: 'vector' | 'list' }>, e: Index): Value {
  const index = evaluate(frame, e.index);
  const length = object.kind === 'vector' ? object.data.length : object.items.length;
  if (index.kind !== 'number') fail(messages.notAnIndex(describe(index), e.index.span));
  if (!Number.isInteger(index.value) || index.value < 0 || index.value >= length) fail(messages.indexOutsideList(index.value, length, e.index.span));
  if (object.kind === 'list') return object.items[index.value];
  const value = object.data[index.value];
  return Number.isInteger(value) ? integer(value) : real(value);
}

/** `q[last 64]`: a stretch of the last (or named) axis, on the part of a sum that it is, or on an axis of its own. */
function stretch(frame: Frame, x: TensorValue, e: Index, range: Extract<Expr, { kind: 'range' }>): TensorValue {
  const axis = indexedAxis(frame, x, e, 'last');
  const total = sizeOf(axis, e.object.span).value;
  const counted = evaluate(frame, range.count);
  const count = counted.kind === 'axis' ? sizeOf(counted, range.count.span) : counted;
  if (count.kind !== 'number' || !Number.isInteger(count.value) || count.value < 1 || count.value > total) fail(messages.badStretch(describe(count), axis, range.span));
  const size = count.value;
  const part = range.side === 'first' ? axis.parts?.[0] : axis.parts?.at(-1);
  const into = counted.kind === 'axis' ? counted : part?.size === size ? part
    : frame.run.axes.fresh(place(frame, e.span), `${axis.spelling}_${range.side}`, size);
  const start = range.side === 'first' ? 0 : total - size;
  return tensor(frame, building(frame, e.span).slice(frame.graph.use(x), axis.name, { start, size, into: into.name }), e.span, [x]);
}
