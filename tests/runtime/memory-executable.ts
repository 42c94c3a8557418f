import type { Executable } from '../../backends/device.js';
import type { Plan, Weight } from '../../compiler/ir/plan.js';

/** Buffers in host memory: what loading weights needs of an executable. */
export function memoryExecutable(plan: Plan): Executable & { readonly buffers: ReadonlyMap<string, Uint8Array> } {
  const buffers = new Map(plan.buffers.map((b) => [b.id, new Uint8Array(b.bytes)]));
  return {
    buffers,
    resident: new Map(plan.buffers.map((b) => [b.id, b.bytes])),
    async write(buffer, offset, data) { buffers.get(buffer)!.set(data, offset); },
    async read(buffer, offset, bytes) { return buffers.get(buffer)!.slice(offset, offset + bytes); },
    async resetState() { /* holds no state */ },
    async run() { throw new Error('holds no kernels'); },
    async close() { buffers.clear(); },
  };
}

/** A plan of weights only, one buffer each. */
export function planOfWeights(weights: readonly (Omit<Weight, 'buffer' | 'offset' | 'init'> & Partial<Pick<Weight, 'init'>>)[]): Plan {
  return {
    version: 1, model: 'test', target: 'test', hash: '', dims: [], block: 16, ranks: 1, groups: [], states: [], constants: [], kernels: [], entries: [], peakBytes: 0,
    buffers: weights.map((w) => ({ id: w.path, kind: 'weights', bytes: w.bytes })),
    weights: weights.map((w) => ({ init: { kind: 'normal', deviation: 0.02 }, ...w, buffer: w.path, offset: 0 })),
  };
}
