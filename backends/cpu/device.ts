/** The cpu device: generated C++ for this machine's instruction set, run by the native core on all cores. */
import { createRequire } from 'node:module';
import { availableParallelism, cpus } from 'node:os';
import type { Bundle, Plan } from '../../compiler/ir/plan.js';
import { DeviceError, type Device, type DimValues, type Executable, type HostArray } from '../device.js';
import { checkAccess, checkRun, hostArray, portShape } from '../run-request.js';
import type { Optimization } from './build.js';
import { buildAddon } from './build-native.js';
import { compileKernels, type CompiledKernel } from './compile-kernels.js';
import { chooseLevel, type Level } from './levels.js';

export interface CpuOptions {
  /** Default: all cores. */
  readonly threads?: number;
  /** Default: the widest level that the processor has. */
  readonly level?: Level['name'];
  /** Of the generated sources by the C++ compiler, which are the same either way; default: full. */
  readonly optimization?: Optimization;
}

/** Time spent in one kernel since timing was switched on. */
export interface KernelTime { readonly kernel: string; readonly nanoseconds: number; readonly launches: number }

export interface CpuExecutable extends Executable {
  setTiming(on: boolean): void;
  times(): KernelTime[];
}
export interface CpuDevice extends Device {
  load(bundle: Bundle): Promise<CpuExecutable>;
}

interface NativeExecutable {
  buffers(): Record<string, number>;
  write(buffer: string, offset: number, data: Uint8Array): void;
  read(buffer: string, offset: number, into: Uint8Array): void;
  resetState(): void;
  run(request: { entry: string; dims: DimValues; inputs: Record<string, HostArray>; outputs: Record<string, HostArray> }): Promise<void>;
  setTiming(on: boolean): void;
  times(): KernelTime[];
  close(): void;
}
interface Addon { readonly Executable: new (plan: string, kernels: readonly CompiledKernel[], threads: number) => NativeExecutable }

/** Throws DeviceError without a C++ compiler (D31) or a known processor (D37). */
export async function cpuDevice(options: CpuOptions = {}): Promise<CpuDevice> {
  const level = await chooseLevel(options.level);
  const threads = options.threads ?? availableParallelism();
  const addon = createRequire(import.meta.url)(await buildAddon()) as Addon;
  return {
    name: 'cpu',
    description: `${cpus()[0]?.model.trim() ?? 'processor'}, ${level.label}, ${threads} thread${threads === 1 ? '' : 's'}`,
    load: (bundle) => loadBundle(addon, bundle, level, threads, options.optimization),
    close: async () => {},
  };
}

async function loadBundle(addon: Addon, bundle: Bundle, level: Level, threads: number, optimization: Optimization | undefined): Promise<CpuExecutable> {
  const { plan } = bundle;
  if (plan.ranks !== 1) throw new DeviceError('D38', `the plan is for ${plan.ranks} ranks, this device is one`, 'use --device reference for virtual ranks');
  const kernels = await compileKernels(bundle, level, optimization);
  return new NativeRun(plan, native(() => new addon.Executable(JSON.stringify(plan), kernels, threads)));
}

/** Errors of the addon carry code and fix. */
function native<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw asDeviceError(error);
  }
}

function asDeviceError(error: unknown): unknown {
  const { code, fix, message } = error as { code?: string; fix?: string; message: string };
  return code && fix !== undefined ? new DeviceError(code, message, fix) : error;
}

class NativeRun implements CpuExecutable {
  readonly resident: ReadonlyMap<string, number>;
  private executable: NativeExecutable | undefined;
  /** Runs, reads and writes happen in the order of the calls. */
  private last: Promise<unknown> = Promise.resolve();

  constructor(private readonly plan: Plan, executable: NativeExecutable) {
    this.executable = executable;
    this.resident = new Map(Object.entries(executable.buffers()));
  }

  write(buffer: string, offset: number, data: Uint8Array, rank = 0): Promise<void> {
    return this.next((e) => {
      checkAccess(this.plan, buffer, offset, data.length, rank, true);
      e.write(buffer, offset, data);
    });
  }

  read(buffer: string, offset: number, bytes: number, rank = 0): Promise<Uint8Array> {
    return this.next((e) => {
      checkAccess(this.plan, buffer, offset, bytes, rank, false);
      const into = new Uint8Array(bytes);
      e.read(buffer, offset, into);
      return into;
    });
  }

  resetState(): Promise<void> {
    return this.next((e) => e.resetState());
  }

  run(entry: string, dims: DimValues, inputs: Readonly<Record<string, HostArray>>, outputs: readonly string[]): Promise<Record<string, HostArray>> {
    return this.next(async (e) => {
      const request = checkRun(this.plan, entry, dims, inputs, outputs);
      const results = Object.fromEntries(request.outputs.map((port) => [port.name, new (hostArray(port.dtype))(portShape(port, request.dims).reduce((n, s) => n * s, 1))]));
      await e.run({ entry, dims, inputs: { ...inputs }, outputs: results }).catch((error: unknown) => { throw asDeviceError(error); });
      return results;
    });
  }

  setTiming(on: boolean): void { this.open().setTiming(on); }
  times(): KernelTime[] { return this.open().times(); }

  close(): Promise<void> {
    return this.last.then(() => {
      this.executable?.close();
      this.executable = undefined;
    });
  }

  private open(): NativeExecutable {
    if (!this.executable) throw new DeviceError('D18', 'this executable is closed', 'load the plan again');
    return this.executable;
  }

  private next<T>(call: (e: NativeExecutable) => T | Promise<T>): Promise<T> {
    const result = this.last.then(() => call(this.open()));
    this.last = result.catch(() => undefined);
    return result;
  }
}
