/** Where tests get a WebGPU device, and what they say where there is none. */
import { describe, it, vi } from 'vitest';
import type { Device } from '../../backends/device.js';
import { describeAdapter, wgslDevice } from '../../backends/wgsl/device.js';
import { nodeGpu, nodeWgslDevice } from '../../backends/wgsl/node.js';
import { gpuTuning } from '../../backends/wgsl/tuning.js';

/** Why there is no WebGPU here, with what to do about it. */
async function missing(): Promise<string | undefined> {
  if (process.env.FIRN_REQUIRE_WGSL === '1') return undefined;
  try {
    if (await describeAdapter(await nodeGpu())) return undefined;
    await wgslDevice(await nodeGpu());
  } catch (error) {
    return (error as Error).message;
  }
  return 'no adapter';
}

/** Defines tests that need WebGPU, or one that is skipped and says why; with FIRN_REQUIRE_WGSL=1 they must run. */
export async function withWgsl(name: string, define: (make: (kind: 'default' | 'gpu') => Promise<Device>) => void): Promise<void> {
  // A software rasteriser takes seconds to compile a shader it has not seen.
  vi.setConfig({ testTimeout: 240_000, hookTimeout: 60_000 });
  const why = await missing();
  if (why !== undefined) describe(name, () => { it.skip(`skipped: ${why}`, () => undefined); });
  else define((kind) => nodeWgslDevice(kind === 'gpu' ? { portable: true, tuning: { ...gpuTuning, rolledLoops: true } } : { portable: true }));
}
