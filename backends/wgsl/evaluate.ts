/**
 * The value of a tile at a coordinate, as WGSL: what is kept somewhere is read, everything else is computed on the spot
 * from its own operands at the coordinates that follow.
 */
import { isCoded } from '../../compiler/kernels/packing-address.js';
import { exprDType, type Expr } from '../../compiler/ir/expr.js';
import type { DType } from '../../compiler/ir/dtype.js';
import type { Tile, TileId } from '../../compiler/ir/kernel.js';
import { add, affineText, constant, flatten, levelOf, offset, ofAtom, scale, int32, rangeOf, unflatten, type Affine } from './affine.js';
import { both, conjunctionIn, lessThan, within, type Conditions } from './conditions.js';
import type { OpStatement } from './definitions.js';
import { callText, castText, literal } from './functions.js';
import { nameOf, type Scope, type Value } from './scope.js';
import type { SharedArray } from './shared-memory.js';
import type { VectorArrays } from './vectors.js';
import { readElement, readInt4, readScaled, type ViewAccess } from './views.js';

/** Coordinates by axis name. */
export type Coordinates = ReadonlyMap<string, Affine>;

/** The element of a distributed tile that the running invocation owns: register `slot` of tiles with axes `key`. */
export interface Own { readonly key: string; readonly slot: number | string; readonly level: number }

/** Indices of a load or store with their scalars resolved where the statement stands. */
export type ResolvedIndex =
  | { readonly kind: 'place'; readonly start: Affine; readonly axis?: string; readonly limit?: Affine }
  | { readonly kind: 'tile'; readonly tile: TileId };

/** How to get at a tile's elements. */
export type Source =
  | { readonly kind: 'register'; readonly name: string; readonly key: string; readonly slots: number; readonly unrolled: boolean }
  | { readonly kind: 'shared'; readonly array: SharedArray }
  | { readonly kind: 'load'; readonly access: ViewAccess; readonly at: readonly ResolvedIndex[]; readonly fill: number }
  | { readonly kind: 'scalar'; readonly value: Affine }
  | { readonly kind: 'iota'; readonly start: Affine }
  | { readonly kind: 'computed'; readonly statement: OpStatement<'map' | 'full' | 'rename' | 'split' | 'merge' | 'slice' | 'concat'> };

export interface EvaluationContext {
  readonly tile: (id: TileId) => Tile;
  readonly source: (id: TileId) => Source;
  /** Told of every workgroup array and readwrite view that the code reads. */
  readonly reads: (what: string) => void;
  readonly vectors: VectorArrays;
  /** Level of the block within which kept values stay as they are. */
  readonly stable: () => number;
}

/** What is cheaper to apply to a sum than to each term: value * scale where `guard` holds, else 0. */
export interface Factored { readonly value: Value; readonly scale?: Value; readonly guard?: Value }

export function registerName(source: Extract<Source, { kind: 'register' }>, slot: number | string): string {
  if (source.slots === 1) return source.name;
  return source.unrolled ? `${source.name}_${slot}` : `${source.name}[${slot}]`;
}

export class Evaluator {
  constructor(private readonly context: EvaluationContext) {}

  value(id: TileId, at: Coordinates, own: Own | undefined, scope: Scope): Value {
    return this.whole(this.factored(id, at, own, scope), scope);
  }

  /** A value with its scale and guard applied. */
  whole({ value, scale: factor, guard }: Factored, scope: Scope): Value {
    const scaled = factor === undefined ? value : { text: `(${value.text} * ${factor.text})`, level: Math.max(value.level, factor.level) };
    return guard === undefined ? scaled : named(scope, { text: `select(0.0f, ${scaled.text}, ${guard.text})`, level: Math.max(scaled.level, guard.level) }, 'x');
  }

  /** As `value`, but leaves the scale of an int4 weight apart, and what must hold for a place to be inside a view. */
  factored(id: TileId, at: Coordinates, own: Own | undefined, scope: Scope): Factored {
    const source = this.context.source(id);
    const tile = this.context.tile(id);
    switch (source.kind) {
      case 'register': return { value: this.register(source, own, tile) };
      case 'shared': {
        this.context.reads(source.array.name);
        const index = flatten(tile.shape.map((a) => at.get(a.name)!), tile.shape.map((a) => a.size));
        return { value: named(scope, this.context.vectors.read(source.array.name, index, scope, this.context.stable()), 'm') };
      }
      case 'load': return this.load(tile, source, at, own, scope);
      case 'scalar': return { value: { text: `i32(${affineText(source.value)})`, level: levelOf(source.value) } };
      case 'iota': {
        const place = add(source.start, at.get(tile.shape[0].name)!);
        return { value: { text: `i32(${scope.index(place).text})`, level: levelOf(place) } };
      }
      case 'computed': return this.computed(source.statement, tile, at, own, scope);
    }
  }

  private register(source: Extract<Source, { kind: 'register' }>, own: Own | undefined, tile: Tile): Value {
    if (own?.key !== source.key) throw new Error(`wgsl: tile ${tile.id} is read at an element that its invocation does not own`);
    return { text: registerName(source, own.slot), level: Math.max(own.level, this.context.stable()) };
  }

  private computed(s: Extract<Source, { kind: 'computed' }>['statement'], tile: Tile, at: Coordinates, own: Own | undefined, scope: Scope): Factored {
    const moved = (id: TileId, change: readonly [string, Affine][]): Factored => this.factored(id, new Map([...at, ...change]), undefined, scope);
    switch (s.op) {
      case 'full': return { value: { text: literal(s.value, tile.dtype), level: 0 } };
      case 'map': return { value: this.map(s, at, own, scope) };
      case 'rename': return moved(s.value, [[s.from, at.get(s.to)!]]);
      case 'slice': return moved(s.value, [[s.axis, offset(scale(at.get(s.axis)!, s.step), s.start)]]);
      case 'split': return moved(s.value, [[s.axis, flatten(s.into.map((a) => at.get(a.name)!), s.into.map((a) => a.size))]]);
      case 'merge': {
        const from = this.context.tile(s.value).shape;
        const parts = unflatten(at.get(s.into)!, s.axes.map((n) => from.find((a) => a.name === n)!.size), scope.bind);
        return moved(s.value, s.axes.map((n, i) => [n, parts[i]]));
      }
      case 'concat': return { value: this.concat(s, at, scope) };
    }
  }

  private map(s: OpStatement<'map'>, at: Coordinates, own: Own | undefined, scope: Scope): Value {
    const shape = s.out.shape;
    const args = s.args.map((id) => {
      const tile = this.context.tile(id);
      // An operand with fewer axes is not the element that the invocation owns.
      const value = this.value(id, at, tile.shape.length === shape.length ? own : undefined, scope);
      return { text: named(scope, value, 'x').text, level: value.level, dtype: tile.dtype };
    });
    const dtypes = args.map((a) => a.dtype);
    const text = exprText(s.expr, args.map((a) => a.text), dtypes);
    const level = args.reduce((l, a) => Math.max(l, a.level), 0);
    return named(scope, { text: castText(text, exprDType(s.expr, dtypes), s.out.dtype), level }, 'x');
  }

  private concat(s: OpStatement<'concat'>, at: Coordinates, scope: Scope): Value {
    const place = at.get(s.axis)!;
    const { min, max } = rangeOf(place);
    let start = 0;
    let result: Value | undefined;
    for (const part of s.parts) {
      const size = this.context.tile(part).shape.find((a) => a.name === s.axis)!.size;
      const from = start;
      start += size;
      if (max < from || min >= start) continue;
      const value = named(scope, this.value(part, new Map([...at, [s.axis, offset(place, -from)]]), undefined, scope), 'x');
      if (result === undefined) result = value;
      else {
        const index = scope.index(place);
        result = named(scope, { text: `select(${result.text}, ${value.text}, ${index.text} >= ${from})`, level: Math.max(result.level, value.level, index.level) }, 'x');
      }
    }
    if (result === undefined) throw new Error(`wgsl: concat into tile ${s.out.id} has no part at ${affineText(place)}`);
    return result;
  }

  /** Positions along the view's axes, and what must hold for them to lie inside. */
  positions(access: ViewAccess, indices: readonly ResolvedIndex[], at: Coordinates, own: Own | undefined, scope: Scope): { readonly at: readonly Affine[]; readonly inside: Conditions } {
    let inside: Conditions = [];
    const places = indices.map((index, i) => {
      const place = this.position(index, at, own, scope);
      inside = both(inside, within(place, access.extents[i]));
      if (index.kind === 'place' && index.limit !== undefined) inside = both(inside, lessThan(place, index.limit));
      return place;
    });
    return { at: places, inside };
  }

  private position(index: ResolvedIndex, at: Coordinates, own: Own | undefined, scope: Scope): Affine {
    if (index.kind === 'place') return index.axis === undefined ? index.start : add(index.start, at.get(index.axis)!);
    const tile = this.context.tile(index.tile);
    const value = this.value(index.tile, at, own !== undefined && tile.shape.length === at.size ? own : undefined, scope);
    const plain = /^i32\((-?\d+)\)$/.exec(value.text);
    if (plain) return constant(Number(plain[1]));
    return ofAtom({ text: scope.name(value, 'at'), ...int32, level: value.level });
  }

  private load(tile: Tile, source: Extract<Source, { kind: 'load' }>, at: Coordinates, own: Own | undefined, scope: Scope): Factored {
    const { access, fill } = source;
    const own_ = own !== undefined && tile.shape.length === at.size ? own : undefined;
    const { at: places, inside } = this.positions(access, source.at, at, own_, scope);
    const outside = literal(fill, tile.dtype);
    if (inside === false) return { value: { text: outside, level: 0 } };
    const test = inside.length === 0 ? undefined : conjunctionIn(scope, inside);
    const guard = test && { text: scope.name(test, 'c'), level: test.level };
    const apart = tile.dtype === 'f32' && fill === 0 && guard !== undefined ? { guard } : {};
    if (access.view.packing.kind === 'int4' && tile.dtype === 'f32' && fill === 0) {
      const { code, scale: factor } = readInt4(access, places, scope);
      return { value: code, scale: factor, ...apart };
    }
    if (access.view.packing.kind === 'scaled' && tile.dtype === 'f32' && fill === 0) {
      const { code, scale: factor } = readScaled(access, places, scope);
      return { value: code, scale: factor, ...apart };
    }
    if (access.view.access !== 'read') this.context.reads(access.array);
    const raw = readElement(access, places, scope, access.view.access === 'read' ? 0 : this.context.stable());
    const rounded = isCoded(access.view.packing) ? { text: castText(raw.text, 'f32', tile.dtype), level: raw.level } : raw;
    if (guard === undefined || 'guard' in apart) return { value: named(scope, rounded, 'x'), ...apart };
    return { value: named(scope, { text: `select(${outside}, ${rounded.text}, ${guard.text})`, level: Math.max(rounded.level, guard.level) }, 'x') };
  }
}

function named(scope: Scope, value: Value, hint: string): Value {
  return { text: nameOf(scope, value, hint), level: value.level };
}

function exprText(e: Expr, args: readonly string[], dtypes: readonly DType[]): string {
  switch (e.kind) {
    case 'arg': return args[e.index];
    case 'number': return literal(e.value, e.dtype);
    case 'cast': return castText(exprText(e.value, args, dtypes), exprDType(e.value, dtypes), e.to);
    case 'call': return callText(e.fn, e.args.map((a) => exprText(a, args, dtypes)), e.args.map((a) => exprDType(a, dtypes)));
  }
}
