/**
 * Axes of one elaboration. An axis has an identity (its name in the graph, unique in the model), a size, and where the
 * size came from. A sum axis (`nope + rope`) has parts and can be split into them; equal parts give the same axis.
 */
import { addDims, symbol, type Dim } from '../ir/dim.js';
import { dynamicDims, type Axis } from '../ir/graph.js';
import type { Origin } from './number.js';

export interface AxisValue {
  readonly kind: 'axis';
  /** In the graph. */
  readonly name: string;
  /** In the spec; other axes may be spelled the same. */
  readonly spelling: string;
  readonly size: Dim;
  readonly parts?: readonly AxisValue[];
  /** Absent for dynamic axes. */
  readonly origin?: Origin;
}

/** The axes made so far. */
export class AxisTable {
  private readonly byName = new Map<string, AxisValue>();
  private readonly byKey = new Map<string, AxisValue>();

  constructor() {
    for (const name of dynamicDims) this.define({ name, size: symbol(name) });
  }

  private define(o: { readonly name: string; readonly size: Dim; readonly parts?: readonly AxisValue[]; readonly origin?: Origin }): AxisValue {
    let name = o.name;
    for (let i = 2; this.byName.has(name); i++) name = `${o.name}_${i}`;
    const axis: AxisValue = { kind: 'axis', ...o, name, spelling: o.name };
    this.byName.set(name, axis);
    return axis;
  }

  /**
   * The axis that the place `key` makes; asking again for the same place and size gives the same axis, so that one
   * call in the iterations of a repeat means one axis.
   */
  fresh(key: string, spelling: string, size: Dim, origin?: Origin, parts?: readonly AxisValue[]): AxisValue {
    const full = `${key} ${spelling} ${typeof size === 'number' ? size : JSON.stringify(size)}`;
    let axis = this.byKey.get(full);
    if (axis === undefined) this.byKey.set(full, axis = this.define({ name: spelling, size, parts, origin }));
    return axis;
  }

  /** The sum axis of `parts`, in order; sums inside are flattened. */
  sum(parts: readonly AxisValue[]): AxisValue {
    const flat = parts.flatMap((p) => p.parts ?? [p]);
    if (flat.length === 1) return flat[0];
    const size = flat.map((p) => p.size).reduce(addDims);
    const spelling = flat.map((p) => p.spelling).join('_');
    const origins = flat.flatMap((p) => (p.origin === undefined ? [] : [p.origin]));
    const origin = origins.length === 0 || typeof size !== 'number' ? undefined
      : { name: flat.map((p) => p.spelling).join(' + '), value: size, span: origins[0].span, from: origins };
    return this.fresh(`sum ${flat.map((p) => p.name).join(' ')}`, spelling, size, origin, flat);
  }

  /** The axis of that name in the graph; throws if there is none. */
  get(name: string): AxisValue {
    const axis = this.byName.get(name);
    if (axis === undefined) throw new Error(`elaborate: no axis '${name}'`);
    return axis;
  }
}

export function graphAxis(axis: AxisValue): Axis {
  return { name: axis.name, size: axis.size };
}
