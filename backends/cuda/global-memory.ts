/** Views bound to bytes for one interpreted launch: elements in and out, with bounds that unguarded accesses must keep. */
import { dtypeBytes } from '../../compiler/ir/dtype.js';
import { fromBf16, fromF16, toBf16, toF16 } from '../../compiler/kernels/half.js';
import { evaluateScalar } from '../../compiler/kernels/scalar.js';
import type { GlobalView } from './lowered.js';

export interface BoundGlobal {
  readonly view: GlobalView;
  readonly extents: readonly number[];
  readonly strides: readonly number[];
  readonly bytes: Uint8Array;
  readonly data: DataView;
  /** Of one element. */
  readonly size: number;
}

export function bindGlobals(views: readonly GlobalView[], dims: Readonly<Record<string, number>>, buffers: Readonly<Record<string, Uint8Array>>): ReadonlyMap<string, BoundGlobal> {
  return new Map(views.map((view): [string, BoundGlobal] => {
    const bytes = buffers[view.name];
    if (!bytes) throw new Error(`no bytes for view '${view.name}'`);
    const extents = view.extents.map((e) => evaluateScalar(e, { dims }));
    const strides = extents.map(() => 1);
    for (let d = extents.length - 2; d >= 0; d--) strides[d] = strides[d + 1] * extents[d + 1];
    const size = view.dtype === 'words' ? 4 : dtypeBytes(view.dtype);
    return [view.name, { view, extents, strides: view.strides ?? strides, bytes, size, data: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) }];
  }));
}

/** Element offset, or undefined outside the extents. */
export function offsetIn(bound: BoundGlobal, at: readonly number[]): number | undefined {
  let offset = 0;
  for (let d = 0; d < at.length; d++) {
    if (at[d] < 0 || at[d] >= bound.extents[d]) return undefined;
    offset += at[d] * bound.strides[d];
  }
  return offset;
}

export function readElement(bound: BoundGlobal, offset: number): number {
  const { data, size } = bound;
  switch (bound.view.dtype) {
    case 'f32': return data.getFloat32(offset * size, true);
    case 'bf16': return fromBf16(data.getUint16(offset * size, true));
    case 'f16': return fromF16(data.getUint16(offset * size, true));
    case 'i32': return data.getInt32(offset * size, true);
    case 'u32': case 'bool': case 'words': return data.getUint32(offset * size, true);
  }
}

export function writeElement(bound: BoundGlobal, offset: number, value: number): void {
  const { data, size } = bound;
  switch (bound.view.dtype) {
    case 'f32': return data.setFloat32(offset * size, value, true);
    case 'bf16': return data.setUint16(offset * size, toBf16(value), true);
    case 'f16': return data.setUint16(offset * size, toF16(value), true);
    case 'i32': return data.setInt32(offset * size, value, true);
    case 'u32': case 'bool': case 'words': return data.setUint32(offset * size, value, true);
  }
}
