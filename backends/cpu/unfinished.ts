/** What a build would leave behind if the process ended in the middle of it: running compilers and their half-written files. */
import type { ChildProcess } from 'node:child_process';
import { rmSync } from 'node:fs';
import { mkdir, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DeviceError } from '../device.js';

const compilers = new Set<ChildProcess>();
const files = new Set<string>();
let watching = false;

/** Commands end with process.exit, also on Ctrl-C. */
function watch(): void {
  if (watching) return;
  watching = true;
  process.on('exit', () => {
    for (const compiler of compilers) endGroup(compiler);
    for (const path of files) rmSync(path, { recursive: true, force: true });
  });
}

/** Runs `make`, which writes a file or folder at `path` and moves it to where it belongs; if it does not get there, nothing stays. */
export async function unfinished<T>(path: string, make: () => Promise<T>): Promise<T> {
  watch();
  files.add(path);
  try {
    return await make();
  } finally {
    await rm(path, { recursive: true, force: true });
    files.delete(path);
  }
}

function endGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGTERM');
  } catch {
    // It has ended by itself.
  }
}

/** Ends the compiler, which leads a process group, with this process. */
export function tied(compiler: ChildProcess): void {
  watch();
  compilers.add(compiler);
  compiler.once('close', () => compilers.delete(compiler));
}

/** A folder for compiled files, made level by level: Node's own recursion never ends below /proc. Throws DeviceError D39. */
export async function buildFolder(path: string): Promise<void> {
  if ((await stat(path).catch(() => undefined))?.isDirectory()) return;
  if (dirname(path) !== path) await buildFolder(dirname(path));
  try {
    await mkdir(path);
  } catch (error) {
    if ((await stat(path).catch(() => undefined))?.isDirectory()) return;
    throw new DeviceError('D39', `compiled kernels cannot be kept: ${(error as Error).message}`, 'make it writable; the cache is where XDG_CACHE_HOME says');
  }
}
