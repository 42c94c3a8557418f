import { expect } from 'vitest';
import type { Bundle } from '../../compiler/ir/plan.js';
import { printViolations, verifyPlan } from '../../compiler/plan/verify-plan.js';
import type { Device, Executable } from '../device.js';

/** [rows, width] small integers that differ from element to element. */
export function numbered(rows: number, width: number, first = 1): Float32Array {
  return Float32Array.from({ length: rows * width }, (_, i) => first + ((i * 7) % 13));
}

export function f32Bytes(values: readonly number[] | Float32Array): Uint8Array {
  return new Uint8Array(Float32Array.from(values).buffer);
}

/** Loads the plan, which must be right, runs `use` and closes the executable, whatever happens. */
export async function withExecutable<T>(device: Device, bundle: Bundle, use: (exec: Executable) => Promise<T>): Promise<T> {
  expect(printViolations(verifyPlan(bundle))).toBe('');
  const exec = await device.load(bundle);
  try {
    return await use(exec);
  } finally {
    await exec.close();
  }
}

/** Fills every weight by `value(path)`, the same number in all its elements. */
export async function writeWeights(exec: Executable, bundle: Bundle, value: (path: string, rank: number) => number): Promise<void> {
  for (let rank = 0; rank < bundle.plan.ranks; rank++) {
    for (const w of bundle.plan.weights) await exec.write(w.buffer, w.offset, f32Bytes(new Float32Array(w.bytes / 4).fill(value(w.path, rank))), rank);
  }
}

/** The number in the last brackets of a path, 0 if there is none. */
export function layerOf(path: string): number {
  return Number(/\[(\d+)\]/.exec(path)?.[1] ?? 0);
}
