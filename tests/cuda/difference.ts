/** Compares what a lowered kernel leaves in memory with what its tile program means. */
import { interpretLowered } from '../../backends/cuda/interpret-lowered.js';
import type { Kernel } from '../../backends/cuda/lowered.js';
import { decodeElements } from '../../compiler/kernels/half.js';
import { interpretProgram } from '../../compiler/kernels/interpret.js';
import { copyOf, type Case } from './cases.js';
import { roundOperands } from './round-operands.js';

/** Largest difference as a share of the largest expected value, over the whole written view. NaN counts as infinite. */
export function differenceOf(c: Case, kernel: Kernel, options: { readonly seed: number; readonly blocks?: number }): number {
  const got = copyOf(c);
  interpretLowered(kernel, c.dims, got, options);
  return compareWritten(c, got);
}

/** The same for bytes that anything else computed. */
export function compareWritten(c: Case, got: Readonly<Record<string, Uint8Array>>): number {
  const want = copyOf(c);
  interpretProgram(roundOperands(c.program), c.dims, want);
  const out = c.program.views.find((v) => v.access !== 'read')!;
  const [a, b] = [want, got].map((x) => decodeElements(x[out.name], out.dtype));
  const largest = a.reduce((m: number, v: number) => Math.max(m, Math.abs(v)), 1e-30);
  return a.reduce((m: number, v: number, i: number) => Math.max(m, Number.isNaN(b[i]) ? Infinity : Math.abs(v - b[i]) / largest), 0);
}
