/**
 * Reads of a state by another layer than the one that writes it. While iterations are read every layer has states of its
 * own; rolling iterations up merges their tables, and a read has to follow: to the value in the same graph where the
 * writer ended up there, else to one slot of the merged state.
 */
import type { Graph, Node, Value } from '../ir/graph.js';
import type { Elaboration } from './frame.js';

/** Where a state went when tables were merged: its slots begin at `first` of the state `to`. */
export interface MovedState { readonly to: number; readonly first: number }

export type ForeignRead = Extract<Node, { op: 'state' }> & { readonly at: number };

export function isForeignRead(node: Node): node is ForeignRead {
  return node.op === 'state' && node.at !== undefined;
}

/** The reads of other layers' states in a graph, bodies included. */
export function foreignReads(graph: Graph): readonly ForeignRead[] {
  return graph.nodes.flatMap((node) => (isForeignRead(node) ? [node] : node.op === 'repeat' ? foreignReads(node.body) : []));
}

/** The state as it is known now, and which of its slots is meant. */
export function resolveState(moved: ReadonlyMap<number, MovedState>, state: number, at: number): { readonly state: number; readonly at: number } {
  const next = moved.get(state);
  return next === undefined ? { state, at } : resolveState(moved, next.to, next.first + at);
}

/** What a graph has written so far, by state: a read that finds its state here reads that value. */
export type WrittenStates = Map<number, Value>;

/** The graph with every such read at its final state and slot. */
export function settleForeignReads(graph: Graph, run: Elaboration): Graph {
  if (run.moved.size === 0) return graph;
  return {
    ...graph,
    nodes: graph.nodes.map((node): Node => {
      if (isForeignRead(node)) return { ...node, ...resolveState(run.moved, node.state, node.at) };
      return node.op === 'repeat' ? { ...node, body: settleForeignReads(node.body, run) } : node;
    }),
  };
}

/** Index of the iteration that a path inside the repeat `label` (`layers[`) belongs to; undefined if it is elsewhere. */
export function iterationOf(path: string, repeat: string): number | undefined {
  return path.startsWith(repeat) ? Number.parseInt(path.slice(repeat.length), 10) : undefined;
}
