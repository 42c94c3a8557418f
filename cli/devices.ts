/** Opens the device that a command runs on, and says why it is that one. */
import { existsSync, readdirSync } from 'node:fs';
import type { Device } from '../backends/device.js';
import { openDevice } from '../index.js';
import type { DeviceName } from './options.js';

export interface Chosen { readonly device: Device; readonly why: string }

/** `name`, or a hardware GPU through WebGPU, else cpu. Throws DeviceError if a named device cannot be had. */
export async function chooseDevice(name: DeviceName | undefined): Promise<Chosen> {
  if (name !== undefined) return { device: await openDevice(name), why: 'as asked for' };
  const absent = await missingGpu();
  if (absent === undefined) return { device: await openDevice('wgsl'), why: 'a hardware GPU, through WebGPU' };
  return { device: await openDevice('cpu'), why: `since ${absent}; --device names another` };
}

/** Why there is no hardware GPU; undefined if there is one. */
async function missingGpu(): Promise<string | undefined> {
  // Opening WebGPU takes half a second; on Linux a GPU has a device node.
  const nodes = process.platform !== 'linux' || existsSync('/dev/nvidia0') || (existsSync('/dev/dri') && readdirSync('/dev/dri').some((n) => n.startsWith('renderD')));
  if (!nodes) return 'this machine has no GPU';
  try {
    const [{ nodeGpu }, { describeAdapter }] = await Promise.all([import('../backends/wgsl/node.js'), import('../backends/wgsl/device.js')]);
    const adapter = await describeAdapter(await nodeGpu());
    if (adapter === undefined) return 'WebGPU finds no GPU';
    return adapter.software ? `WebGPU finds a software renderer only (${adapter.description})` : undefined;
  } catch (error) {
    return `WebGPU cannot be opened (${(error as Error).message.split('\n')[0]})`;
  }
}
