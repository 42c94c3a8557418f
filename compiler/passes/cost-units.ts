/** What one kernel costs, as polynomials in the dims of an entry: executed operations, and bytes it must touch. */
import type { Axis, Node, ValueId } from '../ir/graph.js';
import { bytesPerElement } from '../ir/storage.js';
import { indexGraph, typeOf } from '../ir/graph-index.js';
import { addDims, multiplyDims, symbol, type Dim } from '../ir/dim.js';
import { dtypeBytes } from '../ir/dtype.js';
import type { Scalar } from '../ir/kernel.js';
import { dimScalar, type Level } from '../kernels/lower/lowering.js';
import { minimum, plus, toScalar } from '../kernels/scalar.js';
import { sources } from './fuse-rules.js';

/** Floating-point operations of contractions and of everything, and bytes read and written. `context`: keys per query. */
export interface UnitCost { readonly contraction: Scalar; readonly flops: Scalar; readonly bytes: Scalar }

export function costOfUnit(level: Level, roots: readonly ValueId[]): UnitCost {
  let contraction: Dim = 0;
  let other: Dim = 0;
  let bytes: Scalar = toScalar(0);
  const seen = new Set<ValueId>();
  const visit = (value: ValueId, top: boolean, rows: Dim | undefined): void => {
    if (seen.has(value)) return;
    seen.add(value);
    const node = level.index.producer.get(value);
    const isSource = !node || sources.has(node.op);
    if (isSource || (!top && level.stored.has(value))) {
      bytes = plus(bytes, storedBytes(level, value, rows));
      return;
    }
    if (node.op === 'state_write') {
      bytes = plus(bytes, dimScalar(multiplyDims(elements(level, node.operands[2]), dtypeBytes(typeOf(level.index, value).dtype))));
      return node.operands.slice(1).forEach((o) => visit(o, false, undefined));
    }
    if (top) bytes = plus(bytes, dimScalar(multiplyDims(elements(level, value), dtypeBytes(typeOf(level.index, value).dtype))));
    const [dots, rest] = operations(level, node);
    contraction = addDims(contraction, dots);
    other = addDims(other, rest);
    node.operands.forEach((o, i) => visit(o, false, rowsRead(level, node, i)));
  };
  for (const root of roots) visit(root, true, undefined);
  return { contraction: dimScalar(contraction), flops: dimScalar(addDims(contraction, other)), bytes };
}

export function sumCosts(costs: readonly UnitCost[]): UnitCost {
  const total = (pick: (c: UnitCost) => Scalar): Scalar => costs.map(pick).reduce((a, b) => plus(a, b));
  return { contraction: total((c) => c.contraction), flops: total((c) => c.flops), bytes: total((c) => c.bytes) };
}

function elements(level: Level, value: ValueId): Dim {
  return typeOf(level.index, value).axes.reduce<Dim>((n, a) => multiplyDims(n, a.size), 1);
}

/** How many stretches of operand `i` along its looked-up axis are read; undefined: all of it. */
function rowsRead(level: Level, node: Node, i: number): Dim | undefined {
  if (node.op === 'gather' && i === 0) return elements(level, node.operands[1]);
  if (node.op === 'contract' && node.select && i === 1) return elements(level, node.operands[2]);
  // The queries of a sequence see the same entries.
  if (node.op === 'attend' && i >= 4) return multiplyDims(symbol('sequences'), symbol('context'));
  return undefined;
}

/** Of `rows` stretches along the outermost axis; no more than there are, however many tokens choose among them. */
function storedBytes(level: Level, value: ValueId, rows: Dim | undefined): Scalar {
  const node = level.index.producer.get(value);
  const type = typeOf(level.index, value);
  const storage = node?.op === 'param' ? level.params[node.param].storage : undefined;
  const each = storage === undefined ? dtypeBytes(type.dtype) : bytesPerElement(storage);
  const of = (axes: readonly Axis[], count: Dim): Dim => {
    const fixed = axes.reduce((n, a) => (typeof a.size === 'number' ? n * a.size : n), 1);
    return axes.reduce<Dim>((n, a) => (typeof a.size === 'number' ? n : multiplyDims(n, a.size)), multiplyDims(count, Math.ceil(fixed * each)));
  };
  if (rows === undefined || type.axes.length === 0) return dimScalar(of(type.axes, 1));
  const chosen = dimScalar(of(type.axes.slice(1), rows));
  return typeof type.axes[0].size === 'number' ? minimum(chosen, dimScalar(of(type.axes, 1))) : chosen;
}

/** Contraction operations and others of one node. */
function operations(level: Level, node: Node): [Dim, Dim] {
  const result = node.results[0].type.axes.reduce<Dim>((n, a) => multiplyDims(n, a.size), 1);
  switch (node.op) {
    case 'contract': return [multiplyDims(multiplyDims(2, result), extents(level, node, node.over)), 0];
    case 'attend': {
      const key = extents(level, node, node.over);
      const queries = typeOf(level.index, node.operands[0]).axes.filter((a) => !node.over.includes(a.name)).reduce<Dim>((n, a) => multiplyDims(n, a.size), 1);
      const perKey = addDims(multiplyDims(queries, key), result);
      return [multiplyDims(multiplyDims(2, perKey), symbol('context')), 0];
    }
    case 'scan': return scanOperations(level, node);
    case 'map': return [0, result];
    case 'reduce': case 'cumulate': case 'top': case 'nucleus': return [0, elements(level, node.operands[0])];
    default: return [0, 0];
  }
}

/** The step's operations for every token, whichever body runs. */
function scanOperations(level: Level, node: Node & { op: 'scan' }): [Dim, Dim] {
  const body: Level = { ...level, index: indexGraph(node.body) };
  const perToken = node.body.nodes.map((n) => operations(body, n));
  return [0, 1].map((i) => multiplyDims(symbol('tokens'), perToken.reduce<Dim>((sum, cost) => addDims(sum, cost[i]), 0))) as [Dim, Dim];
}

function extents(level: Level, node: Node, names: readonly string[]): Dim {
  return names.reduce<Dim>((n, name) => {
    const axis = node.operands.flatMap((v) => typeOf(level.index, v).axes).find((a) => a.name === name)!;
    return multiplyDims(n, axis.size);
  }, 1);
}
