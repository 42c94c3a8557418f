/** What lives as long as the plan: weights, state and constants, one table per declaration, one row per iteration. */
import { evaluateDim } from '../ir/dim.js';
import { encodeBase64 } from '../ir/base64.js';
import type { Axis, Module, ParamDecl, StateDecl } from '../ir/graph.js';
import { dtypeBytes, type DType } from '../ir/dtype.js';
import { encodeElements } from '../kernels/half.js';
import { packedBytes } from '../kernels/packing-address.js';
import { printPacking, type Packing } from '../ir/packing.js';
import type { Constant, StateRegion, Weight } from '../ir/plan.js';
import type { BufferLayout } from './buffer-layout.js';
import type { EntryLaunches, Tensor } from './launches.js';

/** Row i, of `bytes`, starts at base + i * stride of `buffer`. */
export interface Rows {
  readonly buffer: string;
  readonly base: number;
  readonly stride: number;
  readonly bytes: number;
  readonly count: number;
  readonly dtype: DType;
  readonly packing: Packing;
  readonly label: string;
  /** Which row each iteration around the use means; the row of its own number if absent. */
  readonly chosen?: readonly number[];
}

/** `layers[3].attn.wq` -> `layers[*].attn.wq`: one name for all iterations. */
export function pathPattern(path: string): string {
  return path.replace(/\[\d+\]/g, '[*]');
}

function where(decl: ParamDecl | StateDecl): string {
  return decl.span ? ` (${decl.span.file}:${decl.span.line})` : '';
}

function fixedSizes(axes: readonly Axis[], dims: Readonly<Record<string, number>>): { name: string; size: number }[] {
  return axes.map((a) => ({ name: a.name, size: evaluateDim(a.size, dims) }));
}

/** The packing that the entries use for each parameter; those that none uses have none and get no room. */
export function paramPackings(module: Module, entries: readonly EntryLaunches[]): ReadonlyMap<number, Packing> {
  const found = new Map<number, { packing: Packing; entry: string }>();
  for (const entry of entries) for (const t of entry.tensors) {
    if (t.kind !== 'param') continue;
    const old = found.get(t.param);
    if (old && printPacking(old.packing) !== printPacking(t.packing)) {
      throw new Error(`plan: '${pathPattern(module.params[t.param].paths[0])}' is stored once, but '${old.entry}' wants ${printPacking(old.packing)} and '${entry.name}' ${printPacking(t.packing)}`);
    }
    found.set(t.param, { packing: t.packing, entry: entry.name });
  }
  return new Map([...found].sort(([a], [b]) => a - b).map(([param, f]) => [param, f.packing]));
}

export function layWeights(module: Module, packings: ReadonlyMap<number, Packing>, layout: BufferLayout): { rows: Map<number, Rows>; weights: Weight[] } {
  const rows = new Map<number, Rows>();
  const weights: Weight[] = [];
  for (const [param, packing] of packings) {
    const decl = module.params[param];
    const axes = fixedSizes(decl.type.axes, {});
    const { storage } = decl;
    const dtype = storage.kind === 'plain' ? storage.dtype : storage.kind === 'int4' ? storage.scale : 'f32';
    const bytes = packedBytes(packing, axes, dtype);
    const table = layout.place(decl.paths.length, bytes, `the weight '${decl.paths[0]}'${where(decl)}`);
    rows.set(param, { buffer: layout.id, ...table, bytes, count: decl.paths.length, dtype, packing, label: pathPattern(decl.paths[0]) });
    const shard = decl.shard ? { shard: decl.shard.map(({ axis, group }) => ({ axis, group })) } : {};
    decl.paths.forEach((path, i) => weights.push({ path, buffer: layout.id, offset: table.base + i * table.stride, bytes, dtype, axes, packing, ...shard, init: decl.init }));
  }
  return { rows, weights };
}

/** States that any entry uses; the slots of a cache and the sequences of a pool are as many as `fixed` says. */
export function layStates(module: Module, entries: readonly EntryLaunches[], fixed: Readonly<Record<string, number>>, layout: BufferLayout): { rows: Map<number, Rows>; states: StateRegion[] } {
  const rows = new Map<number, Rows>();
  const states: StateRegion[] = [];
  const used = new Set(entries.flatMap((e) => e.tensors.flatMap((t) => (t.kind === 'state' ? [t.state] : []))));
  for (const state of [...used].sort((a, b) => a - b)) {
    const decl = module.states[state];
    const axes = fixedSizes(decl.type.axes, fixed);
    const { dtype } = decl.type;
    const bytes = axes.reduce((n, a) => n * a.size, dtypeBytes(dtype));
    const table = layout.place(decl.paths.length, bytes, `the state '${decl.paths[0]}'${where(decl)}`);
    const packing: Packing = { kind: 'dense', order: axes.map((a) => a.name) };
    rows.set(state, { buffer: layout.id, ...table, bytes, count: decl.paths.length, dtype, packing, label: pathPattern(decl.paths[0]) });
    decl.paths.forEach((path, i) => states.push({ path, policy: decl.policy, buffer: layout.id, offset: table.base + i * table.stride, bytes, dtype, axes, initial: decl.initial }));
  }
  return { rows, states };
}

type ConstTensor = Extract<Tensor, { kind: 'const' }>;

/** Equal constants are stored once, whichever entries use them. */
export class ConstantTables {
  readonly constants: Constant[] = [];
  private readonly known = new Map<string, Rows>();

  constructor(private readonly layout: BufferLayout) {}

  rowsOf(tensor: ConstTensor): Rows {
    const arrays = tensor.perIteration ?? tensor.perRank ?? [tensor.data];
    const encoded = arrays.map((data) => encodeBase64(encodeElements(data, tensor.dtype)));
    const key = JSON.stringify([tensor.dtype, tensor.perRank !== undefined, encoded]);
    const rows = this.known.get(key) ?? this.add(tensor, arrays[0].length * dtypeBytes(tensor.dtype), encoded);
    this.known.set(key, rows);
    return rows;
  }

  private add(tensor: ConstTensor, bytes: number, encoded: readonly string[]): Rows {
    const { id } = this.layout;
    const label = `const.${this.known.size}`;
    const count = tensor.perRank ? 1 : encoded.length;
    const table = this.layout.place(count, bytes, `a constant of ${tensor.axes.map((a) => a.name).join(' * ')}`);
    encoded.forEach((data, i) => {
      const place = tensor.perRank ? { offset: table.base, rank: i } : { offset: table.base + i * table.stride };
      this.constants.push({ buffer: id, dtype: tensor.dtype, data, ...place });
    });
    const packing: Packing = { kind: 'dense', order: tensor.axes.map((a) => a.name) };
    return { buffer: id, ...table, bytes, count, dtype: tensor.dtype, packing, label };
  }
}
