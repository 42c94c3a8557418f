/**
 * State while one kernel is written: the program so far, which view stands for which tensor, and the tiles already
 * computed. A value of the Graph is either stored (then it is loaded) or computed on the spot from its operands.
 */
import type { Axis, Graph, ParamDecl, TensorType, ValueId } from '../../ir/graph.js';
import type { Dim } from '../../ir/dim.js';
import { dim, type Index, type Scalar, type Tile, type TileAxis, type View } from '../../ir/kernel.js';
import type { DType } from '../../ir/dtype.js';
import type { Packing } from '../../ir/packing.js';
import type { GraphIndex } from '../../ir/graph-index.js';
import { typeOf } from '../../ir/graph-index.js';
import { ProgramBuilder } from '../build.js';
import { blockLength, isCoded } from '../packing-address.js';
import { element, plus, times, toScalar } from '../scalar.js';
import { indexOf, regionKey, whole, type Region } from './region.js';

/** Where a stored value lies: index into the entry's tensors, and how it is laid out there. */
export interface Stored {
  readonly tensor: number;
  readonly dtype: DType;
  readonly axes: readonly Axis[];
  readonly packing?: Packing;
}

/** What lowering needs to know of the graph level that a kernel belongs to. */
export interface Level {
  readonly index: GraphIndex;
  readonly params: readonly ParamDecl[];
  /** Values that have memory, sources included. */
  readonly stored: ReadonlyMap<ValueId, Stored>;
}

export function dimScalar(d: Dim): Scalar {
  if (typeof d === 'number') return toScalar(d);
  return d.terms
    .map((t) => t.symbols.reduce<Scalar>((product, s) => times(product, dim(s)), toScalar(t.coefficient)))
    .reduce((sum, t) => plus(sum, t));
}

/** Sizes in elements: the longest axis held whole where it could be walked, the longest stretch of a `dot`, keys per step of attention, ids per step of grouping. */
export interface Limits { readonly tile: number; readonly k: number; readonly keys: number; readonly ids: number }

export class Lowering {
  private memo: Map<string, Tile>[] = [new Map()];
  /** Values that this very kernel computes: never loaded, even if stored. */
  readonly own = new Set<ValueId>();
  /** Inputs of a scan's body: how to come by them over a region. */
  readonly bound = new Map<ValueId, (region: Region) => Tile>();
  /** In a grouped kernel: the ids value whose expert is fixed, and that expert, or that it is none. */
  fixedSelect: { readonly ids: ValueId; readonly at: Scalar | 'none' } | undefined;

  private constructor(
    readonly level: Level, readonly builder: ProgramBuilder, readonly limits: Limits,
    private readonly views: Map<string, View>,
    /** One per view: the tensor it is bound to. */
    readonly bindings: number[],
  ) {}

  static start(level: Level, name: string, limits: Limits): Lowering {
    return new Lowering(level, new ProgramBuilder(name), limits, new Map(), []);
  }

  /** The same kernel at another level of the Graph: the body of a scan. */
  inside(level: Level): Lowering {
    return new Lowering(level, this.builder, this.limits, this.views, this.bindings);
  }

  get graph(): Graph { return this.level.index.graph; }

  type(value: ValueId): TensorType { return typeOf(this.level.index, value); }

  /** The view through which this kernel reads or writes a stored tensor. */
  viewOf(stored: Stored, access: 'read' | 'write' | 'readwrite', name: string): View {
    const order = stored.packing?.order ?? stored.axes.map((a) => a.name);
    const key = `${stored.tensor} ${access} ${order.join()}`;
    const old = this.views.get(key);
    if (old) return old;
    const axes = Object.fromEntries(order.map((n) => [n, dimScalar(stored.axes.find((a) => a.name === n)!.size)]));
    const unique = [...this.views.values()].some((v) => v.name === name) ? `${name}_${this.bindings.length}` : name;
    const view = this.builder.view(unique, stored.dtype, access, axes, stored.packing ? { packing: stored.packing } : {});
    this.views.set(key, view);
    this.bindings.push(stored.tensor);
    return view;
  }

  /**
   * A stored value read with `over`, neighbours at the end of its storage order, as one axis: sums over several axes
   * then run as one. Undefined where it does not lie so.
   */
  loadMerged(value: ValueId, region: Region, over: readonly string[], merged: string, name: string): Tile | undefined {
    const stored = this.level.stored.get(value);
    if (!stored || this.own.has(value) || this.bound.has(value)) return undefined;
    const order = stored.packing?.order ?? stored.axes.map((a) => a.name);
    const outer = order.slice(0, -over.length);
    if (order.slice(-over.length).join() !== over.join()) return undefined;
    const sizes = over.map((n) => stored.axes.find((a) => a.name === n)!.size as number);
    if (stored.packing && isCoded(stored.packing) && sizes[sizes.length - 1] % blockLength(stored.packing) !== 0) return undefined;
    const axes: Axis[] = [...stored.axes.filter((a) => !over.includes(a.name)), { name: merged, size: sizes.reduce((n, s) => n * s, 1) }];
    const packing: Packing = stored.packing ? { ...stored.packing, order: [...outer, merged] } : { kind: 'dense', order: [...outer, merged] };
    const view = this.viewOf({ ...stored, axes, packing }, 'read', name);
    return this.builder.load(view, view.axes.map((a) => (a.name === merged ? whole(axes[axes.length - 1]) : indexOf(region, a.name))));
  }

  load(value: ValueId, region: Region, name = `v${value}`, fill = 0): Tile {
    const stored = this.level.stored.get(value);
    if (!stored) throw new Error(`lowering '${this.builder.name}': %${value} has no memory to load from`);
    const view = this.viewOf(stored, 'read', name);
    return this.builder.load(view, view.axes.map((a) => indexOf(region, a.name)), { fill });
  }

  /** The element of a stored i32 value at a place, as a scalar. */
  scalarElement(value: ValueId, region: Region, name: string): Scalar | undefined {
    const stored = this.level.stored.get(value);
    if (!stored || this.own.has(value)) return undefined;
    const at: Scalar[] = [];
    for (const axis of stored.axes) {
      const index = indexOf(region, axis.name);
      if (index.kind !== 'point') return undefined;
      at.push(index.at);
    }
    const view = this.viewOf(stored, 'read', name);
    return this.builder.let_(`${name}_at`, element(view, ...at));
  }

  /** Computes once per region and scope. */
  remember(value: ValueId, region: Region, compute: () => Tile): Tile {
    const key = `${value} ${regionKey(region, this.type(value))} ${this.fixedSelect ? 'fixed' : ''}`;
    for (const scope of this.memo) {
      const old = scope.get(key);
      if (old) return old;
    }
    const tile = compute();
    this.memo[this.memo.length - 1].set(key, tile);
    return tile;
  }

  /** Tiles computed inside are forgotten afterwards (they belong to the body of a loop or condition). */
  scoped<T>(inside: () => T): T {
    this.memo.push(new Map());
    try {
      return inside();
    } finally {
      this.memo.pop();
    }
  }

  /** The shape of a tile that spans `region` over the axes of `type`. */
  shapeOver(type: TensorType, region: Region): TileAxis[] {
    const shape: TileAxis[] = [];
    for (const a of type.axes) {
      const index = indexOf(region, a.name);
      if (index.kind === 'range') shape.push({ name: index.axis, size: index.size });
      if (index.kind === 'tile') for (const t of this.builder.tileOf(index.tile).shape) if (!shape.some((s) => s.name === t.name)) shape.push(t);
    }
    return shape;
  }

  /** A tile of places as an index. */
  tileIndex(tile: Tile): Index { return { kind: 'tile', tile: tile.id }; }
}
