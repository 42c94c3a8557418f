/**
 * Moves a gather of whole rows (`rows` of the tokens) towards what it gathers: ops that treat every row alike and whose
 * results nobody else reads then run on the wanted rows only. With the gather on the logits, that is everything after
 * the last repeat.
 */
import { groupedAxis } from '../../ir/storage.js';
import { hasAxis } from '../../ir/axes.js';
import type { GraphBuilder } from '../../ir/build.js';
import type { Axis, Graph, Node, Value, ValueId } from '../../ir/graph.js';
import type { TypeContext } from '../../ir/ops.js';
import { copyNode, rebuildGraph, type Rewrite } from '../../ir/rebuild.js';

/** Whether every row along `axis` of the results depends on that row of the operands alone. */
function treatsRowsAlike(node: Node, axis: string): boolean {
  switch (node.op) {
    case 'map': case 'cast': case 'stack': case 'stop_gradient': case 'straight_through': return true;
    case 'rename': return node.from !== axis;
    case 'split': case 'slice': case 'pick': case 'cumulate': case 'top': case 'gather': return node.axis !== axis;
    case 'merge': return !node.axes.includes(axis);
    case 'concat': return !node.axes.includes(axis);
    case 'broadcast': return node.axis.name !== axis;
    case 'reduce': return !node.over.includes(axis);
    case 'contract': return !node.over.includes(axis) && node.select?.axis !== axis;
    case 'fake_quantize': return node.storage.kind !== 'fp8' && groupedAxis(node.storage) !== axis;
    default: return false;
  }
}

/** Nodes that only serve `gathers` (all of one axis by the same ids), nearest first. */
function region(graph: Graph, gathers: ReadonlySet<Node>, axis: string, by: readonly Axis[]): ReadonlySet<Node> {
  const readers = new Map<ValueId, Node[]>();
  for (const node of graph.nodes) for (const id of new Set(node.operands)) readers.set(id, [...(readers.get(id) ?? []), node]);
  const outputs = new Set(graph.outputs.map((o) => o.value));
  const inside = new Set<Node>();
  for (const node of [...graph.nodes].reverse()) {
    if (!treatsRowsAlike(node, axis)) continue;
    const [result] = node.results;
    const users = readers.get(result.id) ?? [];
    const serves = hasAxis(result.type.axes, axis) && !by.some((a) => hasAxis(result.type.axes, a.name)) && !outputs.has(result.id)
      && users.length > 0 && users.every((u) => inside.has(u) || (gathers.has(u) && u.operands[0] === result.id && u.operands[1] !== result.id));
    if (serves) inside.add(node);
  }
  return inside;
}

/** The first gather (by ids that are an input) whose operand can be reached through, with its like. */
function candidate(graph: Graph): { readonly gathers: ReadonlySet<Node>; readonly inside: ReadonlySet<Node>; readonly axis: string } | undefined {
  const inputs = new Map(graph.inputs.map((i) => [i.value.id, i.value]));
  for (const node of graph.nodes) {
    if (node.op !== 'gather' || !inputs.has(node.operands[1])) continue;
    const gathers = new Set<Node>(graph.nodes.filter((n) => n.op === 'gather' && n.axis === node.axis && n.operands[1] === node.operands[1]));
    const inside = region(graph, gathers, node.axis, inputs.get(node.operands[1])!.type.axes);
    if (inside.size > 0) return { gathers, inside, axis: node.axis };
  }
  return undefined;
}

/** `graph` with every such gather moved as far as it goes. */
export function sinkGathers(graph: Graph, context: TypeContext): Graph {
  for (let current = graph; ;) {
    const found = candidate(current);
    if (found === undefined) return current;
    const ids = [...found.gathers][0].operands[1];
    const input = current.inputs.findIndex((i) => i.value.id === ids);
    const rewrite = sinkRewrite(found.inside, found.gathers, found.axis, input);
    current = rebuildGraph(current, context, () => rewrite);
  }
}

/** Nodes of bodies are never among those to move, so one rewrite serves all graphs. */
function sinkRewrite(inside: ReadonlySet<Node>, gathers: ReadonlySet<Node>, axis: string, idsInput: number): Rewrite {
  const rows = new Map<Value, Value>();
  const wantedRows = (x: Value, b: GraphBuilder): Value => {
    if (!hasAxis(x.type.axes, axis)) return x;
    if (!rows.has(x)) rows.set(x, b.gather(x, b.inputValue(idsInput), axis));
    return rows.get(x)!;
  };
  return (node, operands, b) => {
    // An operand inside the region is its rows already, without the axis.
    if (gathers.has(node)) return [wantedRows(operands[0], b)];
    return inside.has(node) ? copyNode(node, operands.map((o) => wantedRows(o, b)), b) : undefined;
  };
}
