/**
 * The WebGPU device: `wgslDevice(navigator.gpu)` in a browser, `nodeWgslDevice()` (node.ts) in Node. Nothing here knows
 * which of the two it runs in.
 */
import { DeviceError, type Device } from '../device.js';
import { gpuTuning, rasteriserSubgroup, rasteriserTuning, type Tuning } from './tuning.js';
import { WgslExecutable, type DeviceHealth, type Waiting } from './executable.js';

export interface WgslOptions {
  /** Keep to WebGPU's default limits even if the adapter offers larger buffers. */
  readonly portable?: boolean;
  /** What kernels are written for; by the kind of adapter if absent. */
  readonly tuning?: Tuning;
  /** How to wait for the device, where waiting costs something. */
  readonly wait?: Waiting;
  /** What to do on this host where there is no adapter. */
  readonly adapterFix?: string;
}

/** What `gpu` would run on. `software`: a rasteriser on the CPU, such as llvmpipe or SwiftShader. */
export interface AdapterSummary { readonly description: string; readonly software: boolean }

export async function describeAdapter(gpu: GPU): Promise<AdapterSummary | undefined> {
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  return adapter ? summary(adapter) : undefined;
}

function summary(adapter: GPUAdapter): AdapterSummary {
  const { description, vendor, architecture, device } = adapter.info;
  const text = description || [vendor, architecture, device].filter((x) => x !== '').join(' ') || 'unknown adapter';
  return { description: text, software: adapter.info.isFallbackAdapter || /llvmpipe|lavapipe|swiftshader|software/i.test(text) };
}

/**
 * @throws DeviceError D20 if there is no adapter, D21 if it gives no device.
 */
export async function wgslDevice(gpu: GPU, options: WgslOptions = {}): Promise<Device> {
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) {
    throw new DeviceError('D20', 'WebGPU finds no adapter: this machine has no Vulkan (Metal, Direct3D 12) driver, or may not use it',
      options.adapterFix ?? "turn on hardware acceleration in the browser's settings, and update the graphics driver");
  }
  const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
  const tuning = options.tuning ?? defaultTuning(adapter);
  let device: GPUDevice;
  try {
    const requiredFeatures: GPUFeatureName[] = tuning.subgroup > 0 ? ['subgroups'] : [];
    device = await adapter.requestDevice({ requiredFeatures, requiredLimits: options.portable ? {} : { maxBufferSize, maxStorageBufferBindingSize } });
  } catch (error) {
    throw new DeviceError('D21', `the adapter gives no device: ${(error as Error).message}`, 'update the graphics driver, or run on cpu');
  }
  const health = watch(device);
  return {
    name: 'wgsl',
    description: `${summary(adapter).description} (WebGPU)`,
    load: (bundle) => WgslExecutable.load(device, health, tuning, options.wait ?? ((pending) => pending), bundle),
    close: async () => device.destroy(),
  };
}

/** Subgroups are used where they help: on rasterisers, if they are always as large as what kernels are written for. */
function defaultTuning(adapter: GPUAdapter): Tuning {
  if (!summary(adapter).software) return gpuTuning;
  const { subgroupMinSize, subgroupMaxSize } = adapter.info;
  return adapter.features.has('subgroups') && subgroupMinSize === subgroupMaxSize && subgroupMinSize === rasteriserSubgroup
    ? { ...rasteriserTuning, subgroup: rasteriserSubgroup } : rasteriserTuning;
}

/** Collects what WebGPU reports outside of calls. */
function watch(device: GPUDevice): DeviceHealth {
  const errors: string[] = [];
  let lost: string | undefined;
  device.addEventListener('uncapturederror', (event) => {
    event.preventDefault();
    errors.push(event.error.message);
  });
  void device.lost.then((info) => { lost = `${info.reason}: ${info.message}`; });
  const check = (): void => {
    if (lost !== undefined) throw new DeviceError('D22', `the WebGPU device was lost (${lost})`, 'open the device and load the plan again');
    if (errors.length > 0) throw new Error(`wgsl: WebGPU reports: ${errors.splice(0).join('\n')}`);
  };
  return {
    check,
    async explain(error) {
      // A lost device fails its calls a little before it says so.
      await Promise.race([device.lost, new Promise((resolve) => setTimeout(resolve, 500))]);
      check();
      throw error;
    },
  };
}
