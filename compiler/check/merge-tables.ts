/** Merges what equal graphs differ in: one parameter with a path per iteration, one constant with numbers per iteration. */
import type { Graph, Node } from '../ir/graph.js';
import type { Elaboration } from './frame.js';
import type { TableMap } from './inline.js';
import { pathIn, type Iteration } from './repeat.js';

/** A node and how often the repeats around it (inside its graph) run it. */
interface Placed { readonly node: Node; readonly times: number }

function allNodes(graph: Graph, times = 1): readonly Placed[] {
  return graph.nodes.flatMap((node): readonly Placed[] => {
    if (node.op === 'repeat') return [{ node, times }, ...allNodes(node.body, times * node.count)];
    if (node.op === 'scan') return [{ node, times }, ...allNodes(node.body, times), ...(node.chunk === undefined ? [] : allNodes(node.chunk.body, times))];
    return [{ node, times }];
  });
}

function statesOf(node: Node): readonly number[] {
  switch (node.op) {
    case 'state': return node.at === undefined ? [node.state] : [];
    case 'state_write': case 'window': return [node.state];
    case 'scan': return node.states;
    default: return [];
  }
}

/** `iterations` are equal, in order; the first one's nodes are what the tables are for. */
export function mergeTables(run: Elaboration, iterations: readonly Iteration[]): TableMap {
  const read = new Map<Graph, readonly Placed[]>();
  for (const { graph } of iterations) if (!read.has(graph)) read.set(graph, allNodes(graph));
  const columns = iterations.map((it) => read.get(it.graph)!);
  const paths = (of: (node: Node) => readonly string[], nodes: readonly Node[]): readonly string[] =>
    nodes.flatMap((n, t) => of(n).map((path) => pathIn(iterations[t], path)));
  const params = new Map<number, number>();
  const states = new Map<number, number>();
  const constants = new Map<Node, readonly (readonly number[])[]>();
  const rows = new Map<Node, readonly number[]>();
  columns[0].forEach(({ node, times }, i) => {
    const nodes = columns.map((c) => c[i].node);
    if (node.op === 'param' && node.rows !== undefined) rows.set(node, nodes.flatMap((n) => (n as typeof node).rows!));
    else if (node.op === 'param' && !params.has(node.param)) {
      const merged = paths((n) => run.params[(n as typeof node).param].paths, nodes);
      params.set(node.param, run.params.push({ ...run.params[node.param], paths: merged }) - 1);
    }
    statesOf(node).forEach((state, k) => {
      if (states.has(state)) return;
      const merged = paths((n) => run.states[statesOf(n)[k]].paths, nodes);
      const to = run.states.push({ ...run.states[state], paths: merged }) - 1;
      states.set(state, to);
      nodes.forEach((n, t) => run.moved.set(statesOf(n)[k], { to, first: t * run.states[state].paths.length }));
    });
    if (node.op === 'const') {
      const merged = mergeConstants(nodes as (typeof node)[], times);
      if (merged !== undefined) constants.set(node, merged);
    }
  });
  return { params, states, constants, rows };
}

type Constant = Extract<Node, { op: 'const' }>;

function sameNumbers(a: readonly number[], b: readonly number[]): boolean {
  return a.every((x, i) => Object.is(x, b[i]));
}

/** The numbers per iteration, inner repeats fastest; undefined where all iterations have the same ones. */
function mergeConstants(nodes: readonly Constant[], times: number): readonly (readonly number[])[] | undefined {
  if (nodes.every((n) => n.perIteration === undefined && sameNumbers(n.data, nodes[0].data))) return undefined;
  return nodes.flatMap((n) => n.perIteration ?? new Array<readonly number[]>(times).fill(n.data));
}
