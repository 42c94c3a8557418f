/** The tokenizer and the stop tokens that belong to a checkpoint: what is beside its weights. */
import { byteTokenizer } from './byte-tokenizer.js';
import { huggingFaceTokenizer } from './hugging-face.js';
import { tiktokenTokenizer } from './tiktoken.js';
import type { Tokenizer } from './tokenizer.js';
import { TokenizerError } from './tokenizer-error.js';

/** A folder with a checkpoint: `text` of a file by its name, undefined if there is none. */
export interface TextFolder {
  readonly path: string;
  text(name: string): Promise<string | undefined>;
}

/** tokenizer.json, else tiktoken.model, else the bytes of the text. Throws TokenizerError. */
export async function tokenizerBeside({ path, text }: TextFolder): Promise<Tokenizer> {
  const config = await text('tokenizer_config.json');
  for (const [name, read] of [['tokenizer.json', huggingFaceTokenizer], ['tiktoken.model', tiktokenTokenizer]] as const) {
    const content = await text(name);
    if (content !== undefined) return read(`${path}/${name}`, content, config);
  }
  return byteTokenizer();
}

/** `eos_token_id` of generation_config.json; none without that file. Throws TokenizerError. */
export async function stopTokensBeside({ path, text }: TextFolder): Promise<number[]> {
  const file = `${path}/generation_config.json`;
  const content = await text('generation_config.json');
  if (content === undefined) return [];
  const bad = (cause: string): TokenizerError => new TokenizerError('T02', file, cause, 'download the file again, or remove it');
  let ids: unknown;
  try {
    ids = (JSON.parse(content) as { eos_token_id?: unknown } | null)?.eos_token_id ?? [];
  } catch (error) {
    throw bad(`is not JSON: ${(error as Error).message}`);
  }
  const list: unknown[] = Array.isArray(ids) ? ids : [ids];
  if (!list.every((id) => Number.isSafeInteger(id) && (id as number) >= 0)) throw bad(`'eos_token_id' ${list === ids ? 'is a list that holds something else than ids' : `is ${typeof ids === 'object' ? 'an object' : JSON.stringify(ids).slice(0, 60)}, neither an id nor a list of ids`}`);
  return list as number[];
}
