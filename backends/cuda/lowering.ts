/** State while one tile program is lowered: the fragments, buffers and barriers so far, and where each operand lies. */
import type { Scalar, Tile, TileAxis, TileId, View } from '../../compiler/ir/kernel.js';
import { constantOf, ceilDivide, floorDivide, plus, times } from '../../compiler/kernels/scalar.js';
import { int4MmaBlock } from '../../compiler/kernels/packing-address.js';
import type { Assignment } from './assign-layouts.js';
import type { Layout } from './layout.js';
import type { Architecture, Barrier, Fragment, GlobalView, Position, TensorMap } from './lowered.js';
import { isBox, type Load, type Source } from './operands.js';
import { slotBytes, swizzleFor, type SharedBuffer } from './shared-memory.js';
import type { TileValues } from './values.js';

export interface LowerOptions {
  readonly architecture: Architecture;
  /** Slots of a ring. */
  readonly stages: number;
  /** Warps that compute, at most. */
  readonly warps: number;
}

/** A load that is copied to shared memory ahead of its use. */
export interface Staged {
  readonly load: Load;
  readonly buffer: SharedBuffer;
  readonly view: string;
  readonly at: readonly Position[];
  /** Sizes that hold data; the rest of the buffer is zero. */
  readonly within: readonly [number, number];
  /** Boxes for TMA: map, coordinates, first byte of the rows. Absent: only cp.async reaches it. */
  readonly boxes?: readonly { readonly map: TensorMap; readonly at: readonly Scalar[]; readonly column: number }[];
}

type Memory = Extract<Source, { kind: 'shared' | 'packed' }>;

export class Lowering {
  readonly fragments: Fragment[] = [];
  readonly buffers: SharedBuffer[] = [];
  readonly barriers: Barrier[] = [];
  readonly maps: TensorMap[] = [];
  readonly views: GlobalView[] = [];

  constructor(readonly values: TileValues, readonly layouts: Assignment, readonly options: LowerOptions) {
    for (const v of values.program.views) this.views.push(globalView(v));
  }

  fragment(name: string, dtype: Fragment['dtype'], layout: Layout): number {
    this.fragments.push({ id: this.fragments.length, dtype, layout, name });
    return this.fragments.length - 1;
  }

  /** The fragment of a computed tile; a new one where it has none. */
  fragmentOf(tile: Tile): number {
    const old = this.values.fragments.get(tile.id);
    if (old !== undefined) return old;
    const id = this.fragment(`t${tile.id}`, tile.dtype === 'bf16' ? 'f32' : tile.dtype, this.layouts.layoutFor(tile));
    this.values.fragments.set(tile.id, id);
    return id;
  }

  alias(tile: TileId, as: number): void { this.values.fragments.set(tile, as); }

  buffer(name: string, rows: number, rowBytes: number, swizzle: SharedBuffer['swizzle'], slots: number): SharedBuffer {
    const unique = this.buffers.some((b) => b.name === name) ? `${name}_${this.buffers.length}` : name;
    const made = { name: unique, rows, rowBytes, swizzle, slots };
    this.buffers.push(made);
    return made;
  }

  barrier(name: string, arrivals: number, slots: number): string {
    this.barriers.push({ name, arrivals, slots });
    return name;
  }

  /** Rows and columns (in elements of the view) that the buffer of an operand has. `ownSize`: of the layout. */
  shapeOf(source: Memory, ownSize: number): { rows: number; rowBytes: number; swizzle: SharedBuffer['swizzle']; within: readonly [number, number] } {
    const size = (axis: string): number => source.tile.shape.find((a) => a.name === axis)!.size;
    if (source.kind === 'packed') {
      const { packing } = this.values.view(source.load.view);
      if (packing.kind !== 'int4-mma') throw this.values.error(source.tile.id, 'is not packed in fragment order');
      const along = source.tile.shape.find((a) => a.name !== source.own)!;
      if (along.size % 64 !== 0) throw this.values.error(source.tile.id, `is ${along.size} long, blocks of codes are 64`);
      const words = (along.size / 64) * int4MmaBlock(packing).words;
      return { rows: ownSize / 16, rowBytes: words * 4, swizzle: 0, within: [Math.ceil(size(source.own) / 16), words] };
    }
    const [rows, columns] = [size(source.row), size(source.column)];
    const wide = (n: number): number => Math.ceil(n / 16) * 16;
    const rowBytes = 2 * (source.transposed ? ownSize : wide(columns));
    return { rows: source.transposed ? wide(rows) : ownSize, rowBytes, swizzle: swizzleFor(rowBytes), within: [rows, columns] };
  }

  stage(source: Memory, buffer: SharedBuffer, within: readonly [number, number]): Staged {
    const { load } = source;
    if (source.kind === 'packed') return this.stagePacked(source, buffer, within);
    const coordinates = new Map([[source.row, { kind: 'coordinate', axis: 'row' }], [source.column, { kind: 'coordinate', axis: 'column' }]] as const);
    const at = this.values.positions(load.view, load.at, coordinates, false);
    const staged = { load, buffer, view: load.view, at, within };
    return this.options.architecture === 'sm_90a' && isBox(load.at) ? { ...staged, boxes: this.boxesOf(source, buffer) } : staged;
  }

  /** One box per panel of the buffer. */
  private boxesOf(source: Extract<Source, { kind: 'shared' }>, buffer: SharedBuffer): Staged['boxes'] {
    const { load } = source;
    const width = buffer.swizzle === 0 ? buffer.rowBytes : buffer.swizzle;
    const contracted = source.tile.shape.find((a) => a.name !== source.own)!;
    if (buffer.rows > 256 || (contracted.size % 16 !== 0 && !coversAxis(this.values.view(load.view), load, contracted))) throw this.values.error(load.out.id, `does not fit boxes of TMA (${buffer.rows} rows, ${contracted.size} summed)`);
    const box = load.at.map((i) => (i.kind !== 'range' ? 1 : i.axis === source.column ? width / 2 : buffer.rows));
    const map = this.map(load.view, box, buffer.swizzle);
    const starts = load.at.map((i): Scalar => (i.kind === 'point' ? i.at : i.kind === 'range' ? i.start : { kind: 'int', value: 0 }));
    return Array.from({ length: buffer.rowBytes / width }, (_, p) => ({
      map, column: p * width, at: starts.map((s, d) => (load.at[d].kind === 'range' && (load.at[d] as { axis: string }).axis === source.column ? plus(s, (p * width) / 2) : s)),
    }));
  }

  private map(view: string, box: readonly number[], swizzle: TensorMap['swizzle']): TensorMap {
    const old = this.maps.find((m) => m.view === view && m.swizzle === swizzle && m.box.join() === box.join());
    if (old) return old;
    const made = { name: `map_${this.maps.length}_${view}`, view, box, swizzle };
    this.maps.push(made);
    return made;
  }

  private stagePacked(source: Extract<Source, { kind: 'packed' }>, buffer: SharedBuffer, within: readonly [number, number]): Staged {
    const { load } = source;
    const view = this.values.view(load.view);
    const { packing } = view;
    if (packing.kind !== 'int4-mma') throw this.values.error(load.out.id, 'is not packed in fragment order');
    const { words } = int4MmaBlock(packing);
    const starts = load.at.map((index, d): Scalar => {
      if (index.kind === 'point') return index.at;
      if (index.kind !== 'range' || index.limit) throw this.values.error(load.out.id, 'reads packed codes through an index tile');
      return d === load.at.length - 1 ? times(blockStart(index.start, 64), words) : d === load.at.length - 2 ? blockStart(index.start, 16) : index.start;
    });
    const at = load.at.map((index, d): Position => {
      const base = { kind: 'scalar', value: starts[d] } as const;
      const axis = d === load.at.length - 1 ? 'column' : 'row';
      return { value: index.kind === 'point' ? base : { kind: 'call', fn: 'add', dtype: 'i32', args: [base, { kind: 'coordinate', axis }] }, guarded: true };
    });
    const staged = { load, buffer, view: load.view, at, within };
    if (this.options.architecture !== 'sm_90a') return staged;
    const rows = load.at.map((index, d) => (d === load.at.length - 1 ? words : index.kind === 'point' ? 1 : buffer.rows));
    const map = this.map(load.view, rows, 0);
    if (buffer.rowBytes !== words * 4) throw this.values.error(load.out.id, `is ${buffer.rowBytes} bytes long, a box is ${words * 4}`);
    return { ...staged, boxes: [{ map, at: starts, column: 0 }] };
  }
}

/** Whether a load takes all of a view's axis along `axis`: then boxes that are wider read zeros. */
function coversAxis(view: View, load: Load, axis: TileAxis): boolean {
  const d = load.at.findIndex((i) => i.kind === 'range' && i.axis === axis.name);
  const index = load.at[d];
  return index?.kind === 'range' && constantOf(index.start) === 0 && constantOf(view.axes[d].extent) === axis.size;
}

/** start / by, where start is known to be a multiple. */
function blockStart(start: Scalar, by: number): Scalar {
  if (start.kind === 'multiply' && start.b.kind === 'int' && start.b.value % by === 0) return times(start.a, start.b.value / by);
  const c = constantOf(start);
  return c === undefined ? floorDivide(start, by) : { kind: 'int', value: Math.floor(c / by) };
}

function globalView(v: View): GlobalView {
  const extents = v.axes.map((a) => a.extent);
  const { packing } = v;
  if (packing.kind !== 'int4-mma') return { name: v.name, access: v.access, dtype: v.dtype, extents, ...(v.strides ? { strides: v.strides } : {}) };
  const { words } = int4MmaBlock(packing);
  const last = extents.length - 1;
  return { name: v.name, access: v.access, dtype: 'words', extents: extents.map((e, d) => (d === last ? times(ceilDivide(e, 64), words) : d === last - 1 ? ceilDivide(e, 16) : e)) };
}

export function stageBytes(staged: readonly Staged[]): number {
  return staged.filter((s) => s.boxes).reduce((n, s) => n + slotBytes(s.buffer), 0);
}
