/**
 * Loops around products: which loads run ahead of which compute. On sm_80 all warps copy with cp.async, some stages ahead,
 * in groups; on sm_90a a producer fills a ring of slots with TMA (cp.async where rows are gathered), consumers empty it.
 */
import type { Scalar, Statement as TileStatement } from '../../compiler/ir/kernel.js';
import { int, variable } from '../../compiler/ir/kernel.js';
import { floorDivide, lessThan, minus, modulo, plus } from '../../compiler/kernels/scalar.js';
import type { Statement } from './lowered.js';
import { stageBytes, type Lowering, type Staged } from './lowering.js';
import type { Product, Source } from './operands.js';
import type { ProductSpots, Spot } from './products.js';
import type { SharedBuffer } from './shared-memory.js';
import { mapPosition, substituteScalar } from './values.js';

export type Loop = Extract<TileStatement, { op: 'for' }>;

/** The buffers of a loop, their contents, and (sm_90a) the barriers that pass slots to and fro. */
export interface Ring {
  readonly staged: readonly Staged[];
  /** Loaded once, before the loop. */
  readonly kept: readonly Staged[];
  readonly spots: ReadonlyMap<Product, ProductSpots>;
  readonly full: string; readonly empty: string; readonly counter: string;
}

type Memory = Extract<Source, { kind: 'shared' | 'packed' }>;

/** Plans what `products` of `loop` need in shared memory; operands that are part of another are read there. */
export function planRing(l: Lowering, loop: Loop, products: readonly Product[], earlier: readonly Ring[]): Ring {
  const staged: Staged[] = [];
  const kept: Staged[] = [];
  const slot = l.options.architecture === 'sm_90a' ? modulo(variable(counterName), l.options.stages) : modulo(iteration(loop), l.options.stages);
  const taken = new Set<SharedBuffer>();
  const place = (source: Memory, ownSize: number): Spot => {
    const inside = loop.body.some((s) => s === source.load);
    const list = inside ? staged : kept;
    const shared = list.map((s) => ({ s, column: columnWithin(s, source, ownSize) })).find((x) => x.column !== undefined);
    const at = inside ? slot : int(0);
    if (shared) return { buffer: shared.s.buffer.name, slot: at, row: 0, column: shared.column! };
    const { rows, rowBytes, swizzle, within } = l.shapeOf(source, ownSize);
    const slots = inside ? l.options.stages : 1;
    const again = earlier.flatMap((r) => [...r.staged, ...r.kept]).map((s) => s.buffer).find((b) => !taken.has(b) && b.rows === rows && b.rowBytes === rowBytes && b.swizzle === swizzle && b.slots === slots);
    const buffer = again ?? l.buffer(`tile_${source.load.view}`, rows, rowBytes, swizzle, slots);
    taken.add(buffer);
    list.push(l.stage(source, buffer, within));
    return { buffer: buffer.name, slot: at, row: 0, column: 0 };
  };
  const spots = new Map<Product, ProductSpots>();
  for (const product of products) {
    const [m, n] = l.layouts.anchors.find((a) => a.product === product)!.layout.axes;
    const left = product.left.kind === 'registers' ? undefined : place(product.left, m.size);
    spots.set(product, { ...(left ? { left } : {}), right: place(product.right, n.size) });
  }
  return { staged, kept, spots, ...barriersOf(l, staged, earlier) };
}

const counterName = 'filled';

function barriersOf(l: Lowering, staged: readonly Staged[], earlier: readonly Ring[]): Pick<Ring, 'full' | 'empty' | 'counter'> {
  const names = { full: 'full', empty: 'empty', counter: counterName };
  if (l.options.architecture !== 'sm_90a') return names;
  const buffers = (s: readonly Staged[]): string => s.map((x) => x.buffer.name).join();
  if (earlier.length > 0) {
    if (buffers(earlier[0].staged) !== buffers(staged)) throw new Error(`lowering '${l.values.program.name}' for CUDA: its loops need different buffers, one ring serves all`);
    return names;
  }
  const gathers = staged.some((s) => !s.boxes);
  l.barrier('full', 1 + (gathers ? producerWarps : 0), l.options.stages);
  l.barrier('empty', l.layouts.warps, l.options.stages);
  return names;
}

export const producerWarps = 4;

/** First column of `staged` at which `source` lies, if it is a part of it. */
function columnWithin(staged: Staged, source: Memory, ownSize: number): number | undefined {
  const { load } = staged;
  if (source.load === load) return 0;
  const last = load.at.length - 1;
  if (source.kind !== 'shared' || source.load.view !== load.view || !source.transposed || source.row !== load.out.shape.find((a) => a.name === source.row)?.name) return undefined;
  const same = load.at.slice(0, last).every((i, d) => JSON.stringify(i) === JSON.stringify(source.load.at[d]));
  const [outer, inner] = [load.at[last], source.load.at[last]];
  if (!same || outer.kind !== 'range' || inner.kind !== 'range' || outer.start.kind !== 'int' || inner.start.kind !== 'int') return undefined;
  const column = inner.start.value - outer.start.value;
  return column >= 0 && column % 8 === 0 && (column + ownSize) * 2 <= staged.buffer.rowBytes ? column : undefined;
}

function iteration(loop: Loop): Scalar { return floorDivide(minus(variable(loop.variable), loop.lo), loop.step); }

/** The `let`s of a loop's body, so that copies for later iterations can compute them too. */
function letsOf(loop: Loop): ReadonlyMap<string, Scalar> {
  const lets = new Map<string, Scalar>();
  for (const s of loop.body) if (s.op === 'let') lets.set(s.name, substituteScalar(s.value, lets));
  return lets;
}

function copyOf(staged: Staged, loop: Loop, at: Scalar, slot: Scalar): Statement {
  const lets = letsOf(loop);
  const change = (s: Scalar): Scalar => substituteScalar(substituteScalar(s, lets), new Map([[loop.variable, at]]));
  return { op: 'copy', buffer: staged.buffer.name, slot, view: staged.view, at: staged.at.map((p) => mapPosition(p, change)), row: 'row', column: 'column', within: staged.within };
}

/** All warps do everything. `compute` works on the slot of the loop's current iteration. */
export function multistage(l: Lowering, loop: Loop, ring: Ring, compute: readonly Statement[]): Statement[] {
  const { stages } = l.options;
  const ahead = stages - 1;
  const at = (n: number, from: Scalar): Scalar => plus(from, n * loop.step);
  const copies = (from: Scalar, slot: Scalar): Statement => ({ op: 'if', condition: lessThan(from, loop.hi), body: ring.staged.map((s) => copyOf(s, loop, from, slot)) });
  const first = ring.kept.map((s) => copyOf(s, loop, loop.lo, int(0)));
  const prologue = Array.from({ length: ahead }, (_, n): Statement[] => [copies(at(n, loop.lo), int(n)), { op: 'commit' }]).flat();
  const now = variable(loop.variable);
  const body: Statement[] = [
    { op: 'wait_copies', pending: ahead - 1 }, { op: 'sync' },
    copies(at(ahead, now), modulo(plus(iteration(loop), ahead), stages)), { op: 'commit' },
    ...compute,
  ];
  return [
    ...first, ...prologue,
    { op: 'for', variable: loop.variable, lo: loop.lo, hi: loop.hi, step: int(loop.step), unroll: false, body },
    { op: 'wait_copies', pending: 0 }, { op: 'sync' },
  ];
}

function ringState(l: Lowering, ring: Ring): { slot: Scalar; before: Scalar; parity: Scalar } {
  const { stages } = l.options;
  const filled = variable(ring.counter);
  return { slot: modulo(filled, stages), before: modulo(plus(filled, stages - 1), stages), parity: modulo(floorDivide(filled, stages), 2) };
}

/** Waits for an empty slot, fills it, and goes on; gathered rows are announced one step later, when they have landed. */
export function produce(l: Lowering, loop: Loop, ring: Ring): Statement[] {
  if (ring.kept.length > 0) throw new Error(`lowering '${l.values.program.name}' for CUDA: an operand that a loop keeps has no place in the ring`);
  const { slot, before, parity } = ringState(l, ring);
  const lets = letsOf(loop);
  const started = lessThan(loop.lo, variable(loop.variable));
  const gathered = ring.staged.filter((s) => !s.boxes);
  const announce = (pending: number): Statement[] => [{ op: 'wait_copies', pending }, { op: 'proxy_fence' }, { op: 'arrive', barrier: ring.full, slot: before }];
  const boxes = ring.staged.flatMap((s) => (s.boxes ?? []).map((b): Statement =>
    ({ op: 'bulk', map: b.map.name, at: b.at.map((x) => substituteScalar(x, lets)), buffer: s.buffer.name, slot, column: b.column, barrier: ring.full })));
  const body: Statement[] = [
    { op: 'wait', barrier: ring.empty, slot, parity: minus(1, parity) },
    { op: 'expect', barrier: ring.full, slot, bytes: stageBytes(ring.staged) }, ...boxes,
    ...gathered.map((s) => copyOf(s, loop, variable(loop.variable), slot)),
    ...(gathered.length > 0 ? [{ op: 'commit' }, { op: 'if', condition: started, body: announce(1) }] as Statement[] : []),
    { op: 'count', name: ring.counter },
  ];
  const walk: Statement = { op: 'for', variable: loop.variable, lo: loop.lo, hi: loop.hi, step: int(loop.step), unroll: false, body };
  return gathered.length === 0 ? [walk] : [walk, { op: 'if', condition: lessThan(loop.lo, loop.hi), body: announce(0) }];
}

/** `compute` is given what releases the slot before, to place where that slot's products are done. */
export function consume(l: Lowering, loop: Loop, ring: Ring, compute: (released: readonly Statement[]) => readonly Statement[]): Statement[] {
  const { slot, before, parity } = ringState(l, ring);
  const release: Statement = { op: 'arrive', barrier: ring.empty, slot: before };
  const body: Statement[] = [
    { op: 'wait', barrier: ring.full, slot, parity },
    ...compute([{ op: 'if', condition: lessThan(loop.lo, variable(loop.variable)), body: [release] }]),
    { op: 'count', name: ring.counter },
  ];
  return [
    { op: 'for', variable: loop.variable, lo: loop.lo, hi: loop.hi, step: int(loop.step), unroll: false, body },
    { op: 'wgmma_wait', pending: 0 },
    { op: 'if', condition: lessThan(loop.lo, loop.hi), body: [release] },
  ];
}
