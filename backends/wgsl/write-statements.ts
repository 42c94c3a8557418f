/** Writes the statements of a tile program, in order. */
import type { Statement, Tile } from '../../compiler/ir/kernel.js';
import { affineText, add, constantOf, ofAtom, offset, rangeOf, scale, subtract, int32, divide } from './affine.js';
import type { OpStatement } from './definitions.js';
import { registerName, type Source } from './evaluate.js';
import type { KernelWriter, OwnElement } from './kernel-writer.js';
import { writeCumulate } from './write-cumulate.js';
import { writeReduce } from './write-reduce.js';
import { writeDot, finishAccumulator, startAccumulator } from './write-dot.js';
import { writeStore } from './write-store.js';
import { describe } from './describe.js';

export function writeBody(w: KernelWriter, body: readonly Statement[]): void {
  for (const s of body) writeStatement(w, s);
}

function writeStatement(w: KernelWriter, s: Statement): void {
  switch (s.op) {
    case 'let': return writeLet(w, s);
    case 'for': return writeFor(w, s);
    case 'if': return writeIf(w, s);
    case 'store': return writeStore(w, s);
    case 'load':
      w.define(s.out.id, { kind: 'load', access: w.view(s.view), at: w.indices(s.at), fill: s.fill });
      return keepResult(w, s);
    case 'scalar': return w.define(s.out.id, { kind: 'scalar', value: w.scalar(s.value) });
    case 'iota': return w.define(s.out.id, { kind: 'iota', start: w.scalar(s.start) });
    case 'dot': return unused(w, s) ? undefined : writeDot(w, s);
    case 'reduce': return unused(w, s) ? undefined : writeReduce(w, s);
    case 'cumulate': return unused(w, s) ? undefined : writeCumulate(w, s);
    default:
      w.define(s.out.id, { kind: 'computed', statement: s });
      return keepResult(w, s);
  }
}

const unused = (w: KernelWriter, s: Extract<Statement, { out: Tile }>): boolean => w.plan.placement(s.out.id) === 'inline';

function writeLet(w: KernelWriter, s: OpStatement<'let'>): void {
  const value = w.scalar(s.value);
  if (constantOf(value) !== undefined || value.terms.length === 1) return void w.variables.set(s.name, value);
  const { min, max } = rangeOf(value);
  const level = value.terms.reduce((l, t) => Math.max(l, t.atom.level), 0);
  w.variables.set(s.name, ofAtom(w.scope.bind(affineText(value), Math.max(min, int32.min), Math.min(max, int32.max), level)));
}

/** Computes a load or map where it stands, if it is to be kept. */
function keepResult(w: KernelWriter, s: Extract<Statement, { out: Tile }>): void {
  const placement = w.plan.placement(s.out.id);
  if (placement === 'inline') return;
  const inline = w.source(s.out.id);
  const kept = w.declare(s.out.id);
  const unroll = w.unrolls(s.out.shape) && (placement === 'register' || w.plan.readsRegisters([s.out.id, ...operands(s)]));
  w.root(describe(s), (scope) => {
    w.define(s.out.id, inline);
    w.eachOwn(s.out.shape, scope, unroll, (e) => w.keep(kept, s.out.shape, e, w.evaluator.value(s.out.id, e.at, e.own, e.scope)));
  });
  w.define(s.out.id, kept);
}

function operands(s: Statement): readonly number[] {
  if (s.op === 'map') return s.args;
  return s.op === 'load' ? s.at.flatMap((i) => (i.kind === 'tile' ? [i.tile] : [])) : [];
}

function writeIf(w: KernelWriter, s: OpStatement<'if'>): void {
  const condition = w.scalar(s.condition);
  const known = constantOf(condition);
  if (known === 0) return;
  if (known !== undefined) return writeBody(w, s.body);
  const { min, max } = rangeOf(condition);
  const before = w.pending;
  const text = affineText(condition);
  nested(w, min === 0 && max === 1 ? `if (${text} == 1)` : `if (${text} != 0)`, () => writeBody(w, s.body));
  w.alsoPending(before);
}

/** Writes into a new uniform block. */
function nested(w: KernelWriter, header: string, write: () => void): void {
  const outer = w.scope;
  w.scope = outer.nested();
  write();
  outer.block(header, w.scope);
  w.scope = outer;
}

function writeFor(w: KernelWriter, s: OpStatement<'for'>): void {
  s.carries.forEach((c, i) => {
    const dot = w.plan.accumulator(s, i);
    if (dot) startAccumulator(w, dot, c);
    else startCarry(w, c);
  });
  const lo = w.scalar(s.lo);
  const span = subtract(w.scalar(s.hi), lo);
  const trips = divide(offset(span, s.step - 1), s.step, w.scope.bind);
  const known = constantOf(trips);
  const name = w.scope.fresh('n');
  const before = w.pending;
  nested(w, `for (var ${name} = 0; ${name} < ${known === undefined ? affineText(trips) : w.bound(known)}; ${name}++)`, () => {
    const turn = ofAtom({ text: name, min: 0, max: Math.max(0, rangeOf(trips).max - 1), level: w.scope.level });
    w.variables.set(s.variable, constantOf(trips) === 1 ? lo : add(lo, scale(turn, s.step)));
    writeBody(w, s.body);
    writeNext(w, s);
    w.barrier();
  });
  w.alsoPending(before);
  s.carries.forEach((c, i) => {
    const dot = w.plan.accumulator(s, i);
    if (dot) finishAccumulator(w, dot, c);
  });
}

type Carry = OpStatement<'for'>['carries'][number];

function startCarry(w: KernelWriter, c: Carry): void {
  const kept = w.declare(c.out.id);
  w.define(c.inside.id, kept);
  const shape = c.inside.shape;
  const unroll = w.unrolls(shape) && (kept.kind === 'register' || w.plan.readsRegisters([c.initial]));
  w.root(`t${c.inside.id} starts as t${c.initial}`, (scope) => {
    w.eachOwn(shape, scope, unroll, (e) => w.keep(kept, shape, e, w.evaluator.value(c.initial, e.at, e.own, e.scope)));
  });
}

/** All next values are computed before any carried tile changes, unless nothing else reads the tile that does. */
function writeNext(w: KernelWriter, s: OpStatement<'for'>): void {
  const changing = s.carries.filter((c, i) => !w.plan.accumulator(s, i) && c.next !== c.inside.id);
  const waiting: { readonly c: Carry; readonly temporary: Extract<Source, { kind: 'register' }> }[] = [];
  for (const c of changing) {
    const kept = w.source(c.inside.id);
    const read = changing.some((other) => other !== c && w.plan.reached(other.next).has(c.inside.id));
    const temporary = kept.kind === 'register' && !read ? undefined : w.register(`next${c.inside.id}`, c.inside);
    if (temporary) waiting.push({ c, temporary });
    const target = temporary ?? kept;
    eachCarried(w, c, `next t${c.inside.id} is t${c.next}`, (e) => w.keep(target, c.inside.shape, e, w.evaluator.value(c.next, e.at, e.own, e.scope)));
  }
  for (const { c, temporary } of waiting) {
    eachCarried(w, c, '', (e) => w.keep(w.source(c.inside.id), c.inside.shape, e, { text: registerName(temporary, e.own.slot), level: e.scope.level }));
  }
}

function eachCarried(w: KernelWriter, c: Carry, comment: string, write: (e: OwnElement) => void): void {
  w.root(comment, (scope) => w.eachOwn(c.inside.shape, scope, w.unrolls(c.inside.shape), write));
}
