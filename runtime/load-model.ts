/** A plan and its weights on a device, ready to run. */
import type { Device, Executable } from '../backends/device.js';
import type { Bundle, Plan, WeightSources } from '../compiler/ir/plan.js';
import type { BlockPolicy } from './block-pool.js';
import type { Checkpoint } from './checkpoint.js';
import { initWeights } from './init-weights.js';
import { checkWeights, loadWeights, type LoadProgress } from './load-weights.js';
import { Session } from './session.js';

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

/** Writes every weight of `plan`. */
export async function fillWeights(executable: Executable, plan: Plan, weights: LoadOptions['weights'], onProgress?: (p: LoadProgress) => void): Promise<void> {
  if ('seed' in weights) await initWeights(executable, plan, weights.seed, onProgress);
  else await loadWeights(executable, plan, weights.sources, weights.checkpoint, onProgress);
}

/** Allocates a bundle's buffers on `device` and fills its weights. */
export async function load(bundle: Bundle, device: Device, options: LoadOptions): Promise<LoadedModel> {
  const { weights } = options;
  // Compiling kernels can take a while: a checkpoint that does not fit is reported before.
  if ('checkpoint' in weights) checkWeights(bundle.plan, weights.sources, weights.checkpoint);
  const executable = await device.load(bundle);
  try {
    await fillWeights(executable, bundle.plan, weights, options.onProgress);
  } catch (error) {
    await executable.close();
    throw error;
  }
  const session = new Session(executable, bundle.plan, options.policy === undefined ? {} : { policy: options.policy });
  return { executable, session, close: () => executable.close() };
}
