/** From a spec and weights to a model that runs: what `run` and `logits` have in common. */
import type { Device } from '../backends/device.js';
import { type Checkpoint, compile, load, openCheckpoint, storedIn, type LoadedModel } from '../index.js';
import { chooseDevice } from './devices.js';
import { CommandError } from './failure.js';
import type { DeviceName } from './options.js';
import { report } from './report.js';
import { nodeLoader, readSpec } from '../dsl/std-node.js';
import { formatBytes, note, ProgressLine } from './terminal.js';

export interface PrepareOptions {
  readonly device?: DeviceName;
  readonly weights?: string;
  readonly init?: number;
  readonly precision?: 'f32' | 'bf16';
  /** Tokens of the longest sequence, and of the largest run. */
  readonly context: number;
  readonly maxTokens: number;
  /** Rows of logits of one run at most. */
  readonly outputs?: number;
  readonly taps?: readonly string[];
}
type Compiled = ReturnType<typeof compile>;
export interface Prepared { readonly model: LoadedModel; readonly compiled: Compiled; readonly device: Device; close(): Promise<void> }

export async function prepare(spec: string, options: PrepareOptions): Promise<Prepared> {
  const entry = readSpec(spec);
  const checkpoint = options.weights === undefined ? undefined : await openCheckpoint(options.weights);
  try {
    const { device, why } = await chooseDevice(options.device);
    note(`device: ${device.name} (${device.description}), ${why}`);
    try {
      const compiled = compileFor(device, entry, checkpoint, options);
      const model = await fill(compiled, device, checkpoint, options.init ?? 0);
      return { model, compiled, device, close: async () => { await model.close(); await device.close(); } };
    } catch (error) {
      await device.close();
      throw error;
    }
  } finally {
    await checkpoint?.close();
  }
}

function compileFor(device: Device, entry: ReturnType<typeof readSpec>, checkpoint: Checkpoint | undefined, options: PrepareOptions): Compiled {
  const compiled = compile({
    entry, load: nodeLoader, target: device.name as Exclude<Device['name'], 'cuda'>, context: options.context, maxTokens: options.maxTokens,
    ...(options.outputs === undefined ? {} : { outputs: options.outputs }),
    ...(options.precision === undefined ? {} : { precision: options.precision }), ...(options.taps === undefined ? {} : { taps: options.taps }),
    ...(checkpoint === undefined ? {} : { stored: storedIn(checkpoint) }),
  });
  report(compiled.diagnostics, [...compiled.files.values()]);
  return compiled;
}

async function fill(compiled: Compiled, device: Device, checkpoint: Checkpoint | undefined, seed: number): Promise<LoadedModel> {
  if (checkpoint !== undefined && compiled.sources === undefined) {
    throw new CommandError('C11', 'the spec has no weights section, so nothing says which tensor of the checkpoint is which parameter', 'add a `weights { ... }` section, or run with --init SEED');
  }
  note(`preparing ${compiled.bundle!.plan.kernels.length} kernels for ${device.name}`);
  const line = new ProgressLine();
  const verb = checkpoint === undefined ? 'making random weights' : 'loading weights';
  try {
    return await load(compiled.bundle!, device, {
      weights: checkpoint === undefined ? { seed } : { checkpoint, sources: compiled.sources! },
      onProgress: (p) => line.update(() => `${verb}: ${formatBytes(p.doneBytes)} of ${formatBytes(p.totalBytes)}`),
    });
  } finally {
    line.end();
  }
}
