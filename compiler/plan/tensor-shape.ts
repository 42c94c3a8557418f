import { evaluateDim } from '../ir/dim.js';
import type { Axis } from '../ir/graph.js';
import type { Scalar } from '../ir/kernel.js';
import { dimScalar } from '../kernels/lower/lowering.js';
import { times, toScalar } from '../kernels/scalar.js';

export function elementScalar(axes: readonly Axis[]): Scalar {
  return axes.reduce<Scalar>((n, a) => times(n, dimScalar(a.size)), toScalar(1));
}

export function elementCount(axes: readonly Axis[], dims: Readonly<Record<string, number>>): number {
  return axes.reduce((n, a) => n * evaluateDim(a.size, dims), 1);
}
