/** `[a | b]` joins to a sum axis; `[a | b] = e` splits one. */
import type { Identifier } from '../../dsl/ast.js';
import * as messages from '../../dsl/check-messages.js';
import type { Span } from '../../dsl/span.js';
import { isFloat } from '../ir/dtype.js';
import { fail, building, tensor, type Frame } from './frame.js';
import { requireTensor, tensorAxes, type Located } from './contract.js';
import { spread } from './elementwise.js';
import type { TensorValue, Value } from './value.js';

/** Parts side by side along their last axes; what only some parts have is broadcast. Lists of numbers are chained. */
export function join(frame: Frame, parts: readonly Located[], span: Span): Value {
  if (parts.every((p) => p.value.kind === 'vector')) {
    return { kind: 'vector', data: parts.flatMap((p) => (p.value.kind === 'vector' ? p.value.data : [])) };
  }
  const tensors = parts.map((p) => spread(frame, requireTensor(frame, p, 'a join'), p.span));
  const lasts = tensors.map((t, i) => tensorAxes(frame, t).at(-1) ?? fail(messages.noAxisToJoin(parts[i].span)));
  const into = frame.run.axes.sum(lasts);
  const float = tensors.some((t) => t.value.type.dtype !== tensors[0].value.type.dtype);
  const builder = building(frame, span);
  const values = tensors.map((t, i) => {
    const value = frame.graph.use(t);
    if (!float || value.type.dtype === 'f32') return { value, axis: lasts[i].name };
    if (!isFloat(value.type.dtype)) fail(messages.joinOfIntegers(parts[i].span));
    return { value: builder.cast(value, 'f32'), axis: lasts[i].name };
  });
  return tensor(frame, builder.concat(values, into.name), span, tensors);
}

/** The parts of the last sum axis with as many parts as there are names. */
export function splitParts(frame: Frame, x: TensorValue, names: readonly Identifier[], span: Span): readonly TensorValue[] {
  const axes = tensorAxes(frame, x);
  const sums = axes.filter((a) => a.parts !== undefined);
  const axis = sums.filter((a) => a.parts!.length === names.length).at(-1);
  if (axis === undefined) fail(messages.nothingToSplit(names.length, { span: x.span, axes: sums.length > 0 ? sums : axes }, sums.length > 0, span));
  let start = 0;
  return axis.parts!.map((part, i) => {
    const size = part.size as number;
    const value = building(frame, names[i].span).slice(frame.graph.use(x), axis.name, { start, size, into: part.name });
    start += size;
    return { ...tensor(frame, value, names[i].span, [x]), settled: x.settled, ...(x.routing === undefined ? {} : { routing: x.routing }) };
  });
}
