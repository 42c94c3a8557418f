/**
 * Strict reader of one safetensors file: u64 little-endian header length, JSON header, then the tensors' bytes back to
 * back in the order of their offsets, without holes. The laws are those of the published format plus its audit: what
 * breaks one is an error with a code, in time and memory bounded by the header. Bytes are read by range, never the file whole.
 */
import type { ByteSource } from './byte-source.js';
import { CheckpointError } from './checkpoint-error.js';
import { HeaderError, type HeaderEntry, readHeaderFields } from './safetensors-json.js';

/** Bits of one element. */
export const storedBits = {
  BOOL: 8, U8: 8, I8: 8, F8_E4M3: 8, F8_E5M2: 8, F8_E8M0: 8, F8_E4M3FNUZ: 8, F8_E5M2FNUZ: 8, F4: 4, F6_E2M3: 6, F6_E3M2: 6,
  I16: 16, U16: 16, F16: 16, BF16: 16, I32: 32, U32: 32, F32: 32, I64: 64, U64: 64, F64: 64, C64: 64,
} as const;
export type StoredDType = keyof typeof storedBits;

export interface StoredTensor {
  readonly name: string;
  readonly dtype: StoredDType;
  readonly shape: readonly number[];
  readonly bytes: number;
  /** File that holds it, and where its first byte is in it. */
  readonly file: string;
  readonly offset: number;
}

export const maxHeaderBytes = 100_000_000;

/** Checks a header (without its length) of a file of `fileBytes` bytes. Throws CheckpointError. */
export function checkHeader(file: string, header: Uint8Array, fileBytes: number): { tensors: StoredTensor[]; metadata: Readonly<Record<string, string>> } {
  const reject = (code: string, cause: string, tensor?: string): CheckpointError => new CheckpointError({
    code, file, cause, fix: 'the file is damaged or not a safetensors file: download or export it again', ...(tensor === undefined ? {} : { tensor }),
  });
  if (header[0] !== 0x7b) throw reject('F04', `the header does not start with '{'`);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(header);
  } catch {
    throw reject('F05', 'the header is not valid UTF-8');
  }
  try {
    const { entries, metadata } = readHeaderFields(text);
    return { tensors: layOut(file, entries, 8 + header.length, fileBytes, reject), metadata };
  } catch (error) {
    if (error instanceof HeaderError) throw reject(error.code, error.message, error.tensor);
    throw error;
  }
}

type Reject = (code: string, cause: string, tensor?: string) => CheckpointError;

/** Tensors by offset; proves that they cover [start, fileBytes) exactly once. */
function layOut(file: string, entries: readonly HeaderEntry[], start: number, fileBytes: number, reject: Reject): StoredTensor[] {
  const ordered = [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end);
  let at = 0;
  const tensors = ordered.map((entry): StoredTensor => {
    const bytes = entryBytes(entry, reject);
    if (entry.end < entry.begin) throw reject('F10', `data_offsets [${entry.begin}, ${entry.end}] end before they begin`, entry.name);
    if (entry.begin !== at) throw reject('F12', `its bytes begin at ${entry.begin} but the ones before it end at ${at}`, entry.name);
    if (entry.end - entry.begin !== bytes) {
      throw reject('F11', `${entry.dtype} [${entry.shape.join(', ')}] needs ${bytes} bytes but data_offsets span ${entry.end - entry.begin}`, entry.name);
    }
    at = entry.end;
    return { name: entry.name, dtype: entry.dtype as StoredDType, shape: entry.shape, bytes, file, offset: start + entry.begin };
  });
  if (start + at !== fileBytes) throw reject('F13', `the tensors cover ${at} bytes but ${fileBytes - start} follow the header`);
  return tensors;
}

function entryBytes(entry: HeaderEntry, reject: Reject): number {
  if (!Object.hasOwn(storedBits, entry.dtype)) throw reject('F08', `unknown dtype '${entry.dtype.slice(0, 40)}'`, entry.name);
  let bits: number = storedBits[entry.dtype as StoredDType];
  // An extent of 0 would hide an overflow of the others, so the extents are multiplied as if it were 1.
  let empty = false;
  for (const extent of entry.shape) {
    if (extent === 0) empty = true;
    else bits *= extent;
    if (!Number.isSafeInteger(bits)) throw reject('F09', `shape [${entry.shape.slice(0, 8).join(', ')}] of ${entry.dtype} overflows`, entry.name);
  }
  if (empty) return 0;
  if (bits % 8 !== 0) throw reject('F11', `shape [${entry.shape.join(', ')}] of ${entry.dtype} does not end on a byte`, entry.name);
  return bits / 8;
}

/** One open file. */
export class SafetensorsFile {
  private constructor(
    private readonly source: ByteSource,
    readonly tensors: ReadonlyMap<string, StoredTensor>, readonly metadata: Readonly<Record<string, string>>,
  ) {}

  /** Takes over `source`: closes it if its header breaks a law. */
  static async from(source: ByteSource): Promise<SafetensorsFile> {
    try {
      const { tensors, metadata } = checkHeader(source.path, await readHeader(source), source.size);
      return new SafetensorsFile(source, new Map(tensors.map((t) => [t.name, t])), metadata);
    } catch (error) {
      await source.close();
      throw error;
    }
  }

  get path(): string {
    return this.source.path;
  }

  /** Bytes [begin, end) of a tensor; all of it by default. */
  async read(tensor: StoredTensor, begin = 0, end = tensor.bytes): Promise<Uint8Array> {
    if (begin < 0 || end > tensor.bytes || begin > end) throw new Error(`safetensors: range [${begin}, ${end}) of '${tensor.name}', which has ${tensor.bytes} bytes`);
    const out = new Uint8Array(end - begin);
    if (await this.source.read(out, tensor.offset + begin) < out.length) {
      throw new CheckpointError({
        code: 'F14', file: this.path, tensor: tensor.name, cause: 'the file became shorter while it was read', fix: 'do not change weight files while they are in use',
      });
    }
    return out;
  }

  async close(): Promise<void> {
    await this.source.close();
  }
}

async function readHeader(source: ByteSource): Promise<Uint8Array> {
  const reject = (code: string, cause: string): CheckpointError =>
    new CheckpointError({ code, file: source.path, cause, fix: 'the file is cut short or not a safetensors file: download it again' });
  const head = new Uint8Array(8);
  if (source.size < 8 || await source.read(head, 0) < 8) throw reject('F02', `has ${source.size} bytes, fewer than the 8 of a header length`);
  const length = new DataView(head.buffer).getBigUint64(0, true);
  if (length > BigInt(maxHeaderBytes)) throw reject('F03', `states a header of ${length} bytes; the format allows ${maxHeaderBytes}`);
  if (length > BigInt(source.size - 8)) throw reject('F03', `states a header of ${length} bytes but only ${source.size - 8} follow`);
  const header = new Uint8Array(Number(length));
  if (await source.read(header, 8) < header.length) throw reject('F14', 'became shorter while it was read');
  return header;
}
