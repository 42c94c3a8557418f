import { dtypeBytes } from '../ir/dtype.js';
import type { View } from '../ir/kernel.js';
import { packedBytes } from '../kernels/packing-address.js';
import { evaluateScalar } from '../kernels/scalar.js';

/** Where every stored tensor starts: WebGPU binds buffers at multiples of this. */
export const alignment = 256;

export function align(bytes: number): number {
  return Math.ceil(bytes / alignment) * alignment;
}

/** Bytes from a view's first element to behind its last at the given dims; 0 for an empty view. */
export function viewBytes(view: View, dims: Readonly<Record<string, number>>): number {
  const axes = view.axes.map((a) => ({ name: a.name, size: evaluateScalar(a.extent, { dims }) }));
  if (axes.some((a) => a.size === 0)) return 0;
  const { strides } = view;
  if (!strides) return packedBytes(view.packing, axes, view.dtype);
  return (axes.reduce((sum, a, i) => sum + (a.size - 1) * strides[i], 0) + 1) * dtypeBytes(view.dtype);
}
