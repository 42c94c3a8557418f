/** The devices that run on this machine, for tests that run on each. */
import { cpuDevice } from '../../backends/cpu/device.js';
import type { Device } from '../../backends/device.js';
import { referenceDevice } from '../../backends/reference/device.js';
import { nodeWgslDevice } from '../../backends/wgsl/node.js';

export type Runnable = 'reference' | 'cpu' | 'wgsl';

/** Why WGSL cannot run here, with what to install; undefined if it can (or must). */
export async function wgslMissing(): Promise<string | undefined> {
  if (process.env.FIRN_REQUIRE_WGSL === '1') return undefined;
  try {
    await (await nodeWgslDevice()).close();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

export async function openDevice(name: Runnable): Promise<Device> {
  switch (name) {
    case 'reference': return referenceDevice();
    case 'cpu': return cpuDevice({ threads: 2 });
    case 'wgsl': return nodeWgslDevice();
  }
}
