/**
 * Runs an entry's steps on names instead of numbers, every iteration of every repeat, at the dims' largest values: each
 * read must find the tensor it names, whole, as last written.
 */
import type { DType } from '../../ir/dtype.js';
import type { Program, View } from '../../ir/kernel.js';
import type { Buffer, Bundle, Entry, Kernel, Plan, Port, Region, Step } from '../../ir/plan.js';
import type { Row } from './declarations.js';
import { Memory } from './memory.js';
import { bytesOf, elementBytes, scalarValue, type Law, type Report, type Values } from './violation.js';

export interface Tables { readonly rows: ReadonlyMap<string, readonly Row[]>; readonly used: Set<object> }
type Launch = Extract<Step, { kind: 'launch' }>;
type Repeat = Extract<Step, { kind: 'repeat' }>;
/** Bytes of one region in one iteration. */
interface Extent { readonly buffer: Buffer; readonly from: number; readonly to: number }

/** Where in the plan, as text only when something is wrong there: most of a verification builds no message. */
interface Place { readonly step: string; readonly part?: string }

export class EntryRun {
  private readonly memory = new Memory();
  private readonly dims: Values;
  private readonly variables = new Map<string, number>();
  private readonly buffers: ReadonlyMap<string, Buffer>;
  private readonly kernels: ReadonlyMap<string, { kernel: Kernel; program: Program | undefined }>;
  private tag = -1;
  private readonly paths = new Map<Step, string>();
  private readonly plan: Plan;

  constructor(bundle: Bundle, private readonly entry: Entry, private readonly tables: Tables, private readonly report: Report) {
    this.plan = bundle.plan;
    const own = new Set(entry.dims.map((d) => d.name));
    const inEveryEntry = new Set(bundle.plan.entries.flatMap((e) => e.dims.map((d) => d.name)));
    const fixed = bundle.plan.dims.filter((d) => !own.has(d.name) && !inEveryEntry.has(d.name));
    this.dims = new Map([...fixed, ...entry.dims].map((d) => [d.name, d.max]));
    this.buffers = new Map(bundle.plan.buffers.map((b) => [b.id, b]));
    this.kernels = new Map(bundle.plan.kernels.map((kernel, i) => [kernel.name, { kernel, program: bundle.programs[i] }]));
  }

  run(): void {
    for (const port of this.entry.inputs) this.checkPort(port, 'input');
    this.steps(this.entry.steps, `${this.entry.name}: steps`, true);
    for (const port of this.entry.outputs) this.checkPort(port, 'output');
  }

  /** `first`: laws that do not depend on the iteration are checked once. */
  private steps(steps: readonly Step[], path: string, first: boolean): void {
    steps.forEach((step, i) => {
      const where = this.paths.get(step) ?? `${path}[${i}]${step.kind === 'launch' ? ` (${step.kernel})` : ''}`;
      this.paths.set(step, where);
      switch (step.kind) {
        case 'launch': this.launch(step, where, first); break;
        case 'copy': this.copy(step, where); break;
        case 'collective': this.collective(step, where, first); break;
        case 'repeat': this.repeat(step, where, first); break;
      }
    });
  }

  private launch(step: Launch, where: string, first: boolean): void {
    const known = this.kernels.get(step.kernel);
    if (!known) { this.report.add('kernels', where, `there is no kernel '${step.kernel}'`); return; }
    const { kernel, program } = known;
    if (step.args.length !== kernel.views.length) { this.report.add('arguments', where, `${step.args.length} regions for the ${kernel.views.length} views of '${kernel.name}'`); return; }
    if (first) this.staticLaunch(step, where, program);
    const extents = step.args.map((r, i) => this.extent(r, { step: where, part: kernel.views[i].name }, elementBytes(kernel.views[i].dtype)));
    this.checkOverlap(step, kernel, extents, where);
    step.args.forEach((r, i) => { if (kernel.views[i].access !== 'write') this.read(extents[i], r, { step: where, part: kernel.views[i].name }, kernel.views[i].dtype); });
    step.args.forEach((r, i) => { if (kernel.views[i].access !== 'read') this.write(extents[i], r, { step: where, part: kernel.views[i].name }, kernel.views[i].dtype); });
  }

  private staticLaunch(step: Launch, where: string, program: Program | undefined): void {
    const scalars = [...step.grid, ...Object.values(step.cost)];
    if (scalars.some((s) => Number.isNaN(scalarValue(s, this.dims)))) this.report.add('grid', where, 'its grid or cost needs more than the dims of the entry');
    if (!program) return;
    if (JSON.stringify(step.grid) !== JSON.stringify(program.grid.map((g) => g.extent))) this.report.add('grid', where, `its grid is not that of '${program.name}'`);
    program.views.forEach((view, i) => {
      const extents = view.axes.map((a) => scalarValue(a.extent, this.dims));
      const strides = view.strides;
      const bytes = extents.includes(0) ? 0
        : strides ? (extents.reduce((n, e, axis) => n + (e - 1) * strides[axis], 0) + 1) * elementBytes(view.dtype)
        : bytesOf(view.dtype, view.packing, new Map(view.axes.map((a, axis) => [a.name, extents[axis]])));
      this.checkStorage(view, step.args[i], { step: where, part: view.name });
      if (!(bytes <= step.args[i].bytes)) this.fail('view', { step: where, part: view.name }, `sees ${bytes} bytes of a region of ${step.args[i].bytes}`);
    });
  }

  /** A view must read what is stored in the way it is stored. */
  private checkStorage(view: View, region: Region, where: Place): void {
    const extent = this.extent(region, where, 1);
    const rows = extent && this.tables.rows.get(extent.buffer.id);
    const row = rows && this.findRow(extent, region, rows, where);
    if (!row) return;
    const [seen, stored] = [view.packing, row.packing];
    const same = seen.kind === 'dense' ? stored.kind === 'dense' : seen.kind === stored.kind && seen.width === stored.width && (seen.kind === 'panel' || (stored.kind === seen.kind && seen.group === stored.group && (seen.kind !== 'scaled' || (stored.kind === 'scaled' && seen.code === stored.code))));
    if (!same) this.fail('view', where, `reads '${row.path}' as ${seen.kind}, it is stored as ${stored.kind} of another layout`);
    if ((seen.kind === 'dense' || seen.kind === 'panel') && view.dtype !== row.dtype) this.fail('dtype', where, `reads '${row.path || region.tensor}' as ${view.dtype}, it is stored as ${row.dtype}`);
  }

  private checkOverlap(step: Launch, kernel: Kernel, extents: readonly (Extent | undefined)[], where: string): void {
    for (let i = 0; i < extents.length; i++) for (let j = i + 1; j < extents.length; j++) {
      const [a, b] = [extents[i], extents[j]];
      if (!a || !b || a.buffer !== b.buffer || a.from >= b.to || b.from >= a.to) continue;
      const [x, y] = [kernel.views[i], kernel.views[j]];
      const same = a.from === b.from && a.to === b.to && x.access === 'readwrite' && y.access === 'readwrite';
      if (!same && (x.access !== 'read' || y.access !== 'read')) this.report.add('overlap', where, `'${x.name}' (${step.args[i].tensor}) and '${y.name}' (${step.args[j].tensor}) share bytes that the launch writes`);
    }
  }

  private copy(step: Extract<Step, { kind: 'copy' }>, where: string): void {
    const [from, to] = [this.extent(step.from, { step: where, part: 'from' }, 4), this.extent(step.to, { step: where, part: 'to' }, 4)];
    if (!from || !to) return;
    const bytes = scalarValue(step.bytes, this.dims);
    if (!(bytes <= step.from.bytes && bytes <= step.to.bytes)) this.report.add('copy', where, `copies ${bytes} bytes between regions of ${step.from.bytes} and ${step.to.bytes}`);
    if (from.buffer === to.buffer && from.from < to.to && to.from < from.to) this.report.add('copy', where, `'${step.from.tensor}' and '${step.to.tensor}' overlap`);
    const dtype = this.read(from, step.from, { step: where }, undefined);
    this.write(to, step.to, { step: where }, dtype);
  }

  private collective(step: Extract<Step, { kind: 'collective' }>, where: string, first: boolean): void {
    if (first) {
      if (!(step.tag > this.tag)) this.report.add('collective', where, `its tag ${step.tag} does not follow ${this.tag}`);
      this.tag = step.tag;
    }
    const group = this.plan.groups.find((g) => g.name === step.group);
    if (!group) { this.report.add('collective', where, `there is no group '${step.group}'`); return; }
    const team = group.teams[0]?.length ?? 0;
    const own = scalarValue(step.count, this.dims) * elementBytes(step.dtype);
    const [given, taken] = [own * (step.op === 'reduce_scatter' ? team : 1), own * (step.op === 'all_gather' ? team : 1)];
    if (given !== step.from.bytes || taken !== step.to.bytes) this.report.add('collective', where, `moves ${given} to ${taken} bytes between regions of ${step.from.bytes} and ${step.to.bytes}`);
    const [from, to] = [this.extent(step.from, { step: where, part: 'from' }, elementBytes(step.dtype)), this.extent(step.to, { step: where, part: 'to' }, elementBytes(step.dtype))];
    const meet = from && to && from.buffer === to.buffer && from.from < to.to && to.from < from.to;
    if (meet && !(step.op === 'all_reduce' && from.from === to.from)) this.report.add('collective', where, `'${step.from.tensor}' and '${step.to.tensor}' overlap`);
    this.read(from, step.from, { step: where }, step.dtype);
    this.write(to, step.to, { step: where }, step.dtype);
  }

  private repeat(step: Repeat, where: string, first: boolean): void {
    if (this.variables.has(step.variable)) this.report.add('scope', where, `'${step.variable}' is the variable of an enclosing repeat`);
    if (!Number.isInteger(step.count) || step.count < 1) { this.report.add('scope', where, `runs ${step.count} times`); return; }
    const local = new Set(this.namesWritten(step.body));
    for (const s of step.stacked) { this.memory.forget(s.out); local.delete(s.out); }
    this.memory.rename(step.carries.map((c) => ({ from: c.initial, to: c.inside, replaces: true })), local);
    const next = [
      ...step.carries.map((c) => ({ from: c.next, to: c.inside, replaces: true })),
      ...step.stacked.map((s) => ({ from: s.inside, to: s.out, replaces: false })),
    ];
    for (let n = 0; n < step.count; n++) {
      this.variables.set(step.variable, step.reverse ? step.count - 1 - n : n);
      this.steps(step.body, `${where}.body`, first && n === 0);
      this.memory.rename(next, local);
    }
    this.variables.delete(step.variable);
    this.memory.rename(step.carries.map((c) => ({ from: c.inside, to: c.out, replaces: true })), []);
  }

  /** Tensors that get their value inside a body; what they held before an iteration is not theirs in it. */
  private namesWritten(body: readonly Step[]): string[] {
    return body.flatMap((step): string[] => {
      switch (step.kind) {
        case 'launch': {
          const views = this.kernels.get(step.kernel)?.kernel.views ?? [];
          return step.args.filter((_, i) => views[i]?.access !== 'read').map((r) => r.tensor);
        }
        case 'copy': case 'collective': return [step.to.tensor];
        case 'repeat': return [...this.namesWritten(step.body), ...step.carries.map((c) => c.out), ...step.stacked.map((s) => s.out)];
      }
    });
  }

  /** The bytes that a region means in this iteration; undefined, and reported, if it means none. */
  private extent(region: Region, where: Place, unit: number): Extent | undefined {
    const buffer = this.buffers.get(region.buffer);
    if (!buffer) { this.fail('bounds', where, `there is no buffer '${region.buffer}'`); return undefined; }
    let from = region.offset.base;
    for (const t of region.offset.terms) {
      const value = this.variables.get(t.variable);
      if (value === undefined) { this.fail('scope', where, `no repeat around it has the variable '${t.variable}'`); return undefined; }
      from += value * t.stride;
    }
    const to = from + region.bytes;
    if (!(from >= 0 && to <= buffer.bytes && to >= from)) { this.fail('bounds', where, `bytes ${from} to ${to} of '${buffer.id}', which has ${buffer.bytes}`); return undefined; }
    if (from % unit !== 0) this.fail('alignment', where, `starts at byte ${from}, elements have ${unit}`);
    if (buffer.pieces?.some((cut) => from < cut && cut < to)) this.fail('pieces', where, `bytes ${from} to ${to} cross a cut of '${buffer.id}'`);
    return { buffer, from, to };
  }

  private read(extent: Extent | undefined, region: Region, where: Place, dtype: DType | undefined): DType | undefined {
    if (!extent) return undefined;
    const rows = this.tables.rows.get(extent.buffer.id);
    if (rows) return this.findRow(extent, region, rows, where)?.dtype;
    const found = this.memory.read(extent.buffer.id, extent.from, extent.to, region.tensor);
    if (found.problem) this.fail('written', where, `reads '${region.tensor}', but ${found.problem}`);
    else if (dtype && found.dtype && dtype !== found.dtype) this.fail('dtype', where, `reads '${region.tensor}' as ${dtype}, it was written as ${found.dtype}`);
    return found.dtype;
  }

  private findRow(extent: Extent, region: Region, rows: readonly Row[], where: Place): Row | undefined {
    let [low, high] = [0, rows.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (rows[middle].from <= extent.from) low = middle + 1; else high = middle;
    }
    const row: Row | undefined = rows[low - 1];
    if (!row || extent.to > row.to) { this.fail('table read', where, `bytes ${extent.from} to ${extent.to} of '${extent.buffer.id}' are not inside one stored tensor`); return undefined; }
    this.tables.used.add(row);
    if (row.pattern !== '' && row.pattern !== region.tensor) this.fail('table read', where, `reads '${region.tensor}' where '${row.path}' is stored`);
    return row;
  }

  private write(extent: Extent | undefined, region: Region, where: Place, dtype: DType | undefined): void {
    if (!extent) return;
    switch (extent.buffer.kind) {
      case 'scratch': case 'output': this.memory.write(extent.buffer.id, extent.from, extent.to, region.tensor, dtype); break;
      case 'state': this.findRow(extent, region, this.tables.rows.get(extent.buffer.id) ?? [], where); break;
      default: this.fail('access', where, `writes into the ${extent.buffer.kind} buffer '${extent.buffer.id}'`);
    }
  }

  private fail(law: Law, { step, part }: Place, message: string): void {
    this.report.add(law, part === undefined ? step : `${step} '${part}'`, message);
  }

  private checkPort(port: Port, kind: 'input' | 'output'): void {
    const where = `${this.entry.name}: ${kind} '${port.name}'`;
    const home = this.buffers.get(port.region.buffer);
    if (home && home.kind !== kind) this.report.add('ports', where, `lies in the ${home.kind} buffer '${home.id}'`);
    const shape = port.shape.map((s) => scalarValue(s, this.dims));
    const stretches = port.stretches ?? [];
    const bytes = shape.slice(stretches.length).reduce((n, s) => n * s, elementBytes(port.dtype));
    const starts = stretches.reduce((list: readonly number[], s) => list.flatMap((x) => Array.from({ length: s.count }, (_, i) => x + i * s.stride)), [0]);
    const fits = stretches.every((s, i) => s.count === shape[i]) && starts.every((s) => s + bytes <= port.region.bytes);
    if (!fits) { this.report.add('ports', where, `its shape takes more or other bytes than the ${port.region.bytes} of its region`); return; }
    for (const start of starts) {
      const part: Region = { ...port.region, offset: { ...port.region.offset, base: port.region.offset.base + start }, bytes };
      const extent = this.extent(part, { step: where }, elementBytes(port.dtype));
      if (kind === 'output') this.read(extent, part, { step: where }, port.dtype);
      else if (extent) this.memory.write(extent.buffer.id, extent.from, extent.to, part.tensor, port.dtype);
    }
  }
}
