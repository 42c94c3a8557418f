/**
 * The laws of tile programs (see ir/kernel.ts), checked from scratch: shapes and dtypes are inferred again, every use is
 * looked up in its scope. What depends on values in memory is left to the interpreter's checked mode.
 */
import { isFloat, type DType } from '../ir/dtype.js';
import type { Index, Program, Scalar, Statement, Tile, TileId, View } from '../ir/kernel.js';
import { axisOf, concatAxes, dotAxes, indexedAxes, loadDType, mergeAxes, printShape, reduceDType, renameAxes, sameAxes, sameShape, sliceAxes, splitAxes, unionAxes, withoutAxes, type Shape } from './build-shapes.js';
import { printStatement } from './print.js';
import { printScalar, visitScalar } from './scalar.js';
import { checkNumber, typeOfExpr } from './verify-expr.js';
import { verifyStores } from './verify-stores.js';
import { verifyDeclarations } from './verify-views.js';

export interface Violation {
  /** Which law: 'names', 'scope', 'types', 'views', 'packing', 'access', 'grid', 'schedule', 'one writer'. */
  readonly law: string;
  readonly message: string;
  /** The offending statement or declaration, printed with the program's own tile ids. */
  readonly statement: string;
}

/** Every violation found; a program without any means something on every target. */
export function verifyProgram(program: Program): Violation[] {
  const declarations = verifyDeclarations(program);
  const body = new BodyVerifier(program).run();
  // Which element a statement means is only sound to discuss in a well-formed program.
  return [...declarations, ...body, ...(body.length === 0 ? verifyStores(program) : [])];
}

class Fault extends Error {
  constructor(readonly law: string, message: string) { super(message); }
}
const demand = (holds: boolean, law: string, message: string): void => { if (!holds) throw new Fault(law, message); };

class BodyVerifier {
  private readonly found: Violation[] = [];
  private readonly tiles = new Map<TileId, Tile>();
  private readonly defined = new Set<TileId>();
  private readonly names: Set<string>;
  private variables: Set<string>;
  private readonly views: ReadonlyMap<string, View>;
  private readonly stored: ReadonlyMap<string, ReadonlySet<string>>;

  constructor(private readonly program: Program) {
    this.views = new Map(program.views.map((v) => [v.name, v]));
    this.names = new Set(program.grid.map((g) => g.name));
    this.variables = new Set(this.names);
    this.stored = storedIndices(program.body);
  }

  run(): Violation[] {
    this.body(this.program.body);
    return this.found;
  }

  private body(body: readonly Statement[]): void {
    for (const s of body) this.guard(s, () => this.statement(s));
  }

  private guard(s: Statement, check: () => void): void {
    try {
      check();
    } catch (error) {
      const law = error instanceof Fault ? error.law : 'types';
      this.found.push({ law, message: (error as Error).message, statement: printStatement(s) });
    }
  }

  /** Runs `body` with names and tiles of its own; `after` still sees them. */
  private scoped(body: readonly Statement[], after: () => void = () => undefined): void {
    const [variables, tiles] = [this.variables, [...this.tiles.keys()]];
    this.variables = new Set(variables);
    this.body(body);
    after();
    this.variables = variables;
    for (const id of [...this.tiles.keys()]) if (!tiles.includes(id)) this.tiles.delete(id);
  }

  private statement(s: Statement): void {
    switch (s.op) {
      case 'store': return this.store(s);
      case 'let': this.scalar(s.value); return this.name(s.name);
      case 'for': return this.loop(s);
      case 'if': this.scalar(s.condition); return this.scoped(s.body);
      default: {
        // Defined even if wrong, so that one fault is reported once.
        const expected = (): readonly [DType, Shape] => this.infer(s);
        try {
          const [dtype, shape] = expected();
          const same = s.op === 'map' ? sameAxes(s.out.shape, shape) : sameShape(s.out.shape, shape);
          demand(s.out.dtype === dtype && same, 'types', `gives ${dtype} ${printShape(shape)}, is declared ${s.out.dtype} ${printShape(s.out.shape)}`);
        } finally {
          this.define(s.out);
        }
      }
    }
  }

  private infer(s: Exclude<Statement, { op: 'store' | 'let' | 'for' | 'if' }>): readonly [DType, Shape] {
    const value = 'value' in s && s.op !== 'scalar' && s.op !== 'full' ? this.tile(s.value) : undefined;
    switch (s.op) {
      case 'load': return this.load(s);
      case 'map': {
        const args = s.args.map((id) => this.tile(id));
        return [typeOfExpr(s.expr, args.map((a) => a.dtype)), unionAxes(...args.map((a) => a.shape))];
      }
      case 'iota': this.scalar(s.start); demand(s.out.shape.length === 1, 'types', 'iota has one axis'); return ['i32', s.out.shape];
      case 'scalar': this.scalar(s.value); return ['i32', []];
      case 'full': checkNumber(s.value, s.out.dtype); return [s.out.dtype, unionAxes(s.out.shape)];
      case 'dot': return ['f32', dotAxes(this.tile(s.a), this.tile(s.b), s.over, s.acc === undefined ? undefined : this.tile(s.acc))];
      case 'reduce': return [reduceDType(value!), withoutAxes(value!.shape, s.over)];
      case 'cumulate': axisOf(value!.shape, s.axis); return [reduceDType(value!), value!.shape];
      case 'rename': return [value!.dtype, renameAxes(value!.shape, s.from, s.to)];
      case 'split': return [value!.dtype, splitAxes(value!.shape, s.axis, s.into)];
      case 'merge': return [value!.dtype, mergeAxes(value!.shape, s.axes, s.into)];
      case 'slice': return [value!.dtype, sliceAxes(value!.shape, s.axis, s.start, s.step, s.size)];
      case 'concat': { const parts = s.parts.map((id) => this.tile(id)); return [parts[0]?.dtype, concatAxes(parts, s.axis)]; }
    }
  }

  private load(s: Extract<Statement, { op: 'load' }>): readonly [DType, Shape] {
    const view = this.view(s.view);
    demand(view.access !== 'write', 'access', `'${s.view}' is written by this launch and may not be read`);
    if (view.access === 'readwrite') {
      demand(this.stored.get(s.view)?.has(JSON.stringify(s.at)) ?? false, 'access', `'${s.view}' may only be read through an index at which this program stores`);
    }
    checkNumber(s.fill, isFloat(s.out.dtype) ? 'f32' : s.out.dtype);
    this.index(s.at);
    return [loadDType(view, s.out.dtype), indexedAxes(view, s.at, (id) => this.tile(id))];
  }

  private store(s: Extract<Statement, { op: 'store' }>): void {
    const [view, value] = [this.view(s.view), this.tile(s.value)];
    demand(view.access !== 'read', 'access', `'${s.view}' may only be read`);
    this.index(s.at);
    const shape = indexedAxes(view, s.at, (id) => this.tile(id));
    demand(sameAxes(shape, value.shape), 'types', `'${s.view}' is indexed over ${printShape(shape)}, the value has ${printShape(value.shape)}`);
    const fits = isFloat(view.dtype) ? isFloat(value.dtype) : value.dtype === view.dtype;
    demand(fits, 'types', `a ${value.dtype} is stored to '${s.view}' of ${view.dtype}`);
    if (s.where === undefined) return;
    const where = this.tile(s.where);
    demand(where.dtype === 'bool' && where.shape.every((a) => shape.some((b) => a.name === b.name && a.size === b.size)), 'types', `'where' is ${where.dtype} ${printShape(where.shape)}`);
  }

  private loop(s: Extract<Statement, { op: 'for' }>): void {
    this.scalar(s.lo);
    this.scalar(s.hi);
    demand(Number.isInteger(s.step) && s.step >= 1, 'types', `step ${s.step}`);
    const same = (a: Tile, b: Tile): boolean => a.dtype === b.dtype && sameShape(a.shape, b.shape);
    s.carries.forEach((c, i) => demand(same(this.tile(c.initial), c.inside) && same(c.inside, c.out), 'types', `carry ${i} changes type`));
    const outer = this.variables;
    this.variables = new Set(outer);
    this.name(s.variable);
    const before = [...this.tiles.keys()];
    for (const c of s.carries) this.define(c.inside);
    this.scoped(s.body, () => this.guard(s, () => s.carries.forEach((c, i) => {
      const next = this.tile(c.next);
      demand(same(next, c.inside), 'types', `carry ${i} is ${c.inside.dtype} ${printShape(c.inside.shape)} and becomes ${next.dtype} ${printShape(next.shape)}`);
    })));
    for (const id of [...this.tiles.keys()]) if (!before.includes(id)) this.tiles.delete(id);
    this.variables = outer;
    for (const c of s.carries) this.define(c.out);
  }

  private index(at: readonly Index[]): void {
    for (const i of at) {
      if (i.kind === 'point') this.scalar(i.at);
      if (i.kind !== 'range') continue;
      this.scalar(i.start);
      if (i.limit) this.scalar(i.limit);
    }
  }

  private scalar(s: Scalar): void {
    visitScalar(s, (part) => {
      if (part.kind === 'int') demand(Number.isInteger(part.value), 'types', `${part.value} is not an integer`);
      if (part.kind === 'var') demand(this.variables.has(part.name), 'scope', `no variable '${part.name}' in scope`);
      if (part.kind !== 'element') return;
      const view = this.view(part.view);
      demand(view.dtype === 'i32' && view.access === 'read' && view.packing.kind === 'dense', 'access', `'${printScalar(part)}': elements are read from dense i32 views that the launch does not write`);
      demand(part.at.length === view.axes.length, 'types', `'${printScalar(part)}': '${view.name}' has ${view.axes.length} axes`);
    });
  }

  private view(name: string): View {
    const view = this.views.get(name);
    if (!view) throw new Fault('scope', `no view '${name}'`);
    return view;
  }

  private tile(id: TileId): Tile {
    const tile = this.tiles.get(id);
    if (!tile) throw new Fault('scope', this.defined.has(id) ? `tile %${id} is not in scope` : `tile %${id} is not defined yet`);
    return tile;
  }

  private name(name: string): void {
    demand(!this.names.has(name), 'names', `'${name}' names two scalars`);
    this.names.add(name);
    this.variables.add(name);
  }

  private define(tile: Tile): void {
    const twice = this.defined.has(tile.id);
    this.tiles.set(tile.id, tile);
    this.defined.add(tile.id);
    demand(!twice, 'scope', `tile %${tile.id} is assigned twice`);
    tile.shape.forEach((a, i) => demand(a.size >= 1 && Number.isInteger(a.size) && tile.shape.findIndex((b) => b.name === a.name) === i, 'types', `axes ${printShape(tile.shape)}`));
  }
}

/** By view, the indices (as text) through which the program stores. */
function storedIndices(body: readonly Statement[], out = new Map<string, Set<string>>()): Map<string, Set<string>> {
  for (const s of body) {
    if (s.op === 'store') out.set(s.view, (out.get(s.view) ?? new Set()).add(JSON.stringify(s.at)));
    else if (s.op === 'for' || s.op === 'if') storedIndices(s.body, out);
  }
  return out;
}
