/**
 * How the elements of a tile are divided among the invocations of a workgroup: along each axis, coordinate =
 * repetition * threads + thread, so that neighbours in an axis belong to neighbouring invocations. Along a `paired` axis
 * it is pairs of neighbours that are divided so, since two 16-bit elements are stored as one word.
 */
import type { TileAxis } from '../../compiler/ir/kernel.js';
import { add, divide, modulo, scale, type Affine, type Bind } from './affine.js';

export interface DistributedAxis {
  readonly name: string;
  readonly size: number;
  readonly threads: number;
  /** Even along a paired axis. */
  readonly repetitions: number;
  readonly paired: boolean;
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
export function distribute(shape: readonly TileAxis[], invocations: number, run: number, paired?: string): Distribution {
  const units = shape.map((a) => (a.name === paired ? Math.ceil(a.size / 2) : a.size));
  const threads = shape.map(() => 1);
  let used = 1;
  const left = (i: number): number => Math.ceil(units[i] / threads[i]);
  const grow = (i: number): void => { threads[i] *= 2; used *= 2; };
  const inner = shape.length - 1;
  while (inner >= 0 && used * 2 <= invocations && threads[inner] < Math.min(run, nextPowerOfTwo(units[inner]))) grow(inner);
  while (used * 2 <= invocations) {
    let best = inner;
    for (let i = inner; i >= 0; i--) if (left(i) > left(best)) best = i;
    if (best < 0 || left(best) <= 1) break;
    grow(best);
  }
  const axes = shape.map((a, i) => ({ ...a, threads: threads[i], repetitions: left(i) * (a.name === paired ? 2 : 1), paired: a.name === paired }));
  return { axes, threads: used, slots: axes.reduce((n, a) => n * a.repetitions, 1) };
}

/** The coordinate of a repetition of invocation `thread` along `axis`. */
export function coordinateOf(axis: DistributedAxis, repetition: Affine, thread: Affine, bind: Bind): Affine {
  if (!axis.paired) return add(scale(repetition, axis.threads), thread);
  return add(add(scale(divide(repetition, 2, bind), 2 * axis.threads), scale(thread, 2)), modulo(repetition, 2, bind));
}
