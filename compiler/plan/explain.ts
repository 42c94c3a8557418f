/** What an entry does, kernel by kernel, at given dims: the table behind `firn explain`. */
import type { Program } from '../ir/kernel.js';
import type { Bundle, Plan, Step } from '../ir/plan.js';
import { evaluateScalar } from '../kernels/scalar.js';
import { viewBytes } from './view-bytes.js';

export interface Work {
  /** Multiplications and additions of matrix products. */
  readonly contraction: number;
  readonly flops: number;
  /** Moved to and from memory, weights and caches included. */
  readonly bytes: number;
  /** Bytes of intermediate values that are read or written: neither weights, constants, state nor inputs. */
  readonly intermediates: number;
}

export interface ExplainRow extends Work {
  readonly kernel: string;
  /** What was fused into it, in order, and the spec line of each. */
  readonly fused: readonly { readonly what: string; readonly where: string }[];
}

/** Steps outside any repeat, or the body of one. */
export interface ExplainSection {
  /** '' outside, else the repeat's variable; nested ones joined by '/'. */
  readonly repeat: string;
  readonly iterations: number;
  /** Of one iteration. */
  readonly rows: readonly ExplainRow[];
  readonly total: Work;
}

export interface Explanation {
  readonly entry: string;
  readonly target: string;
  readonly dims: Readonly<Record<string, number>>;
  readonly sections: readonly ExplainSection[];
  /** Kernels, copies and collectives of a whole run. */
  readonly launches: number;
  readonly total: Work;
  readonly buffers: readonly { readonly kind: string; readonly bytes: number }[];
}

const noWork: Work = { contraction: 0, flops: 0, bytes: 0, intermediates: 0 };

function addWork(a: Work, b: Work, times = 1): Work {
  return {
    contraction: a.contraction + times * b.contraction, flops: a.flops + times * b.flops,
    bytes: a.bytes + times * b.bytes, intermediates: a.intermediates + times * b.intermediates,
  };
}

/** `dims`: values for the entry's dims; those left out have their largest value. Throws for an unknown entry. */
export function explain({ plan, programs }: Bundle, entryName: string, dims: Readonly<Record<string, number>> = {}): Explanation {
  const entry = plan.entries.find((e) => e.name === entryName);
  if (!entry) throw new Error(`explain: the plan has no entry '${entryName}', only ${plan.entries.map((e) => e.name).join(', ')}`);
  const maxima = Object.fromEntries([...plan.dims, ...entry.dims].map((d) => [d.name, d.max]));
  const values = { ...maxima, ...dims };
  const sections: ExplainSection[] = [];
  collect(entry.steps, { repeat: '', iterations: 1 }, new Map(programs.map((p) => [p.name, p])), plan, values, sections);
  return {
    entry: entryName, target: plan.target, dims: Object.fromEntries(entry.dims.map((d) => [d.name, values[d.name]])), sections,
    launches: sections.reduce((n, s) => n + s.iterations * s.rows.length, 0),
    total: sections.reduce((sum, s) => addWork(sum, s.total, s.iterations), noWork),
    buffers: plan.buffers.map((b) => ({ kind: b.kind, bytes: b.bytes })),
  };
}

/** Splits steps into sections in the order they run; a repeat ends one and another begins after it. */
function collect(steps: readonly Step[], at: { readonly repeat: string; readonly iterations: number }, programs: ReadonlyMap<string, Program>, plan: Plan, dims: Readonly<Record<string, number>>, out: ExplainSection[]): void {
  let rows: ExplainRow[] = [];
  const finish = (): void => {
    if (rows.length > 0) out.push({ ...at, rows, total: rows.reduce((sum, r) => addWork(sum, r), noWork) });
    rows = [];
  };
  for (const step of steps) {
    if (step.kind !== 'repeat') { rows.push(explainStep(step, programs, plan, dims)); continue; }
    finish();
    const repeat = at.repeat === '' ? step.variable : `${at.repeat}/${step.variable}`;
    collect(step.body, { repeat, iterations: at.iterations * step.count }, programs, plan, dims, out);
  }
  finish();
}

function explainStep(step: Exclude<Step, { kind: 'repeat' }>, programs: ReadonlyMap<string, Program>, plan: Plan, dims: Readonly<Record<string, number>>): ExplainRow {
  switch (step.kind) {
    case 'launch': {
      const program = programs.get(step.kernel);
      const origin = plan.kernels.find((k) => k.name === step.kernel)?.origin ?? [];
      const moved = (program?.views ?? []).map((view, i) => {
        const kind = plan.buffers.find((b) => b.id === step.args[i].buffer)?.kind;
        return kind === 'scratch' || kind === 'output' ? viewBytes(view, dims) * (view.access === 'readwrite' ? 2 : 1) : 0;
      });
      const of = (s: typeof step.cost.flops): number => evaluateScalar(s, { dims });
      return { kernel: step.kernel, fused: origin, contraction: of(step.cost.contraction), flops: of(step.cost.flops), bytes: of(step.cost.bytes), intermediates: moved.reduce((a, b) => a + b, 0) };
    }
    case 'copy': {
      const bytes = 2 * evaluateScalar(step.bytes, { dims });
      return { ...noWork, kernel: 'copy', fused: [{ what: `${step.from.tensor} to ${step.to.tensor}`, where: '' }], bytes, intermediates: bytes };
    }
    case 'collective': return { ...noWork, kernel: step.op, fused: [{ what: `${step.from.tensor} over ${step.group}`, where: '' }] };
  }
}

/** The table as text: a heading per section, a line per kernel with what was fused into it below. */
export function printExplanation(e: Explanation): string {
  const dims = Object.entries(e.dims).map(([name, value]) => `${name} ${value}`).join(', ');
  const lines = [`${e.entry} on ${e.target} at ${dims}: ${e.launches} launches, ${amounts(e.total)}`];
  for (const s of e.sections) {
    const place = s.repeat === '' ? 'once' : `repeat ${s.repeat}, ${s.iterations} times`;
    lines.push('', `${place}: ${s.rows.length} launches, ${amounts(s.total)}${s.repeat === '' ? '' : ' per iteration'}`);
    for (const row of s.rows) {
      lines.push(`  ${row.kernel.padEnd(28)} ${columns(row)}`);
      lines.push(...fusedLines(row.fused).map((line) => `    ${line}`));
    }
  }
  return `${lines.join('\n')}\n`;
}

/** One line per stretch of ops from one spec line and instance: `multiply, rsqrt layers[0].norm  norms.firn:7`. */
function fusedLines(fused: ExplainRow['fused']): string[] {
  const groups: { ops: string[]; place: string }[] = [];
  for (const { what, where } of fused) {
    const [op, ...label] = what.split(' ');
    const place = [label.join(' '), where].filter((t) => t !== '').join('  ');
    const last = groups[groups.length - 1];
    if (last?.place === place) last.ops.push(op);
    else groups.push({ ops: [op], place });
  }
  return groups.map((g) => `${g.ops.join(', ')} ${g.place}`.trimEnd());
}

function amounts(w: Work): string {
  return `${amount(w.flops, 'FLOP')} (${amount(w.contraction, 'FLOP')} in products), ${amount(w.bytes, 'B')} moved, ${amount(w.intermediates, 'B')} of intermediates`;
}

function columns(w: Work): string {
  return `${amount(w.flops, 'FLOP').padStart(11)} ${amount(w.bytes, 'B').padStart(9)} ${amount(w.intermediates, 'B').padStart(9)} intermediate`;
}

/** Three significant digits with a decimal prefix: `1.23 MB`. */
function amount(value: number, unit: string): string {
  const prefixes = ['', 'k', 'M', 'G', 'T', 'P'];
  let scale = 0;
  let rest = value;
  while (rest >= 999.5 && scale < prefixes.length - 1) { rest /= 1000; scale++; }
  return `${scale === 0 ? Math.round(rest) : rest.toPrecision(3)} ${prefixes[scale]}${unit}`;
}
