/**
 * A file that appears whole or not at all: written beside its final name, flushed, then renamed. What is not committed
 * is removed, also when the process ends early (`exit` handlers run after SIGINT if the program calls process.exit).
 */
import { close, fsync, openSync, rmSync, write } from 'node:fs';
import { mkdir, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { promisify } from 'node:util';
import { CheckpointError } from './checkpoint-error.js';

const [writeAt, flush, closeFile] = [promisify(write), promisify(fsync), promisify(close)];

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
  private isOpen = true;

  private constructor(readonly path: string, private readonly target: string, private readonly temporary: string, private readonly descriptor: number) {}

  /**
   * Replaces what `path` names (a link's target, with the permissions it has), or makes it. `mode`: its permissions, as for
   * chmod; what the umask leaves of rw for all if not given. Throws CheckpointError F30.
   */
  static async create(path: string, mode?: number): Promise<AtomicFile> {
    try {
      const target = await realpath(path).catch(() => path);
      const info = await stat(target).catch(() => undefined);
      if (info !== undefined && !info.isFile()) throw Object.assign(new Error(), { code: info.isDirectory() ? 'EISDIR' : 'ENOTFILE' });
      const temporary = `${target}.tmp.${process.pid}-${Math.random().toString(36).slice(2, 8)}`;
      // Made at once: what waits for its turn would still make the file after an interrupt has removed it.
      const descriptor = openSync(temporary, 'wx', mode ?? (info === undefined ? 0o666 : info.mode & 0o777));
      track(temporary);
      return new AtomicFile(path, target, temporary, descriptor);
    } catch (error) {
      throw cannotWrite(path, error);
    }
  }

  async write(data: Uint8Array, position: number): Promise<void> {
    try {
      for (let done = 0; done < data.length;) {
        const { bytesWritten } = await writeAt(this.descriptor, data, done, Math.min(data.length - done, 1 << 30), position + done);
        done += bytesWritten;
      }
    } catch (error) {
      throw cannotWrite(this.path, error);
    }
  }

  async commit(): Promise<void> {
    try {
      await flush(this.descriptor);
      await this.close();
      await rename(this.temporary, this.target);
    } catch (error) {
      throw cannotWrite(this.path, error);
    }
    pending.delete(this.temporary);
  }

  /** Once: a number that was closed may already be another file's. */
  private async close(): Promise<void> {
    if (!this.isOpen) return;
    this.isOpen = false;
    await closeFile(this.descriptor);
  }

  async discard(): Promise<void> {
    await this.close().catch(() => undefined);
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
    await file.discard();
    throw error;
  }
}

/** Makes a folder and those above it, level by level: Node's own recursion never ends below /proc. Throws CheckpointError F30. */
export async function makeFolder(path: string): Promise<void> {
  const info = await stat(path).catch(() => undefined);
  if (info?.isDirectory()) return;
  if (info === undefined && dirname(resolve(path)) !== resolve(path)) await makeFolder(dirname(resolve(path)));
  try {
    await mkdir(path);
  } catch (error) {
    if ((await stat(path).catch(() => undefined))?.isDirectory()) return;
    throw cannotWrite(path, error);
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'its folder does not exist', ENOTDIR: 'a part of its path is not a folder', EISDIR: 'it is a folder', EEXIST: 'it is there already, and is no folder',
  ENOTFILE: 'it is not a regular file', EACCES: 'access is denied', EPERM: 'access is denied', EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full', EDQUOT: 'the disk quota is used up', EFBIG: 'it would become larger than this process may write', ENAMETOOLONG: 'its name is too long',
};

function cannotWrite(path: string, error: unknown): CheckpointError {
  const { code, message } = error as NodeJS.ErrnoException;
  return new CheckpointError({
    code: 'F30', file: path, cause: `cannot be written: ${reasons[code ?? ''] ?? message}`, fix: 'name a file in a folder that exists, is writable and has space',
  });
}
