/**
 * Text as its UTF-8 bytes: id = byte. For models without a tokenizer of their own, with 256 or more ids; ids from 256 on
 * have no text.
 */
import { InputError } from './input-error.js';

export function encodeBytes(text: string, vocabulary: number): number[] {
  if (vocabulary < 256) throw new InputError('R07', `a vocabulary of ${vocabulary} ids cannot hold the 256 bytes of text`, 'give token ids instead (--tokens IDS.json)');
  return [...new TextEncoder().encode(text)];
}

/** Turns ids into text as they come; a character appears when its last byte has come. */
export class ByteDecoder {
  private readonly decoder = new TextDecoder('utf-8');

  push(id: number): string {
    if (id < 256) return this.decoder.decode(Uint8Array.of(id), { stream: true });
    return `${this.end()}<${id}>`;
  }

  /** What is left of an unfinished character. */
  end(): string {
    return this.decoder.decode();
  }
}
