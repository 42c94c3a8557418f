/** Text to ids and back. */
import { InputError } from '../input-error.js';
import type { WordPieces } from './word-pieces.js';

export interface Tokenizer {
  /** What it was read from, for people: 'tokenizer.json', 'tiktoken.model', 'bytes'. */
  readonly name: string;
  /** Ids are below this. */
  readonly size: number;
  /** `specials`: whether text that spells a special token (`<|im_end|>`) is that token; text of strangers must not be. */
  encode(text: string, specials: boolean): number[];
  decoder(): TokenDecoder;
  /** The tokenizer as data for programs without JavaScript, or why it cannot be that; absent for bytes. */
  pieces?(): WordPieces | string;
}

/** Throws InputError R07 unless all ids of the tokenizer are among the `vocabulary` ids of the model. */
export function checkVocabulary(tokenizer: Tokenizer, vocabulary: number): void {
  if (tokenizer.size <= vocabulary) return;
  if (tokenizer.name === 'bytes') throw new InputError('R07', `a vocabulary of ${vocabulary} ids cannot hold the 256 bytes of text`, 'give token ids instead (--tokens IDS.json)');
  throw new InputError('R07', `${tokenizer.name} has ids up to ${tokenizer.size - 1}, the model has ${vocabulary}`, 'use the tokenizer that belongs to this model');
}

/** Turns ids into text as they come. A character appears when its last byte has come, never in parts. */
export interface TokenDecoder {
  push(id: number): string;
  /** What is left of an unfinished character, as U+FFFD. */
  end(): string;
}

/** For tokenizers whose ids are bytes: `bytes` of an id, or its text if it is a special token. */
export class ByteStream implements TokenDecoder {
  private readonly decoder = new TextDecoder('utf-8', { ignoreBOM: true });

  constructor(private readonly bytes: (id: number) => Uint8Array | string) {}

  push(id: number): string {
    const bytes = this.bytes(id);
    return typeof bytes === 'string' ? `${this.end()}${bytes}` : this.decoder.decode(bytes, { stream: true });
  }

  end(): string {
    return this.decoder.decode();
  }
}

/** Splits `text` at every one of `specials`: text between them, and their ids. */
export function splitSpecials(text: string, specials: ReadonlyMap<string, number>): (string | number)[] {
  if (specials.size === 0) return [text];
  // Longer ones first: one special token may begin with another.
  const escaped = [...specials.keys()].sort((a, b) => b.length - a.length).map((s) => s.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return text.split(new RegExp(`(${escaped.join('|')})`)).map((part, i) => (i % 2 === 1 ? specials.get(part)! : part)).filter((part) => part !== '');
}
