/**
 * What the matrix instructions do, from the register tables of the PTX ISA (9.7.14.5.8, 9.7.15.5.1), written down
 * independently of the layouts that the lowering computes with. Registers are [element][lane].
 */
import { fromBf16, roundTo } from '../../compiler/kernels/half.js';

export type Registers = Float32Array | Int32Array;

const group = (lane: number): number => lane >> 2;
const thread = (lane: number): number => lane & 3;

export const leftRow = (e: number, lane: number): number => group(lane) + 8 * ((e >> 1) & 1);
const leftColumn = (e: number, lane: number): number => 2 * thread(lane) + (e & 1) + 8 * (e >> 2);
const rightDepth = (e: number, lane: number): number => 2 * thread(lane) + (e & 1) + 8 * (e >> 1);
/** Accumulator e of m16 or of one warp's rows of m64: row e / 2 mod 2, columns of 8. */
const resultRow = (e: number, lane: number): number => group(lane) + 8 * ((e >> 1) & 1);
const resultColumn = (e: number, lane: number): number => 2 * thread(lane) + (e & 1) + 8 * (e >> 2);

/** 16 x 16 values, row-major, from 8 registers starting at `from`. */
export function gatherLeft(a: Registers, from: number): Float32Array {
  const out = new Float32Array(256);
  for (let e = 0; e < 8; e++) for (let lane = 0; lane < 32; lane++) out[leftRow(e, lane) * 16 + leftColumn(e, lane)] = a[(from + e) * 32 + lane];
  return out;
}

/** d[4 elements from `at`] += left (16 x 16) times right (8 columns x 16, by column), summed before rounding to f32. */
export function multiplyInto(d: Registers, at: number, left: Float32Array, right: Float32Array): void {
  for (let e = 0; e < 4; e++) for (let lane = 0; lane < 32; lane++) {
    const [row, column] = [resultRow(e, lane) * 16, resultColumn(e, lane) * 16];
    let sum = 0;
    for (let k = 0; k < 16; k++) sum += left[row + k] * right[column + k];
    d[(at + e) * 32 + lane] += sum;
  }
}

/** All m16n8k16 products of a warp: `rows` by `columns` of them. `depth`: stretches of 16 that the left fragment has. */
export function mmaSync(d: Registers, a: Registers, b: Registers, shape: { rows: number; columns: number; depth: number }, step: number): void {
  for (let i = 0; i < shape.rows; i++) {
    const left = gatherLeft(a, (i * shape.depth + step) * 8);
    for (let j = 0; j < shape.columns; j++) {
      const right = new Float32Array(128);
      for (let e = 0; e < 4; e++) for (let lane = 0; lane < 32; lane++) right[group(lane) * 16 + rightDepth(e, lane)] = b[(j * 4 + e) * 32 + lane];
      multiplyInto(d, (i * shape.columns + j) * 4, left, right);
    }
  }
}

/** Code e of a packed word, times its scale, as bf16. */
export function decodeCode(word: number, e: number, scaleBits: number): number {
  const code = (word >>> (4 * ((e >> 1) + 4 * (e & 1)))) & 15;
  return roundTo('bf16', (code - 8) * fromBf16(scaleBits));
}
