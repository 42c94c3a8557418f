/** Byte-level vocabularies of `tokenizer.json`: every byte is spelt as a printable character. */
import type { Tokenizer as Library } from '@huggingface/tokenizers';
import { PatternError, readPattern } from './split-pattern.js';
import type { WordPieces } from './word-pieces.js';

interface Part {
  readonly type?: string;
  readonly decoders?: readonly Part[];
  readonly pretokenizers?: readonly Part[];
  readonly add_prefix_space?: boolean;
  readonly use_regex?: boolean;
  readonly pattern?: { readonly Regex?: string };
  readonly behavior?: string;
  readonly invert?: boolean;
}
interface Added { readonly id: number; readonly content: string; readonly special: boolean; readonly lstrip?: boolean; readonly rstrip?: boolean; readonly single_word?: boolean }
interface Model {
  readonly type?: string;
  readonly vocab?: Readonly<Record<string, number>>;
  readonly merges?: readonly (string | readonly [string, string])[];
  readonly byte_fallback?: boolean;
  readonly ignore_merges?: boolean;
  readonly dropout?: number | null;
  readonly continuing_subword_prefix?: string | null;
  readonly end_of_word_suffix?: string | null;
}
export interface Definition {
  readonly model?: Model;
  readonly normalizer?: Part | null;
  readonly pre_tokenizer?: Part | null;
  readonly decoder?: Part | null;
  readonly added_tokens?: readonly Added[];
}

/** What ByteLevel splits by if nothing else does. */
const usualPattern = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

export function isByteLevel(decoder: Part | null | undefined): boolean {
  return decoder?.type === 'ByteLevel' || (decoder?.type === 'Sequence' && decoder.decoders?.length === 1 && isByteLevel(decoder.decoders[0]));
}

let byteOf: ReadonlyMap<string, number> | undefined;

/** Bytes of a token: printable Latin-1 characters are themselves, U+0100 and on the other bytes in order. */
export function byteLevel(token: string | undefined): Uint8Array | undefined {
  byteOf ??= byteCharacters();
  if (token === undefined) return undefined;
  const bytes = Array.from(token, (c) => byteOf!.get(c));
  return bytes.includes(undefined) ? undefined : Uint8Array.from(bytes as number[]);
}

function byteCharacters(): ReadonlyMap<string, number> {
  const printable = (b: number): boolean => (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
  let next = 0x100;
  return new Map(Array.from({ length: 256 }, (_, b) => [String.fromCharCode(printable(b) ? b : next++), b]));
}

/** The tokenizer as data, or what in it is not known how to say so. */
export function piecesOf(definition: Definition, library: Library): WordPieces | string {
  const { model = {}, added_tokens: added = [], normalizer } = definition;
  if (model.type !== 'BPE' || !isByteLevel(definition.decoder)) return 'it is no byte-level BPE';
  if (model.byte_fallback || model.dropout || model.continuing_subword_prefix || model.end_of_word_suffix) return 'its BPE has options that are not known';
  if (normalizer) return `it normalises text (${normalizer.type})`;
  if (added.some((t) => t.lstrip || t.rstrip || t.single_word)) return 'its special tokens take in the space around them';
  const source = patternOf(definition.pre_tokenizer);
  if (source === undefined) return 'its way of splitting text is not known';
  try {
    return { ...vocabularyOf(model, added), ...framing(library), specials: added.map(({ content, id, special }) => ({ text: content, id, special })), pattern: readPattern(source), whole: model.ignore_merges ?? false };
  } catch (error) {
    if (error instanceof PatternError) return `its splitting pattern has ${error.message}`;
    throw error;
  }
}

/** The one pattern that splits text, if that is all that is done before the merges. */
function patternOf(part: Part | null | undefined): string | undefined {
  if (part?.type === 'ByteLevel' && !part.add_prefix_space) return part.use_regex === false ? '\\p{Any}+' : usualPattern;
  const [split, bytes, ...rest] = part?.type === 'Sequence' ? part.pretokenizers ?? [] : [];
  const plain = bytes?.type === 'ByteLevel' && !bytes.add_prefix_space && bytes.use_regex === false && rest.length === 0;
  return plain && split.type === 'Split' && split.behavior === 'Isolated' && !split.invert ? split.pattern?.Regex : undefined;
}

function vocabularyOf(model: Model, added: readonly Added[]): Pick<WordPieces, 'tokens' | 'merges'> {
  const vocabulary = model.vocab ?? {};
  const names = new Set(added.map((t) => t.id));
  const size = Math.max(...Object.values(vocabulary), ...names) + 1;
  const tokens = new Array<Uint8Array>(size).fill(new Uint8Array());
  for (const [token, id] of Object.entries(vocabulary)) if (!names.has(id)) tokens[id] = byteLevel(token) ?? new Uint8Array();
  const merges = (model.merges ?? []).map((m): readonly [number, number, number] => {
    const [left, right] = typeof m === 'string' ? m.split(' ') : m;
    return [vocabulary[left], vocabulary[right], vocabulary[left + right]];
  });
  return { tokens, merges };
}

/** What the post-processor puts around a text. */
function framing(library: Library): Pick<WordPieces, 'prefix' | 'suffix'> {
  const [bare, framed] = [false, true].map((add) => [...library.encode('a', { add_special_tokens: add }).ids]);
  const at = framed.findIndex((_, i) => bare.every((id, j) => framed[i + j] === id));
  return { prefix: framed.slice(0, Math.max(0, at)), suffix: framed.slice(at + bare.length) };
}
