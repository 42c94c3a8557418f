/** Reading and writing elements of bound views: addresses, packed words and halves of words. */
import { type Arithmetic, elementOffset, int4Location, isCoded, scaledLocation } from '../../compiler/kernels/packing-address.js';
import type { Program, View } from '../../compiler/ir/kernel.js';
import { add, constant, divide, int32, modulo, multiply, ofAtom, scale, type Affine } from './affine.js';
import { storageType, type BoundView, type KernelBindings } from './bindings.js';
import { nameOf, type Scope, type Value } from './scope.js';
import type { VectorArrays } from './vectors.js';

/** A view with the names it has in the shader. */
export interface ViewAccess {
  readonly view: View;
  readonly bound: BoundView;
  /** The storage array. */
  readonly array: string;
  /** Element type of that array. */
  readonly stored: 'f32' | 'i32' | 'u32';
  readonly extents: readonly Affine[];
  /** Elements are halves of u32 words. */
  readonly half: boolean;
  /** Words go through `read_`, `write_` and `merge_` functions, since halves of them are written. */
  readonly functions: boolean;
  readonly vectors: VectorArrays;
}

const arithmetic = (scope: Scope): Arithmetic<Affine> => ({
  constant, add,
  multiply: (a, b) => multiply(a, b, scope.bind),
  divide: (a, b) => divide(a, b, scope.bind),
  modulo: (a, b) => modulo(a, b, scope.bind),
});

export const safeName = (name: string): string => name.replace(/[^A-Za-z0-9_]/g, '_').replace(/^_+/, '').replace(/__+/g, '_') || 'x';

/** Name of the storage array behind binding `binding`. */
export function arrayName(program: Program, bindings: KernelBindings, binding: number): string {
  const users = program.views.filter((_, i) => bindings.views[i].binding === binding);
  return users.length === 1 ? `v_${safeName(users[0].name)}` : `buffer_${binding}`;
}

export function arrayType(program: Program, bindings: KernelBindings, binding: number): 'f32' | 'i32' | 'u32' {
  const types = new Set(program.views.filter((_, i) => bindings.views[i].binding === binding).map(storageType));
  return types.size === 1 ? [...types][0] : 'u32';
}

/** Words before the view's start, as an index term. */
function start(access: ViewAccess): Affine {
  if (access.bound.offset === 'none') return constant(0);
  return ofAtom({ text: `launch.${safeName(access.view.name)}`, min: 0, max: int32.max, level: 0 });
}

/** Element offset of a dense or panel view, in elements of the view's dtype from the start of its binding. */
export function elementAt(access: ViewAccess, at: readonly Affine[], scope: Scope): Affine {
  const { packing, strides } = access.view;
  if (isCoded(packing)) throw new Error(`wgsl: view '${access.view.name}' is ${packing.kind}, its elements have no address`);
  const own = strides === undefined ? elementOffset(arithmetic(scope), packing, access.extents, at)
    : at.reduce((sum, a, i) => add(sum, scale(a, strides[i])), constant(0));
  return add(own, scale(start(access), access.half ? 2 : 1));
}

/**
 * The element as f32, i32, u32 or bool. `settled`: the level of the block in which the view's contents do not change;
 * nothing is read outside of it.
 */
export function readElement(access: ViewAccess, at: readonly Affine[], scope: Scope, settled = 0): Value {
  if (access.view.packing.kind === 'int4') {
    const { code, scale: factor } = readInt4(access, at, scope);
    return { text: `(${code.text} * ${factor.text})`, level: Math.max(code.level, factor.level) };
  }
  if (access.view.packing.kind === 'scaled') {
    const { code, scale: factor } = readScaled(access, at, scope);
    return { text: `(${code.text} * ${factor.text})`, level: Math.max(code.level, factor.level) };
  }
  const element = elementAt(access, at, scope);
  if (access.half) return readHalf(access, element, scope, settled);
  const { text: word, level } = readWord(access, element, scope, settled);
  const wanted = storageType(access.view);
  const typed = wanted === access.stored ? word : `bitcast<${wanted}>(${word})`;
  return { text: access.view.dtype === 'bool' ? `(${typed} != 0u)` : typed, level };
}

function readWord(access: ViewAccess, word: Affine, scope: Scope, settled: number): Value {
  if (!access.functions) return access.vectors.read(access.array, word, scope, settled);
  const index = scope.index(word);
  return { text: `read_${access.array}(${index.text})`, level: Math.max(index.level, settled) };
}

function readHalf(access: ViewAccess, element: Affine, scope: Scope, settled: number): Value {
  const word = readWord(access, divide(element, 2, scope.bind), scope, settled);
  const name = nameOf(scope, word, 'w');
  const half = modulo(element, 2, scope.bind);
  const level = half.terms.reduce((l, t) => Math.max(l, t.atom.level), word.level);
  if (half.terms.length > 0) {
    const part = `${name} >> u32(${half.terms[0].atom.text} * 16)`;
    return { text: access.view.dtype === 'bf16' || access.view.packing.kind === 'int4' ? `bitcast<f32>((${part}) << 16u)` : `unpack2x16float(${part}).x`, level };
  }
  if (access.view.dtype === 'f16' && access.view.packing.kind !== 'int4') return { text: `unpack2x16float(${name}).${half.constant === 0 ? 'x' : 'y'}`, level };
  return { text: half.constant === 0 ? `bitcast<f32>(${name} << 16u)` : `bitcast<f32>(${name} & 0xffff0000u)`, level };
}

/** Code (-8 .. 7) and scale of an int4 element, both f32. The word is shared by the eight elements it holds. */
export function readInt4(access: ViewAccess, at: readonly Affine[], scope: Scope): { readonly code: Value; readonly scale: Value } {
  if (access.view.packing.kind !== 'int4') throw new Error(`wgsl: view '${access.view.name}' is not int4`);
  const place = int4Location(arithmetic(scope), access.view.packing, access.extents, at);
  const word = readWord(access, add(place.word, start(access)), scope, 0);
  // Flipping the top bit of every code turns an offset of 8 into two's complement.
  const codes = scope.name({ text: `bitcast<i32>(${word.text} ^ 0x88888888u)`, level: word.level }, 'q');
  const shift = place.shift;
  const code = shift.terms.length === 0
    ? { text: shift.constant === 28 ? `f32(${codes} >> 28u)` : `f32((${codes} << ${28 - shift.constant}u) >> 28u)`, level: word.level }
    : { text: `f32(extractBits(${codes}, u32(${scope.index(shift).text}), 4u))`, level: Math.max(word.level, scope.index(shift).level) };
  const half = readHalf(access, add(place.scale, scale(start(access), 2)), scope, 0);
  return { code, scale: { text: scope.name(half, 's'), level: half.level } };
}

/** Value of the code and scale of an element of codes with scales, both f32. */
export function readScaled(access: ViewAccess, at: readonly Affine[], scope: Scope): { readonly code: Value; readonly scale: Value } {
  const { packing } = access.view;
  if (packing.kind !== 'scaled') throw new Error(`wgsl: view '${access.view.name}' has no scales`);
  const place = scaledLocation(arithmetic(scope), packing, access.extents, at);
  const word = readWord(access, add(place.word, start(access)), scope, 0);
  const shift = scope.index(place.shift);
  const bits = packing.code === 'e4m3' ? 8 : 4;
  const level = Math.max(word.level, shift.level);
  const code = scope.name({ text: `extractBits(${word.text}, u32(${shift.text}), ${bits}u)`, level }, 'q');
  return { code: { text: scope.name({ text: packing.code === 'e4m3' ? e4m3Text(code) : e2m1Text(code), level }, 'x'), level }, scale: scaleOf(access, packing.code, place.scale, scope) };
}

/** An f32, or the byte of an exponent. */
function scaleOf(access: ViewAccess, code: 'e4m3' | 'e2m1', at: Affine, scope: Scope): Value {
  if (code === 'e4m3') {
    const word = readWord(access, add(at, start(access)), scope, 0);
    return { text: scope.name({ text: `bitcast<f32>(${word.text})`, level: word.level }, 's'), level: word.level };
  }
  const word = readWord(access, add(divide(at, 4, scope.bind), start(access)), scope, 0);
  const byte = scope.index(modulo(at, 4, scope.bind));
  const level = Math.max(word.level, byte.level);
  return { text: scope.name({ text: `bitcast<f32>(extractBits(${word.text}, u32(${byte.text}) * 8u, 8u) << 23u)`, level }, 's'), level };
}

/** Exponents move from bias 7 to 127; below the smallest normal number, a multiple of 2^-9. Devices may flush f32 that are not normal, so none is made. */
function e4m3Text(code: string): string {
  return `(select(bitcast<f32>(((${code} & 127u) << 20u) + 0x3c000000u), f32(${code} & 127u) * 0.001953125f, (${code} & 127u) < 8u) * select(1.0f, -1.0f, ${code} > 127u))`;
}

/** As above with bias 1; below it, a multiple of a half. */
function e2m1Text(code: string): string {
  return `(select(bitcast<f32>(((${code} & 7u) << 22u) + 0x3f000000u), f32(${code} & 7u) * 0.5f, (${code} & 7u) < 2u) * select(1.0f, -1.0f, ${code} > 7u))`;
}
