/**
 * The state of writing one kernel and what all statements are written with: blocks that are kept apart by barriers, and
 * loops over the elements that an invocation owns.
 */
import type { Program, Statement, Tile, TileAxis, TileId } from '../../compiler/ir/kernel.js';
import { add, constant, constantOf, flatten, ofAtom, scale, type Affine } from './affine.js';
import { both, conjunctionIn, lessThan, type Conditions } from './conditions.js';
import { axesKey, type Definitions } from './definitions.js';
import type { Distribution } from './distribution.js';
import { Evaluator, registerName, type Coordinates, type Own, type ResolvedIndex, type Source } from './evaluate.js';
import { wgslType } from './functions.js';
import { resolveScalar, type ScalarContext } from './scalars.js';
import { Scope, type Value } from './scope.js';
import { isPending, needsBarrier, nothingPending, unitePending, type Pending, type SharedArray } from './shared-memory.js';
import type { VectorArrays } from './vectors.js';
import type { ViewAccess } from './views.js';
import type { KernelPlan } from './kernel-plan.js';

/** One element (or one element per loop iteration) that the invocation owns; `guards` must hold for it to exist. */
export interface OwnElement { readonly at: Coordinates; readonly own: Own; readonly guards: Conditions; readonly scope: Scope }

export class KernelWriter {
  readonly evaluator: Evaluator;
  readonly definitions: Definitions;
  /** The block that statements are being added to. */
  scope: Scope;
  /** Touched since the last barrier; arrays by name. */
  pending: Pending = nothingPending;
  /** Arrays of half words that other programs may write other halves of. */
  readonly merged = new Set<string>();
  readonly variables = new Map<string, Affine>();
  usesBroadcast = false;
  private readonly sources = new Map<TileId, Source>();
  private touched: { reads: Set<string>; writes: Set<string> } = { reads: new Set(), writes: new Set() };
  private stable = 0;

  constructor(readonly program: Program, readonly plan: KernelPlan, readonly views: ReadonlyMap<string, ViewAccess>, readonly vectors: VectorArrays) {
    this.definitions = plan.definitions;
    this.scope = new Scope(undefined, { next: 0 });
    this.evaluator = new Evaluator({
      tile: (id) => this.tile(id),
      source: (id) => this.source(id),
      reads: (what) => this.touched.reads.add(what),
      vectors,
      stable: () => this.stable,
    });
  }

  tile(id: TileId): Tile {
    return this.definitions.of.get(id)!.tile;
  }

  view(name: string): ViewAccess {
    return this.views.get(name)!;
  }

  source(id: TileId): Source {
    const source = this.sources.get(id);
    if (source === undefined) throw new Error(`wgsl: tile ${id} of '${this.program.name}' is used before it has a value`);
    return source;
  }

  define(id: TileId, source: Source): void {
    this.sources.set(id, source);
  }

  writes(what: string): void {
    this.touched.writes.add(what);
  }

  reads(what: string): void {
    this.touched.reads.add(what);
  }

  /** Scalars are resolved in the current block, where control flow is uniform. */
  readonly scalars: ScalarContext = {
    variables: this.variables,
    view: (name) => this.view(name),
    broadcast: (value, scope) => this.broadcast(value, scope),
  };

  scalar(s: Parameters<typeof resolveScalar>[0]): Affine {
    return resolveScalar(s, this.scalars, this.scope);
  }

  private broadcast(value: Value, scope: Scope): Value {
    this.usesBroadcast = true;
    scope.line(`if (lid == 0) { uniform_word = ${value.text}; }`);
    const name = scope.fresh('uniform');
    scope.line(`let ${name} = workgroupUniformLoad(&uniform_word);`);
    return { text: name, level: scope.level };
  }

  indices(at: Extract<Statement, { op: 'load' | 'store' }>['at']): ResolvedIndex[] {
    return at.map((i): ResolvedIndex => {
      if (i.kind === 'tile') return i;
      if (i.kind === 'point') return { kind: 'place', start: this.scalar(i.at) };
      return { kind: 'place', start: this.scalar(i.start), axis: i.axis, ...(i.limit === undefined ? {} : { limit: this.scalar(i.limit) }) };
    });
  }

  /** Adds a block whose accesses to shared memory are ordered against those before it. */
  root(comment: string, write: (scope: Scope) => void): void {
    this.touched = { reads: new Set(), writes: new Set() };
    const inner = this.scope.nested();
    const outerStable = this.stable;
    this.stable = inner.level;
    write(inner);
    this.stable = outerStable;
    if (needsBarrier(this.pending, this.touched)) this.barrier();
    this.pending = unitePending(this.pending, this.touched);
    if (comment !== '') this.scope.line(`// ${comment}`);
    this.scope.block('', inner);
  }

  /** What was pending before code that may not have run still is. */
  alsoPending(before: Pending): void {
    this.pending = unitePending(this.pending, before);
  }

  barrier(): void {
    if (!isPending(this.pending)) return;
    const names = [...this.pending.reads, ...this.pending.writes];
    if (names.some((n) => !n.startsWith('shared_'))) this.scope.line('storageBarrier();');
    if (names.some((n) => n.startsWith('shared_'))) this.scope.line('workgroupBarrier();');
    this.pending = nothingPending;
  }

  /** This invocation's place along every axis of a distribution. */
  threads(d: Distribution, scope: Scope, first: Affine = this.plan.lid): Affine[] {
    let stride = d.threads;
    return d.axes.map((axis) => {
      if (axis.threads === 1) return constant(0);
      const outer = stride;
      stride /= axis.threads;
      return threadOf(first, outer, stride, axis.threads, scope);
    });
  }

  /** Guard of the invocations that own anything. */
  active(d: Distribution): Conditions {
    return d.threads >= this.plan.invocations ? [] : [{ text: `lid < ${d.threads}`, level: 0 }];
  }

  /** Calls `write` for all owned elements of tiles over `shape`: once per slot, or inside loops over them. */
  eachOwn(shape: readonly TileAxis[], scope: Scope, unroll: boolean, write: (e: OwnElement) => void): void {
    const d = this.plan.distribution(shape);
    const threads = this.threads(d, scope);
    this.eachRepetition(d, d.axes.map(() => undefined), scope, unroll, (repetitions, inner) => {
      const e = this.ownElement(d, repetitions, threads, inner);
      if (e.guards !== false) write(e);
    });
  }

  ownElement(d: Distribution, repetitions: readonly Affine[], threads: readonly Affine[], scope: Scope): OwnElement {
    const at = new Map<string, Affine>();
    let guards = this.active(d);
    d.axes.forEach((axis, i) => {
      const c = add(scale(repetitions[i], axis.threads), threads[i]);
      at.set(axis.name, c);
      guards = both(guards, lessThan(c, constant(axis.size)));
    });
    const slot = flatten(repetitions, d.axes.map((a) => a.repetitions));
    return { at, guards, scope, own: { key: axesKey(d.axes), slot: constantOf(slot) ?? scope.index(slot).text, level: scope.level } };
  }

  /** Calls `write` for every combination of repetitions of the axes that `given` leaves open, outermost first. */
  eachRepetition(d: Distribution, given: readonly (Affine | undefined)[], scope: Scope, unroll: boolean, write: (repetitions: readonly Affine[], inner: Scope) => void): void {
    const step = (done: readonly Affine[], outer: Scope): void => {
      const i = done.length;
      if (i === d.axes.length) return write(done, outer);
      const known = given[i];
      const { repetitions } = d.axes[i];
      if (known !== undefined) return step([...done, known], outer);
      if (unroll || repetitions === 1) for (let r = 0; r < repetitions; r++) step([...done, constant(r)], outer);
      else this.repeat(outer, repetitions, (at, inner) => step([...done, at], inner));
    };
    step([], scope);
  }

  /** for (var r = 0; r < count; r++) */
  repeat(scope: Scope, count: number, write: (at: Affine, inner: Scope) => void): void {
    const name = scope.fresh('r');
    const inner = scope.nested();
    write(ofAtom({ text: name, min: 0, max: count - 1, level: inner.level }), inner);
    scope.block(`for (var ${name} = 0; ${name} < ${this.bound(count)}; ${name}++)`, inner);
  }

  /** A loop bound, behind a factor that drivers cannot see through if the tuning says so. */
  bound(count: number): string {
    return count === 1 || !this.plan.tuning.rolledLoops ? String(count) : `${count} * one`;
  }

  /** Whether code for the elements of `shape` must be repeated per slot, because registers are named. */
  unrolls(shape: readonly TileAxis[]): boolean {
    return this.plan.distribution(shape).slots <= this.plan.tuning.unrolledSlots;
  }

  /** Declares the place where a tile's elements are kept. */
  declare(id: TileId): Source {
    const tile = this.tile(id);
    const source: Source = this.plan.placement(id) === 'shared' ? { kind: 'shared', array: this.plan.shared(`tile ${id}`) } : this.register(`t${id}`, tile);
    this.define(id, source);
    return source;
  }

  /** Declares variables for the elements of `tile` that an invocation owns. */
  register(name: string, tile: Tile, d: Distribution = this.plan.distribution(tile.shape)): Extract<Source, { kind: 'register' }> {
    const type = wgslType(tile.dtype);
    const { slots } = d;
    const source = { kind: 'register', name, key: axesKey(tile.shape), slots, unrolled: slots <= this.plan.tuning.unrolledSlots } as const;
    if (!source.unrolled) this.scope.line(`var ${name} = array<${type}, ${slots}>();`);
    else for (let slot = 0; slot < slots; slot++) this.scope.line(`var ${registerName(source, slot)} = ${type}();`);
    return source;
  }

  /** Stores one element where `source` keeps it; registers need no guard. */
  keep(source: Source, shape: readonly TileAxis[], e: OwnElement, value: Value): void {
    if (source.kind === 'register') return e.scope.line(`${registerName(source, e.own.slot)} = ${value.text};`);
    if (source.kind !== 'shared') throw new Error(`wgsl: a ${source.kind} tile cannot be kept`);
    this.keepShared(source.array, shape, e, value);
  }

  keepShared(array: SharedArray, shape: readonly TileAxis[], e: OwnElement, value: Value): void {
    this.writes(array.name);
    const index = flatten(shape.map((a) => e.at.get(a.name)!), shape.map((a) => a.size));
    this.guarded(e.guards, e.scope, `${this.vectors.place(array.name, index, e.scope)} = ${value.text};`);
  }

  guarded(guards: Conditions, scope: Scope, line: string): void {
    if (guards === false) return;
    scope.line(guards.length === 0 ? line : `if (${conjunctionIn(scope, guards).text}) { ${line} }`);
  }
}

/** (first mod outer) / stride, with the remainder left out where it cannot matter. */
function threadOf(first: Affine, outer: number, stride: number, threads: number, scope: Scope): Affine {
  const text = first.terms[0].atom.text;
  const high = stride === 1 ? text : `${text} / ${stride}`;
  const whole = first.terms[0].atom.max < outer;
  return ofAtom(scope.bind(whole ? high : stride === 1 ? `${text} % ${threads}` : `(${high}) % ${threads}`, 0, threads - 1, first.terms[0].atom.level));
}
