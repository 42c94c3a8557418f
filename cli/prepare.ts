/** From a spec and weights to a model that runs: what `run` and `logits` have in common. */
import type { Device } from '../backends/device.js';
import { type Checkpoint, compile, load, openCheckpoint, storedIn, type LoadedModel } from '../index.js';
import { chooseDevice } from './devices.js';
import { CommandError } from './failure.js';
import type { DeviceName } from './options.js';
import { report } from './report.js';
import { nodeLoader, readSpec } from './spec.js';
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
  /** Public names of taps whose ids are inputs. */
  readonly pins?: readonly string[];
  /** Sequences at a time. */
  readonly sequences?: number;
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
    ...(options.outputs === undefined ? {} : { outputs: options.outputs }), ...(options.sequences === undefined ? {} : { sequences: options.sequences }),
    ...(options.precision === undefined ? {} : { precision: options.precision }), ...(options.taps === undefined ? {} : { taps: options.taps }), ...(options.pins === undefined ? {} : { pins: options.pins }),
    ...(checkpoint === undefined ? {} : { stored: storedIn(checkpoint) }),
  });
  report(compiled.diagnostics, [...compiled.files.values()]);
  return compiled;
}

async function fill(compiled: Compiled, device: Device, checkpoint: Checkpoint | undefined, seed: number): Promise<LoadedModel> {
  if (checkpoint !== undefined) requireWeightMap(compiled);
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

/** Throws C11 for a spec without a weights section. */
export function requireWeightMap(compiled: Compiled): void {
  if (compiled.sources !== undefined) return;
  throw new CommandError('C11', 'the spec has no weights section, so nothing says which tensor of the checkpoint is which parameter', 'add a `weights { ... }` section, or use random weights (--init SEED)');
}
