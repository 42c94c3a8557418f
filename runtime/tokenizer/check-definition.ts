/** What must hold of a `tokenizer.json` before the library is given it: it trusts ids and fills a list as long as the largest. */
import type { Definition } from './byte-level.js';

/** Four times the largest published vocabulary; a list of this many entries is 8 MiB. */
const mostIds = 2 ** 20;

/** What is wrong with the vocabulary or the added tokens; undefined if nothing is. */
export function definitionFault(json: object): string | undefined {
  const { model, added_tokens: added } = json as { model?: unknown; added_tokens?: unknown };
  if (!isObject(model)) return 'has no "model"';
  return vocabularyFault(model) ?? mergesFault(model.merges) ?? addedFault(added);
}

/** One more than the largest id. */
export function sizeOf({ model, added_tokens: added = [] }: Definition): number {
  const vocab: unknown = model?.vocab ?? {};
  const listed = Array.isArray(vocab) ? vocab.length - 1 : -1;
  let largest = Math.max(-1, listed);
  if (!Array.isArray(vocab)) for (const id of Object.values(vocab as Readonly<Record<string, number>>)) largest = Math.max(largest, id);
  for (const { id } of added) largest = Math.max(largest, id);
  return largest + 1;
}

/** Of a kind that the library does not know, the library says so. */
const kinds: readonly unknown[] = ['BPE', 'WordPiece', 'Unigram', undefined];

function vocabularyFault({ type, vocab }: Readonly<Record<string, unknown>>): string | undefined {
  if (vocab === undefined && !kinds.includes(type)) return undefined;
  if (Array.isArray(vocab)) {
    const wrong = vocab.findIndex((entry) => !Array.isArray(entry) || typeof entry[0] !== 'string' || typeof entry[1] !== 'number');
    if (wrong >= 0) return `has no token with a score at ${wrong} of its vocabulary`;
    return vocab.length > mostIds ? `has ${vocab.length} tokens, more than ${mostIds}` : undefined;
  }
  if (!isObject(vocab)) return 'has no vocabulary ("model.vocab")';
  for (const [token, id] of Object.entries(vocab)) if (!isId(id)) return `has ${idText(id)} for the token '${token.slice(0, 40)}'`;
  return undefined;
}

function mergesFault(merges: unknown): string | undefined {
  if (merges === undefined) return undefined;
  if (!Array.isArray(merges)) return 'has merges that are no list';
  // The first one says which of the two ways of writing the file uses.
  const pairs = Array.isArray(merges[0]);
  const wrong = merges.findIndex((m) => (pairs ? !Array.isArray(m) || m.length !== 2 || m.some((part) => typeof part !== 'string') : typeof m !== 'string' || !m.includes(' ')));
  return wrong < 0 ? undefined : `has no pair of tokens at ${wrong} of its merges`;
}

function addedFault(added: unknown): string | undefined {
  if (added === undefined) return undefined;
  if (!Array.isArray(added)) return 'has added tokens that are no list';
  for (const [i, token] of added.entries()) {
    if (!isObject(token) || typeof token.content !== 'string' || token.content === '') return `has an added token without text (number ${i})`;
    if (!isId(token.id)) return `has ${idText(token.id)} for the added token '${token.content.slice(0, 40)}'`;
  }
  return undefined;
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
const isId = (value: unknown): value is number => Number.isInteger(value) && (value as number) >= 0 && (value as number) < mostIds;
const idText = (value: unknown): string => (value === undefined ? 'no id' : `the id ${JSON.stringify(value).slice(0, 40)}, which is no whole number below ${mostIds},`);
