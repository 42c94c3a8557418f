/** Walks a graph twice: forwards, copying it, then backwards, from the cotangents of its results to those of its inputs. */
import type { GraphBuilder } from '../../ir/build.js';
import type { Graph, Node, ParamDecl, Value, ValueId } from '../../ir/graph.js';
import { copyNode } from '../../ir/rebuild.js';
import { axisGradients, type AxisOp } from './axis-gradients.js';
import { Cotangents, fit, inRows } from './cotangents.js';
import { mapGradients } from './map-gradients.js';
import { repeatBackward, repeatForward, type Taped } from './repeat-gradients.js';
import { scanBackward, scanForward } from './scan-gradients.js';
import { sumGradients, type SumOp } from './sum-gradients.js';

export interface Tape {
  readonly values: ReadonlyMap<ValueId, Value>;
  /** What the backward pass of a repeat or a scan needs, by node of the original graph. */
  readonly repeats: ReadonlyMap<Node, Taped>;
}

export interface Scope {
  readonly params: readonly ParamDecl[];
  /** Iterations of all repeats around. */
  readonly iterations: number;
  readonly active: ReadonlySet<ValueId>;
}

/** Copies `graph` into `b` on the given inputs; active repeats also keep their carries of every iteration. */
export function runForward(graph: Graph, inputs: readonly Value[], b: GraphBuilder, scope: Scope): Tape {
  const values = new Map<ValueId, Value>(graph.inputs.map(({ value }, i) => [value.id, inputs[i]]));
  const repeats = new Map<Node, Taped>();
  for (const node of graph.nodes) {
    const operands = node.operands.map((id) => values.get(id)!);
    b.span = node.span;
    b.label = node.op === 'repeat' ? undefined : node.label;
    let results: readonly Value[];
    if ((node.op === 'repeat' || node.op === 'scan') && node.results.some((r) => scope.active.has(r.id))) {
      const taped = node.op === 'repeat' ? repeatForward(node, operands, b) : scanForward(node, operands, b);
      repeats.set(node, taped);
      results = taped.results;
    } else results = copyNode(node, operands, b);
    node.results.forEach((r, i) => values.set(r.id, results[i]));
  }
  return { values, repeats };
}

/** The cotangents of a forward copy, none yet. */
export function startBackward(tape: Tape, b: GraphBuilder, scope: Scope): Cotangents {
  return new Cotangents(b, new Set([...scope.active].map((id) => tape.values.get(id)!)));
}

/** Adds to `cotangents` (which holds those of results) the cotangents of everything active before, parameters included. */
export function runBackward(graph: Graph, tape: Tape, cotangents: Cotangents, scope: Scope): void {
  const { b } = cotangents;
  for (const node of [...graph.nodes].reverse()) {
    if (!node.results.some((r) => scope.active.has(r.id))) continue;
    const results = node.results.map((r) => tape.values.get(r.id)!);
    if (results.every((r) => cotangents.of(r) === undefined)) continue;
    b.span = node.span;
    b.label = node.op === 'repeat' ? undefined : node.label;
    const operands = node.operands.map((id) => tape.values.get(id)!);
    if (node.op === 'repeat') repeatBackward(node, tape.repeats.get(node)!, operands, cotangents, scope);
    else if (node.op === 'scan') scanBackward(node, tape.repeats.get(node)!, operands, cotangents, scope);
    else nodeBackward(node, operands, results[0], cotangents);
  }
}

function nodeBackward(node: Exclude<Node, { op: 'repeat' | 'scan' }>, operands: readonly Value[], y: Value, into: Cotangents): void {
  const g = into.of(y)!;
  const { b } = into;
  switch (node.op) {
    case 'param': into.addParam(node.param, node.rows === undefined ? g : inRows(b, g, node.rows, b.context.params[node.param])); break;
    case 'map':
      mapGradients(b, node.fn, operands, y, g).forEach((gradient, i) => { if (gradient !== undefined) into.add(operands[i], gradient); });
      break;
    case 'cast': into.add(operands[0], g); break;
    case 'straight_through': into.add(operands[1], fit(b, g, operands[1].type)); break;
    case 'rename': case 'split': case 'merge': case 'slice': case 'pick': case 'concat': case 'stack': case 'broadcast':
      axisGradients(node satisfies AxisOp, operands, g, into);
      break;
    case 'reduce': case 'contract': case 'cumulate': case 'solve_lower': case 'gather': case 'scatter':
      sumGradients(node satisfies SumOp, operands, y, g, into);
      break;
    case 'attend': case 'window': case 'state_write': throw new Error(`autodiff: ${node.op} reads state; expand-attend comes first`);
    case 'all_reduce': case 'all_gather': case 'reduce_scatter': throw new Error(`autodiff: ${node.op}: sharding comes after differentiation`);
    case 'const': case 'iota': case 'state': case 'top': case 'nucleus': case 'select_keys': case 'stop_gradient': case 'fake_quantize': case 'rank': break;
  }
}
