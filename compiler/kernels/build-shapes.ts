/**
 * What tile ops do to axes and dtypes. The builder infers with these functions and the verifier checks with them; each
 * throws an Error that says which axes disagree.
 */
import type { DType } from '../ir/dtype.js';
import { isFloat } from '../ir/dtype.js';
import type { Index, Tile, TileAxis, TileId, View } from '../ir/kernel.js';

export type Shape = readonly TileAxis[];

export function printShape(shape: Shape): string {
  return `[${shape.map((a) => `${a.name}: ${a.size}`).join(', ')}]`;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((x, i) => x.name === b[i].name && x.size === b[i].size);
}

/** Equal up to the order of axes. */
export function sameAxes(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((x) => b.some((y) => x.name === y.name && x.size === y.size));
}

/** All axes, in order of first appearance. */
export function unionAxes(...shapes: readonly Shape[]): TileAxis[] {
  const out: TileAxis[] = [];
  for (const axis of shapes.flat()) {
    const old = out.find((a) => a.name === axis.name);
    if (!old) out.push(axis);
    else if (old.size !== axis.size) throw new Error(`axis '${axis.name}' has size ${old.size} in one operand and ${axis.size} in another`);
  }
  return out;
}

export function axisOf(shape: Shape, name: string): TileAxis {
  const axis = shape.find((a) => a.name === name);
  if (!axis) throw new Error(`no axis '${name}' in ${printShape(shape)}`);
  return axis;
}

export function withoutAxes(shape: Shape, names: readonly string[]): TileAxis[] {
  names.forEach((n) => axisOf(shape, n));
  return shape.filter((a) => !names.includes(a.name));
}

function unique(shape: TileAxis[]): TileAxis[] {
  shape.forEach((a, i) => {
    if (!Number.isInteger(a.size) || a.size < 1) throw new Error(`axis '${a.name}' has size ${a.size}`);
    if (shape.findIndex((b) => b.name === a.name) !== i) throw new Error(`axis '${a.name}' appears twice in ${printShape(shape)}`);
  });
  return shape;
}

/** Axes that `at` spans: one per range, and those of index tiles where they first appear; equal names are matched. */
export function indexedAxes(view: View, at: readonly Index[], tileOf: (id: TileId) => Tile): TileAxis[] {
  if (at.length !== view.axes.length) throw new Error(`view '${view.name}' has ${view.axes.length} axes, indexed with ${at.length}`);
  const ranges = at.flatMap((i) => (i.kind === 'range' ? [{ name: i.axis, size: i.size }] : []));
  unique(ranges);
  const shapes = at.map((i): Shape => {
    switch (i.kind) {
      case 'point': return [];
      case 'range': return [{ name: i.axis, size: i.size }];
      case 'tile': {
        const tile = tileOf(i.tile);
        if (tile.dtype !== 'i32') throw new Error(`index tile of '${view.name}' is ${tile.dtype}, must be i32`);
        return tile.shape;
      }
    }
  });
  return unionAxes(...shapes);
}

/** `out` may be the stored dtype or, for 16-bit floats, f32. */
export function loadDType(view: View, wanted: DType | undefined): DType {
  const widened = isFloat(view.dtype) ? 'f32' : view.dtype;
  const out = wanted ?? widened;
  if (out !== widened && out !== view.dtype) throw new Error(`view '${view.name}' of ${view.dtype} cannot be loaded as ${out}`);
  return out;
}

/** Axes of acc if there is one (they must be the same axes), else a's then b's, without `over`. */
export function dotAxes(a: Tile, b: Tile, over: readonly string[], acc?: Tile): TileAxis[] {
  for (const name of over) { axisOf(a.shape, name); axisOf(b.shape, name); }
  if (!isFloat(a.dtype) || !isFloat(b.dtype)) throw new Error(`dot of ${a.dtype} and ${b.dtype}`);
  const out = withoutAxes(unionAxes(a.shape, b.shape), over);
  if (!acc) return out;
  if (acc.dtype !== 'f32' || !sameAxes(acc.shape, out)) throw new Error(`dot gives f32 ${printShape(out)}, its accumulator is ${acc.dtype} ${printShape(acc.shape)}`);
  return [...acc.shape];
}

/** Sums and extrema of 16-bit floats are f32; booleans must be cast first. */
export function reduceDType(value: Tile): DType {
  if (value.dtype === 'bool') throw new Error('reduce of bool: cast to i32 first');
  return isFloat(value.dtype) ? 'f32' : value.dtype;
}

export function renameAxes(shape: Shape, from: string, to: string): TileAxis[] {
  axisOf(shape, from);
  return unique(shape.map((a) => (a.name === from ? { name: to, size: a.size } : a)));
}

export function splitAxes(shape: Shape, axis: string, into: Shape): TileAxis[] {
  const size = into.reduce((n, a) => n * a.size, 1);
  if (axisOf(shape, axis).size !== size) throw new Error(`axis '${axis}' of size ${axisOf(shape, axis).size} cannot be split into ${printShape(into)}`);
  return unique(shape.flatMap((a) => (a.name === axis ? into : [a])));
}

/** The merged axis stands where the first of `axes` stood. */
export function mergeAxes(shape: Shape, axes: readonly string[], into: string): TileAxis[] {
  const size = axes.reduce((n, name) => n * axisOf(shape, name).size, 1);
  const rest = shape.flatMap((a) => (a.name === axes[0] ? [{ name: into, size }] : axes.includes(a.name) ? [] : [a]));
  return unique(rest);
}

export function sliceAxes(shape: Shape, axis: string, start: number, step: number, size: number): TileAxis[] {
  const whole = axisOf(shape, axis).size;
  if (start < 0 || step < 1 || size < 1 || start + (size - 1) * step >= whole) throw new Error(`slice ${start}, step ${step}, size ${size} is not inside axis '${axis}' of size ${whole}`);
  return shape.map((a) => (a.name === axis ? { name: axis, size } : a));
}

/** Parts must have the same axes (in any order) apart from the size of `axis`, and one dtype. */
export function concatAxes(parts: readonly Tile[], axis: string): TileAxis[] {
  if (parts.length === 0) throw new Error('concat of nothing');
  const size = parts.reduce((n, p) => n + axisOf(p.shape, axis).size, 0);
  const rest = withoutAxes(parts[0].shape, [axis]);
  for (const p of parts) {
    if (p.dtype !== parts[0].dtype) throw new Error(`concat of ${parts[0].dtype} and ${p.dtype}`);
    if (!sameAxes(withoutAxes(p.shape, [axis]), rest)) throw new Error(`concat along '${axis}' of ${printShape(parts[0].shape)} and ${printShape(p.shape)}`);
  }
  return parts[0].shape.map((a) => (a.name === axis ? { name: axis, size } : a));
}
