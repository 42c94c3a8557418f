/**
 * How the views of one kernel reach its shader. The usual case is one binding per view; a device chooses otherwise where
 * a launch needs it (see `plan-bindings.ts`).
 */
import { isCoded } from '../../compiler/kernels/packing-address.js';
import type { DType } from '../../compiler/ir/dtype.js';
import type { Program, View } from '../../compiler/ir/kernel.js';

export interface BoundView {
  /** Storage binding of group 0; views with the same number share it. */
  readonly binding: number;
  readonly access: 'read' | 'read_write';
  /** Where the view starts in its binding: at 0, or at a word count (u32) in the launch parameters. */
  readonly offset: 'none' | 'words';
}

export interface KernelBindings {
  /** One per view of the program. */
  readonly views: readonly BoundView[];
  /** Members of the uniform buffer with the dynamic dims, in order (all i32). */
  readonly dims: readonly string[];
}

/** One binding per view, nothing shared. */
export function plainBindings(program: Program, dims: readonly string[]): KernelBindings {
  return {
    dims,
    views: program.views.map((v, binding) => ({ binding, access: v.access === 'read' ? 'read' : 'read_write', offset: 'none' })),
  };
}

/** Element type of a storage array that holds `dtype`; what is packed is read as u32 words. */
export function storageType(view: View): 'f32' | 'i32' | 'u32' {
  if (isCoded(view.packing)) return 'u32';
  const types: Record<DType, 'f32' | 'i32' | 'u32'> = { f32: 'f32', i32: 'i32', u32: 'u32', bool: 'u32', bf16: 'u32', f16: 'u32' };
  return types[view.dtype];
}
