/** WebGPU in Node, through the optional npm package `webgpu` (Dawn). */
import { DeviceError, type Device } from '../device.js';
import { wgslDevice, type WgslOptions } from './device.js';

/**
 * Must be referenced for as long as anything made from it: Dawn's instance dies with it, and the process with that.
 */
let instance: GPU | undefined;

/**
 * @throws DeviceError if the package or a Vulkan driver is missing.
 */
export async function nodeGpu(): Promise<GPU> {
  if (instance !== undefined) return instance;
  let dawn: { create(options: string[]): GPU; globals: object };
  try {
    const name = 'webgpu';
    dawn = await import(name) as typeof dawn;
  } catch (error) {
    throw new DeviceError('D25', `the package 'webgpu' (Dawn for Node) cannot be loaded: ${(error as Error).message}`, 'npm install webgpu');
  }
  Object.assign(globalThis, dawn.globals);
  instance = dawn.create([]);
  return instance;
}

const cell = new Int32Array(new SharedArrayBuffer(4));

/**
 * Dawn's bindings ask in every turn of the event loop whether the device is done, which takes a core that a rasteriser
 * needs. Turns are therefore made longer the longer the wait has been, up to a millisecond.
 */
async function waitPatiently(pending: Promise<undefined>): Promise<undefined> {
  const started = performance.now();
  let settled = false;
  const stop = (): void => { settled = true; };
  pending.then(stop, stop);
  const rest = (): void => {
    if (settled) return;
    Atomics.wait(cell, 0, 0, Math.min(1, (performance.now() - started) / 16));
    setImmediate(rest);
  };
  setImmediate(rest);
  return pending;
}

const installDriver = 'on Debian 12: echo "deb http://deb.debian.org/debian bookworm-backports main" > /etc/apt/sources.list.d/backports.list && apt-get update && apt-get install -y -t bookworm-backports mesa-vulkan-drivers libvulkan1';

/** The WebGPU device of this machine. @throws DeviceError as `nodeGpu` and `wgslDevice` do. */
export async function nodeWgslDevice(options: WgslOptions = {}): Promise<Device> {
  return wgslDevice(await nodeGpu(), { adapterFix: installDriver, wait: waitPatiently, ...options });
}
