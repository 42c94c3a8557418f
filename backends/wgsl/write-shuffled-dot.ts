/**
 * Products of a dot where all invocations of a subgroup need the same elements of one operand: each reads some
 * neighbours, and shuffles hand them around, which is far cheaper than a read by every invocation.
 */
import type { TileId } from '../../compiler/ir/kernel.js';
import { add, affineText, constant, offset, ofAtom, scale, type Affine } from './affine.js';
import type { OpStatement } from './definitions.js';
import type { Coordinates, Factored } from './evaluate.js';
import type { KernelWriter } from './kernel-writer.js';
import { nameOf, type Scope, type Value } from './scope.js';

/** An element of the result and the variable that it is summed in. */
export interface Summed { readonly at: Coordinates; readonly sum: string }

/** Neighbours whose products are written out; a longer stretch is a loop over them, as code is dear to compile. */
const written = 8;

/** Adds the products at the places `k`, neighbours along the last summed axis, to every element. */
export function addShuffled(w: KernelWriter, s: OpStatement<'dot'>, shuffled: 'a' | 'b', elements: readonly Summed[], k: readonly Coordinates[], scope: Scope): void {
  const [shared, own] = shuffled === 'a' ? [s.a, s.b] : [s.b, s.a];
  const part = remembered(w, shared, (at) => readPart(w, shared, at, k, scope));
  const sums = elements.map(({ at, sum }) => ({ at, sum, part: part(at), name: scope.fresh('q') }));
  for (const { name } of sums) scope.line(`var ${name} = 0.0f;`);
  let factors: readonly Around[] = [];
  const turn = (number: Affine, inner: Scope): void => {
    const single = remembered(w, own, (at) => Array.from({ length: written }, (_, u) => w.evaluator.factored(own, new Map([...at, ...place(k[0], offset(scale(number, written), u))]), undefined, inner)));
    factors = sums.map((e) => common(single(e.at), scope));
    for (let u = 0; u < written; u++) sums.forEach((e, i) => {
      const { value, scale: factor, guard } = single(e.at)[u];
      // What is the same for the whole stretch is applied to its sum.
      const kept = { value, ...(factor && !factors[i].scale ? { scale: factor } : {}), ...(guard && !factors[i].guard ? { guard } : {}) };
      inner.line(`${e.name} += ${e.part.element(number, u, inner)} * ${nameOf(inner, w.evaluator.whole(kept, inner), 'x')};`);
    });
  };
  if (k.length === written) turn(constant(0), scope);
  else w.repeat(scope, k.length / written, turn);
  sums.forEach(({ sum, part: { guard }, name }, i) => {
    const { scale: factor, guard: other } = factors[i];
    const guards = [guard, other].flatMap((g) => (g === undefined ? [] : [g.text]));
    const total = factor === undefined ? name : `${name} * ${factor.text}`;
    scope.line(`${sum} += ${guards.length === 0 ? total : `select(0.0f, ${total}, ${guards.join(' && ')})`};`);
  });
}

type Around = Pick<Factored, 'scale' | 'guard'>;

/** The scale and guard that all have and that are known in `scope`. */
function common(factors: readonly Factored[], scope: Scope): Around {
  const { scale: factor, guard } = factors[0];
  const shared = (x: Value | undefined, of: (f: Factored) => Value | undefined): x is Value => x !== undefined && x.level <= scope.level && factors.every((f) => of(f)?.text === x.text);
  return { ...(shared(factor, (f) => f.scale) ? { scale: factor } : {}), ...(shared(guard, (f) => f.guard) ? { guard } : {}) };
}

/** `steps` further along the last axis. */
function place(first: Coordinates, steps: Affine): Coordinates {
  const last = [...first.keys()].at(-1);
  return new Map([...first].map(([name, at]) => [name, name === last ? add(at, steps) : at]));
}

interface Part {
  /** Element `written` * turn + u of the stretch. */
  readonly element: (turn: Affine, u: number, inner: Scope) => string;
  readonly guard?: Value;
}

/** Reads the neighbours of an operand that are this invocation's; a guard that is the same for all stays apart. */
function readPart(w: KernelWriter, id: TileId, at: Coordinates, k: readonly Coordinates[], scope: Scope): Part {
  const { subgroup } = w.plan.tuning;
  const each = k.length / subgroup;
  // Nothing that depends on the lane leaves this block, so that what does leave it is the same for all.
  const lane = ofAtom({ text: 'lane', min: 0, max: subgroup - 1, level: scope.level });
  const factors = Array.from({ length: each }, (_, c) => w.evaluator.factored(id, new Map([...at, ...place(k[0], offset(scale(lane, each), c))]), undefined, scope));
  const { guard } = factors[0];
  const apart = guard !== undefined && guard.level < scope.level && factors.every((f) => f.guard?.text === guard.text);
  const values = factors.map((f) => nameOf(scope, w.evaluator.whole({ value: f.value, ...(f.scale ? { scale: f.scale } : {}), ...(f.guard && !apart ? { guard: f.guard } : {}) }, scope), 'x'));
  return {
    element: (turn, u, inner) => {
      const from = offset(scale(turn, written / each), Math.floor(u / each));
      return inner.name({ text: `subgroupShuffle(${values[u % each]}, u32(${affineText(from)}))`, level: inner.level }, 'x');
    },
    ...(apart ? { guard } : {}),
  };
}

/** `make` once per place of the tile's own axes. */
function remembered<T>(w: KernelWriter, id: TileId, make: (at: Coordinates) => T): (at: Coordinates) => T {
  const known = new Map<string, T>();
  const axes = w.tile(id).shape.map((a) => a.name);
  return (at) => {
    const own = axes.filter((name) => at.has(name));
    const key = own.map((name) => affineText(at.get(name)!)).join();
    const value = known.get(key) ?? make(new Map(own.map((name) => [name, at.get(name)!])));
    known.set(key, value);
    return value;
  };
}
