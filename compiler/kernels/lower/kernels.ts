/**
 * One fused unit of the Graph as a tile program. The forms differ only in how the grid walks the roots; what is computed
 * at each place is written by `emit`.
 */
import type { Node, ValueId } from '../../ir/graph.js';
import type { Index, Program, Scalar } from '../../ir/kernel.js';
import { range } from '../build.js';
import { ceilDivide, element, lessThan, plus, times } from '../scalar.js';
import { dimScalar, Lowering, type Level, type Limits, type Stored } from './lowering.js';
import type { Region } from './region.js';
import { writeScan } from './scan-kernel.js';
import { writeSelect } from './select-kernel.js';
import { domainOf, storeRoot } from './store.js';
import { writeWindow, writeWindowState } from './window-kernel.js';
import { tileAttention, tileContraction, tileRow, type TileSizes, type Tiling } from './tiling.js';

export interface Unit {
  readonly form: 'rows' | 'contract' | 'attend' | 'grouped' | 'scan' | 'window' | 'select_keys';
  /** Values it stores, operands before users. */
  readonly roots: readonly ValueId[];
  /** For `grouped`: the ids that choose the expert, and the lists that say which rows each expert has. */
  readonly group?: { readonly ids: ValueId; readonly lists: GroupLists };
  /** For `scan`: the level of the body to run, and whether it is the chunk's. */
  readonly scan?: { readonly body: Level; readonly chunked: boolean; readonly narrow: boolean; readonly initial: readonly number[] };
  /** For `window`: the windows themselves, or the state they leave. */
  readonly window?: { readonly part: 'windows' | 'state'; readonly initial: number };
}
export interface GroupLists {
  /** i32 [lists, 2]: first place in `rows` and count. */
  readonly spans: Stored;
  /** i32 [pairs]: pair = token * active + place, expert by expert. */
  readonly rows: Stored;
  readonly experts: number;
  /** Whether one more list holds the rows whose ids name no expert: contractions give 0 there. */
  readonly others: boolean;
}

export interface Lowered { readonly program: Program; readonly bindings: readonly number[] }

export function lowerUnit(level: Level, unit: Unit, name: string, sizes: TileSizes, limits: Limits): Lowered {
  const l = Lowering.start(level, name, limits);
  for (const root of unit.roots) l.own.add(root);
  describeOrigins(l, unit);
  if (unit.form === 'grouped') writeGrouped(l, unit, sizes);
  else if (unit.form === 'scan') writeScan(l, nodeOf(l, unit, 'scan'), unit.scan!);
  else if (unit.form === 'select_keys') writeSelect(l, nodeOf(l, unit, 'select_keys'));
  else if (unit.form === 'window' && unit.window!.part === 'state') writeWindowState(l, nodeOf(l, unit, 'window'));
  else if (unit.form === 'window') writeWindow(l, nodeOf(l, unit, 'window'), unit.window!.initial);
  else writeGrid(l, unit, sizes);
  return { program: l.builder.finish(), bindings: l.bindings };
}

function nodeOf<K extends Node['op']>(l: Lowering, unit: Unit, op: K): Extract<Node, { op: K }> {
  const node = l.level.index.producer.get(unit.roots[0]);
  if (node?.op !== op) throw new Error(`lowering '${l.builder.name}': a ${op} unit without its node`);
  return node as Extract<Node, { op: K }>;
}

function writeGrid(l: Lowering, unit: Unit, sizes: TileSizes): void {
  const grid = new Map<string, Scalar>();
  for (const root of unit.roots) {
    const tiling = unit.form === 'rows' ? tileRow(l, root) : unit.form === 'attend' ? tileAttention(l, root, sizes) : tileContraction(l, root, sizes);
    storeRoot(l, root, gridRegion(l, root, tiling, grid));
  }
}

/** Grid axes are shared by roots that walk the same axis in the same steps. */
function gridRegion(l: Lowering, root: ValueId, tiling: Tiling, grid: Map<string, Scalar>, without: readonly string[] = []): Region {
  const region = new Map<string, Index>();
  const axes = domainOf(l, root).axes.filter((a) => !without.includes(a.name));
  // Weights outermost, tokens innermost: programs that run one after the other share the rows of a weight.
  axes.sort((a, b) => Number(typeof a.size !== 'number') - Number(typeof b.size !== 'number'));
  for (const axis of axes) {
    const tile = tiling.get(axis.name)!;
    if (tile === 'whole') {
      region.set(axis.name, range(axis.name, 0, axis.size as number));
      continue;
    }
    const steps = tile === 'point' ? dimScalar(axis.size) : ceilDivide(dimScalar(axis.size), tile);
    const key = `${axis.name} ${tile}`;
    const at = grid.get(key) ?? l.builder.gridAxis(axis.name.replace(/\W+/g, '_'), steps);
    grid.set(key, at);
    region.set(axis.name, tile === 'point' ? { kind: 'point', at } : range(axis.name, times(at, tile), tile));
  }
  return region;
}

/**
 * Expert by expert: each program owns some rows of one expert's weights and walks the tokens that chose it. Which those
 * are was found on the device (`group-rows.ts`), so no expert costs more than its tokens.
 */
function writeGrouped(l: Lowering, unit: Unit, sizes: TileSizes): void {
  const b = l.builder;
  const { ids, lists } = unit.group!;
  const expert = b.gridAxis('expert', lists.experts + Number(lists.others));
  const names = l.type(ids).axes.map((a) => a.name);
  const grid = new Map<string, Scalar>();
  const spans = l.viewOf(lists.spans, 'read', 'spans');
  const span: Span = { first: b.let_('first', element(spans, expert, 0)), count: b.let_('count', element(spans, expert, 1)) };
  const regions = unit.roots.map((root) => gridRegion(l, root, tileContraction(l, root, sizes), grid, names));
  const walk = (at: Scalar | 'none'): void => walkRows(l, unit, { span, rows: sizes.rows, regions, at });
  if (!lists.others) return b.if_(lessThan(0, span.count), () => walk(expert));
  b.if_(times(lessThan(0, span.count), lessThan(expert, lists.experts)), () => walk(expert));
  b.if_(times(lessThan(0, span.count), lessThan(lists.experts - 1, expert)), () => walk('none'));
}

/** Axis of the rows that a program has at once; a spec's own axes never have a dot. */
const listedRow = 'listed.row';

interface Span { readonly first: Scalar; readonly count: Scalar }

/** The rows of one list, some at a time; `at` is their expert. */
function walkRows(l: Lowering, unit: Unit, { span, rows, regions, at }: { span: Span; rows: number; regions: readonly Region[]; at: Scalar | 'none' }): void {
  const b = l.builder;
  const { ids, lists } = unit.group!;
  const [tokenAxis, activeAxis] = l.type(ids).axes;
  const active = activeAxis.size as number;
  b.loop('row', 0, span.count, rows, [], (from) => l.scoped(() => {
    // Beyond the list: -1, which is outside of whatever it indexes.
    const chosen = b.load(l.viewOf(lists.rows, 'read', 'rows'), [range(listedRow, plus(span.first, from), rows, plus(span.first, span.count))], { fill: -1 });
    const token = l.tileIndex(b.apply('floor_divide', chosen, active));
    const place = l.tileIndex(b.apply('mod', chosen, active));
    l.fixedSelect = { ids, at };
    unit.roots.forEach((root, i) => storeRoot(l, root, new Map([...regions[i], [tokenAxis.name, token], [activeAxis.name, place]])));
    l.fixedSelect = undefined;
    return [];
  }));
}

/** Whether prefill is parallel is decided by the spec: who reads `explain` should see it. */
function scanText(node: Node & { op: 'scan' }, { scan }: Unit): string {
  return scan?.chunked === true ? `scan in chunks of ${node.chunk!.size}` : 'scan token by token';
}

/** Every op that the unit computes, with its place in the spec. */
function describeOrigins(l: Lowering, unit: Unit): void {
  const seen = new Set<ValueId>();
  const visit = (value: ValueId, top: boolean): void => {
    if (seen.has(value) || (!top && l.level.stored.has(value) && !l.own.has(value))) return;
    seen.add(value);
    const node = l.level.index.producer.get(value);
    if (!node || node.op === 'const' || node.op === 'param') return;
    for (const operand of node.operands) visit(operand, false);
    const what = node.op === 'map' ? node.fn : node.op === 'scan' ? scanText(node, unit) : node.op;
    l.builder.origin(node.label ? `${what} ${node.label}` : what, node.span ? `${node.span.file}:${node.span.line}` : '');
  };
  for (const root of unit.roots) visit(root, true);
}
