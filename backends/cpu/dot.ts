/** Dots: operands become pointers, loops go over what is not blocked, microkernels do the rest. Sums are kept in `out`. */
import { variableAt } from './coordinate.js';
import { emitInner } from './dot-inner.js';
import { groupsText, guarded, inStretches, mostDirectRows, overAxes, rowBlocks, sizeOfAxis, smaller, use, type Extent } from './dot-blocks.js';
import type { DotForm, DotStatement } from './dot-form.js';
import { makeOperand, type Operand } from './dot-operand.js';
import { literal } from './expression.js';
import type { KernelContext, Slot } from './kernel-context.js';
import { int4Kernel, int4Unpacker, outerKernel, scaledKernel, scaledUnpacker, widener } from './microkernels.js';
import { emitNest } from './nest.js';
import { only } from './point.js';
import { copy, declare, elementOf, fill } from './statements.js';

export function emitDot(k: KernelContext, s: DotStatement): void {
  const form = k.decisions.forms.get(s);
  if (!form) throw new Error('cpu emitter: dot without a form');
  declare(k, s.out.id);
  const out = k.slot(s.out.id);
  if (s.acc === undefined) fill(k, s.out, out, [], () => ({ text: literal(0, 'f32'), dtype: 'f32' }));
  else if (k.placement(s.acc) === 'inline' || k.slot(s.acc) !== out) copy(k, s.acc, s.out);
  if (form.kind === 'sum') return emitSum(k, s, out);
  if (form.kind === 'outer' && out.strides.get(form.lanes!) === 1) return k.block('', () => emitOuter(k, s, form, out));
  if (form.kind === 'outer') return k.block('', () => emitRearranged(k, s, form, out));
  k.block('', () => emitInner(k, s, form, out));
}

function emitSum(k: KernelContext, s: DotStatement, out: Slot): void {
  const over = k.tile(s.a).shape.filter((a) => s.over.includes(a.name));
  emitNest(k, {
    axes: [...over, ...s.out.shape], roots: [s.a, s.b], simd: 'serial',
    body: (point, at) => k.line(`${elementOf(out, at)} += ${point.value(s.a, only(k, s.a, at)).text} * ${point.value(s.b, only(k, s.b, at)).text};`),
  });
}

/** The result's memory has another axis innermost: sums are kept in an array that suits, then moved. */
function emitRearranged(k: KernelContext, s: DotStatement, form: DotForm, out: Slot): void {
  const order = [...s.out.shape].sort((a, b) => rank(form, a.name) - rank(form, b.name));
  let step = 1;
  const strides = new Map<string, number>();
  for (const a of [...order].reverse()) { strides.set(a.name, step); step *= a.name === form.lanes ? Math.ceil(a.size / 8) * 8 : a.size; }
  const own: Slot = { name: k.fresh('sums'), dtype: 'f32', strides, elements: step };
  k.line(`alignas(64) float ${own.name}[${own.elements}];`);
  fill(k, s.out, own, [], (_, at) => ({ text: elementOf(out, at), dtype: 'f32' }));
  emitOuter(k, s, form, own);
  fill(k, s.out, out, [], (_, at) => ({ text: elementOf(own, at), dtype: 'f32' }));
}

function rank(form: DotForm, axis: string): number {
  return axis === form.lanes ? 2 : axis === form.rows ? 1 : 0;
}

interface Outer {
  readonly a: Operand; readonly b: Operand;
  readonly rows: Extent; readonly lanes: Extent; readonly along: Extent;
  readonly am: number; readonly ak: number; readonly bk: number; readonly bp: number; readonly cm: number;
}

function emitOuter(k: KernelContext, s: DotStatement, form: DotForm, out: Slot): void {
  const { rows, along } = form;
  const lanes = form.lanes!;
  const b = makeOperand(k, form.vector, [along, lanes], lanes, { f32: false, padded: true, clipped: [lanes, along], along });
  // Whole groups of codes are summed: beyond the end of the axis there must be zeros.
  const a = makeOperand(k, form.scalar, [rows, along], undefined, { f32: true, padded: false, clipped: b.group > 0 ? [rows] : [rows, along], along });
  const o: Outer = {
    a, b,
    rows: { ...smaller(k, sizeOfAxis(k, s, rows), [rows === undefined ? undefined : a.count(rows)]), zeros: a.zeros },
    lanes: smaller(k, sizeOfAxis(k, s, lanes), [b.count(lanes)]),
    along: smaller(k, sizeOfAxis(k, s, along), [a.count(along), b.count(along)]),
    am: rows === undefined ? 0 : a.stride(rows), ak: a.stride(along), bk: b.stride(along), bp: b.isPanel ? b.stride(lanes) : 8,
    cm: rows === undefined ? 0 : out.strides.get(rows)!,
  };
  guarded(k, [...a.live, ...b.live], () => overAxes(k, [...form.loops, ...form.otherOver], new Map(), (at) => {
    k.line(`float* c = &${elementOf(out, new Map([...s.out.shape.map((x) => [x.name, at.get(x.name) ?? variableAt('0', { lo: 0, hi: 0 })] as const)]))};`);
    inStretches(k, { ...o, axis: along, at }, (now, am, near) => emitOuterBlocks(k, { ...o, along: now, am, rows: near }));
  }));
}

function emitOuterBlocks(k: KernelContext, o: Outer): void {
  const { lanes: width } = k.decisions.level;
  const widen = o.b.kind !== 'f32' && o.rows.size > mostDirectRows;
  const codes = o.b.group > 0 && !widen;
  if (codes && o.b.kind === 'int4') emitInt4Input(k, o);
  const mostRows = blockRows(k, o.rows.size, codes);
  const vectors = blockVectors(k, mostRows, o.b.kind, widen);
  const wanted = Math.min(vectors, Math.ceil(o.lanes.size / width));
  const body = (n: number, j: string): void => (widen ? emitWidened(k, o, n, j, mostRows) : emitRows(k, o, n, j, mostRows, o.b.kind, `b + ${laneOffset(o, j)}`));
  laneBlocks(k, o, wanted, body);
}

/** Accumulators that a block may have: rows x vectors, next to vectors of b and one of a. */
function blockRows(k: KernelContext, rows: number, codes: boolean): number {
  const wide = k.decisions.level.registers === 32;
  if (codes) return Math.min(rows, wide ? 8 : 4);
  return Math.min(rows, wide ? 12 : 6);
}

function blockVectors(k: KernelContext, rows: number, kind: Operand['kind'], widened: boolean): number {
  const wide = k.decisions.level.registers === 32;
  if ((kind === 'int4' || kind === 'scaled') && !widened) return rows === 1 ? 4 : rows <= 4 ? (wide ? 4 : 2) : 2;
  // A 16-bit vector needs a register of its own while it is widened.
  if (rows === 1) return kind === 'f32' || wide ? 8 : 4;
  if (rows === 2) return 4;
  if (rows <= 4) return wide ? 4 : rows === 3 ? 3 : 2;
  return 2;
}

/** Element (byte for codes with scales) offset of lane `j`, a multiple of the vector width. */
function laneOffset(o: Outer, j: string): string {
  if (j === '0') return '0';
  return o.b.isPanel ? `${j} / 8 * ${o.bp}${o.b.group > 0 ? '' : ` + ${j} % 8`}` : j;
}

function laneBlocks(k: KernelContext, o: Outer, vectors: number, body: (vectors: number, j: string) => void): void {
  const { lanes: width } = k.decisions.level;
  const block = vectors * width;
  const { size, count } = o.lanes;
  if (count === undefined) {
    const whole = Math.floor(Math.ceil(size / width) / vectors);
    if (whole === 1) body(vectors, '0');
    else k.block(`for (int j = 0; j < ${whole * block}; j += ${block}) `, () => body(vectors, 'j'));
    const rest = Math.ceil(size / width) - whole * vectors;
    if (rest > 0) body(rest, String(whole * block));
    return;
  }
  k.line('int j = 0;');
  // Panels are padded with zeros to whole vectors; what lies beyond the extent of a dense view is another row.
  const end = o.b.isPanel ? `(${count} + 7) / 8 * 8` : count;
  if (vectors > 1) k.block(`for (; j + ${block} <= ${end}; j += ${block}) `, () => body(vectors, 'j'));
  k.block(`for (; j + ${width} <= ${end}; j += ${width}) `, () => body(1, 'j'));
  if (!o.b.isPanel) k.block(`if (j < ${count}) `, () => emitPartialVector(k, o, count));
}

/** The last lanes of a dense view, fewer than a vector: copied next to zeros. */
function emitPartialVector(k: KernelContext, o: Outer, count: string): void {
  const { lanes: width } = k.decisions.level;
  const n = o.along.count ?? String(o.along.size);
  const read = o.b.kind === 'f32' ? 'b[k * BK + j + l]' : `from_${o.b.kind}(b[k * BK + j + l])`;
  k.line(`alignas(64) float tail[${o.along.size * width}];`);
  k.line(`for (int k = 0; k < ${n}; ++k) for (int l = 0; l < ${width}; ++l) tail[k * ${width} + l] = j + l < ${count} ? ${read.replace('BK', String(o.bk))} : 0.0f;`);
  emitRows(k, { ...o, bk: width, bp: 8 }, 1, 'j', blockRows(k, o.rows.size, false), 'f32', 'tail');
}

function emitWidened(k: KernelContext, o: Outer, vectors: number, j: string, mostRows: number): void {
  const { level } = k.decisions;
  const width = vectors * level.lanes;
  k.block('', () => {
    k.line(`alignas(64) float wide[${o.along.size * width}];`);
    const at = `b + ${laneOffset(o, j)}`;
    const n = o.along.count ?? String(o.along.size);
    if (o.b.kind === 'int4') k.line(`${use(k, int4Unpacker(vectors, o.b.group, level))}(${at}, ${o.bp}, ${j} % 8, ${groups(o)}, wide);`);
    else if (o.b.kind === 'scaled') k.line(`${use(k, scaledUnpacker(o.b.code!, vectors, o.b.group, level))}(${at}, ${o.bp}, ${j} % 8, ${groups(o)}, wide);`);
    else k.line(`${use(k, widener(o.b.kind, vectors, level))}(${at}, ${o.bk}, ${o.bp}, ${n}, wide);`);
    emitRows(k, { ...o, bk: width, bp: 8 }, vectors, j, mostRows, 'f32', 'wide');
  });
}

function groups(o: Outer): string {
  return groupsText(o.along, o.b.group);
}

/** `eight`: 8 * sum of a over each group, per row: what the unsigned codes add too much. `scaled`: a as the kernel takes it. */
function emitInt4Input(k: KernelContext, o: Outer): void {
  const each = o.along.size / o.b.group;
  const n = groups(o);
  k.line(`float eight[${o.rows.size * each}];`);
  k.line(`alignas(64) float scaled[${o.rows.size * o.along.size}];`);
  k.block(`for (int m = 0; m < ${o.rows.count ?? o.rows.size}; ++m) `, () => k.block(`for (int g = 0; g < ${n}; ++g) `, () => {
    k.line('float r = 0.0f;');
    k.line('#pragma omp simd reduction(+: r)');
    k.block(`for (int i = 0; i < ${o.b.group}; ++i) `, () => {
      k.line(`const float x = a[m * ${o.am} + (g * ${o.b.group} + i) * ${o.ak}];`);
      k.line('r += x;');
      k.line(`scaled[m * ${o.along.size} + g * ${o.b.group} + i] = x * code_scale[i % 8];`);
    });
    k.line(`eight[m * ${each} + g] = 8.0f * r;`);
  }));
}

/** Blocks of rows against `vectors` vectors from lane `j`. */
function emitRows(k: KernelContext, o: Outer, vectors: number, j: string, most: number, kind: Operand['kind'], b: string): void {
  const n = o.along.count ?? String(o.along.size);
  const call = (rows: number, m: string): void => {
    const { level } = k.decisions;
    const c = `c + ${[...(m === '0' ? [] : [`${m} * ${o.cm}`]), j].join(' + ')}`;
    const each = o.along.size / o.b.group;
    const a = m === '0' ? 'a' : `a + ${m} * ${o.am}`;
    if (kind === 'int4') k.line(`${use(k, int4Kernel(rows, vectors, o.b.group, level))}(scaled + ${m} * ${o.along.size}, ${o.along.size}, eight + ${m} * ${each}, ${each}, ${b}, ${o.bp}, ${j} % 8, ${groups(o)}, ${c}, ${o.cm});`);
    else if (kind === 'scaled') k.line(`${use(k, scaledKernel(o.b.code!, rows, vectors, o.b.group, level))}(${a}, ${o.am}, ${o.ak}, ${b}, ${o.bp}, ${j} % 8, ${groups(o)}, ${c}, ${o.cm});`);
    else k.line(`${use(k, outerKernel(kind, rows, vectors, level))}(${a}, ${o.am}, ${o.ak}, ${b}, ${o.bk}, ${o.bp}, ${n}, ${c}, ${o.cm});`);
  };
  // Codes are summed from copies, which have no rows beyond the last.
  rowBlocks(k, o.b.group > 0 && kind !== 'f32' ? { ...o.rows, zeros: false } : o.rows, most, call);
}

