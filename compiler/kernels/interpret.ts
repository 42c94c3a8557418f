/**
 * Runs tile programs in plain TypeScript: what a program means, and the kernels of the `reference` device. A program is
 * turned into closures over typed arrays once; a launch binds bytes to views and walks the grid in order.
 *
 * Rounding: every tile value is rounded to its dtype when it is written; sums inside one `dot`, `reduce` or `cumulate`
 * are kept in f64. Integers wrap. NaN and infinities follow IEEE.
 */
import type { Program, Statement } from '../ir/kernel.js';
import { compileLoad, compileStore } from './interpret-access.js';
import { compileConcat, compileCumulate, compileFull, compileIota, compileMerge, compileReduce, compileRename, compileSlice, copyAligned } from './interpret-axes.js';
import { compileDot } from './interpret-dot.js';
import { bindView, compileScalar, createMachine, defineTile, newRegister, sizeOf, slotOf, tileOf, type Action, type Machine } from './interpret-machine.js';
import { compileMap } from './interpret-map.js';
import { evaluateScalar } from './scalar.js';

export interface InterpretOptions {
  /** Throws if two programs of the launch store to one element, or one reads what another has stored. */
  readonly checked?: boolean;
}

type Dims = Readonly<Record<string, number>>;
interface Prepared { readonly machine: Machine; readonly run: Action }
const prepared = new WeakMap<Program, Prepared>();

/**
 * One launch of `program`. `buffers` holds, by view name, the bytes that start where the view starts; written views are
 * changed in place. Throws if a view lacks bytes, a dim has no value, or (checked) programs collide.
 */
export function interpretProgram(program: Program, dims: Dims, buffers: Readonly<Record<string, Uint8Array>>, options: InterpretOptions = {}): void {
  let ready = prepared.get(program);
  if (!ready) prepared.set(program, (ready = prepare(program)));
  const { machine, run } = ready;
  for (const [name, bound] of machine.views) {
    const bytes = buffers[name];
    if (!bytes) throw new Error(`interpreting '${program.name}': no bytes for view '${name}'`);
    bindView(bound, dims, bytes, options.checked ?? false);
  }
  for (const [key, slot] of machine.slots) {
    if (!key.startsWith('dim ')) continue;
    machine.values[slot] = evaluateScalar({ kind: 'dim', name: key.slice(4) }, { dims });
  }
  machine.current = 0;
  run();
}

function prepare(program: Program): Prepared {
  const machine = createMachine(program);
  const slots = program.grid.map((axis) => slotOf(machine, 'var', axis.name));
  const extents = program.grid.map((axis) => compileScalar(machine, axis.extent));
  const body = compileBody(machine, program.body);
  const walk = (axis: number): void => {
    if (axis === slots.length) { machine.current++; body(); return; }
    const extent = extents[axis]();
    for (let i = 0; i < extent; i++) { machine.values[slots[axis]] = i; walk(axis + 1); }
  };
  return { machine, run: () => walk(0) };
}

function compileBody(m: Machine, body: readonly Statement[]): Action {
  const actions = body.map((s) => compileStatement(m, s));
  return () => { for (let i = 0; i < actions.length; i++) actions[i](); };
}

function compileStatement(m: Machine, s: Statement): Action {
  switch (s.op) {
    case 'load': return compileLoad(m, s);
    case 'store': return compileStore(m, s);
    case 'map': return compileMap(m, s);
    case 'iota': return compileIota(m, s, compileScalar(m, s.start));
    case 'scalar': return compileIota(m, { op: 'iota', out: s.out, start: s.value }, compileScalar(m, s.value));
    case 'full': return compileFull(m, s);
    case 'dot': return compileDot(m, s);
    case 'reduce': return compileReduce(m, s);
    case 'cumulate': return compileCumulate(m, s);
    case 'rename': case 'split': return compileRename(m, s);
    case 'merge': return compileMerge(m, s);
    case 'slice': return compileSlice(m, s);
    case 'concat': return compileConcat(m, s);
    case 'let': {
      const value = compileScalar(m, s.value);
      const slot = slotOf(m, 'var', s.name);
      return () => { m.values[slot] = value(); };
    }
    case 'for': return compileLoop(m, s);
    case 'if': {
      const condition = compileScalar(m, s.condition);
      const body = compileBody(m, s.body);
      return () => { if (condition() !== 0) body(); };
    }
  }
}

function compileLoop(m: Machine, s: Extract<Statement, { op: 'for' }>): Action {
  const [lo, hi] = [compileScalar(m, s.lo), compileScalar(m, s.hi)];
  const slot = slotOf(m, 'var', s.variable);
  const start: Action[] = [];
  const end: Action[] = [];
  for (const { initial, inside, out } of s.carries) {
    const from = tileOf(m, initial);
    const carried = defineTile(m, inside);
    start.push(copyAligned(from.tile.shape, from.register, inside.shape, carried));
    end.push(copyAligned(inside.shape, carried, out.shape, defineTile(m, out)));
  }
  const body = compileBody(m, s.body);
  const advance = compileCarries(m, s);
  return () => {
    for (const copy of start) copy();
    const last = hi();
    for (let i = lo(); i < last; i += s.step) {
      m.values[slot] = i;
      body();
      advance();
    }
    for (const copy of end) copy();
  };
}

/** All next values are read before any carried one is replaced: a carry may become another carry's old value. */
function compileCarries(m: Machine, s: Extract<Statement, { op: 'for' }>): Action {
  const copies = s.carries.map(({ inside, next }) => {
    const from = tileOf(m, next);
    const between = newRegister(inside.dtype, sizeOf(inside));
    return { read: copyAligned(from.tile.shape, from.register, inside.shape, between), write: () => tileOf(m, inside.id).register.set(between) };
  });
  return () => {
    for (const c of copies) c.read();
    for (const c of copies) c.write();
  };
}
