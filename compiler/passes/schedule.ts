/**
 * One entry point as launches of tile programs: fuses every graph level, lowers each unit for the target and puts
 * independent launches together. Repeats stay rolled.
 *
 *   repeat 61 { kernel contract {%4}  kernel contract {%5}  kernel attend {%9} .. }
 *   ->  repeat 61 { launch qa__kv  launch attend_9 .. }
 */
import type { Axis, Graph, Module, Node, TensorType, ValueId } from '../ir/graph.js';
import { placesOn, type Mesh } from '../ir/mesh.js';
import type { Packing } from '../ir/packing.js';
import { indexGraph, typeOf } from '../ir/graph-index.js';
import { scanOperands } from '../ir/ops-bodies.js';
import { multiplyDims } from '../ir/dim.js';
import { groupRows } from '../kernels/group-rows.js';
import { lowerUnit, type GroupLists, type Lowered, type Unit } from '../kernels/lower/kernels.js';
import { dimScalar, type Level, type Stored } from '../kernels/lower/lowering.js';
import { largestTile } from '../kernels/lower/scan-axes.js';
import { mergePrograms } from '../kernels/merge-programs.js';
import type { Schedule } from '../kernels/targets.js';
import type { EntryLaunches, LaunchStep, Tensor } from '../plan/launches.js';
import { costOfUnit, sumCosts, type UnitCost } from './cost-units.js';
import { fuse, type FusedUnit, type KernelUnit } from './fuse.js';

export interface ScheduleOptions {
  readonly name: string;
  readonly dims: EntryLaunches['dims'];
  readonly schedule: Schedule;
  readonly packings: ReadonlyMap<number, Packing>;
  /** Absent for one rank. */
  readonly mesh?: Mesh;
}

interface Entry {
  readonly module: Module;
  readonly options: ScheduleOptions;
  readonly tensors: Tensor[];
  readonly params: Map<string, number>;
  readonly states: Map<string, number>;
  kernels: number;
}

export function schedule(module: Module, options: ScheduleOptions): EntryLaunches {
  const entry: Entry = { module, options, tensors: [], params: new Map(), states: new Map(), kernels: 0 };
  const inputs = new Map<ValueId, Stored>();
  for (const input of module.graph.inputs) {
    const { dtype, axes } = input.value.type;
    inputs.set(input.value.id, { tensor: add(entry, { kind: 'input', name: input.name, dtype, axes }), dtype, axes });
  }
  const outputs = new Map(module.graph.outputs.map((o) => [o.value, o.name]));
  const steps = scheduleLevel(entry, module.graph, inputs, (value, type) => {
    const name = outputs.get(value);
    return name === undefined ? undefined : { kind: 'output', name, ...type };
  });
  return { name: options.name, dims: options.dims, tensors: entry.tensors, steps };
}

function add(entry: Entry, tensor: Tensor): number {
  entry.tensors.push(tensor);
  return entry.tensors.length - 1;
}

/** Dynamic axes outermost, so that strides do not depend on them. */
function storageOrder(axes: readonly Axis[]): Axis[] {
  return [...axes.filter((a) => typeof a.size !== 'number'), ...axes.filter((a) => typeof a.size === 'number')];
}

type Placement = (value: ValueId, type: TensorType) => Tensor | undefined;

function scheduleLevel(entry: Entry, graph: Graph, given: ReadonlyMap<ValueId, Stored>, place: Placement): LaunchStep[] {
  const index = indexGraph(graph);
  const { units, stored: kept } = fuse(index, entry.options.schedule);
  const stored = new Map(given);
  for (const node of graph.nodes) for (const result of node.results) {
    const source = sourceTensor(entry, node, result.id, stored);
    if (source) stored.set(result.id, source);
    else if (kept.has(result.id)) {
      const stacked = node.op === 'repeat' && node.results.indexOf(result) >= node.carries;
      const type = { dtype: result.type.dtype, axes: stacked ? result.type.axes : storageOrder(result.type.axes) };
      const tensor = place(result.id, type) ?? { kind: 'value', name: `${graph.name}.${result.id}`, ...type };
      stored.set(result.id, { tensor: add(entry, tensor), ...type });
    }
  }
  const level: Level = { index, params: entry.module.params, stored };
  return new LevelScheduler(entry, level).run(units);
}

/** Memory that exists without any launch: parameters, states (all versions are one region) and constants. */
function sourceTensor(entry: Entry, node: Node, value: ValueId, stored: ReadonlyMap<ValueId, Stored>): Stored | undefined {
  const { module, options } = entry;
  switch (node.op) {
    case 'param': {
      const decl = module.params[node.param];
      const packing = options.packings.get(node.param)!;
      const key = `${node.param} ${node.rows?.join() ?? ''}`;
      const tensor = entry.params.get(key) ?? add(entry, { kind: 'param', param: node.param, packing, ...(node.rows ? { rows: node.rows } : {}) });
      entry.params.set(key, tensor);
      return { tensor, dtype: decl.storage.kind === 'plain' ? decl.storage.dtype : 'f32', axes: decl.type.axes, packing };
    }
    case 'state': {
      const key = `${node.state} ${node.at ?? ''}`;
      const tensor = entry.states.get(key) ?? add(entry, { kind: 'state', state: node.state, ...(node.at === undefined ? {} : { at: node.at }) });
      entry.states.set(key, tensor);
      const { dtype, axes } = module.states[node.state].type;
      return { tensor, dtype, axes };
    }
    case 'state_write': return stored.get(node.operands[0]);
    case 'window': case 'scan': return stateResult(node, value, stored);
    case 'const': {
      if (node.results[0].type.axes.length === 0 && !node.perIteration) return undefined;
      const { dtype, axes } = node.results[0].type;
      return { tensor: add(entry, { kind: 'const', dtype, axes, data: node.data, ...(node.perIteration ? { perIteration: node.perIteration } : {}) }), dtype, axes };
    }
    case 'rank': return { tensor: rankTensor(entry, node.group), dtype: 'i32', axes: [] };
    default: return undefined;
  }
}

/** A constant of its own on every rank: the rank's place on the mesh axis. */
function rankTensor(entry: Entry, group: string): number {
  const { mesh } = entry.options;
  if (mesh?.[group] === undefined) throw new Error(`schedule: the mesh has no axis '${group}'`);
  const perRank = placesOn(mesh, group).map((place) => [place]);
  return add(entry, { kind: 'const', dtype: 'i32', axes: [], data: perRank[0], perRank });
}

/** Results that are the next version of a state live in the state's own memory. */
function stateResult(node: Node & { op: 'window' | 'scan' }, value: ValueId, stored: ReadonlyMap<ValueId, Stored>): Stored | undefined {
  const position = node.results.findIndex((r) => r.id === value);
  if (node.op === 'window') return position === 1 ? stored.get(node.operands[0]) : undefined;
  return position >= node.emits ? stored.get(node.operands[node.inputs + position - node.emits]) : undefined;
}

/** The body of a scan: its parameters and constants have memory, all else is computed in the scan's own kernel. */
function bodyLevel(entry: Entry, body: Graph): Level {
  const stored = new Map<ValueId, Stored>();
  for (const node of body.nodes) for (const result of node.results) {
    const source = sourceTensor(entry, node, result.id, stored);
    if (source) stored.set(result.id, source);
  }
  return { index: indexGraph(body), params: entry.module.params, stored };
}

/** Walks the units of one level, gathering independent neighbours into one launch. */
class LevelScheduler {
  private readonly steps: LaunchStep[] = [];
  private readonly lists = new Map<ValueId, GroupLists>();
  private pending: { lowered: Lowered; cost: UnitCost; roots: ReadonlySet<ValueId> }[] = [];

  constructor(private readonly entry: Entry, private readonly level: Level) {}

  run(units: readonly FusedUnit[]): LaunchStep[] {
    for (const unit of units) {
      if (unit.form === 'repeat') this.repeat(unit.node);
      else if (unit.form === 'collective') this.collective(unit.node);
      else this.kernel(unit);
    }
    this.flush();
    return this.steps;
  }

  private kernel(unit: KernelUnit): void {
    const { options } = this.entry;
    if (unit.form === 'grouped') this.buildLists(unit.ids, unit.experts);
    const dependent = this.pending.some((p) => [...p.roots].some((r) => unit.needs.has(r)));
    if (dependent || !options.schedule.merge) this.flush();
    for (const part of this.parts(unit)) {
      if (part.form === 'window' && part.window!.part === 'state') this.flush();
      const name = `${options.name}_${this.entry.kernels++}_${unit.form}`;
      const lowered = lowerUnit(this.level, part, name, options.schedule.sizes, options.schedule.limits);
      this.pending.push({ lowered, cost: costOfUnit(this.level, unit.roots), roots: new Set(unit.roots) });
    }
  }

  /** The kernels of a unit: one, but for windows, which leave their state in a launch of their own. */
  private parts(unit: KernelUnit): Unit[] {
    const { roots } = unit;
    const node = this.level.index.producer.get(roots[0])!;
    const { states } = this.entry.module;
    if (unit.form === 'grouped') return [{ form: 'grouped', roots, group: { ids: unit.ids, lists: this.lists.get(unit.ids)! } }];
    if (node.op === 'scan') {
      const { chunkTile, narrowScans } = this.entry.options.schedule;
      const carries = scanOperands(node, node.operands).carries.map((v) => typeOf(this.level.index, v).axes.slice(1));
      const chunked = node.chunk !== undefined && largestTile(node, indexGraph(node.chunk.body), carries, narrowScans) <= chunkTile;
      const body = bodyLevel(this.entry, chunked ? node.chunk!.body : node.body);
      return [{ form: 'scan', roots, scan: { body, chunked, narrow: narrowScans, initial: node.states.map((s) => states[s].initial) } }];
    }
    if (node.op === 'window') {
      const { initial } = states[node.state];
      return [{ form: 'window', roots, window: { part: 'windows', initial } }, { form: 'window', roots, window: { part: 'state', initial } }];
    }
    return [{ form: unit.form, roots }];
  }

  private buildLists(ids: ValueId, experts: number): void {
    if (this.lists.has(ids)) return;
    this.flush();
    const { entry, level } = this;
    const type = typeOf(level.index, ids);
    const pairs = type.axes.map((a) => a.size).reduce((n, s) => multiplyDims(n, s), 1);
    const name = `${level.index.graph.name}.${ids}`;
    const others = !withinExtent(level, ids, experts);
    const lists = experts + Number(others);
    const spansAxes: Axis[] = [{ name: 'expert', size: lists }, { name: 'part', size: 2 }];
    const rowsAxes: Axis[] = [{ name: 'row', size: pairs }];
    const spans = add(entry, { kind: 'value', name: `${name}.spans`, dtype: 'i32', axes: spansAxes });
    const rows = add(entry, { kind: 'value', name: `${name}.rows`, dtype: 'i32', axes: rowsAxes });
    this.lists.set(ids, { experts, others, spans: { tensor: spans, dtype: 'i32', axes: spansAxes }, rows: { tensor: rows, dtype: 'i32', axes: rowsAxes } });
    const program = groupRows(`${entry.options.name}_${entry.kernels++}_group`, dimScalar(pairs), experts, entry.options.schedule.limits.ids, others);
    const zero = dimScalar(0);
    this.steps.push(launch({ program, bindings: [level.stored.get(ids)!.tensor, spans, rows] }, { contraction: zero, flops: dimScalar(multiplyDims(pairs, lists * 4)), bytes: dimScalar(multiplyDims(pairs, lists * 8)) }));
  }

  private repeat(node: Node & { op: 'repeat' }): void {
    this.flush();
    const { entry, level } = this;
    const given = new Map<ValueId, Stored>();
    const carries: { initial: number; inside: number; next: number; out: number }[] = [];
    node.body.inputs.forEach((input, i) => {
      const outer = level.stored.get(node.operands[i])!;
      if (i >= node.carries) return void given.set(input.value.id, outer);
      const type = { dtype: outer.dtype, axes: outer.axes };
      given.set(input.value.id, { tensor: add(entry, { kind: 'value', name: `${node.label}.${input.name}`, ...type }), ...type });
    });
    const placed = new Map<ValueId, number>();
    const body = scheduleLevel(entry, node.body, given, (value, type) => {
      placed.set(value, entry.tensors.length);
      return { kind: 'value', name: `${node.label}.${value}`, ...type };
    });
    const tensorOf = (value: ValueId): number => placed.get(value) ?? given.get(value)!.tensor;
    const stacked: { inside: number; out: number }[] = [];
    node.body.outputs.forEach((output, i) => {
      const out = level.stored.get(node.results[i].id)!.tensor;
      if (i < node.carries) carries.push({ initial: level.stored.get(node.operands[i])!.tensor, inside: given.get(node.body.inputs[i].value.id)!.tensor, next: tensorOf(output.value), out });
      else stacked.push({ inside: tensorOf(output.value), out });
    });
    this.steps.push({ kind: 'repeat', label: node.label || 'iteration', count: node.count, reverse: node.reverse, body, carries, stacked } as LaunchStep);
  }

  private collective(node: Node): void {
    this.flush();
    if (node.op !== 'all_reduce' && node.op !== 'all_gather' && node.op !== 'reduce_scatter') throw new Error(`schedule: '${node.op}' is no collective`);
    const tensor = (v: ValueId): number => this.level.stored.get(v)!.tensor;
    this.steps.push({ kind: 'collective', op: node.op, group: node.group, from: tensor(node.operands[0]), to: tensor(node.results[0].id) });
  }

  private flush(): void {
    if (this.pending.length === 0) return;
    this.steps.push(launch(mergePrograms(this.pending.map((p) => p.lowered)), sumCosts(this.pending.map((p) => p.cost))));
    this.pending = [];
  }
}

/** Ids that are places of an axis no longer than `extent`. */
function withinExtent({ index }: Pick<Level, 'index'>, ids: ValueId, extent: number): boolean {
  const node = index.producer.get(ids);
  if (node?.op === 'rename' || node?.op === 'slice') return withinExtent({ index }, node.operands[0], extent);
  const axis = node?.op === 'top' && typeOf(index, node.operands[0]).axes.find((a) => a.name === node.axis);
  return axis ? typeof axis.size === 'number' && axis.size <= extent : false;
}

function launch(lowered: Lowered, cost: UnitCost): LaunchStep {
  return { kind: 'launch', program: lowered.program, args: lowered.bindings.map((tensor) => ({ tensor, offset: 0 })), cost };
}
