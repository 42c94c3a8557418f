/**
 * Text as its UTF-8 bytes: id = byte. For models without a tokenizer of their own; ids from 256 on have no text.
 */
import { ByteStream, type Tokenizer } from './tokenizer.js';

export function byteTokenizer(): Tokenizer {
  const encoder = new TextEncoder();
  return {
    name: 'bytes', size: 256,
    encode: (text) => [...encoder.encode(text)],
    decoder: () => new ByteStream((id) => (id < 256 ? Uint8Array.of(id) : `<${id}>`)),
  };
}
