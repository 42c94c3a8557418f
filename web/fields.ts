/** What a person typed, as values. @throws PageError W04 naming the field. */
import { byteTokenizer } from '../runtime/tokenizer/byte-tokenizer.js';
import { checkVocabulary } from '../runtime/tokenizer/tokenizer.js';
import { PageError } from './failure.js';
import { view } from './view.js';

export interface Request { readonly prompt: readonly number[]; readonly asIds: boolean; readonly maxTokens: number; readonly temperature: number; readonly seed: number }

export function readRequest(vocabulary: number): Request {
  const asIds = view.asIds.checked;
  return {
    asIds, prompt: asIds ? readIds(view.prompt.value) : encodeBytes(view.prompt.value, vocabulary),
    maxTokens: readWhole(view.maxTokens, 'at most ... tokens', 1), seed: readSeed(view.seed, 'seed'), temperature: readTemperature(),
  };
}

function encodeBytes(text: string, vocabulary: number): number[] {
  const tokenizer = byteTokenizer();
  checkVocabulary(tokenizer, vocabulary);
  return tokenizer.encode(text, true);
}

/** A 32-bit seed. */
export function readSeed(field: HTMLInputElement, name: string): number {
  return readWhole(field, name, 0, 0xffffffff);
}

function readWhole(field: HTMLInputElement, name: string, least: number, most = Number.MAX_SAFE_INTEGER): number {
  const value = Number(field.value);
  if (field.value.trim() === '' || !Number.isSafeInteger(value) || value < least || value > most) {
    throw new PageError('W04', `'${name}' is '${field.value}'`, `give a whole number from ${least}${most === Number.MAX_SAFE_INTEGER ? '' : ` to ${most}`}`);
  }
  return value;
}

function readTemperature(): number {
  const value = Number(view.temperature.value);
  if (view.temperature.value.trim() === '' || !Number.isFinite(value) || value < 0) throw new PageError('W04', `'temperature' is '${view.temperature.value}'`, 'give a number of 0 or more; 0 takes the likeliest token');
  return value;
}

/** Numbers between anything that is not one: `[1, 2, 3]`, `1 2 3`. */
function readIds(text: string): number[] {
  const words = text.split(/[\s,[\]]+/).filter((w) => w !== '');
  const wrong = words.find((w) => !/^\d+$/.test(w));
  if (wrong !== undefined) throw new PageError('W04', `'${wrong}' in the prompt is no token id`, 'write ids as whole numbers: 1 2 3');
  return words.map(Number);
}
