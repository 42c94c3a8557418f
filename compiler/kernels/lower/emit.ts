/**
 * Writes the statements that compute one value of the Graph over a region: the holes of every kernel (prologues,
 * epilogues, score inputs) are filled by this. Stored values are loaded; everything else is computed from its operands
 * over the regions that it needs of them. An axis that the value repeats may be missing in the returned tile.
 */
import type { Node, ValueId } from '../../ir/graph.js';
import { arg, num, type Expr } from '../../ir/expr.js';
import type { Tile } from '../../ir/kernel.js';
import { emitAttend } from './emit-attend.js';
import { emitAxes } from './emit-axes.js';
import { emitContract } from './emit-contract.js';
import { emitCumulate, emitReduce, emitTop } from './emit-reduce.js';
import { emitNucleus } from './emit-nucleus.js';
import { emitSolve } from './emit-solve.js';
import type { Lowering } from './lowering.js';
import { indexOf, withIndex, type Region } from './region.js';

export function emit(l: Lowering, value: ValueId, region: Region): Tile {
  return l.remember(value, region, () => {
    const given = l.bound.get(value);
    if (given) return given(region);
    const node = l.level.index.producer.get(value);
    if (node?.op === 'const' && node.results[0].type.axes.length === 0 && !node.perIteration) {
      return l.builder.full(node.data[0], [], node.results[0].type.dtype);
    }
    if (l.level.stored.has(value) && !l.own.has(value)) return l.load(value, region, nameOf(l, value, node));
    if (!node) throw new Error(`lowering '${l.builder.name}': %${value} is neither stored nor computed`);
    return compute(l, node, region);
  });
}

/** A readable name for the view of a value. */
export function nameOf(l: Lowering, value: ValueId, node: Node | undefined): string {
  const input = l.graph.inputs.find((i) => i.value.id === value);
  if (input) return input.name.replace(/\W+/g, '_');
  if (node?.op === 'param') return `w_${(l.level.params[node.param].paths[0].split('.').pop() ?? 'param').replace(/\W+/g, '_')}`;
  if (node?.op === 'state' || node?.op === 'state_write') return 'cache';
  if (node?.op === 'const') return 'table';
  return `v${value}`;
}

function compute(l: Lowering, node: Node, region: Region): Tile {
  const b = l.builder;
  switch (node.op) {
    case 'map': return emitMap(l, node, region);
    case 'cast': return b.cast(node.to, emit(l, node.operands[0], region));
    case 'stop_gradient': case 'straight_through': return emit(l, node.operands[0], region);
    case 'iota': {
      const index = indexOf(region, node.axis);
      const { dtype } = node.results[0].type;
      if (index.kind === 'point') return b.cast(dtype, b.scalar(index.at));
      if (index.kind === 'range') return b.cast(dtype, b.iota(index.axis, index.size, index.start));
      throw new Error(`lowering '${b.name}': iota over an index tile`);
    }
    case 'solve_lower': return emitSolve(l, node, region);
    case 'gather': return emitGather(l, node, region);
    case 'contract': return emitContract(l, node, region);
    case 'attend': return emitAttend(l, node, region, l.limits.keys);
    case 'reduce': return emitReduce(l, node, region);
    case 'top': return emitTop(l, node, region);
    case 'nucleus': return emitNucleus(l, node, region);
    case 'cumulate': return emitCumulate(l, node, region);
    case 'rename': case 'slice': case 'pick': case 'split': case 'merge': case 'concat': case 'stack': case 'broadcast':
      return emitAxes(l, node, region);
    default:
      throw new Error(`lowering '${b.name}': '${node.op}' cannot be computed inside another kernel`);
  }
}

function emitMap(l: Lowering, node: Node & { op: 'map' }, region: Region): Tile {
  const tiles: Tile[] = [];
  const args = node.operands.map((operand): Expr => {
    const source = l.level.index.producer.get(operand);
    if (source?.op === 'const' && source.results[0].type.axes.length === 0 && !source.perIteration) {
      return num(source.data[0], source.results[0].type.dtype);
    }
    tiles.push(emit(l, operand, region));
    return arg(tiles.length - 1);
  });
  if (tiles.length === 0) tiles.push(l.builder.full(0));
  return l.builder.map({ kind: 'call', fn: node.fn, args }, tiles);
}

/** x read at ids: the ids become the index of the gathered axis, as a scalar where they are one. */
function emitGather(l: Lowering, node: Node & { op: 'gather' }, region: Region): Tile {
  const [x, ids] = node.operands;
  const at = l.scalarElement(ids, region, nameOf(l, ids, l.level.index.producer.get(ids)));
  const index = at ? { kind: 'point' as const, at } : l.tileIndex(emit(l, ids, region));
  return emit(l, x, withIndex(region, node.axis, index));
}

