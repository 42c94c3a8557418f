/** Tokenizers and stop tokens from a disk, through Node. */
import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { stopTokensBeside, type TextFolder, tokenizerBeside } from './beside-weights.js';
import { byteTokenizer } from './byte-tokenizer.js';
import type { Tokenizer } from './tokenizer.js';
import { TokenizerError } from './tokenizer-error.js';

/**
 * tokenizer.json, else tiktoken.model, beside the weights at `path` (a folder, or one file); else the bytes of the text.
 * Throws TokenizerError.
 */
export async function loadTokenizer(path: string | undefined): Promise<Tokenizer> {
  return path === undefined ? byteTokenizer() : tokenizerBeside(await folderOf(path));
}

/** `eos_token_id` of generation_config.json beside the weights at `path`; none without that file. Throws TokenizerError. */
export async function stopTokens(path: string): Promise<number[]> {
  return stopTokensBeside(await folderOf(path));
}

async function folderOf(path: string): Promise<TextFolder> {
  const folder = (await stat(path)).isDirectory() ? path : dirname(path);
  return { path: folder, text: (name) => textOf(join(folder, name)) };
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new TokenizerError('T01', path, `cannot be read: ${(error as Error).message}`, 'check the file and its permissions');
  }
}
