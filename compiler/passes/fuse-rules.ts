/** What `fuse` knows about the cost of values. */
import type { Node, ValueId } from '../ir/graph.js';
import { typeOf, type GraphIndex } from '../ir/graph-index.js';

/** Ops whose result has memory of its own before any kernel runs. */
export const sources: ReadonlySet<Node['op']> = new Set(['param', 'state', 'const', 'rank']);
const rearranging: ReadonlySet<Node['op']> = new Set(['rename', 'slice', 'pick', 'split', 'merge', 'broadcast', 'cast', 'stop_gradient', 'straight_through']);

/** Sums over at most this many elements are computed where they are used. */
const shortSum = 64;

/** A contraction with a parameter or over a long axis, or attention: worth a kernel, and computed once. */
export function isHeavy(index: GraphIndex, node: Node): boolean {
  if (node.op === 'attend') return true;
  if (node.op !== 'contract' || isStreamed(node)) return false;
  if (node.select || node.operands.slice(0, 2).some((v) => isParameter(index, v))) return true;
  return node.over.reduce((n, name) => n * extentOf(index, node, name), 1) > shortSum;
}

/** A value per token and entry of a state: as large as both together, so it is only ever computed where it is used. */
export function isStreamed(node: Node): boolean {
  return node.results[0].type.axes.filter((a) => typeof a.size !== 'number').length > 1;
}

/** Extent of an axis that some operand of the node has; infinite if dynamic. */
export function extentOf(index: GraphIndex, node: Node, name: string): number {
  for (const v of node.operands) {
    const axis = typeOf(index, v).axes.find((a) => a.name === name);
    if (axis) return typeof axis.size === 'number' ? axis.size : Infinity;
  }
  return Infinity;
}

/** A parameter, possibly with axes rearranged. */
export function isParameter(index: GraphIndex, value: ValueId): boolean {
  const node = index.producer.get(value);
  return node?.op === 'param' || (node !== undefined && rearranging.has(node.op) && isParameter(index, node.operands[0]));
}

/** A parameter, state or constant, possibly with axes rearranged: its elements have places already. */
export function isMemory(index: GraphIndex, value: ValueId): boolean {
  const node = index.producer.get(value);
  return node !== undefined && (sources.has(node.op) || (rearranging.has(node.op) && isMemory(index, node.operands[0])));
}

/** Reading it costs no more than loading: stored, or rearranged from what is. */
export function isView(index: GraphIndex, stored: ReadonlySet<ValueId>, value: ValueId): boolean {
  const node = index.producer.get(value);
  if (!node || sources.has(node.op) || stored.has(value)) return true;
  return rearranging.has(node.op) && isView(index, stored, node.operands[0]);
}

/** Computing it where it is used would reduce, gather or sort again. What a heavy node leads to is that node's own chain. */
export function repeatsWork(index: GraphIndex, stored: ReadonlySet<ValueId>, value: ValueId): boolean {
  return !reaches(index, stored, value, (n) => isHeavy(index, n)) && reaches(index, stored, value, (n) => costly.has(n.op));
}

const costly: ReadonlySet<Node['op']> = new Set(['reduce', 'cumulate', 'gather', 'top', 'contract']);

/** Whether computing `value` from what is stored computes a node that `is` so. */
function reaches(index: GraphIndex, stored: ReadonlySet<ValueId>, value: ValueId, is: (node: Node) => boolean, seen = new Set<ValueId>()): boolean {
  if (seen.has(value)) return false;
  seen.add(value);
  const node = index.producer.get(value);
  if (!node || sources.has(node.op) || stored.has(value)) return false;
  return is(node) || node.operands.some((o) => reaches(index, stored, o, is, seen));
}
