/** The typed API: compile a spec, load it on a device with weights, generate. The command line uses nothing else. */
import type { Device, Executable } from './backends/device.js';
import type { Bundle, WeightSources } from './compiler/ir/plan.js';
import type { BlockPolicy } from './runtime/block-pool.js';
import type { Checkpoint } from './runtime/checkpoint.js';
import { initWeights } from './runtime/init-weights.js';
import { loadWeights, type LoadProgress } from './runtime/load-weights.js';
import { Session } from './runtime/session.js';
import { valueDType } from './runtime/weight-names.js';
import type { DType } from './compiler/ir/dtype.js';

export { checkSpec, compile, type Checked, type Compiled, type CompileRequest } from './compiler/compile.js';
export { importHf } from './compiler/import/hf.js';
export { FirnError, renderDiagnostic } from './dsl/diagnostics.js';
export type { Checkpoint } from './runtime/checkpoint.js';
export { openCheckpoint } from './runtime/disk.js';
export { generate } from './runtime/generate.js';
export { Session } from './runtime/session.js';

export interface LoadOptions {
  /** A checkpoint with the table of what is where in it, or a seed for random weights. */
  readonly weights: { readonly checkpoint: Checkpoint; readonly sources: WeightSources } | { readonly seed: number };
  readonly onProgress?: (progress: LoadProgress) => void;
  readonly policy?: BlockPolicy;
}

export interface LoadedModel {
  readonly executable: Executable;
  readonly session: Session;
  close(): Promise<void>;
}

/** Allocates a bundle's buffers on `device` and fills its weights. */
export async function load(bundle: Bundle, device: Device, options: LoadOptions): Promise<LoadedModel> {
  const executable = await device.load(bundle);
  try {
    const { weights } = options;
    if ('seed' in weights) await initWeights(executable, bundle.plan, weights.seed, options.onProgress);
    else await loadWeights(executable, bundle.plan, weights.sources, weights.checkpoint, options.onProgress);
  } catch (error) {
    await executable.close();
    throw error;
  }
  const session = new Session(executable, bundle.plan, options.policy === undefined ? {} : { policy: options.policy });
  return { executable, session, close: () => executable.close() };
}

/** For `compile`: the dtype in which a checkpoint stores a tensor. */
export function storedIn(checkpoint: Checkpoint): (name: string) => DType | undefined {
  return (name) => {
    const tensor = checkpoint.tensors.get(name);
    return tensor === undefined ? undefined : valueDType(tensor.dtype);
  };
}
