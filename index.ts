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
import { generateRules, requireArgument, requireOptions, rules } from './arguments.js';
import { readSpec as readFile } from './dsl/std-node.js';
import type { SourceFile } from './dsl/span.js';
import { generate as continuePrompt } from './runtime/generate.js';
import { generateBatch as continueBatch } from './runtime/generate-batch.js';
import { load as loadBundle } from './runtime/load-model.js';
import { valueDType } from './runtime/weight-names.js';

export * from './core.js';
export { nodeLoader, standardFamilies } from './dsl/std-node.js';
export { DeviceError, type Device, type DimValues, type Executable, type HostArray } from './backends/device.js';
export { Checkpoint } from './runtime/checkpoint.js';
export { openCheckpoint } from './runtime/disk.js';
export type { GenerateOptions, Generation } from './runtime/generate.js';
export type { LoadedModel, LoadOptions } from './runtime/load-model.js';
export { Session, type Sampling, type Sequence, type Work, type WorkResult } from './runtime/session.js';
export { loadTokenizer, stopTokens } from './runtime/tokenizer/load.js';
export type { TokenDecoder, Tokenizer } from './runtime/tokenizer/tokenizer.js';

/** `cpu` builds C++ kernels, `wgsl` needs the package `webgpu` and a Vulkan driver. @throws DeviceError that names what is missing. */
export async function openDevice(name: Exclude<Device['name'], 'cuda'>): Promise<Device> {
  requireArgument('openDevice', 'name', name, rules.device);
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

/** A spec as a file of the disk. @throws TextError for what is no text */
export function readSpec(path: string): SourceFile {
  requireArgument('readSpec', 'path', path, rules.path);
  return readFile(path);
}

/** Allocates a bundle's buffers on `device` and fills its weights. @throws CheckpointError, DeviceError */
export const load: typeof loadBundle = async (bundle, device, options) => {
  requireArgument('load', 'bundle', bundle, rules.bundle);
  requireArgument('load', 'device', device, rules.openDevice);
  requireOptions('load', 'options', options, { weights: rules.weights });
  return loadBundle(bundle, device, options);
};

/** Continues `prompt` in a sequence of its own. @throws InputError for ids and lengths that the plan does not take */
export const generate: typeof continuePrompt = async (session, prompt, options) => {
  requireArgument('generate', 'session', session, rules.session);
  requireArgument('generate', 'prompt', prompt, rules.prompt);
  requireOptions('generate', 'options', options, generateRules);
  return continuePrompt(session, prompt, options);
};

/** Continues several prompts in runs that they share. @throws InputError as `generate` does */
export const generateBatch: typeof continueBatch = async (session, prompts, options) => {
  requireArgument('generateBatch', 'session', session, rules.session);
  requireArgument('generateBatch', 'prompts', prompts, rules.prompts);
  const { onToken: _, ...common } = generateRules;
  requireOptions('generateBatch', 'options', options, common);
  return continueBatch(session, prompts, options);
};
