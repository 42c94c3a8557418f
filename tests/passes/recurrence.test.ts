import { describe, expect, it } from 'vitest';
import { interpret } from '../../compiler/ir/interpret-graph.js';
import { choosePackings } from '../../compiler/passes/choose-packings.js';
import { schedule } from '../../compiler/passes/schedule.js';
import { scheduleFor, type Target } from '../../compiler/kernels/targets.js';
import { runLaunches } from '../support/run-launches.js';
import { tinyRecurrence } from '../support/tiny-recurrence.js';

const lengths = [11, 1, 6];
const width = 6;
let seed = 3;
const next = (): number => { seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0; return seed / 2 ** 32 - 0.5; };
const x = lengths.map((n) => Float32Array.from({ length: n * width }, () => next() * 2));
const weights = new Map<number, Float32Array>();

/** Runs the sequences in launches of at most `piece` tokens each; all sequences advance together. */
function run(piece: number, execute: (dims: Record<string, number>, inputs: Record<string, Float32Array | Int32Array>) => Float32Array): number[][] {
  const out: number[][] = lengths.map(() => []);
  for (let from = 0; from < Math.max(...lengths); from += piece) {
    const parts = lengths.map((n, s) => ({ s, from: Math.min(from, n), to: Math.min(from + piece, n) }));
    const rows = parts.flatMap((p) => Array.from({ length: p.to - p.from }, (_, i) => ({ s: p.s, at: p.from + i })));
    const starts = [0];
    for (const p of parts) starts.push(starts[starts.length - 1] + p.to - p.from);
    const values = execute({ tokens: rows.length, sequences: lengths.length, pool: 4, outputs: 0, context: 16 }, {
      x: Float32Array.from(rows.flatMap((r) => [...x[r.s].subarray(r.at * width, (r.at + 1) * width)])),
      position: Int32Array.from(rows, (r) => r.at), sequence: Int32Array.from(rows, (r) => r.s), starts: Int32Array.from(starts),
    });
    rows.forEach((r, i) => out[r.s].push(...values.subarray(i * 6, (i + 1) * 6)));
  }
  return out;
}

describe('a gated delta rule with a short convolution', () => {
  const module = tinyRecurrence();
  const params = (param: number): Float32Array => {
    const old = weights.get(param);
    if (old) return old;
    const made = Float32Array.from({ length: module.params[param].type.axes.reduce((n, a) => n * (a.size as number), 1) }, () => next() * 1.5);
    weights.set(param, made);
    return made;
  };
  const want = run(100, (dims, inputs) => Float32Array.from(interpret(module, { params, inputs, dims }).outputs.out.data));
  for (const target of ['reference', 'cpu'] as Target[]) for (const few of [true, false]) for (const piece of [100, 5, 1]) {
    it(`${target}, ${few ? 'step' : 'chunk'} body, ${piece} tokens at a time`, () => {
      const choices = scheduleFor(target, few);
      const entry = schedule(module, { name: 'e', dims: [], schedule: choices, packings: choosePackings(module, choices.panel) });
      // Garbage in the state: a sequence that starts must not see it.
      const kept = [new Uint8Array(new Float32Array(4 * 3 * width).fill(7).buffer), new Uint8Array(new Float32Array(4 * 2 * 5 * 3).fill(9).buffer)];
      const got = run(piece, (dims, inputs) => runLaunches(module, entry, { dims, inputs, params, states: kept.map((k) => [k]) }).out);
      got.forEach((values, s) => values.forEach((v, i) => expect(Math.abs(v - want[s][i])).toBeLessThan(3e-6)));
    });
  }
});
