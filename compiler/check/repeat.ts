/**
 * `repeat`: the body is read with the index as a number, so that conditions and tables choose per layer, once for every
 * different set of choices; `factor` then rolls equal iterations up again.
 */
import type { RepeatStatement } from '../../dsl/ast.js';
import * as messages from '../../dsl/check-messages.js';
import type { Span } from '../../dsl/span.js';
import { sameAxes } from '../ir/axes.js';
import type { Graph, TensorType, Value as GraphValue } from '../ir/graph.js';
import { inOrder } from './axis-order.js';
import { requireExtent } from './dims.js';
import { sizeOf } from './elementwise.js';
import { evaluate } from './evaluate.js';
import { factor } from './factor.js';
import { foreignReads } from './foreign-states.js';
import { Abandoned, childInstance, fail, tensor, type Frame, type PathDecision } from './frame.js';
import { GraphScope } from './graph-scope.js';
import { indexUses, isPlain, plain, valuesAt } from './index-uses.js';
import { integer } from './number.js';
import { Scope } from './scope.js';
import { boundNames, execute } from './statements.js';
import { mapTensors, tensorsIn } from './tensors-in.js';
import { describe, errorValue, none, type Value } from './value.js';

/** One iteration as a graph of its own. Inputs: carried tensors, then captured values of the graph around it. */
export interface Iteration {
  readonly graph: Graph;
  /** Names of the tensors that enter, in the order of the inputs, and of those that leave, in the order of the outputs. */
  readonly enters: readonly string[];
  readonly leaves: readonly string[];
  readonly captures: readonly GraphValue[];
  /** Paths of the outputs behind `leaves`, as in the graph. */
  readonly exports: readonly (readonly string[])[];
  /** `layers[1]`: what the graph's paths start with; in this iteration they start with `prefix` instead. */
  readonly readAs: string;
  readonly prefix: string;
}

/** `path`, which is the graph's, in this iteration. */
export function pathIn(it: Iteration, path: string): string {
  return it.prefix !== it.readAs && path.startsWith(it.readAs) ? it.prefix + path.slice(it.readAs.length) : path;
}

interface Step { readonly iteration: Iteration; readonly carried: ReadonlyMap<string, Value>; readonly decisions: readonly PathDecision[] }

export function executeRepeat(frame: Frame, s: RepeatStatement): void {
  if (frame.emitted !== undefined) fail(messages.repeatInScan(s.span));
  const count = iterations(frame, s);
  const names = carriedNames(frame, s);
  const initial = new Map<string, Value>();
  for (const c of s.carry ?? []) if (c.initial !== undefined) initial.set(c.name.name, evaluate(frame, c.initial));
  const start = new Map<string, Value>(names.map((n) => [n, initial.get(n) ?? frame.scope.find(n) ?? none]));
  let steps: readonly Step[];
  try {
    steps = executeIterations(frame, s, count, start);
  } catch (e) {
    for (const n of names) frame.scope.set(n, errorValue);
    throw e;
  }
  const entering = new Map([...start].flatMap(([n, v]) => tensorsIn(n, v)).map(([n, t]) => [n, frame.graph.use(t)]));
  const results = factor(frame, s.label, steps.map((step) => step.iteration), entering);
  for (const [n, v] of steps.at(-1)!.carried) {
    const left = mapTensors(n, v, (t, at) => ({ ...tensor(frame, results.get(at)!, s.span), settled: t.settled }));
    if (tensorsIn(n, v).length > 0 || frame.scope.findAssignable(n) !== undefined) frame.scope.set(n, left);
  }
}

function executeIterations(frame: Frame, s: RepeatStatement, count: number, start: ReadonlyMap<string, Value>): readonly Step[] {
  const uses = indexUses(frame, s.body, s.index.name);
  const known = new Map<string, Step>();
  const steps: Step[] = [];
  let carried = start;
  for (let i = 0; i < count; i++) {
    const choices = valuesAt(frame, uses, s.index.name, integer(i));
    const entering = carriedKey(carried);
    const key = choices === undefined || entering === undefined ? undefined : `${choices} ${entering}`;
    const like = key === undefined ? undefined : known.get(key);
    const step = (like && again(frame, like, i)) ?? executeIteration(frame, s, i, carried);
    if (key !== undefined && like === undefined) known.set(key, step);
    steps.push(step);
    carried = step.carried;
  }
  return steps;
}

/** What the carried values decide in the body: tensors by their type, others by their value. */
function carriedKey(carried: ReadonlyMap<string, Value>): string | undefined {
  const parts = [...carried].map(([name, v]) => {
    const tensors = tensorsIn(name, v);
    if (v.kind === 'state') return `state ${v.state}`;
    return tensors.length === 0 ? (isPlain(v) ? JSON.stringify(plain(v)) : undefined) : tensors.map(([at, t]) => `${at} ${JSON.stringify(t.value.type)} ${t.settled}`).join();
  });
  return parts.some((p) => p === undefined) ? undefined : parts.join();
}

/** The iteration `like` for another index, unless a checkpoint, a quantize rule or a tap treats its paths differently. */
function again(frame: Frame, like: Step, index: number): Step | undefined {
  // A state that it hands on, or reads from a repeat inside, is its own: another iteration means another one.
  const { readAs } = like.iteration;
  const isOwn = (state: number): boolean => frame.run.states[state].paths[0].startsWith(readAs);
  if ([...like.carried.values()].some((v) => v.kind === 'state' && isOwn(v.state))) return undefined;
  if (foreignReads(like.iteration.graph).some((read) => isOwn(read.state))) return undefined;
  const iteration: Iteration = { ...like.iteration, prefix: like.iteration.readAs.replace(/\d+\]$/, `${index}]`) };
  const decisions = like.decisions.map((d) => ({ ...d, path: pathIn(iteration, d.path) }));
  if (decisions.some((d) => d.decide(d.path) !== d.value)) return undefined;
  frame.run.decisions.push(...decisions);
  return { ...like, iteration };
}

function iterations(frame: Frame, s: RepeatStatement): number {
  const value = evaluate(frame, s.count);
  const number = value.kind === 'axis' ? sizeOf(value, s.count.span) : value;
  return number.kind === 'number' ? requireExtent(number, s.label.name, s.count.span) : fail(messages.notADim(s.label.name, describe(value), s.count.span));
}

/** What an iteration hands to the next: as written, or every outer name that the body assigns. */
function carriedNames(frame: Frame, s: RepeatStatement): readonly string[] {
  if (s.carry !== undefined) return s.carry.map((c) => c.name.name);
  return [...new Set(s.body.flatMap(boundNames))].filter((n) => frame.scope.findAssignable(n) !== undefined);
}

/** A carried value leaves with its axes in the order in which it entered. */
function asEntered(inside: Frame, value: GraphValue, entered: TensorType | undefined, span: Span): GraphValue {
  return entered !== undefined && sameAxes(entered.axes, value.type.axes) ? inOrder(inside, value, entered.axes, span) : value;
}

function executeIteration(frame: Frame, s: RepeatStatement, index: number, carried: ReadonlyMap<string, Value>): Step {
  const label = { ...s.label, written: true };
  const instance = childInstance(frame.instance, { label, index, owner: s, name: s.label.name, span: s.span });
  const graph = new GraphScope(s.label.name, { params: frame.run.params, states: frame.run.states }, frame.graph);
  const scope = new Scope(frame.scope);
  const inside: Frame = { ...frame, scope, instance, graph, depth: frame.depth + 1 };
  const enters: string[] = [];
  for (const [name, value] of carried) {
    scope.set(name, mapTensors(name, value, (t, at) => {
      enters.push(at);
      return { ...tensor(inside, graph.builder.input(at, t.value.type), t.span), settled: t.settled };
    }));
  }
  scope.set(s.index.name, { ...integer(index), from: [{ name: s.index.name, value: index, span: s.index.span, from: [] }] });
  const errors = frame.run.diagnostics.length;
  const decided = frame.run.decisions.length;
  execute(inside, s.body);
  if (frame.run.diagnostics.length > errors) throw new Abandoned();
  const next = new Map([...carried.keys()].map((n) => [n, scope.find(n)!]));
  const entering = new Map([...carried].flatMap(([n, v]) => tensorsIn(n, v)).map(([name, t]) => [name, t.value.type]));
  const leaving = [...next].flatMap(([n, v]) => tensorsIn(n, v)).map(([name, t]) => ({ name, value: asEntered(inside, graph.use(t), entering.get(name), t.span) }));
  const exports = graph.exports.map((x, i) => ({ name: `export${i}`, value: x.value }));
  const iteration: Iteration = {
    graph: graph.builder.finish([...leaving, ...exports]), enters, leaves: leaving.map((l) => l.name),
    captures: graph.captures.map((c) => c.outer), exports: graph.exports.map((x) => x.paths), readAs: instance.path, prefix: instance.path,
  };
  return { iteration, carried: next, decisions: frame.run.decisions.slice(decided) };
}
