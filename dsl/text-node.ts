/** Reads text files in Node: what is not a text of a sane size is an error that says so, before anything is parsed. */
import { closeSync, openSync, readSync } from 'node:fs';
import { UnreadableFile } from './unreadable-file.js';

/** `code`: C01 cannot be read · C02 not UTF-8 · C03 too large. */
export class TextError extends UnreadableFile {
  constructor(readonly code: 'C01' | 'C02' | 'C03', path: string, reason: string, readonly fix: string) {
    super(path, reason);
    this.name = 'TextError';
  }
}

const mebibyte = 2 ** 20;

/** The text of `path` (a file or a pipe), at most `limit` bytes of UTF-8. Throws TextError. */
export function readTextFile(path: string, limit = 4 * mebibyte): string {
  return decode(path, readAtMost(path, limit));
}

/** Standard input as a text. */
export async function readStandardInput(limit = 4 * mebibyte): Promise<string> {
  const parts: Uint8Array[] = [];
  let total = 0;
  // Not at once: a read that waits would not let Ctrl-C through.
  try {
    for await (const part of process.stdin as AsyncIterable<Uint8Array>) {
      total += part.length;
      if (total > limit) throw tooLarge('standard input', limit);
      parts.push(part);
    }
  } catch (error) {
    throw asTextError('standard input', error);
  }
  return decode('standard input', Buffer.concat(parts));
}

function tooLarge(path: string, limit: number): TextError {
  return new TextError('C03', path, `is larger than ${limit / mebibyte} MiB`, 'check that this is the right file');
}

function asTextError(path: string, error: unknown): TextError {
  return error instanceof TextError ? error : new TextError('C01', path, describeErrno((error as NodeJS.ErrnoException).code), 'check the path and its permissions');
}

function decode(path: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new TextError('C02', path, 'is not a text in UTF-8', 'give a text file, or convert this one to UTF-8');
  }
}

/** Reads to the end instead of trusting a size: pipes and devices state none. */
function readAtMost(path: string, limit: number): Uint8Array {
  try {
    const descriptor = openSync(path, 'r');
    try {
      return drain(descriptor, () => tooLarge(path, limit), limit);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    throw asTextError(path, error);
  }
}

function drain(descriptor: number, tooLarge: () => TextError, limit: number): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let total = 0; ;) {
    const part = new Uint8Array(65536);
    const count = readSync(descriptor, part, 0, part.length, null);
    if (count === 0) return Buffer.concat(parts);
    total += count;
    if (total > limit) throw tooLarge();
    parts.push(part.subarray(0, count));
  }
}

/** An error code of the system in words. */
export function describeErrno(code: string | undefined): string {
  switch (code) {
    case 'ENOENT': return 'there is no such file or folder';
    case 'EISDIR': return 'is a folder';
    case 'ENOTDIR': return 'a part of this path is not a folder';
    case 'EEXIST': return 'is there already, and is not a folder';
    case 'EACCES': case 'EPERM': return 'access is denied';
    case 'EROFS': return 'the file system is read-only';
    case 'ENOSPC': case 'EDQUOT': return 'the disk is full';
    case 'EFBIG': return 'the file would be larger than this process may write';
    case 'ENAMETOOLONG': return 'the name is too long';
    case 'ELOOP': return 'its links lead in a circle';
    default: return `cannot be used (${code ?? 'unknown error'})`;
  }
}
