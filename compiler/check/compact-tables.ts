/** Keeps the parameters and states that the graph uses, in the order in which it uses them. */
import type { Graph, Module, Node } from '../ir/graph.js';
import { mapGraph } from './inline.js';

function visit(graph: Graph, use: (node: Node) => void): void {
  for (const node of graph.nodes) {
    use(node);
    if (node.op === 'repeat') visit(node.body, use);
    if (node.op === 'scan') {
      visit(node.body, use);
      if (node.chunk !== undefined) visit(node.chunk.body, use);
    }
  }
}

export function compactTables(module: Module): Module {
  const params = new Map<number, number>();
  const states = new Map<number, number>();
  const add = (map: Map<number, number>, index: number): void => { if (!map.has(index)) map.set(index, map.size); };
  visit(module.graph, (node) => {
    if (node.op === 'param') add(params, node.param);
    if (node.op === 'state' || node.op === 'state_write' || node.op === 'window') add(states, node.state);
    if (node.op === 'scan') node.states.forEach((s) => add(states, s));
  });
  return {
    ...module, graph: mapGraph(module.graph, { params, states, constants: new Map(), rows: new Map() }),
    params: [...params.keys()].map((i) => module.params[i]), states: [...states.keys()].map((i) => module.states[i]),
  };
}
