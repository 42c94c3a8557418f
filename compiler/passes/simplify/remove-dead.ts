/**
 * Dead code: keeps what outputs and states need. Inside a repeat that includes carries, captured and stacked values that
 * nothing reads; an `attend` whose maximal scores nobody reads stops exporting them.
 */
import type { Graph, Node, ValueId } from '../../ir/graph.js';

type Repeat = Extract<Node, { op: 'repeat' }>;

function changesState(node: Node): boolean {
  if (node.op === 'repeat') return node.body.nodes.some(changesState);
  return node.op === 'state_write' || node.op === 'window' || (node.op === 'scan' && node.fresh === undefined);
}

/** `graph` with the outputs that `wanted` names by index, in order, and what they need. Inputs stay. */
export function removeDead(graph: Graph, wanted: (output: number) => boolean = () => true): Graph {
  const outputs = graph.outputs.filter((_, i) => wanted(i));
  const live = new Set<ValueId>(outputs.map((o) => o.value));
  const kept: Node[] = [];
  for (const original of [...graph.nodes].reverse()) {
    if (!original.results.some((r) => live.has(r.id)) && !changesState(original)) continue;
    const node = prune(original, live);
    for (const id of node.operands) live.add(id);
    kept.push(node);
  }
  return { ...graph, nodes: kept.reverse(), outputs };
}

function prune(node: Node, live: ReadonlySet<ValueId>): Node {
  if (node.op === 'repeat') return pruneRepeat(node, live);
  if (node.op === 'attend' && node.exports && !live.has(node.results[1].id)) return { ...node, exports: false, results: [node.results[0]] };
  if (node.op === 'scan') return { ...node, body: removeDead(node.body), chunk: node.chunk && { ...node.chunk, body: removeDead(node.chunk.body) } };
  return node;
}

function usedInputs(graph: Graph): ReadonlySet<number> {
  const read = new Set<ValueId>([...graph.nodes.flatMap((n) => n.operands), ...graph.outputs.map((o) => o.value)]);
  return new Set(graph.inputs.flatMap((input, i) => (read.has(input.value.id) ? [i] : [])));
}

/** A carry is needed if its final value is, or if an iteration reads it to compute something needed. */
function pruneRepeat(node: Repeat, live: ReadonlySet<ValueId>): Repeat {
  const needed = new Set(node.results.flatMap((r, i) => (live.has(r.id) ? [i] : [])));
  for (;;) {
    const body = removeDead(node.body, (i) => needed.has(i));
    const inputs = usedInputs(body);
    const more = [...inputs].filter((i) => i < node.carries && !needed.has(i));
    if (more.length === 0) return withOutputs(node, body, needed, inputs);
    for (const i of more) needed.add(i);
  }
}

function withOutputs(node: Repeat, body: Graph, needed: ReadonlySet<number>, inputs: ReadonlySet<number>): Repeat {
  const keeps = (i: number): boolean => (i < node.carries ? needed.has(i) : inputs.has(i));
  return {
    ...node,
    carries: node.results.filter((_, i) => i < node.carries && needed.has(i)).length,
    body: { ...body, inputs: body.inputs.filter((_, i) => keeps(i)) },
    operands: node.operands.filter((_, i) => keeps(i)),
    results: node.results.filter((_, i) => needed.has(i)),
  };
}
