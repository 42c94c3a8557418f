/**
 * Checkpoint -> device, block by block: bytes as stored, converted only where the plan stores another dtype, packed as
 * the plan says, written to the plan's place.
 */
import type { Executable } from '../backends/device.js';
import type { Plan, Weight } from '../compiler/ir/plan.js';
import type { WeightSource, WeightSources } from '../compiler/ir/weight-sources.js';
import { decodeElements } from '../compiler/kernels/half.js';
import { isCoded, isInt4, isScaled } from '../compiler/kernels/packing-address.js';
import { pack, packBytes, packInt4 } from '../compiler/kernels/packing.js';
import { packScaled } from '../compiler/kernels/scaled-packing.js';
import { CheckpointError } from './checkpoint-error.js';
import type { Checkpoint } from './checkpoint.js';
import { readScaled } from './stored-floats.js';
import { readInt4, readPlain } from './stored-values.js';
import { type Block, weightBlocks } from './weight-blocks.js';
import { blockOfWhole, weightParts, wholeAxes } from './weight-parts.js';
import { int4Parts, matchNames, mxfp4Parts, namedAxes, scaleName, settleNames, storedName, valueDType } from './weight-names.js';

export interface LoadProgress { readonly path: string; readonly doneBytes: number; readonly totalBytes: number }

/** That every weight of `plan` has its stored tensors and every stored tensor its weight, by name. Throws CheckpointError. */
export function checkWeights(plan: Plan, asked: WeightSources, checkpoint: Checkpoint): void {
  const sources = settleNames(asked, checkpoint);
  const sizes = new Map(plan.weights.map((w) => [w.path, new Map(wholeAxes(plan, w).map((a) => [a.name, a.size]))]));
  const mapped = new Set(sources.weights.map((s) => s.path));
  for (const weight of plan.weights) {
    if (!mapped.has(weight.path)) throw new Error(`weights: the plan's '${weight.path}' has no source`);
  }
  const [needed, others] = [true, false].map((wanted) => sources.weights.filter((s) => sizes.has(s.path) === wanted));
  matchNames({ ...sources, weights: needed, ignore: [...sources.ignore, ...others.flatMap(possibleNames)] }, checkpoint, (path) => sizes.get(path)!);
}

/** Fills every weight of `plan`. Names and shapes are checked before the first byte is written. Throws CheckpointError. */
export async function loadWeights(executable: Executable, plan: Plan, asked: WeightSources, checkpoint: Checkpoint, onProgress?: (p: LoadProgress) => void): Promise<void> {
  checkWeights(plan, asked, checkpoint);
  const sources = settleNames(asked, checkpoint);
  const bySource = new Map(sources.weights.map((s) => [s.path, s]));
  const totalBytes = plan.ranks * plan.weights.reduce((n, w) => n + w.bytes, 0);
  let doneBytes = 0;
  for (const weight of plan.weights) {
    const source = bySource.get(weight.path)!;
    for (const part of weightParts(plan, weight)) for (const block of weightBlocks(weight, new Set(namedAxes(source)))) {
      const bytes = await packBlock(checkpoint, weight, source, blockOfWhole(block, part));
      for (const rank of part.ranks) await executable.write(weight.buffer, block.offset, bytes, rank);
      doneBytes += bytes.length * part.ranks.length;
      onProgress?.({ path: weight.path, doneBytes, totalBytes });
    }
  }
}

/** Parameters of the spec that the plan does without (nothing of what it gives depends on them) may be stored all the same. */
function possibleNames(source: WeightSource): string[] {
  const name = source.tensor.replace(/\{[^{}]*\}/g, '*');
  return [name, scaleName(name), ...Object.values(int4Parts(name)), ...Object.values(mxfp4Parts(name))];
}

async function packBlock(checkpoint: Checkpoint, weight: Weight, source: WeightSource, block: Block): Promise<Uint8Array> {
  const name = storedName(source, block.fixed);
  const stored = checkpoint.tensors.get(name);
  const { packing } = block;
  const blocks = mxfp4Parts(name).blocks;
  const coded = stored === undefined ? (checkpoint.tensors.has(blocks) ? 'e2m1' : undefined) : stored.dtype === 'F8_E4M3' ? 'e4m3' : undefined;
  if (coded !== undefined) {
    if (isScaled(packing) && packing.code === coded) return packScaled(packing, block.axes, await readScaled(checkpoint, source, block, packing));
    throw unsuitable(checkpoint, coded === 'e4m3' ? name : blocks, weight, `${coded} codes with scales`, `add \`quantize ... to ${coded === 'e4m3' ? 'fp8(block: 128)' : 'mxfp4'}\` for it to the spec`);
  }
  if (stored === undefined) {
    if (isInt4(packing)) return packInt4(packing, block.axes, await readInt4(checkpoint, source, block, packing.group));
    throw unsuitable(checkpoint, int4Parts(name).packed, weight, 'int4 codes', 'add `quantize ... to int4(group: 32, along: in)` for it to the spec');
  }
  const dtype = valueDType(stored.dtype);
  if (dtype === undefined || (dtype === 'i32' || dtype === 'u32') !== (weight.dtype === 'i32' || weight.dtype === 'u32')) {
    throw unsuitable(checkpoint, name, weight, stored.dtype, 'use a checkpoint that stores it as F32, BF16 or F16');
  }
  const bytes = await readPlain(checkpoint, source, block);
  if (!isCoded(packing) && dtype === weight.dtype) return packBytes(packing, block.axes, dtype, bytes);
  return pack(packing, block.axes, weight.dtype, decodeElements(bytes, dtype));
}

function unsuitable(checkpoint: Checkpoint, tensor: string, weight: Weight, found: string, fix: string): CheckpointError {
  return new CheckpointError({ code: 'F43', file: checkpoint.tensors.get(tensor)?.file ?? checkpoint.path, tensor, cause: `is stored as ${found}, which cannot serve ${weight.path} (${weight.dtype})`, fix });
}
