/**
 * `repeat`: the body is read once per iteration, with the index as a number, so that conditions and tables choose per
 * layer; `factor` then rolls equal iterations up again.
 */
import type { RepeatStatement } from '../../dsl/ast.js';
import * as messages from '../../dsl/check-messages.js';
import type { Graph, Value as GraphValue } from '../ir/graph.js';
import { requireExtent } from './dims.js';
import { sizeOf } from './elementwise.js';
import { evaluate } from './evaluate.js';
import { factor } from './factor.js';
import { Abandoned, childInstance, fail, tensor, type Frame } from './frame.js';
import { GraphScope } from './graph-scope.js';
import { integer } from './number.js';
import { Scope } from './scope.js';
import { boundNames, execute } from './statements.js';
import { describe, errorValue, none, type Value } from './value.js';

/** One iteration as a graph of its own. Inputs: carried tensors, then captured values of the graph around it. */
export interface Iteration {
  readonly graph: Graph;
  /** Names of the tensors that enter, in the order of the inputs, and of those that leave, in the order of the outputs. */
  readonly enters: readonly string[];
  readonly leaves: readonly string[];
  readonly captures: readonly GraphValue[];
  /** Paths of the outputs behind `leaves`. */
  readonly exports: readonly (readonly string[])[];
  /** `layers[3]`, which parameters' and states' paths start with. */
  readonly prefix: string;
}

export function executeRepeat(frame: Frame, s: RepeatStatement): void {
  if (frame.emitted !== undefined) fail(messages.repeatInScan(s.span));
  const count = iterations(frame, s);
  const names = carriedNames(frame, s);
  const initial = new Map<string, Value>();
  for (const c of s.carry ?? []) if (c.initial !== undefined) initial.set(c.name.name, evaluate(frame, c.initial));
  let carried = new Map<string, Value>(names.map((n) => [n, initial.get(n) ?? frame.scope.find(n) ?? none]));
  const start = carried;
  const done: Iteration[] = [];
  try {
    for (let i = 0; i < count; i++) {
      const [iteration, next] = executeIteration(frame, s, i, carried);
      done.push(iteration);
      carried = next;
    }
  } catch (e) {
    for (const n of names) frame.scope.set(n, errorValue);
    throw e;
  }
  const results = factor(frame, s.label, done, new Map([...start].flatMap(([n, v]) => (v.kind === 'tensor' ? [[n, frame.graph.use(v)] as const] : []))));
  for (const [n, v] of carried) {
    if (v.kind === 'tensor') frame.scope.set(n, { ...tensor(frame, results.get(n)!, s.span), settled: v.settled });
    else if (frame.scope.findAssignable(n) !== undefined) frame.scope.set(n, v);
  }
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

function executeIteration(frame: Frame, s: RepeatStatement, index: number, carried: ReadonlyMap<string, Value>): readonly [Iteration, Map<string, Value>] {
  const label = { ...s.label, written: true };
  const instance = childInstance(frame.instance, { label, index, owner: s, name: s.label.name, span: s.span });
  const graph = new GraphScope(s.label.name, { params: frame.run.params, states: frame.run.states }, frame.graph);
  const scope = new Scope(frame.scope);
  const inside: Frame = { ...frame, scope, instance, graph, depth: frame.depth + 1 };
  const enters: string[] = [];
  for (const [name, value] of carried) {
    if (value.kind !== 'tensor') { scope.set(name, value); continue; }
    enters.push(name);
    scope.set(name, { ...tensor(inside, graph.builder.input(name, value.value.type), value.span), settled: value.settled });
  }
  scope.set(s.index.name, { ...integer(index), from: [{ name: s.index.name, value: index, span: s.index.span, from: [] }] });
  const errors = frame.run.diagnostics.length;
  execute(inside, s.body);
  if (frame.run.diagnostics.length > errors) throw new Abandoned();
  const next = new Map([...carried.keys()].map((n) => [n, scope.find(n)!]));
  const leaving = [...next].flatMap(([n, v]) => (v.kind === 'tensor' ? [{ name: n, value: graph.use(v) }] : []));
  const exports = graph.exports.map((x, i) => ({ name: `export${i}`, value: x.value }));
  return [{
    graph: graph.builder.finish([...leaving, ...exports]), enters, leaves: leaving.map((l) => l.name),
    captures: graph.captures.map((c) => c.outer), exports: graph.exports.map((x) => x.paths), prefix: instance.path,
  }, next];
}
