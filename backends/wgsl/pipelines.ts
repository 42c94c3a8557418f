/** Compute pipelines of a plan's kernels: compiled once per way of binding, all at the same time. */
import type { Program } from '../../compiler/ir/kernel.js';
import type { KernelBindings } from './bindings.js';
import { emitWgsl, type Shader } from './emit.js';
import type { Tuning } from './tuning.js';

export interface Pipeline {
  readonly shader: Shader;
  readonly gpu: GPUComputePipeline;
  readonly views: GPUBindGroupLayout;
  readonly parameters: GPUBindGroupLayout;
}

export class Pipelines {
  private readonly known = new Map<string, Promise<Pipeline>>();
  /** By what the shader does: layers of one kind have kernels that differ in names only. */
  private readonly compiled = new Map<string, Promise<GPUComputePipeline>>();
  private readonly layouts = new Map<string, GPUBindGroupLayout>();

  constructor(private readonly device: GPUDevice, private readonly tuning: Tuning) {}

  /** Starts compiling unless that has happened; failures name the kernel and where it comes from. */
  get(program: Program, bindings: KernelBindings): Promise<Pipeline> {
    const key = `${program.name} ${JSON.stringify(bindings)}`;
    const pipeline = this.known.get(key) ?? this.compile(program, bindings);
    this.known.set(key, pipeline);
    return pipeline;
  }

  private async compile(program: Program, bindings: KernelBindings): Promise<Pipeline> {
    const shader = emitWgsl(program, { bindings, tuning: this.tuning });
    const views = this.layout(storageTypes(bindings));
    const parameters = this.layout(shader.offsets.length > 0 ? ['uniform', 'uniform'] : ['uniform']);
    const key = `${shader.key} ${storageTypes(bindings).join()}`;
    const gpu = this.compiled.get(key) ?? this.create(program, shader, [views, parameters]);
    this.compiled.set(key, gpu);
    return { shader, gpu: await gpu, views, parameters };
  }

  private async create(program: Program, shader: Shader, bindGroupLayouts: GPUBindGroupLayout[]): Promise<GPUComputePipeline> {
    const module = this.device.createShaderModule({ label: program.name, code: shader.code });
    try {
      return await this.device.createComputePipelineAsync({
        label: program.name, layout: this.device.createPipelineLayout({ bindGroupLayouts }), compute: { module, entryPoint: shader.entry },
      });
    } catch (error) {
      const { messages } = await module.getCompilationInfo();
      const details = messages.filter((m) => m.type === 'error').map((m) => `line ${m.lineNum}: ${m.message}\n  ${shader.code.split('\n')[m.lineNum - 1]?.trim() ?? ''}`);
      const from = program.origin.map((o) => `${o.what} (${o.where})`).join(', ');
      throw new Error(`wgsl: kernel '${program.name}'${from === '' ? '' : `, from ${from},`} does not compile: ${details.length > 0 ? details.join('\n') : (error as Error).message}`);
    }
  }

  private layout(types: readonly GPUBufferBindingType[]): GPUBindGroupLayout {
    const key = types.join();
    const layout = this.layouts.get(key) ?? this.device.createBindGroupLayout({
      entries: types.map((type, binding) => ({ binding, visibility: GPUShaderStage.COMPUTE, buffer: { type } })),
    });
    this.layouts.set(key, layout);
    return layout;
  }
}

function storageTypes(bindings: KernelBindings): GPUBufferBindingType[] {
  const out: GPUBufferBindingType[] = [];
  for (const v of bindings.views) out[v.binding] = v.access === 'read' ? 'read-only-storage' : 'storage';
  return out;
}
