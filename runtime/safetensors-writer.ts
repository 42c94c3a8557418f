import { AtomicFile } from './atomic-file.js';
import { storedBits, type StoredDType } from './safetensors.js';

export interface TensorToWrite { readonly name: string; readonly dtype: StoredDType; readonly shape: readonly number[] }

/**
 * Writes one safetensors file whose tensors are known beforehand and whose bytes arrive in any order. The file appears
 * under its name only when `commit` has seen every byte.
 */
export class SafetensorsWriter {
  private missing: number;

  private constructor(private readonly file: AtomicFile, private readonly places: ReadonlyMap<string, { begin: number; bytes: number }>, total: number) {
    this.missing = total;
  }

  static async create(path: string, tensors: readonly TensorToWrite[], metadata?: Readonly<Record<string, string>>): Promise<SafetensorsWriter> {
    return SafetensorsWriter.start(await AtomicFile.create(path), tensors, metadata);
  }

  /** Into a file that is open already and empty. */
  static async start(file: AtomicFile, tensors: readonly TensorToWrite[], metadata?: Readonly<Record<string, string>>): Promise<SafetensorsWriter> {
    const { header, offsets, total } = headerOf(tensors, metadata);
    const places = new Map(tensors.map((t, i) => [t.name, { begin: header.length + offsets[i], bytes: (offsets[i + 1] ?? total) - offsets[i] }]));
    await file.write(header, 0);
    return new SafetensorsWriter(file, places, total);
  }

  /** Bytes of a tensor from byte `at` of it on. Every byte is to be written once. */
  async write(name: string, data: Uint8Array, at = 0): Promise<void> {
    const place = this.places.get(name);
    if (place === undefined || at + data.length > place.bytes) throw new Error(`safetensors writer: ${data.length} bytes at ${at} do not fit tensor '${name}'`);
    await this.file.write(data, place.begin + at);
    this.missing -= data.length;
  }

  async commit(): Promise<void> {
    if (this.missing !== 0) throw new Error(`safetensors writer: ${this.missing} bytes were never written`);
    await this.file.commit();
  }

  async discard(): Promise<void> {
    await this.file.discard();
  }
}

/** Length and header, padded with spaces so that the tensors start on a multiple of 8. */
function headerOf(tensors: readonly TensorToWrite[], metadata: Readonly<Record<string, string>> | undefined): { header: Uint8Array; offsets: number[]; total: number } {
  const fields: Record<string, unknown> = metadata === undefined ? {} : { __metadata__: metadata };
  const offsets: number[] = [];
  let at = 0;
  for (const t of tensors) {
    const bytes = (t.shape.reduce((a, b) => a * b, 1) * storedBits[t.dtype]) / 8;
    offsets.push(at);
    fields[t.name] = { dtype: t.dtype, shape: t.shape, data_offsets: [at, at + bytes] };
    at += bytes;
  }
  const json = new TextEncoder().encode(JSON.stringify(fields));
  const length = Math.ceil(json.length / 8) * 8;
  const header = new Uint8Array(8 + length).fill(0x20, 8);
  new DataView(header.buffer).setBigUint64(0, BigInt(length), true);
  header.set(json, 8);
  return { header, offsets, total: at };
}
