/**
 * The driver of rewrites: copies a Graph node by node into a new builder, bodies included, and lets `rewrite` put
 * something else in a node's place. Spans and labels stay with the copies; what a rewrite builds inherits the node's.
 */
import { sameType } from './axes.js';
import { GraphBuilder } from './build.js';
import type { Graph, Module, Node, TensorType, Value, ValueId } from './graph.js';
import { scanInputTypes } from './ops-bodies.js';
import type { TypeContext } from './ops.js';

/** What stands for `node`'s results, given its operands in the new graph; undefined copies the node. */
export type Rewrite = (node: Node, operands: readonly Value[], b: GraphBuilder) => readonly Value[] | undefined;

/** `node` as it is, on other operands. */
export function copyNode(node: Node, operands: readonly Value[], b: GraphBuilder): readonly Value[] {
  return b.emit(node, operands, node.results[0]?.type);
}

/**
 * `inputTypes` replace those of the graph's inputs: the types of a body follow its operands. A fresh `rewrite` is asked
 * for per graph, so that it may remember what it has seen.
 */
export function rebuildGraph(graph: Graph, context: TypeContext, makeRewrite: () => Rewrite, inputTypes?: readonly TensorType[]): Graph {
  const b = new GraphBuilder(graph.name, context);
  const rewrite = makeRewrite();
  const values = new Map<ValueId, Value>();
  graph.inputs.forEach(({ name, value }, i) => values.set(value.id, b.input(name, inputTypes?.[i] ?? value.type)));
  for (const original of graph.nodes) {
    const operands = original.operands.map((id) => values.get(id)!);
    const node = rebuildBodies(original, operands, context, makeRewrite);
    b.span = node.span;
    b.label = node.op === 'repeat' ? undefined : node.label;
    const results = rewrite(node, operands, b) ?? copyNode(node, operands, b);
    node.results.forEach((r, i) => values.set(r.id, results[i]));
  }
  return b.finish(graph.outputs.map((o) => ({ name: o.name, value: values.get(o.value)! })));
}

function rebuildBodies(node: Node, operands: readonly Value[], context: TypeContext, makeRewrite: () => Rewrite): Node {
  const types = operands.map((o) => o.type);
  if (node.op === 'repeat') {
    return { ...node, body: rebuildGraph(node.body, context, makeRewrite, types) };
  }
  if (node.op === 'scan') {
    const { chunk } = node;
    const chunkTypes = chunk && scanInputTypes(node, types, { name: chunk.axis, size: chunk.size });
    return {
      ...node, body: rebuildGraph(node.body, context, makeRewrite, scanInputTypes(node, types)),
      chunk: chunk && { ...chunk, body: rebuildGraph(chunk.body, context, makeRewrite, chunkTypes) },
    };
  }
  return node;
}

/** Rewrites a module's graph; throws if an output's type would change, order of axes included. */
export function rebuildModule(module: Module, makeRewrite: () => Rewrite, groups?: TypeContext['groups']): Module {
  const graph = rebuildGraph(module.graph, { params: module.params, states: module.states, groups }, makeRewrite);
  requireSameOutputs(module.graph, graph);
  return { ...module, graph };
}

function requireSameOutputs(before: Graph, after: Graph): void {
  const types = (g: Graph): Map<ValueId, TensorType> => new Map([...g.inputs.map((i) => i.value), ...g.nodes.flatMap((n) => n.results)].map((v) => [v.id, v.type]));
  const [old, now] = [types(before), types(after)];
  before.outputs.forEach((o, i) => {
    if (!sameType(old.get(o.value)!, now.get(after.outputs[i].value)!)) throw new Error(`rebuild: output '${o.name}' of graph '${before.name}' would change its type`);
  });
}
