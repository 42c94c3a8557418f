/** Contractions inside a program: a `dot`, over the whole summed axes at once or in stretches of `limits.k`. */
import type { Axis, Node, ValueId } from '../../ir/graph.js';
import type { Index, Tile } from '../../ir/kernel.js';
import { range } from '../build.js';
import { spread } from './emit-axes.js';
import { emit, nameOf } from './emit.js';
import type { Lowering } from './lowering.js';
import { complete, freeName, whole, withIndex, type Region } from './region.js';

type Contract = Node & { op: 'contract' };

export function emitContract(l: Lowering, node: Contract, region: Region): Tile {
  if (node.select && l.fixedSelect?.ids === node.operands[2] && l.fixedSelect.at === 'none') {
    return l.builder.full(0, l.shapeOver(node.results[0].type, region));
  }
  const over = summedAxes(l, node);
  const choices = over.find((a) => node.operands.slice(0, 2).some((v) => sumsChoices(l, v, a.name)));
  if (choices) return emitSumOfChoices(l, node, region, choices);
  if (over.length === 1 && (over[0].size as number) > l.limits.k) return emitInStretches(l, node, region, over[0]);
  let inside = region;
  const summed = over.map((a) => {
    const name = freeName(inside, a);
    inside = withIndex(inside, a.name, whole(a, name));
    return { name, size: a.size as number };
  });
  return dotOf(l, node, inside, summed);
}

function summedAxes(l: Lowering, node: Contract): Axis[] {
  const axes = node.operands.slice(0, 2).flatMap((v) => l.type(v).axes);
  return node.over.map((name) => axes.find((a) => a.name === name)!);
}

function dotOf(l: Lowering, node: Contract, inside: Region, over: readonly { name: string; size: number }[], acc?: Tile): Tile {
  const [a, b] = [node.operands[0], node.operands[1]];
  const merged = over.length > 1 && !acc && over.every((o, i) => o.name === node.over[i]) ? mergedOperands(l, node, inside) : undefined;
  if (merged) return l.builder.dot(merged.left, merged.right, { over: [merged.axis] });
  const left = spread(l, emit(l, a, complete(inside, l.type(a))), over);
  const right = spread(l, emit(l, b, complete(selected(l, node, inside), l.type(b))), over);
  return l.builder.dot(left, right, { over: over.map((o) => o.name), ...(acc ? { acc } : {}) });
}

/** Both operands with the summed axes as one, if both lie so in memory, in the same order. */
function mergedOperands(l: Lowering, node: Contract, inside: Region): { left: Tile; right: Tile; axis: string } | undefined {
  const [a, b] = node.operands;
  const axis = node.over.join('*');
  const regions = [inside, selected(l, node, inside)].map((r, i) => complete(r, l.type(node.operands[i])));
  const left = l.loadMerged(a, regions[0], node.over, axis, nameOf(l, a, l.level.index.producer.get(a)));
  const right = left && l.loadMerged(b, regions[1], node.over, axis, nameOf(l, b, l.level.index.producer.get(b)));
  return right && { left, right, axis };
}

/** The region of a selected operand: its axis at the id. */
function selected(l: Lowering, node: Contract, region: Region): Region {
  if (!node.select) return region;
  const ids = node.operands[2];
  if (l.fixedSelect?.ids === ids && l.fixedSelect.at !== 'none') return withIndex(region, node.select.axis, { kind: 'point', at: l.fixedSelect.at });
  const at = l.scalarElement(ids, region, nameOf(l, ids, l.level.index.producer.get(ids)));
  const index: Index = at ? { kind: 'point', at } : l.tileIndex(emit(l, ids, region));
  return withIndex(region, node.select.axis, index);
}

function emitInStretches(l: Lowering, node: Contract, region: Region, axis: Axis): Tile {
  const b = l.builder;
  const step = l.limits.k;
  const name = freeName(region, axis);
  const [out] = b.loop(axis.name, 0, axis.size as number, step, [b.full(0, l.shapeOver(node.results[0].type, region))], (at, [acc]) => l.scoped(() =>
    [dotOf(l, node, withIndex(region, axis.name, range(name, at, step)), [{ name, size: step }], acc)]));
  return out;
}

/** Whether an operand selects by ids along `axis` in this very kernel: then each choice is a contraction of its own. */
function sumsChoices(l: Lowering, value: ValueId, axis: string, seen = new Set<ValueId>()): boolean {
  if (seen.has(value)) return false;
  seen.add(value);
  if (l.level.stored.has(value) && !l.own.has(value)) return false;
  const node = l.level.index.producer.get(value);
  if (!node || !l.type(value).axes.some((a) => a.name === axis)) return false;
  if (node.op === 'contract' && node.select) return l.type(node.operands[2]).axes.some((a) => a.name === axis);
  return node.operands.some((o) => sumsChoices(l, o, axis, seen));
}

/** sum over the choices, one at a time: each is a contraction with the operand its id selects. */
function emitSumOfChoices(l: Lowering, node: Contract, region: Region, axis: Axis): Tile {
  const b = l.builder;
  const term = (index: Index): Tile => {
    const inside = withIndex(region, axis.name, index);
    const rest = node.over.filter((o) => o !== axis.name);
    if (rest.length > 0) throw new Error(`lowering '${b.name}': a sum over the choices '${axis.name}' may sum over nothing else`);
    const [left, right] = node.operands.map((v) => emit(l, v, complete(inside, l.type(v))));
    return b.multiply(left, right);
  };
  const zero = b.full(0, l.shapeOver(node.results[0].type, region));
  const [out] = b.loop(axis.name, 0, axis.size as number, 1, [zero], (at, [sum]) => l.scoped(() => [b.add(sum, term({ kind: 'point', at }))]));
  return out;
}
