/** Values of the lowered form as closures over the place, register and lane that a warp is at. */
import type { DType } from '../../compiler/ir/dtype.js';
import type { Scalar } from '../../compiler/ir/kernel.js';
import { scalarFunction } from '../../compiler/ir/scalar-functions.js';
import { roundTo } from '../../compiler/kernels/half.js';
import { evaluateScalar } from '../../compiler/kernels/scalar.js';
import { offsetIn, readElement, type BoundGlobal } from './global-memory.js';
import { applyMap, registerCount, registerMap, type Layout } from './layout.js';
import type { Position, Value } from './lowered.js';

export interface ValueContext {
  readonly dims: Readonly<Record<string, number>>;
  readonly variables: Record<string, number>;
  readonly globals: ReadonlyMap<string, BoundGlobal>;
  layoutOf(fragment: number): Layout;
  /** Registers of a fragment, [register][lane]; throws if they may not be read now. */
  read(fragment: number): ArrayLike<number>;
}

/** `place`: one coordinate per axis of the layout. */
export type Evaluate = (place: readonly number[], register: number, lane: number) => number;

export function scalarOf(c: ValueContext, s: Scalar): number {
  return evaluateScalar(s, { dims: c.dims, variables: c.variables, element: (view, at) => {
    const bound = c.globals.get(view)!;
    const offset = offsetIn(bound, at);
    return offset === undefined ? 0 : readElement(bound, offset);
  } });
}

/** `axes`: names of the coordinates of a place. `layout`: of the registers that the value is computed into. */
export function compileValue(c: ValueContext, value: Value, axes: readonly string[], layout?: Layout): Evaluate {
  switch (value.kind) {
    case 'number': { const v = roundTo(value.dtype, value.value); return () => v; }
    case 'coordinate': {
      const at = axes.indexOf(value.axis);
      if (at < 0) throw new Error(`no coordinate '${value.axis}' here`);
      return (place) => place[at];
    }
    case 'scalar': { const v = scalarOf(c, value.value); return () => v; }
    case 'fragment': return compileFragment(c, value.id, layout);
    case 'load': return compileLoad(c, value, axes, layout);
    case 'cast': {
      const inner = compileValue(c, value.value, axes, layout);
      const truncate = value.to === 'i32' && (value.from === 'f32' || value.from === 'bf16' || value.from === 'f16');
      return (p, r, l) => (truncate ? Math.trunc(inner(p, r, l)) : roundTo(value.to, inner(p, r, l)));
    }
    case 'call': {
      const [a, b, d] = value.args.map((x) => compileValue(c, x, axes, layout));
      if (value.fn === 'select') return (p, r, l) => (a(p, r, l) !== 0 ? b(p, r, l) : d(p, r, l));
      const f = scalarFunction(value.fn, value.dtype);
      const round = rounding(value.dtype);
      if (!b) return (p, r, l) => round(f(a(p, r, l), 0, 0));
      return (p, r, l) => round(f(a(p, r, l), b(p, r, l), 0));
    }
  }
}

function rounding(dtype: DType): (v: number) => number {
  return dtype === 'f32' || dtype === 'bf16' || dtype === 'f16' ? Math.fround : dtype === 'u32' ? (v) => v >>> 0 : (v) => v | 0;
}

function compileFragment(c: ValueContext, id: number, layout: Layout | undefined): Evaluate {
  const own = c.layoutOf(id);
  const map = layout && registerMap(layout, own);
  if (!layout || !map) throw new Error(`fragment ${id} does not lie where it is used`);
  const values = c.read(id);
  const table = Array.from({ length: registerCount(layout) }, (_, r) => applyMap(map, r) * 32);
  return (_, register, lane) => values[table[register] + lane];
}

function compileLoad(c: ValueContext, value: Value & { kind: 'load' }, axes: readonly string[], layout: Layout | undefined): Evaluate {
  const bound = c.globals.get(value.view)!;
  const at = compilePositions(c, bound, value.at, axes, layout);
  return (p, r, l) => {
    const offset = at(p, r, l);
    return offset === undefined ? value.fill : readElement(bound, offset);
  };
}

/** Element offset at a place; undefined where a guard fails. Throws where an unguarded place is outside. */
export function compilePositions(c: ValueContext, bound: BoundGlobal, at: readonly Position[], axes: readonly string[], layout?: Layout): (place: readonly number[], register: number, lane: number) => number | undefined {
  const parts = at.map((x) => compileValue(c, x.value, axes, layout));
  const limits = at.map((x) => (x.limit ? scalarOf(c, x.limit) : Infinity));
  return (p, r, l) => {
    let offset = 0;
    for (let d = 0; d < parts.length; d++) {
      const place = parts[d](p, r, l);
      const inside = place >= 0 && place < bound.extents[d] && place < limits[d];
      if (!inside && at[d].guarded) return undefined;
      if (!inside) throw new Error(`view '${bound.view.name}' is accessed at ${place} of ${bound.extents[d]} along axis ${d} without a guard`);
      offset += place * bound.strides[d];
    }
    return offset;
  };
}
