/** Runs a Graph node by node. A generator: it yields at every collective and goes on with what the group exchanged. */
import type { Graph, Module, Node, Value } from '../graph.js';
import { scanOperands } from '../ops-bodies.js';
import { attend, selectKeys } from './attend.js';
import type { Collective, Ranks } from './collectives.js';
import { contract } from './contract.js';
import { fakeQuantize } from './fake-quantize.js';
import { broadcast, cast, concat, map, merge, pick, relabel, slice, stack, row, storeRow } from './elementwise.js';
import { gather, scatter } from './indexing.js';
import { cumulate, nucleus, reduce, solveLower, top } from './reduce.js';
import { runsOf, stateWrite, window, type Run, type StateStore } from './state.js';
import { align, allocate, copyRegion, extents, makeTensor, strideOf, stridesOf, type Extent, type Tensor } from './tensor.js';

export interface Environment {
  readonly module: Module;
  readonly dims: Readonly<Record<string, number>>;
  readonly exact: boolean;
  readonly chunked: boolean;
  readonly ranks: Ranks;
  readonly param: (param: number, iteration: number) => Tensor;
  readonly states: StateStore;
}

export type Running = Generator<Collective, readonly Tensor[], Tensor>;

/** `iteration` counts those of all enclosing repeats, the outermost slowest. Returns the outputs in order. */
export function* runGraph(graph: Graph, args: readonly Tensor[], env: Environment, iteration: number): Running {
  const values: Tensor[] = [];
  graph.inputs.forEach(({ value }, i) => { values[value.id] = align(args[i], extents(value.type.axes, env.dims)); });
  for (const node of graph.nodes) {
    const operands = node.operands.map((id) => values[id]);
    const results = isNested(node) ? yield* runNested(node, operands, env, iteration) : runNode(node, operands, env, iteration);
    node.results.forEach((r, i) => { values[r.id] = results[i]; });
  }
  return graph.outputs.map((o) => values[o.value]);
}

type Nested = Extract<Node, { op: 'repeat' | 'scan' | 'all_reduce' | 'all_gather' | 'reduce_scatter' }>;

/** Nodes without a body that need no other rank. */
export type PlainNode = Exclude<Node, Nested>;

function isNested(node: Node): node is Nested {
  return ['repeat', 'scan', 'all_reduce', 'all_gather', 'reduce_scatter'].includes(node.op);
}

function* runNested(node: Nested, operands: readonly Tensor[], env: Environment, iteration: number): Running {
  switch (node.op) {
    case 'repeat': return yield* runRepeat(node, operands, env, iteration);
    case 'scan': return yield* runScan(node, operands, env, iteration);
    default: return [yield { op: node, value: operands[0] }];
  }
}

function constant(node: Extract<Node, { op: 'const' }>, value: Value, env: Environment, iteration: number): Tensor {
  const out = makeTensor(value.type, env.dims, env.exact);
  out.data.set(node.perIteration === undefined ? node.data : node.perIteration[iteration]);
  return out;
}

/** Nodes whose result is there already, or shares an operand's storage. */
const givenOps = ['param', 'state', 'const', 'stop_gradient', 'straight_through', 'rename', 'split', 'state_write'] as const;
type Given = Extract<PlainNode, { op: (typeof givenOps)[number] }>;

function isGiven(node: PlainNode): node is Given {
  return (givenOps as readonly string[]).includes(node.op);
}

function givenValue(node: Given, [x, y, z]: readonly Tensor[], env: Environment, iteration: number): Tensor {
  switch (node.op) {
    case 'param': return env.param(node.param, node.rows === undefined ? iteration : node.rows[iteration]);
    case 'state': return env.states.read(node.state, node.at ?? iteration);
    case 'const': return constant(node, node.results[0], env, iteration);
    case 'stop_gradient': case 'straight_through': return x;
    case 'rename': case 'split': return relabel(x, extents(node.results[0].type.axes, env.dims));
    case 'state_write': {
      const next = stateWrite(x, y, z);
      env.states.write(node.state, iteration, next);
      return next;
    }
  }
}

/** The results of one node that is neither a body nor a collective. */
export function runNode(node: PlainNode, operands: readonly Tensor[], env: Environment, iteration: number): readonly Tensor[] {
  if (isGiven(node)) return [givenValue(node, operands, env, iteration)];
  const [x, y, z] = operands;
  const outs = node.results.map((r) => makeTensor(r.type, env.dims, env.exact));
  const [out] = outs;
  switch (node.op) {
    case 'iota': out.data.forEach((_, i) => { out.data[i] = i; }); break;
    case 'map': map(node, operands, out); break;
    case 'cast': cast(x, out, env.exact); break;
    case 'merge': merge(node, x, out); break;
    case 'slice': slice(node, x, out); break;
    case 'pick': pick(node, x, out); break;
    case 'concat': concat(node, operands, out); break;
    case 'stack': stack(node, operands, out); break;
    case 'broadcast': broadcast(x, out); break;
    case 'reduce': reduce(node, x, out); break;
    case 'contract': contract(node, operands, out); break;
    case 'cumulate': cumulate(node, x, out); break;
    case 'top': top(node, x, out); break;
    case 'nucleus': nucleus(node, operands, out); break;
    case 'solve_lower': solveLower(node, x, y, out); break;
    case 'gather': gather(node, x, y, out); break;
    case 'scatter': scatter(node, x, y, z, out); break;
    case 'attend': attend(node, operands, out, node.exports ? outs[1] : undefined); break;
    case 'select_keys': selectKeys(node, operands, out); break;
    case 'fake_quantize': fakeQuantize(node, x, out); break;
    case 'rank': out.data[0] = env.ranks[node.group]?.index ?? 0; break;
    case 'window': {
      outs[1] = window(node, operands, env.module.states[node.state].initial, out);
      env.states.write(node.state, iteration, outs[1]);
      break;
    }
    default: node satisfies never;
  }
  return outs;
}

function* runRepeat(node: Extract<Node, { op: 'repeat' }>, operands: readonly Tensor[], env: Environment, iteration: number): Running {
  let carries = operands.slice(0, node.carries);
  const captured = operands.slice(node.carries);
  const stacked = node.results.slice(node.carries).map((r) => makeTensor(r.type, env.dims, env.exact));
  for (let n = 0; n < node.count; n++) {
    const i = node.reverse ? node.count - 1 - n : n;
    const outputs = yield* runGraph(node.body, [...carries, ...captured], env, iteration * node.count + i);
    carries = outputs.slice(0, node.carries);
    stacked.forEach((s, k) => storeRow(s, node.label, i, outputs[node.carries + k]));
  }
  return [...carries.map((c, k) => align(c, extents(node.results[k].type.axes, env.dims))), ...stacked];
}

type Scan = Extract<Node, { op: 'scan' }>;

function* runScan(node: Scan, operands: readonly Tensor[], env: Environment, iteration: number): Running {
  const { xs, carries, captured, position, sequence, starts } = scanOperands(node, operands);
  const tokens = position.axes[0].name;
  const emitted = node.results.slice(0, node.emits).map((r) => makeTensor(r.type, env.dims, env.exact));
  const next = node.fresh === undefined ? carries.map((c) => ({ ...c, data: c.data.slice() })) : [];
  for (const run of runsOf(position, sequence, starts)) {
    let current = carries.map((c, i) => (node.fresh === undefined ? startOf(c, run, env.module.states[node.states[i]].initial) : c));
    const step = env.chunked && node.chunk ? node.chunk.size : 1;
    for (let n = 0; n < run.end - run.first; n += step) {
      const t = node.reverse ? run.end - 1 - n : run.first + n;
      const rows = Math.min(step, run.end - t);
      const inputs = env.chunked && node.chunk ? xs.map((x) => rowsOf(x, tokens, t, rows, { name: node.chunk!.axis, size: node.chunk!.size }, env)) : xs.map((x) => row(x, tokens, t));
      const outputs = yield* runGraph(env.chunked && node.chunk ? node.chunk.body : node.body, [...inputs, ...current, ...captured], env, iteration);
      current = outputs.slice(node.emits);
      outputs.slice(0, node.emits).forEach((value, i) => {
        if (env.chunked && node.chunk) for (let r = 0; r < rows; r++) storeRow(emitted[i], tokens, t + r, row(value, node.chunk.axis, r));
        else storeRow(emitted[i], tokens, t, value);
      });
    }
    if (node.fresh === undefined) current.forEach((value, i) => storeRow(next[i], next[i].axes[0].name, run.sequence, value));
  }
  node.states.forEach((state, i) => env.states.write(state, iteration, next[i]));
  return [...emitted, ...next];
}

/** A sequence's carry at the start of the launch: its row of the state, or `initial` where the sequence itself starts. */
function startOf(state: Tensor, run: Run, initial: number): Tensor {
  const value = row(state, state.axes[0].name, run.sequence);
  if (run.position === 0) value.data.fill(initial);
  return value;
}

/** `count` rows from `first` on the axis `chunk`, then zeros. */
function rowsOf(x: Tensor, tokens: string, first: number, count: number, chunk: Extent, env: Environment): Tensor {
  const axes = x.axes.map((a) => (a.name === tokens ? chunk : a));
  const out: Tensor = { dtype: x.dtype, axes, data: allocate(x.dtype, axes.reduce((n, a) => n * a.size, 1), env.exact) };
  const step = strideOf(x, tokens);
  const filled = axes.map((a) => (a === chunk ? { name: a.name, size: count } : a));
  copyRegion(filled, out.data, 0, stridesOf(out, axes), x.data, first * step, axes.map((a) => (a === chunk ? step : strideOf(x, a.name))));
  return out;
}
