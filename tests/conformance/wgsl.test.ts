import { describe, it, vi } from 'vitest';
import { conformance } from '../../backends/conformance/conformance.js';
import { describeAdapter, wgslDevice } from '../../backends/wgsl/device.js';
import { nodeGpu, nodeWgslDevice } from '../../backends/wgsl/node.js';
import { everySample } from '../kernels/samples.js';

// A software rasteriser takes seconds to compile a shader it has not seen.
vi.setConfig({ testTimeout: 240_000 });

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

const why = await missing();
if (why === undefined) conformance('wgsl', () => nodeWgslDevice({ portable: true }), { kernels: everySample(), tolerance: 1e-5 });
else describe('device wgsl', () => { it.skip(`skipped: ${why}`, () => undefined); });
