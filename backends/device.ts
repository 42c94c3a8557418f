/**
 * The contract every device keeps; `backends/conformance/` tests it. A device executes plans: it owns the buffers a
 * plan declares and runs its entries step by step. No method silently does less than it says: what cannot be done
 * throws a `DeviceError`.
 */
import type { Bundle } from '../compiler/ir/plan.js';

export type DimValues = Readonly<Record<string, number>>;
export type HostArray = Float32Array | Int32Array | Uint32Array | Uint8Array | Uint16Array;

export interface Device {
  readonly name: 'reference' | 'null' | 'cpu' | 'wgsl' | 'cuda';
  /** What it runs on, for people: 'AMD EPYC, AVX2, 2 threads', 'llvmpipe (Vulkan)'. */
  readonly description: string;
  /** Allocates the plan's buffers (zeroed), compiles or finds its kernels, fills constants and state. */
  load(bundle: Bundle): Promise<Executable>;
  close(): Promise<void>;
}

export interface Executable {
  /** Bytes this executable holds on the device, by buffer. */
  readonly resident: ReadonlyMap<string, number>;
  /** Writes into a weights, state or constants buffer of `rank`. */
  write(buffer: string, offset: number, data: Uint8Array, rank?: number): Promise<void>;
  read(buffer: string, offset: number, bytes: number, rank?: number): Promise<Uint8Array>;
  /** Resets every state region to its initial value. */
  resetState(): Promise<void>;
  /**
   * Runs one entry to its end. `inputs` by port name, each shaped for `dims`; returns the outputs asked for.
   * Runs are ordered; state written by one is seen by the next. With several ranks, all get the same inputs.
   */
  run(entry: string, dims: DimValues, inputs: Readonly<Record<string, HostArray>>, outputs: readonly string[]): Promise<Record<string, HostArray>>;
  close(): Promise<void>;
}

/** Raised by devices; `code` is stable (`D01 no Vulkan driver`), `fix` is what the user can do. */
export class DeviceError extends Error {
  constructor(readonly code: string, message: string, readonly fix: string) {
    super(`${code} ${message}\n  fix: ${fix}`);
    this.name = 'DeviceError';
  }
}
