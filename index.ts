/**
 * The typed API: compile a spec, load it on a device with weights, generate. The command line uses nothing else.
 *
 *   const { bundle, diagnostics, files } = compile({ entry: readSpec('k2.firn'), load: nodeLoader, target: 'cpu' });
 *   if (!bundle) throw new FirnError(diagnostics, files);
 *   const device = await openDevice('cpu');
 *   const model = await load(bundle, device, { weights: { seed: 1 } });
 *   const { tokens } = await generate(model.session, [1, 2, 3], { maxTokens: 16 });
 */
import type { Device } from './backends/device.js';
import type { DType } from './compiler/ir/dtype.js';
import type { Checkpoint } from './runtime/checkpoint.js';
import { valueDType } from './runtime/weight-names.js';

export * from './core.js';
export { nodeLoader, readSpec, standardFamilies } from './dsl/std-node.js';
export { DeviceError, type Device, type DimValues, type Executable, type HostArray } from './backends/device.js';
export { Checkpoint } from './runtime/checkpoint.js';
export { openCheckpoint } from './runtime/disk.js';
export { generate, type GenerateOptions, type Generation } from './runtime/generate.js';
export { generateBatch } from './runtime/generate-batch.js';
export { load, type LoadedModel, type LoadOptions } from './runtime/load-model.js';
export { Session, type Sampling, type Sequence, type Work, type WorkResult } from './runtime/session.js';
export { loadTokenizer, stopTokens } from './runtime/tokenizer/load.js';
export type { TokenDecoder, Tokenizer } from './runtime/tokenizer/tokenizer.js';

/** `cpu` builds C++ kernels, `wgsl` needs the package `webgpu` and a Vulkan driver. @throws DeviceError that names what is missing. */
export async function openDevice(name: Exclude<Device['name'], 'cuda'>): Promise<Device> {
  switch (name) {
    case 'cpu': return (await import('./backends/cpu/device.js')).cpuDevice();
    case 'wgsl': return (await import('./backends/wgsl/node.js')).nodeWgslDevice();
    case 'reference': return (await import('./backends/reference/device.js')).referenceDevice();
    case 'null': return (await import('./backends/null/device.js')).nullDevice();
  }
}

/** For `compile`: the dtype in which a checkpoint stores a tensor. */
export function storedIn(checkpoint: Checkpoint): (name: string) => DType | undefined {
  return (name) => {
    const tensor = checkpoint.tensors.get(name);
    return tensor === undefined ? undefined : valueDType(tensor.dtype);
  };
}
