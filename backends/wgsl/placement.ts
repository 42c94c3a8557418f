/**
 * Decides where every tile of a program lives:
 * - inline: nowhere; recomputed at a coordinate by whoever needs it;
 * - register: element by element in the invocation that owns it, if every use wants exactly the owned elements;
 * - shared: in workgroup memory;
 * - accumulator: partial sums of a dot that a loop carries, summed up after the loop.
 * Dots, reductions, running sums, carried tiles and loads from `readwrite` views are always computed where they are
 * written; loads and maps are if recomputing them would cost more.
 */
import { unionAxes } from '../../compiler/kernels/build-shapes.js';
import type { Program, Scalar, Statement, Tile, TileId } from '../../compiler/ir/kernel.js';
import { axesKey, operandsOf, sizeOf, type Carry, type Definition, type Definitions, type For, type OpStatement, type Placed } from './definitions.js';
import type { Distribution } from './distribution.js';
import { evaluationCost } from './evaluation-cost.js';
import type { Tuning } from './tuning.js';

export type Placement = 'inline' | 'register' | 'shared' | 'accumulator';

export interface Placements {
  readonly of: ReadonlyMap<TileId, Placement>;
  /** Shared only because that is faster, dearest memory first. */
  readonly optional: readonly TileId[];
}

interface Demand {
  /** Evaluations per execution of the defining statement. */
  count: number;
  /** Every evaluation is at an element that the evaluating invocation owns. */
  own: boolean;
}

/** Iterations assumed of a loop whose bounds are dynamic. */
const unknownTrips = 16;
const sharedAccessCost = 3;

export interface PlacementContext {
  readonly program: Program;
  readonly definitions: Definitions;
  readonly invocations: number;
  readonly tuning: Tuning;
  readonly distribution: (shape: Tile['shape']) => Distribution;
  /** Tiles that must not take workgroup memory. */
  readonly refused: ReadonlySet<TileId>;
}

export function placeTiles(context: PlacementContext): Placements {
  return new Placer(context).run();
}

const constantOf = (s: Scalar): number | undefined => (s.kind === 'int' ? s.value : undefined);

function trips(loop: Placed): number {
  const s = loop.statement as For;
  const [lo, hi] = [constantOf(s.lo), constantOf(s.hi)];
  return lo === undefined || hi === undefined ? unknownTrips : Math.max(1, Math.ceil((hi - lo) / s.step));
}

/** The dot that does nothing but add to `carry`, if there is one. */
export function accumulatingDot(loop: For, carry: Carry, uses: ReadonlyMap<TileId, number>): OpStatement<'dot'> | undefined {
  if (uses.get(carry.inside.id) !== 1 || uses.get(carry.next) !== 1) return undefined;
  return loop.body.find((s): s is OpStatement<'dot'> => s.op === 'dot' && s.out.id === carry.next && s.acc === carry.inside.id);
}

export function countUses(definitions: Definitions): Map<TileId, number> {
  const uses = new Map<TileId, number>();
  const use = (id: TileId): void => void uses.set(id, (uses.get(id) ?? 0) + 1);
  for (const { statement } of definitions.statements) {
    operandsOf(statement).forEach(use);
    if (statement.op === 'for') statement.carries.forEach((c) => use(c.next));
  }
  return uses;
}

class Placer {
  private readonly demands = new Map<TileId, Demand>();
  private readonly places = new Map<TileId, Placement>();
  private readonly optional: TileId[] = [];
  private readonly cost: (id: TileId) => number;
  private readonly uses: ReadonlyMap<TileId, number>;

  constructor(private readonly context: PlacementContext) {
    this.cost = evaluationCost(context.program, context.definitions);
    this.uses = countUses(context.definitions);
  }

  run(): Placements {
    this.body(this.context.program.body);
    const bytes = (id: TileId): number => sizeOf(this.definition(id).tile.shape);
    return { of: this.places, optional: this.optional.sort((a, b) => bytes(b) - bytes(a)) };
  }

  private definition(id: TileId): Definition {
    return this.context.definitions.of.get(id)!;
  }

  private placed(s: Statement): Placed {
    return this.context.definitions.placed.get(s)!;
  }

  /** Consumers first: what a tile's uses want is known when its own statement is reached. */
  private body(body: readonly Statement[]): void {
    for (let i = body.length - 1; i >= 0; i--) {
      const s = body[i];
      if (s.op === 'for') this.loop(s);
      else if (s.op === 'if') this.body(s.body);
      else if (s.op === 'store') this.store(s);
      else if ('out' in s) this.result(s);
    }
  }

  private loop(s: For): void {
    const inner = [...this.placed(s).loops, this.placed(s)];
    for (const c of s.carries) this.want(c.next, sizeOf(c.inside.shape), true, inner);
    this.body(s.body);
    for (const c of s.carries) {
      const [inside, out] = [this.demands.get(c.inside.id), this.demands.get(c.out.id)];
      const outOwn = out?.own ?? true;
      if (accumulatingDot(s, c, this.uses)) {
        this.places.set(c.inside.id, 'accumulator');
        this.places.set(c.out.id, outOwn ? 'register' : 'shared');
      } else {
        const place = outOwn && (inside?.own ?? true) ? 'register' : 'shared';
        this.places.set(c.inside.id, place);
        this.places.set(c.out.id, place);
      }
      this.want(c.initial, sizeOf(c.inside.shape), true, this.placed(s).loops);
    }
  }

  private store(s: OpStatement<'store'>): void {
    const shape = this.definition(s.value).tile.shape;
    for (const id of operandsOf(s)) this.want(id, sizeOf(shape), this.sameAxes(id, shape), this.placed(s).loops);
  }

  private sameAxes(id: TileId, shape: Tile['shape']): boolean {
    return axesKey(this.definition(id).tile.shape) === axesKey(shape);
  }

  /** Adds the uses of `id` by code that runs `count` times in `loops`. */
  private want(id: TileId, count: number, own: boolean, loops: readonly Placed[]): void {
    const d = this.definition(id);
    const outer = d.carry?.role === 'inside' ? [...d.by.loops, d.by] : d.by.loops;
    const repeated = loops.filter((l) => !outer.includes(l)).reduce((n, l) => n * trips(l), 1);
    const demand = this.demands.get(id) ?? { count: 0, own: true };
    demand.count += count * repeated;
    demand.own &&= own;
    this.demands.set(id, demand);
  }

  private result(s: Extract<Statement, { out: Tile }>): void {
    const demand = this.demands.get(s.out.id);
    if (demand === undefined) {
      this.places.set(s.out.id, 'inline');
      return;
    }
    const place = this.choose(s, demand);
    this.places.set(s.out.id, place);
    const { loops } = this.placed(s);
    const size = sizeOf(s.out.shape);
    if (s.op === 'dot') this.dotOperands(s);
    else if (s.op === 'reduce') this.want(s.value, sizeOf(this.definition(s.value).tile.shape), true, loops);
    else if (s.op === 'cumulate') this.want(s.value, size, false, loops);
    else {
      const [count, own] = place === 'inline' ? [demand.count, demand.own] : [size, true];
      const keeps = s.op === 'map' || s.op === 'load';
      for (const id of operandsOf(s)) this.want(id, count, own && keeps && this.sameAxes(id, s.out.shape), loops);
    }
  }

  private dotOperands(s: OpStatement<'dot'>): void {
    const { loops } = this.placed(s);
    const [a, b] = [this.definition(s.a).tile, this.definition(s.b).tile];
    const points = sizeOf(unionAxes(a.shape, b.shape));
    const { axes } = this.context.distribution(s.out.shape);
    for (const { id, shape } of [a, b]) {
      // One evaluation serves all elements of an invocation that differ only in axes the operand lacks.
      const lacking = axes.filter((x) => !shape.some((y) => y.name === x.name));
      const once = this.context.tuning.sharedLoads && this.definition(id).by.statement.op === 'load' ? axes.at(-1) : undefined;
      const shared = lacking.reduce((n, x) => n * x.repetitions * (x === once ? x.threads : 1), 1);
      this.want(id, points / shared, false, loops);
    }
    if (s.acc !== undefined) this.want(s.acc, sizeOf(s.out.shape), true, loops);
  }

  private choose(s: Extract<Statement, { out: Tile }>, demand: Demand): Placement {
    const own: Placement = demand.own ? 'register' : 'shared';
    switch (s.op) {
      case 'dot': return s.acc !== undefined && this.accumulates(s) ? 'accumulator' : own;
      case 'reduce': return own;
      case 'cumulate': return 'shared';
      case 'load': return this.context.program.views.find((v) => v.name === s.view)!.access === 'readwrite' ? own : this.cheaper(s.out, demand);
      case 'map': return this.cheaper(s.out, demand);
      default: return 'inline';
    }
  }

  private accumulates(s: OpStatement<'dot'>): boolean {
    const acc = this.definition(s.acc!);
    return acc.carry?.role === 'inside' && accumulatingDot(acc.by.statement as For, acc.carry.carry, this.uses) === s;
  }

  private cheaper(tile: Tile, demand: Demand): Placement {
    const size = sizeOf(tile.shape);
    const cost = this.cost(tile.id);
    if (demand.own) return demand.count > size && cost >= 6 ? 'register' : 'inline';
    if (this.context.refused.has(tile.id)) return 'inline';
    const kept = (cost + sharedAccessCost) * size + sharedAccessCost * demand.count + this.context.tuning.barrierCost * this.context.invocations;
    if (kept >= cost * demand.count) return 'inline';
    this.optional.push(tile.id);
    return 'shared';
  }
}
