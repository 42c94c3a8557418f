/**
 * The reference device: does what the plan says, one step after another, with the tile interpreter. Slow and exact; it
 * is what the other devices are compared with, and it holds any number of ranks in one process.
 */
import { decodeBase64 } from '../../compiler/ir/base64.js';
import type { Bundle, Plan, Region, Step } from '../../compiler/ir/plan.js';
import type { Program } from '../../compiler/ir/kernel.js';
import { encodeElements } from '../../compiler/kernels/half.js';
import { interpretProgram } from '../../compiler/kernels/interpret.js';
import { evaluateScalar } from '../../compiler/kernels/scalar.js';
import { DeviceError, type Device, type DimValues, type Executable, type HostArray } from '../device.js';
import { checkAccess, checkRun, readPort } from '../run-request.js';
import { exchange } from './collectives.js';

/** `checked`: launches in which two programs touch one element throw. */
export function referenceDevice(options: { readonly checked?: boolean } = {}): Device {
  return {
    name: 'reference',
    description: 'tile interpreter in TypeScript, one thread',
    load: async (bundle) => new ReferenceExecutable(bundle, options.checked ?? false),
    close: async () => {},
  };
}

type Memory = ReadonlyMap<string, Uint8Array>;

class ReferenceExecutable implements Executable {
  readonly resident: ReadonlyMap<string, number>;
  private readonly plan: Plan;
  private readonly programs: ReadonlyMap<string, Program>;
  /** One per rank. */
  private memories: readonly Memory[];

  constructor(bundle: Bundle, private readonly checked: boolean) {
    this.plan = bundle.plan;
    this.programs = new Map(bundle.programs.map((p) => [p.name, p]));
    const lacking = this.plan.kernels.find((k) => !this.programs.has(k.name));
    if (lacking) throw new DeviceError('D19', `the bundle has no program for kernel '${lacking.name}'`, 'load the kernels that were compiled with this plan');
    this.memories = Array.from({ length: this.plan.ranks }, () => new Map(this.plan.buffers.map((b) => [b.id, new Uint8Array(b.bytes)])));
    this.resident = new Map(this.plan.buffers.map((b) => [b.id, b.bytes * this.plan.ranks]));
    for (const c of this.plan.constants) {
      this.memories.forEach((m, rank) => { if (c.rank === undefined || c.rank === rank) m.get(c.buffer)!.set(decodeBase64(c.data), c.offset); });
    }
    this.fillState();
  }

  async write(buffer: string, offset: number, data: Uint8Array, rank = 0): Promise<void> {
    checkAccess(this.plan, buffer, offset, data.length, rank, true);
    this.memory(rank).get(buffer)!.set(data, offset);
  }

  async read(buffer: string, offset: number, bytes: number, rank = 0): Promise<Uint8Array> {
    checkAccess(this.plan, buffer, offset, bytes, rank, false);
    return this.memory(rank).get(buffer)!.slice(offset, offset + bytes);
  }

  async resetState(): Promise<void> {
    this.memory(0);
    this.fillState();
  }

  async run(entry: string, dims: DimValues, inputs: Readonly<Record<string, HostArray>>, outputs: readonly string[]): Promise<Record<string, HostArray>> {
    this.memory(0);
    const request = checkRun(this.plan, entry, dims, inputs, outputs);
    for (const { port, bytes } of request.inputs) for (const m of this.memories) m.get(port.region.buffer)!.set(bytes, port.region.offset.base);
    this.runSteps(request.entry.steps, request.dims, {});
    return Object.fromEntries(request.outputs.map((port) => {
      const from = this.memory(0).get(port.region.buffer)!;
      return [port.name, readPort(port, request.dims, (offset, bytes) => from.subarray(offset, offset + bytes))];
    }));
  }

  async close(): Promise<void> {
    this.memories = [];
  }

  private memory(rank: number): Memory {
    const memory = this.memories[rank];
    if (!memory) throw new DeviceError('D18', 'this executable is closed', 'load the plan again');
    return memory;
  }

  private fillState(): void {
    for (const state of this.plan.states) {
      const element = encodeElements([state.initial], state.dtype);
      for (const m of this.memories) {
        const bytes = m.get(state.buffer)!.subarray(state.offset, state.offset + state.bytes);
        for (let i = 0; i < bytes.length; i++) bytes[i] = element[i % element.length];
      }
    }
  }

  /** All ranks take a step before any takes the next, so that a collective finds every rank's data. */
  private runSteps(steps: readonly Step[], dims: DimValues, variables: DimValues): void {
    for (const step of steps) {
      switch (step.kind) {
        case 'launch': for (const m of this.memories) this.launch(step, m, dims, variables); break;
        case 'copy': for (const m of this.memories) copy(step, m, dims, variables); break;
        case 'collective': exchange(step, this.plan, this.memories.map((m) => [bytesOf(m, step.from, variables), bytesOf(m, step.to, variables)]), evaluateScalar(step.count, { dims })); break;
        case 'repeat':
          for (let n = 0; n < step.count; n++) this.runSteps(step.body, dims, { ...variables, [step.variable]: step.reverse ? step.count - 1 - n : n });
          break;
      }
    }
  }

  private launch(step: Extract<Step, { kind: 'launch' }>, memory: Memory, dims: DimValues, variables: DimValues): void {
    const program = this.programs.get(step.kernel)!;
    const views = Object.fromEntries(program.views.map((v, i) => [v.name, bytesOf(memory, step.args[i], variables)]));
    interpretProgram(program, dims, views, { checked: this.checked });
  }
}

function copy(step: Extract<Step, { kind: 'copy' }>, memory: Memory, dims: DimValues, variables: DimValues): void {
  const bytes = evaluateScalar(step.bytes, { dims });
  bytesOf(memory, step.to, variables).set(bytesOf(memory, step.from, variables).subarray(0, bytes));
}

function bytesOf(memory: Memory, region: Region, variables: DimValues): Uint8Array {
  const from = region.offset.terms.reduce((sum, t) => sum + variables[t.variable] * t.stride, region.offset.base);
  return memory.get(region.buffer)!.subarray(from, from + region.bytes);
}
