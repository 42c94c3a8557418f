/**
 * Cotangents while a graph is walked backwards: per value, the gradient of the loss with respect to it, summed over its
 * uses. They are f32 and have exactly the value's axes, in any order.
 */
import { findAxis, hasAxis } from '../../ir/axes.js';
import type { GraphBuilder } from '../../ir/build.js';
import type { Axis, ParamDecl, TensorType, Value } from '../../ir/graph.js';

export class Cotangents {
  private readonly byValue = new Map<Value, Value>();
  /** Gradients of parameters by index; inside a repeat, of the iteration's slot. */
  readonly params = new Map<number, Value>();

  /** `active`: the values whose cotangents are of use; others are not kept. */
  constructor(readonly b: GraphBuilder, private readonly active: ReadonlySet<Value>) {}

  wants(value: Value): boolean {
    return this.active.has(value);
  }

  of(value: Value): Value | undefined {
    return this.byValue.get(value);
  }

  /** Adds `g` to the cotangent of `value`, summed over axes that the value lacks and repeated along those that `g` lacks. */
  add(value: Value, g: Value): void {
    if (!this.wants(value)) return;
    const fitted = fit(this.b, g, value.type);
    const old = this.byValue.get(value);
    this.byValue.set(value, old === undefined ? fitted : this.b.map('add', old, fitted));
  }

  addParam(param: number, g: Value): void {
    const old = this.params.get(param);
    this.params.set(param, old === undefined ? g : this.b.map('add', old, g));
  }
}

export function fit(b: GraphBuilder, g: Value, type: TensorType): Value {
  const extra = g.type.axes.filter((a) => !hasAxis(type.axes, a.name)).map((a) => a.name);
  const summed = extra.length === 0 ? g : b.reduce(g, 'add', extra);
  return type.axes.filter((a) => !hasAxis(summed.type.axes, a.name)).reduce((x, a) => b.broadcast(x, a), summed);
}

/** f32 zeros on `axes`, in that order. */
export function zeros(b: GraphBuilder, axes: readonly Axis[]): Value {
  return [...axes].reverse().reduce((x, a) => b.broadcast(x, a), b.scalar(0));
}

/** `g` with its axes in the order of `axes`, which are the same set. */
export function ordered(b: GraphBuilder, g: Value, axes: readonly Axis[]): Value {
  const same = axes.every((a, i) => g.type.axes[i].name === a.name);
  return same ? g : b.map('add', zeros(b, axes), g);
}

export function axisOf(x: Value, name: string): Axis {
  return findAxis(x.type.axes, name)!;
}

/** The gradient of one use of a shared parameter as one of all its paths: `g` in the row that the iteration means. */
export function inRows(b: GraphBuilder, g: Value, rows: readonly number[], { paths, type }: ParamDecl): Value {
  if (paths.length === 1) return g;
  const row = b.constant({ dtype: 'i32', axes: [] }, [rows[0]], rows.length === 1 ? undefined : rows.map((r) => [r]));
  return b.scatter(zeros(b, [{ name: 'iteration', size: paths.length }, ...type.axes]), row, g, 'iteration', 'add');
}
