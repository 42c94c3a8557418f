/**
 * What the interpreter's closures share: registers for tiles, values of dims and variables, and the bytes bound to views.
 */
import type { DType } from '../ir/dtype.js';
import type { Program, Scalar, Tile, TileId, View } from '../ir/kernel.js';
import { blockBytes, blockLength, isCoded } from './packing-address.js';
import { evaluateScalar } from './scalar.js';

/** Elements of one tile, row-major in its shape. 16-bit floats are held as f32 values that they can represent; bool as 0, 1. */
export type Register = Float32Array | Int32Array | Uint32Array;

/**
 * A view during one launch. The element at `places` lies at the sum over axes of floor(p / width) * stride +
 * remainder * (p mod width), in elements; for codes with scales that sum is the block, and remainder is 0.
 */
export interface BoundView {
  readonly view: View;
  readonly extents: number[];
  readonly strides: number[];
  readonly widths: readonly number[];
  readonly remainders: readonly number[];
  /** The stored elements: halves for 16-bit floats, u32 words for codes with scales. */
  data: Register | Uint16Array;
  /** The same bytes as 16-bit units, for scales. */
  halves: Uint16Array;
  /** In checked mode, per element: which program stored it, + 1. */
  owners?: Int32Array;
}

export interface Machine {
  readonly program: Program;
  readonly tiles: Map<TileId, { readonly tile: Tile; readonly register: Register }>;
  readonly views: ReadonlyMap<string, BoundView>;
  /** Values of dims and variables, by slot. */
  readonly values: number[];
  readonly slots: Map<string, number>;
  /** Number of the program that runs, from 1. */
  current: number;
}

export type Action = () => void;

export function createMachine(program: Program): Machine {
  return { program, tiles: new Map(), values: [], slots: new Map(), current: 0, views: new Map(program.views.map((v) => [v.name, unbound(v)])) };
}

export function sizeOf(tile: Tile): number {
  return tile.shape.reduce((n, a) => n * a.size, 1);
}

/** Gives `tile` a register: a new one, or `shared` if its elements are another tile's. */
export function defineTile(m: Machine, tile: Tile, shared?: Register): Register {
  const register = shared ?? newRegister(tile.dtype, sizeOf(tile));
  m.tiles.set(tile.id, { tile, register });
  return register;
}

export function newRegister(dtype: DType, size: number): Register {
  switch (dtype) {
    case 'f32': case 'bf16': case 'f16': return new Float32Array(size);
    case 'u32': return new Uint32Array(size);
    case 'i32': case 'bool': return new Int32Array(size);
  }
}

export function tileOf(m: Machine, id: TileId): { readonly tile: Tile; readonly register: Register } {
  const found = m.tiles.get(id);
  if (!found) throw new Error(`interpreting '${m.program.name}': tile ${id} is used before it is defined`);
  return found;
}

export function viewOf(m: Machine, name: string): BoundView {
  const found = m.views.get(name);
  if (!found) throw new Error(`interpreting '${m.program.name}': no view '${name}'`);
  return found;
}

export function slotOf(m: Machine, kind: 'dim' | 'var', name: string): number {
  const key = `${kind} ${name}`;
  const slot = m.slots.get(key) ?? m.values.push(0) - 1;
  m.slots.set(key, slot);
  return slot;
}

/** A closure that evaluates `s` on the machine's current values. */
export function compileScalar(m: Machine, s: Scalar): () => number {
  const { values } = m;
  switch (s.kind) {
    case 'int': { const { value } = s; return () => value; }
    case 'dim': case 'var': { const slot = slotOf(m, s.kind, s.name); return () => values[slot]; }
    case 'element': return compileElement(m, viewOf(m, s.view), s.at.map((a) => compileScalar(m, a)));
    default: {
      const a = compileScalar(m, s.a);
      const b = compileScalar(m, s.b);
      switch (s.kind) {
        case 'add': return () => a() + b();
        case 'subtract': return () => a() - b();
        case 'multiply': return () => a() * b();
        case 'divide': return () => { const d = b(); return d === 0 ? 0 : Math.floor(a() / d); };
        case 'mod': return () => { const d = b(); const n = a(); return d === 0 ? 0 : n - Math.floor(n / d) * d; };
        case 'minimum': return () => Math.min(a(), b());
        case 'maximum': return () => Math.max(a(), b());
        case 'less': return () => (a() < b() ? 1 : 0);
      }
    }
  }
}

function compileElement(m: Machine, bound: BoundView, at: readonly (() => number)[]): () => number {
  if (bound.view.dtype !== 'i32' || bound.view.packing.kind !== 'dense') throw new Error(`interpreting '${m.program.name}': scalar element of view '${bound.view.name}', which is not dense i32`);
  return () => {
    let offset = 0;
    for (let d = 0; d < at.length; d++) {
      const place = at[d]();
      if (place < 0 || place >= bound.extents[d]) return 0;
      offset += place * bound.strides[d];
    }
    return bound.data[offset];
  };
}

const nothing = new Uint16Array(0);

function unbound(view: View): BoundView {
  const { packing } = view;
  const widths = view.axes.map((a) => {
    if (packing.kind === 'dense') return 1;
    if (a.name === packing.lanes) return packing.width;
    return isCoded(packing) && a.name === packing.order.at(-1) ? blockLength(packing) : 1;
  });
  const remainders = view.axes.map((a) => (packing.kind === 'panel' && a.name === packing.lanes ? 1 : 0));
  return { view, extents: view.axes.map(() => 0), strides: view.axes.map(() => 0), widths, remainders, data: nothing, halves: nothing };
}

/** Points the view at `bytes` for a launch with `dims`; throws if they are too few or misaligned for its elements. */
export function bindView(bound: BoundView, dims: Readonly<Record<string, number>>, bytes: Uint8Array, checked: boolean): void {
  const { view, extents, strides, widths } = bound;
  view.axes.forEach((a, d) => { extents[d] = evaluateScalar(a.extent, { dims }); });
  let next = view.packing.kind === 'panel' ? view.packing.width : 1;
  for (let d = extents.length - 1; d >= 0; d--) {
    strides[d] = view.strides ? view.strides[d] : next;
    next *= Math.ceil(extents[d] / widths[d]);
  }
  const whole = view.strides ? stridedSpan(extents, view.strides) : next;
  bound.data = typedArray(view, bytes, whole);
  bound.halves = isCoded(view.packing) ? new Uint16Array(bytes.buffer, bytes.byteOffset, bound.data.length * 2) : nothing;
  bound.owners = checked && view.access !== 'read' ? new Int32Array(whole) : undefined;
}

/** Elements from the first to the last one that a strided view reaches. */
function stridedSpan(extents: readonly number[], strides: readonly number[]): number {
  if (extents.some((e) => e === 0)) return 0;
  return extents.reduce((n, e, d) => n + (e - 1) * strides[d], 1);
}

/** `whole`: elements, or blocks of codes with scales. */
function typedArray(view: View, bytes: Uint8Array, whole: number): Register | Uint16Array {
  const coded = isCoded(view.packing) ? view.packing : undefined;
  const half = !coded && (view.dtype === 'bf16' || view.dtype === 'f16');
  const count = coded ? (whole * blockBytes(coded)) / 4 : whole;
  const needed = count * (half ? 2 : 4);
  if (bytes.length < needed) throw new Error(`view '${view.name}' needs ${needed} bytes, ${bytes.length} are bound`);
  if (needed > 0 && bytes.byteOffset % (half ? 2 : 4) !== 0) throw new Error(`view '${view.name}' starts at byte ${bytes.byteOffset}, which is not aligned to its elements`);
  if (needed === 0) return half ? nothing : new Uint32Array(0);
  if (half) return new Uint16Array(bytes.buffer, bytes.byteOffset, count);
  if (coded || view.dtype === 'u32') return new Uint32Array(bytes.buffer, bytes.byteOffset, count);
  if (view.dtype === 'f32') return new Float32Array(bytes.buffer, bytes.byteOffset, count);
  return new Int32Array(bytes.buffer, bytes.byteOffset, count);
}
