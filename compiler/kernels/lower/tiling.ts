/** Which part of a root one program computes: per axis a place of its own, a stretch, or the whole axis. */
import type { Axis, Node, ValueId } from '../../ir/graph.js';
import { attendOperands } from '../../ir/ops-state.js';
import { valueShape } from './emit-attend.js';
import type { Lowering } from './lowering.js';
import { domainOf } from './store.js';

export type Tiling = ReadonlyMap<string, 'point' | 'whole' | number>;

/** Sizes a target likes; see kernels/targets.ts. */
export interface TileSizes {
  /** Tokens per program of a contraction. */
  readonly rows: number;
  /** Most rows of a weight per program, and how many programs should exist at least. */
  readonly lanes: number;
  readonly programs: number;
  /** Query heads per program of attention that share their keys. */
  readonly heads: number;
}

/** A contraction with a parameter, or attention: what a kernel is built around. */
export function anchorsOf(l: Pick<Lowering, 'level'>, root: ValueId): Node[] {
  const found: Node[] = [];
  const seen = new Set<ValueId>();
  const visit = (value: ValueId, top: boolean): void => {
    if (seen.has(value) || (!top && l.level.stored.has(value))) return;
    seen.add(value);
    const node = l.level.index.producer.get(value);
    if (!node) return;
    if (node.op === 'contract' || node.op === 'attend') found.push(node);
    if (node.op === 'attend') return visit(node.operands[0], false);
    for (const operand of node.operands) visit(operand, false);
  };
  visit(root, true);
  return found;
}

/** Whether every op between the root and its contractions leaves `axis` as it is. */
function untouched(l: Lowering, root: ValueId, axis: string): boolean {
  const visit = (value: ValueId, name: string, top: boolean): boolean => {
    if (!top && l.level.stored.has(value) && !l.own.has(value)) return true;
    const node = l.level.index.producer.get(value);
    if (!node || !l.type(value).axes.some((a) => a.name === name)) return true;
    switch (node.op) {
      case 'contract': return true;
      case 'rename': return visit(node.operands[0], node.to === name ? node.from : name, false);
      case 'slice': case 'concat': case 'merge': case 'stack': case 'top': case 'nucleus': case 'gather': case 'cumulate':
        return !('into' in node && node.into === name) && !('axis' in node && node.axis === name) && node.operands.every((o) => visit(o, name, false));
      case 'split': return !node.into.some((a) => a.name === name) && visit(node.operands[0], name, false);
      case 'state_write': return visit(node.operands[2], name, false);
      default: return node.operands.every((o) => visit(o, name, false));
    }
  };
  return visit(root, axis, true);
}

/** The row axis of a parameter in a contraction: its last axis that is neither summed, selected nor the other side's. */
export function lanesOf(node: Node & { op: 'contract' }, param: readonly string[], other: readonly string[]): string | undefined {
  return [...param].reverse().find((a) => !node.over.includes(a) && a !== node.select?.axis && !other.includes(a));
}

export function tileContraction(l: Lowering, root: ValueId, sizes: TileSizes): Tiling {
  const domain = domainOf(l, root);
  const lanes = new Set<string>();
  for (const anchor of anchorsOf(l, root)) {
    if (anchor.op !== 'contract') continue;
    const [a, b] = [anchor.operands[0], anchor.operands[1]].map((o) => l.type(o).axes.map((x) => x.name));
    for (const name of [lanesOf(anchor, b, a), lanesOf(anchor, a, b)]) if (name) lanes.add(name);
  }
  const tiling = new Map<string, 'point' | 'whole' | number>();
  for (const axis of domain.axes) {
    if (typeof axis.size !== 'number') tiling.set(axis.name, sizes.rows === 1 ? 'point' : sizes.rows);
    else if (!untouched(l, root, axis.name)) tiling.set(axis.name, 'whole');
    else if (!lanes.has(axis.name)) tiling.set(axis.name, 'point');
  }
  const free = domain.axes.filter((a) => !tiling.has(a.name));
  free.forEach((axis, i) => tiling.set(axis.name, i < free.length - 1 ? 'point' : stretch(axis, domain.axes, tiling, sizes)));
  return tiling;
}

/** As many rows per program as leave enough programs, in powers of two of at least 16. */
function stretch(axis: Axis, axes: readonly Axis[], tiling: Tiling, sizes: TileSizes): 'whole' | number {
  const size = axis.size as number;
  const others = axes.reduce((n, a) => (tiling.get(a.name) === 'point' && typeof a.size === 'number' ? n * a.size : n), 1);
  let lanes = sizes.lanes;
  while (lanes > 16 && others * Math.ceil(size / lanes) < sizes.programs) lanes /= 2;
  return size <= lanes ? 'whole' : lanes;
}

/** Rows kernels: one token per program, all of its row. */
export function tileRow(l: Lowering, root: ValueId): Tiling {
  return new Map(domainOf(l, root).axes.map((a) => [a.name, typeof a.size === 'number' ? 'whole' : 'point']));
}

/** One token per program; heads whose keys are shared together, up to `heads` of them. */
export function tileAttention(l: Lowering, root: ValueId, sizes: TileSizes): Tiling {
  const attend = anchorsOf(l, root).find((n): n is Node & { op: 'attend' } => n.op === 'attend')!;
  const values = new Set(valueShape(l, attend).map((a) => a.name));
  const { sources } = attendOperands(attend, attend.operands);
  const keys = new Set([sources[0].k, ...sources.flatMap((s) => s.picks ?? [])].flatMap((v) => l.type(v).axes.map((a) => a.name)));
  const query = new Set(l.type(attend.operands[0]).axes.map((a) => a.name));
  const tiling = new Map<string, 'point' | 'whole' | number>();
  for (const axis of domainOf(l, root).axes) {
    if (values.has(axis.name)) tiling.set(axis.name, 'whole');
    else if (typeof axis.size !== 'number' || (keys.has(axis.name) && query.has(axis.name))) tiling.set(axis.name, 'point');
    else if (!query.has(axis.name)) tiling.set(axis.name, 'whole');
    else tiling.set(axis.name, axis.size <= sizes.heads ? 'whole' : sizes.heads);
  }
  return tiling;
}

