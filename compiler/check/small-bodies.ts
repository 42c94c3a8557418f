/**
 * Iterations so small that rolling them up would cost a few launches each: sums over short axes and arithmetic on them,
 * such as the steps that make a 4 x 4 mix of streams doubly stochastic. In place, they become one kernel.
 */
import type { Graph, Node } from '../ir/graph.js';

const arithmetic: ReadonlySet<Node['op']> = new Set(['map', 'cast', 'const', 'broadcast', 'rename', 'reduce', 'stop_gradient']);
/** Elements of a value per token, and nodes of all iterations together. */
const most = { elements: 64, nodes: 1024 };

function elements(node: Node): number {
  return node.results[0].type.axes.reduce((n, a) => (typeof a.size === 'number' ? n * a.size : n), 1);
}

/** Whether `times` runs of the bodies, which sum over something, are better put one after the other. */
export function isSmall(bodies: readonly Graph[], times: number): boolean {
  const nodes = bodies.flatMap((b) => b.nodes);
  return nodes.length * times <= most.nodes && nodes.some((n) => n.op === 'reduce')
    && nodes.every((n) => arithmetic.has(n.op) && elements(n) <= most.elements);
}
