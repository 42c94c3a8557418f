/**
 * Floating-point operations that a Graph executes, given values of its dims: 2 per multiply-add of a contraction, 1 per
 * element of anything else that computes. A contraction with `select` counts the chosen rows only. A query of an
 * `attend` is taken to see as many keys as its key axis holds (or its window): set `slots` to the context.
 */
import { evaluateDim } from './dim.js';
import type { Expr } from './expr.js';
import type { Axis, Graph, Module, Node, Operation, TensorType, ValueId } from './graph.js';
import { attendOperands } from './ops-state.js';

export interface Cost { readonly contraction: number; readonly other: number }
export type DimValues = Readonly<Record<string, number>>;

const nothing: Cost = { contraction: 0, other: 0 };

function plus(a: Cost, b: Cost, times = 1): Cost {
  return { contraction: a.contraction + b.contraction * times, other: a.other + b.other * times };
}

function count(axes: readonly Axis[], dims: DimValues): number {
  return axes.reduce((product, a) => product * evaluateDim(a.size, dims), 1);
}

function sizeAmong(types: readonly TensorType[], name: string, dims: DimValues): number {
  return evaluateDim(types.flatMap((t) => t.axes).find((a) => a.name === name)!.size, dims);
}

/** Calls in an expression, each one operation per element. */
export function exprOperations(e: Expr): number {
  switch (e.kind) {
    case 'arg': case 'number': return 0;
    case 'cast': return exprOperations(e.value);
    case 'call': return 1 + e.args.reduce((sum, a) => sum + exprOperations(a), 0);
  }
}

function attendCost(op: Extract<Operation, { op: 'attend' }>, operands: readonly TensorType[], out: TensorType, dims: DimValues): Cost {
  const { q, sources } = attendOperands(op, operands);
  const perScore = exprOperations(op.score) + exprOperations(op.mask) + 4;
  return sources.map(({ k, v }, i): Cost => {
    const held = sizeAmong([k], op.keys[i], dims);
    const { picks, window = Infinity } = op.sources?.[i] ?? {};
    const picked = picks === undefined ? Infinity : sizeAmong(sources.flatMap((s) => s.picks ?? []), picks, dims);
    const keys = Math.min(held, op.window ?? Infinity, window, picked);
    const inScores = (name: string): boolean => !op.over.includes(name) && [q, k].some((t) => t.axes.some((a) => a.name === name));
    const scores = count(out.axes.filter((a) => inScores(a.name)), dims) * keys;
    const own = count(v.axes.filter((a) => a.name !== op.keys[i] && !inScores(a.name)), dims);
    const inner = op.over.reduce((product, name) => product * sizeAmong([q], name, dims), 1);
    return { contraction: 2 * scores * (inner + own), other: scores * perScore };
  }).reduce((a, b) => plus(a, b));
}

/** Executed operations of one node, bodies included. `operands` are its operands' types. */
export function nodeCost(node: Node, operands: readonly TensorType[], dims: DimValues): Cost {
  const elements = node.results.length === 0 ? 0 : count(node.results[0].type.axes, dims);
  switch (node.op) {
    case 'contract': return { contraction: 2 * elements * node.over.reduce((product, name) => product * sizeAmong(operands, name, dims), 1), other: 0 };
    case 'attend': return attendCost(node, operands, node.results[0].type, dims);
    case 'solve_lower': return { contraction: elements * sizeAmong(operands, node.rows, dims), other: 0 };
    case 'map': return { contraction: 0, other: elements };
    case 'fake_quantize': return { contraction: 0, other: 4 * elements };
    case 'reduce': case 'cumulate': case 'top': case 'nucleus': return { contraction: 0, other: count(operands[0].axes, dims) };
    case 'scatter': return { contraction: 0, other: node.mode === 'add' ? count(operands[2].axes, dims) : 0 };
    case 'repeat': return plus(nothing, graphCost(node.body, dims), node.count);
    case 'scan': return plus(nothing, graphCost(node.body, dims), count(operands[operands.length - 3].axes, dims));
    default: return nothing;
  }
}

export function graphCost(graph: Graph, dims: DimValues): Cost {
  const types = new Map<ValueId, TensorType>(graph.inputs.map(({ value }) => [value.id, value.type]));
  let total = nothing;
  for (const node of graph.nodes) {
    total = plus(total, nodeCost(node, node.operands.map((id) => types.get(id)!), dims));
    for (const r of node.results) types.set(r.id, r.type);
  }
  return total;
}

export function moduleCost(module: Module, dims: DimValues): Cost {
  return graphCost(module.graph, dims);
}
