/** The training form of a golden model, and gradients under the names of the checkpoint. */
import { join } from 'node:path';
import type { Module } from '../../compiler/ir/graph.js';
import { interpret, type Interpreted } from '../../compiler/ir/interpret-graph.js';
import type { Elements } from '../../compiler/kernels/half.js';
import { autodiff, gradientName } from '../../compiler/passes/autodiff.js';
import { expandAttend } from '../../compiler/passes/expand-attend.js';
import { nextTokenLoss } from '../../compiler/passes/next-token-loss.js';
import { simplify } from '../../compiler/passes/simplify.js';
import { readTensors, wholeSequences, type GoldenModel } from '../support/golden-model.js';
import { goldenFolder } from './families.js';

/** Loss and gradients of next-token prediction, in f64; other outputs stay. */
export function trainingForm(module: Module): Module {
  return simplify(autodiff(nextTokenLoss(simplify(expandAttend(module)))));
}

/** One step's forward and backward pass on batch 0 ([2, 33] ids). */
export async function runBatch(family: string, model: GoldenModel, module: Module): Promise<Interpreted> {
  const batch = Array.from((await readTensors(join(goldenFolder, family, 'train.safetensors'))).get('batch.0')!);
  const rows = [batch.slice(0, 33), batch.slice(33)];
  const { inputs, dims } = wholeSequences(rows.map((r) => r.slice(0, -1)));
  return interpret(module, { params: model.params, inputs: { ...inputs, targets: rows.flatMap((r) => r.slice(1)) }, dims, exact: true });
}

/** By the checkpoint's tensor names, each as stored. */
export function storedGradients(model: GoldenModel, module: Module, outputs: Interpreted['outputs'], sizes: ReadonlyMap<string, Elements>): ReadonlyMap<string, Float64Array> {
  const found = new Map<string, Float64Array>();
  module.params.forEach((p, i) => {
    if (p.frozen) return;
    const { data } = outputs[gradientName(i)];
    const size = data.length / p.paths.length;
    p.paths.forEach((_, n) => model.stored(i, n).forEach(({ tensor, at }, j) => {
      const name = `grad.${tensor}`;
      if (!found.has(name)) found.set(name, new Float64Array(sizes.get(name)!.length));
      found.get(name)![at] = data[n * size + j];
    }));
  });
  return found;
}

/** Norm of the difference relative to the norm of the reference; where that is 0, whether the other is exactly 0. */
export function normDifference(found: ArrayLike<number>, wanted: ArrayLike<number>): number {
  let [error, norm] = [0, 0];
  for (let i = 0; i < wanted.length; i++) { error += (wanted[i] - found[i]) ** 2; norm += wanted[i] ** 2; }
  return norm === 0 ? (error === 0 ? 0 : Infinity) : Math.sqrt(error / norm);
}
