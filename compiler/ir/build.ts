/** Builds one Graph, inferring every type. Bodies are built by builders of their own and passed to `repeat` and `scan`. */
import type { Span } from '../../dsl/span.js';
import type { DType } from './dtype.js';
import type { Expr, ScalarFunction } from './expr.js';
import type { AttendSource, Axis, Graph, Node, Operation, Storage, TensorType, Value } from './graph.js';
import { inferTypes, type TypeContext } from './ops.js';

type Repeat = Extract<Operation, { op: 'repeat' }>;
type Scan = Extract<Operation, { op: 'scan' }>;
type Attend = Extract<Operation, { op: 'attend' }>;

/**
 * One method per op; each appends a node and returns its (first) value. `span` and `label`, when set, are put on every
 * node built from then on. Throws, naming the op, if operands do not fit or belong to another graph.
 */
export class GraphBuilder {
  span: Span | undefined;
  label: string | undefined;
  private readonly inputs: { readonly name: string; readonly value: Value }[] = [];
  private readonly nodes: Node[] = [];
  private readonly values: Value[] = [];
  /** By value id; none for inputs. */
  private readonly producers: (Node | undefined)[] = [];

  /** `context` is read when a node needs it, so its tables may still grow. */
  constructor(readonly name: string, readonly context: TypeContext) {}

  input(name: string, type: TensorType): Value {
    const value = this.define(type);
    this.inputs.push({ name, value });
    return value;
  }

  /** The value of input `index`, in the order of declaration. */
  inputValue(index: number): Value {
    return this.inputs[index].value;
  }

  private define(type: TensorType): Value {
    const value = { id: this.values.length, type };
    this.values.push(value);
    return value;
  }

  /** Appends any op; `declared` is the type of a `const` or `iota`. Returns all results. */
  emit(operation: Operation, operands: readonly Value[], declared?: TensorType): readonly Value[] {
    for (const o of operands) {
      if (o === undefined || this.values[o.id] !== o) throw new Error(`${operation.op}: an operand does not belong to graph '${this.name}'`);
    }
    const results = inferTypes(operation, operands.map((o) => o.type), this.context, declared).map((t) => this.define(t));
    // A repeat's own `label` (its axis) wins over the builder's.
    const node: Node = { span: this.span, label: this.label, ...operation, operands: operands.map((o) => o.id), results };
    this.nodes.push(node);
    for (const r of results) this.producers[r.id] = node;
    return results;
  }

  /** The node that defines `value`; none for an input. */
  producer(value: Value): Node | undefined {
    return this.producers[value.id];
  }

  /** The values that `node`, a node of this graph, reads. */
  operandsOf(node: Node): readonly Value[] {
    return node.operands.map((id) => this.values[id]);
  }

  private one(operation: Operation, ...operands: Value[]): Value { return this.emit(operation, operands)[0]; }

  param(param: number, rows?: readonly number[]): Value { return this.one(rows === undefined ? { op: 'param', param } : { op: 'param', param, rows }); }
  state(state: number, at?: number): Value { return this.one(at === undefined ? { op: 'state', state } : { op: 'state', state, at }); }

  constant(type: TensorType, data: readonly number[], perIteration?: readonly (readonly number[])[]): Value {
    return this.emit(perIteration === undefined ? { op: 'const', data } : { op: 'const', data, perIteration }, [], type)[0];
  }

  scalar(value: number, dtype: DType = 'f32'): Value { return this.constant({ dtype, axes: [] }, [value]); }
  iota(axis: Axis, dtype: DType = 'i32'): Value { return this.emit({ op: 'iota', axis: axis.name }, [], { dtype, axes: [axis] })[0]; }
  map(fn: ScalarFunction, ...operands: Value[]): Value { return this.one({ op: 'map', fn }, ...operands); }
  cast(x: Value, to: DType): Value { return this.one({ op: 'cast', to }, x); }
  rename(x: Value, from: string, to: string): Value { return this.one({ op: 'rename', from, to }, x); }
  split(x: Value, axis: string, into: readonly Axis[]): Value { return this.one({ op: 'split', axis, into }, x); }
  merge(x: Value, axes: readonly string[], into: string): Value { return this.one({ op: 'merge', axes, into }, x); }

  slice(x: Value, axis: string, range: { readonly start: number; readonly step?: number; readonly size: number; readonly into?: string }): Value {
    return this.one({ op: 'slice', axis, start: range.start, step: range.step ?? 1, size: range.size, into: range.into ?? axis }, x);
  }

  pick(x: Value, axis: string, at: number): Value { return this.one({ op: 'pick', axis, at }, x); }

  concat(parts: readonly { readonly value: Value; readonly axis: string }[], into: string): Value {
    return this.one({ op: 'concat', axes: parts.map((p) => p.axis), into }, ...parts.map((p) => p.value));
  }

  stack(parts: readonly Value[], into: string): Value { return this.one({ op: 'stack', into }, ...parts); }
  broadcast(x: Value, axis: Axis): Value { return this.one({ op: 'broadcast', axis }, x); }
  reduce(x: Value, fn: 'add' | 'maximum' | 'minimum', over: readonly string[]): Value { return this.one({ op: 'reduce', fn, over }, x); }
  contract(a: Value, b: Value, over: readonly string[]): Value { return this.one({ op: 'contract', over }, a, b); }

  /** b gathered along `axis` by `ids`, without storing that. */
  contractSelected(a: Value, b: Value, over: readonly string[], axis: string, ids: Value): Value {
    return this.one({ op: 'contract', over, select: { axis } }, a, b, ids);
  }

  cumulate(x: Value, axis: string, reverse = false): Value { return this.one({ op: 'cumulate', axis, reverse }, x); }
  top(x: Value, axis: string, k: number, into: string): Value { return this.one({ op: 'top', axis, k, into }, x); }
  /** See the op: `k` is i32 on an axis of its own, `p` and `temperature` are f32 scalars. */
  nucleus(x: Value, axis: string, limits: { readonly k: Value; readonly p: Value; readonly temperature: Value }): Value {
    return this.one({ op: 'nucleus', axis }, x, limits.k, limits.p, limits.temperature);
  }
  solveLower(a: Value, b: Value, rows: string, columns: string): Value { return this.one({ op: 'solve_lower', rows, columns }, a, b); }
  gather(x: Value, ids: Value, axis: string): Value { return this.one({ op: 'gather', axis }, x, ids); }
  scatter(x: Value, ids: Value, values: Value, axis: string, mode: 'set' | 'add'): Value { return this.one({ op: 'scatter', axis, mode }, x, ids, values); }
  stateWrite(state: number, value: Value, slot: Value, entry: Value): Value { return this.one({ op: 'state_write', state }, value, slot, entry); }

  window(state: number, size: number, into: string, o: { readonly value: Value; readonly x: Value; readonly position: Value; readonly sequence: Value; readonly starts: Value }): { readonly x: Value; readonly next: Value } {
    const [x, next] = this.emit({ op: 'window', state, size, into }, [o.value, o.x, o.position, o.sequence, o.starts]);
    return { x, next };
  }

  /** `exports` asks for the maximal scores as `maximum`. */
  attend(attributes: {
    readonly over: readonly string[]; readonly score: Expr; readonly mask: Expr; readonly causal: boolean;
    readonly window?: number; readonly sink?: number; readonly block: number; readonly exports: boolean; readonly rules?: readonly AttendSource[];
  }, o: {
    readonly q: Value; readonly position: Value; readonly sequence: Value; readonly blocks: Value;
    readonly sources: readonly { readonly k: Value; readonly v: Value; readonly keys: string; readonly picks?: Value }[]; readonly extras?: readonly Value[];
  }): { readonly out: Value; readonly maximum?: Value } {
    const { rules, ...common } = attributes;
    const operation: Attend = { op: 'attend', ...common, keys: o.sources.map((s) => s.keys), ...(rules === undefined ? {} : { sources: rules }) };
    const picks = o.sources.flatMap((s) => (s.picks === undefined ? [] : [s.picks]));
    const operands = [o.q, o.position, o.sequence, o.blocks, ...o.sources.flatMap((s) => [s.k, s.v]), ...picks, ...(o.extras ?? [])];
    const [out, maximum] = this.emit(operation, operands);
    return { out, maximum };
  }

  /** The entries of a state with the largest scores; operands besides are the model's inputs. */
  selectKeys(attributes: Omit<Extract<Operation, { op: 'select_keys' }>, 'op'>, o: { readonly scores: Value; readonly position: Value; readonly sequence: Value; readonly blocks: Value; readonly extras?: readonly Value[] }): Value {
    return this.one({ op: 'select_keys', ...attributes }, o.scores, o.position, o.sequence, o.blocks, ...(o.extras ?? []));
  }

  /** Returns emitted values, then next state values. */
  scan(attributes: Omit<Scan, 'op' | 'inputs'>, o: {
    readonly xs: readonly Value[]; readonly carries: readonly Value[]; readonly captured?: readonly Value[];
    readonly position: Value; readonly sequence: Value; readonly starts: Value;
  }): readonly Value[] {
    const operands = [...o.xs, ...o.carries, ...(o.captured ?? []), o.position, o.sequence, o.starts];
    return this.emit({ op: 'scan', inputs: o.xs.length, ...attributes }, operands);
  }

  /** Returns final carries, then stacked values with a leading axis `label`. */
  repeat(attributes: Omit<Repeat, 'op' | 'carries' | 'reverse'> & { readonly reverse?: boolean }, carries: readonly Value[], captured: readonly Value[] = []): readonly Value[] {
    const { label, count, reverse = false, body } = attributes;
    return this.emit({ op: 'repeat', label, count, carries: carries.length, reverse, body }, [...carries, ...captured]);
  }

  stopGradient(x: Value): Value { return this.one({ op: 'stop_gradient' }, x); }
  straightThrough(value: Value, through: Value): Value { return this.one({ op: 'straight_through' }, value, through); }
  fakeQuantize(x: Value, storage: Storage): Value { return this.one({ op: 'fake_quantize', storage }, x); }
  allReduce(x: Value, group: string): Value { return this.one({ op: 'all_reduce', group }, x); }
  allGather(x: Value, group: string, axis: string): Value { return this.one({ op: 'all_gather', group, axis }, x); }
  reduceScatter(x: Value, group: string, axis: string): Value { return this.one({ op: 'reduce_scatter', group, axis }, x); }
  rank(group: string): Value { return this.one({ op: 'rank', group }); }

  /** The graph so far. Bodies name their outputs freely; their order is what `repeat` and `scan` read. */
  finish(outputs: readonly { readonly name: string; readonly value: Value }[]): Graph {
    for (const { name, value } of outputs) {
      if (this.values[value.id] !== value) throw new Error(`graph '${this.name}': output '${name}' belongs to another graph`);
    }
    return { name: this.name, inputs: [...this.inputs], nodes: [...this.nodes], outputs: outputs.map((o) => ({ name: o.name, value: o.value.id })) };
  }
}
