/** The devices that run on this machine, for tests that run on each. */
import { cpuDevice } from '../../backends/cpu/device.js';
import type { Device } from '../../backends/device.js';
import { referenceDevice } from '../../backends/reference/device.js';
import { nodeWgslDevice } from '../../backends/wgsl/node.js';

export type Runnable = 'reference' | 'cpu' | 'wgsl';

/** With FIRN_FULL (`npm run test:full`) everything runs on every device. */
export const everything = process.env.FIRN_FULL !== undefined;
/** Devices of what many tests do; a software renderer needs minutes for their shaders, so else only tests about it use it. */
export const usualDevices: readonly Runnable[] = everything ? ['reference', 'cpu', 'wgsl'] : ['reference', 'cpu'];

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
