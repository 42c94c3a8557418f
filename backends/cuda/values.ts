/**
 * Tiles as values at a place. A tile that depends on no product is an expression over coordinates, computed again wherever
 * it is needed (index arithmetic, masks, bounds); the others live in fragments.
 */
import { exprDType, type Expr } from '../../compiler/ir/expr.js';
import type { DType } from '../../compiler/ir/dtype.js';
import type { Index, Program, Scalar, Statement as TileStatement, Tile, TileId, View } from '../../compiler/ir/kernel.js';
import { constantOf, printScalar } from '../../compiler/kernels/scalar.js';
import type { Position, Value } from './lowered.js';

export type Coordinates = ReadonlyMap<string, Value>;

const integer = (value: number): Value => ({ kind: 'number', value, dtype: 'i32' });
const scalar = (value: Scalar): Value => { const c = constantOf(value); return c === undefined ? { kind: 'scalar', value } : integer(c); };
const call = (fn: 'add' | 'multiply' | 'floor_divide' | 'mod', a: Value, b: Value): Value => {
  if (b.kind === 'number' && ((fn === 'add' && b.value === 0) || (fn !== 'add' && fn !== 'mod' && b.value === 1))) return a;
  if (a.kind === 'number' && a.value === 0 && fn === 'add') return b;
  return { kind: 'call', fn, dtype: 'i32', args: [a, b] };
};

/** All tiles of a program by the statement that defines them, and which depend on a product. */
export class TileValues {
  readonly definitions = new Map<TileId, TileStatement>();
  readonly tiles = new Map<TileId, Tile>();
  readonly uses = new Map<TileId, number>();
  /** Fragments of the tiles that have one. */
  readonly fragments = new Map<TileId, number>();
  private readonly dependent = new Set<TileId>();
  private readonly gridExtents: ReadonlyMap<string, string>;

  constructor(readonly program: Program) {
    this.gridExtents = new Map(program.grid.map((g) => [g.name, printScalar(g.extent)]));
    this.collect(program.body);
  }

  view(name: string): View { return this.program.views.find((v) => v.name === name)!; }

  /** Whether the tile is computed from a product, a reduction or a carried tile. */
  isComputed(id: TileId): boolean { return this.dependent.has(id); }

  private collect(body: readonly TileStatement[]): void {
    for (const s of body) {
      for (const id of operandsOf(s)) this.uses.set(id, (this.uses.get(id) ?? 0) + 1);
      if (s.op === 'for') {
        for (const c of s.carries) for (const tile of [c.inside, c.out]) { this.tiles.set(tile.id, tile); this.dependent.add(tile.id); this.definitions.set(tile.id, s); }
        this.collect(s.body);
      } else if (s.op === 'if') this.collect(s.body);
      else if ('out' in s) {
        this.definitions.set(s.out.id, s);
        this.tiles.set(s.out.id, s.out);
        if (s.op === 'dot' || s.op === 'reduce' || operandsOf(s).some((id) => this.dependent.has(id))) this.dependent.add(s.out.id);
      }
    }
  }

  /** The tile's element at `at` (its own coordinates where absent). Throws for what has no value at a place. */
  valueAt(id: TileId, at: Coordinates = new Map()): Value {
    const fragment = this.fragments.get(id);
    if (fragment !== undefined) {
      if (this.tiles.get(id)!.shape.some((a) => !isCoordinate(at.get(a.name), a.name))) throw this.error(id, 'is needed at other places than it is held at');
      return { kind: 'fragment', id: fragment };
    }
    const s = this.definitions.get(id)!;
    const place = (axis: string): Value => at.get(axis) ?? { kind: 'coordinate', axis };
    switch (s.op) {
      case 'iota': return call('add', place(s.out.shape[0].name), scalar(s.start));
      case 'scalar': return scalar(s.value);
      case 'full': return { kind: 'number', value: s.value, dtype: s.out.dtype };
      case 'map': return this.expression(s.expr, s.args, at);
      case 'load': return { kind: 'load', view: s.view, at: this.positions(s.view, s.at, at, true), fill: s.fill, dtype: s.out.dtype };
      case 'rename': return this.valueAt(s.value, new Map(at).set(s.from, place(s.to)));
      case 'slice': return this.valueAt(s.value, new Map(at).set(s.axis, call('add', call('multiply', place(s.axis), integer(s.step)), integer(s.start))));
      case 'split': {
        const index = s.into.reduce<Value>((sum, a) => call('add', call('multiply', sum, integer(a.size)), place(a.name)), integer(0));
        return this.valueAt(s.value, new Map(at).set(s.axis, index));
      }
      case 'merge': {
        const inner = new Map(at);
        let rest = place(s.into);
        const sizes = this.tiles.get(s.value)!.shape;
        [...s.axes].reverse().forEach((name, i) => {
          const size = integer(sizes.find((a) => a.name === name)!.size);
          inner.set(name, i === s.axes.length - 1 ? rest : call('mod', rest, size));
          rest = call('floor_divide', rest, size);
        });
        return this.valueAt(s.value, inner);
      }
      default: throw this.error(id, `('${s.op}') has no fragment`);
    }
  }

  private expression(e: Expr, args: readonly TileId[], at: Coordinates): Value {
    const dtypes = args.map((a) => this.tiles.get(a)!.dtype);
    switch (e.kind) {
      case 'arg': return this.valueAt(args[e.index], at);
      case 'number': return e;
      case 'cast': return { kind: 'cast', to: e.to, from: exprDType(e.value, dtypes), value: this.expression(e.value, args, at) };
      case 'call': return { kind: 'call', fn: e.fn, dtype: callDType(e, dtypes), args: e.args.map((a) => this.expression(a, args, at)) };
    }
  }

  /** `padded`: places beyond the tile's sizes may be asked for. */
  positions(view: string, at: readonly Index[], coordinates: Coordinates, padded: boolean): Position[] {
    const { axes } = this.view(view);
    return at.map((index, d): Position => {
      const extent = axes[d].extent;
      switch (index.kind) {
        case 'point': return { value: scalar(index.at), guarded: !this.within(index.at, extent) };
        case 'range': {
          const value = call('add', coordinates.get(index.axis) ?? { kind: 'coordinate', axis: index.axis }, scalar(index.start));
          const [start, end] = [constantOf(index.start), constantOf(extent)];
          const fits = !padded && start !== undefined && start >= 0 && end !== undefined && start + index.size <= end && !index.limit;
          return { value, guarded: !fits, ...(index.limit ? { limit: index.limit } : {}) };
        }
        case 'tile': return { value: this.valueAt(index.tile, coordinates), guarded: true };
      }
    });
  }

  private within(at: Scalar, extent: Scalar): boolean {
    const [c, e] = [constantOf(at), constantOf(extent)];
    if (c !== undefined && e !== undefined) return c >= 0 && c < e;
    return at.kind === 'var' && this.gridExtents.get(at.name) === printScalar(extent);
  }

  error(id: TileId, what: string): Error {
    return new Error(`lowering '${this.program.name}' for CUDA: %${id} ${what}`);
  }
}

function isCoordinate(v: Value | undefined, axis: string): boolean {
  return v === undefined || (v.kind === 'coordinate' && v.axis === axis);
}

/** The dtype that a function works in: that of its values, not of its result. */
function callDType(e: Expr & { kind: 'call' }, dtypes: readonly DType[]): DType {
  const first = exprDType(e.args[e.fn === 'select' ? 1 : 0], dtypes);
  return first === 'bf16' || first === 'f16' ? 'f32' : first;
}

/** Tiles that a statement reads, its body apart. */
export function operandsOf(s: TileStatement): TileId[] {
  const indices = (at: readonly Index[]): TileId[] => at.flatMap((i) => (i.kind === 'tile' ? [i.tile] : []));
  switch (s.op) {
    case 'load': return indices(s.at);
    case 'store': return [...indices(s.at), s.value, ...(s.where === undefined ? [] : [s.where])];
    case 'map': return [...s.args];
    case 'dot': return [s.a, s.b, ...(s.acc === undefined ? [] : [s.acc])];
    case 'reduce': case 'cumulate': case 'rename': case 'split': case 'merge': case 'slice': return [s.value];
    case 'concat': return [...s.parts];
    case 'for': return s.carries.flatMap((c) => [c.initial, c.next]);
    case 'iota': case 'scalar': case 'full': case 'let': case 'if': return [];
  }
}

/** `value` with `change` applied to every scalar in it. */
function mapValueScalars(value: Value, change: (s: Scalar) => Scalar): Value {
  switch (value.kind) {
    case 'number': case 'coordinate': case 'fragment': return value;
    case 'scalar': return { ...value, value: change(value.value) };
    case 'load': return { ...value, at: value.at.map((p) => mapPosition(p, change)) };
    case 'call': return { ...value, args: value.args.map((a) => mapValueScalars(a, change)) };
    case 'cast': return { ...value, value: mapValueScalars(value.value, change) };
  }
}

export function mapPosition(p: Position, change: (s: Scalar) => Scalar): Position {
  return { ...p, value: mapValueScalars(p.value, change), ...(p.limit ? { limit: change(p.limit) } : {}) };
}

/** `s` with variables replaced. */
export function substituteScalar(s: Scalar, variables: ReadonlyMap<string, Scalar>): Scalar {
  switch (s.kind) {
    case 'int': case 'dim': return s;
    case 'var': return variables.get(s.name) ?? s;
    case 'element': return { ...s, at: s.at.map((a) => substituteScalar(a, variables)) };
    default: return { ...s, a: substituteScalar(s.a, variables), b: substituteScalar(s.b, variables) };
  }
}
