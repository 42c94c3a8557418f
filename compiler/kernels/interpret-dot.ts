/**
 * Products of tiles. Operands are brought to [batch, rows, depth]; products are summed in f64 in the order of depth, then
 * added to the accumulator and rounded to f32 once per `dot`.
 */
import type { Statement, Tile } from '../ir/kernel.js';
import type { Shape } from './build-shapes.js';
import { defineTile, tileOf, type Action, type Machine, type Register } from './interpret-machine.js';
import { alignment, gatherElements, volume } from './interpret-tables.js';

type Dot = Extract<Statement, { op: 'dot' }>;

export function compileDot(m: Machine, s: Dot): Action {
  const [a, b] = [tileOf(m, s.a), tileOf(m, s.b)];
  const named = (names: readonly string[], of: Tile): Shape => names.map((n) => of.shape.find((x) => x.name === n)!);
  const depth = named(s.over, a.tile);
  const has = (t: Tile, name: string): boolean => t.shape.some((x) => x.name === name);
  const batch = a.tile.shape.filter((x) => has(b.tile, x.name) && !s.over.includes(x.name));
  const rows = a.tile.shape.filter((x) => !has(b.tile, x.name));
  const columns = b.tile.shape.filter((x) => !has(a.tile, x.name));
  const left = operand(a.register as Float32Array, a.tile.shape, [...batch, ...rows, ...depth]);
  const right = operand(b.register as Float32Array, b.tile.shape, [...batch, ...columns, ...depth]);
  const [sizes, B] = [{ M: volume(rows), N: volume(columns), K: volume(depth) }, volume(batch)];
  const acc = s.acc === undefined ? undefined : (tileOf(m, s.acc).register as Float32Array);
  const out = defineTile(m, s.out) as Float32Array;
  const place = alignment([...batch, ...rows, ...columns], s.out.shape);
  const sums = new Float64Array(B * sizes.M * sizes.N);
  const finish = finishSums(sums, place, acc, out);
  return () => {
    const [l, r] = [left(), right()];
    for (let i = 0; i < B; i++) multiply(l, i * sizes.M * sizes.K, r, i * sizes.N * sizes.K, sums, i * sizes.M * sizes.N, sizes);
    finish();
  };
}

/** The operand's elements in the order of `wanted`: the register itself where that is its order. */
function operand(register: Float32Array, shape: Shape, wanted: Shape): () => Float32Array {
  const table = alignment(shape, wanted);
  if (!table) return () => register;
  const copy = new Float32Array(table.length);
  return () => { gatherElements(copy, register as Register, table); return copy; };
}

function finishSums(sums: Float64Array, place: Int32Array | undefined, acc: Float32Array | undefined, out: Float32Array): Action {
  return () => {
    for (let i = 0; i < sums.length; i++) {
      const sum = sums[place ? place[i] : i];
      out[i] = acc ? acc[i] + sum : sum;
    }
  };
}

interface Sizes { readonly M: number; readonly N: number; readonly K: number }

/** sums[m, n] = sum over k of a[m, k] * b[n, k]; two rows by four columns at a time, so that operands are reused. */
function multiply(a: Float32Array, aAt: number, b: Float32Array, bAt: number, sums: Float64Array, sAt: number, { M, N, K }: Sizes): void {
  let m = 0;
  for (; m + 2 <= M; m += 2) {
    let n = 0;
    for (; n + 4 <= N; n += 4) block2x4(a, aAt + m * K, b, bAt + n * K, sums, sAt + m * N + n, N, K);
    for (; n < N; n++) for (let i = m; i < m + 2; i++) block1x1(a, aAt + i * K, b, bAt + n * K, sums, sAt + i * N + n, K);
  }
  if (m === M) return;
  let n = 0;
  for (; n + 4 <= N; n += 4) block1x4(a, aAt + m * K, b, bAt + n * K, sums, sAt + m * N + n, K);
  for (; n < N; n++) block1x1(a, aAt + m * K, b, bAt + n * K, sums, sAt + m * N + n, K);
}

/* The inner loops avoid destructuring, which costs more than the products do. */
function block2x4(a: Float32Array, aAt: number, b: Float32Array, bAt: number, sums: Float64Array, at: number, N: number, K: number): void {
  let s0 = 0, s1 = 0, s2 = 0, s3 = 0, t0 = 0, t1 = 0, t2 = 0, t3 = 0;
  const a1 = aAt + K, b1 = bAt + K, b2 = b1 + K, b3 = b2 + K;
  for (let k = 0; k < K; k++) {
    const x = a[aAt + k], y = a[a1 + k];
    const w0 = b[bAt + k], w1 = b[b1 + k], w2 = b[b2 + k], w3 = b[b3 + k];
    s0 += x * w0; s1 += x * w1; s2 += x * w2; s3 += x * w3;
    t0 += y * w0; t1 += y * w1; t2 += y * w2; t3 += y * w3;
  }
  sums[at] = s0; sums[at + 1] = s1; sums[at + 2] = s2; sums[at + 3] = s3;
  sums[at + N] = t0; sums[at + N + 1] = t1; sums[at + N + 2] = t2; sums[at + N + 3] = t3;
}

function block1x4(a: Float32Array, aAt: number, b: Float32Array, bAt: number, sums: Float64Array, at: number, K: number): void {
  let s0 = 0, s1 = 0, s2 = 0, s3 = 0;
  const b1 = bAt + K, b2 = b1 + K, b3 = b2 + K;
  for (let k = 0; k < K; k++) {
    const x = a[aAt + k];
    s0 += x * b[bAt + k]; s1 += x * b[b1 + k]; s2 += x * b[b2 + k]; s3 += x * b[b3 + k];
  }
  sums[at] = s0; sums[at + 1] = s1; sums[at + 2] = s2; sums[at + 3] = s3;
}

function block1x1(a: Float32Array, aAt: number, b: Float32Array, bAt: number, sums: Float64Array, at: number, K: number): void {
  let sum = 0;
  for (let k = 0; k < K; k++) sum += a[aAt + k] * b[bAt + k];
  sums[at] = sum;
}
