/** Loop nests over tile axes. The innermost loop is marked for the C++ compiler's vectoriser. */
import type { TileId } from '../../compiler/ir/kernel.js';
import { addCoordinates, constantAt, scaleCoordinate, variableAt, type Coordinate } from './coordinate.js';
import type { KernelContext } from './kernel-context.js';
import { Point, type Coordinates, type InnerLoop } from './point.js';
import { structureOf, type Structure } from './axis-structure.js';

export interface NestAxis {
  readonly name: string;
  readonly size: number;
  /** Runtime bounds within [0, size), if the whole axis is not wanted. */
  readonly lo?: string;
  readonly hi?: string;
}

export interface Nest {
  /** Outermost first. */
  readonly axes: readonly NestAxis[];
  /** Tiles that the body evaluates: where they are cut or regrouped, so are the loops. */
  readonly roots: readonly TileId[];
  /** Conditions per axis (`axis|condition`) that the bounds already ensure. */
  readonly implied?: ReadonlySet<string>;
  /** Clauses of the innermost loop's `omp simd`, or that it must stay serial. */
  readonly simd?: string | 'serial';
  readonly body: (point: Point, at: Coordinates) => void;
}

/** Writes the nest; if it needs conditions that are not proven, as an unchecked form and a checked one. */
export function emitNest(k: KernelContext, nest: Nest): void {
  const implied = nest.implied ?? new Set<string>();
  const assumed = new Set<string>();
  const render = (checked: boolean): string[] => k.capture(() => loops(k, nest, 0, new Map(), (at, inner) => {
    const point = new Point(k, checked, implied, inner);
    nest.body(point, at);
    point.assumed.forEach((a) => assumed.add(a));
  }));
  const plain = render(false);
  if (assumed.size === 0) {
    k.lines.push(...plain);
    return;
  }
  const checked = render(true);
  k.line(`if (${[...assumed].join(' && ')}) {`);
  k.lines.push(...plain);
  k.line('} else {');
  k.lines.push(...checked);
  k.line('}');
}

type Body = (at: Coordinates, inner?: InnerLoop) => void;

function loops(k: KernelContext, nest: Nest, depth: number, at: Coordinates, body: Body, inner?: InnerLoop): void {
  if (depth === nest.axes.length) return body(at, inner);
  const axis = nest.axes[depth];
  const last = depth === nest.axes.length - 1;
  const structure: Structure = axis.lo || axis.hi ? { cuts: [] } : structureOf(k, nest.roots, axis.name);
  const factors = structure.factors ?? [{ size: axis.size, cuts: structure.cuts }];
  const step = (i: number, c: Coordinate, around?: InnerLoop): void => {
    if (i === factors.length) return loops(k, nest, depth + 1, new Map([...at, [axis.name, c]]), body, around);
    const { size, cuts } = factors[i];
    const edges = [0, ...cuts, size];
    for (let e = 0; e + 1 < edges.length; e++) {
      const range: Range = { start: edges[e], size: edges[e + 1] - edges[e], lo: axis.lo, hi: axis.hi };
      const next = (v: Coordinate, loopAround?: InnerLoop): void => step(i + 1, addCoordinates(scaleCoordinate(c, size), v), loopAround);
      if (last && i === factors.length - 1) innermost(k, range, nest.simd ?? '', next);
      else loop(k, range, next);
    }
  };
  step(0, constantAt(0));
}

interface Range { readonly start: number; readonly size: number; readonly lo?: string; readonly hi?: string }

function loop(k: KernelContext, range: Range, body: (c: Coordinate) => void): void {
  const { start, size, lo, hi } = range;
  if (size === 1 && !lo && !hi) return body(constantAt(start));
  const name = k.fresh('i');
  k.block(forHead(name, range), () => body(variableAt(name, { lo: start, hi: start + size - 1 })));
}

function forHead(name: string, { start, size, lo, hi }: Range): string {
  return `for (int ${name} = ${lo ?? start}; ${name} < ${hi ?? start + size}; ++${name}) `;
}

/** The innermost loop, with what does not depend on it before it; conditions there choose between two forms of it. */
function innermost(k: KernelContext, range: Range, simd: string, body: (c: Coordinate, inner: InnerLoop) => void): void {
  const { start, size, lo, hi } = range;
  if (size === 1 && !lo && !hi) return loop(k, range, body as (c: Coordinate) => void);
  const name = k.fresh('i');
  const shared = { variable: name, before: [] as string[], values: new Map(), conditions: new Map<string, string>() };
  const write = (mode: InnerLoop['mode']): string[] => k.capture(() => {
    if (simd !== 'serial' && size >= 4) k.line(`#pragma omp simd ${simd}`.trimEnd());
    k.block(forHead(name, range), () => body(variableAt(name, { lo: start, hi: start + size - 1 }), { ...shared, mode }));
  }, 0);
  const assumed = write('assume');
  const conditions = [...shared.conditions.values()];
  const rest = conditions.length === 0 ? [] : write(conditions.length === 1 ? 'refute' : 'test');
  k.lines.push(...shared.before);
  if (conditions.length === 0) {
    k.lines.push(...assumed);
    return;
  }
  k.line(`if (${conditions.join(' && ')}) {`);
  k.lines.push(...assumed);
  // A loop without statements has no more than its pragma, head and end.
  if (rest.length > 3) {
    k.line('} else {');
    k.lines.push(...rest);
  }
  k.line('}');
}
