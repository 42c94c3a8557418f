/** What storages have in common. */
import { dtypeBytes } from './dtype.js';
import type { Storage } from './graph.js';

/** Including its share of the scales. */
export function bytesPerElement(storage: Storage): number {
  switch (storage.kind) {
    case 'plain': return dtypeBytes(storage.dtype);
    case 'int4': return 0.5 + 2 / storage.group;
    case 'fp8': return 1 + 4 / storage.block ** 2;
    case 'mxfp4': return 0.5 + 1 / storage.group;
  }
}

/** The axis along which neighbours share a scale; undefined where none or several do. */
export function groupedAxis(storage: Storage): string | undefined {
  return storage.kind === 'int4' || storage.kind === 'mxfp4' ? storage.along : undefined;
}
