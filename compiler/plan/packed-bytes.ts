/** How many bytes stored tensors and views take; see `ir/packing.ts` for the layouts. */
import { dtypeBytes, type DType } from '../ir/dtype.js';
import type { View } from '../ir/kernel.js';
import type { Packing } from '../ir/packing.js';
import { evaluateScalar } from '../kernels/scalar.js';

/** Where every stored tensor starts: WebGPU binds buffers at multiples of this. */
export const alignment = 256;

export function align(bytes: number): number {
  return Math.ceil(bytes / alignment) * alignment;
}

/** Bytes of a whole tensor; `sizes` by axis name. */
export function packedBytes(dtype: DType, packing: Packing, sizes: Readonly<Record<string, number>>): number {
  const extents = packing.order.map((name) => sizes[name]);
  const product = (list: readonly number[]): number => list.reduce((a, b) => a * b, 1);
  switch (packing.kind) {
    case 'dense': return product(extents) * dtypeBytes(dtype);
    case 'panel': {
      const padded = packing.order.map((name, i) => (name === packing.lanes ? Math.ceil(extents[i] / packing.width) * packing.width : extents[i]));
      return product(padded) * dtypeBytes(dtype);
    }
    case 'int4': {
      const [lanes, along] = extents.slice(-2);
      const block = (packing.group / 8) * packing.width * 4 + packing.width * 2;
      return product(extents.slice(0, -2)) * Math.ceil(lanes / packing.width) * Math.ceil(along / packing.group) * block;
    }
  }
}

/** Bytes from a view's first element to behind its last at the given dims; 0 for an empty view. */
export function viewBytes(view: View, dims: Readonly<Record<string, number>>): number {
  const extents = view.axes.map((a) => evaluateScalar(a.extent, { dims }));
  if (extents.some((e) => e === 0)) return 0;
  if (view.packing.kind === 'dense' && view.strides) {
    const last = extents.reduce((sum, extent, i) => sum + (extent - 1) * (view.strides as readonly number[])[i], 0);
    return (last + 1) * dtypeBytes(view.dtype);
  }
  return packedBytes(view.dtype, view.packing, Object.fromEntries(view.axes.map((a, i) => [a.name, extents[i]])));
}
