/**
 * The part of a tensor that one program works on: per axis of the Graph a place, a stretch or an index tile. Stretches
 * carry the name that their tile axis has, so that renaming an axis of the Graph costs nothing in a program.
 */
import type { Axis, TensorType } from '../../ir/graph.js';
import type { Index } from '../../ir/kernel.js';
import { range } from '../build.js';
import { constantOf, printScalar } from '../scalar.js';

export type Region = ReadonlyMap<string, Index>;

/** The axis in full; its extent must be fixed. */
export function whole(axis: Axis, tileAxis = axis.name): Index {
  if (typeof axis.size !== 'number') throw new Error(`lowering: axis '${axis.name}' has a dynamic extent and cannot be held whole in a tile`);
  return range(tileAxis, 0, axis.size);
}

/**
 * A name for a tile axis that walks `axis` besides the region: the axis's own, unless a rename lets another axis of the
 * region go by it.
 */
export function freeName(region: Region, axis: Axis): string {
  const taken = new Set([...region].flatMap(([name, index]) => (index.kind === 'range' && name !== axis.name ? [index.axis] : [])));
  let { name } = axis;
  while (taken.has(name)) name += '_';
  return name;
}

export function isWhole(index: Index, axis: Axis): boolean {
  return index.kind === 'range' && constantOf(index.start) === 0 && index.size === axis.size && index.limit === undefined;
}

export function withIndex(region: Region, axis: string, index: Index): Region {
  return new Map(region).set(axis, index);
}

/** `region` with every axis of `type` that it lacks, in full. */
export function complete(region: Region, type: TensorType): Region {
  const out = new Map(region);
  for (const axis of type.axes) if (!out.has(axis.name)) out.set(axis.name, whole(axis, freeName(out, axis)));
  return out;
}

export function indexOf(region: Region, axis: string): Index {
  const index = region.get(axis);
  if (!index) throw new Error(`lowering: the region says nothing of axis '${axis}'`);
  return index;
}

/** The names of a tile over `region` restricted to the axes of `type`: identifies a computed tile. */
export function regionKey(region: Region, type: TensorType): string {
  return type.axes.map((a) => {
    const index = indexOf(region, a.name);
    switch (index.kind) {
      case 'point': return `${a.name}@${printScalar(index.at)}`;
      case 'range': return `${a.name}:${index.axis}=${printScalar(index.start)}+${index.size}${index.limit ? `<${printScalar(index.limit)}` : ''}`;
      case 'tile': return `${a.name}#${index.tile}`;
    }
  }).join(' ');
}
