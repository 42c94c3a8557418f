/** The tokenizer and the stop tokens that belong to a checkpoint: what is beside its weights. */
import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { byteTokenizer } from './byte-tokenizer.js';
import { huggingFaceTokenizer } from './hugging-face.js';
import { tiktokenTokenizer } from './tiktoken.js';
import type { Tokenizer } from './tokenizer.js';
import { TokenizerError } from './tokenizer-error.js';

/**
 * tokenizer.json, else tiktoken.model, beside the weights at `path` (a folder, or one file); else the bytes of the text.
 * Throws TokenizerError.
 */
export async function loadTokenizer(path: string | undefined): Promise<Tokenizer> {
  return (path === undefined ? undefined : await readTokenizer(await folderOf(path))) ?? byteTokenizer();
}

async function readTokenizer(folder: string): Promise<Tokenizer | undefined> {
  const config = await textOf(join(folder, 'tokenizer_config.json'));
  for (const [name, read] of [['tokenizer.json', huggingFaceTokenizer], ['tiktoken.model', tiktokenTokenizer]] as const) {
    const text = await textOf(join(folder, name));
    if (text !== undefined) return read(join(folder, name), text, config);
  }
  return undefined;
}

/** `eos_token_id` of generation_config.json beside the weights at `path`; none without that file. Throws TokenizerError. */
export async function stopTokens(path: string): Promise<number[]> {
  const file = join(await folderOf(path), 'generation_config.json');
  const text = await textOf(file);
  if (text === undefined) return [];
  const bad = (cause: string): TokenizerError => new TokenizerError('T02', file, cause, 'download the file again, or remove it');
  let ids: unknown;
  try {
    ids = (JSON.parse(text) as { eos_token_id?: unknown } | null)?.eos_token_id ?? [];
  } catch (error) {
    throw bad(`is not JSON: ${(error as Error).message}`);
  }
  const list: unknown[] = Array.isArray(ids) ? ids : [ids];
  if (!list.every((id) => Number.isSafeInteger(id) && (id as number) >= 0)) throw bad(`'eos_token_id' is ${JSON.stringify(ids).slice(0, 60)}, neither an id nor a list of ids`);
  return list as number[];
}

async function folderOf(path: string): Promise<string> {
  return (await stat(path)).isDirectory() ? path : dirname(path);
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new TokenizerError('T01', path, `cannot be read: ${(error as Error).message}`, 'check the file and its permissions');
  }
}
