/**
 * One point of a loop nest: writes the C++ that computes elements of tiles at given coordinates. Inline tiles become
 * local constants; what two consumers need at the same coordinates is written once.
 */
import type { Statement, TileId } from '../../compiler/ir/kernel.js';
import { addCoordinates, constantAt, highest, lowest, offsetCoordinate, printCoordinate, scaleCoordinate, splitCoordinate, variableAt, type Coordinate } from './coordinate.js';
import { cType, castText, emitExpr, literal, type Value } from './expression.js';
import type { KernelContext } from './kernel-context.js';
import { elementText, fillText, insideConditions, positionConditions } from './load-place.js';
import { definitionOf, type Defining } from './program-index.js';

/** Tile axis -> coordinate. */
export type Coordinates = ReadonlyMap<string, Coordinate>;

/** The innermost loop around a point: what does not depend on its variable is computed once before it. */
export interface InnerLoop {
  readonly variable: string;
  /** Text before the loop, and what it defines. */
  readonly before: string[];
  readonly values: Map<string, Value>;
  /** Names of conditions on index tiles; one loop assumes them all, another covers the rest. */
  readonly conditions: Map<string, string>;
  /** `assume`: the conditions hold. `refute`: the only one does not. `test`: each is tested. */
  readonly mode: 'assume' | 'refute' | 'test';
}

export class Point {
  /** Uniform conditions that an unchecked point relies on. */
  readonly assumed = new Set<string>();
  private readonly known = new Map<string, Value>();

  /** `checked`: every position that is not proven inside its view is tested. */
  constructor(private readonly k: KernelContext, private readonly checked: boolean, private readonly implied: ReadonlySet<string>, private readonly inner?: InnerLoop) {}

  value(id: TileId, at: Coordinates): Value {
    const key = `${id}|${[...at].map(([axis, c]) => `${axis}=${printCoordinate(c)}`).sort().join(',')}`;
    const old = this.known.get(key) ?? this.inner?.values.get(key);
    if (old) return old;
    const value = this.movesOut(id, at) ? this.before(key, (p) => p.value(id, at)) : this.compute(id, at);
    this.known.set(key, value);
    return value;
  }

  /** Whether the tile is worth computing before the innermost loop, and can be. */
  private movesOut(id: TileId, at: Coordinates): boolean {
    if (!this.inner || this.k.placement(id) !== 'inline') return false;
    const { op } = definitionOf(this.k.decisions.index, id).statement;
    return (op === 'load' || op === 'map') && isConstantIn(this.inner.variable, at);
  }

  private before(key: string, compute: (p: Point) => Value): Value {
    const inner = this.inner!;
    let value: Value | undefined;
    inner.before.push(...this.k.capture(() => {
      const outside = new Point(this.k, this.checked, this.implied);
      value = compute(outside);
      outside.assumed.forEach((a) => this.assumed.add(a));
    }, 0));
    inner.values.set(key, value!);
    return value!;
  }

  /** What is left to test of an index tile's places; `outside`: this loop runs where they are known to be outside. */
  indexConditions(tile: TileId, tests: readonly string[], at: Coordinates): { readonly tests: readonly string[]; readonly outside: boolean } {
    const { inner } = this;
    if (tests.length === 0 || !inner || !isConstantIn(inner.variable, only(this.k, tile, at))) return { tests, outside: false };
    const text = tests.join(' && ');
    let name = inner.conditions.get(text);
    if (!name) {
      name = this.k.fresh('in');
      inner.before.push(...this.k.capture(() => this.k.line(`const bool ${name} = ${text};`), 0));
      inner.conditions.set(text, name);
    }
    return { tests: inner.mode === 'test' ? [name] : [], outside: inner.mode === 'refute' };
  }

  /** The element of the tile that `s` defines, from its operands, whether or not the tile is kept. */
  define(s: Defining, at: Coordinates): Value {
    return this.inline(s, at);
  }

  private compute(id: TileId, at: Coordinates): Value {
    const { k } = this;
    const tile = k.tile(id);
    if (k.placement(id) !== 'inline') return { text: slotElement(k, id, at), dtype: tile.dtype };
    const s = definitionOf(k.decisions.index, id).statement as Defining;
    return this.inline(s, at);
  }

  private inline(s: Defining, at: Coordinates): Value {
    const { k } = this;
    const { dtype } = s.out;
    switch (s.op) {
      case 'iota': return { text: `(int32_t)(${[k.text(s.start), printCoordinate(at.get(s.out.shape[0].name)!)].filter((t) => t !== '0').join(' + ') || '0'})`, dtype };
      case 'scalar': return { text: `(int32_t)${k.text(s.value)}`, dtype };
      case 'full': return { text: literal(s.value, dtype), dtype };
      case 'load': return this.load(s, at);
      case 'map': {
        const value = emitExpr(s.expr, s.args.map((a) => this.value(a, only(k, a, at))));
        return s.expr.kind === 'arg' ? value : this.named({ text: value.text, dtype });
      }
      case 'rename': case 'split': case 'merge': case 'slice': return this.value(s.value, sourceCoordinates(k, s, at));
      case 'concat': return this.concat(s, at);
      default: throw new Error(`cpu emitter: a '${s.op}' tile cannot be inline`);
    }
  }

  private named(v: Value): Value {
    const name = this.k.fresh('v');
    this.k.line(`const ${cType(v.dtype)} ${name} = ${v.text};`);
    return { text: name, dtype: v.dtype };
  }

  private load(s: Extract<Statement, { op: 'load' }>, at: Coordinates): Value {
    const place = this.k.loads.get(s.out.id);
    if (!place) throw new Error(`cpu emitter: load ${s.out.id} is used before it is placed`);
    const conditions: string[] = [];
    let outside = false;
    const positions = place.axes.map((a) => {
      const position = this.position(a.tile, a.axis, a.start, at);
      const tests = positionConditions(position, a);
      if (a.tile !== undefined) {
        const own = this.indexConditions(a.tile, tests, at);
        conditions.push(...own.tests);
        outside ||= own.outside;
        return position;
      }
      const uniform = insideConditions(a);
      if (uniform.every((u) => this.implied.has(`${a.axis}|${u}`))) return position;
      if (this.checked) conditions.push(...tests);
      else if (tests.length > 0) uniform.forEach((u) => this.assumed.add(u));
      return position;
    });
    if (outside) return { text: fillText(place), dtype: s.out.dtype };
    const text = elementText(this.k, place.view, positions);
    return this.named({ text: conditions.length === 0 ? text : `(${conditions.join(' && ')}) ? ${text} : ${fillText(place)}`, dtype: s.out.dtype });
  }

  /** Position along one view axis. */
  position(tile: TileId | undefined, axis: string | undefined, start: Coordinate, at: Coordinates): Coordinate {
    if (tile !== undefined) {
      const index = this.value(tile, only(this.k, tile, at));
      return variableAt(`(int64_t)${index.text}`, {});
    }
    return axis === undefined ? start : addCoordinates(start, at.get(axis)!);
  }

  /** Parts whose stretch the coordinate cannot be in are left out; more than one left is a branch. */
  private concat(s: Extract<Statement, { op: 'concat' }>, at: Coordinates): Value {
    const c = at.get(s.axis)!;
    let start = 0;
    const parts = s.parts.map((id) => {
      const size = this.k.tile(id).shape.find((a) => a.name === s.axis)!.size;
      const part = { id, start, end: start + size };
      start += size;
      return part;
    }).filter((p) => highest(c) >= p.start && lowest(c) < p.end);
    const inside = (p: { id: TileId; start: number }): Coordinates => new Map([...at, [s.axis, offsetCoordinate(c, -p.start)]]);
    if (parts.length === 1) return this.value(parts[0].id, only(this.k, parts[0].id, inside(parts[0])));
    const name = this.k.fresh('v');
    this.k.line(`${cType(s.out.dtype)} ${name};`);
    parts.forEach((p, i) => {
      const head = i === 0 ? `if (${printCoordinate(c)} < ${p.end}) ` : i === parts.length - 1 ? 'else ' : `else if (${printCoordinate(c)} < ${p.end}) `;
      this.k.block(head, () => {
        const branch = new Point(this.k, this.checked, this.implied);
        this.k.line(`${name} = ${castText(branch.value(p.id, only(this.k, p.id, inside(p))), s.out.dtype)};`);
        branch.assumed.forEach((a) => this.assumed.add(a));
      });
    });
    return { text: name, dtype: s.out.dtype };
  }
}

function isConstantIn(variable: string, at: Coordinates): boolean {
  return [...at.values()].every((c) => c.terms.every((t) => !new RegExp(`\\b${variable}\\b`).test(t.text)));
}

/** The coordinates of the axes that tile `id` has. */
export function only(k: KernelContext, id: TileId, at: Coordinates): Coordinates {
  return new Map(k.tile(id).shape.map((a) => {
    const c = at.get(a.name);
    if (!c) throw new Error(`cpu emitter: no coordinate for axis '${a.name}' of tile ${id}`);
    return [a.name, c];
  }));
}

function slotElement(k: KernelContext, id: TileId, at: Coordinates): string {
  const slot = k.slot(id);
  return slot.strides.size === 0 ? slot.name : `${slot.name}[${printCoordinate(slotOffset(k, id, at))}]`;
}

export function slotOffset(k: KernelContext, id: TileId, at: Coordinates): Coordinate {
  const slot = k.slot(id);
  return [...slot.strides].reduce((sum, [axis, stride]) => addCoordinates(sum, scaleCoordinate(at.get(axis) ?? constantAt(0), stride)), constantAt(0));
}

type Structural = Extract<Statement, { op: 'rename' | 'split' | 'merge' | 'slice' }>;

/** Coordinates in the operand of the element at `at` of the result. */
function sourceCoordinates(k: KernelContext, s: Structural, at: Coordinates): Coordinates {
  const out = new Map(at);
  switch (s.op) {
    case 'rename':
      out.delete(s.to);
      return out.set(s.from, at.get(s.to)!);
    case 'slice': return out.set(s.axis, offsetCoordinate(scaleCoordinate(at.get(s.axis)!, s.step), s.start));
    case 'split': {
      let c = constantAt(0);
      for (const part of s.into) c = addCoordinates(scaleCoordinate(c, part.size), at.get(part.name)!);
      for (const part of s.into) out.delete(part.name);
      return out.set(s.axis, c);
    }
    case 'merge': return mergedCoordinates(k, s, at, out);
  }
}

function mergedCoordinates(k: KernelContext, s: Extract<Statement, { op: 'merge' }>, at: Coordinates, out: Map<string, Coordinate>): Coordinates {
  let rest = at.get(s.into)!;
  out.delete(s.into);
  const source = k.tile(s.value).shape;
  for (let i = s.axes.length - 1; i > 0; i--) {
    const { quotient, remainder } = splitCoordinate(rest, source.find((a) => a.name === s.axes[i])!.size);
    out.set(s.axes[i], remainder);
    rest = quotient;
  }
  return out.set(s.axes[0], rest);
}
