/** Axis lists: the small algebra that type rules, passes and interpreters share. Sizes may be symbolic. */
import { addDims, equalDims, printDim, type Dim } from './dim.js';
import type { Axis, TensorType } from './graph.js';

export function findAxis(axes: readonly Axis[], name: string): Axis | undefined {
  for (const axis of axes) if (axis.name === name) return axis;
  return undefined;
}

export function hasAxis(axes: readonly Axis[], name: string): boolean {
  return findAxis(axes, name) !== undefined;
}

export function axisNames(axes: readonly Axis[]): string[] {
  return axes.map((a) => a.name);
}

export function withoutAxes(axes: readonly Axis[], names: readonly string[]): readonly Axis[] {
  if (names.length === 0) return axes;
  return axes.filter((a) => !names.includes(a.name));
}

/** Numbers and shared symbols compare by identity first: the general comparison prints both. */
export function sameSize(a: Dim, b: Dim): boolean {
  return a === b || (!(typeof a === 'number' && typeof b === 'number') && equalDims(a, b));
}

/** The axes of `a`, then those that only `b` has; throws (as `stage`) if a common axis has two sizes. */
export function unionAxes(a: readonly Axis[], b: readonly Axis[], stage: string): readonly Axis[] {
  let out: Axis[] | undefined;
  for (const axis of b) {
    const mine = findAxis(out ?? a, axis.name);
    if (mine === undefined) (out ??= [...a]).push(axis);
    else requireSameSize(mine, axis, stage);
  }
  return out ?? a;
}

export function requireSameSize(a: Axis, b: Axis, stage: string): void {
  if (sameSize(a.size, b.size)) return;
  throw new Error(`${stage}: axis '${a.name}' has size ${printDim(a.size)} in one operand and ${printDim(b.size)} in another`);
}

/** `axes` with the axis `name` replaced, in place, by `by`. */
export function replaceAxis(axes: readonly Axis[], name: string, by: readonly Axis[]): Axis[] {
  return axes.flatMap((a) => (a.name === name ? by : [a]));
}

/** The same set of axes with the same sizes, in any order. */
export function sameAxes(a: readonly Axis[], b: readonly Axis[]): boolean {
  return a.length === b.length && a.every((x) => { const y = findAxis(b, x.name); return y !== undefined && sameSize(x.size, y.size); });
}

/** Equal dtype and axes, order included. */
export function sameType(a: TensorType, b: TensorType): boolean {
  return a.dtype === b.dtype && a.axes.length === b.axes.length
    && a.axes.every((x, i) => x.name === b.axes[i].name && sameSize(x.size, b.axes[i].size));
}

export function sumSizes(sizes: readonly Dim[]): Dim {
  return sizes.reduce((a, b) => (typeof a === 'number' && typeof b === 'number' ? a + b : addDims(a, b)));
}

export function requireAxis(type: TensorType, name: string, stage: string): Axis {
  const axis = findAxis(type.axes, name);
  if (axis === undefined) throw new Error(`${stage}: no axis '${name}' in ${printType(type)}`);
  return axis;
}

/** `[tokens, heads: 64] f32`; a dynamic axis named like its dim prints once. */
export function printType(type: TensorType): string {
  const parts = type.axes.map((a) => { const size = printDim(a.size); return size === a.name ? size : `${a.name}: ${size}`; });
  return `[${parts.join(', ')}] ${type.dtype}`;
}
