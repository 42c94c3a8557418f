/**
 * Rolls the iterations of a repeat up: equal stretches become `repeat` nodes, what happens once is put in place.
 *
 *   before   A B B B B          A B A B A B            (iterations, by what they do)
 *   after    A, repeat 4 (B)    repeat 3 (A B)
 *
 * Iterations are equal if their graphs differ only in the paths of parameters and states and in numbers of constants.
 */
import type { Identifier } from '../../dsl/ast.js';
import { GraphBuilder } from '../ir/build.js';
import type { Graph, Value as GraphValue } from '../ir/graph.js';
import type { Frame } from './frame.js';
import { mergeTables } from './merge-tables.js';
import { pathIn, type Iteration } from './repeat.js';
import { inline, type TableMap } from './inline.js';
import { signature } from './signature.js';

/** `times` repetitions of the `period` iterations from `start` on. */
export interface Run { readonly start: number; readonly period: number; readonly times: number }

/** What one more body weighs against one more run. */
const perBody = 1000;

/**
 * The fewest iteration bodies that cover `kinds` (equal numbers are equal iterations), then the fewest runs, then the
 * longest one first.
 */
export function findRuns(kinds: readonly number[]): readonly Run[] {
  const n = kinds.length;
  const best: { cost: number; run?: Run }[] = Array.from({ length: n + 1 }, () => ({ cost: Infinity }));
  best[n] = { cost: 0 };
  for (let start = n - 1; start >= 0; start--) {
    for (let period = 1; period <= n - start; period++) {
      if (period > 1 && 2 * period > n - start) break;
      let times = 1;
      for (;; times++) {
        const cost = period * perBody + 1 + best[start + period * times].cost;
        const { run } = best[start];
        const covered = run === undefined ? 0 : run.period * run.times;
        if (cost < best[start].cost || (cost === best[start].cost && period * times > covered)) best[start] = { cost, run: { start, period, times } };
        const next = start + period * times;
        if (next + period > n || !sameStretch(kinds, start, next, period)) break;
      }
    }
  }
  const runs: Run[] = [];
  for (let at = 0; at < n; at += runs.at(-1)!.period * runs.at(-1)!.times) runs.push(best[at].run!);
  return runs;
}

function sameStretch(kinds: readonly number[], a: number, b: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (kinds[a + i] !== kinds[b + i]) return false;
  return true;
}

/** Members of a shared list are addressed by a stride per repeat: uses that do not rise evenly are different bodies. */
function evenRuns(frame: Frame, iterations: readonly Iteration[]): readonly Run[] {
  const runs = findRuns(classify(frame, iterations, false));
  const even = runs.every((run) => Array.from({ length: run.period }, (_, j) => j).every((j) =>
    risesEvenly(Array.from({ length: run.times }, (_, t) => rowsOf(iterations[run.start + t * run.period + j].graph)))));
  return even ? runs : findRuns(classify(frame, iterations, true));
}

/** Rows of all uses of shared parameters, in order. */
function rowsOf(graph: Graph): readonly number[] {
  return graph.nodes.flatMap((n) => (n.op === 'repeat' ? rowsOf(n.body) : n.op === 'param' ? n.rows ?? [] : []));
}

function risesEvenly(rows: readonly (readonly number[])[]): boolean {
  if (rows.length < 2) return true;
  return rows.every((list, t) => list.every((row, k) => row - rows[0][k] === t * (rows[1][0] - rows[0][0])));
}

/** `exact`: iterations that use different members of a shared list differ. */
function classify(frame: Frame, iterations: readonly Iteration[], exact: boolean): readonly number[] {
  const numbers = new Map<string, number>();
  const texts = new Map<Graph, string>();
  const outer = new Map<GraphValue, number>();
  const idOf = (v: GraphValue): number => { if (!outer.has(v)) outer.set(v, outer.size); return outer.get(v)!; };
  return iterations.map((it) => {
    if (!texts.has(it.graph)) texts.set(it.graph, `${it.enters.join()};${it.leaves.join()};${it.captures.map(idOf).join()};${exact ? rowsOf(it.graph).join() : ''};${signature(it.graph, frame.run, it.readAs)}`);
    const key = texts.get(it.graph)!;
    if (!numbers.has(key)) numbers.set(key, numbers.size);
    return numbers.get(key)!;
  });
}

/** Emits the iterations into the frame's graph. Returns the carried tensors that leave the last one. */
export function factor(frame: Frame, label: Identifier, iterations: readonly Iteration[], initial: ReadonlyMap<string, GraphValue>): ReadonlyMap<string, GraphValue> {
  let carried = initial;
  for (const run of evenRuns(frame, iterations)) {
    carried = run.times === 1 ? emitOnce(frame, iterations.slice(run.start, run.start + run.period), carried)
      : emitRun(frame, label, iterations, run, carried);
  }
  return carried;
}

function inputsOf(it: Iteration, carried: ReadonlyMap<string, GraphValue>, captured: (v: GraphValue) => GraphValue): readonly GraphValue[] {
  return [...it.enters.map((n) => carried.get(n)!), ...it.captures.map(captured)];
}

function named(it: Iteration, outputs: readonly GraphValue[]): ReadonlyMap<string, GraphValue> {
  return new Map(it.leaves.map((n, i) => [n, outputs[i]]));
}

function emitOnce(frame: Frame, iterations: readonly Iteration[], initial: ReadonlyMap<string, GraphValue>): ReadonlyMap<string, GraphValue> {
  let carried = initial;
  for (const it of iterations) {
    const outputs = inline(frame.graph.builder, it.graph, inputsOf(it, carried, (v) => v), mergeTables(frame.run, [it]));
    it.exports.forEach((paths, i) => frame.graph.exports.push({ paths: paths.map((p) => pathIn(it, p)), value: outputs[it.leaves.length + i] }));
    carried = named(it, outputs);
  }
  return carried;
}

function emitRun(frame: Frame, label: Identifier, iterations: readonly Iteration[], run: Run, initial: ReadonlyMap<string, GraphValue>): ReadonlyMap<string, GraphValue> {
  const period = iterations.slice(run.start, run.start + run.period);
  const columns = period.map((_, j) => Array.from({ length: run.times }, (_, t) => iterations[run.start + t * run.period + j]));
  const captures = [...new Set(period.flatMap((it) => it.captures))];
  const axis = frame.run.axes.fresh(`repeat ${frame.instance.site} ${label.span.start} ${run.start}`, label.name, run.times);
  const { body, exported } = buildBody(frame, label.name, columns, initial, captures);
  const { builder } = frame.graph;
  builder.span = label.span;
  builder.label = undefined;
  const results = builder.repeat({ label: axis.name, count: run.times, body }, period[0].enters.map((n) => initial.get(n)!), captures);
  const last = period.at(-1)!;
  exported.forEach((paths, i) => frame.graph.exports.push({ paths, value: results[last.leaves.length + i] }));
  return named(last, results);
}

/** One body for all repetitions: the iterations of a period one after the other, with tables for what differs. */
function buildBody(frame: Frame, name: string, columns: readonly (readonly Iteration[])[], initial: ReadonlyMap<string, GraphValue>, captures: readonly GraphValue[]): { readonly body: Graph; readonly exported: readonly (readonly string[])[] } {
  const builder = new GraphBuilder(name, { params: frame.run.params, states: frame.run.states });
  const first = columns[0][0];
  let carried: ReadonlyMap<string, GraphValue> = new Map(first.enters.map((n) => [n, builder.input(n, initial.get(n)!.type)]));
  const captured = new Map(captures.map((v, i) => [v, builder.input(`captured${i}`, v.type)]));
  const outputs: { name: string; value: GraphValue }[] = [];
  const exported: (readonly string[])[] = [];
  for (const column of columns) {
    const tables: TableMap = mergeTables(frame.run, column);
    const results = inline(builder, column[0].graph, inputsOf(column[0], carried, (v) => captured.get(v)!), tables);
    carried = named(column[0], results);
    column[0].exports.forEach((_, i) => {
      outputs.push({ name: `export${exported.length}`, value: results[column[0].leaves.length + i] });
      exported.push(column.flatMap((it) => it.exports[i].map((p) => pathIn(it, p))));
    });
  }
  const leaving = [...carried].map(([n, value]) => ({ name: n, value }));
  return { body: builder.finish([...leaving, ...outputs]), exported };
}
