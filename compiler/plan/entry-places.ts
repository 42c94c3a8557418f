/** Where every tensor of one entry lies: the regions that steps name. */
import { evaluateDim } from '../ir/dim.js';
import { dtypeBytes, type DType } from '../ir/dtype.js';
import type { Region } from '../ir/plan.js';
import { coalesce, type Places } from './coalesce.js';
import type { EntryLaunches, Tensor, TensorIndex } from './launches.js';
import { align } from './view-bytes.js';
import type { Rows } from './tables.js';
import { timeline, type Loop, type Timeline } from './timeline.js';

export type DimMaxima = Readonly<Record<string, number>>;

/** Rows of everything with a fixed place, by tensor of the entry. */
export type FixedRows = (tensor: TensorIndex) => Rows;

export interface EntrySpots {
  readonly entry: EntryLaunches;
  readonly dims: DimMaxima;
  readonly time: Timeline;
  readonly places: Places;
  /** Unique within the entry. */
  readonly label: (tensor: TensorIndex) => string;
  readonly bytes: (tensor: TensorIndex) => number;
  readonly dtype: (tensor: TensorIndex) => DType;
  /** Bytes between neighbours of a stacked tensor, outermost first; empty for others. */
  readonly strides: (tensor: TensorIndex) => readonly { readonly count: number; readonly stride: number }[];
}

export function entrySpots(launches: EntryLaunches, dims: DimMaxima, rows: FixedRows): EntrySpots {
  const tensors = [...launches.tensors];
  const entry: EntryLaunches = { ...launches, tensors };
  const time = timeline(entry);
  const stackedBy = new Map<TensorIndex, { inside: TensorIndex; count: number }>();
  for (const loop of time.loops.values()) for (const s of loop.step.stacked) stackedBy.set(s.out, { inside: s.inside, count: loop.step.count });
  const bytes = (index: TensorIndex): number => {
    const stacked = stackedBy.get(index);
    if (stacked) return stacked.count * align(bytes(stacked.inside));
    const t = entry.tensors[index];
    if (t.kind === 'param' || t.kind === 'state' || t.kind === 'const') return rows(index).bytes;
    return t.axes.reduce((n, a) => n * evaluateDim(a.size, dims), dtypeBytes(t.dtype));
  };
  const strides = (index: TensorIndex): { count: number; stride: number }[] => {
    const stacked = stackedBy.get(index);
    return stacked ? [{ count: stacked.count, stride: align(bytes(stacked.inside)) }, ...strides(stacked.inside)] : [];
  };
  const places = coalesce(entry, time, bytes, (like) => tensors.push(spareValue(tensors[like])) - 1);
  const labels = uniqueLabels(entry);
  return {
    entry, dims, time, places, bytes, strides,
    label: (i) => labels[i] ?? rows(i).label,
    dtype: (i) => { const t = entry.tensors[i]; return t.kind === 'param' || t.kind === 'state' ? rows(i).dtype : t.dtype; },
  };
}

function spareValue(like: Tensor): Tensor {
  if (!('axes' in like)) throw new Error('plan: a carried value that is a parameter or a state exchanges places with another');
  return { kind: 'value', name: 'spare', dtype: like.dtype, axes: like.axes };
}

/** Names of values and ports; a name that comes again gets a number. Tensors with fixed places are named by those. */
function uniqueLabels(entry: EntryLaunches): (string | undefined)[] {
  const seen = new Set<string>();
  const unique = (name: string): string => {
    let label = name;
    for (let n = 2; seen.has(label); n++) label = `${name}#${n}`;
    seen.add(label);
    return label;
  };
  const ports = entry.tensors.map((t) => (t.kind === 'input' || t.kind === 'output' ? unique(t.name) : undefined));
  return entry.tensors.map((t, i) => (t.kind === 'value' ? unique(t.name) : ports[i]));
}

/** Entries share the place of a port; a stacked one has its own per entry, since iterations lie as far apart as its dims say. */
export function portKey(spots: EntrySpots, tensor: TensorIndex): string {
  const stacked = spots.strides(tensor).length > 0 ? ` of ${spots.entry.name}` : '';
  return `${spots.entry.tensors[tensor].kind} ${spots.label(tensor)}${stacked}`;
}

/** A whole tensor in the iteration of `loops`. `ports` and `scratch` hold offsets by `portKey` and by place. */
export function regionOf(
  spots: EntrySpots, rows: FixedRows, ports: ReadonlyMap<string, number>, scratch: ReadonlyMap<TensorIndex, number>, tensor: TensorIndex, loops: readonly Loop[],
): Region {
  const { entry, places } = spots;
  const t = entry.tensors[tensor];
  if (t.kind === 'param' || t.kind === 'state' || t.kind === 'const') return rowRegion(rows(tensor), loops, entry.name);
  const named = { bytes: spots.bytes(tensor), tensor: spots.label(tensor) };
  const part = places.stretchOf.get(tensor);
  if (part) return { ...stretch(regionOf(spots, rows, ports, scratch, part.out, loops), spots.strides(part.out)[0].stride, part.loop), ...named };
  const port = t.kind === 'value' ? places.members(tensor).find((m) => entry.tensors[m].kind === 'output') : tensor;
  if (port !== undefined) return { buffer: entry.tensors[port].kind, offset: { base: ports.get(portKey(spots, port))!, terms: [] }, ...named };
  return { buffer: 'scratch', offset: { base: scratch.get(places.root(tensor))!, terms: [] }, ...named };
}

/** The current iteration's part of a stacked region. */
export function stretch(whole: Region, stride: number, loop: Loop): Region {
  return { ...whole, offset: { base: whole.offset.base, terms: [...whole.offset.terms, { variable: loop.variable, stride }] } };
}

/** The row of `rows` that belongs to the current iteration of the loops around a step, outermost slowest. */
function rowRegion(rows: Rows, loops: readonly Loop[], entry: string): Region {
  if (rows.chosen) return chosenRegion(rows, rows.chosen, loops);
  let depth = 0;
  let rest = rows.count;
  while (rest > 1 && depth < loops.length && rest % loops[depth].step.count === 0) rest /= loops[depth++].step.count;
  if (rest !== 1) throw new Error(`plan: entry '${entry}': '${rows.label}' has ${rows.count} rows, which the repeats around its use (${loops.map((l) => `${l.variable}: ${l.step.count}`).join(', ') || 'none'}) do not number`);
  const terms = [];
  let stride = rows.stride;
  for (let d = depth - 1; d >= 0; d--) {
    if (loops[d].step.count > 1) terms.unshift({ variable: loops[d].variable, stride });
    stride *= loops[d].step.count;
  }
  return { buffer: rows.buffer, offset: { base: rows.base, terms }, bytes: rows.bytes, tensor: rows.label };
}

/** Rows that rise evenly with each loop: `check/factor` rolls up no others. */
function chosenRegion(rows: Rows, chosen: readonly number[], loops: readonly Loop[]): Region {
  const terms = [];
  let inner = chosen.length;
  for (const { variable, step } of loops) {
    if (inner === 1) break;
    inner /= step.count;
    const stride = step.count > 1 ? (chosen[inner] - chosen[0]) * rows.stride : 0;
    if (stride !== 0) terms.push({ variable, stride });
  }
  return { buffer: rows.buffer, offset: { base: rows.base + chosen[0] * rows.stride, terms }, bytes: rows.bytes, tensor: rows.label };
}
