/**
 * A file that appears whole or not at all: written beside its final name, flushed, then renamed. What is not committed
 * is removed, also when the process ends early (`exit` handlers run after SIGINT if the program calls process.exit).
 */
import { rmSync } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { CheckpointError } from './checkpoint-error.js';

const pending = new Set<string>();
let watching = false;

function track(path: string): void {
  pending.add(path);
  if (watching) return;
  watching = true;
  process.on('exit', () => {
    for (const file of pending) rmSync(file, { force: true });
  });
}

export class AtomicFile {
  private constructor(readonly path: string, private readonly temporary: string, private readonly handle: FileHandle) {}

  /** `mode`: permissions, as for chmod; what the umask leaves of rw for all if not given. */
  static async create(path: string, mode?: number): Promise<AtomicFile> {
    const temporary = `${path}.tmp.${process.pid}`;
    try {
      const handle = await open(temporary, 'wx', mode);
      track(temporary);
      return new AtomicFile(path, temporary, handle);
    } catch (error) {
      throw new CheckpointError({ code: 'F30', file: path, cause: `cannot be written: ${(error as Error).message}`, fix: 'check that the folder exists, is writable and has space' });
    }
  }

  async write(data: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < data.length;) {
      const { bytesWritten } = await this.handle.write(data, done, Math.min(data.length - done, 1 << 30), position + done);
      done += bytesWritten;
    }
  }

  async commit(): Promise<void> {
    await this.handle.sync();
    await this.handle.close();
    await rename(this.temporary, this.path);
    pending.delete(this.temporary);
  }

  async discard(): Promise<void> {
    await this.handle.close();
    await rm(this.temporary, { force: true });
    pending.delete(this.temporary);
  }
}

/** Writes a whole small file atomically. */
export async function writeFileAtomically(path: string, data: Uint8Array | string): Promise<void> {
  const file = await AtomicFile.create(path);
  try {
    await file.write(typeof data === 'string' ? new TextEncoder().encode(data) : data, 0);
    await file.commit();
  } catch (error) {
    await file.discard().catch(() => undefined);
    throw error;
  }
}
