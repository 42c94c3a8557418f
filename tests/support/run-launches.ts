/** Executes an entry's launches with the tile interpreter over plain arrays: no planner, no device. */
import { evaluateDim } from '../../compiler/ir/dim.js';
import { dtypeBytes, type DType } from '../../compiler/ir/dtype.js';
import type { Axis, Module } from '../../compiler/ir/graph.js';
import { interpretProgram } from '../../compiler/kernels/interpret.js';
import { verifyProgram } from '../../compiler/kernels/verify.js';
import { pack } from '../../compiler/kernels/packing.js';
import type { EntryLaunches, LaunchStep } from '../../compiler/plan/launches.js';

export interface RunInputs {
  readonly dims: Readonly<Record<string, number>>;
  readonly inputs: Readonly<Record<string, Int32Array | Float32Array | Uint32Array>>;
  /** f32 values per param and iteration, in the order of the type's axes. */
  readonly params: (param: number, iteration: number) => Float32Array;
  /** State bytes per state and iteration; changed in place. */
  readonly states: Uint8Array[][];
}

export function runLaunches(module: Module, entry: EntryLaunches, run: RunInputs): Record<string, Float32Array> {
  const memory = new Map<string, Uint8Array>();
  const bytesOf = (axes: readonly Axis[], dtype: DType): number => axes.reduce((n, a) => n * evaluateDim(a.size, run.dims), 1) * dtypeBytes(dtype);
  const bufferOf = (tensor: number, iteration: number): Uint8Array => {
    const t = entry.tensors[tensor];
    const key = t.kind === 'param' || t.kind === 'state' || (t.kind === 'const' && t.perIteration) ? `${tensor} ${iteration}` : `${tensor}`;
    let bytes = memory.get(key);
    if (bytes) return bytes;
    switch (t.kind) {
      case 'param': {
        const decl = module.params[t.param];
        const axes = decl.type.axes.map((x) => ({ name: x.name, size: x.size as number }));
        bytes = pack(t.packing, axes, decl.storage.kind === 'int4' ? 'f32' : decl.storage.dtype, run.params(t.param, Math.min(iteration, decl.paths.length - 1)));
        break;
      }
      case 'state': bytes = run.states[t.state][Math.min(iteration, run.states[t.state].length - 1)]; break;
      case 'const': {
        const data = Float32Array.from(t.perIteration ? t.perIteration[iteration] : t.data);
        bytes = new Uint8Array((t.dtype === 'i32' ? Int32Array.from(data) : data).buffer);
        break;
      }
      case 'input': { const a = run.inputs[t.name]; bytes = new Uint8Array(a.buffer, a.byteOffset, a.byteLength); break; }
      case 'value': case 'output': bytes = new Uint8Array(bytesOf(t.axes, t.dtype)).fill(255);
    }
    memory.set(key, bytes);
    return bytes;
  };
  const walk = (steps: readonly LaunchStep[], iteration: number): void => {
    for (const step of steps) {
      if (step.kind === 'launch') {
        const buffers = Object.fromEntries(step.program.views.map((v, i) => [v.name, bufferOf(step.args[i].tensor, iteration)]));
        const [broken] = verifyProgram(step.program);
        if (broken) throw new Error(`${step.program.name}: ${broken.message}\n${broken.statement}`);
        interpretProgram(step.program, run.dims, buffers, { checked: true });
      } else if (step.kind === 'repeat') {
        for (const c of step.carries) bufferOf(c.inside, 0).set(bufferOf(c.initial, iteration));
        for (let i = 0; i < step.count; i++) {
          walk(step.body, i);
          for (const c of step.carries) if (c.next !== c.inside) bufferOf(c.inside, 0).set(bufferOf(c.next, 0));
        }
        for (const c of step.carries) bufferOf(c.out, iteration).set(bufferOf(c.inside, 0));
      } else throw new Error('no collectives here');
    }
  };
  walk(entry.steps, 0);
  return Object.fromEntries(entry.tensors.flatMap((t, i) => (t.kind === 'output' ? [[t.name, new Float32Array(bufferOf(i, 0).slice().buffer)]] : [])));
}
