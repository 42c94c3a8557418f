/** One layer of the standard library as a whole model, in f64: what it gives, and the parameters that it had. */
import { expect } from 'vitest';
import { interpret } from '../../compiler/ir/interpret-graph.js';
import { verifyModule } from '../../compiler/ir/verify-graph.js';
import { moduleOf } from '../support/elaborate-text.js';
import { launchInputs, seededParams } from '../support/interpret-text.js';

export const tokens = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5];
const vocab = 11;

export interface OneLayer {
  /** Per token, the last axes flattened. */
  readonly out: readonly (readonly number[])[];
  /** The layer's input, one row per token. */
  readonly x: readonly (readonly number[])[];
  /** A parameter by its path, row-major. */
  readonly param: (path: string) => readonly number[];
}

/** `value` of the embeddings x [tokens, hidden], all parameters random in (-1, 1). */
export function oneLayer(uses: string, value: string, { hidden = 8, items = '', before = '' } = {}): OneLayer {
  const module = moduleOf(`use std.{embedding, ${uses}}
${items}
model M {
  dim vocab = ${vocab}
  dim hidden = ${hidden}
  x = embed = embedding(tokens, vocab, hidden)
  ${before}
  logits = f = ${value}
}`);
  expect(verifyModule(module)).toEqual([]);
  const params = seededParams(module);
  const { inputs, dims } = launchInputs(tokens, 0);
  const { data } = interpret(module, { params, inputs, dims, exact: true }).outputs.logits;
  const param = (path: string): readonly number[] => {
    const index = module.params.findIndex((p) => p.paths[0] === path);
    if (index < 0) throw new Error(`no parameter ${path}, only ${module.params.map((p) => p.paths[0]).join(', ')}`);
    return [...(params(index, 0) as Float64Array)];
  };
  const table = param('embed.table');
  const size = data.length / tokens.length;
  return {
    out: tokens.map((_, t) => [...data.slice(t * size, (t + 1) * size)]), param,
    x: tokens.map((id) => table.slice(id * hidden, (id + 1) * hidden)),
  };
}

export function expectRows(found: readonly (readonly number[])[], wanted: readonly (readonly number[])[]): void {
  expect(found.length).toBe(wanted.length);
  expect(Math.max(...wanted.flat().map(Math.abs))).toBeGreaterThan(1e-3);
  found.forEach((row, t) => {
    expect(row.length).toBe(wanted[t].length);
    row.forEach((v, k) => expect(Math.abs(v - wanted[t][k]), `token ${t}, element ${k}: ${v} for ${wanted[t][k]}`).toBeLessThan(1e-11));
  });
}

export const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0);
export const dot = (a: readonly number[], b: readonly number[]): number => sum(a.map((v, i) => v * b[i]));
/** Rows of a row-major matrix with `columns` columns. */
export const rows = (matrix: readonly number[], columns: number): number[][] => Array.from({ length: matrix.length / columns }, (_, r) => matrix.slice(r * columns, (r + 1) * columns));
export const apply = (matrix: readonly number[], v: readonly number[]): number[] => rows(matrix, v.length).map((r) => dot(r, v));
export const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v));
