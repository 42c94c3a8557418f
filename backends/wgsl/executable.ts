/** A loaded plan on a WebGPU device. */
import type { Bundle, Plan, Port } from '../../compiler/ir/plan.js';
import { DeviceError, type DimValues, type Executable, type HostArray } from '../device.js';
import { checkAccess, checkRun, portPieces, readPort, type RunRequest } from '../run-request.js';
import { commandSizes, encodeCommands, prepareEntry, type Command } from './commands.js';
import { PlanMemory } from './memory.js';
import { Pipelines } from './pipelines.js';
import type { Tuning } from './tuning.js';

/** What went wrong on a device since somebody last asked. */
export interface DeviceHealth {
  /** Throws if the device was lost or an error was reported. */
  check(): void;
  /** Throws the reason why a call failed with `error`: that the device was lost, if it was, else the error itself. */
  explain(error: unknown): Promise<never>;
}

/** Settles as `pending` does. */
export type Waiting = (pending: Promise<undefined>) => Promise<undefined>;

/** Run sizes kept per entry; a session alternates between few. */
const keptSizes = 64;

interface PreparedEntry { readonly commands: readonly Command[]; readonly sizes: Map<string, readonly number[]> }

export class WgslExecutable implements Executable {
  readonly resident: ReadonlyMap<string, number>;
  private closed = false;
  private readonly idleStaging: GPUBuffer[] = [];

  private constructor(private readonly device: GPUDevice, private readonly health: DeviceHealth, private readonly wait: Waiting, private readonly plan: Plan,
    private readonly memory: PlanMemory, private readonly dims: GPUBuffer, private readonly entries: ReadonlyMap<string, PreparedEntry>) {
    this.resident = memory.resident();
  }

  static async load(device: GPUDevice, health: DeviceHealth, tuning: Tuning, wait: Waiting, bundle: Bundle): Promise<WgslExecutable> {
    const { plan } = bundle;
    if (plan.ranks !== 1) throw new DeviceError('D24', `the plan is for ${plan.ranks} ranks, WebGPU runs one`, 'compile for one rank, or run on the reference device');
    const programs = new Map(bundle.programs.map((p) => [p.name, p]));
    const lacking = plan.kernels.find((k) => !programs.has(k.name));
    if (lacking) throw new DeviceError('D19', `the bundle has no program for kernel '${lacking.name}'`, 'load the kernels that were compiled with this plan');
    const memory = await PlanMemory.allocate(device, plan);
    const dims = device.createBuffer({ label: 'dims', size: Math.max(16, Math.ceil(plan.dims.length / 4) * 16), usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST });
    try {
      const context = { device, plan, programs, memory, pipelines: new Pipelines(device, tuning), dims };
      const entries = await Promise.all(plan.entries.map(async (e) => [e.name, { commands: await prepareEntry(context, e.name), sizes: new Map() }] as const));
      health.check();
      return new WgslExecutable(device, health, wait, plan, memory, dims, new Map(entries));
    } catch (error) {
      memory.destroy();
      return health.explain(error);
    }
  }

  async write(buffer: string, offset: number, data: Uint8Array, rank = 0): Promise<void> {
    this.checkOpen();
    checkAccess(this.plan, buffer, offset, data.length, rank, true);
    await this.memory.write(buffer, offset, data).catch((error: unknown) => this.health.explain(error));
  }

  async read(buffer: string, offset: number, bytes: number, rank = 0): Promise<Uint8Array> {
    this.checkOpen();
    checkAccess(this.plan, buffer, offset, bytes, rank, false);
    return this.memory.read(buffer, offset, bytes);
  }

  async resetState(): Promise<void> {
    this.checkOpen();
    await this.memory.fillStates();
  }

  async run(entry: string, dims: DimValues, inputs: Readonly<Record<string, HostArray>>, outputs: readonly string[]): Promise<Record<string, HostArray>> {
    this.checkOpen();
    const request = checkRun(this.plan, entry, dims, inputs, outputs);
    for (const { port, bytes } of request.inputs) await this.memory.write(port.region.buffer, port.region.offset.base, bytes);
    this.device.queue.writeBuffer(this.dims, 0, Int32Array.from(this.plan.dims, (d) => request.dims[d.name] ?? 0));
    const prepared = this.entries.get(entry)!;
    const encoder = this.device.createCommandEncoder({ label: entry });
    encodeCommands(this.device, encoder, prepared.commands, this.sizes(prepared, request.dims));
    const result = await this.finish(encoder, request).catch((error: unknown) => this.health.explain(error));
    this.health.check();
    return result;
  }

  private sizes(entry: PreparedEntry, dims: DimValues): readonly number[] {
    const key = JSON.stringify(dims);
    const known = entry.sizes.get(key) ?? commandSizes(entry.commands, dims);
    if (entry.sizes.size >= keptSizes) entry.sizes.clear();
    entry.sizes.set(key, known);
    return known;
  }

  /** Submits, waits, and reads the outputs through one staging buffer. */
  private async finish(encoder: GPUCommandEncoder, request: RunRequest): Promise<Record<string, HostArray>> {
    const pieces = request.outputs.map((port) => this.outputPieces(port, request.dims));
    const total = pieces.flat().reduce((n, p) => n + p.size, 0);
    if (total === 0) {
      this.device.queue.submit([encoder.finish()]);
      await this.wait(this.device.queue.onSubmittedWorkDone());
      return Object.fromEntries(request.outputs.map((port) => [port.name, readPort(port, request.dims, () => new Uint8Array(0))]));
    }
    const staging = this.takeStaging(total);
    let at = 0;
    const placed = pieces.map((list) => list.map((p) => {
      encoder.copyBufferToBuffer(p.gpu, p.from, staging, at, p.size);
      at += p.size;
      return { ...p, at: at - p.size };
    }));
    this.device.queue.submit([encoder.finish()]);
    await this.wait(staging.mapAsync(GPUMapMode.READ, 0, total));
    const bytes = new Uint8Array(staging.getMappedRange(0, total));
    const result = Object.fromEntries(request.outputs.map((port, i) => [port.name, readPort(port, request.dims, (offset, length) => {
      const p = placed[i].find((x) => x.offset === offset)!;
      return bytes.subarray(p.at + p.skip, p.at + p.skip + length);
    })]));
    staging.unmap();
    this.idleStaging.push(staging);
    return result;
  }

  /** The words that hold each piece of an output. */
  private outputPieces(port: Port, dims: DimValues): { readonly offset: number; readonly gpu: GPUBuffer; readonly from: number; readonly size: number; readonly skip: number }[] {
    const { starts, bytes } = portPieces(port, dims);
    if (bytes === 0) return [];
    return starts.map((start) => {
      const offset = port.region.offset.base + start;
      const span = this.memory.span(port.region.buffer, offset, bytes);
      const from = Math.floor(span.offset / 4) * 4;
      return { offset, gpu: span.gpu, from, size: Math.ceil((span.offset + bytes) / 4) * 4 - from, skip: span.offset - from };
    });
  }

  private takeStaging(bytes: number): GPUBuffer {
    const i = this.idleStaging.findIndex((b) => b.size >= bytes);
    if (i >= 0) return this.idleStaging.splice(i, 1)[0];
    this.idleStaging.splice(0).forEach((b) => b.destroy());
    return this.device.createBuffer({ label: 'outputs', size: Math.ceil(bytes / 256) * 256, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    this.memory.destroy();
    this.dims.destroy();
    this.idleStaging.splice(0).forEach((b) => b.destroy());
  }

  private checkOpen(): void {
    if (this.closed) throw new DeviceError('D18', 'this executable is closed', 'load the plan again');
    this.health.check();
  }
}
