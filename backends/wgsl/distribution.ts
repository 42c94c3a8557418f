/**
 * How the elements of a tile are divided among the invocations of a workgroup: along each axis, coordinate =
 * repetition * threads + thread, so that neighbours in an axis belong to neighbouring invocations.
 */
import type { TileAxis } from '../../compiler/ir/kernel.js';

export interface DistributedAxis {
  readonly name: string;
  readonly size: number;
  readonly threads: number;
  readonly repetitions: number;
}

/** Axes outermost first; the invocation index is row-major in `threads`. */
export interface Distribution {
  readonly axes: readonly DistributedAxis[];
  readonly threads: number;
  /** Elements per invocation (some outside the tile if sizes do not divide). */
  readonly slots: number;
}

function nextPowerOfTwo(n: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, n)));
}

/**
 * First up to `run` neighbours of the innermost axis, then whatever axis has the most repetitions left, so that the
 * elements of one invocation form a block with few distinct coordinates per axis.
 */
export function distribute(shape: readonly TileAxis[], invocations: number, run: number): Distribution {
  const threads = shape.map(() => 1);
  let used = 1;
  const left = (i: number): number => Math.ceil(shape[i].size / threads[i]);
  const grow = (i: number): void => { threads[i] *= 2; used *= 2; };
  const inner = shape.length - 1;
  while (inner >= 0 && used * 2 <= invocations && threads[inner] < Math.min(run, nextPowerOfTwo(shape[inner].size))) grow(inner);
  while (used * 2 <= invocations) {
    let best = inner;
    for (let i = inner; i >= 0; i--) if (left(i) > left(best)) best = i;
    if (best < 0 || left(best) <= 1) break;
    grow(best);
  }
  const axes = shape.map((a, i) => ({ ...a, threads: threads[i], repetitions: left(i) }));
  return { axes, threads: used, slots: axes.reduce((n, a) => n * a.repetitions, 1) };
}
