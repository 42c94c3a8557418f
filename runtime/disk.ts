/** Checkpoints on a disk, through Node. */
import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ByteFolder, ByteSource } from './byte-source.js';
import { CheckpointError } from './checkpoint-error.js';
import { Checkpoint } from './checkpoint.js';
import { SafetensorsFile } from './safetensors.js';

/** `path`: a folder as downloaded, or one `.safetensors` file. Reads headers only. @throws CheckpointError */
export async function openCheckpoint(path: string): Promise<Checkpoint> {
  const info = await stat(path).catch(() => undefined);
  if (info === undefined) throw new CheckpointError({ code: 'F01', file: path, cause: 'does not exist', fix: 'give the folder that holds model.safetensors' });
  return info.isDirectory() ? Checkpoint.fromFolder(diskFolder(path)) : Checkpoint.fromFile(await openDiskFile(path));
}

/** One safetensors file. @throws CheckpointError */
export async function openSafetensors(path: string): Promise<SafetensorsFile> {
  return SafetensorsFile.from(await openDiskFile(path));
}

function diskFolder(path: string): ByteFolder {
  return {
    path,
    names: () => readdir(path),
    find: async (name) => ((await stat(join(path, name)).catch(() => undefined)) === undefined ? undefined : openDiskFile(join(path, name))),
  };
}

async function openDiskFile(path: string): Promise<ByteSource> {
  let handle: FileHandle | undefined;
  try {
    // Asked before it is opened: opening a pipe waits for a writer, and then not even Ctrl-C is heard.
    if (!(await stat(path)).isFile()) throw new Error('it is not a regular file');
    handle = await open(path, 'r');
    const info = await handle.stat();
    return new DiskFile(path, info.size, handle);
  } catch (error) {
    await handle?.close();
    throw new CheckpointError({ code: 'F01', file: path, cause: `cannot be opened: ${(error as Error).message}`, fix: 'check the path and its permissions' });
  }
}

/** Node reads less than 2 GiB at a time. */
const mostPerRead = 1 << 30;

class DiskFile implements ByteSource {
  constructor(readonly path: string, readonly size: number, private readonly handle: FileHandle) {}

  async read(into: Uint8Array, at: number): Promise<number> {
    let done = 0;
    while (done < into.length) {
      const { bytesRead } = await this.handle.read(into, done, Math.min(into.length - done, mostPerRead), at + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return done;
  }

  async close(): Promise<void> {
    await this.handle.close();
  }
}
