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
import { foreignReads, iterationOf, resolveState, type WrittenStates } from './foreign-states.js';
import { inline, type StateReads, type TableMap } from './inline.js';
import { signature } from './signature.js';
import { isSmall } from './small-bodies.js';

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

/** Whether each place of the period uses members of shared lists at one distance from repetition to repetition. */
function isEven(iterations: readonly Iteration[], { start, period, times }: Run): boolean {
  return Array.from({ length: period }, (_, j) => j).every((j) =>
    risesEvenly(Array.from({ length: times }, (_, t) => rowsOf(iterations[start + t * period + j].graph))));
}

/** Rows of all uses of shared parameters, in order. */
function rowsOf(graph: Graph): readonly number[] {
  return graph.nodes.flatMap((n) => (n.op === 'repeat' ? rowsOf(n.body) : n.op === 'param' ? n.rows ?? [] : []));
}

function risesEvenly(rows: readonly (readonly number[])[]): boolean {
  if (rows.length < 2) return true;
  return rows.every((list, t) => list.every((row, k) => row - rows[0][k] === t * (rows[1][0] - rows[0][0])));
}

/** How a read of another iteration's state counts as equal: the same distance back, the same iteration, or never. */
const readings = ['distance', 'place', 'never'] as const;
type Reading = (typeof readings)[number];

function readingText(reading: Reading, it: Iteration): (path: string) => string {
  const repeat = it.prefix.slice(0, it.prefix.lastIndexOf('[') + 1);
  const own = iterationOf(it.prefix, repeat)!;
  return (path) => {
    const target = iterationOf(path, repeat);
    if (target === undefined || reading === 'place') return path;
    return reading === 'distance' ? `${path.slice(path.indexOf(']', repeat.length))} ${own - target} before` : `${path} of ${own}`;
  };
}

/**
 * The fewest runs in which every read of another iteration's state means the same in each repetition, and members of a
 * shared list are used evenly: they are addressed by a stride per repeat.
 */
function runsOf(frame: Frame, iterations: readonly Iteration[]): readonly Run[] {
  for (const reading of readings) for (const exact of [false, true]) {
    const runs = findRuns(classify(frame, iterations, reading, exact));
    if (runs.every((run) => run.times === 1 || (agrees(frame, iterations, run, reading) && isEven(iterations, run)))) return runs;
  }
  throw new Error('factor: iterations that all differ are rolled up');
}

/**
 * Distances must stay inside a repetition, places outside the run. What a repeat inside an iteration wrote for that same
 * iteration has a slot that moves with it: such iterations stay apart.
 */
function agrees(frame: Frame, iterations: readonly Iteration[], run: Run, reading: Reading): boolean {
  const end = run.start + run.period * run.times;
  return iterations.slice(run.start, end).every((it, n) => foreignReads(it.graph).every((read) => {
    const target = iterationOf(frame.run.states[read.state].paths[0], it.prefix.slice(0, it.prefix.lastIndexOf('[') + 1));
    if (target === undefined) return true;
    if (target === run.start + n) return false;
    return reading === 'distance' ? target >= run.start + n - (n % run.period) : target < run.start || target >= end;
  }));
}

/** `exact`: iterations that use different members of a shared list differ. */
function classify(frame: Frame, iterations: readonly Iteration[], reading: Reading, exact: boolean): readonly number[] {
  const numbers = new Map<string, number>();
  const texts = new Map<Graph, string>();
  const outer = new Map<GraphValue, number>();
  const idOf = (v: GraphValue): number => { if (!outer.has(v)) outer.set(v, outer.size); return outer.get(v)!; };
  return iterations.map((it) => {
    const key = texts.get(it.graph) ?? `${it.enters.join()};${it.leaves.join()};${it.captures.map(idOf).join()};${exact ? rowsOf(it.graph).join() : ''};${signature(it.graph, frame.run, it.readAs, readingText(reading, it))}`;
    // What a read means depends on the iteration, not on the graph alone.
    if (foreignReads(it.graph).length === 0) texts.set(it.graph, key);
    if (!numbers.has(key)) numbers.set(key, numbers.size);
    return numbers.get(key)!;
  });
}

/** Emits the iterations into the frame's graph. Returns the carried tensors that leave the last one. */
export function factor(frame: Frame, label: Identifier, iterations: readonly Iteration[], initial: ReadonlyMap<string, GraphValue>): ReadonlyMap<string, GraphValue> {
  let carried = initial;
  for (const run of runsOf(frame, iterations)) {
    const period = iterations.slice(run.start, run.start + run.period);
    const once = run.times === 1 || isSmall(period.map((it) => it.graph), run.times);
    carried = once ? emitOnce(frame, iterations.slice(run.start, run.start + run.period * run.times), carried)
      : emitRun(frame, label, iterations, run, carried);
  }
  return carried;
}

function readsIn(frame: Frame, written: WrittenStates): StateReads {
  return { written, find: (read) => resolveState(frame.run.moved, read.state, read.at).state };
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
    const outputs = inline(frame.graph.builder, it.graph, inputsOf(it, carried, (v) => v), mergeTables(frame.run, [it]), readsIn(frame, frame.graph.written));
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
  const reads = readsIn(frame, new Map());
  const outputs: { name: string; value: GraphValue }[] = [];
  const exported: (readonly string[])[] = [];
  for (const column of columns) {
    const tables: TableMap = mergeTables(frame.run, column);
    const results = inline(builder, column[0].graph, inputsOf(column[0], carried, (v) => captured.get(v)!), tables, reads);
    carried = named(column[0], results);
    column[0].exports.forEach((_, i) => {
      outputs.push({ name: `export${exported.length}`, value: results[column[0].leaves.length + i] });
      exported.push(column.flatMap((it) => it.exports[i].map((p) => pathIn(it, p))));
    });
  }
  const leaving = [...carried].map(([n, value]) => ({ name: n, value }));
  return { body: builder.finish([...leaving, ...outputs]), exported };
}
