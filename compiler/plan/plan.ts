/**
 * The planner: launches over named tensors -> a Plan in which every tensor has an address.
 *
 *   weights, state, constants   one table per declaration, row i at base + i * stride (tables.ts)
 *   inputs, outputs             one place per port name, shared by the entries
 *   values                      places shared where lives do not meet (timeline.ts, coalesce.ts, arena.ts); the entries
 *                               use the same scratch, which is dead between runs
 */
import type { Module } from '../ir/graph.js';
import { planVersion, type Buffer, type Bundle, type Entry, type Plan, type Port, type Region } from '../ir/plan.js';
import { dimScalar } from '../kernels/lower/lowering.js';
import { packArena, type ArenaItem } from './arena.js';
import { BufferLayout, LimitError } from './buffer-layout.js';
import { entrySpots, portKey, regionOf, type DimMaxima, type EntrySpots } from './entry-places.js';
import { KernelTable } from './kernel-table.js';
import type { EntryLaunches, TensorIndex } from './launches.js';
import type { PlanOptions } from './options.js';
import { alignment } from './view-bytes.js';
import { placeSteps, type Placement } from './place-entry.js';
import { planHash } from './plan-hash.js';
import { ConstantTables, layStates, layWeights, paramPackings, type Rows } from './tables.js';
import type { Loop } from './timeline.js';

/**
 * Throws LimitError if a tensor exceeds `options.maxBufferBytes`, and Error for launches that break the planner's
 * assumptions: a value used outside its iteration, two packings of one weight, a view that reaches beyond its tensor.
 */
export function buildPlan(module: Module, entries: readonly EntryLaunches[], options: PlanOptions): Bundle {
  const limit = options.maxBufferBytes === undefined ? Infinity : Math.floor(options.maxBufferBytes / alignment) * alignment;
  const layouts = {
    weights: new BufferLayout('weights', 'weights', limit), constants: new BufferLayout('constants', 'constants', limit),
    state: new BufferLayout('state', 'state', limit), input: new BufferLayout('input', 'input', limit), output: new BufferLayout('output', 'output', limit),
  };
  const { rows: params, weights } = layWeights(module, paramPackings(module, entries), layouts.weights);
  const { rows: state, states } = layStates(module, entries, options.fixed, layouts.state);
  const constants = new ConstantTables(layouts.constants);
  const spots = entries.map((entry) => entrySpots(entry, entryDims(entry, options), fixedRows(entry, params, state, constants)));
  const ports = layPorts(spots, layouts);
  const kernels = new KernelTable();
  const placed = spots.map((s) => placeEntry(s, fixedRows(s.entry, params, state, constants), ports, kernels, options.fixed, limit));
  const scratch = scratchBuffer(Math.max(0, ...placed.map((p) => p.scratchBytes)), limit);
  const buffers = [...Object.values(layouts).map((l) => l.finish()), scratch].filter((b) => b.bytes > 0);
  const plan: Plan = {
    version: planVersion, model: module.graph.name, target: options.target, hash: '', block: options.block,
    ranks: options.ranks ?? 1, groups: options.groups ?? [], dims: planDims(placed.map((p) => p.entry), options), buffers, weights, states,
    constants: constants.constants, kernels: kernels.kernels(), entries: placed.map((p) => p.entry),
    peakBytes: buffers.reduce((n, b) => n + b.bytes, 0),
  };
  return { plan: { ...plan, hash: planHash(plan) }, programs: kernels.programs };
}

function entryDims(entry: EntryLaunches, options: PlanOptions): DimMaxima {
  return { ...Object.fromEntries(entry.dims.map((d) => [d.name, d.max])), ...options.fixed };
}

function planDims(entries: readonly Entry[], options: PlanOptions): Plan['dims'] {
  const max = new Map(Object.entries(options.fixed));
  for (const e of entries) for (const d of e.dims) max.set(d.name, Math.max(d.max, max.get(d.name) ?? 0));
  return [...max].map(([name, value]) => ({ name, max: value }));
}

function scratchBuffer(bytes: number, limit: number): Buffer {
  const cuts = bytes > limit ? { pieces: Array.from({ length: Math.ceil(bytes / limit) }, (_, i) => i * limit) } : {};
  return { id: 'scratch', kind: 'scratch', bytes, ...cuts };
}

/** The rows of one slot only. */
function slotOf(rows: Rows | undefined, at: number | undefined): Rows | undefined {
  return rows === undefined || at === undefined ? rows : { ...rows, base: rows.base + at * rows.stride, count: 1 };
}

function fixedRows(entry: EntryLaunches, params: ReadonlyMap<number, Rows>, states: ReadonlyMap<number, Rows>, constants: ConstantTables): (tensor: TensorIndex) => Rows {
  const known = entry.tensors.map((t) => (t.kind === 'param' ? chosenRows(params.get(t.param), t.rows) : t.kind === 'state' ? slotOf(states.get(t.state), t.at) : t.kind === 'const' ? constants.rowsOf(t) : undefined));
  return (tensor) => {
    const rows = known[tensor];
    if (!rows) throw new Error(`plan: entry '${entry.name}': tensor ${tensor} has no fixed place`);
    return rows;
  };
}

function chosenRows(rows: Rows | undefined, chosen: readonly number[] | undefined): Rows | undefined {
  return rows === undefined || chosen === undefined ? rows : { ...rows, chosen };
}

/** Port -> offset in `input` or `output`: as large as the entry that needs most. */
function layPorts(spots: readonly EntrySpots[], layouts: { readonly input: BufferLayout; readonly output: BufferLayout }): ReadonlyMap<string, number> {
  const sizes = new Map<string, { kind: 'input' | 'output'; name: string; count: number; bytes: number }>();
  for (const s of spots) s.entry.tensors.forEach((t, i) => {
    if (t.kind !== 'input' && t.kind !== 'output') return;
    // Stacked ports may be cut between the iterations that they come from.
    const count = s.strides(i).reduce((n, x) => n * x.count, 1);
    const key = portKey(s, i);
    const old = sizes.get(key);
    sizes.set(key, { kind: t.kind, name: t.name, count: Math.max(count, old?.count ?? 1), bytes: Math.max(s.bytes(i) / count, old?.bytes ?? 0) });
  });
  return new Map([...sizes].map(([key, p]) => [key, layouts[p.kind].place(p.count, p.bytes, `the ${p.kind} '${p.name}'`).base]));
}

function placeEntry(spots: EntrySpots, rows: (tensor: TensorIndex) => Rows, ports: ReadonlyMap<string, number>, kernels: KernelTable, fixed: DimMaxima, limit: number): { entry: Entry; scratchBytes: number } {
  const { entry } = spots;
  const arena = packArena(arenaItems(spots, limit), limit);
  const region = (tensor: TensorIndex, loops: readonly Loop[]): Region => regionOf(spots, rows, ports, arena.offsets, tensor, loops);
  const placement: Placement = { spots, region, kernels, nextTag: 0 };
  const portsOf = (kind: 'input' | 'output'): Port[] => entry.tensors.flatMap((t, i) => (t.kind === kind ? [port(spots, region(i, []), i)] : []));
  const steps = placeSteps(placement, entry.steps, []);
  const dims = entry.dims.filter((d) => !(d.name in fixed));
  return { entry: { name: entry.name, dims, inputs: portsOf('input'), outputs: portsOf('output'), steps }, scratchBytes: arena.bytes };
}

/** One item per place that is neither a port's nor a stretch of another. */
function arenaItems(spots: EntrySpots, limit: number): ArenaItem[] {
  const { entry, places } = spots;
  return entry.tensors.flatMap((t, i): ArenaItem[] => {
    const shared = places.members(i);
    if (places.root(i) !== i || t.kind !== 'value' || places.stretchOf.has(i) || shared.some((m) => entry.tensors[m].kind === 'output')) return [];
    if (spots.bytes(i) > limit) throw new LimitError(`the intermediate '${spots.label(i)}' of entry '${entry.name}'`, spots.bytes(i), limit);
    return [{ key: i, bytes: spots.bytes(i), intervals: places.intervals(i) }];
  });
}

function port(spots: EntrySpots, region: Region, tensor: TensorIndex): Port {
  const t = spots.entry.tensors[tensor];
  if (t.kind !== 'input' && t.kind !== 'output') throw new Error(`plan: '${spots.label(tensor)}' is no port`);
  const strides = spots.strides(tensor);
  return { name: t.name, region, dtype: t.dtype, shape: t.axes.map((a) => dimScalar(a.size)), ...(strides.length > 0 ? { stretches: strides } : {}) };
}
