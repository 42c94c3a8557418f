/** Index tables: which element of one tile stands at each element of another, computed once per program. */
import type { TileAxis } from '../ir/kernel.js';
import type { Shape } from './build-shapes.js';
import type { Register } from './interpret-machine.js';

export function volume(shape: Shape): number {
  return shape.reduce((n, a) => n * a.size, 1);
}

/** Row-major strides by axis name. */
export function stridesByName(shape: Shape): Map<string, number> {
  const out = new Map<string, number>();
  let stride = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    out.set(shape[i].name, stride);
    stride *= shape[i].size;
  }
  return out;
}

/** For every element of `shape` (row-major): the sum of its indices times `strides` (0 for names not in there). */
export function offsets(shape: Shape, strides: ReadonlyMap<string, number>): Int32Array {
  let out = new Int32Array(1);
  for (const axis of shape) {
    const step = strides.get(axis.name) ?? 0;
    const next = new Int32Array(out.length * axis.size);
    for (let i = 0; i < out.length; i++) for (let j = 0; j < axis.size; j++) next[i * axis.size + j] = out[i] + j * step;
    out = next;
  }
  return out;
}

/** Where each element of `to` is found in a tile of shape `from` (aligned by name); undefined if at the same place. */
export function alignment(from: Shape, to: Shape): Int32Array | undefined {
  const order = (shape: Shape): string => shape.filter((a) => a.size > 1).map((a) => a.name).join();
  return order(from) === order(to) ? undefined : offsets(to, stridesByName(from));
}

/** out[i] = value[table[i]]. */
export function gatherElements(out: Register, value: Register, table: Int32Array): void {
  for (let i = 0; i < table.length; i++) out[i] = value[table[i]];
}

/** `shape` with `axis` replaced by the axes `into`, which lie row-major in it. */
export function replaceAxis(shape: Shape, axis: string, into: readonly TileAxis[]): TileAxis[] {
  return shape.flatMap((a) => (a.name === axis ? into : [a]));
}
