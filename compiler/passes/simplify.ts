/**
 * Makes a module smaller without changing what it computes.
 *
 *   %3 = map multiply(%1, %2 = const {1})          =>  uses of %1
 *   %5 = concat [a, b](slice 0..4 %1, slice 4..6 %1) =>  %1
 *   logits = gather tokens(contract(head, norm(x)), rows)  =>  contract(head, norm(gather tokens(x, rows)))
 *
 * Needs a valid module, gives a valid one in which nothing is computed twice or for nobody. Types of outputs stay.
 */
import { sameType } from '../ir/axes.js';
import type { GraphBuilder } from '../ir/build.js';
import type { Graph, Module, Node, Value } from '../ir/graph.js';
import type { TypeContext } from '../ir/ops.js';
import { copyNode, rebuildGraph, type Rewrite } from '../ir/rebuild.js';
import { foldNode } from './simplify/fold.js';
import { simplifyNode } from './simplify/identities.js';
import { removeDead } from './simplify/remove-dead.js';
import { shareKey } from './simplify/share.js';
import { sinkGathers } from './simplify/sink-gather.js';

export interface SimplifyOptions {
  /** Names of the outputs to keep; all if absent. Taps of dropped outputs go too. */
  readonly outputs?: readonly string[];
  /** Drop what only differentiation reads: stop_gradient and straight_through. */
  readonly inference?: boolean;
  readonly groups?: Readonly<Record<string, number>>;
}

/** Rounds until nothing changes; a bound on how often, since each round only removes or merges nodes. */
const mostRounds = 8;

export function simplify(module: Module, options: SimplifyOptions = {}): Module {
  const context: TypeContext = { params: module.params, states: module.states, groups: options.groups };
  const keeps = (name: string): boolean => options.outputs === undefined || options.outputs.includes(name);
  let graph = removeDead(module.graph, (i) => keeps(module.graph.outputs[i].name));
  for (let round = 0; round < mostRounds; round++) {
    const before = countNodes(graph);
    graph = removeDead(rebuildGraph(sinkGathers(graph, context), context, () => makeRewrite(options)));
    if (round > 0 && countNodes(graph) === before) break;
  }
  return { ...module, graph, taps: module.taps.filter((t) => keeps(t.output)) };
}

function countNodes(graph: Graph): number {
  return graph.nodes.reduce((sum, n) => sum + 1 + (n.op === 'repeat' || n.op === 'scan' ? countNodes(n.body) : 0), 0);
}

/** Per graph: what was already computed in it. */
function makeRewrite(options: SimplifyOptions): Rewrite {
  const seen = new Map<string, readonly Value[]>();
  return (node, operands, b) => {
    if (options.inference && (node.op === 'stop_gradient' || node.op === 'straight_through')) return [operands[0]];
    const simpler = equalValue(node, operands, b);
    if (simpler !== undefined) return [simpler];
    const key = shareKey(node, operands);
    if (key === undefined) return undefined;
    const results = seen.get(key) ?? copyNode(node, operands, b);
    seen.set(key, results);
    return results;
  };
}

function equalValue(node: Node, operands: readonly Value[], b: GraphBuilder): Value | undefined {
  const found = simplifyNode(node, operands, b) ?? foldNode(node, operands, b);
  return found !== undefined && sameType(found.type, node.results[0].type) ? found : undefined;
}
