/**
 * A checkpoint as published: one safetensors file, or shards with `model.safetensors.index.json`. The index is not
 * trusted: every file it names must be a plain name in the same folder, and it must agree with the shards both ways.
 */
import { type ByteFolder, type ByteSource, readText } from './byte-source.js';
import { CheckpointError } from './checkpoint-error.js';
import { SafetensorsFile, storedBits, type StoredTensor } from './safetensors.js';
import { firstUnusable } from './unusable-numbers.js';

const singleName = 'model.safetensors';
const indexName = 'model.safetensors.index.json';

export class Checkpoint {
  private constructor(
    /** The folder, or the file, that was opened. */
    readonly path: string,
    readonly tensors: ReadonlyMap<string, StoredTensor>,
    private readonly files: ReadonlyMap<string, SafetensorsFile>,
  ) {}

  /** One `.safetensors` file, which is closed with the checkpoint. Reads its header only. */
  static async fromFile(source: ByteSource): Promise<Checkpoint> {
    return Checkpoint.fromSources(source.path, [source]);
  }

  /** A folder as downloaded. Reads headers only. @throws CheckpointError */
  static async fromFolder(folder: ByteFolder): Promise<Checkpoint> {
    const single = await folder.find(singleName);
    if (single !== undefined) return Checkpoint.fromSources(folder.path, [single]);
    const index = await folder.find(indexName);
    if (index !== undefined) return Checkpoint.fromIndex(folder, index);
    const others = (await folder.names() ?? []).filter((n) => n.endsWith('.safetensors')).sort();
    const only = others.length === 1 ? await folder.find(others[0]) : undefined;
    if (only !== undefined) return Checkpoint.fromSources(folder.path, [only]);
    throw new CheckpointError({
      code: 'F26', file: folder.path,
      cause: others.length === 0 ? `holds no ${singleName} and no ${indexName}` : `holds ${others.length} .safetensors files but no ${indexName} that says which tensor is where`,
      fix: others.length === 0 ? `give the folder that holds ${singleName}` : `download ${indexName} as well`,
    });
  }

  /** `path` is what messages call all of them together. */
  private static async fromSources(path: string, sources: readonly ByteSource[]): Promise<Checkpoint> {
    const opened = await openAll(sources);
    const tensors = new Map<string, StoredTensor>();
    const checkpoint = new Checkpoint(path, tensors, opened);
    for (const file of opened.values()) for (const tensor of file.tensors.values()) {
      const other = tensors.get(tensor.name);
      if (other !== undefined) {
        await checkpoint.close();
        throw new CheckpointError({ code: 'F07', file: file.path, tensor: tensor.name, cause: `is also in ${nameOf(other.file)}`, fix: 'the shards are from different downloads: download all of them again' });
      }
      tensors.set(tensor.name, tensor);
    }
    return checkpoint;
  }

  private static async fromIndex(folder: ByteFolder, source: ByteSource): Promise<Checkpoint> {
    const index = await readIndex(folder.path, source);
    const shards: ByteSource[] = [];
    for (const name of [...new Set(index.files.values())].sort()) {
      const shard = await folder.find(name);
      if (shard === undefined) {
        await Promise.all(shards.map((s) => s.close()));
        throw new CheckpointError({ code: 'F21', file: `${folder.path}/${name}`, cause: `is missing; ${indexName} says that it holds '${firstIn(index.files, name)}'`, fix: 'download the missing shard' });
      }
      shards.push(shard);
    }
    const checkpoint = await Checkpoint.fromSources(folder.path, shards);
    try {
      checkIndex(source.path, index, checkpoint);
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

  /** Bytes [begin, end) of the named tensor; all of it by default. Throws CheckpointError F14 or F45. */
  async read(name: string, begin?: number, end?: number): Promise<Uint8Array> {
    const tensor = this.tensors.get(name);
    if (tensor === undefined) throw new Error(`checkpoint: no tensor '${name}' in ${this.path}`);
    const bytes = await this.files.get(tensor.file)!.read(tensor, begin, end);
    // A matrix with an infinity makes NaN of everything; a bias of -inf may forbid a choice.
    const bad = firstUnusable(bytes, tensor.dtype, tensor.shape.length > 1);
    if (bad !== undefined) {
      const at = bad + ((begin ?? 0) * 8) / storedBits[tensor.dtype];
      throw new CheckpointError({ code: 'F45', file: tensor.file, tensor: name, cause: `element ${at} of [${tensor.shape.join(', ')}] is ${firstUnusable(bytes, tensor.dtype) === bad ? 'not a number (NaN)' : 'infinite'}`, fix: 'training or conversion went wrong, or the file is damaged: export or download it again' });
    }
    return bytes;
  }

  async close(): Promise<void> {
    for (const file of this.files.values()) await file.close();
  }
}

const nameOf = (path: string): string => path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1);

async function openAll(sources: readonly ByteSource[]): Promise<Map<string, SafetensorsFile>> {
  const opened = new Map<string, SafetensorsFile>();
  for (const [i, source] of sources.entries()) {
    try {
      opened.set(source.path, await SafetensorsFile.from(source));
    } catch (error) {
      await Promise.all([...opened.values(), ...sources.slice(i + 1)].map((file) => file.close()));
      throw error;
    }
  }
  return opened;
}

interface Index { readonly files: ReadonlyMap<string, string>; readonly totalSize: number | undefined }

function firstIn(files: ReadonlyMap<string, string>, shard: string): string {
  for (const [tensor, file] of files) if (file === shard) return tensor;
  throw new Error(`checkpoint: no tensor in '${shard}'`);
}

/** Reads and closes `source`. */
async function readIndex(folder: string, source: ByteSource): Promise<Index> {
  const reject = (code: string, cause: string): CheckpointError => new CheckpointError({ code, file: source.path, cause, fix: 'download the index again' });
  let json: unknown;
  try {
    json = JSON.parse(await readText(source));
  } catch (error) {
    throw reject('F20', `cannot be read as JSON: ${(error as Error).message}`);
  } finally {
    await source.close();
  }
  const { weight_map: map, metadata } = (json ?? {}) as { weight_map?: unknown; metadata?: { total_size?: unknown } };
  if (typeof map !== 'object' || map === null || Array.isArray(map)) throw reject('F20', `has no object 'weight_map'`);
  const files = new Map<string, string>();
  for (const [tensor, file] of Object.entries(map)) {
    if (typeof file !== 'string') throw reject('F20', `'weight_map' does not name a file for '${tensor}'`);
    if (/[/\\\0]/.test(file) || file === '' || file === '.' || file === '..') {
      throw reject('F22', `'weight_map' sends '${tensor}' to '${file}', which is not a plain file name in ${folder}`);
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
    if (tensor === undefined || nameOf(tensor.file) !== file) throw reject('F23', `is not in ${file}, where 'weight_map' puts it`, name);
  }
  for (const tensor of checkpoint.tensors.values()) {
    if (!index.files.has(tensor.name)) throw reject('F24', `is in ${nameOf(tensor.file)} but not in 'weight_map'`, tensor.name);
  }
  if (index.totalSize !== undefined && index.totalSize !== checkpoint.totalBytes) {
    throw reject('F25', `'metadata.total_size' is ${index.totalSize} but the shards hold ${checkpoint.totalBytes} bytes of tensors`);
  }
}
