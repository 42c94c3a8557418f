/**
 * The null device: accepts any plan and any request that a real device would, counts what a run costs and computes
 * nothing. Outputs are zeros. Copy this file to begin a new backend.
 */
import type { Bundle, Plan } from '../../compiler/ir/plan.js';
import { DeviceError, type Device, type DimValues, type Executable, type HostArray } from '../device.js';
import { checkAccess, checkRun, hostArray, portShape } from '../run-request.js';
import { addCounts, countSteps, noCounts, type Counts } from './count.js';

export interface NullExecutable extends Executable {
  /** Of all runs so far, per rank. */
  readonly counts: Counts;
}

export function nullDevice(): Device & { load(bundle: Bundle): Promise<NullExecutable> } {
  return {
    name: 'null',
    description: 'counts launches, bytes and operations; computes nothing',
    load: async (bundle) => new CountingExecutable(bundle.plan),
    close: async () => {},
  };
}

class CountingExecutable implements NullExecutable {
  counts: Counts = noCounts;
  readonly resident: ReadonlyMap<string, number>;
  private closed = false;

  constructor(private readonly plan: Plan) {
    this.resident = new Map(plan.buffers.map((b) => [b.id, 0]));
  }

  async write(buffer: string, offset: number, data: Uint8Array, rank = 0): Promise<void> {
    this.checkOpen();
    checkAccess(this.plan, buffer, offset, data.length, rank, true);
  }

  async read(buffer: string, offset: number, bytes: number, rank = 0): Promise<Uint8Array> {
    this.checkOpen();
    checkAccess(this.plan, buffer, offset, bytes, rank, false);
    return new Uint8Array(bytes);
  }

  async resetState(): Promise<void> {
    this.checkOpen();
  }

  async run(entry: string, dims: DimValues, inputs: Readonly<Record<string, HostArray>>, outputs: readonly string[]): Promise<Record<string, HostArray>> {
    this.checkOpen();
    const request = checkRun(this.plan, entry, dims, inputs, outputs);
    this.counts = addCounts(this.counts, countSteps(request.entry.steps, request.dims));
    return Object.fromEntries(request.outputs.map((p) => [p.name, new (hostArray(p.dtype))(portShape(p, request.dims).reduce((n, e) => n * e, 1))]));
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  private checkOpen(): void {
    if (this.closed) throw new DeviceError('D18', 'this executable is closed', 'load the plan again');
  }
}
