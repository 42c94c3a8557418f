/**
 * Writes dots. The invocations divide the elements of the result; if there are fewer elements than invocations, `parts`
 * invocations sum side by side and their sums are added in order. Inside, `width` neighbours of the summed axis are
 * handled together, so that packed words are read once and an int4 scale is multiplied once.
 */
import { unionAxes } from '../../compiler/kernels/build-shapes.js';
import type { Tile, TileId } from '../../compiler/ir/kernel.js';
import { add, affineText, constant, divide, flatten, modulo, ofAtom, offset, scale, unflatten, type Affine } from './affine.js';
import { both, lessThan, type Conditions } from './conditions.js';
import type { OpStatement } from './definitions.js';
import { describe } from './describe.js';
import { registerName, type Coordinates, type Factored, type Source } from './evaluate.js';
import type { DotPlan } from './kernel-plan.js';
import type { KernelWriter, OwnElement } from './kernel-writer.js';
import { nameOf, type Scope, type Value } from './scope.js';
import { addShuffled, type Summed } from './write-shuffled-dot.js';

type Dot = OpStatement<'dot'>;
type Carry = OpStatement<'for'>['carries'][number];
type Registers = Extract<Source, { kind: 'register' }>;

export function writeDot(w: KernelWriter, s: Dot): void {
  const plan = w.plan.dot(s);
  const sums = w.plan.accumulates(s) ? w.source(s.acc!) as Registers : w.register(`sum${s.out.id}`, s.out, plan.distribution);
  w.root(describe(s), (scope) => sumUp(w, s, plan, scope, sums));
  if (w.plan.accumulates(s)) w.define(s.out.id, sums);
  else finish(w, s.out, s.acc, plan, sums);
}

/** The loop's dot adds straight to these sums. */
export function startAccumulator(w: KernelWriter, s: Dot, c: Carry): void {
  w.define(c.inside.id, w.register(`sum${c.out.id}`, c.inside, w.plan.dot(s).distribution));
}

export function finishAccumulator(w: KernelWriter, s: Dot, c: Carry): void {
  finish(w, c.out, c.initial, w.plan.dot(s), w.source(c.inside.id) as Registers);
}

/** sums[slot] += this part's share of the products, for every slot. */
function sumUp(w: KernelWriter, s: Dot, plan: DotPlan, scope: Scope, sums: Registers): void {
  if (!sums.unrolled) return sumBlocks(w, s, plan, scope, sums);
  const elements: Summed[] = [];
  eachSum(w, plan, scope, true, (e) => elements.push({ at: e.at, sum: registerName(sums, e.own.slot) }));
  eachChunk(w, s, plan, scope, (k, inner) => addStretch(w, s, plan, elements, k, inner));
}

function sumBlocks(w: KernelWriter, s: Dot, plan: DotPlan, scope: Scope, sums: Registers): void {
  const { distribution: d, sizes } = plan;
  const threads = outerThreads(w, plan, scope);
  const blocks = { ...d, axes: d.axes.map((a, i) => ({ ...a, repetitions: a.repetitions / sizes[i] })) };
  w.eachRepetition(blocks, d.axes.map(() => undefined), scope, false, (first, inner) => {
    const elements = places(sizes).map((place) => {
      const e = w.ownElement(d, first.map((r, i) => offset(scale(r, sizes[i]), place[i])), threads, inner);
      return { at: e.at, kept: registerName(sums, e.own.slot), sum: inner.fresh('p') };
    });
    for (const e of elements) inner.line(`var ${e.sum} = 0.0f;`);
    eachChunk(w, s, plan, inner, (k, innermost) => addStretch(w, s, plan, elements, k, innermost));
    for (const e of elements) inner.line(`${e.kept} += ${e.sum};`);
  });
}

/** All places in a box. The innermost axis changes last: what is unpacked along it is used up before the next is. */
function places(sizes: readonly number[]): number[][] {
  return sizes.reduceRight<number[][]>((list, size) => list.flatMap((p) => Array.from({ length: size }, (_, i) => [i, ...p])), [[]]);
}

function outerThreads(w: KernelWriter, plan: DotPlan, scope: Scope): Affine[] {
  return w.threads(plan.distribution, scope, plan.partsInnermost ? divide(w.plan.lid, plan.parts, scope.bind) : w.plan.lid);
}

/** The elements that this invocation sums (a part of), and the guards that make sure that it is alone in that. */
function eachSum(w: KernelWriter, plan: DotPlan, scope: Scope, unroll: boolean, write: (e: OwnElement) => void): void {
  const { distribution: d, parts } = plan;
  const threads = outerThreads(w, plan, scope);
  const all = d.threads * parts;
  const active: Conditions = all < w.plan.invocations ? [{ text: `lid < ${all}`, level: 0 }] : [];
  w.eachRepetition(d, d.axes.map(() => undefined), scope, unroll, (repetitions, inner) => {
    const e = w.ownElement(d, repetitions, threads, inner);
    const guards = d.axes.reduce<Conditions>((g, a) => both(g, lessThan(e.at.get(a.name)!, constant(a.size))), active);
    if (guards !== false) write({ ...e, guards });
  });
}

/** Which of the invocations that share an element this is. */
function partOf(w: KernelWriter, plan: DotPlan, scope: Scope): Affine {
  if (plan.parts === 1) return constant(0);
  return plan.partsInnermost ? modulo(w.plan.lid, plan.parts, scope.bind) : divide(w.plan.lid, plan.distribution.threads, scope.bind);
}

/** Calls `write` with the coordinates of `width` neighbours, inside loops over this part's chunks and what is in them. */
function eachChunk(w: KernelWriter, s: Dot, plan: DotPlan, scope: Scope, write: (k: readonly Coordinates[], inner: Scope) => void): void {
  const over = unionAxes(w.tile(s.a).shape, w.tile(s.b).shape).filter((x) => s.over.includes(x.name));
  const last = over.length - 1;
  const stretch = (chunk: Affine, inGroup: Affine, inner: Scope): Coordinates[] => {
    const at = unflatten(chunk, over.map((x, i) => (i === last ? x.size / (plan.width * plan.group) : x.size)), inner.bind);
    const first = over.length === 0 ? [] : [...at.slice(0, last), add(scale(at[last], plan.width * plan.group), scale(inGroup, plan.width))];
    return Array.from({ length: plan.width }, (_, u) => new Map(over.map((x, i) => [x.name, i === last ? offset(first[i], u) : first[i]])));
  };
  const inChunk = (chunk: Affine, inner: Scope): void => {
    if (plan.group === 1) return write(stretch(chunk, constant(0), inner), inner);
    w.repeat(inner, plan.group, (at, innermost) => write(stretch(chunk, at, innermost), innermost));
  };
  const part = partOf(w, plan, scope);
  if (plan.chunks === 1 && plan.parts === 1) return inChunk(constant(0), scope);
  const name = scope.fresh('k');
  const inner = scope.nested();
  inChunk(ofAtom({ text: name, min: 0, max: plan.chunks - 1, level: inner.level }), inner);
  scope.block(`for (var ${name} = ${affineText(part)}; ${name} < ${w.bound(plan.chunks)}; ${name} += ${plan.parts})`, inner);
}

function addStretch(w: KernelWriter, s: Dot, plan: DotPlan, elements: readonly Summed[], k: readonly Coordinates[], scope: Scope): void {
  if (plan.shuffled === undefined) addProducts(w, s, elements, k, scope);
  else addShuffled(w, s, plan.shuffled, elements, k, scope);
}

function addProducts(w: KernelWriter, s: Dot, elements: readonly Summed[], k: readonly Coordinates[], scope: Scope): void {
  for (const e of elements) {
    const terms = k.map((along) => {
      const at = new Map([...e.at, ...along]);
      return { a: w.evaluator.factored(s.a, at, undefined, scope), b: w.evaluator.factored(s.b, at, undefined, scope) };
    });
    const scale = common(terms, 'scale');
    const guard = common(terms, 'guard');
    // What several elements have in common has one name.
    const operand = (f: Factored): string => {
      const rest = w.evaluator.whole({ value: f.value, ...(scale || !f.scale ? {} : { scale: f.scale }), ...(guard || !f.guard ? {} : { guard: f.guard }) }, scope);
      return elements.length === 1 ? rest.text : nameOf(scope, rest, 'x');
    };
    const sum = terms.map(({ a, b }) => `${operand(a)} * ${operand(b)}`).join(' + ');
    const scaled = scale === undefined ? sum : `(${sum}) * ${scale.text}`;
    scope.line(`${e.sum} += ${guard === undefined ? scaled : `select(0.0f, ${scaled}, ${guard.text})`};`);
  }
}

/** The one scale or guard that all terms have, if only one operand has one. */
function common(terms: readonly { readonly a: Factored; readonly b: Factored }[], what: 'scale' | 'guard'): Value | undefined {
  const found = terms.map(({ a, b }) => (a[what] && b[what] ? undefined : a[what] ?? b[what]));
  const first = found[0];
  return first !== undefined && found.every((x) => x?.text === first.text) ? first : undefined;
}

/** Puts acc + the sum of all parts where the result is kept. */
function finish(w: KernelWriter, out: Tile, acc: TileId | undefined, plan: DotPlan, sums: Registers): void {
  const kept = w.declare(out.id);
  const total = (e: OwnElement, sum: string): Value => {
    const start = acc === undefined ? undefined : w.evaluator.value(acc, e.at, e.own, e.scope);
    return { text: start === undefined || start.text === '0.0f' ? sum : `${start.text} + ${sum}`, level: e.scope.level };
  };
  if (plan.parts === 1) {
    w.root('', (scope) => w.eachOwn(out.shape, scope, sums.unrolled, (e) => w.keep(kept, out.shape, e, total(e, registerName(sums, e.own.slot)))));
    return;
  }
  const scratch = w.plan.shared(`scratch ${out.id}`);
  const place = (at: Coordinates, part: Affine, scope: Scope): string =>
    w.vectors.place(scratch.name, add(scale(flatten(out.shape.map((a) => at.get(a.name)!), out.shape.map((a) => a.size)), plan.parts), part), scope);
  w.root('', (scope) => {
    const part = partOf(w, plan, scope);
    w.writes(scratch.name);
    eachSum(w, plan, scope, sums.unrolled, (e) => w.guarded(e.guards, e.scope, `${place(e.at, part, e.scope)} = ${registerName(sums, e.own.slot)};`));
  });
  w.root('', (scope) => {
    w.reads(scratch.name);
    w.eachOwn(out.shape, scope, true, (e) => {
      const sum = Array.from({ length: plan.parts }, (_, p) => place(e.at, constant(p), e.scope)).join(' + ');
      w.keep(kept, out.shape, e, total(e, plan.parts > 1 ? `(${sum})` : sum));
    });
  });
}

