/** Gradients of sums, contractions, running sums, triangular solves and indexing. */
import { hasAxis, unionAxes } from '../../ir/axes.js';
import type { GraphBuilder } from '../../ir/build.js';
import type { Axis, Node, OpName, Value } from '../../ir/graph.js';
import { axisOf, zeros, type Cotangents } from './cotangents.js';

type Op<K extends OpName> = Extract<Node, { op: K }>;

/** Of equal extremes each takes its share. */
function extremeGradient(b: GraphBuilder, op: Op<'reduce'>, x: Value, y: Value, g: Value): Value {
  const chosen = b.cast(b.map('equal', x, y), 'f32');
  return b.map('multiply', chosen, b.map('divide', g, b.reduce(chosen, 'add', op.over)));
}

/** Names among the axes of `from` that `to` lacks. */
function missing(from: readonly Axis[], to: readonly Axis[]): string[] {
  return from.filter((a) => !hasAxis(to, a.name)).map((a) => a.name);
}

function contractGradients(op: Op<'contract'>, operands: readonly Value[], g: Value, into: Cotangents): void {
  const { b } = into;
  const [a, w, ids] = operands;
  const axes = (...values: Value[]): readonly Axis[] => values.map((v) => v.type.axes).reduce((p, q) => unionAxes(p, q, 'autodiff'));
  if (op.select === undefined) {
    if (into.wants(a)) into.add(a, b.contract(g, w, missing(axes(g, w), a.type.axes)));
    if (into.wants(w)) into.add(w, b.contract(g, a, missing(axes(g, a), w.type.axes)));
    return;
  }
  const { axis } = op.select;
  const rest = w.type.axes.filter((x) => x.name !== axis);
  if (into.wants(a)) into.add(a, b.contractSelected(g, w, missing(unionAxes(axes(g, ids), rest, 'autodiff'), a.type.axes), axis, ids));
  if (!into.wants(w)) return;
  // Per chosen row, the outer product; rows chosen by nobody stay exactly 0.
  const target = unionAxes(ids.type.axes, rest, 'autodiff');
  const outer = b.contract(g, a, missing(axes(g, a), target));
  into.add(w, b.scatter(zeros(b, w.type.axes), ids, spread(b, outer, target), axis, 'add'));
}

/** `x` repeated along the axes of `axes` that it lacks. */
function spread(b: GraphBuilder, x: Value, axes: readonly Axis[]): Value {
  return axes.filter((a) => !hasAxis(x.type.axes, a.name)).reduce((value, a) => b.broadcast(value, a), x);
}

function reversed(b: GraphBuilder, x: Value, name: string): Value {
  const size = axisOf(x, name).size as number;
  return b.slice(x, name, { start: size - 1, step: -1, size });
}

/** With L = I + tril(a, -1): the right side's is inverse(transpose(L)) g; a's is -tril(that times x, -1). */
function solveGradients(op: Op<'solve_lower'>, [a, right]: readonly Value[], x: Value, g: Value, into: Cotangents): void {
  const { b } = into;
  const { rows, columns } = op;
  // A transposed triangle, read from its end in both directions, is a lower one again.
  const spare = `${columns}'`;
  const transposed = b.rename(b.rename(b.rename(a, rows, spare), columns, rows), spare, columns);
  const flipped = reversed(b, reversed(b, transposed, rows), columns);
  const solved = reversed(b, b.solveLower(flipped, reversed(b, g, rows), rows, columns), rows);
  into.add(right, solved);
  const product = b.map('negate', b.map('multiply', solved, b.rename(x, rows, columns)));
  const below = b.map('less', b.iota(axisOf(a, columns)), b.iota(axisOf(a, rows)));
  into.add(a, b.map('select', below, product, b.scalar(0)));
}

function scatterGradients(op: Op<'scatter'>, [x, ids, values]: readonly Value[], g: Value, into: Cotangents): void {
  const { b } = into;
  into.add(x, op.mode === 'add' ? g : b.scatter(g, ids, zeros(b, values.type.axes), op.axis, 'set'));
  into.add(values, b.gather(g, ids, op.axis));
}

export type SumOp = Op<'reduce' | 'contract' | 'cumulate' | 'solve_lower' | 'gather' | 'scatter'>;

export function sumGradients(node: SumOp, operands: readonly Value[], y: Value, g: Value, into: Cotangents): void {
  const { b } = into;
  const [x] = operands;
  switch (node.op) {
    case 'reduce': into.add(x, node.fn === 'add' ? g : extremeGradient(b, node, x, y, g)); break;
    case 'contract': contractGradients(node, operands, g, into); break;
    case 'cumulate': into.add(x, b.cumulate(g, node.axis, !node.reverse)); break;
    case 'solve_lower': solveGradients(node, operands, y, g, into); break;
    case 'gather': into.add(x, b.scatter(zeros(b, x.type.axes), operands[1], g, node.axis, 'add')); break;
    case 'scatter': scatterGradients(node, operands, g, into); break;
  }
}
