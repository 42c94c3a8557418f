/** The buffers of a plan on a WebGPU device, cut where the plan allows it. */
import { decodeBase64 } from '../../compiler/ir/base64.js';
import type { Plan } from '../../compiler/ir/plan.js';
import { encodeElements } from '../../compiler/kernels/half.js';
import { DeviceError } from '../device.js';

/** One GPU buffer: bytes [from, from + bytes) of the plan's buffer. */
interface Piece { readonly name: string; readonly from: number; readonly bytes: number; readonly gpu: GPUBuffer }

/** Bytes of a GPU buffer; `name` tells buffers apart, `at` is where they are in the plan's buffer. */
export interface Span { readonly name: string; readonly gpu: GPUBuffer; readonly offset: number; readonly bytes: number; readonly at: number }

/** Uploads are waited for after this many bytes, so that what Dawn keeps for them stays small. */
const uploadBytes = 64 * 2 ** 20;

export class PlanMemory {
  private readonly pieces = new Map<string, readonly Piece[]>();
  private uploaded = 0;

  private constructor(private readonly device: GPUDevice, private readonly plan: Plan) {}

  /** All zero, then constants and the initial values of states. */
  static async allocate(device: GPUDevice, plan: Plan): Promise<PlanMemory> {
    const memory = new PlanMemory(device, plan);
    checkLimits(device, plan);
    device.pushErrorScope('out-of-memory');
    device.pushErrorScope('validation');
    for (const b of plan.buffers) memory.allocateBuffer(b.id, b.bytes, b.pieces ?? [0]);
    const failures = [await device.popErrorScope(), await device.popErrorScope()].filter((e) => e !== null);
    if (failures.length > 0) {
      memory.destroy();
      throw new DeviceError('D23', `the device is out of memory: it cannot hold the plan's ${plan.peakBytes} bytes (${failures[0].message.split('\n')[0]})`, 'compile for fewer cache entries or tokens, or use a device with more memory');
    }
    for (const c of plan.constants) await memory.write(c.buffer, c.offset, decodeBase64(c.data));
    await memory.fillStates();
    return memory;
  }

  /** Whole vectors of four words: see `vectors.ts`. */
  private allocateBuffer(id: string, bytes: number, cuts: readonly number[]): void {
    this.pieces.set(id, cuts.map((from, i) => {
      const size = (cuts[i + 1] ?? bytes) - from;
      const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
      const name = cuts.length === 1 ? id : `${id}#${i}`;
      return { name, from, bytes: size, gpu: this.device.createBuffer({ label: name, size: Math.max(16, Math.ceil(size / 16) * 16), usage }) };
    }));
  }

  /** Bytes on the device, by buffer. */
  resident(): Map<string, number> {
    return new Map([...this.pieces].map(([id, pieces]) => [id, pieces.reduce((n, p) => n + p.gpu.size, 0)]));
  }

  /** Where bytes [offset, offset + bytes) are, cut at pieces. */
  spans(buffer: string, offset: number, bytes: number): Span[] {
    return this.pieces.get(buffer)!.flatMap((p) => {
      const from = Math.max(offset, p.from);
      const to = Math.min(offset + bytes, p.from + p.bytes);
      return to > from || (bytes === 0 && from === offset && offset <= p.from + p.bytes) ? [{ name: p.name, gpu: p.gpu, offset: from - p.from, bytes: to - from, at: from }] : [];
    });
  }

  /** As `spans`, for what the plan promises to lie in one piece. */
  span(buffer: string, offset: number, bytes: number): Span {
    const spans = this.spans(buffer, offset, bytes);
    if (spans.length === 0 || spans[0].bytes !== bytes) throw new Error(`wgsl: bytes ${offset} to ${offset + bytes} of '${buffer}' do not lie in one piece of it`);
    return spans[0];
  }

  async write(buffer: string, offset: number, data: Uint8Array): Promise<void> {
    for (const s of this.spans(buffer, offset, data.length)) {
      await this.writeSpan(s, data.subarray(s.at - offset, s.at - offset + s.bytes));
    }
  }

  /** WebGPU writes whole words; the rest of a word that is written in part is read first. */
  private async writeSpan(span: Span, data: Uint8Array): Promise<void> {
    const from = Math.floor(span.offset / 4) * 4;
    const to = Math.ceil((span.offset + span.bytes) / 4) * 4;
    let words = data;
    if (from !== span.offset || to !== span.offset + span.bytes) {
      words = await readSpan(this.device, { ...span, offset: from, bytes: to - from });
      words.set(data, span.offset - from);
    }
    this.device.queue.writeBuffer(span.gpu, from, words as Uint8Array<ArrayBuffer>);
    this.uploaded += words.length;
    if (this.uploaded < uploadBytes) return;
    this.uploaded = 0;
    await this.device.queue.onSubmittedWorkDone();
  }

  async read(buffer: string, offset: number, bytes: number): Promise<Uint8Array> {
    const out = new Uint8Array(bytes);
    let at = 0;
    for (const span of this.spans(buffer, offset, bytes)) {
      out.set(await readSpan(this.device, span), at);
      at += span.bytes;
    }
    return out;
  }

  async fillStates(): Promise<void> {
    for (const s of this.plan.states) {
      const element = encodeElements([s.initial], s.dtype);
      const chunk = new Uint8Array(Math.min(s.bytes, 2 ** 20));
      for (let i = 0; i < chunk.length; i++) chunk[i] = element[i % element.length];
      for (let at = 0; at < s.bytes; at += chunk.length) await this.write(s.buffer, s.offset + at, chunk.subarray(0, Math.min(chunk.length, s.bytes - at)));
    }
  }

  destroy(): void {
    for (const pieces of this.pieces.values()) for (const p of pieces) p.gpu.destroy();
  }
}

/** @throws DeviceError D26 with both numbers */
function checkLimits({ limits }: GPUDevice, plan: Plan): void {
  const [name, most] = limits.maxBufferSize < limits.maxStorageBufferBindingSize ? ['maxBufferSize', limits.maxBufferSize] : ['maxStorageBufferBindingSize', limits.maxStorageBufferBindingSize];
  for (const { id, bytes, pieces = [0] } of plan.buffers) for (const [i, from] of pieces.entries()) {
    const size = (pieces[i + 1] ?? bytes) - from;
    if (size > most) throw new DeviceError('D26', `a piece of the plan's buffer '${id}' has ${size} bytes, the device allows ${most} (${name})`, "use a device with WebGPU's default limits (128 MiB per binding) or more, or compile for fewer cache entries or tokens");
  }
}

/** Copies bytes of a buffer to the host. */
export async function readSpan(device: GPUDevice, span: Span): Promise<Uint8Array> {
  if (span.bytes === 0) return new Uint8Array(0);
  const from = Math.floor(span.offset / 4) * 4;
  const size = Math.ceil((span.offset + span.bytes) / 4) * 4 - from;
  const staging = device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(span.gpu, from, staging, 0, size);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(GPUMapMode.READ);
  const out = new Uint8Array(staging.getMappedRange()).slice(span.offset - from, span.offset - from + span.bytes);
  staging.destroy();
  return out;
}
