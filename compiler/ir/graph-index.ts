/** Who makes and who uses each value of one Graph (its bodies have their own index). */
import type { Graph, Node, TensorType, ValueId } from './graph.js';

export interface GraphIndex {
  readonly graph: Graph;
  readonly producer: ReadonlyMap<ValueId, Node>;
  /** Nodes that have the value as an operand, each once, in graph order. */
  readonly consumers: ReadonlyMap<ValueId, readonly Node[]>;
  /** Place of each node in the graph. */
  readonly position: ReadonlyMap<Node, number>;
  readonly outputs: ReadonlySet<ValueId>;
  readonly types: ReadonlyMap<ValueId, TensorType>;
}

export function indexGraph(graph: Graph): GraphIndex {
  const producer = new Map<ValueId, Node>();
  const consumers = new Map<ValueId, Node[]>();
  const types = new Map<ValueId, TensorType>();
  for (const input of graph.inputs) types.set(input.value.id, input.value.type);
  for (const node of graph.nodes) {
    for (const result of node.results) {
      producer.set(result.id, node);
      types.set(result.id, result.type);
    }
    for (const operand of new Set(node.operands)) {
      const list = consumers.get(operand) ?? [];
      list.push(node);
      consumers.set(operand, list);
    }
  }
  const position = new Map(graph.nodes.map((n, i) => [n, i]));
  return { graph, producer, consumers, types, position, outputs: new Set(graph.outputs.map((o) => o.value)) };
}

/** The type of a value; throws for one the graph does not have. */
export function typeOf(index: GraphIndex, value: ValueId): TensorType {
  const type = index.types.get(value);
  if (!type) throw new Error(`graph '${index.graph.name}' has no value %${value}`);
  return type;
}

export function axisNames(type: TensorType): string[] {
  return type.axes.map((a) => a.name);
}
