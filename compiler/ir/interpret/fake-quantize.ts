/** `fake_quantize`: rounds to the values that a storage can hold, in f32. */
import { floatValues, fromE8m0, largestFloat, nearestCode, toE8m0, type FloatCode } from '../../kernels/float-codes.js';
import { roundHalfEven } from '../../kernels/half.js';
import { castTo } from '../evaluate-expr.js';
import type { Operation } from '../graph.js';
import { stridesOf, strideOf, visit, type Extent, type Tensor } from './tensor.js';

type Data = Tensor['data'];

export function fakeQuantize(op: Extract<Operation, { op: 'fake_quantize' }>, x: Tensor, out: Tensor): void {
  const { storage } = op;
  switch (storage.kind) {
    case 'plain':
      for (let i = 0; i < x.data.length; i++) out.data[i] = castTo(storage.dtype, x.dtype, x.data[i]);
      return;
    case 'int4': return eachGroup(x, storage.along, storage.group, (places) => roundInt4(x.data, out.data, places));
    case 'mxfp4': return eachGroup(x, storage.along, storage.group, (places) => roundFloats('e2m1', (most) => fromE8m0(toE8m0(most / 6)), x.data, out.data, places));
    case 'fp8': return eachBlock(x, storage.block, (places) => roundFloats('e4m3', (most) => Math.fround(most / largestFloat.e4m3), x.data, out.data, places));
  }
}

/** Elements, by place, that share a scale: `group` neighbours along one axis. */
function eachGroup(x: Tensor, axis: string, group: number, visitGroup: (places: readonly number[]) => void): void {
  const along = x.axes.find((a) => a.name === axis)!;
  const step = strideOf(x, axis);
  eachPlace(x, x.axes.filter((a) => a !== along), (base) => {
    for (let g = 0; g < along.size; g += group) visitGroup(stretch(Math.min(group, along.size - g), base + g * step, step));
  });
}

/** Elements of a block of the last two axes. */
function eachBlock(x: Tensor, block: number, visitBlock: (places: readonly number[]) => void): void {
  const [rows, columns] = x.axes.slice(-2);
  const [down, right] = [strideOf(x, rows.name), strideOf(x, columns.name)];
  eachPlace(x, x.axes.slice(0, -2), (base) => {
    for (let r = 0; r < rows.size; r += block) for (let c = 0; c < columns.size; c += block) {
      const first = stretch(Math.min(block, rows.size - r), base + r * down + c * right, down);
      visitBlock(first.flatMap((at) => stretch(Math.min(block, columns.size - c), at, right)));
    }
  });
}

function stretch(count: number, from: number, step: number): number[] {
  return Array.from({ length: count }, (_, i) => from + i * step);
}

function eachPlace(x: Tensor, axes: readonly Extent[], visitPlace: (base: number) => void): void {
  visit(axes, [stridesOf(x, axes)], ([start], count, [step]) => {
    for (let i = 0; i < count; i++) visitPlace(start + i * step);
  });
}

const largestOf = (data: Data, places: readonly number[]): number => places.reduce((most, at) => Math.max(most, Math.abs(data[at])), 0);

/** scale = bf16(max|x| / 7), code = round(x / scale) in -8 .. 7. */
function roundInt4(from: Data, to: Data, places: readonly number[]): void {
  const scale = castTo('bf16', 'f32', Math.fround(largestOf(from, places) / 7));
  for (const at of places) to[at] = scale === 0 ? 0 : Math.min(7, Math.max(-8, roundHalfEven(from[at] / scale))) * scale;
}

function roundFloats(code: FloatCode, scaleOf: (most: number) => number, from: Data, to: Data, places: readonly number[]): void {
  const scale = scaleOf(largestOf(from, places));
  for (const at of places) to[at] = scale === 0 ? 0 : floatValues[code][nearestCode(code, from[at] / scale)] * scale;
}
