/**
 * `scan (q, k) carry s : [dk, dv] f32 = 0 { .. emit q @ s }`: the body is a graph of its own, over one token (step) or
 * over the rows of a chunk. Inside, nothing is rounded: carried values keep their declared dtype.
 */
import type { ScanExpr, Statement } from '../../dsl/ast.js';
import * as messages from '../../dsl/check-messages.js';
import type { Span } from '../../dsl/span.js';
import { hasAxis, replaceAxis, sameAxes } from '../ir/axes.js';
import { symbol } from '../ir/dim.js';
import type { DType } from '../ir/dtype.js';
import type { Axis, Graph, TensorType, Value as GraphValue } from '../ir/graph.js';
import { graphAxis, type AxisValue } from './axis.js';
import { requireTensor, tensorAxes } from './contract.js';
import { claimState, requireCount } from './declare.js';
import { resolveAxis } from './dims.js';
import { spread } from './elementwise.js';
import { evaluate } from './evaluate.js';
import { Abandoned, building, fail, modelInput, place, tensor, type Frame } from './frame.js';
import { GraphScope } from './graph-scope.js';
import { Scope } from './scope.js';
import { execute } from './statements.js';
import type { TensorValue, Value } from './value.js';

/** `start`: what a sequence starts with, where that is no number. */
interface Carry { readonly name: string; readonly type: TensorType; readonly state: number; readonly start?: TensorValue; readonly span: Span }
interface Row { readonly name: string; readonly value: TensorValue }

export function evaluateScan(frame: Frame, e: ScanExpr): Value {
  if (frame.emitted !== undefined) fail(messages.nestedScan(e.span));
  const carries = e.carries.map((c) => declareCarry(frame, c));
  const rows = e.inputs.map((name) => inputRow(frame, name));
  if (carries.some((c) => c.start !== undefined)) rows.push({ name: firstRow, value: frame.run.inputs.get('position')! });
  const step = buildBody(frame, e, rows, carries, [], e.body);
  const chunk = e.chunk === undefined ? undefined : buildChunk(frame, e, e.chunk, rows, carries, step);
  const captured = chunk?.captured ?? step.captured;
  const builder = building(frame, e.span);
  const results = builder.scan({
    emits: step.emits.length, states: carries.map((c) => c.state), body: step.finish(captured),
    ...(chunk === undefined ? {} : { chunk: { size: chunk.size, axis: chunk.axis, body: chunk.body } }),
  }, {
    xs: rows.map((r) => frame.graph.use(r.value)), carries: carries.map((c) => builder.state(c.state)), captured,
    position: modelInput(frame, 'position'), sequence: modelInput(frame, 'sequence'), starts: modelInput(frame, 'starts'),
  });
  const emitted = step.emits.map((_, i) => tensor(frame, results[i], e.span));
  return emitted.length === 1 ? emitted[0] : { kind: 'tuple', items: emitted };
}

/** An input that bodies do not see: the tokens' positions, which say where a sequence starts. No name of a spec has a space. */
const firstRow = 'the position';

function inputRow(frame: Frame, name: ScanExpr['inputs'][number]): Row {
  const value = evaluate(frame, { kind: 'name', ...name });
  const x = spread(frame, requireTensor(frame, { value, span: name.span }, 'an input of scan'), name.span);
  if (!hasAxis(x.value.type.axes, 'tokens')) fail(messages.scanInput(name.name, { span: name.span, axes: tensorAxes(frame, x) }));
  return { name: name.name, value: x };
}

function declareCarry(frame: Frame, c: ScanExpr['carries'][number]): Carry {
  const axes = c.type.axes.map((a) => graphAxis(resolveAxis(frame, a)));
  const dtype = (c.type.dtype?.name as DType | undefined) ?? 'f32';
  const initial = evaluate(frame, c.initial);
  const start = initial.kind === 'number' ? undefined : startOf(frame, c, initial, axes);
  const pool: Axis = { name: 'pool', size: symbol('pool') };
  const path = claimState(frame, c.name.name, c.name.span);
  const state = frame.run.states.push({ paths: [path], policy: 'recurrent', type: { dtype, axes: [pool, ...axes] }, initial: initial.kind === 'number' ? initial.value : 0, span: c.name.span }) - 1;
  return { name: c.name.name, type: { dtype, axes }, state, span: c.name.span, ...(start === undefined ? {} : { start }) };
}

/** Parameters and constants over the carry's axes, or some of them. */
function startOf(frame: Frame, c: ScanExpr['carries'][number], initial: Value, axes: readonly Axis[]): TensorValue {
  const start = requireTensor(frame, { value: initial, span: c.initial.span }, `what ${c.name.name} starts as`);
  if (!start.fixed) fail(messages.carryInitial(c.name.name, c.initial.span));
  const extra = start.value.type.axes.filter((a) => !hasAxis(axes, a.name));
  if (extra.length > 0) fail(messages.carryAxes(c.name.name, { span: c.type.span, axes: axes.map((a) => frame.run.axes.get(a.name)) }, { span: c.initial.span, axes: tensorAxes(frame, start) }));
  return start;
}

interface Body {
  readonly emits: readonly TensorType[];
  readonly captured: readonly GraphValue[];
  /** The graph, its captured inputs being these values of the graph around it, in this order. */
  finish(captured: readonly GraphValue[]): Graph;
}

/** Reads a body. `rows` replaces the tokens axis: nothing for a step, the chunk's axis for a chunk. */
function buildBody(frame: Frame, e: ScanExpr, inputs: readonly Row[], carries: readonly Carry[], rows: readonly AxisValue[], statements: readonly Statement[], names: ReadonlyMap<string, AxisValue> = new Map()): Body {
  const graph = new GraphScope(rows.length === 0 ? 'step' : 'chunk', { params: frame.run.params, states: frame.run.states }, frame.graph);
  const scope = new Scope(frame.scope);
  const emitted: TensorValue[] = [];
  const inside: Frame = { ...frame, scope, graph, wide: true, emitted };
  for (const [name, axis] of names) scope.set(name, axis);
  const bind = (name: string, type: TensorType, span: Span): void => {
    scope.set(name, { ...tensor(inside, graph.builder.input(name, type), span), settled: true });
  };
  for (const { name, value } of inputs) {
    const { dtype, axes } = frame.graph.use(value).type;
    bind(name, { dtype, axes: replaceAxis(axes, 'tokens', rows.map(graphAxis)) }, value.span);
  }
  for (const c of carries) bind(c.name, c.type, c.span);
  for (const c of carries) if (c.start !== undefined) scope.set(c.name, started(inside, c, c.start, rows));
  const errors = frame.run.diagnostics.length;
  execute(inside, statements);
  if (frame.run.diagnostics.length > errors) throw new Abandoned();
  if (emitted.length === 0) fail(messages.scanEmitsNothing(e.span));
  const outputs = [...emitted.map((t, i) => ({ name: `emit${i}`, value: graph.use(t) })), ...carries.map((c) => ({ name: c.name, value: nextCarry(inside, c) }))];
  return {
    emits: emitted.map((t) => graph.use(t).type), captured: graph.captures.map((c) => c.outer),
    finish: (captured) => orderInputs(graph, captured, inputs.length + carries.length, outputs),
  };
}

/** What is carried into a body, or what the sequence starts with if its first token is the body's first. */
function started(inside: Frame, c: Carry, start: TensorValue, rows: readonly AxisValue[]): TensorValue {
  const b = building(inside, c.span);
  const { graph, scope } = inside;
  const carried = scope.find(c.name) as TensorValue;
  const position = graph.use(scope.find(firstRow) as TensorValue);
  const first = rows.length === 0 ? position : b.pick(position, rows[0].name, 0);
  const value = graph.use(start);
  const whole = c.type.axes.reduce((x, axis) => (hasAxis(x.type.axes, axis.name) ? x : b.broadcast(x, axis)), b.cast(value, c.type.dtype));
  return { ...carried, value: b.map('select', b.map('equal', first, graph.scalar(0, 'i32')), whole, graph.use(carried)) };
}

function nextCarry(inside: Frame, c: Carry): GraphValue {
  const next = requireTensor(inside, { value: inside.scope.find(c.name)!, span: c.span }, `the carried ${c.name}`);
  const value = inside.graph.use(next);
  if (!sameAxes(value.type.axes, c.type.axes)) {
    fail(messages.carryAxes(c.name, { span: c.span, axes: c.type.axes.map((a) => inside.run.axes.get(a.name)) }, { span: next.span, axes: tensorAxes(inside, next) }));
  }
  return value.type.dtype === c.type.dtype ? value : building(inside, c.span).cast(value, c.type.dtype);
}

/** Both bodies take the same captured values: those that only the other one reads become inputs here too. */
function orderInputs(graph: GraphScope, captured: readonly GraphValue[], own: number, outputs: readonly { readonly name: string; readonly value: GraphValue }[]): Graph {
  const known = new Map(graph.captures.map((c) => [c.outer, c.inner]));
  const inner = captured.map((outer, i) => known.get(outer) ?? graph.builder.input(`captured${i}`, outer.type));
  const finished = graph.builder.finish(outputs);
  const byId = new Map(finished.inputs.map((input) => [input.value.id, input]));
  return { ...finished, inputs: [...finished.inputs.slice(0, own), ...inner.map((v) => byId.get(v.id)!)] };
}

function buildChunk(frame: Frame, e: ScanExpr, chunk: NonNullable<ScanExpr['chunk']>, inputs: readonly Row[], carries: readonly Carry[], step: Body): { readonly size: number; readonly axis: string; readonly body: Graph; readonly captured: readonly GraphValue[] } {
  const size = requireCount(frame, 'chunk', chunk.size);
  if (chunk.names.length > 2) fail(messages.chunkNames(chunk.names[2].span));
  const names = new Map(chunk.names.map((n) => [n.name, frame.run.axes.fresh(place(frame, n.span), n.name, size)]));
  const rows = names.get(chunk.names[0].name)!;
  const body = buildBody(frame, e, inputs, carries, [rows], chunk.body, names);
  body.emits.forEach((t, i) => {
    const wanted = step.emits[i];
    if (wanted === undefined || t.dtype !== wanted.dtype || !sameAxes(t.axes, [graphAxis(rows), ...wanted.axes])) fail(messages.chunkEmits(rows.spelling, chunk.span, e.span));
  });
  if (body.emits.length !== step.emits.length) fail(messages.chunkEmits(rows.spelling, chunk.span, e.span));
  const captured = [...new Set([...step.captured, ...body.captured])];
  return { size, axis: rows.name, body: body.finish(captured), captured };
}
