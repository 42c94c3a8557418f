/** An entry as WebGPU commands: everything that does not depend on a run's dims is made once. */
import type { Plan } from '../../compiler/ir/plan.js';
import type { Program, Scalar } from '../../compiler/ir/kernel.js';
import { evaluateScalar } from '../../compiler/kernels/scalar.js';
import type { DimValues } from '../device.js';
import { maxWorkgroups } from './emit.js';
import type { PlanMemory, Span } from './memory.js';
import { bindLaunch } from './plan-bindings.js';
import type { Pipeline, Pipelines } from './pipelines.js';
import { unrollEntry, type FlatStep } from './unroll.js';

interface Dispatch { readonly kind: 'dispatch'; readonly pipeline: Pipeline; readonly views: GPUBindGroup; readonly parameters: GPUBindGroup; readonly grid: readonly Scalar[] }
interface Copy { readonly kind: 'copy'; readonly from: Span; readonly to: Span; readonly bytes: Scalar }
export type Command = Dispatch | Copy;

export interface CommandContext {
  readonly device: GPUDevice;
  readonly plan: Plan;
  readonly programs: ReadonlyMap<string, Program>;
  readonly memory: PlanMemory;
  readonly pipelines: Pipelines;
  /** Values of the plan's dims, i32 in order. */
  readonly dims: GPUBuffer;
}

const alignment = 256;

export async function prepareEntry(context: CommandContext, entry: string): Promise<Command[]> {
  const steps = unrollEntry(context.plan, entry);
  const bound = await Promise.all(steps.map((s) => (s.kind === 'launch' ? bind(context, s) : undefined)));
  const starts = startsBuffer(context.device, bound.map((b) => b?.starts ?? []));
  const groups = new Map<Pipeline, GPUBindGroup>();
  return steps.map((s, i): Command => {
    if (s.kind === 'copy') return { kind: 'copy', from: context.memory.span(s.from.buffer, s.from.offset, s.from.bytes), to: context.memory.span(s.to.buffer, s.to.offset, s.to.bytes), bytes: s.bytes };
    const { pipeline, views, starts: own } = bound[i]!;
    const shared = own.length === 0 ? groups.get(pipeline) : undefined;
    const parameters = shared ?? parameterGroup(context, pipeline, starts, i, own.length);
    if (own.length === 0) groups.set(pipeline, parameters);
    return { kind: 'dispatch', pipeline, views, parameters, grid: s.grid };
  });
}

async function bind(context: CommandContext, s: Extract<FlatStep, { kind: 'launch' }>): Promise<{ pipeline: Pipeline; views: GPUBindGroup; starts: readonly number[] }> {
  const program = context.programs.get(s.kernel)!;
  const spans = s.args.map((a) => context.memory.span(a.buffer, a.offset, a.bytes));
  const { kernel, ranges, starts } = bindLaunch(program, spans.map((x) => ({ buffer: x.name, offset: x.offset, bytes: x.bytes })), context.plan.dims.map((d) => d.name));
  const pipeline = await context.pipelines.get(program, kernel);
  const views = context.device.createBindGroup({
    label: program.name, layout: pipeline.views,
    entries: ranges.map((r, binding) => {
      const { gpu } = spans.find((x) => x.name === r.buffer)!;
      return { binding, resource: { buffer: gpu, offset: r.offset, size: Math.min(r.bytes, gpu.size - r.offset) } };
    }),
  });
  return { pipeline, views, starts };
}

/** One stretch of `alignment` bytes per step that has starts. */
function startsBuffer(device: GPUDevice, starts: readonly (readonly number[])[]): GPUBuffer | undefined {
  if (starts.every((s) => s.length === 0)) return undefined;
  const words = new Int32Array((starts.length * alignment) / 4);
  starts.forEach((s, i) => words.set(s, (i * alignment) / 4));
  const buffer = device.createBuffer({ label: 'starts of views', size: words.byteLength, usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST });
  device.queue.writeBuffer(buffer, 0, words);
  return buffer;
}

function parameterGroup(context: CommandContext, pipeline: Pipeline, starts: GPUBuffer | undefined, step: number, count: number): GPUBindGroup {
  const dims = { binding: 0, resource: { buffer: context.dims } };
  const own = count === 0 ? [] : [{ binding: 1, resource: { buffer: starts!, offset: step * alignment, size: Math.ceil(count / 4) * 16 } }];
  return context.device.createBindGroup({ layout: pipeline.parameters, entries: [dims, ...own] });
}

/** Workgroups of every dispatch and bytes of every copy, under a run's dims. */
export function commandSizes(commands: readonly Command[], dims: DimValues): number[] {
  return commands.map((c) => (c.kind === 'copy' ? evaluateScalar(c.bytes, { dims }) : c.grid.reduce((n, g) => n * Math.max(0, evaluateScalar(g, { dims })), 1)));
}

/** Records `commands` in as few passes as copies between them allow. */
export function encodeCommands(device: GPUDevice, encoder: GPUCommandEncoder, commands: readonly Command[], sizes: readonly number[]): void {
  let pass: GPUComputePassEncoder | undefined;
  let pipeline: Pipeline | undefined;
  let parameters: GPUBindGroup | undefined;
  commands.forEach((c, i) => {
    if (sizes[i] === 0) return;
    if (c.kind === 'copy') {
      pass?.end();
      pass = pipeline = parameters = undefined;
      return copy(device, encoder, c, sizes[i]);
    }
    pass ??= encoder.beginComputePass();
    if (c.pipeline !== pipeline) pass.setPipeline((pipeline = c.pipeline).gpu);
    if (c.parameters !== parameters) pass.setBindGroup(1, (parameters = c.parameters));
    pass.setBindGroup(0, c.views);
    pass.dispatchWorkgroups(Math.min(sizes[i], maxWorkgroups), Math.ceil(sizes[i] / maxWorkgroups));
  });
  pass?.end();
}

/** WebGPU copies whole words, and not within one buffer. */
function copy(device: GPUDevice, encoder: GPUCommandEncoder, c: Copy, bytes: number): void {
  const size = Math.ceil(bytes / 4) * 4;
  if (c.from.gpu !== c.to.gpu) return encoder.copyBufferToBuffer(c.from.gpu, c.from.offset, c.to.gpu, c.to.offset, size);
  const between = device.createBuffer({ label: 'copy within a buffer', size, usage: GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST });
  encoder.copyBufferToBuffer(c.from.gpu, c.from.offset, between, 0, size);
  encoder.copyBufferToBuffer(between, 0, c.to.gpu, c.to.offset, size);
}
