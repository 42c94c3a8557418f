/**
 * Tile programs to the lowered form. Every product must have a form on tensor cores; what stands around it (index
 * arithmetic, masks, activation functions, softmax) is computed in registers where the products' fragments lie.
 */
import { int, variable, type Program, type Scalar, type Statement as TileStatement, type Tile } from '../../compiler/ir/kernel.js';
import { floorDivide, modulo, times, toScalar } from '../../compiler/kernels/scalar.js';
import { assignLayouts } from './assign-layouts.js';
import { fuseAccumulators } from './fuse-accumulators.js';
import type { Kernel, Role, Statement } from './lowered.js';
import { Lowering, type LowerOptions } from './lowering.js';
import { mergeLoads } from './merge-loads.js';
import { productOf, type Dot, type Product } from './operands.js';
import { consume, multistage, planRing, produce, producerWarps, type Loop, type Ring } from './pipeline.js';
import { mmaSteps, wgmmaSteps } from './products.js';
import { TileValues } from './values.js';
import { wrapProducts } from './wrap-products.js';

/** The number of the block in the launch, and how many there are. */
const blockIndex = variable('block_index');
const blockCount = variable('block_count');

/** Throws, naming the tile and why, for programs that have no form on tensor cores. */
export function lowerProgram(given: Program, options: LowerOptions): Kernel {
  const program = wrapProducts(fuseAccumulators(mergeLoads(given)));
  const values = new TileValues(program);
  const loops = loopsOf(program.body);
  const products = new Map(loops.map((loop) => [loop, dotsOf(loop).map((dot) => productOf(values, dot))]));
  const layouts = assignLayouts(values, [...products.values()].flat(), options.architecture, options.warps);
  const l = new Lowering(values, layouts, options);
  const rings = new Map<Loop, Ring>();
  for (const loop of loops) rings.set(loop, planRing(l, loop, products.get(loop)!, [...rings.values()]));
  const body = new BodyLowering(l, products, rings);
  return { ...describe(program, l), roles: rolesOf(l, body, program) };
}

function describe(program: Program, l: Lowering): Omit<Kernel, 'roles'> {
  return {
    name: program.name, architecture: l.options.architecture, views: l.views, dims: dimsOf(program), grid: program.grid,
    fragments: l.fragments, buffers: l.buffers, barriers: l.barriers, maps: l.maps, origin: program.origin,
  };
}

function loopsOf(body: readonly TileStatement[]): Loop[] {
  return body.flatMap((s): Loop[] => {
    if (s.op === 'for') return dotsOf(s).length > 0 ? [s] : loopsOf(s.body);
    return s.op === 'if' ? loopsOf(s.body) : [];
  });
}

function dotsOf(loop: Loop): Dot[] { return loop.body.filter((s): s is Dot => s.op === 'dot'); }

/** Dynamic dims that any scalar of the program names; a program is plain data, so that all of it can be walked. */
function dimsOf(program: Program): string[] {
  const names = new Set<string>();
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    if ('kind' in value && value.kind === 'dim' && 'name' in value) names.add(String(value.name));
    Object.values(value).forEach(visit);
  };
  visit(program);
  return [...names].sort();
}

/** Registers per thread (producer, consumer) by number of consumer warpgroups: together at most 64 Ki. One consumer has enough anyway. */
const registerSplit: Readonly<Record<number, readonly [number, number]>> = { 2: [40, 232], 3: [32, 160] };

function rolesOf(l: Lowering, body: BodyLowering, program: Program): Role[] {
  if (l.options.architecture === 'sm_80') return [{ name: 'all', warps: l.layouts.warps, body: [...tileOf(program, blockIndex), ...body.lower(program.body, 'whole')] }];
  const split = registerSplit[l.layouts.warps / 4];
  const registers = (i: 0 | 1): Pick<Role, 'registers'> => (split ? { registers: split[i] } : {});
  const persistent = (mode: 'producer' | 'consumer'): Statement[] => [
    { op: 'counter', name: 'filled' },
    { op: 'for', variable: 'tile', lo: blockIndex, hi: programs(program), step: blockCount, unroll: false, body: [...tileOf(program, variable('tile')), ...body.lower(program.body, mode)] },
  ];
  return [
    { name: 'producer', warps: producerWarps, ...registers(0), body: persistent('producer') },
    { name: 'consumer', warps: l.layouts.warps, ...registers(1), body: persistent('consumer') },
  ];
}

function programs(program: Program): Scalar {
  return program.grid.reduce<Scalar>((n, g) => times(n, g.extent), toScalar(1));
}

/** The grid's variables of program number `tile`; the last axis runs fastest. */
function tileOf(program: Program, tile: Scalar): Statement[] {
  let rest = tile;
  const out: Statement[] = [];
  [...program.grid].reverse().forEach((g, i) => {
    out.push({ op: 'let', name: g.name, value: i === program.grid.length - 1 ? rest : modulo(rest, g.extent) });
    rest = floorDivide(rest, g.extent);
  });
  return out;
}

type Mode = 'whole' | 'producer' | 'consumer';

/** Statement by statement, for one role at a time. */
class BodyLowering {
  constructor(private readonly l: Lowering, private readonly products: ReadonlyMap<Loop, readonly Product[]>, private readonly rings: ReadonlyMap<Loop, Ring>) {}

  lower(body: readonly TileStatement[], mode: Mode): Statement[] {
    return body.flatMap((s) => this.statement(s, mode, body));
  }

  private statement(s: TileStatement, mode: Mode, body: readonly TileStatement[]): Statement[] {
    switch (s.op) {
      case 'let': return [{ op: 'let', name: s.name, value: s.value }];
      case 'if': return unlessEmpty({ op: 'if', condition: s.condition, body: this.lower(s.body, mode) });
      case 'for': return this.loop(s, mode);
      default: return mode === 'producer' ? [] : this.compute(s, body);
    }
  }

  private loop(s: Loop, mode: Mode): Statement[] {
    const ring = this.rings.get(s);
    if (mode === 'producer') return ring ? produce(this.l, s, ring) : unlessEmpty(plainLoop(s, this.lower(s.body, mode)));
    const start = s.carries.flatMap((c) => { const out = this.l.fragmentOf(c.inside); return this.assign(out, c.initial); });
    const inside = new Set(s.carries.map((c) => c.inside.id));
    const walk = ring ? this.pipelined(s, ring, mode) : [plainLoop(s, [...this.lower(s.body, mode), ...this.advance(s)])];
    s.carries.forEach((c) => this.l.alias(c.out.id, this.l.values.fragments.get(c.inside.id)!));
    return inside.size > 0 ? [...start, ...walk] : walk;
  }

  private pipelined(s: Loop, ring: Ring, mode: Mode): Statement[] {
    if (mode === 'whole') return multistage(this.l, s, ring, [...this.lower(s.body, mode), ...this.advance(s)]);
    const others = s.body.filter((x) => x.op !== 'load' && x.op !== 'dot' && x.op !== 'let' && !('out' in x && !this.l.values.isComputed(x.out.id)));
    const products = this.products.get(s)!;
    if (others.length > 0 || products.length !== 1) throw new Error(`lowering '${this.l.values.program.name}' for CUDA: a loop with ${products.length} products and ${others.length} other ops is not pipelined with wgmma`);
    const [product] = products;
    return consume(this.l, s, ring, (released) => {
      const { statements, d } = this.accumulator(product.dot, s.body);
      return [...statements, ...wgmmaSteps(this.l, product, d, ring.spots.get(product)!, released), ...this.advance(s)];
    });
  }

  /** Carried tiles take their next values; those that are accumulated in place already have. */
  private advance(s: Loop): Statement[] {
    const { l } = this;
    const moves = s.carries.map((c) => ({ to: l.values.fragments.get(c.inside.id)!, from: c.next })).filter((m) => l.values.fragments.get(m.from) !== m.to);
    // Moves happen one after the other: none may read what an earlier one has replaced.
    moves.forEach((m, i) => {
      if (moves.slice(0, i).some((before) => l.values.fragments.get(m.from) === before.to)) throw l.values.error(m.from, 'is carried on after it was replaced');
    });
    return moves.flatMap((m) => this.assign(m.to, m.from));
  }

  private assign(out: number, from: number): Statement[] {
    return [{ op: 'compute', out, value: this.l.values.valueAt(from) }];
  }

  private compute(s: TileStatement, body: readonly TileStatement[]): Statement[] {
    const { l } = this;
    switch (s.op) {
      case 'map': return l.values.isComputed(s.out.id) ? [{ op: 'compute', value: l.values.valueAt(s.out.id), out: l.fragmentOf(s.out) }] : [];
      case 'reduce': return this.reduce(s);
      case 'dot': return this.product(s, body);
      case 'store': return this.store(s);
      case 'load': case 'iota': case 'scalar': case 'full': return [];
      default: {
        if ('out' in s && !l.values.isComputed(s.out.id)) return [];
        throw new Error(`lowering '${l.values.program.name}' for CUDA: '${s.op}' of computed tiles has no form`);
      }
    }
  }

  private reduce(s: TileStatement & { op: 'reduce' }): Statement[] {
    const { l } = this;
    const value = l.values.fragments.get(s.value);
    const size = l.values.tiles.get(s.value)!.shape.find((a) => a.name === s.over[0])!.size;
    const layout = value === undefined ? undefined : l.fragments[value].layout;
    if (!layout || s.over.length !== 1 || layout.axes.find((a) => a.name === s.over[0])!.size !== size) throw l.values.error(s.out.id, 'is a reduction that fragments cannot hold');
    return [{ op: 'reduce', out: l.fragmentOf(s.out), fn: s.fn, value: value!, axis: s.over[0] }];
  }

  private accumulator(s: Dot, body: readonly TileStatement[]): { statements: Statement[]; d: number } {
    const { values } = this.l;
    if (s.acc === undefined) {
      const d = this.l.fragmentOf(s.out);
      return { d, statements: [{ op: 'compute', out: d, value: { kind: 'number', value: 0, dtype: 'f32' } }] };
    }
    const old = values.fragments.get(s.acc);
    const definition = values.definitions.get(s.acc)!;
    const local = body.includes(definition) || (definition.op === 'for' && definition.body === body);
    if (old !== undefined && values.uses.get(s.acc) === 1 && local) {
      this.l.alias(s.out.id, old);
      return { d: old, statements: [] };
    }
    const d = this.l.fragmentOf(s.out);
    return { d, statements: this.assign(d, s.acc) };
  }

  private product(s: Dot, body: readonly TileStatement[]): Statement[] {
    const loop = [...this.products.keys()].find((k) => k.body === body)!;
    const product = this.products.get(loop)!.find((p) => p.dot === s)!;
    const { statements, d } = this.accumulator(s, body);
    return [...statements, ...mmaSteps(this.l, product, d, this.rings.get(loop)!.spots.get(product)!)];
  }

  private store(s: TileStatement & { op: 'store' }): Statement[] {
    const { l } = this;
    const tile: Tile = l.values.tiles.get(s.value)!;
    const made: Statement[] = [];
    let over = l.values.fragments.get(s.value);
    if (over === undefined) {
      const value = l.values.valueAt(s.value);
      over = l.fragmentOf(tile);
      made.push({ op: 'compute', out: over, value });
    }
    const { layout } = l.fragments[over];
    return [...made, {
      op: 'store', view: s.view, at: l.values.positions(s.view, s.at, new Map(), false), value: { kind: 'fragment', id: over }, over,
      within: layout.axes.map((a) => tile.shape.find((x) => x.name === a.name)!.size), ...(s.where === undefined ? {} : { where: l.values.valueAt(s.where) }),
    }];
  }
}

/** A role skips what has nothing for it. */
function unlessEmpty(s: Statement & { op: 'for' | 'if' }): Statement[] {
  return s.body.some((x) => x.op !== 'let') ? [s] : [];
}

function plainLoop(s: Loop, body: readonly Statement[]): Statement & { op: 'for' } {
  return { op: 'for', variable: s.variable, lo: s.lo, hi: s.hi, step: int(s.step), unroll: false, body };
}
