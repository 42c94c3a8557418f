import { describe, expect, it } from 'vitest';
import { arg, call, num } from '../../compiler/ir/expr.js';
import { dim, int, variable, type Program, type Statement, type View } from '../../compiler/ir/kernel.js';
import { ProgramBuilder, range } from '../../compiler/kernels/build.js';
import { element, modulo, times, type ScalarLike } from '../../compiler/kernels/scalar.js';
import { verifyProgram } from '../../compiler/kernels/verify.js';
import { elementwise, everySample, groupedMatmul, matmul, rotary, scatterRows } from './samples.js';

type Edit = (s: Statement) => readonly Statement[];

/** The body with every statement (inner ones too) replaced by what `edit` makes of it. */
function edited(program: Program, edit: Edit): Program {
  const body = (list: readonly Statement[]): Statement[] => list.flatMap((s): readonly Statement[] => {
    return edit(s.op === 'for' || s.op === 'if' ? { ...s, body: body(s.body) } : s);
  });
  return { ...program, body: body(program.body) };
}

/** Changes the first statement with this op. */
function first<K extends Statement['op']>(op: K, change: (s: Extract<Statement, { op: K }>) => Statement): Edit {
  let done = false;
  return (s) => {
    if (done || s.op !== op) return [s];
    done = true;
    return [change(s as Extract<Statement, { op: K }>)];
  };
}

function withView(program: Program, name: string, change: Partial<View>): Program {
  return { ...program, views: program.views.map((v) => (v.name === name ? { ...v, ...change } : v)) };
}

const laws = (program: Program): string[] => [...new Set(verifyProgram(program).map((v) => v.law))];

const product = matmul({ tokens: 19, n: 75, k: 130 }).program;
const int4 = matmul({ tokens: 19, n: 75, k: 160, weight: 'int4' }).program;
const grouped = groupedMatmul({ tokens: 23, experts: 6, active: 3, n: 45, k: 70 }).program;
const map = elementwise({ tokens: 7, width: 45 }).program;

it('every sample keeps every law', () => {
  for (const s of everySample()) expect(verifyProgram(s.program)).toEqual([]);
});

describe('a changed program is rejected', () => {
  const cases: [string, string, Program][] = [
    ['a tile that nobody defines', 'scope', edited(product, first('dot', (s) => ({ ...s, a: 999 })))],
    ['a tile used before its definition', 'scope', { ...map, body: [...map.body.slice(-1), ...map.body.slice(0, -1)] }],
    ['a tile assigned twice', 'scope', { ...map, body: [map.body[0], ...map.body] }],
    ['a tile of a loop body used after the loop', 'scope', edited(product, (s) => (s.op === 'store' ? [{ ...s, value: insideOf(product) }] : [s]))],
    ['a variable out of scope', 'scope', edited(product, first('store', (s) => ({ ...s, at: [{ ...s.at[0], start: variable('k') } as never, s.at[1]] })))],
    ['an unknown view', 'scope', edited(product, first('load', (s) => ({ ...s, view: 'z' })))],
    ['a declared shape that is not the inferred one', 'types', edited(product, first('load', (s) => ({ ...s, out: { ...s.out, shape: [...s.out.shape].reverse() } })))],
    ['a declared dtype that is not the inferred one', 'types', edited(map, first('map', (s) => ({ ...s, out: { ...s.out, dtype: 'f32' } })))],
    ['a contraction over an axis that is not there', 'types', edited(product, first('dot', (s) => ({ ...s, over: ['tokens'] })))],
    ['axes that disagree in size', 'types', edited(map, first('load', (s) => resized(s, 8)))],
    ['too few indices', 'types', edited(map, first('load', (s) => ({ ...s, at: s.at.slice(1) })))],
    ['integers and floats mixed', 'types', edited(map, first('map', (s) => ({ ...s, expr: call('add', s.expr, num(1, 'i32')) })))],
    ['an operand that the expression lacks', 'types', edited(map, first('map', (s) => ({ ...s, expr: arg(3) })))],
    ['an infinite constant', 'types', edited(product, first('full', (s) => ({ ...s, value: -Infinity })))],
    ['a carry that changes its type', 'types', edited(product, (s) => (s.op === 'for' ? [{ ...s, carries: s.carries.map((c) => ({ ...c, inside: { ...c.inside, dtype: 'bf16' as const } })) }] : [s]))],
    ['a store to a view that is read', 'access', edited(product, first('store', (s) => ({ ...s, view: 'x', at: [...s.at] })))],
    ['a load from the view that is written', 'access', edited(map, first('load', (s) => ({ ...s, view: 'y' })))],
    ['a scalar from a view that the launch writes', 'access', withView(grouped, 'offsets', { access: 'readwrite' })],
    ['a scalar from floats', 'access', withView(grouped, 'offsets', { dtype: 'f32' })],
    ['an index tile of floats', 'types', withView(grouped, 'members', { dtype: 'f32' })],
    ['a packing that names other axes', 'views', withView(product, 'w', { packing: { kind: 'dense', order: ['k', 'n'] } })],
    ['a written view that is packed', 'views', withView(product, 'y', { packing: { kind: 'panel', order: ['tokens', 'n'], lanes: 'tokens', width: 8 } })],
    ['strides on a packed view', 'views', withView(product, 'w', { strides: [1, 2] })],
    ['a dynamic inner extent of a packed view', 'views', withView(product, 'w', { axes: [{ name: 'n', extent: int(75) }, { name: 'k', extent: dim('k') }] })],
    ['an extent that is not known before the launch', 'views', withView(product, 'x', { axes: [{ name: 'tokens', extent: variable('n') }, { name: 'k', extent: int(130) }] })],
    ['int4 groups that are not whole words', 'packing', withView(int4, 'w', { packing: { kind: 'int4', order: ['n', 'k'], lanes: 'n', width: 8, group: 12 } })],
    ['int4 loaded as integers', 'packing', withView(int4, 'w', { dtype: 'i32' })],
    ['two views of one name', 'names', { ...product, views: [...product.views, product.views[0]] }],
    ['two scalars of one name', 'names', edited(product, (s) => (s.op === 'for' ? [{ ...s, variable: 'n' }] : [s]))],
    ['a grid over a variable', 'grid', { ...product, grid: [{ name: 'tokens', extent: variable('n') }, product.grid[1]] }],
    ['a schedule that is not a number', 'schedule', { ...product, schedule: { threads: NaN } }],
    ['a slice outside its axis', 'types', edited(rotary({ tokens: 2, heads: 1, pairs: 4, layout: 'half' }).program, first('slice', (s) => ({ ...s, start: 2 })))],
    ['a mask that is not bool', 'types', edited(scatterRows({ tokens: 5, width: 8 }).program, first('store', (s) => ({ ...s, where: s.value })))],
  ];
  for (const [what, law, program] of cases) it(what, () => expect(laws(program)).toContain(law));
});

function insideOf(program: Program): number {
  for (const s of program.body) if (s.op === 'for') return s.carries[0].next;
  throw new Error('no loop');
}

function resized(s: Extract<Statement, { op: 'load' }>, size: number): Statement {
  const [head, ...rest] = s.at;
  return { ...s, at: [{ ...head, size } as typeof head, ...rest], out: { ...s.out, shape: s.out.shape.map((a, i) => (i === 0 ? { ...a, size } : a)) } };
}

describe('one writer per element', () => {
  const program = (at: (p: ProgramBuilder, g: ReturnType<ProgramBuilder['gridAxis']>, tile: number) => ReturnType<typeof range> | ScalarLike, condition?: ScalarLike): Program => {
    const p = new ProgramBuilder('writers');
    p.view('ids', 'i32', 'read', { x: dim('n') });
    const y = p.view('y', 'f32', 'write', { x: dim('n') });
    const g = p.gridAxis('g', dim('n'));
    const index = at(p, g, 16);
    const store = (): void => p.store(y, [index], p.full(0, typeof index === 'object' && index.kind === 'range' ? [{ name: 'x', size: index.size }] : []));
    if (condition === undefined) store();
    else p.if_(condition, store);
    return p.finish();
  };

  it('rejects a store that ignores a grid axis', () => {
    expect(laws(program(() => range('x', 0, 16)))).toEqual(['one writer']);
  });
  it('rejects steps smaller than what is stored', () => {
    expect(laws(program((_, g) => range('x', times(g, 15), 16)))).toEqual(['one writer']);
    expect(laws(program((p, g) => range('x', p.let_('start', times(g, 15)), 16)))).toEqual(['one writer']);
  });
  it('accepts steps as large as what is stored, and single places', () => {
    expect(laws(program((_, g) => range('x', times(g, 16), 16)))).toEqual([]);
    expect(laws(program((_, g) => g))).toEqual([]);
  });
  it('leaves places from memory, mixed radices and guarded stores to the checked interpreter', () => {
    expect(laws(program((_, g) => element('ids', g)))).toEqual([]);
    expect(laws(program((_, g) => modulo(g, 4)))).toEqual([]);
    expect(laws(program(() => 0, { kind: 'less', a: variable('g'), b: int(1) }))).toEqual([]);
  });
  it('allows reading back only what the same index stores', () => {
    const build = (shift: number): Program => {
      const p = new ProgramBuilder('update');
      const y = p.view('y', 'f32', 'readwrite', { x: dim('n') });
      const g = times(p.gridAxis('g', dim('n')), 16);
      const at = [range('x', g, 16)];
      const old = p.load(y, [range('x', { kind: 'add', a: g, b: int(shift) }, 16)]);
      p.store(y, shift === 0 ? [range('x', { kind: 'add', a: g, b: int(0) }, 16)] : at, p.add(old, 1));
      return p.finish();
    };
    expect(laws(build(0))).toEqual([]);
    expect(laws(build(16))).toEqual(['access']);
  });
});
