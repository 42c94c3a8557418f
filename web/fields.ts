/** What a person typed, as values. @throws PageError W04 naming the field. */
import { checkVocabulary, type Tokenizer } from '../runtime/tokenizer/tokenizer.js';
import { PageError } from './failure.js';
import { view } from './view.js';

export interface Request { readonly prompt: readonly number[]; readonly asIds: boolean; readonly maxTokens: number; readonly temperature: number; readonly topK: number; readonly topP: number; readonly seed: number }

export function readRequest(tokenizer: Tokenizer, vocabulary: number): Request {
  const asIds = view.asIds.checked;
  if (!asIds) checkVocabulary(tokenizer, vocabulary);
  return {
    asIds, prompt: asIds ? readIds(view.prompt.value) : tokenizer.encode(view.prompt.value, true),
    maxTokens: readWhole(view.maxTokens, 'at most ... tokens', 1), seed: readSeed(view.seed, 'seed'),
    temperature: readNumber(view.temperature, 'temperature', (x) => x >= 0, 'give a number of 0 or more; 0 takes the likeliest token'),
    topK: readWhole(view.topK, 'top k', 0), topP: readNumber(view.topP, 'top p', (x) => x > 0 && x <= 1, 'give a number above 0, at most 1; 1 leaves no token out'),
  };
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

function readNumber(field: HTMLInputElement, name: string, allowed: (value: number) => boolean, fix: string): number {
  const value = Number(field.value);
  if (field.value.trim() === '' || !Number.isFinite(value) || !allowed(value)) throw new PageError('W04', `'${name}' is '${field.value}'`, fix);
  return value;
}

/** Numbers between anything that is not one: `[1, 2, 3]`, `1 2 3`. */
function readIds(text: string): number[] {
  const words = text.split(/[\s,[\]]+/).filter((w) => w !== '');
  const wrong = words.find((w) => !/^\d+$/.test(w));
  if (wrong !== undefined) throw new PageError('W04', `'${wrong}' in the prompt is no token id`, 'write ids as whole numbers: 1 2 3');
  return words.map(Number);
}
