/** Checkpoints as blobs: files that somebody picked in a browser, or a download that is kept. */
import type { ByteFolder, ByteSource } from './byte-source.js';
import { CheckpointError } from './checkpoint-error.js';

export interface NamedBlob { readonly name: string; readonly blob: Blob }

/** `path` is what messages call the folder. Reads throw the signal's reason once it is aborted. */
export function blobFolder(path: string, files: readonly NamedBlob[], signal?: AbortSignal): ByteFolder {
  const byName = new Map(files.map((f) => [f.name, f.blob]));
  return {
    path,
    names: async () => [...byName.keys()],
    find: async (name) => {
      const blob = byName.get(name);
      return blob === undefined ? undefined : new BlobFile(`${path}/${name}`, blob, signal);
    },
  };
}

export class BlobFile implements ByteSource {
  constructor(readonly path: string, private readonly blob: Blob, private readonly signal?: AbortSignal) {}

  get size(): number {
    return this.blob.size;
  }

  async read(into: Uint8Array, at: number): Promise<number> {
    this.signal?.throwIfAborted();
    let bytes: Uint8Array;
    try {
      bytes = new Uint8Array(await this.blob.slice(at, at + into.length).arrayBuffer());
    } catch (error) {
      // A picked file is read when it is needed; browsers refuse once it has changed.
      throw new CheckpointError({ code: 'F14', file: this.path, cause: `cannot be read any more: ${(error as Error).message}`, fix: 'do not change weight files while they are in use; pick the folder again' });
    }
    into.set(bytes);
    return bytes.length;
  }

  async close(): Promise<void> {}
}
