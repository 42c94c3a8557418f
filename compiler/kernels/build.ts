/**
 * Writes tile programs. Every method appends one statement to the innermost open body and returns the tile it defines,
 * with shape and dtype inferred; a mistake throws at once, naming the program and the op.
 */
import type { DType } from '../ir/dtype.js';
import { arg, call, cast, exprDType, num, type Expr, type ScalarFunction } from '../ir/expr.js';
import { variable, type Index, type Program, type Scalar, type Statement, type Tile, type TileAxis, type View } from '../ir/kernel.js';
import type { Packing } from '../ir/packing.js';
import { axisOf, concatAxes, dotAxes, indexedAxes, loadDType, mergeAxes, printShape, reduceDType, renameAxes, sameAxes, sameShape, sliceAxes, splitAxes, unionAxes, withoutAxes, type Shape } from './build-shapes.js';
import { toScalar, type ScalarLike } from './scalar.js';

/** The most negative finite f32: the identity of `maximum` on targets that may assume there are no infinities. */
export const lowest = -3.4028234663852886e38;

/** A range, a place (the axis disappears) or an i32 tile of places. */
export type IndexLike = Index | ScalarLike | Tile;
export type Axes = Readonly<Record<string, ScalarLike>>;

/** `size` neighbours from `start` on the tile axis `axis`; places at or beyond `limit` count as outside the view. */
export function range(axis: string, start: ScalarLike, size: number, limit?: ScalarLike): Index {
  return { kind: 'range', axis, start: toScalar(start), size, ...(limit === undefined ? {} : { limit: toScalar(limit) }) };
}

function toIndex(at: IndexLike): Index {
  if (typeof at === 'number') return { kind: 'point', at: toScalar(at) };
  if ('id' in at) return { kind: 'tile', tile: at.id };
  return at.kind === 'point' || at.kind === 'range' || at.kind === 'tile' ? at : { kind: 'point', at };
}

export interface ViewOptions {
  /** Dense in the order of the axes if absent. */
  readonly packing?: Packing;
  readonly strides?: readonly number[];
}

export class ProgramBuilder {
  private readonly views: View[] = [];
  private readonly grid: { name: string; extent: Scalar }[] = [];
  private readonly origins: { what: string; where: string }[] = [];
  private readonly choices: Record<string, number> = {};
  private readonly tiles: Tile[] = [];
  private readonly names = new Set<string>();
  private body: Statement[] = [];

  constructor(readonly name: string) {}

  /** Declares the next view; launches bind views in order of declaration. `axes`: name -> extent, in storage order. */
  view(name: string, dtype: DType, access: View['access'], axes: Axes, options: ViewOptions = {}): View {
    if (this.views.some((v) => v.name === name)) this.fail('view', `'${name}' is declared twice`);
    const list = Object.entries(axes).map(([axis, extent]) => ({ name: axis, extent: toScalar(extent) }));
    const packing = options.packing ?? { kind: 'dense', order: list.map((a) => a.name) };
    const view: View = { name, dtype, access, axes: list, packing, ...(options.strides ? { strides: options.strides } : {}) };
    this.views.push(view);
    return view;
  }

  gridAxis(name: string, extent: ScalarLike): Scalar {
    const unique = this.unique(name);
    this.grid.push({ name: unique, extent: toScalar(extent) });
    return variable(unique);
  }

  /** `fill` (default 0) is what places outside the view yield; `dtype` f32 (default) or as stored, for 16-bit floats. */
  load(view: View, at: readonly IndexLike[], options: { readonly fill?: number; readonly dtype?: DType } = {}): Tile {
    const indices = at.map(toIndex);
    const [shape, dtype] = this.check('load', () => [indexedAxes(view, indices, this.tileOf), loadDType(view, options.dtype)] as const);
    return this.define(dtype, shape, (out) => ({ op: 'load', out, view: view.name, at: indices, fill: options.fill ?? 0 }));
  }

  /** Places outside the view, and those where the bool tile `where` (axes among the value's) is false, are dropped. */
  store(view: View, at: readonly IndexLike[], value: Tile, where?: Tile): void {
    const indices = at.map(toIndex);
    this.check('store', () => {
      const shape = indexedAxes(view, indices, this.tileOf);
      if (!sameAxes(shape, value.shape)) throw new Error(`'${view.name}' is indexed over ${printShape(shape)}, the value has ${printShape(value.shape)}`);
    });
    this.body.push({ op: 'store', view: view.name, at: indices, value: value.id, ...(where ? { where: where.id } : {}) });
  }

  map(expr: Expr, args: readonly Tile[]): Tile {
    const shape = this.check('map', () => unionAxes(...args.map((a) => a.shape)));
    return this.mapped(expr, args, shape);
  }

  /** One scalar function; numbers among the operands take the dtype of the first tile (f32 for 16-bit floats). */
  apply(fn: ScalarFunction, ...operands: readonly (Tile | number)[]): Tile {
    const tiles = operands.filter((o): o is Tile => typeof o !== 'number');
    const values = fn === 'select' && typeof operands[1] !== 'number' ? operands[1] : tiles[fn === 'select' && tiles.length > 1 ? 1 : 0];
    const dtype = values.dtype === 'bf16' || values.dtype === 'f16' || (fn === 'select' && tiles.length === 1) ? 'f32' : values.dtype;
    let next = 0;
    return this.map(call(fn, ...operands.map((o) => (typeof o === 'number' ? num(o, dtype) : arg(next++)))), tiles);
  }

  add(a: Tile, b: Tile | number): Tile { return this.apply('add', a, b); }
  subtract(a: Tile, b: Tile | number): Tile { return this.apply('subtract', a, b); }
  multiply(a: Tile, b: Tile | number): Tile { return this.apply('multiply', a, b); }
  divide(a: Tile, b: Tile | number): Tile { return this.apply('divide', a, b); }
  less(a: Tile, b: Tile | number): Tile { return this.apply('less', a, b); }
  equal(a: Tile, b: Tile | number): Tile { return this.apply('equal', a, b); }
  and(a: Tile, b: Tile): Tile { return this.apply('and', a, b); }
  select(condition: Tile, a: Tile | number, b: Tile | number): Tile { return this.apply('select', condition, a, b); }
  cast(to: DType, value: Tile): Tile { return value.dtype === to ? value : this.map(cast(to, arg(0)), [value]); }

  /** The value repeated along the axes of `shape` that it lacks, in the order of `shape`. */
  broadcast(value: Tile, shape: Shape): Tile {
    if (sameShape(value.shape, shape)) return value;
    this.check('broadcast', () => { if (unionAxes(shape, value.shape).length !== shape.length) throw new Error(`${printShape(value.shape)} to ${printShape(shape)}`); });
    const missing = shape.filter((a) => !value.shape.some((v) => v.name === a.name));
    const extra = missing.length > 0 ? [this.full(0, missing)] : [];
    return this.mapped(arg(0), [value, ...extra], shape);
  }

  /** start, start + 1, .. as i32. */
  iota(axis: string, size: number, start: ScalarLike = 0): Tile {
    return this.define('i32', [{ name: axis, size }], (out) => ({ op: 'iota', out, start: toScalar(start) }));
  }

  /** A scalar as an i32 tile without axes. */
  scalar(value: ScalarLike): Tile {
    return this.define('i32', [], (out) => ({ op: 'scalar', out, value: toScalar(value) }));
  }

  full(value: number, shape: Shape = [], dtype: DType = 'f32'): Tile {
    return this.define(dtype, shape, (out) => ({ op: 'full', out, value }));
  }

  /** acc + sum over `over` of a * b, f32. */
  dot(a: Tile, b: Tile, options: { readonly over: readonly string[]; readonly acc?: Tile }): Tile {
    const { over, acc } = options;
    const shape = this.check('dot', () => dotAxes(a, b, over, acc));
    return this.define('f32', shape, (out) => ({ op: 'dot', out, a: a.id, b: b.id, over, ...(acc ? { acc: acc.id } : {}) }));
  }

  reduce(fn: 'add' | 'maximum' | 'minimum', value: Tile, ...over: readonly string[]): Tile {
    const [shape, dtype] = this.check('reduce', () => [withoutAxes(value.shape, over), reduceDType(value)] as const);
    return this.define(dtype, shape, (out) => ({ op: 'reduce', out, fn, value: value.id, over }));
  }

  /** Inclusive running sum along `axis`. */
  cumulate(value: Tile, axis: string, options: { readonly reverse?: boolean } = {}): Tile {
    const dtype = this.check('cumulate', () => (axisOf(value.shape, axis), reduceDType(value)));
    return this.define(dtype, value.shape, (out) => ({ op: 'cumulate', out, value: value.id, axis, reverse: options.reverse ?? false }));
  }

  rename(value: Tile, from: string, to: string): Tile {
    const shape = this.check('rename', () => renameAxes(value.shape, from, to));
    return this.define(value.dtype, shape, (out) => ({ op: 'rename', out, value: value.id, from, to }));
  }

  /** `into`: name -> size, outermost first. */
  split(value: Tile, axis: string, into: Readonly<Record<string, number>>): Tile {
    const parts = Object.entries(into).map(([name, size]): TileAxis => ({ name, size }));
    const shape = this.check('split', () => splitAxes(value.shape, axis, parts));
    return this.define(value.dtype, shape, (out) => ({ op: 'split', out, value: value.id, axis, into: parts }));
  }

  merge(value: Tile, axes: readonly string[], into: string): Tile {
    const shape = this.check('merge', () => mergeAxes(value.shape, axes, into));
    return this.define(value.dtype, shape, (out) => ({ op: 'merge', out, value: value.id, axes, into }));
  }

  slice(value: Tile, axis: string, at: { readonly start: number; readonly step?: number; readonly size: number }): Tile {
    const { start, step = 1, size } = at;
    const shape = this.check('slice', () => sliceAxes(value.shape, axis, start, step, size));
    return this.define(value.dtype, shape, (out) => ({ op: 'slice', out, value: value.id, axis, start, step, size }));
  }

  concat(parts: readonly Tile[], axis: string): Tile {
    const shape = this.check('concat', () => concatAxes(parts, axis));
    return this.define(parts[0].dtype, shape, (out) => ({ op: 'concat', out, parts: parts.map((p) => p.id), axis }));
  }

  /** Names a scalar, so that it is computed once. */
  let_(name: string, value: ScalarLike): Scalar {
    const unique = this.unique(name);
    this.body.push({ op: 'let', name: unique, value: toScalar(value) });
    return variable(unique);
  }

  /**
   * `inside` gets the loop variable and the carried tiles of one iteration, and returns the next ones, in the order of
   * `initial`. Carries keep the axis order of `initial`.
   */
  loop(name: string, lo: ScalarLike, hi: ScalarLike, step: number, initial: readonly Tile[], inside: (at: Scalar, carried: readonly Tile[]) => readonly Tile[]): Tile[] {
    const unique = this.unique(name);
    const carried = initial.map((t) => this.tile(t.dtype, t.shape));
    const [next, body] = this.nested(() => this.aligned(inside(variable(unique), carried), initial));
    const outs = initial.map((t) => this.tile(t.dtype, t.shape));
    const carries = initial.map((t, i) => ({ initial: t.id, inside: carried[i], next: next[i].id, out: outs[i] }));
    this.body.push({ op: 'for', variable: unique, lo: toScalar(lo), hi: toScalar(hi), step, carries, body });
    return outs;
  }

  if_(condition: ScalarLike, then: () => void): void {
    const [, body] = this.nested(then);
    this.body.push({ op: 'if', condition: toScalar(condition), body });
  }

  origin(what: string, where: string): void { this.origins.push({ what, where }); }
  schedule(key: string, value: number): void { this.choices[key] = value; }

  finish(): Program {
    return { name: this.name, views: this.views, grid: this.grid, body: this.body, schedule: this.choices, origin: this.origins };
  }

  /** A tile of this program by its id. */
  readonly tileOf = (id: number): Tile => this.tiles[id];

  private aligned(next: readonly Tile[], initial: readonly Tile[]): Tile[] {
    if (next.length !== initial.length) this.fail('loop', `${initial.length} carried tiles, ${next.length} next ones`);
    return next.map((t, i) => {
      const want = initial[i];
      if (t.dtype !== want.dtype || !sameAxes(t.shape, want.shape)) {
        this.fail('loop', `carry ${i} starts as ${want.dtype} ${printShape(want.shape)} and becomes ${t.dtype} ${printShape(t.shape)}`);
      }
      return sameShape(t.shape, want.shape) ? t : this.mapped(arg(0), [t], want.shape);
    });
  }

  private mapped(expr: Expr, args: readonly Tile[], shape: Shape): Tile {
    const dtype = exprDType(expr, args.map((a) => a.dtype));
    return this.define(dtype, shape, (out) => ({ op: 'map', out, expr, args: args.map((a) => a.id) }));
  }

  private nested<T>(fill: () => T): [T, Statement[]] {
    const outer = this.body;
    this.body = [];
    const result = fill();
    const body = this.body;
    this.body = outer;
    return [result, body];
  }

  private tile(dtype: DType, shape: Shape): Tile {
    const tile: Tile = { id: this.tiles.length, dtype, shape };
    this.tiles.push(tile);
    return tile;
  }

  private define(dtype: DType, shape: Shape, statement: (out: Tile) => Statement): Tile {
    const out = this.tile(dtype, shape);
    this.body.push(statement(out));
    return out;
  }

  private unique(name: string): string {
    let candidate = name;
    for (let i = 1; this.names.has(candidate); i++) candidate = `${name}_${i}`;
    this.names.add(candidate);
    return candidate;
  }

  private check<T>(op: string, infer: () => T): T {
    try {
      return infer();
    } catch (error) {
      return this.fail(op, (error as Error).message);
    }
  }

  private fail(op: string, message: string): never {
    throw new Error(`building tile program '${this.name}', ${op}: ${message}`);
  }
}
