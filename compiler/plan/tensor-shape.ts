import { evaluateDim, type Dim } from '../ir/dim.js';
import type { Axis } from '../ir/graph.js';
import { dim, type Scalar } from '../ir/kernel.js';
import { plus, times, toScalar } from '../kernels/scalar.js';

/** An extent as the arithmetic that plans carry. */
export function dimScalar(d: Dim): Scalar {
  if (typeof d === 'number') return toScalar(d);
  return d.terms
    .map((t) => t.symbols.reduce<Scalar>((product, s) => times(product, dim(s)), toScalar(t.coefficient)))
    .reduce((sum, t) => plus(sum, t));
}

export function elementScalar(axes: readonly Axis[]): Scalar {
  return axes.reduce<Scalar>((n, a) => times(n, dimScalar(a.size)), toScalar(1));
}

export function elementCount(axes: readonly Axis[], dims: Readonly<Record<string, number>>): number {
  return axes.reduce((n, a) => n * evaluateDim(a.size, dims), 1);
}
