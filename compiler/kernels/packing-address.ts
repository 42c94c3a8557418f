/**
 * Where an element lies in packed bytes, as arithmetic. One definition for the interpreter (on numbers), for the
 * builder (on Scalars) and for emitters (on whatever they write expressions as).
 */
import type { DType } from '../ir/dtype.js';
import { dtypeBytes } from '../ir/dtype.js';
import type { Scalar } from '../ir/kernel.js';
import type { Packing } from '../ir/packing.js';
import { floatBits } from './float-codes.js';
import { floorDivide, modulo, plus, times, toScalar } from './scalar.js';

/** Arithmetic on non-negative integers; `divide` floors. */
export interface Arithmetic<T> {
  constant(value: number): T;
  add(a: T, b: T): T;
  multiply(a: T, b: T): T;
  divide(a: T, b: number): T;
  modulo(a: T, b: number): T;
}

export const numberArithmetic: Arithmetic<number> = {
  constant: (value) => value,
  add: (a, b) => a + b,
  multiply: (a, b) => a * b,
  divide: (a, b) => Math.floor(a / b),
  modulo: (a, b) => a % b,
};

export const scalarArithmetic: Arithmetic<Scalar> = { constant: toScalar, add: plus, multiply: times, divide: floorDivide, modulo };

export type Int4Packing = Extract<Packing, { kind: 'int4' | 'int4-mma' }>;
export type ScaledPacking = Extract<Packing, { kind: 'scaled' }>;
export type PlainPacking = Exclude<Packing, Int4Packing | ScaledPacking>;

export function isInt4(packing: Packing): packing is Int4Packing { return packing.kind === 'int4' || packing.kind === 'int4-mma'; }

/** Codes with scales: what is stored says which type a load yields no more than that it is a float. */
export function isCoded(packing: Packing): packing is Int4Packing | ScaledPacking { return isInt4(packing) || isScaled(packing); }
export function isScaled(packing: Packing): packing is ScaledPacking { return packing.kind === 'scaled'; }

/** Codes of one u32 word. */
export function codesPerWord(packing: ScaledPacking): number { return 32 / floatBits[packing.code]; }

/** Bytes of one block: codes of `width` rows by `group` elements, then their scales. */
function scaledBlockBytes(packing: ScaledPacking): number {
  return packing.width * ((packing.group * floatBits[packing.code]) / 8 + (packing.code === 'e4m3' ? 4 : 1));
}

/** Bytes of one int4 block: codes of `width` rows by `group` elements, then their scales. */
export function int4BlockBytes(packing: Int4Packing): number {
  if (packing.kind === 'int4-mma') return int4MmaBlock(packing).words * 4;
  return packing.width * (packing.group / 2 + 2);
}

export function blockBytes(packing: Int4Packing | ScaledPacking): number {
  return packing.kind === 'scaled' ? scaledBlockBytes(packing) : int4BlockBytes(packing);
}
export function blockLength(packing: Int4Packing | ScaledPacking): number {
  return packing.kind === 'scaled' ? packing.group : int4BlockLength(packing);
}

/** Elements of the last axis that one block holds. */
export function int4BlockLength(packing: Int4Packing): number {
  return packing.kind === 'int4-mma' ? 64 : packing.group;
}

/** A block of `int4-mma`: 16 rows by 64. */
export function int4MmaBlock(packing: Extract<Packing, { kind: 'int4-mma' }>): { readonly words: number } {
  return { words: 128 + (64 / packing.group) * 8 };
}

/** Number of elements (padding included) that lie before row-major position `index` in extents `extents`. */
function rowMajor<T>(m: Arithmetic<T>, extents: readonly T[], index: readonly T[]): T {
  let offset = m.constant(0);
  index.forEach((at, i) => { offset = i === 0 ? at : m.add(m.multiply(offset, extents[i]), at); });
  return offset;
}

function ceilBy<T>(m: Arithmetic<T>, value: T, by: number): T {
  return m.divide(m.add(value, m.constant(by - 1)), by);
}

/** Offset in elements of a dense or panel tensor. `extents` and `index` in `packing.order`. */
export function elementOffset<T>(m: Arithmetic<T>, packing: PlainPacking, extents: readonly T[], index: readonly T[]): T {
  if (packing.kind === 'dense') return rowMajor(m, extents, index);
  const r = packing.order.indexOf(packing.lanes);
  const { width } = packing;
  const outerExtents = extents.map((e, i) => (i === r ? ceilBy(m, e, width) : e));
  const outerIndex = index.map((e, i) => (i === r ? m.divide(e, width) : e));
  return m.add(m.multiply(rowMajor(m, outerExtents, outerIndex), m.constant(width)), m.modulo(index[r], width));
}

export interface Int4Location<T> {
  /** Index among u32 words from the tensor's start; the code is bits [shift, shift + 4). */
  readonly word: T;
  readonly shift: T;
  /** Index among 16-bit units from the tensor's start, of the bf16 scale. */
  readonly scale: T;
}

/** `extents` and `index` in `packing.order` = [.., lanes, .., along]. */
export function int4Location<T>(m: Arithmetic<T>, packing: Int4Packing, extents: readonly T[], index: readonly T[]): Int4Location<T> {
  const { width, group } = packing;
  const lanes = packing.order.indexOf(packing.lanes);
  const along = extents.length - 1;
  const length = int4BlockLength(packing);
  const blocks = extents.map((e, i) => (i === lanes ? ceilBy(m, e, width) : i === along ? ceilBy(m, e, length) : e));
  const block = rowMajor(m, blocks, index.map((e, i) => (i === lanes ? m.divide(e, width) : i === along ? m.divide(e, length) : e)));
  const lane = m.modulo(index[lanes], width);
  if (packing.kind === 'int4-mma') return mmaLocation(m, packing, block, lane, m.modulo(index[along], length));
  const inGroup = m.modulo(index[along], group);
  const bytes = int4BlockBytes(packing);
  const word = m.add(m.multiply(block, m.constant(bytes / 4)), m.add(m.multiply(m.divide(inGroup, 8), m.constant(width)), lane));
  const scale = m.add(m.add(m.multiply(block, m.constant(bytes / 2)), m.constant((width * group) / 4)), lane);
  return { word, shift: m.multiply(m.modulo(inGroup, 8), m.constant(4)), scale };
}

/** As `int4Location`; the scale is an index among f32 units for e4m3, among bytes for e2m1. */
export function scaledLocation<T>(m: Arithmetic<T>, packing: ScaledPacking, extents: readonly T[], index: readonly T[]): Int4Location<T> {
  const { width, group } = packing;
  const perWord = codesPerWord(packing);
  const lanes = packing.order.indexOf(packing.lanes);
  const along = extents.length - 1;
  const blocks = extents.map((e, i) => (i === lanes ? ceilBy(m, e, width) : i === along ? ceilBy(m, e, group) : e));
  const block = rowMajor(m, blocks, index.map((e, i) => (i === lanes ? m.divide(e, width) : i === along ? m.divide(e, group) : e)));
  const lane = m.modulo(index[lanes], width);
  const inGroup = m.modulo(index[along], group);
  const bytes = scaledBlockBytes(packing);
  const unit = packing.code === 'e4m3' ? 4 : 1;
  const word = m.add(m.multiply(block, m.constant(bytes / 4)), m.add(m.multiply(m.divide(inGroup, perWord), m.constant(width)), lane));
  const scale = m.add(m.multiply(block, m.constant(bytes / unit)), m.add(m.constant((width * group * 4) / perWord / unit), lane));
  return { word, shift: m.multiply(m.modulo(inGroup, perWord), m.constant(32 / perWord)), scale };
}

function mmaLocation<T>(m: Arithmetic<T>, packing: Extract<Packing, { kind: 'int4-mma' }>, block: T, row: T, column: T): Int4Location<T> {
  const { words } = int4MmaBlock(packing);
  const times = (a: T, b: number): T => m.multiply(a, m.constant(b));
  const inStep = m.modulo(column, 16);
  const lane = m.add(times(m.modulo(row, 8), 4), m.modulo(m.divide(inStep, 2), 4));
  const pair = m.add(m.divide(row, 8), times(m.divide(inStep, 8), 2));
  const nibble = m.add(pair, times(m.modulo(column, 2), 4));
  const word = m.add(times(block, words), m.add(times(lane, 4), m.divide(column, 16)));
  const scale = m.add(m.add(times(block, words * 2), m.constant(256)), m.add(times(m.divide(column, packing.group), 16), row));
  return { word, shift: times(nibble, 4), scale };
}

export interface SizedAxis { readonly name: string; readonly size: number }

/** Extents in `packing.order` of a tensor whose axes may be listed in any order. */
export function orderedExtents(packing: Packing, axes: readonly SizedAxis[]): number[] {
  if (packing.order.length !== axes.length) throw new Error(`packing names ${packing.order.length} axes, the tensor has ${axes.length}`);
  return packing.order.map((name) => {
    const axis = axes.find((a) => a.name === name);
    if (!axis) throw new Error(`packing names axis '${name}', which the tensor lacks`);
    return axis.size;
  });
}

/** Throws if the packing's parameters contradict each other or the tensor. */
export function checkPacking(packing: Packing): void {
  const fail = (why: string): never => { throw new Error(`packing ${packing.kind}: ${why}`); };
  if (packing.kind === 'dense') return;
  if (packing.width < 1 || !packing.order.includes(packing.lanes)) fail(`lanes '${packing.lanes}' by ${packing.width}`);
  if (packing.kind === 'panel') {
    if (packing.order.at(-1) === packing.lanes) fail('lanes must not be the last axis');
    return;
  }
  if (packing.order.at(-1) === packing.lanes) fail('the grouped axis must be the last, not the lanes');
  if (packing.kind === 'int4-mma') {
    if (packing.order.at(-2) !== packing.lanes) fail(`order must end in [lanes, along], lanes is '${packing.lanes}'`);
    if (![16, 32, 64].includes(packing.group)) fail(`group ${packing.group} is not 16, 32 or 64`);
    return;
  }
  if (packing.kind === 'scaled') {
    if (packing.group < codesPerWord(packing) || packing.group % codesPerWord(packing) !== 0) fail(`group ${packing.group} is not a multiple of ${codesPerWord(packing)}`);
    if (scaledBlockBytes(packing) % 4 !== 0) fail(`width ${packing.width} gives blocks that are not u32-aligned`);
    return;
  }
  if (packing.group < 8 || packing.group % 8 !== 0) fail(`group ${packing.group} is not a multiple of 8`);
  if (packing.width % 2 !== 0) fail(`width ${packing.width} is odd, blocks would not be u32-aligned`);
}

/** Bytes that the tensor takes when packed, padding included. `dtype` is ignored for codes with scales. */
export function packedBytes(packing: Packing, axes: readonly SizedAxis[], dtype: DType): number {
  checkPacking(packing);
  const extents = orderedExtents(packing, axes);
  const product = (list: readonly number[]): number => list.reduce((n, e) => n * e, 1);
  switch (packing.kind) {
    case 'dense': return product(extents) * dtypeBytes(dtype);
    case 'panel': {
      const padded = extents.map((e, i) => (packing.order[i] === packing.lanes ? Math.ceil(e / packing.width) * packing.width : e));
      return product(padded) * dtypeBytes(dtype);
    }
    case 'int4': case 'int4-mma': case 'scaled': {
      const length = packing.kind === 'scaled' ? packing.group : int4BlockLength(packing);
      const blocks = extents.map((e, i) => (i === extents.length - 1 ? Math.ceil(e / length) : packing.order[i] === packing.lanes ? Math.ceil(e / packing.width) : e));
      return product(blocks) * (packing.kind === 'scaled' ? scaledBlockBytes(packing) : int4BlockBytes(packing));
    }
  }
}
