/** Gradients of the ops that move values between axes: each moves them back. */
import type { GraphBuilder } from '../../ir/build.js';
import type { Node, OpName, Value } from '../../ir/graph.js';
import { withoutAxes } from '../../ir/axes.js';
import { axisOf, zeros, type Cotangents } from './cotangents.js';

type Op<K extends OpName> = Extract<Node, { op: K }>;

function splitBack(b: GraphBuilder, op: Op<'merge'>, x: Value, g: Value): Value {
  return b.split(g, op.into, op.axes.map((name) => axisOf(x, name)));
}

/** Zeros with `g` at start, start + step, .. of the sliced axis. */
function sliceBack(b: GraphBuilder, op: Op<'slice'>, x: Value, g: Value): Value {
  const axis = axisOf(x, op.axis);
  if (op.step !== 1 || typeof axis.size !== 'number') {
    const ids = b.constant({ dtype: 'i32', axes: [{ name: op.into, size: op.size }] }, Array.from({ length: op.size }, (_, i) => op.start + i * op.step));
    return b.scatter(zeros(b, x.type.axes), ids, g, op.axis, 'set');
  }
  const rest = withoutAxes(g.type.axes, [op.into]);
  const pad = (size: number): Value => zeros(b, [{ name: op.axis, size }, ...rest]);
  const parts = [{ value: pad(op.start), axis: op.axis }, { value: g, axis: op.into }, { value: pad(axis.size - op.start - op.size), axis: op.axis }];
  return b.concat(parts.filter((p) => axisOf(p.value, p.axis).size !== 0), op.axis);
}

function pickBack(b: GraphBuilder, op: Op<'pick'>, x: Value, g: Value): Value {
  return b.scatter(zeros(b, x.type.axes), b.scalar(op.at, 'i32'), g, op.axis, 'set');
}

function concatBack(op: Op<'concat'>, operands: readonly Value[], g: Value, into: Cotangents): void {
  let start = 0;
  for (const [i, x] of operands.entries()) {
    const { size } = axisOf(x, op.axes[i]);
    if (typeof size !== 'number') throw new Error('autodiff: concat along an axis of dynamic size');
    into.add(x, into.b.slice(g, op.into, { start, size, into: op.axes[i] }));
    start += size;
  }
}

export type AxisOp = Op<'rename' | 'split' | 'merge' | 'slice' | 'pick' | 'concat' | 'stack' | 'broadcast'>;

export function axisGradients(node: AxisOp, operands: readonly Value[], g: Value, into: Cotangents): void {
  const { b } = into;
  const [x] = operands;
  switch (node.op) {
    case 'rename': into.add(x, node.from === node.to ? g : b.rename(g, node.to, node.from)); break;
    case 'split': into.add(x, b.merge(g, node.into.map((a) => a.name), node.axis)); break;
    case 'merge': into.add(x, splitBack(b, node, x, g)); break;
    case 'slice': into.add(x, sliceBack(b, node, x, g)); break;
    case 'pick': into.add(x, pickBack(b, node, x, g)); break;
    case 'concat': concatBack(node, operands, g, into); break;
    case 'stack': operands.forEach((o, i) => into.add(o, b.pick(g, node.into, i))); break;
    case 'broadcast': into.add(x, g); break;
  }
}
