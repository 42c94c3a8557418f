/** Laws on what a plan declares: dims, groups, buffers, tables, kernels. */
import type { DType } from '../../ir/dtype.js';
import type { Packing } from '../../ir/packing.js';
import type { Bundle, Plan } from '../../ir/plan.js';
import { canonicalJson } from '../canonical-json.js';
import { sha256 } from '../sha256.js';
import { bytesOf, elementBytes, type Law, type Report } from './violation.js';

const tableAlignment = 256;

function repeated(names: readonly string[]): string | undefined {
  return names.find((n, i) => names.indexOf(n) !== i);
}

export function checkDims(plan: Plan, report: Report): void {
  const maxima = new Map(plan.dims.map((d) => [d.name, d.max]));
  if (maxima.size !== plan.dims.length) report.add('dims', 'dims', 'a dim is declared twice');
  for (const d of plan.dims) if (!Number.isInteger(d.max) || d.max < 1) report.add('dims', `dim '${d.name}'`, `its largest value is ${d.max}`);
  for (const e of plan.entries) for (const d of e.dims) {
    const max = maxima.get(d.name);
    if (max === undefined) report.add('dims', `entry '${e.name}'`, `the plan has no dim '${d.name}'`);
    else if (!Number.isInteger(d.max) || d.max < 1 || d.max > max) report.add('dims', `entry '${e.name}'`, `'${d.name}' may reach ${d.max}, in the plan ${max}`);
  }
}

// More than any machine has: a damaged plan must not make its reader run out of memory.
const mostRanks = 65_536;

/** Whether the number of ranks is one that a plan can have. */
export function countsRanks(plan: Plan): boolean {
  return Number.isInteger(plan.ranks) && plan.ranks >= 1 && plan.ranks <= mostRanks;
}

export function checkGroups(plan: Plan, report: Report): void {
  if (!countsRanks(plan)) report.add('groups', 'ranks', `${plan.ranks} ranks, which is not a number from 1 to ${mostRanks}`);
  for (const g of plan.groups) {
    const members = g.teams.flat().sort((a, b) => a - b);
    const all = members.length === plan.ranks && members.every((m, i) => m === i);
    if (!all || g.teams.some((t) => t.length !== g.teams[0].length)) report.add('groups', `group '${g.name}'`, `its teams do not divide ${plan.ranks} ranks into equal parts`);
  }
}

export function checkBuffers(plan: Plan, report: Report): void {
  const twice = repeated(plan.buffers.map((b) => b.id));
  if (twice !== undefined) report.add('buffers', `buffer '${twice}'`, 'is declared twice');
  for (const b of plan.buffers) {
    if (!Number.isInteger(b.bytes) || b.bytes < 0) report.add('buffers', `buffer '${b.id}'`, `has ${b.bytes} bytes`);
    const cuts = b.pieces ?? [0];
    if (cuts[0] !== 0 || cuts.some((c, i) => c % tableAlignment !== 0 || c >= b.bytes && i > 0 || i > 0 && c <= cuts[i - 1])) report.add('buffers', `buffer '${b.id}'`, 'its pieces do not rise from 0 in aligned steps inside it');
  }
  const sum = plan.buffers.reduce((n, b) => n + b.bytes, 0);
  if (sum !== plan.peakBytes) report.add('peak', 'peakBytes', `is ${plan.peakBytes}, the buffers have ${sum} bytes`);
}

/** A stored row that launches may read. */
export interface Row {
  readonly from: number; readonly to: number; readonly path: string;
  /** What regions call it: the path with `*` for numbers in brackets. Empty for constants, whose names mean nothing. */
  readonly pattern: string;
  readonly kind: 'weights' | 'state' | 'constants'; readonly dtype: DType; readonly packing: Packing;
}

/** Rows by buffer, ascending. */
export function checkTables(plan: Plan, report: Report): ReadonlyMap<string, readonly Row[]> {
  const tables = new Map<string, Row[]>();
  const buffers = new Map(plan.buffers.map((b) => [b.id, b]));
  const add = (buffer: string, row: Row): void => {
    const home = buffers.get(buffer);
    const fail = (law: Law, message: string): void => report.add(law, `${row.kind} '${row.path}'`, message);
    if (home?.kind !== row.kind) fail('tables', `lies in '${buffer}', which is ${home ? `a ${home.kind} buffer` : 'no buffer'}`);
    else if (!(row.from >= 0 && row.to <= home.bytes)) fail('tables', `ends at ${row.to}, its buffer has ${home.bytes} bytes`);
    if (row.from % tableAlignment !== 0) fail('alignment', `starts at ${row.from}`);
    const rows = tables.get(buffer);
    if (rows) rows.push(row); else tables.set(buffer, [row]);
  };
  const stored = [...plan.weights.map((w) => ({ ...w, kind: 'weights' as const })), ...plan.states.map((s) => ({ ...s, kind: 'state' as const, packing: { kind: 'dense' as const, order: s.axes.map((a) => a.name) } }))];
  for (const s of stored) {
    const expected = bytesOf(s.dtype, s.packing, new Map(s.axes.map((a) => [a.name, a.size])));
    if (s.bytes !== expected) report.add('tables', `${s.kind} '${s.path}'`, `has ${s.bytes} bytes, its axes and packing need ${expected}`);
    add(s.buffer, { from: s.offset, to: s.offset + s.bytes, path: s.path, pattern: s.path.replace(/\d+(?=\])/g, '*'), kind: s.kind, dtype: s.dtype, packing: s.packing });
  }
  plan.constants.filter((c) => (c.rank ?? 0) === 0).forEach((c, i) => {
    const bytes = (c.data.length / 4) * 3 - (c.data.endsWith('==') ? 2 : c.data.endsWith('=') ? 1 : 0);
    if (bytes % elementBytes(c.dtype) !== 0) report.add('tables', `constant ${i}`, `${bytes} bytes are no whole number of ${c.dtype}`);
    add(c.buffer, { from: c.offset, to: c.offset + bytes, path: '', pattern: '', kind: 'constants', dtype: c.dtype, packing: { kind: 'dense', order: [] } });
  });
  const twice = repeatedIn(plan.weights.map((w) => w.path)) ?? repeatedIn(plan.states.map((s) => s.path));
  if (twice !== undefined) report.add('tables', `'${twice}'`, 'has two places');
  return sortTables(tables, report);
}

function repeatedIn(names: readonly string[]): string | undefined {
  return new Set(names).size === names.length ? undefined : repeated(names);
}

function sortTables(tables: Map<string, Row[]>, report: Report): ReadonlyMap<string, readonly Row[]> {
  for (const rows of tables.values()) {
    rows.sort((a, b) => a.from - b.from);
    rows.forEach((row, i) => { if (i > 0 && row.from < rows[i - 1].to) report.add('tables', `${row.kind} '${row.path}'`, `overlaps '${rows[i - 1].path}'`); });
  }
  return tables;
}

/** Kernels and programs describe each other: same order, names, digest, views and origin. */
export function checkKernels({ plan, programs }: Bundle, digests: boolean, report: Report): void {
  if (programs.length !== plan.kernels.length) report.add('kernels', 'kernels', `${plan.kernels.length} kernels, ${programs.length} programs`);
  const twice = repeatedIn(plan.kernels.map((k) => k.name));
  if (twice !== undefined) report.add('kernels', `kernel '${twice}'`, 'is declared twice');
  plan.kernels.forEach((kernel, i) => {
    const program = programs[i];
    const where = `kernel '${kernel.name}'`;
    if (!program) return;
    if (program.name !== kernel.name) report.add('kernels', where, `its program is '${program.name}'`);
    else if (digests && sha256(canonicalJson(program)) !== kernel.program) report.add('kernels', where, 'its program has another digest');
    const views = program.views.map(({ name, dtype, access }) => ({ name, dtype, access }));
    if (canonicalJson(views) !== canonicalJson(kernel.views)) report.add('kernels', where, 'its views are not those of its program');
  });
}
