/**
 * Writes stores. Elements of 16 bits are halves of u32 words: where an element's neighbour surely belongs to the same
 * tile, one invocation stores both at once; otherwise the other half of the word may be some other program's, and the
 * two merge into the word with integer atomics (whose order does not matter, since they touch different bits).
 */
import { constant, divide, modulo, offset, scale, type Affine } from './affine.js';
import { both, conjunctionIn, type Conditions } from './conditions.js';
import { storageType } from './bindings.js';
import type { OpStatement } from './definitions.js';
import { describe } from './describe.js';
import { castText } from './functions.js';
import type { Coordinates, Own, ResolvedIndex } from './evaluate.js';
import type { KernelWriter, OwnElement } from './kernel-writer.js';
import { nameOf, type Scope } from './scope.js';
import { elementAt, type ViewAccess } from './views.js';

type Store = OpStatement<'store'>;

/** A store of 16-bit elements. */
interface HalfStore { readonly s: Store; readonly access: ViewAccess; readonly indices: readonly ResolvedIndex[] }

export function writeStore(w: KernelWriter, s: Store): void {
  const access = w.view(s.view);
  const indices = w.indices(s.at);
  const shape = w.tile(s.value).shape;
  const touched = operandIds(s);
  w.root(describe(s), (scope) => {
    if (access.view.access === 'readwrite') w.writes(access.array);
    if (access.half) return storeHalves(w, { s, access, indices }, scope);
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

function storeHalves(w: KernelWriter, store: HalfStore, scope: Scope): void {
  const shape = w.tile(store.s.value).shape;
  const unroll = w.unrolls(shape) && w.plan.readsRegisters(operandIds(store.s));
  const d = w.plan.distribution(shape);
  const paired = d.axes.findIndex((a) => a.paired && a.name === innermost(store.access, store.indices));
  if (paired < 0) return w.eachOwn(shape, scope, unroll, (e) => storeHalf(w, store, e));
  const threads = w.threads(d, scope);
  w.eachRepetition(d, d.axes.map((_, i) => (i === paired ? constant(0) : undefined)), scope, unroll, (others, outer) => {
    w.each(d.axes[paired].repetitions / 2, outer, unroll, (pair, inner) => {
      const [low, high] = [0, 1].map((half) => w.ownElement(d, others.map((r, i) => (i === paired ? offset(scale(pair, 2), half) : r)), threads, inner));
      const { address } = target(w, store.s, store.access, store.indices, low.at, low.own, inner);
      if (isEven(address)) storePair(w, store, [low, high], address);
      else for (const e of [low, high]) storeHalf(w, store, e);
    });
  });
}

const isEven = (a: Affine): boolean => a.constant % 2 === 0 && a.terms.every((t) => t.factor % 2 === 0);

/** The bits of an element, when it is stored, and its address in elements. */
function halfOf(w: KernelWriter, { s, access, indices }: HalfStore, e: OwnElement): { readonly bits: string; readonly stored: Conditions; readonly address: Affine } {
  const { address, inside } = target(w, s, access, indices, e.at, e.own, e.scope);
  const value = w.evaluator.value(s.value, e.at, e.own, e.scope);
  const bits = halfBits(access, castText(value.text, w.tile(s.value).dtype, access.view.dtype));
  return { bits, stored: both(e.guards, inside), address };
}

/** Two neighbours that share a word: together if both are stored. */
function storePair(w: KernelWriter, store: HalfStore, pair: readonly OwnElement[], address: Affine): void {
  const { scope } = pair[0];
  const { array } = store.access;
  const [low, high] = pair.map((e) => halfOf(w, store, e));
  const index = scope.index(divide(address, 2, scope.bind)).text;
  const together = `write_${array}(${index}, ${low.bits} | (${high.bits} << 16u));`;
  const texts = (c: Conditions): string => (c === false ? 'never' : c.map((x) => x.text).join());
  if (texts(low.stored) === texts(high.stored)) return w.guarded(low.stored, scope, together);
  w.merged.add(array);
  const name = (c: Conditions): string => (c === false ? 'false' : c.length === 0 ? 'true' : nameOf(scope, conjunctionIn(scope, c), 'c'));
  const [a, b] = [name(low.stored), name(high.stored)];
  scope.line(`if (${a} && ${b}) { ${together} }`);
  scope.line(`else if (${a}) { merge_${array}(${index}, ${low.bits}, 0x0000ffffu); }`);
  scope.line(`else if (${b}) { merge_${array}(${index}, ${high.bits} << 16u, 0xffff0000u); }`);
}

function storeHalf(w: KernelWriter, store: HalfStore, e: OwnElement): void {
  const { array } = store.access;
  w.merged.add(array);
  const { bits, stored, address } = halfOf(w, store, e);
  const index = e.scope.index(divide(address, 2, e.scope.bind)).text;
  const shift = e.scope.index(scale(modulo(address, 2, e.scope.bind), 16)).text;
  w.guarded(stored, e.scope, `merge_${array}(${index}, ${bits} << u32(${shift}), 0xffffu << u32(${shift}));`);
}
