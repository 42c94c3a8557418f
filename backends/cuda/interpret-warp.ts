/** One warp of an interpreted block. It yields where other warps may come first: a condition under which it goes on. */
import type { Scalar } from '../../compiler/ir/kernel.js';
import { int4MmaBlock } from '../../compiler/kernels/packing-address.js';
import { scalarFunction } from '../../compiler/ir/scalar-functions.js';
import type { BlockMemory } from './block-memory.js';
import { writeElement, type BoundGlobal } from './global-memory.js';
import { decodeCode, gatherLeft, leftRow, mmaSync, multiplyInto, type Registers } from './interpret-matrix.js';
import { compilePositions, compileValue, scalarOf, type ValueContext } from './interpret-value.js';
import { applyMap, placeOf, registerCount, registerMap, type Layout } from './layout.js';
import type { Kernel, Role, Statement } from './lowered.js';
import { sharedOffset, slotStride, type SharedBuffer } from './shared-memory.js';

export interface WarpPlace {
  readonly kernel: Kernel; readonly role: Role;
  /** Within the role, and within the block. */
  readonly warp: number; readonly number: number;
  readonly memory: BlockMemory;
  readonly offsets: ReadonlyMap<string, number>;
  readonly globals: ReadonlyMap<string, BoundGlobal>;
  readonly dims: Readonly<Record<string, number>>;
  readonly block: { readonly index: number; readonly count: number };
}

export type Ready = () => boolean;
const always: Ready = () => true;

/** What may not be done with a fragment while wgmma uses it. */
interface Usage { dirty: boolean; accumulating: number; read: number }
interface Product { readonly run: () => void }
type Copy = { readonly byte: number; readonly data: Uint8Array };

export function* runWarp(place: WarpPlace): Generator<Ready, void> {
  const warp = new Warp(place);
  yield* warp.run(place.role.body);
  warp.finish();
}

class Warp implements ValueContext {
  readonly dims: Readonly<Record<string, number>>;
  readonly globals: ReadonlyMap<string, BoundGlobal>;
  readonly variables: Record<string, number>;
  private readonly registers = new Map<number, Registers>();
  private readonly usage = new Map<number, Usage>();
  private readonly copies: Copy[][] = [];
  private openCopies: Copy[] = [];
  private readonly products: Product[][] = [];
  private openProducts: Product[] = [];
  private syncs = 0;

  constructor(private readonly at: WarpPlace) {
    this.dims = at.dims;
    this.globals = at.globals;
    this.variables = { block_index: at.block.index, block_count: at.block.count };
  }

  private get memory(): BlockMemory { return this.at.memory; }
  private get number(): number { return this.at.number; }

  finish(): void {
    if (this.products.length + this.openProducts.length > 0) throw new Error(`role '${this.at.role.name}' ends while products are under way`);
  }

  *run(body: readonly Statement[]): Generator<Ready, void> {
    for (const s of body) {
      switch (s.op) {
        case 'for': {
          const [lo, hi, step] = [s.lo, s.hi, s.step].map((x) => this.scalar(x));
          for (let i = lo; i < hi; i += step) { this.variables[s.variable] = i; yield* this.run(s.body); }
          break;
        }
        case 'if': if (this.scalar(s.condition) !== 0) yield* this.run(s.body); break;
        case 'sync': yield* this.sync(); break;
        case 'wait': {
          const name = `${s.barrier} ${this.scalar(s.slot)}`;
          const parity = this.scalar(s.parity);
          yield () => this.memory.isComplete(name, parity);
          this.memory.acquire(name, this.number);
          break;
        }
        case 'copy': case 'bulk': case 'arrive': case 'expect': case 'wait_copies': case 'load_matrix': case 'wgmma_wait': yield always; this.step(s); break;
        default: this.step(s);
      }
    }
  }

  /** All warps of the role: the barrier of this name and generation. */
  private *sync(): Generator<Ready, void> {
    const name = `sync ${this.at.role.name}`;
    const parity = this.syncs++ & 1;
    yield always;
    this.memory.arrive(name, this.number, this.at.role.warps);
    yield () => this.memory.isComplete(name, parity);
    this.memory.acquire(name, this.number);
  }

  private step(s: Statement): void {
    this.memory.tick(this.number);
    switch (s.op) {
      case 'let': this.variables[s.name] = this.scalar(s.value); return;
      case 'counter': this.variables[s.name] = 0; return;
      case 'count': this.variables[s.name]++; return;
      case 'compute': return this.compute(s);
      case 'reduce': return this.reduce(s);
      case 'store': return this.store(s);
      case 'copy': return this.copy(s);
      case 'commit': this.copies.push(this.openCopies); this.openCopies = []; return;
      case 'wait_copies': while (this.copies.length > s.pending) for (const c of this.copies.shift()!) this.memory.finishCopy(this.number, c.byte, c.data, 'generic'); return;
      case 'bulk': if (this.at.warp === 0) this.bulk(s); return;
      case 'expect': if (this.at.warp === 0) this.memory.arrive(`${s.barrier} ${this.scalar(s.slot)}`, this.number, this.arrivals(s.barrier), s.bytes); return;
      case 'arrive': return this.memory.arrive(`${s.barrier} ${this.scalar(s.slot)}`, this.number, this.arrivals(s.barrier));
      case 'proxy_fence': return this.memory.fenceProxy(this.number);
      case 'load_matrix': return this.loadMatrix(s);
      case 'dequantize': return this.dequantize(s);
      case 'mma': return this.mma(s);
      case 'wgmma': return this.wgmma(s);
      case 'wgmma_fence': for (const u of this.usage.values()) u.dirty = false; return;
      case 'wgmma_commit': this.products.push(this.openProducts); this.openProducts = []; return;
      case 'wgmma_wait': while (this.products.length > s.pending) for (const p of this.products.shift()!) p.run(); return;
      case 'for': case 'if': case 'sync': case 'wait': throw new Error(`'${s.op}' is no single step`);
    }
  }

  private scalar(s: Scalar): number { return scalarOf(this, s); }
  private arrivals(barrier: string): number { return this.at.kernel.barriers.find((b) => b.name === barrier)!.arrivals; }
  private buffer(name: string): SharedBuffer { return this.at.kernel.buffers.find((b) => b.name === name)!; }
  layoutOf(id: number): Layout { return this.at.kernel.fragments[id].layout; }

  private use(id: number): Usage {
    let usage = this.usage.get(id);
    if (!usage) this.usage.set(id, (usage = { dirty: false, accumulating: 0, read: 0 }));
    return usage;
  }

  private raw(id: number): Registers {
    let registers = this.registers.get(id);
    if (!registers) {
      const size = registerCount(this.layoutOf(id)) * 32;
      const { dtype } = this.at.kernel.fragments[id];
      registers = dtype === 'f32' || dtype === 'bf16' ? new Float32Array(size).fill(NaN) : new Int32Array(size);
      this.registers.set(id, registers);
    }
    return registers;
  }

  read(id: number): Registers {
    if (this.use(id).accumulating > 0) throw new Error(`fragment ${id} is read while wgmma accumulates into it`);
    return this.raw(id);
  }

  private write(id: number): Registers {
    const usage = this.use(id);
    if (usage.read > 0) throw new Error(`fragment ${id} is overwritten while wgmma reads it`);
    if (usage.accumulating > 0) throw new Error(`fragment ${id} is overwritten while wgmma accumulates into it`);
    usage.dirty = true;
    return this.raw(id);
  }

  private compute(s: Statement & { op: 'compute' }): void {
    const layout = this.layoutOf(s.out);
    const value = compileValue(this, s.value, layout.axes.map((a) => a.name), layout);
    const out = this.write(s.out);
    const results = new Float64Array(out.length);
    this.eachPlace(layout, (place, r, lane) => { results[r * 32 + lane] = value(place, r, lane); });
    out.set(results);
  }

  private eachPlace(layout: Layout, visit: (place: number[], register: number, lane: number) => void): void {
    for (let r = 0; r < registerCount(layout); r++) for (let lane = 0; lane < 32; lane++) visit(placeOf(layout, r, lane, this.at.warp), r, lane);
  }

  private reduce(s: Statement & { op: 'reduce' }): void {
    const from = this.layoutOf(s.value);
    const to = this.layoutOf(s.out);
    const axis = from.axes.findIndex((a) => a.name === s.axis);
    if (from.warps.some((p) => p[axis] !== 0)) throw new Error(`fragment ${s.value} is reduced over '${s.axis}', which lies across warps`);
    const map = registerMap(from, to)!;
    const f = scalarFunction(s.fn, 'f32');
    const values = this.read(s.value);
    const sums = new Map<number, number>();
    for (let r = 0; r < registerCount(from); r++) for (let lane = 0; lane < 32; lane++) {
      const key = applyMap(map, r) * 32 + lane;
      const old = sums.get(key);
      sums.set(key, old === undefined ? values[r * 32 + lane] : Math.fround(f(old, values[r * 32 + lane], 0)));
    }
    let current = this.write(s.out);
    for (const [key, v] of sums) current[key] = v;
    from.lanes.forEach((p, bit) => {
      if (p[axis] === 0) return;
      const next = current.slice();
      for (let i = 0; i < next.length; i++) next[i] = f(current[i], current[i ^ (1 << bit)], 0);
      current.set(next);
    });
  }

  private store(s: Statement & { op: 'store' }): void {
    const layout = this.layoutOf(s.over);
    const axes = layout.axes.map((a) => a.name);
    const bound = this.globals.get(s.view)!;
    const offset = compilePositions(this, bound, s.at, axes, layout);
    const value = compileValue(this, s.value, axes, layout);
    const where = s.where && compileValue(this, s.where, axes, layout);
    const spare = (bases: Layout['lanes']): number => bases.reduce((mask, p, i) => (p.every((v) => v === 0) ? mask | (1 << i) : mask), 0);
    if ((this.at.warp & spare(layout.warps)) !== 0) return;
    const idle = spare(layout.lanes);
    this.eachPlace(layout, (place, r, lane) => {
      if ((lane & idle) !== 0 || place.some((p, i) => p >= s.within[i])) return;
      const at = offset(place, r, lane);
      if (at !== undefined && (!where || where(place, r, lane) !== 0)) writeElement(bound, at, value(place, r, lane));
    });
  }

  private slotStart(buffer: SharedBuffer, slot: Scalar): number {
    const number = this.scalar(slot);
    if (number < 0 || number >= buffer.slots) throw new Error(`buffer '${buffer.name}' has ${buffer.slots} slots, not ${number}`);
    return this.at.offsets.get(buffer.name)! + number * slotStride(buffer);
  }

  private copy(s: Statement & { op: 'copy' }): void {
    const buffer = this.buffer(s.buffer);
    const start = this.slotStart(buffer, s.slot);
    const bound = this.globals.get(s.view)!;
    const offset = compilePositions(this, bound, s.at, [s.row, s.column]);
    const [perRow, each] = [buffer.rowBytes / 16, 16 / bound.size];
    const threads = this.at.role.warps * 32;
    for (let lane = 0; lane < 32; lane++) for (let c = this.at.warp * 32 + lane; c < buffer.rows * perRow; c += threads) {
      const [row, column] = [Math.floor(c / perRow), (c % perRow) * each];
      const data = new Uint8Array(16);
      const at = row < s.within[0] && column < s.within[1] ? offset([row, column], 0, lane) : undefined;
      if (at !== undefined) {
        if ((at * bound.size) % 16 !== 0) throw new Error(`view '${s.view}' is copied from byte ${at * bound.size}, which is not a multiple of 16`);
        data.set(bound.bytes.subarray(at * bound.size, at * bound.size + 16));
      }
      const byte = start + sharedOffset(buffer, row, (c % perRow) * 16);
      this.memory.startCopy(this.number, byte);
      this.openCopies.push({ byte, data });
    }
  }

  private bulk(s: Statement & { op: 'bulk' }): void {
    const buffer = this.buffer(s.buffer);
    const start = this.slotStart(buffer, s.slot);
    const map = this.at.kernel.maps.find((m) => m.name === s.map)!;
    const bound = this.globals.get(map.view)!;
    if (map.swizzle !== buffer.swizzle) throw new Error(`'${s.map}' and buffer '${s.buffer}' have different patterns`);
    const from = s.at.map((x) => this.scalar(x));
    const [inner, rows] = [map.box[map.box.length - 1], map.box.slice(0, -1).reduce((n, b) => n * b, 1)];
    const targets: Copy[] = [];
    for (let row = 0; row < rows; row++) for (let byte = 0; byte < inner * bound.size; byte += 16) {
      const data = new Uint8Array(16);
      for (let i = 0; i < 16 / bound.size; i++) {
        let rest = row;
        const at = from.map((x) => x);
        at[at.length - 1] += byte / bound.size + i;
        for (let d = map.box.length - 2; d >= 0; d--) { at[d] += rest % map.box[d]; rest = Math.floor(rest / map.box[d]); }
        if (at.some((x, d) => x < 0 || x >= bound.extents[d])) continue;
        const offset = at.reduce((sum, x, d) => sum + x * bound.strides[d], 0) * bound.size;
        data.set(bound.bytes.subarray(offset, offset + bound.size), i * bound.size);
      }
      targets.push({ byte: start + sharedOffset(buffer, row, s.column + byte), data });
    }
    for (const t of targets) this.memory.startCopy(this.number, t.byte);
    const name = `${s.barrier} ${this.scalar(s.slot)}`;
    this.memory.startBulk(name, this.number, this.arrivals(s.barrier), targets.length * 16, (time) => { for (const t of targets) this.memory.finishCopy(this.number, t.byte, t.data, 'async', time); });
  }

  private loadMatrix(s: Statement & { op: 'load_matrix' }): void {
    const buffer = this.buffer(s.buffer);
    const start = this.slotStart(buffer, s.slot);
    const [row0, column0] = [this.scalar(s.row), this.scalar(s.column)];
    const layout = this.layoutOf(s.out);
    const out = this.write(s.out);
    const rowOf = (row: number, column: number): number => {
      const byte = start + sharedOffset(buffer, row, column * 2);
      this.memory.read(this.number, byte, 'generic');
      return byte;
    };
    const perTile = s.side === 'left' ? 8 : 4;
    for (let tile = 0; tile < registerCount(layout) / perTile; tile++) {
      const [own] = placeOf(layout, tile * perTile, 0, this.at.warp);
      for (let matrix = 0; matrix < perTile / 2; matrix++) {
        const first = own + (s.side === 'left' ? (matrix & 1) * 8 : 0);
        const k = (s.side === 'left' ? matrix >> 1 : matrix) * 8;
        const rows = Array.from({ length: 8 }, (_, i) => (s.transposed ? rowOf(row0 + k + i, column0 + first) : rowOf(row0 + first + i, column0 + k)));
        for (let lane = 0; lane < 32; lane++) for (let half = 0; half < 2; half++) {
          // A lane receives row g and words t of an 8 x 8 matrix; transposed, row and column change places.
          const [g, t] = [lane >> 2, (lane & 3) * 2 + half];
          out[(tile * perTile + matrix * 2 + half) * 32 + lane] = this.memory.half(s.transposed ? rows[t] + g * 2 : rows[g] + t * 2);
        }
      }
    }
  }

  private dequantize(s: Statement & { op: 'dequantize' }): void {
    const buffer = this.buffer(s.buffer);
    const start = this.slotStart(buffer, s.slot);
    const layout = this.layoutOf(s.out);
    const out = this.write(s.out);
    const depth = layout.axes[1].size / 16;
    const blockBytes = int4MmaBlock({ kind: 'int4-mma', order: [], lanes: '', width: 16, group: s.group }).words * 4;
    for (let tile = 0; tile < registerCount(layout) / (8 * depth); tile++) {
      const [row] = placeOf(layout, tile * 8 * depth, 0, this.at.warp);
      const base = start + (row / 16) * buffer.rowBytes + Math.floor(s.step / 4) * blockBytes;
      for (let i = 0; i < depth; i++) for (let lane = 0; lane < 32; lane++) for (let e = 0; e < 8; e++) {
        const step = (s.step % 4) + i;
        const word = base + lane * 16 + step * 4;
        const scale = base + 512 + (Math.floor((step * 16) / s.group) * 16 + leftRow(e, lane)) * 2;
        if ((e & 1) === 0) this.memory.read(this.number, scale, 'generic');
        if (e === 0) this.memory.read(this.number, word, 'generic');
        out[((tile * depth + i) * 8 + e) * 32 + lane] = decodeCode(this.memory.words[word >> 2], e, this.memory.halves[scale >> 1]);
      }
    }
  }

  private mma(s: Statement & { op: 'mma' }): void {
    const left = this.layoutOf(s.left.fragment);
    const depth = left.axes[1].size / 16;
    const shape = { depth, rows: registerCount(left) / (8 * depth), columns: registerCount(this.layoutOf(s.right)) / 4 };
    mmaSync(this.write(s.d), this.read(s.left.fragment), this.read(s.right), shape, this.scalar(s.left.step));
  }

  /** Reads of shared memory start now and last until the group is waited for; so do those of registers. */
  private wgmma(s: Statement & { op: 'wgmma' }): void {
    const layout = this.layoutOf(s.d);
    const [result, right] = [this.use(s.d), this.operandBytes(s.right, layout.axes[1].size, () => 0)];
    const rows = layout.registers.filter((p) => p[0] >= 64).length;
    const tiles = Array.from({ length: 1 << rows }, (_, i) => i);
    const columns = registerCount(layout) / tiles.length;
    const fragment = s.left.kind === 'registers' ? s.left.fragment : undefined;
    const step = s.left.kind === 'registers' ? this.scalar(s.left.step) : 0;
    if (result.dirty || (fragment !== undefined && this.use(fragment).dirty)) throw new Error('wgmma uses registers that were written without wgmma.fence');
    const lefts = tiles.map((i) => {
      const [row] = placeOf(layout, i * columns, 0, this.at.warp);
      return s.left.kind === 'shared' ? this.operandBytes(s.left, 16, () => row) : [];
    });
    for (const byte of [...right, ...lefts.flat()]) this.memory.read(this.number, byte, 'async', true);
    result.accumulating++;
    if (fragment !== undefined) this.use(fragment).read++;
    this.openProducts.push({ run: () => {
      const values = right.map((byte) => this.eight(byte)).flat();
      tiles.forEach((i) => {
        const left = fragment === undefined ? Float32Array.from(lefts[i].map((b) => this.eight(b)).flat())
          : gatherLeft(this.raw(fragment), (i * (this.layoutOf(fragment).axes[1].size / 16) + step) * 8);
        for (let n = 0; n < columns / 4; n++) multiplyInto(this.raw(s.d), i * columns + n * 4, left, Float32Array.from(values.slice(n * 128, n * 128 + 128)));
      });
      for (const byte of [...right, ...lefts.flat()]) this.memory.release(this.number, byte);
      result.accumulating--;
      if (fragment !== undefined) this.use(fragment).read--;
    } });
  }

  /** The two chunks of each row of a k16 operand. */
  private operandBytes(o: { readonly buffer: string; readonly slot: Scalar; readonly column: Scalar }, rows: number, first: () => number): number[] {
    const buffer = this.buffer(o.buffer);
    const start = this.slotStart(buffer, o.slot);
    const column = this.scalar(o.column) * 2;
    return Array.from({ length: rows }, (_, r) => [0, 16].map((half) => start + sharedOffset(buffer, first() + r, column + half))).flat();
  }

  private eight(byte: number): number[] {
    return Array.from({ length: 8 }, (_, i) => this.memory.half(byte + i * 2));
  }
}
