/**
 * Writes running sums. The axis is cut into stretches: every invocation sums one, then goes over it again from the sum
 * of the stretches before it.
 */
import { add, affineText, constant, divide, flatten, ofAtom, offset, scale, type Affine } from './affine.js';
import { both, conjunction, lessThan } from './conditions.js';
import type { OpStatement } from './definitions.js';
import { describe } from './describe.js';
import type { Coordinates } from './evaluate.js';
import { castText, literal, wgslType } from './functions.js';
import type { KernelWriter } from './kernel-writer.js';
import type { Scope } from './scope.js';

type Cumulate = OpStatement<'cumulate'>;

/** A stretch of the axis at one place of the other axes. */
interface Stretch {
  readonly at: Coordinates;
  readonly part: Affine;
  readonly total: string;
  readonly scope: Scope;
  /** Where a stretch's sum lies; the names in its index are made in `scope`, which knows `part`. */
  readonly scratch: (part: Affine, scope: Scope) => string;
}

export function writeCumulate(w: KernelWriter, s: Cumulate): void {
  const kept = w.declare(s.out.id);
  const { parts } = w.plan.cumulate(s);
  const scratch = w.plan.shared(`scratch ${s.out.id}`);
  if (parts > 1) {
    w.root(describe(s), (scope) => eachStretch(w, s, scope, (stretch) => {
      w.writes(scratch.name);
      walk(w, s, stretch, () => undefined);
      stretch.scope.line(`${stretch.scratch(stretch.part, stretch.scope)} = ${stretch.total};`);
    }));
  }
  w.root(parts > 1 ? '' : describe(s), (scope) => eachStretch(w, s, scope, (stretch) => {
    if (parts > 1) {
      w.reads(scratch.name);
      const before = stretch.scope.nested();
      const p = { text: stretch.scope.fresh('p'), min: 0, max: parts - 1, level: before.level };
      before.line(`${stretch.total} += ${stretch.scratch(ofAtom(p), before)};`);
      stretch.scope.block(`for (var ${p.text} = 0; ${p.text} < ${affineText(stretch.part)}; ${p.text}++)`, before);
    }
    walk(w, s, stretch, (at, scope) => {
      w.keep(kept, s.out.shape, { at, scope, guards: [], own: { key: '', slot: 0, level: scope.level } }, { text: stretch.total, level: scope.level });
    });
  }));
}

function eachStretch(w: KernelWriter, s: Cumulate, scope: Scope, write: (stretch: Stretch) => void): void {
  const { outer: d, parts } = w.plan.cumulate(s);
  const scratch = w.plan.shared(`scratch ${s.out.id}`);
  const threads = w.threads(d, scope);
  const part = divide(w.plan.lid, d.threads, scope.bind);
  w.eachRepetition(d, d.axes.map(() => undefined), scope, false, (repetitions, around) => {
    const at = new Map(d.axes.map((a, i) => [a.name, add(scale(repetitions[i], a.threads), threads[i])]));
    const guards = d.axes.reduce((all, a) => both(all, lessThan(at.get(a.name)!, constant(a.size))), lessThan(part, constant(parts)));
    if (guards === false) return;
    const inner = around.nested();
    const total = inner.fresh('p');
    inner.line(`var ${total}: ${wgslType(s.out.dtype)} = ${literal(0, s.out.dtype)};`);
    const element = flatten(d.axes.map((a) => at.get(a.name)!), d.axes.map((a) => a.size));
    write({ at, part, total, scope: inner, scratch: (p, user) => w.vectors.place(scratch.name, add(scale(element, parts), p), user) });
    around.block(guards.length === 0 ? '' : `if (${conjunction(guards).text})`, inner);
  });
}

/** Adds up the stretch, calling `write` after each element. */
function walk(w: KernelWriter, s: Cumulate, stretch: Stretch, write: (at: Coordinates, scope: Scope) => void): void {
  const { length } = w.plan.cumulate(s);
  const { size } = s.out.shape.find((a) => a.name === s.axis)!;
  w.repeat(stretch.scope, length, (step, inner) => {
    const position = add(scale(stretch.part, length), step);
    const at = new Map([...stretch.at, [s.axis, s.reverse ? offset(scale(position, -1), size - 1) : position]]);
    const inside = lessThan(position, constant(size));
    if (inside === false) return;
    const body = inner.nested();
    const value = w.evaluator.value(s.value, at, undefined, body);
    body.line(`${stretch.total} += ${castText(value.text, w.tile(s.value).dtype, s.out.dtype)};`);
    write(at, body);
    inner.block(inside.length === 0 ? '' : `if (${conjunction(inside).text})`, body);
  });
}
