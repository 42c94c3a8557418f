/**
 * Small floats with scales, as published:
 *   fp8    `x.weight` F8_E4M3 [.., rows, columns] and `x.weight_scale_inv` F32, one multiplier per block x block elements
 *   mxfp4  `x_blocks` U8 [.., rows, columns / 32, 16], low halves of bytes first, and `x_scales` U8 [.., rows, columns / 32]
 */
import type { WeightSource } from '../compiler/ir/weight-sources.js';
import { fromE8m0 } from '../compiler/kernels/float-codes.js';
import type { ScaledPacking } from '../compiler/kernels/packing-address.js';
import type { ScaledValues } from '../compiler/kernels/scaled-packing.js';
import { CheckpointError } from './checkpoint-error.js';
import type { Checkpoint } from './checkpoint.js';
import type { StoredDType } from './safetensors.js';
import { gatherRuns, windowOf } from './stored-values.js';
import type { Block } from './weight-blocks.js';
import { mxfp4Parts, scaleName, storedName } from './weight-names.js';

const fp8Block = 128;
const mxfp4Group = 32;

/** Codes and scales of the block of a weight that is packed as `packing`. */
export async function readScaled(checkpoint: Checkpoint, source: WeightSource, block: Block, packing: ScaledPacking): Promise<ScaledValues> {
  const name = storedName(source, block.fixed);
  return packing.code === 'e4m3' ? readFp8(checkpoint, source, block, packing, name) : readMxfp4(checkpoint, source, block, packing, name);
}

async function readFp8(checkpoint: Checkpoint, source: WeightSource, block: Block, packing: ScaledPacking, name: string): Promise<ScaledValues> {
  const scales = scaleName(name);
  const columns = source.shape.at(-1)!;
  const rows = source.shape.at(-2) ?? 1;
  const [down, across] = [Math.ceil(rows / fp8Block), Math.ceil(columns / fp8Block)];
  expect(checkpoint, name, 'F8_E4M3', source.shape, source);
  expect(checkpoint, scales, 'F32', [...source.shape.slice(0, -2), down, across], source);
  const { start, runs } = windowOf(source, block);
  const last = runs.reduce((at, r) => at + (r.size - 1) * r.stride, start);
  const codes = gatherRuns(await checkpoint.read(name, start, last + 1), 1, runs).slice();
  const invalid = codes.findIndex((c) => (c & 0x7f) === 0x7f);
  if (invalid >= 0) throw new CheckpointError({ code: 'F45', file: checkpoint.tensors.get(name)!.file, tensor: name, cause: 'holds a code that is not a number', fix: 'download the checkpoint again, or quantize it again' });
  const values = new Float32Array((await checkpoint.read(scales)).slice().buffer);
  const scaleOf = (at: number): number => {
    const plane = Math.floor(at / (rows * columns));
    const row = Math.floor(at / columns) % rows;
    return values[(plane * down + Math.floor(row / fp8Block)) * across + Math.floor((at % columns) / fp8Block)];
  };
  return { codes, scales: groupScales(block, packing, start, runs, scaleOf) };
}

async function readMxfp4(checkpoint: Checkpoint, source: WeightSource, block: Block, packing: ScaledPacking, name: string): Promise<ScaledValues> {
  const parts = mxfp4Parts(name);
  const columns = source.shape.at(-1)!;
  const outer = source.shape.slice(0, -1);
  expect(checkpoint, parts.blocks, 'U8', [...outer, columns / mxfp4Group, mxfp4Group / 2], source);
  expect(checkpoint, parts.scales, 'U8', [...outer, columns / mxfp4Group], source);
  const { start, runs } = windowOf(source, block);
  const along = block.axes.findIndex((a) => a.name === packing.order.at(-1));
  if (runs[along]?.stride !== 1 || start % mxfp4Group !== 0 || packing.group !== mxfp4Group) {
    throw new CheckpointError({ code: 'F44', file: checkpoint.tensors.get(parts.blocks)!.file, tensor: parts.blocks, cause: `is stored in groups of ${mxfp4Group} along its last axis, which the layout of ${source.path} cuts`, fix: 'choose a layout that keeps the last stored axis last' });
  }
  const last = runs.reduce((at, r) => at + (r.size - 1) * r.stride, start);
  const bytes = await checkpoint.read(parts.blocks, start / 2, Math.floor(last / 2) + 1);
  const codes = gatherRuns(nibbles(bytes), 1, runs).slice();
  const exponents = await checkpoint.read(parts.scales);
  return { codes, scales: groupScales(block, packing, start, runs, (at) => fromE8m0(exponents[Math.floor(at / mxfp4Group)])) };
}

function nibbles(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(bytes.length * 2);
  for (let i = 0; i < bytes.length; i++) {
    out[2 * i] = bytes[i] & 15;
    out[2 * i + 1] = bytes[i] >> 4;
  }
  return out;
}

/** The scale of the first element of every group, by its place in the stored tensor. */
function groupScales(block: Block, packing: ScaledPacking, start: number, runs: readonly { readonly size: number; readonly stride: number }[], scaleOf: (at: number) => number): Float32Array {
  const steps = block.axes.map((a, i) => {
    const { size, stride } = runs[i];
    return a.name === packing.order.at(-1) ? { size: Math.ceil(size / packing.group), stride: stride * packing.group } : { size, stride };
  });
  const out = new Float32Array(steps.reduce((n, s) => n * s.size, 1));
  for (let i = 0; i < out.length; i++) {
    let rest = i;
    let at = start;
    for (let d = steps.length - 1; d >= 0; d--) {
      at += (rest % steps[d].size) * steps[d].stride;
      rest = Math.floor(rest / steps[d].size);
    }
    out[i] = scaleOf(at);
  }
  return out;
}

function expect(checkpoint: Checkpoint, name: string, dtype: StoredDType, shape: readonly number[], source: WeightSource): void {
  const tensor = checkpoint.tensors.get(name);
  const fail = (cause: string): never => {
    throw new CheckpointError({ code: 'F44', file: tensor?.file ?? checkpoint.path, tensor: name, cause, fix: 'quantise the parameter in the spec as the checkpoint was quantised' });
  };
  if (tensor === undefined) return fail(`is missing, and ${source.path} needs it`);
  if (tensor.dtype !== dtype) fail(`is stored as ${tensor.dtype}, not ${dtype}`);
  if (tensor.shape.join() !== shape.join()) fail(`is stored as [${tensor.shape.join(', ')}], but ${source.path} needs [${shape.join(', ')}] (rule "${source.rule}", ${source.where})`);
}
