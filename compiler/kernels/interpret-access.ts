/** Loads and stores: a tile is walked in runs along its last axis, each with one check of the outer places. */
import { isFloat } from '../ir/dtype.js';
import type { Index, Statement } from '../ir/kernel.js';
import { indexedAxes, type Shape } from './build-shapes.js';
import { fromBf16, fromF16, toBf16, toF16 } from './half.js';
import { compileScalar, defineTile, tileOf, viewOf, type Action, type BoundView, type Machine, type Register } from './interpret-machine.js';
import { alignment, offsets, stridesByName, volume } from './interpret-tables.js';
import { floatValues, fromE8m0 } from './float-codes.js';
import { int4BlockBytes, int4Location, isInt4, isScaled, numberArithmetic, scaledLocation, type Int4Packing, type ScaledPacking } from './packing-address.js';

type Load = Extract<Statement, { op: 'load' }>;
type Store = Extract<Statement, { op: 'store' }>;

/**
 * Called per run: elements [row * length + lo, row * length + hi) are inside the view. `base` is the offset of all axes
 * but the run's; `start` is the place of the run's element 0. `places` hold those of the other axes.
 */
type RunVisitor = (row: number, base: number, lo: number, hi: number, start: number) => void;

interface Runs {
  /** View axis along which runs go, or -1 (then runs have one element). */
  readonly axis: number;
  readonly length: number;
  readonly places: Int32Array;
  readonly each: (visit: RunVisitor) => void;
}

/** One view axis as it is indexed: start (or place), limit, and per row what to add to start or which tile element it is. */
interface AxisAccess {
  readonly start: () => number;
  readonly limit: (() => number) | undefined;
  readonly table: Int32Array | undefined;
  readonly tile: Register | undefined;
}

function accessAxis(m: Machine, index: Index, rows: Shape): AxisAccess {
  const none = { limit: undefined, table: undefined, tile: undefined };
  switch (index.kind) {
    case 'point': return { ...none, start: compileScalar(m, index.at) };
    case 'range': return { ...none, start: compileScalar(m, index.start), limit: index.limit && compileScalar(m, index.limit), table: offsets(rows, new Map([[index.axis, 1]])) };
    case 'tile': {
      const { tile, register } = tileOf(m, index.tile);
      return { ...none, start: () => 0, table: offsets(rows, stridesByName(tile.shape)), tile: register };
    }
  }
}

/** The axis of the view that may be walked in runs: a range on the last tile axis, which no index tile has. */
function runAxis(m: Machine, at: readonly Index[], shape: Shape): number {
  const last = shape.at(-1)?.name;
  const shared = at.some((i) => i.kind === 'tile' && tileOf(m, i.tile).tile.shape.some((a) => a.name === last));
  return shared ? -1 : at.findIndex((i) => i.kind === 'range' && i.axis === last);
}

function compileRuns(m: Machine, bound: BoundView, at: readonly Index[], shape: Shape): Runs {
  const axis = runAxis(m, at, shape);
  const length = axis < 0 ? 1 : shape[shape.length - 1].size;
  const outer = axis < 0 ? shape : shape.slice(0, -1);
  const rows = volume(outer);
  const axes = at.map((index) => accessAxis(m, index, outer));
  const rank = axes.length;
  const [starts, bounds, places] = [new Int32Array(rank), new Int32Array(rank), new Int32Array(rank)];
  const { extents, strides, widths, remainders } = bound;
  /** Sets `places` of a row; the offset, or -1 if the row is outside the view. */
  const locate = (row: number): number => {
    let base = 0;
    for (let d = 0; d < rank; d++) {
      if (d === axis) continue;
      const { table, tile } = axes[d];
      const place = table === undefined ? starts[d] : tile === undefined ? starts[d] + table[row] : tile[table[row]];
      if (place < 0 || place >= bounds[d]) return -1;
      places[d] = place;
      base += widths[d] === 1 ? place * strides[d] : Math.floor(place / widths[d]) * strides[d] + remainders[d] * (place % widths[d]);
    }
    return base;
  };
  const each = (visit: RunVisitor): void => {
    for (let d = 0; d < rank; d++) {
      starts[d] = axes[d].start();
      bounds[d] = Math.min(extents[d], axes[d].limit?.() ?? Infinity);
    }
    const start = axis < 0 ? 0 : starts[axis];
    const lo = Math.min(length, Math.max(0, -start));
    const hi = axis < 0 ? 1 : Math.max(lo, Math.min(length, bounds[axis] - start));
    for (let row = 0; row < rows; row++) {
      const base = locate(row);
      if (base < 0) visit(row, 0, length, length, start);
      else visit(row, base, lo, hi, start);
    }
  };
  return { axis, length, places, each };
}

/** Copies `count` elements from places `from` .. of a run into the register at `to`. */
type RunReader = (base: number, from: number, count: number, to: number) => void;

export function compileLoad(m: Machine, s: Load): Action {
  const bound = viewOf(m, s.view);
  const out = defineTile(m, s.out);
  const runs = compileRuns(m, bound, s.at, s.out.shape);
  const { length } = runs;
  const { packing } = bound.view;
  const round = s.out.dtype === 'bf16';
  const read = isInt4(packing) ? int4Reader(bound, packing, runs, out, round)
    : isScaled(packing) ? scaledReader(bound, packing, runs, out, round) : plainReader(bound, runs, out);
  const fill = Number(s.fill);
  const check = readCheck(m, bound, runs);
  return () => runs.each((row, base, lo, hi, start) => {
    const to = row * length;
    if (lo > 0) out.fill(fill, to, to + lo);
    if (hi < length) out.fill(fill, to + Math.max(lo, hi), to + length);
    if (hi <= lo) return;
    check?.(base, start + lo, hi - lo);
    read(base, start + lo, hi - lo, to + lo);
  });
}

/** Offset of a place along the run, to add to the base. */
function placeOffset(bound: BoundView, axis: number): (place: number) => number {
  if (axis < 0) return () => 0;
  const { strides, widths, remainders } = bound;
  if (widths[axis] === 1) return (place) => place * strides[axis];
  return (place) => Math.floor(place / widths[axis]) * strides[axis] + remainders[axis] * (place % widths[axis]);
}

const floatOfF16 = Float32Array.from({ length: 65536 }, (_, h) => fromF16(h));

function plainReader(bound: BoundView, runs: Runs, out: Register): RunReader {
  const { axis } = runs;
  const regular = axis >= 0 && bound.widths[axis] === 1;
  const at = placeOffset(bound, axis);
  const stepOf = (): number => (regular ? bound.strides[axis] : 0);
  const each = (write: (to: number, offset: number) => void): RunReader => (base, from, count, to) => {
    for (let i = 0; i < count; i++) write(to + i, base + at(from + i));
  };
  switch (bound.view.dtype) {
    case 'bf16': {
      // A bf16 is the upper half of the f32 with the same value.
      const bits = new Uint32Array(out.buffer);
      if (!regular) return each((to, offset) => { bits[to] = bound.data[offset] << 16; });
      return (base, from, count, to) => widenRun(bits, to, bound.data as Uint16Array, base + at(from), stepOf(), count);
    }
    case 'f16': return each((to, offset) => { out[to] = floatOfF16[bound.data[offset]]; });
    default: {
      if (!regular) return each((to, offset) => { out[to] = bound.data[offset]; });
      return (base, from, count, to) => copyRun(out, to, bound.data as Register, base + at(from), stepOf(), count);
    }
  }
}

function widenRun(bits: Uint32Array, to: number, data: Uint16Array, first: number, step: number, count: number): void {
  for (let i = 0; i < count; i++) bits[to + i] = data[first + i * step] << 16;
}

function copyRun(out: Register, to: number, data: Register, first: number, step: number, count: number): void {
  for (let i = 0; i < count; i++) out[to + i] = data[first + i * step];
}

function scaledReader(bound: BoundView, packing: ScaledPacking, runs: Runs, out: Register, round: boolean): RunReader {
  const values = floatValues[packing.code];
  const mask = values.length - 1;
  const places = Array.from(runs.places);
  const scaleAt = (at: number): number => {
    if (packing.code === 'e4m3') return floatOf(bound.data[at]);
    return fromE8m0((bound.halves[at >> 1] >> ((at & 1) * 8)) & 0xff);
  };
  return (_base, from, count, to) => {
    for (let d = 0; d < places.length; d++) places[d] = runs.places[d];
    for (let i = 0; i < count; i++) {
      if (runs.axis >= 0) places[runs.axis] = from + i;
      const { word, shift, scale } = scaledLocation(numberArithmetic, packing, bound.extents, places);
      const product = Math.fround(values[(bound.data[word] >>> shift) & mask] * scaleAt(scale));
      out[to + i] = round ? fromBf16(toBf16(product)) : product;
    }
  };
}

const word = new Uint32Array(1);
const wordAsFloat = new Float32Array(word.buffer);
function floatOf(bits: number): number {
  word[0] = bits;
  return wordAsFloat[0];
}

function int4Reader(bound: BoundView, packing: Int4Packing, runs: Runs, out: Register, round: boolean): RunReader {
  const { width, group } = packing;
  const along = bound.view.axes.length - 1;
  const blockWords = int4BlockBytes(packing) / 4;
  const value = (product: number): number => (round ? fromBf16(toBf16(product)) : product);
  if (runs.axis !== along || packing.kind === 'int4-mma') {
    const places = Array.from(runs.places);
    return (_base, from, count, to) => {
      for (let d = 0; d < places.length; d++) places[d] = runs.places[d];
      for (let i = 0; i < count; i++) {
        if (runs.axis >= 0) places[runs.axis] = from + i;
        const { word, shift, scale } = int4Location(numberArithmetic, packing, bound.extents, places);
        out[to + i] = value((((bound.data[word] >>> shift) & 15) - 8) * fromBf16(bound.halves[scale]));
      }
    };
  }
  return (base, from, count, to) => {
    const lane = runs.places[along - 1] % width;
    for (let i = 0; i < count;) {
      const inGroup = (from + i) % group;
      const block = (base + (from + i - inGroup) / group) * blockWords;
      const scale = fromBf16(bound.halves[block * 2 + (width * group) / 4 + lane]);
      const many = Math.min(count - i, group - inGroup);
      decodeCodes(out as Float32Array, to + i, bound.data as Uint32Array, block + lane, width, inGroup, many, scale);
      if (round) for (let j = to + i; j < to + i + many; j++) out[j] = value(out[j]);
      i += many;
    }
  };
}

/** Elements `from` .. of one group of one row, whose words lie `step` apart from `first` on. */
function decodeCodes(out: Float32Array, to: number, words: Uint32Array, first: number, step: number, from: number, count: number, scale: number): void {
  let word = words[first + (from >> 3) * step] >>> ((from & 7) * 4);
  for (let i = 0; i < count; i++) {
    const element = from + i;
    if (i > 0 && (element & 7) === 0) word = words[first + (element >> 3) * step];
    out[to + i] = ((word & 15) - 8) * scale;
    word >>>= 4;
  }
}

/** In checked mode: a program may read from a `readwrite` view only what no other program of the launch has stored. */
function readCheck(m: Machine, bound: BoundView, runs: Runs): ((base: number, from: number, count: number) => void) | undefined {
  if (bound.view.access === 'read') return undefined;
  const at = placeOffset(bound, runs.axis);
  return (base, from, count) => {
    const { owners } = bound;
    if (!owners) return;
    for (let i = 0; i < count; i++) {
      const owner = owners[base + at(from + i)];
      if (owner !== 0 && owner !== m.current) throw new Error(`program '${m.program.name}': element ${base + at(from + i)} of view '${bound.view.name}' was stored by program ${owner - 1} and is read by program ${m.current - 1}`);
    }
  };
}

export function compileStore(m: Machine, s: Store): Action {
  const bound = viewOf(m, s.view);
  const { tile, register } = tileOf(m, s.value);
  const shape = indexedAxes(bound.view, s.at, (id) => tileOf(m, id).tile);
  const runs = compileRuns(m, bound, s.at, shape);
  const { length } = runs;
  const value = alignment(tile.shape, shape);
  const where = s.where === undefined ? undefined : tileOf(m, s.where);
  const allowed = where && offsets(shape, stridesByName(where.tile.shape));
  const at = placeOffset(bound, runs.axis);
  const write = elementWriter(bound);
  return () => runs.each((row, base, lo, hi, start) => {
    for (let i = lo; i < hi; i++) {
      const element = row * length + i;
      if (where && where.register[allowed![element]] === 0) continue;
      const offset = base + at(start + i);
      if (bound.owners) claim(m, bound, bound.owners, offset);
      write(offset, register[value ? value[element] : element]);
    }
  });
}

function elementWriter(bound: BoundView): (offset: number, value: number) => void {
  const { dtype } = bound.view;
  const round = dtype === 'bf16' ? toBf16 : dtype === 'f16' ? toF16 : undefined;
  if (round) return (offset, value) => { bound.data[offset] = round(value); };
  return isFloat(dtype) ? (offset, value) => { (bound.data as Float32Array)[offset] = value; } : (offset, value) => { bound.data[offset] = value; };
}

function claim(m: Machine, bound: BoundView, owners: Int32Array, offset: number): void {
  if (owners[offset] !== 0 && owners[offset] !== m.current) {
    throw new Error(`program '${m.program.name}': element ${offset} of view '${bound.view.name}' is stored by program ${owners[offset] - 1} and by program ${m.current - 1}`);
  }
  owners[offset] = m.current;
}
