/**
 * A checkpoint as published: one safetensors file, or shards with `model.safetensors.index.json`. The index is not
 * trusted: every file it names must be a plain name in the same folder, and it must agree with the shards both ways.
 */
import { readFile, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { CheckpointError } from './checkpoint-error.js';
import { SafetensorsFile, type StoredTensor } from './safetensors.js';

const singleName = 'model.safetensors';
const indexName = 'model.safetensors.index.json';

export class Checkpoint {
  private constructor(
    /** The folder, or the file, that was opened. */
    readonly path: string,
    readonly tensors: ReadonlyMap<string, StoredTensor>,
    private readonly files: ReadonlyMap<string, SafetensorsFile>,
  ) {}

  /** `path`: a folder as downloaded, or one `.safetensors` file. Reads headers only. */
  static async open(path: string): Promise<Checkpoint> {
    const info = await stat(path).catch(() => undefined);
    if (info === undefined) throw new CheckpointError({ code: 'F01', file: path, cause: 'does not exist', fix: 'give the folder that holds model.safetensors' });
    if (!info.isDirectory()) return Checkpoint.fromFiles(path, [path]);
    const names = await readdir(path);
    if (names.includes(singleName)) return Checkpoint.fromFiles(path, [join(path, singleName)]);
    if (names.includes(indexName)) return Checkpoint.fromIndex(path, join(path, indexName));
    const others = names.filter((n) => n.endsWith('.safetensors')).sort();
    if (others.length === 1) return Checkpoint.fromFiles(path, [join(path, others[0])]);
    throw new CheckpointError({
      code: 'F26', file: path,
      cause: others.length === 0 ? 'holds no .safetensors file' : `holds ${others.length} .safetensors files but no ${indexName} that says which tensor is where`,
      fix: others.length === 0 ? 'give the folder that holds model.safetensors' : `download ${indexName} as well`,
    });
  }

  private static async fromFiles(path: string, files: readonly string[]): Promise<Checkpoint> {
    const opened = await openAll(files);
    const tensors = new Map<string, StoredTensor>();
    const checkpoint = new Checkpoint(path, tensors, opened);
    for (const file of opened.values()) for (const tensor of file.tensors.values()) {
      const other = tensors.get(tensor.name);
      if (other !== undefined) {
        await checkpoint.close();
        throw new CheckpointError({ code: 'F07', file: file.path, tensor: tensor.name, cause: `is also in ${basename(other.file)}`, fix: 'the shards are from different downloads: download all of them again' });
      }
      tensors.set(tensor.name, tensor);
    }
    return checkpoint;
  }

  private static async fromIndex(path: string, indexPath: string): Promise<Checkpoint> {
    const index = await readIndex(indexPath);
    const names = [...new Set(index.files.values())].sort();
    const present = new Set(await readdir(path));
    for (const name of names) {
      if (!present.has(name)) throw new CheckpointError({ code: 'F21', file: join(path, name), cause: `is missing; ${indexName} says that it holds '${firstIn(index.files, name)}'`, fix: 'download the missing shard' });
    }
    const checkpoint = await Checkpoint.fromFiles(path, names.map((name) => join(path, name)));
    try {
      checkIndex(indexPath, index, checkpoint);
    } catch (error) {
      await checkpoint.close();
      throw error;
    }
    return checkpoint;
  }

  get totalBytes(): number {
    let sum = 0;
    for (const tensor of this.tensors.values()) sum += tensor.bytes;
    return sum;
  }

  /** Bytes [begin, end) of the named tensor; all of it by default. */
  async read(name: string, begin?: number, end?: number): Promise<Uint8Array> {
    const tensor = this.tensors.get(name);
    if (tensor === undefined) throw new Error(`checkpoint: no tensor '${name}' in ${this.path}`);
    return this.files.get(tensor.file)!.read(tensor, begin, end);
  }

  async close(): Promise<void> {
    for (const file of this.files.values()) await file.close();
  }
}

async function openAll(paths: readonly string[]): Promise<Map<string, SafetensorsFile>> {
  const opened = new Map<string, SafetensorsFile>();
  try {
    for (const path of paths) opened.set(path, await SafetensorsFile.open(path));
  } catch (error) {
    for (const file of opened.values()) await file.close();
    throw error;
  }
  return opened;
}

interface Index { readonly files: ReadonlyMap<string, string>; readonly totalSize: number | undefined }

function firstIn(files: ReadonlyMap<string, string>, shard: string): string {
  for (const [tensor, file] of files) if (file === shard) return tensor;
  throw new Error(`checkpoint: no tensor in '${shard}'`);
}

async function readIndex(path: string): Promise<Index> {
  const reject = (code: string, cause: string): CheckpointError => new CheckpointError({ code, file: path, cause, fix: 'download the index again' });
  let json: unknown;
  try {
    json = JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw reject('F20', `cannot be read as JSON: ${(error as Error).message}`);
  }
  const { weight_map: map, metadata } = (json ?? {}) as { weight_map?: unknown; metadata?: { total_size?: unknown } };
  if (typeof map !== 'object' || map === null || Array.isArray(map)) throw reject('F20', `has no object 'weight_map'`);
  const files = new Map<string, string>();
  for (const [tensor, file] of Object.entries(map)) {
    if (typeof file !== 'string') throw reject('F20', `'weight_map' does not name a file for '${tensor}'`);
    if (file !== basename(file) || file.includes('\\') || file.includes('\0') || file === '' || file === '.' || file === '..') {
      throw reject('F22', `'weight_map' sends '${tensor}' to '${file}', which is not a plain file name in ${dirname(path)}`);
    }
    files.set(tensor, file);
  }
  if (files.size === 0) throw reject('F20', `'weight_map' is empty`);
  const total = metadata?.total_size;
  if (total !== undefined && (typeof total !== 'number' || !Number.isSafeInteger(total))) throw reject('F20', `'metadata.total_size' is not a whole number`);
  return { files, totalSize: total };
}

function checkIndex(path: string, index: Index, checkpoint: Checkpoint): void {
  const reject = (code: string, cause: string, tensor?: string): CheckpointError => new CheckpointError({
    code, file: path, cause, fix: 'index and shards are from different downloads: download all of them again', ...(tensor === undefined ? {} : { tensor }),
  });
  for (const [name, file] of index.files) {
    const tensor = checkpoint.tensors.get(name);
    if (tensor === undefined || basename(tensor.file) !== file) throw reject('F23', `is not in ${file}, where 'weight_map' puts it`, name);
  }
  for (const tensor of checkpoint.tensors.values()) {
    if (!index.files.has(tensor.name)) throw reject('F24', `is in ${basename(tensor.file)} but not in 'weight_map'`, tensor.name);
  }
  if (index.totalSize !== undefined && index.totalSize !== checkpoint.totalBytes) {
    throw reject('F25', `'metadata.total_size' is ${index.totalSize} but the shards hold ${checkpoint.totalBytes} bytes of tensors`);
  }
}
