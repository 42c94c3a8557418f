/** Everything about a kernel that is decided before its text is written. */
import { unionAxes } from '../../compiler/kernels/build-shapes.js';
import type { Program, Tile, TileAxis, TileId, View } from '../../compiler/ir/kernel.js';
import { ofAtom, type Affine } from './affine.js';
import { axesKey, collectDefinitions, operandsOf, sizeOf, type Definitions, type OpStatement, type Placed } from './definitions.js';
import { distribute, type Distribution } from './distribution.js';
import { wgslType } from './functions.js';
import { accumulatingDot, countUses, placeTiles, type Placement, type Placements } from './placement.js';
import type { Block, Tuning } from './tuning.js';
import { allocateShared, type Allocation, type Request, type SharedArray } from './shared-memory.js';

/** WebGPU's default maxComputeWorkgroupStorageSize. */
const workgroupBytes = 16384;

/**
 * How a dot is divided: elements of the result among invocations, and chunks of the summed axes among the `parts`
 * invocations that share an element. The parts of one element are neighbours if what they read is.
 */
export interface DotPlan {
  readonly distribution: Distribution;
  readonly parts: number;
  readonly partsInnermost: boolean;
  /** Neighbours along the last summed axis that are handled together. */
  readonly width: number;
  /** Such neighbourhoods in one chunk (of 32 elements, which have one int4 scale). */
  readonly group: number;
  readonly chunks: number;
  /** Per axis of the distribution, repetitions that are summed side by side. */
  readonly sizes: readonly number[];
  /** The operand that invocations read in part each and hand around by shuffles. */
  readonly shuffled?: 'a' | 'b';
}

/**
 * Per axis, elements that an invocation sums together, in variables of their own, where there are too many for all to be:
 * a block of few elements per axis, so that each operand that is read serves several of them.
 */
function blockSizes({ axes }: Distribution, block: Block): number[] {
  const sizes = axes.map(() => 1);
  let left = block.all;
  for (const i of axes.map((_, n) => n).sort((a, b) => axes[b].repetitions - axes[a].repetitions)) {
    const most = Math.min(left, i === axes.length - 1 ? block.lanes : block.rows);
    sizes[i] = [8, 4, 3, 2, 1].find((n) => n <= most && axes[i].repetitions % n === 0)!;
    left = Math.floor(left / sizes[i]);
  }
  return sizes;
}

/** How a running sum is divided: `parts` stretches of `length` per element of the other axes. */
export interface CumulatePlan { readonly outer: Distribution; readonly parts: number; readonly length: number }

export class KernelPlan {
  readonly definitions: Definitions;
  readonly invocations: number;
  readonly lid: Affine;
  private placements: Placements = { of: new Map(), optional: [] };
  private readonly allocation: Allocation;
  private readonly distributions = new Map<string, Distribution>();
  /** The axis along which tiles of some axes are stored two to a word. */
  private readonly paired = new Map<string, string>();
  private readonly uses: ReadonlyMap<TileId, number>;

  constructor(readonly program: Program, readonly tuning: Tuning) {
    this.definitions = collectDefinitions(program);
    this.uses = countUses(this.definitions);
    this.invocations = chooseInvocations(program, this.definitions, tuning);
    this.lid = ofAtom({ text: 'lid', min: 0, max: Math.max(1, this.invocations - 1), level: 0 });
    this.storageOrders();
    this.allocation = this.fit();
  }

  placement(id: TileId): Placement {
    return this.placements.of.get(id) ?? 'inline';
  }

  get arrays(): readonly SharedArray[] {
    return this.allocation.arrays;
  }

  shared(key: string): SharedArray {
    const array = this.allocation.of.get(key);
    if (array === undefined) throw new Error(`wgsl: no workgroup array for ${key} of '${this.program.name}'`);
    return array;
  }

  /** The same for every tile with these axes, in whatever order. */
  distribution(shape: readonly TileAxis[]): Distribution {
    const key = axesKey(shape);
    const known = this.distributions.get(key) ?? distribute(shape, this.invocations, this.tuning.run, this.paired.get(key));
    this.distributions.set(key, known);
    return known;
  }

  /** Kept tiles that evaluating `id` reads. */
  reached(id: TileId, into = new Set<TileId>()): Set<TileId> {
    if (into.has(id)) return into;
    const d = this.definitions.of.get(id)!;
    if (this.placement(id) !== 'inline' || d.carry) into.add(id);
    else for (const operand of operandsOf(d.by.statement)) this.reached(operand, into);
    return into;
  }

  readsRegisters(ids: readonly TileId[]): boolean {
    return ids.some((id) => [...this.reached(id)].some((t) => this.placement(t) === 'register'));
  }

  /** Set if the statement is the one dot of a loop that adds to a carried tile. */
  accumulates(s: OpStatement<'dot'>): boolean {
    return this.placement(s.out.id) === 'accumulator';
  }

  /** The dot that adds to this carry and does nothing else with it. */
  accumulator(loop: OpStatement<'for'>, index: number): OpStatement<'dot'> | undefined {
    return accumulatingDot(loop, loop.carries[index], this.uses);
  }

  dot(s: OpStatement<'dot'>): DotPlan {
    const [a, b] = [s.a, s.b].map((id) => this.definitions.of.get(id)!.tile.shape);
    const over = unionAxes(a, b).filter((x) => s.over.includes(x.name));
    const inner = over.at(-1)?.size ?? 1;
    const widest = this.readsPacked(s) ? 8 : this.directLoads(s).some((v) => v.packing.kind === 'panel') ? 2 : 4;
    const whole = this.distribution(s.out.shape);
    const shuffled = this.shuffledOperand(s, whole);
    const stretch = [4, 2, 1].map((n) => n * this.tuning.subgroup).find((n) => inner % n === 0);
    if (shuffled !== undefined && stretch !== undefined) {
      return { distribution: whole, parts: 1, partsInnermost: true, width: stretch, group: 1, chunks: sizeOf(over) / stretch, sizes: blockSizes(whole, this.tuning.shuffleBlock), shuffled };
    }
    const sizes = blockSizes(whole, this.tuning.block);
    const together = whole.slots <= this.tuning.unrolledSlots ? whole.slots : sizes.reduce((n, x) => n * x, 1);
    const width = [widest, 4, 2, 1].find((w) => w <= widest && inner % w === 0 && (w === 1 || w * together <= this.tuning.products))!;
    const group = inner % 32 === 0 && width === 8 && this.directLoads(s).some((v) => v.packing.kind === 'int4') ? 4 : 1;
    const chunks = sizeOf(over) / (width * group);
    const partsInnermost = this.directLoads(s).every((v) => v.packing.kind === 'dense');
    return { ...this.divideSums(s.out, chunks), partsInnermost, width, group, chunks, sizes };
  }

  /** The one operand of which all invocations need the same elements at the same time, if they can hand them around. */
  private shuffledOperand(s: OpStatement<'dot'>, { axes }: Distribution): 'a' | 'b' | undefined {
    const { subgroup } = this.tuning;
    if (subgroup === 0 || this.invocations % subgroup !== 0) return undefined;
    const common = (['a', 'b'] as const).filter((operand) => {
      const names = this.definitions.of.get(s[operand])!.tile.shape.map((x) => x.name);
      return axes.every((x) => x.threads === 1 || !names.includes(x.name));
    });
    return common.length === 1 && !this.readsRegisters([s[common[0]]]) ? common[0] : undefined;
  }

  /**
   * If there are more invocations than elements of the result, several share the sum of each; each then also takes a few
   * elements, so that the operand that these have in common is read once for all of them.
   */
  private divideSums(out: Tile, chunks: number): Pick<DotPlan, 'distribution' | 'parts'> {
    const whole = this.distribution(out.shape);
    if (!this.tuning.splitSums || whole.threads * 2 > this.invocations) return { distribution: whole, parts: 1 };
    const partsFor = (threads: number): number => 2 ** Math.floor(Math.log2(Math.min(this.invocations / threads, chunks)));
    const block = [4, 2, 1].find((n) => whole.threads >= 8 * n && partsFor(whole.threads / n) * whole.threads / n >= this.invocations) ?? 1;
    const distribution = block === 1 ? whole : distribute(out.shape, whole.threads / block, this.tuning.run);
    return { distribution, parts: partsFor(distribution.threads) };
  }

  /** Whether an operand is read in place from elements of 16 or 4 bits. */
  private readsPacked(s: OpStatement<'dot'>): boolean {
    return this.directLoads(s).some((v) => v.packing.kind === 'int4' || (v.packing.kind === 'dense' && (v.dtype === 'bf16' || v.dtype === 'f16')));
  }

  /** Views that the dot reads its operands from in place. */
  private directLoads(s: OpStatement<'dot'>): View[] {
    return [s.a, s.b].flatMap((id) => {
      const { statement } = this.definitions.of.get(id)!.by;
      return this.placement(id) === 'inline' && statement.op === 'load' ? [this.program.views.find((v) => v.name === statement.view)!] : [];
    });
  }

  /** Invocations that share the reduction of one element of the result. */
  reduceParts(s: OpStatement<'reduce'>): number {
    const { axes } = this.distribution(this.definitions.of.get(s.value)!.tile.shape);
    return axes.filter((x) => s.over.includes(x.name)).reduce((n, x) => n * x.threads, 1);
  }

  cumulate(s: OpStatement<'cumulate'>): CumulatePlan {
    const outer = distribute(s.out.shape.filter((x) => x.name !== s.axis), this.invocations, this.tuning.run);
    const { size } = s.out.shape.find((x) => x.name === s.axis)!;
    const parts = Math.max(1, Math.min(Math.floor(this.invocations / outer.threads), Math.ceil(Math.sqrt(size))));
    return { outer, parts, length: Math.ceil(size / parts) };
  }

  /**
   * Axes in the order in which they are stored, so that neighbouring invocations store neighbours, and two neighbours each
   * where they share a word.
   */
  private storageOrders(): void {
    for (const { statement: s } of this.definitions.statements) {
      if (s.op !== 'store') continue;
      const value = this.definitions.of.get(s.value)!.tile.shape;
      const names = s.at.flatMap((i) => (i.kind === 'range' ? [i.axis] : i.kind === 'tile' ? this.definitions.of.get(i.tile)!.tile.shape.map((a) => a.name) : []));
      const view = this.program.views.find((v) => v.name === s.view)!;
      const inner = s.at[view.strides === undefined ? s.at.length - 1 : view.strides.indexOf(1)];
      const key = axesKey(value);
      if ((view.dtype === 'bf16' || view.dtype === 'f16') && inner?.kind === 'range' && !this.paired.has(key)) this.paired.set(key, inner.axis);
      this.distribution([...new Set(names)].map((n) => value.find((a) => a.name === n)!));
    }
  }

  /** Places tiles, giving up those in workgroup memory that are only there for speed until all fits. */
  private fit(): Allocation {
    const refused = new Set<TileId>();
    for (;;) {
      this.placements = placeTiles({ program: this.program, definitions: this.definitions, invocations: this.invocations, tuning: this.tuning, distribution: (shape) => this.distribution(shape), refused });
      const allocation = allocateShared(this.requests());
      if (allocation.bytes + 16 <= workgroupBytes) return allocation;
      const next = this.placements.optional.find((id) => !refused.has(id));
      if (next === undefined) {
        throw new Error(`wgsl: tile program '${this.program.name}' needs ${allocation.bytes} bytes of workgroup memory, a device has ${workgroupBytes}; its tiles must be smaller`);
      }
      refused.add(next);
    }
  }

  private requests(): Request[] {
    const out: Request[] = [];
    for (const [id, d] of this.definitions.of) {
      if (this.placement(id) !== 'shared' || d.carry?.role === 'inside') continue;
      const from = d.by.order;
      const to = Math.max(this.lastUse(id), d.carry ? Math.max(d.by.last, this.lastUse(d.carry.carry.inside.id)) : from);
      out.push({ key: `tile ${id}`, type: wgslType(d.tile.dtype), elements: sizeOf(d.tile.shape), from, to });
    }
    for (const placed of this.definitions.statements) out.push(...this.scratch(placed));
    return out;
  }

  private scratch(placed: Placed): Request[] {
    const s = placed.statement;
    const request = (tile: Tile, elements: number, at: number): Request => ({ key: `scratch ${tile.id}`, type: wgslType(tile.dtype), elements, from: at, to: at });
    if (s.op === 'reduce') return [request(s.out, sizeOf(s.out.shape) * this.reduceParts(s), placed.order)];
    if (s.op === 'cumulate') return [request(s.out, (sizeOf(s.out.shape) / s.out.shape.find((x) => x.name === s.axis)!.size) * this.cumulate(s).parts, placed.order)];
    if (s.op === 'dot' && !this.accumulates(s) && this.dot(s).parts > 1) return [request(s.out, sizeOf(s.out.shape) * this.dot(s).parts, placed.order)];
    if (s.op !== 'for') return [];
    return s.carries.flatMap((c, i) => {
      const dot = this.accumulator(s, i);
      return dot && this.dot(dot).parts > 1 ? [request(c.out, sizeOf(c.out.shape) * this.dot(dot).parts, placed.last)] : [];
    });
  }

  /** Order of the last statement during which the tile is read. */
  private lastUse(id: TileId): number {
    const d = this.definitions.of.get(id)!;
    const home = d.carry?.role === 'inside' ? [...d.by.loops, d.by] : d.by.loops;
    let last = d.by.order;
    const readAt = (order: number, loops: readonly Placed[]): void => {
      last = Math.max(last, order, ...loops.filter((l) => !home.includes(l)).map((l) => l.last));
    };
    for (const placed of this.definitions.statements) {
      const s = placed.statement;
      const reads = (t: TileId): boolean => this.reached(t).has(id);
      if (operandsOf(s).some(reads)) readAt(s.op === 'for' ? placed.last : placed.order, placed.loops);
      if (s.op === 'for' && s.carries.some((c) => reads(c.next))) readAt(placed.last, placed.loops);
    }
    return last;
  }
}

/** The schedule's `threads`, else enough for the largest tile that is computed together. */
function chooseInvocations(program: Program, definitions: Definitions, tuning: Tuning): number {
  const { threads } = program.schedule;
  if (threads !== undefined) return Math.max(1, Math.min(tuning.invocations, 2 ** Math.floor(Math.log2(threads))));
  const statements = definitions.statements.map((p) => p.statement);
  const lanes = statements.flatMap((s) => (s.op === 'dot' ? [definitions.of.get(s.out.id)!.tile.shape.at(-1)?.size ?? 1] : []));
  // A reduction in the same loop as a dot is between dots (attention): it wants an invocation per element.
  const loopsOf = (op: 'dot' | 'reduce'): Set<Placed> => new Set(definitions.statements.flatMap((p) => (p.statement.op === op ? p.loops : [])));
  const between = [...loopsOf('reduce')].some((loop) => loopsOf('dot').has(loop));
  if (tuning.lanesEach > 1 && lanes.length > 0 && !between) {
    return Math.min(tuning.invocations, Math.max(8, 2 ** Math.ceil(Math.log2(Math.max(...lanes) / tuning.lanesEach))));
  }
  let most = 1;
  for (const { statement: s } of definitions.statements) {
    const shapeOf = (id: TileId): readonly TileAxis[] => definitions.of.get(id)!.tile.shape;
    if (s.op === 'store') most = Math.max(most, sizeOf(shapeOf(s.value)));
    if (s.op === 'reduce') most = Math.max(most, sizeOf(shapeOf(s.value)));
    if (s.op === 'dot') most = Math.max(most, tuning.splitSums ? Math.ceil(sizeOf(unionAxes(shapeOf(s.a), shapeOf(s.b))) / 8) : sizeOf(s.out.shape));
  }
  return Math.min(tuning.invocations, Math.max(tuning.splitSums ? 32 : 8, 2 ** Math.ceil(Math.log2(most))));
}
