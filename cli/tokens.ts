/** Token ids in JSON: one array of ids, or an array of such arrays. */
import { readTextFile } from '../dsl/text-node.js';
import { CommandError } from './failure.js';

export function readPrompts(path: string): number[][] {
  return parsePrompts(path, readTextFile(path, 2 ** 28));
}

/** Throws CommandError C10. */
export function parsePrompts(path: string, text: string): number[][] {
  const bad = (why: string): CommandError => new CommandError('C10', `${path}: ${why}`, 'write an array of prompts, each an array of token ids: [[1, 2, 3], [4, 5]]');
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) throw bad(`is not JSON: ${error.message}`);
    throw error;
  }
  if (!Array.isArray(json) || json.length === 0) throw bad('is not an array with a prompt in it');
  const prompts: unknown[] = json.every((x) => typeof x === 'number') ? [json] : json;
  prompts.forEach((prompt, i) => {
    if (!Array.isArray(prompt) || prompt.length === 0) throw bad(`prompt ${i} is not an array of one id or more`);
    const wrong: unknown = prompt.find((id: unknown) => !Number.isSafeInteger(id) || (id as number) < 0);
    if (wrong !== undefined) throw bad(`prompt ${i} holds ${typeof wrong === 'object' && wrong !== null ? 'an array or object' : JSON.stringify(wrong).slice(0, 40)}, which is no token id`);
  });
  return prompts as number[][];
}
