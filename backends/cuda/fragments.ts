/** The register layouts that the matrix instructions prescribe, for a block's whole operand. */
import type { TileAxis } from '../../compiler/ir/kernel.js';
import type { Layout, Place } from './layout.js';

/** How the warps of a block share a product of [m, n]: `m` times `n` of them, each a contiguous part. */
export interface WarpGrid {
  readonly m: number;
  readonly n: number;
  /** Every one of the `n` warps computes all columns. */
  readonly repeat: boolean;
  /** Rows of one instruction: 16 for mma.sync (one warp), 64 for wgmma (four warps, 16 rows each). */
  readonly rows: 16 | 64;
}

function powers(from: number, below: number): number[] {
  const out: number[] = [];
  for (let v = from; v < below; v *= 2) out.push(v);
  return out;
}

/** Smallest power of two that is at least `size` and `least`. */
export function paddedSize(size: number, least: number): number {
  let out = least;
  while (out < size) out *= 2;
  return out;
}

function warpMoves(grid: WarpGrid, m: number, n: number): Place[] {
  const inner = grid.rows === 64 ? [[16, 0], [32, 0]] : [];
  const outer = powers(m / (grid.rows === 64 ? grid.m / 4 : grid.m), m).map((v) => [v, 0]);
  const columns = powers(1, grid.n).map((w) => [0, grid.repeat ? 0 : (n / grid.n) * w]);
  return [...inner, ...outer, ...columns];
}

function rowRepeats(grid: WarpGrid, m: number): Place[] {
  return powers(grid.rows, m / (grid.rows === 64 ? grid.m / 4 : grid.m)).map((v) => [v, 0]);
}

const lanes: readonly Place[] = [[0, 2], [0, 4], [1, 0], [2, 0], [4, 0]];

/** f32 accumulators of [m, n]: registers in the order column pair, row half, columns of 8, rows. */
export function accumulatorLayout(m: TileAxis, n: TileAxis, grid: WarpGrid): Layout {
  const columns = grid.repeat ? n.size : n.size / grid.n;
  return {
    axes: [m, n], lanes, warps: warpMoves(grid, m.size, n.size),
    registers: [[0, 1], [8, 0], ...powers(8, columns).map((v) => [0, v]), ...rowRepeats(grid, m.size)],
  };
}

/** 16-bit left operand of [m, k], k a power of two of at least 16. Over 16 columns or more an accumulator has the same form. */
export function leftLayout(m: TileAxis, k: TileAxis, grid: WarpGrid): Layout {
  return {
    axes: [m, k], lanes, warps: warpMoves({ ...grid, repeat: true }, m.size, 1),
    registers: [[0, 1], [8, 0], ...powers(8, k.size).map((v) => [0, v]), ...rowRepeats(grid, m.size)],
  };
}

/** 16-bit right operand of [n, 16] for mma.sync. */
export function rightLayout(n: TileAxis, k: TileAxis, grid: WarpGrid): Layout {
  const columns = grid.repeat ? n.size : n.size / grid.n;
  const warps = [...powers(1, grid.m).map(() => [0, 0]), ...powers(1, grid.n).map((w) => [grid.repeat ? 0 : columns * w, 0])];
  return {
    axes: [n, k], lanes: [[0, 2], [0, 4], [1, 0], [2, 0], [4, 0]], warps,
    registers: [[0, 1], [0, 8], ...powers(8, columns).map((v) => [v, 0])],
  };
}
