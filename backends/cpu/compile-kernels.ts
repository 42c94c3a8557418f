/** All kernels of a bundle as machine code. */
import type { Bundle } from '../../compiler/ir/plan.js';
import { DeviceError } from '../device.js';
import { buildKernels, type Optimization } from './build.js';
import { emitKernel, emitSource } from './emit.js';
import type { Level } from './levels.js';

/** A kernel of a plan, and where its function is: path of a shared object, symbol in it. */
export interface CompiledKernel { readonly kernel: string; readonly library: string; readonly symbol: string }

/** Kernels per translation unit: few enough that a changed kernel recompiles little. */
const kernelsPerSource = 6;

/** In the plan's order. Throws DeviceError: D19 a kernel has no program, D31 and D32 of the compiler. */
export async function compileKernels(bundle: Bundle, level: Level, optimization?: Optimization): Promise<CompiledKernel[]> {
  const { sources, symbols } = emitKernels(bundle, level);
  const libraries = await buildKernels(sources, level, 'library', optimization);
  return bundle.plan.kernels.map((k, i) => ({ kernel: k.name, library: libraries[Math.floor(i / kernelsPerSource)], symbol: symbols[i] }));
}

/** The C++ of all kernels; symbols in the plan's order. Throws DeviceError D19. */
export function emitKernels({ plan, programs }: Bundle, level: Level): { readonly sources: readonly string[]; readonly symbols: readonly string[] } {
  const byName = new Map(programs.map((p) => [p.name, p]));
  const emitted = plan.kernels.map((kernel) => {
    const program = byName.get(kernel.name);
    if (!program) throw new DeviceError('D19', `the bundle has no program for kernel '${kernel.name}'`, 'load the kernels that were compiled with this plan');
    return emitKernel(program, plan.dims, level);
  });
  const groups = Array.from({ length: Math.ceil(emitted.length / kernelsPerSource) }, (_, i) => emitted.slice(i * kernelsPerSource, (i + 1) * kernelsPerSource));
  return { sources: groups.map(emitSource), symbols: emitted.map((e) => e.symbol) };
}
