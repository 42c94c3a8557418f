import { describe, expect, it } from 'vitest';
import { dtypeBytes } from '../../compiler/ir/dtype.js';
import type { Program, View } from '../../compiler/ir/kernel.js';
import type { Bundle } from '../../compiler/ir/plan.js';
import { decodeElements } from '../../compiler/kernels/half.js';
import { evaluateScalar } from '../../compiler/kernels/scalar.js';
import { buildPlan } from '../../compiler/plan/plan.js';
import type { Tensor } from '../../compiler/plan/launches.js';
import type { DimValues } from '../device.js';
import { withExecutable } from './arrays.js';
import type { UseDevice } from './conformance.js';

/** One launch: the bytes of every view before it, and the elements of written views after it. */
export interface KernelCase {
  readonly name: string;
  readonly program: Program;
  readonly dims: DimValues;
  readonly buffers: Readonly<Record<string, Uint8Array>>;
  readonly expected: Readonly<Record<string, ArrayLike<number>>>;
  /** As a share of the largest expected value; 0: exact. */
  readonly tolerance: number;
}

/** Each case runs twice from the same bytes: the results must be right, and equal to the last bit. */
export function kernelCases(device: UseDevice, cases: readonly KernelCase[], tolerance: number): void {
  describe('kernels', () => {
    for (const c of cases) it(c.name, async () => {
      const bundle = kernelBundle(c);
      await withExecutable(device(), bundle, async (exec) => {
        const once = async (): Promise<Record<string, Uint8Array>> => {
          for (const stored of [...bundle.plan.weights, ...bundle.plan.states]) await exec.write(stored.buffer, stored.offset, c.buffers[stored.path]);
          await exec.run('launch', c.dims, {}, []);
          const after: Record<string, Uint8Array> = {};
          for (const s of bundle.plan.states) after[s.path] = await exec.read(s.buffer, s.offset, c.buffers[s.path].length);
          return after;
        };
        const after = await once();
        for (const view of c.program.views.filter((v) => v.access !== 'read')) expectClose(c, view, after[view.name], tolerance);
        expect(await once()).toEqual(after);
      });
    });
  });
}

/** Read views become weights as they are packed, written ones state, so that the host sees every byte of both. */
export function kernelBundle({ program, dims, buffers }: KernelCase): Bundle {
  type Model = Parameters<typeof buildPlan>[0];
  const params: Model['params'][number][] = [];
  const states: Model['states'][number][] = [];
  const tensors = program.views.map((view): Tensor => {
    const flat = [{ name: 'flat', size: buffers[view.name].length / dtypeBytes(view.dtype) }];
    if (view.access !== 'read') return { kind: 'state', state: states.push({ paths: [view.name], policy: 'recurrent', type: { dtype: view.dtype, axes: flat }, initial: 0 }) - 1 };
    const packed = view.packing.kind !== 'dense';
    const axes = packed ? view.axes.map((a) => ({ name: a.name, size: evaluateScalar(a.extent, { dims }) })) : flat;
    const storage = view.packing.kind === 'int4' ? { kind: 'int4', group: view.packing.group, along: view.packing.order.at(-1)!, scale: 'bf16' } as const : { kind: 'plain', dtype: view.dtype } as const;
    params.push({ paths: [view.name], type: { dtype: view.dtype, axes }, storage, init: { kind: 'constant', value: 0 }, frozen: true });
    return { kind: 'param', param: params.length - 1, packing: packed ? view.packing : { kind: 'dense', order: ['flat'] } };
  });
  const model: Model = { graph: { name: program.name, inputs: [], nodes: [], outputs: [] }, params, states, taps: [] };
  const zero = { kind: 'int', value: 0 } as const;
  const launch = { kind: 'launch', program, args: tensors.map((_, tensor) => ({ tensor, offset: 0 })), cost: { contraction: zero, flops: zero, bytes: zero } } as const;
  const entry = { name: 'launch', dims: Object.entries(dims).map(([name, max]) => ({ name, max })), tensors, steps: [launch] };
  return buildPlan(model, [entry], { target: 'reference', fixed: {}, block: 16 });
}

function expectClose(c: KernelCase, view: View, bytes: Uint8Array, tolerance: number): void {
  const got = decodeElements(bytes, view.dtype);
  const want = c.expected[view.name];
  const allowed = c.tolerance === 0 ? 0 : Math.max(c.tolerance, tolerance);
  let scale = 1e-30;
  for (let i = 0; i < want.length; i++) scale = Math.max(scale, Math.abs(want[i]));
  for (let i = 0; i < want.length; i++) {
    const error = Math.abs(got[i] - want[i]) / scale;
    if (!(error <= allowed)) expect.fail(`view '${view.name}', element ${i}: ${got[i]}, expected ${want[i]} (${error} of the largest; ${allowed} allowed)`);
  }
}
