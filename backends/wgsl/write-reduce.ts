/**
 * Writes reductions. Each invocation first reduces what it owns, then the partial results are combined
 * through workgroup memory, `fan` at a time and always in the same order.
 */
import type { DType } from '../../compiler/ir/dtype.js';
import { add, constant, flatten, offset, scale, type Affine } from './affine.js';
import { both, conjunction, lessThan } from './conditions.js';
import type { OpStatement } from './definitions.js';
import { describe } from './describe.js';
import { distribute } from './distribution.js';
import type { Coordinates } from './evaluate.js';
import { castText, literal } from './functions.js';
import type { KernelWriter } from './kernel-writer.js';
import type { Scope } from './scope.js';

type Reduce = OpStatement<'reduce'>;

const fan = 4;
/** No tile has an axis of this name. */
const partAxis = '#part';

const identities: Record<Reduce['fn'], (dtype: DType) => number> = {
  add: () => 0,
  maximum: (d) => (d === 'i32' ? -(2 ** 31) : d === 'u32' || d === 'bool' ? 0 : -Infinity),
  minimum: (d) => (d === 'i32' ? 2 ** 31 - 1 : d === 'u32' || d === 'bool' ? 2 ** 32 - 1 : Infinity),
};

function combined(fn: Reduce['fn'], a: string, b: string): string {
  return fn === 'add' ? `${a} + ${b}` : fn === 'maximum' ? `max(${a}, ${b})` : `min(${a}, ${b})`;
}

export function writeReduce(w: KernelWriter, s: Reduce): void {
  const kept = w.declare(s.out.id);
  const scratch = w.plan.shared(`scratch ${s.out.id}`);
  const parts = w.plan.reduceParts(s);
  w.root(describe(s), (scope) => reduceOwn(w, s, scope, parts));
  let left = parts;
  for (; left > fan; left = Math.ceil(left / fan)) foldParts(w, s, left, parts);
  w.root('', (scope) => {
    w.reads(scratch.name);
    w.eachOwn(s.out.shape, scope, w.unrolls(s.out.shape), (e) => {
      const terms = Array.from({ length: left }, (_, p) => w.vectors.place(scratch.name, partIndex(s, e.at, constant(p), parts), e.scope));
      w.keep(kept, s.out.shape, e, { text: terms.reduce((a, b) => combined(s.fn, a, b)), level: e.scope.level });
    });
  });
}

function partIndex(s: Reduce, at: Coordinates, part: Affine, parts: number): Affine {
  const outer = flatten(s.out.shape.map((a) => at.get(a.name)!), s.out.shape.map((a) => a.size));
  return add(scale(outer, parts), part);
}

/** One partial result per element of the result and invocation along the reduced axes. */
function reduceOwn(w: KernelWriter, s: Reduce, scope: Scope, parts: number): void {
  const scratch = w.plan.shared(`scratch ${s.out.id}`);
  const value = w.tile(s.value);
  const d = w.plan.distribution(value.shape);
  const threads = w.threads(d, scope);
  const reduced = d.axes.map((a) => s.over.includes(a.name));
  const part = flatten(threads.filter((_, i) => reduced[i]), d.axes.filter((_, i) => reduced[i]).map((a) => a.threads));
  const unroll = w.unrolls(value.shape) && w.plan.readsRegisters([s.value]);
  w.writes(scratch.name);
  w.eachRepetition(d, reduced.map((r) => (r ? constant(0) : undefined)), scope, unroll, (outer, inner) => {
    const sum = inner.fresh('p');
    inner.line(`var ${sum} = ${literal(identities[s.fn](s.out.dtype), s.out.dtype)};`);
    w.eachRepetition(d, outer.map((r, i) => (reduced[i] ? undefined : r)), inner, unroll, (repetitions, innermost) => {
      const e = w.ownElement(d, repetitions, threads, innermost);
      if (e.guards === false) return;
      const text = castText(w.evaluator.value(s.value, e.at, e.own, innermost).text, value.dtype, s.out.dtype);
      w.guarded(e.guards, innermost, `${sum} = ${combined(s.fn, sum, text)};`);
    });
    const { at } = w.ownElement(d, outer, threads, inner);
    const guards = s.out.shape.reduce((all, a) => both(all, lessThan(at.get(a.name)!, constant(a.size))), w.active(d));
    w.guarded(guards, inner, `${w.vectors.place(scratch.name, partIndex(s, at, part, parts), inner)} = ${sum};`);
  });
}

/** The first ceil(left / fan) of `left` partial results take in the others. */
function foldParts(w: KernelWriter, s: Reduce, left: number, parts: number): void {
  const scratch = w.plan.shared(`scratch ${s.out.id}`);
  const kept = Math.ceil(left / fan);
  const shape = [...s.out.shape, { name: partAxis, size: kept }];
  const d = distribute(shape, w.plan.invocations, w.plan.tuning.run);
  w.root('', (scope) => {
    w.reads(scratch.name);
    w.writes(scratch.name);
    const threads = w.threads(d, scope);
    w.eachRepetition(d, d.axes.map(() => undefined), scope, false, (repetitions, inner) => {
      const e = w.ownElement(d, repetitions, threads, inner);
      const first = e.at.get(partAxis)!;
      const place = (p: Affine): string => w.vectors.place(scratch.name, partIndex(s, e.at, p, parts), inner);
      let text = place(first);
      for (let p = kept; p < left; p += kept) {
        const at = offset(first, p);
        const whole = lessThan(at, constant(left));
        if (whole === false) continue;
        const term = place(at);
        text = combined(s.fn, text, whole.length === 0 ? term : `select(${literal(identities[s.fn](s.out.dtype), s.out.dtype)}, ${term}, ${conjunction(whole).text})`);
      }
      w.guarded(e.guards, inner, `${place(first)} = ${text};`);
    });
  });
}
