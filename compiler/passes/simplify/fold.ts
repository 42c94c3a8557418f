/**
 * Constant folding: a node on constants (and iotas) becomes a constant, one per iteration where an operand has one per
 * iteration. The interpreter computes it, so folding never changes a value.
 */
import type { GraphBuilder } from '../../ir/build.js';
import type { Node, Value } from '../../ir/graph.js';
import { evaluateConstant } from '../../ir/interpret-graph.js';

/** Larger results are cheaper to compute where they are used than to load. */
const largestFold = 1024;

const foldable = ['map', 'cast', 'rename', 'split', 'merge', 'slice', 'pick', 'concat', 'stack', 'broadcast', 'reduce', 'contract', 'cumulate', 'top', 'gather', 'stop_gradient'] as const;
type Foldable = Extract<Node, { op: (typeof foldable)[number] }>;

function isFoldable(node: Node): node is Foldable {
  return (foldable as readonly string[]).includes(node.op);
}

type Table = readonly (readonly number[])[];

/** The operand's values, one array per iteration or one for all. */
function tableOf(value: Value, b: GraphBuilder): Table | undefined {
  const node = b.producer(value);
  if (node?.op === 'const') return node.perIteration ?? [node.data];
  if (node?.op !== 'iota') return undefined;
  const [{ size }] = value.type.axes;
  return typeof size === 'number' && size <= largestFold ? [Array.from({ length: size }, (_, i) => i)] : undefined;
}

export function foldNode(node: Node, operands: readonly Value[], b: GraphBuilder): Value | undefined {
  if (!isFoldable(node) || operands.length === 0) return undefined;
  const [result] = node.results;
  let volume = 1;
  for (const { size } of result.type.axes) {
    if (typeof size !== 'number') return undefined;
    volume *= size;
  }
  if (volume > largestFold) return undefined;
  const tables: Table[] = [];
  for (const o of operands) {
    const table = tableOf(o, b);
    if (table === undefined) return undefined;
    tables.push(table);
  }
  const iterations = Math.max(...tables.map((t) => t.length));
  const rows = Array.from({ length: iterations }, (_, i) => evaluateConstant(node, operands.map((o, k) => ({ type: o.type, values: tables[k][i] ?? tables[k][0] }))));
  return b.constant(result.type, rows[0], iterations > 1 ? rows : undefined);
}
