/**
 * A checkpoint in 16- or 32-bit floats -> the same with some matrices as int4 (compressed-tensors, pack-quantized): codes
 * in groups along the last axis with a bf16 scale each. Everything else is copied byte for byte. The folder appears whole
 * or not at all; one stretch of one tensor is in memory at a time.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { copyFile, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeElements } from '../compiler/kernels/half.js';
import { quantizeInt4 } from '../compiler/kernels/packing.js';
import { CheckpointError } from './checkpoint-error.js';
import type { Checkpoint } from './checkpoint.js';
import { SafetensorsWriter, type TensorToWrite } from './safetensors-writer.js';
import { storedBits, type StoredTensor } from './safetensors.js';
import { int4Parts, valueDType } from './weight-names.js';

export interface QuantizeRequest {
  readonly checkpoint: Checkpoint;
  /** Elements per scale, by the name of each stored tensor to quantize. */
  readonly groups: ReadonlyMap<string, number>;
  /** A folder that does not exist yet. */
  readonly output: string;
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
  /** Bytes of tensors in one file at most; 5 GB if not given. */
  readonly shardBytes?: number;
}
export interface QuantizeResult { readonly tensors: number; readonly bytesBefore: number; readonly bytesAfter: number }

/** Elements that are converted at a time. */
const stretch = 1 << 23;

export async function quantizeCheckpoint(request: QuantizeRequest): Promise<QuantizeResult> {
  const { checkpoint, groups, output } = request;
  if (await stat(output).then(() => true, () => false)) {
    throw new CheckpointError({ code: 'F31', file: output, cause: 'exists already', fix: 'give a folder that does not exist; nothing is overwritten' });
  }
  for (const name of groups.keys()) checkSource(checkpoint, name, groups.get(name)!);
  const config = await readConfig(checkpoint);
  const temporary = `${output}.tmp.${process.pid}`;
  const discard = (): void => rmSync(temporary, { recursive: true, force: true });
  process.on('exit', discard);
  try {
    mkdirSync(temporary);
    const bytesAfter = await writeShards(request, temporary);
    await copyOthers(checkpoint, groups, config, temporary);
    await rename(temporary, output);
    return { tensors: groups.size, bytesBefore: checkpoint.totalBytes, bytesAfter };
  } finally {
    process.off('exit', discard);
    await rm(temporary, { recursive: true, force: true });
  }
}

function checkSource(checkpoint: Checkpoint, name: string, group: number): void {
  const tensor = checkpoint.tensors.get(name)!;
  const fail = (cause: string, fix: string): never => { throw new CheckpointError({ code: 'F43', file: tensor.file, tensor: name, cause, fix }); };
  const dtype = valueDType(tensor.dtype);
  if (dtype === undefined || dtype === 'i32' || dtype === 'u32') fail(`is stored as ${tensor.dtype}, which is not a float to quantize`, 'use a checkpoint that stores it as F32, BF16 or F16');
  if (tensor.shape.length < 2 || tensor.shape[tensor.shape.length - 1] % group !== 0) fail(`has the shape [${tensor.shape.join(', ')}], of which the last axis does not divide into groups of ${group}`, 'choose another group, or leave it unquantized');
}

interface Shard { readonly tensors: TensorToWrite[]; readonly sources: StoredTensor[]; bytes: number }

async function writeShards(request: QuantizeRequest, folder: string): Promise<number> {
  const { checkpoint, groups } = request;
  const shards = planShards(request);
  const fileName = (i: number): string => (shards.length === 1 ? 'model.safetensors' : `model-${String(i + 1).padStart(5, '0')}-of-${String(shards.length).padStart(5, '0')}.safetensors`);
  let done = 0;
  for (const [i, shard] of shards.entries()) {
    const writer = await SafetensorsWriter.create(join(folder, fileName(i)), shard.tensors, { format: 'pt' });
    try {
      for (const source of shard.sources) {
        const group = groups.get(source.name);
        if (group === undefined) await copyTensor(checkpoint, source, writer);
        else await quantizeTensor(checkpoint, source, group, writer);
        done += source.bytes;
        request.onProgress?.(done, checkpoint.totalBytes);
      }
      await writer.commit();
    } catch (error) {
      await writer.discard().catch(() => undefined);
      throw error;
    }
  }
  const total = shards.reduce((n, s) => n + s.bytes, 0);
  if (shards.length > 1) {
    const map = Object.fromEntries(shards.flatMap((s, i) => s.tensors.map((t) => [t.name, fileName(i)] as const)));
    await writeFile(join(folder, 'model.safetensors.index.json'), `${JSON.stringify({ metadata: { total_size: total }, weight_map: map }, null, 2)}\n`);
  }
  return total;
}

function planShards({ checkpoint, groups, shardBytes = 5e9 }: QuantizeRequest): Shard[] {
  const shards: Shard[] = [];
  for (const source of checkpoint.tensors.values()) {
    const group = groups.get(source.name);
    const tensors = group === undefined ? [{ name: source.name, dtype: source.dtype, shape: source.shape }] : packedTensors(source, group);
    const bytes = tensors.reduce((n, t) => n + (t.shape.reduce((a, b) => a * b, 1) * storedBits[t.dtype]) / 8, 0);
    let shard = shards[shards.length - 1];
    if (shard === undefined || (shard.bytes > 0 && shard.bytes + bytes > shardBytes)) shards.push((shard = { tensors: [], sources: [], bytes: 0 }));
    shard.tensors.push(...tensors);
    shard.sources.push(source);
    shard.bytes += bytes;
  }
  return shards;
}

function packedTensors({ name, shape }: StoredTensor, group: number): TensorToWrite[] {
  const parts = int4Parts(name);
  const [outer, columns] = [shape.slice(0, -1), shape[shape.length - 1]];
  return [
    { name: parts.packed, dtype: 'I32', shape: [...outer, Math.ceil(columns / 8)] }, { name: parts.scale, dtype: 'BF16', shape: [...outer, columns / group] },
    { name: parts.shape, dtype: 'I32', shape: [shape.length] },
  ];
}

async function copyTensor(checkpoint: Checkpoint, { name, bytes }: StoredTensor, writer: SafetensorsWriter): Promise<void> {
  for (let at = 0; at < bytes; at += stretch) await writer.write(name, await checkpoint.read(name, at, Math.min(bytes, at + stretch)), at);
}

async function quantizeTensor(checkpoint: Checkpoint, { name, dtype, shape, file }: StoredTensor, group: number, writer: SafetensorsWriter): Promise<void> {
  const parts = int4Parts(name);
  const columns = shape[shape.length - 1];
  const rows = shape.slice(0, -1).reduce((n, s) => n * s, 1);
  const unit = storedBits[dtype] / 8;
  const words = Math.ceil(columns / 8);
  const step = Math.max(1, Math.floor(stretch / columns));
  for (let row = 0; row < rows; row += step) {
    const many = Math.min(step, rows - row);
    const values = decodeElements(await checkpoint.read(name, row * columns * unit, (row + many) * columns * unit), valueDType(dtype)!);
    const invalid = values.findIndex((v) => !Number.isFinite(v));
    if (invalid >= 0) throw new CheckpointError({ code: 'F45', file, tensor: name, cause: `holds ${values[invalid]} at element ${row * columns + invalid}`, fix: 'download the checkpoint again; what is not a number cannot be quantized' });
    const { codes, scales } = quantizeInt4(values, columns, group);
    await writer.write(parts.packed, packRows(codes, columns, many, words), row * words * 4);
    await writer.write(parts.scale, new Uint8Array(scales.buffer, scales.byteOffset, scales.byteLength), row * (columns / group) * 2);
  }
  await writer.write(parts.shape, new Uint8Array(Int32Array.from(shape).buffer));
}

/** Element i of a row is bits 4 (i mod 8) of word i / 8; a row is a whole number of words. */
function packRows(codes: Uint8Array, columns: number, rows: number, words: number): Uint8Array {
  const out = new Uint8Array(rows * words * 4);
  for (let row = 0; row < rows; row++) {
    for (let i = 0, from = row * columns, to = row * words * 4; i < columns; i++, from++) out[to + (i >> 1)] |= codes[from] << ((i & 1) * 4);
  }
  return out;
}

/** The folder of the checkpoint; undefined where it is one file. */
async function folderOf(checkpoint: Checkpoint): Promise<string | undefined> {
  return (await stat(checkpoint.path)).isDirectory() ? checkpoint.path : undefined;
}

/** `config.json` beside the tensors, if there is one: read before hours of work, not after. */
async function readConfig(checkpoint: Checkpoint): Promise<object | undefined> {
  const folder = await folderOf(checkpoint);
  if (folder === undefined || !(await readdir(folder)).includes('config.json')) return undefined;
  const file = join(folder, 'config.json');
  const bad = (cause: string): CheckpointError => new CheckpointError({ code: 'F06', file, cause, fix: 'download the file again, or take it out of the folder' });
  try {
    const config: unknown = JSON.parse(await readFile(file, 'utf8'));
    if (typeof config === 'object' && config !== null && !Array.isArray(config)) return config;
  } catch (error) {
    if (error instanceof SyntaxError) throw bad(`is not JSON: ${error.message}`);
    throw error;
  }
  throw bad('is not a JSON object');
}

/** What else stands in the folder, with the quantization written into `config.json`. */
async function copyOthers(checkpoint: Checkpoint, groups: ReadonlyMap<string, number>, config: object | undefined, folder: string): Promise<void> {
  const from = await folderOf(checkpoint);
  if (from === undefined) return;
  for (const entry of await readdir(from, { withFileTypes: true })) {
    if (!entry.isFile() || /\.safetensors(\.index\.json)?$/.test(entry.name)) continue;
    if (entry.name !== 'config.json') await copyFile(join(from, entry.name), join(folder, entry.name));
  }
  if (config !== undefined) await writeFile(join(folder, 'config.json'), `${JSON.stringify({ ...config, quantization_config: quantizationConfig(checkpoint, groups) }, null, 2)}\n`);
}

function quantizationConfig(checkpoint: Checkpoint, groups: ReadonlyMap<string, number>): object {
  const module = (name: string): string => name.slice(0, -'.weight'.length);
  const ignore = [...checkpoint.tensors.values()].filter((t) => t.shape.length >= 2 && t.name.endsWith('.weight') && !groups.has(t.name)).map((t) => module(t.name));
  return {
    quant_method: 'compressed-tensors', format: 'pack-quantized', quantization_status: 'compressed', kv_cache_scheme: null, ignore,
    config_groups: {
      group_0: {
        targets: ['Linear'], input_activations: null, output_activations: null,
        weights: {
          num_bits: 4, type: 'int', symmetric: true, strategy: 'group', group_size: [...groups.values()][0], dynamic: false, observer: 'minmax', observer_kwargs: {}, actorder: null,
          block_structure: null,
        },
      },
    },
  };
}
