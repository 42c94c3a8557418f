/**
 * Writes stores. Elements of 16 bits are halves of u32 words: where an element's neighbour surely belongs to the same
 * tile, one invocation stores both at once; otherwise the other half of the word may be some other program's, and the
 * two merge into the word with integer atomics (whose order does not matter, since they touch different bits).
 */
import type { TileAxis } from '../../compiler/ir/kernel.js';
import { constant, divide, modulo, offset, scale, type Affine } from './affine.js';
import { both, conjunction, lessThan, type Conditions } from './conditions.js';
import { storageType } from './bindings.js';
import type { OpStatement } from './definitions.js';
import { describe } from './describe.js';
import { castText } from './functions.js';
import type { Coordinates, Own, ResolvedIndex } from './evaluate.js';
import type { KernelWriter } from './kernel-writer.js';
import type { Scope } from './scope.js';
import { elementAt, type ViewAccess } from './views.js';

type Store = OpStatement<'store'>;

export function writeStore(w: KernelWriter, s: Store): void {
  const access = w.view(s.view);
  const indices = w.indices(s.at);
  const shape = w.tile(s.value).shape;
  const touched = operandIds(s);
  w.root(describe(s), (scope) => {
    if (access.view.access === 'readwrite') w.writes(access.array);
    if (access.half) return storeHalves(w, s, access, indices, scope);
    const unroll = w.unrolls(shape) && w.plan.readsRegisters(touched);
    w.eachOwn(shape, scope, unroll, (e) => {
      const { address, inside } = target(w, s, access, indices, e.at, e.own, e.scope);
      const value = w.evaluator.value(s.value, e.at, e.own, e.scope);
      const stored = storedText(access, castText(value.text, w.tile(s.value).dtype, access.view.dtype));
      const index = e.scope.index(address).text;
      w.guarded(both(e.guards, inside), e.scope, access.functions ? `write_${access.array}(${index}, ${stored});` : `${access.array}[${index}] = ${stored};`);
    });
  });
}

const operandIds = (s: Store): number[] => [s.value, ...(s.where === undefined ? [] : [s.where]), ...s.at.flatMap((i) => (i.kind === 'tile' ? [i.tile] : []))];

/** Address of an element and when it is to be stored. */
function target(w: KernelWriter, s: Store, access: ViewAccess, indices: readonly ResolvedIndex[], at: Coordinates, own: Own | undefined, scope: Scope): { readonly address: Affine; readonly inside: Conditions } {
  const { at: places, inside } = w.evaluator.positions(access, indices, at, own, scope);
  const address = elementAt(access, places, scope);
  if (s.where === undefined) return { address, inside };
  const full = w.tile(s.where).shape.length === w.tile(s.value).shape.length;
  const kept = w.evaluator.value(s.where, at, full ? own : undefined, scope);
  return { address, inside: both(inside, [{ text: kept.text, level: kept.level }]) };
}

function storedText(access: ViewAccess, value: string): string {
  const wanted = storageType(access.view);
  if (access.view.dtype === 'bool') return `select(0u, 1u, ${value})`;
  return wanted === access.stored ? value : `bitcast<${access.stored}>(${value})`;
}

/** Bits of a 16-bit float in the low half of a word. */
function halfBits(access: ViewAccess, rounded: string): string {
  return access.view.dtype === 'bf16' ? `(bitcast<u32>(${rounded}) >> 16u)` : `(pack2x16float(vec2<f32>(${rounded}, 0.0f)) & 0xffffu)`;
}

/** The tile axis along which elements are neighbours in memory. */
function innermost(access: ViewAccess, indices: readonly ResolvedIndex[]): string | undefined {
  const { strides, axes } = access.view;
  const i = strides === undefined ? axes.length - 1 : strides.indexOf(1);
  const index = indices[i];
  return index?.kind === 'place' ? index.axis : undefined;
}

function storeHalves(w: KernelWriter, s: Store, access: ViewAccess, indices: readonly ResolvedIndex[], scope: Scope): void {
  const shape = w.tile(s.value).shape;
  const axis = innermost(access, indices);
  const pairs: TileAxis[] = shape.map((a) => (a.name === axis ? { name: a.name, size: Math.ceil(a.size / 2) } : a));
  w.eachOwn(axis === undefined ? shape : pairs, scope, false, (e) => {
    const first = axis === undefined ? e.at : new Map([...e.at, [axis, scale(e.at.get(axis)!, 2)]]);
    const { address } = target(w, s, access, indices, first, undefined, e.scope);
    const even = axis !== undefined && isEven(address);
    const inner = e.scope.nested();
    if (even) storePair(w, s, access, indices, { first, axis }, inner);
    else {
      storeHalf(w, s, access, indices, first, inner);
      if (axis !== undefined) storeHalf(w, s, access, indices, next(first, axis), inner);
    }
    e.scope.block(e.guards === false || e.guards.length === 0 ? '' : `if (${conjunction(e.guards).text})`, inner);
  });
}

const next = (at: Coordinates, axis: string): Coordinates => new Map([...at, [axis, offset(at.get(axis)!, 1)]]);
const isEven = (a: Affine): boolean => a.constant % 2 === 0 && a.terms.every((t) => t.factor % 2 === 0);

function bits(w: KernelWriter, s: Store, access: ViewAccess, at: Coordinates, scope: Scope): string {
  const value = w.evaluator.value(s.value, at, undefined, scope);
  return halfBits(access, castText(value.text, w.tile(s.value).dtype === access.view.dtype ? access.view.dtype : 'f32', access.view.dtype));
}

/** Whether the coordinate is inside the tile and its place inside the view. */
function stored(w: KernelWriter, s: Store, access: ViewAccess, indices: readonly ResolvedIndex[], at: Coordinates, scope: Scope): Conditions {
  const { inside } = target(w, s, access, indices, at, undefined, scope);
  return w.tile(s.value).shape.reduce((all, a) => both(all, lessThan(at.get(a.name)!, constant(a.size))), inside);
}

/** Two neighbours that share a word: together if both are stored. */
function storePair(w: KernelWriter, s: Store, access: ViewAccess, indices: readonly ResolvedIndex[], pair: { readonly first: Coordinates; readonly axis: string }, scope: Scope): void {
  const second = next(pair.first, pair.axis);
  const [low, high] = [pair.first, second].map((at) => stored(w, s, access, indices, at, scope));
  const { address } = target(w, s, access, indices, pair.first, undefined, scope);
  const index = scope.index(divide(address, 2, scope.bind)).text;
  const values = [pair.first, second].map((at) => scope.name({ text: bits(w, s, access, at, scope), level: scope.level }, 'b'));
  const together = `write_${access.array}(${index}, ${values[0]} | (${values[1]} << 16u));`;
  const conditions = both(low, high);
  if (conditions !== false && conditions.length === 0) return scope.line(together);
  const same = low !== false && high !== false && low.map((c) => c.text).join() === high.map((c) => c.text).join();
  if (same) return w.guarded(low, scope, together);
  w.merged.add(access.array);
  const name = (c: Conditions): string => scope.name(c === false ? { text: 'false', level: 0 } : c.length === 0 ? { text: 'true', level: 0 } : conjunction(c), 'c');
  const [a, b] = [name(low), name(high)];
  scope.line(`if (${a} && ${b}) { ${together} }`);
  scope.line(`else if (${a}) { merge_${access.array}(${index}, ${values[0]}, 0x0000ffffu); }`);
  scope.line(`else if (${b}) { merge_${access.array}(${index}, ${values[1]} << 16u, 0xffff0000u); }`);
}

function storeHalf(w: KernelWriter, s: Store, access: ViewAccess, indices: readonly ResolvedIndex[], at: Coordinates, scope: Scope): void {
  w.merged.add(access.array);
  const inside = stored(w, s, access, indices, at, scope);
  const { address } = target(w, s, access, indices, at, undefined, scope);
  const index = scope.index(divide(address, 2, scope.bind)).text;
  const shift = scope.index(scale(modulo(address, 2, scope.bind), 16)).text;
  w.guarded(inside, scope, `merge_${access.array}(${index}, ${bits(w, s, access, at, scope)} << u32(${shift}), 0xffffu << u32(${shift}));`);
}

