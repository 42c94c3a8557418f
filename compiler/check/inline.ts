/** Copies a graph's nodes into another one, with its parameters, states and constants looked up in tables. */
import type { GraphBuilder } from '../ir/build.js';
import type { Graph, Node, Operation, TensorType, Value } from '../ir/graph.js';
import { isForeignRead, type ForeignRead, type WrittenStates } from './foreign-states.js';

/** Replacements, by index in the module's tables; constants by node. Absent entries stay. */
export interface TableMap {
  readonly params: ReadonlyMap<number, number>;
  readonly states: ReadonlyMap<number, number>;
  readonly constants: ReadonlyMap<Node, readonly (readonly number[])[]>;
  /** Of uses of shared parameters. */
  readonly rows: ReadonlyMap<Node, readonly number[]>;
}

const unchanged: TableMap = { params: new Map(), states: new Map(), constants: new Map(), rows: new Map() };

/** States written in the builder's graph so far, and how to find the one that a read means. */
export interface StateReads { readonly written: WrittenStates; readonly find: (read: ForeignRead) => number }

/** Appends the nodes of `graph`, its inputs being `inputs`. Returns its outputs. */
export function inline(builder: GraphBuilder, graph: Graph, inputs: readonly Value[], tables: TableMap = unchanged, states?: StateReads): readonly Value[] {
  const values = new Map<number, Value>(graph.inputs.map((input, i) => [input.value.id, inputs[i]]));
  for (const node of graph.nodes) {
    const written = states !== undefined && isForeignRead(node) ? states.written.get(states.find(node)) : undefined;
    if (written !== undefined) {
      values.set(node.results[0].id, written);
      continue;
    }
    builder.span = node.span;
    builder.label = node.label;
    const declared: TensorType | undefined = node.op === 'const' || node.op === 'iota' ? node.results[0].type : undefined;
    const results = builder.emit(mapOperation(node, tables), node.operands.map((id) => values.get(id)!), declared);
    node.results.forEach((r, i) => values.set(r.id, results[i]));
    if (node.op === 'state_write') states?.written.set(tables.states.get(node.state) ?? node.state, results[0]);
  }
  return graph.outputs.map((o) => values.get(o.value)!);
}

function operationOf(node: Node): Operation {
  const { operands: _operands, results: _results, span: _span, label, ...operation } = node;
  // The label of a repeat is part of the operation; everywhere else it says which instance the node came from.
  return (operation.op === 'repeat' ? { ...operation, label } : operation) as Operation;
}

function mapOperation(node: Node, tables: TableMap): Operation {
  const operation = operationOf(node);
  const state = (index: number): number => tables.states.get(index) ?? index;
  switch (operation.op) {
    case 'param': {
      const rows = tables.rows.get(node) ?? operation.rows;
      return { ...operation, param: tables.params.get(operation.param) ?? operation.param, ...(rows === undefined ? {} : { rows }) };
    }
    case 'state': case 'state_write': case 'window': return { ...operation, state: state(operation.state) };
    case 'const': {
      const perIteration = tables.constants.get(node);
      return perIteration === undefined ? operation : { ...operation, perIteration };
    }
    case 'repeat': return { ...operation, body: mapGraph(operation.body, tables) };
    case 'scan': {
      const chunk = operation.chunk === undefined ? undefined : { ...operation.chunk, body: mapGraph(operation.chunk.body, tables) };
      return { ...operation, states: operation.states.map(state), body: mapGraph(operation.body, tables), ...(chunk === undefined ? {} : { chunk }) };
    }
    default: return operation;
  }
}

/** The same graph over other tables. */
export function mapGraph(graph: Graph, tables: TableMap): Graph {
  const { params, states, constants, rows } = tables;
  if (params.size + states.size + constants.size + rows.size === 0) return graph;
  return { ...graph, nodes: graph.nodes.map((node) => ({ ...node, ...mapOperation(node, tables) }) as Node) };
}
