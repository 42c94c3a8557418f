/** Along which axes a recurrence is divided among programs. */
import type { Axis, Node, ValueId } from '../../ir/graph.js';
import { typeOf, type GraphIndex } from '../../ir/graph-index.js';

/**
 * Axes that every carry and emitted value has and along which the body works place by place. What lacks such an axis is
 * computed by the program of each place: if that is most of the work, the axis stays whole in one program, unless
 * programs must be `narrow` (tiles have to fit little memory). `carries`: axes of the carried values.
 */
export function parallelAxes(node: Node & { op: 'scan' }, body: GraphIndex, carries: readonly (readonly Axis[])[], narrow: boolean): Axis[] {
  const lists = [...carries, ...node.results.slice(0, node.emits).map((r) => r.type.axes)];
  const apart = lists[0].filter((axis) => typeof axis.size === 'number' && lists.every((axes) => axes.some((a) => a.name === axis.name)) && body.graph.nodes.every((n) => !mixes(n, axis.name)));
  if (narrow) return apart;
  const parallel: Axis[] = [];
  for (const axis of apart) if (repeatsLittle(body, [...parallel, axis].map((a) => a.name), axis)) parallel.push(axis);
  return parallel;
}

/** Elements of the largest value that one program of the body holds. */
export function largestTile(node: Node & { op: 'scan' }, body: GraphIndex, carries: readonly (readonly Axis[])[], narrow: boolean): number {
  const divided = new Set(parallelAxes(node, body, carries, narrow).map((a) => a.name));
  const held = (axes: readonly Axis[]): number => axes.reduce((n, a) => (divided.has(a.name) || typeof a.size !== 'number' ? n : n * a.size), 1);
  return Math.max(...body.graph.nodes.flatMap((n) => n.results.map((r) => held(r.type.axes))));
}

/** Whether dividing along `axis` too leaves more work that is done once than work that every place repeats. */
function repeatsLittle(body: GraphIndex, divided: readonly string[], axis: Axis): boolean {
  let [once, repeated] = [0, 0];
  for (const node of body.graph.nodes) {
    const axes = node.results[0].type.axes;
    // Per place of the axes that are divided already.
    const work = operations(body, node) / axes.reduce((n, a) => (a.name !== axis.name && divided.includes(a.name) ? n * (a.size as number) : n), 1);
    if (axes.some((a) => a.name === axis.name)) once += work;
    else repeated += work * (axis.size as number);
  }
  return repeated <= once;
}

function operations(body: GraphIndex, node: Node): number {
  const count = (value: ValueId, names?: readonly string[]): number =>
    typeOf(body, value).axes.reduce((n, a) => (names === undefined || names.includes(a.name) ? n * (a.size as number) : n), 1);
  const elements = count(node.results[0].id);
  switch (node.op) {
    case 'contract': return elements * count(node.operands[0], node.over);
    case 'solve_lower': return elements * count(node.operands[0], [node.rows]);
    case 'reduce': case 'cumulate': return count(node.operands[0]);
    case 'map': return elements;
    default: return 0;
  }
}

function mixes(node: Node, axis: string): boolean {
  switch (node.op) {
    case 'map': case 'cast': case 'broadcast': case 'param': case 'const': case 'stop_gradient': return false;
    case 'contract': case 'reduce': return node.over.includes(axis);
    case 'rename': return node.from === axis || node.to === axis;
    case 'slice': case 'pick': case 'cumulate': case 'top': case 'gather': case 'iota': return node.axis === axis || ('into' in node && node.into === axis);
    case 'split': return node.axis === axis || node.into.some((a) => a.name === axis);
    case 'merge': return node.into === axis || node.axes.includes(axis);
    case 'concat': return node.into === axis || node.axes.includes(axis);
    case 'stack': return node.into === axis;
    case 'solve_lower': return node.rows === axis || node.columns === axis;
    default: return node.results.some((r) => r.type.axes.some((a) => a.name === axis));
  }
}
