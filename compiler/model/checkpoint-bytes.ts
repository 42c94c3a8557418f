/** How many bytes of tensors the checkpoint of a spec holds, by its weights section and the storage of its parameters. */
import type { Module, Storage } from '../ir/graph.js';
import { dtypeBytes } from '../ir/dtype.js';
import type { WeightSources } from '../ir/weight-sources.js';

export function checkpointBytes(module: Module, sources: WeightSources): number {
  const params = new Map(module.params.flatMap((p) => p.paths.map((path) => [path, p] as const)));
  const counted = new Set<string>();
  let total = 0;
  for (const source of sources.weights) {
    // Several parameters may be parts of one stored tensor.
    if (counted.has(source.tensor)) continue;
    counted.add(source.tensor);
    const param = params.get(source.path)!;
    const tensors = [...source.tensor.matchAll(/\{([^{}]*)\}/g)].reduce((n, [, axis]) => n * (param.type.axes.find((a) => a.name === axis)!.size as number), 1);
    total += tensors * storedBytes(param.storage, source.shape);
  }
  return total;
}

/** Of one tensor with what belongs to it: int4 also states its shape (two i32). */
function storedBytes(storage: Storage, shape: readonly number[]): number {
  const elements = shape.reduce((n, s) => n * s, 1);
  const columns = shape[shape.length - 1];
  const rows = elements / columns;
  switch (storage.kind) {
    case 'plain': return elements * dtypeBytes(storage.dtype);
    case 'int4': return rows * (Math.ceil(columns / 8) * 4 + Math.ceil(columns / storage.group) * 2) + 4 * shape.length;
    case 'mxfp4': return elements / 2 + elements / storage.group;
    case 'fp8': {
      const down = shape[shape.length - 2] ?? 1;
      return elements + 4 * (rows / down) * Math.ceil(down / storage.block) * Math.ceil(columns / storage.block);
    }
  }
}
