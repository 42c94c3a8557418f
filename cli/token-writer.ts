/** Tokens on standard output as they come: as text where there is a tokenizer, else as ids. */
import type { Tokenizer } from '../runtime/tokenizer/tokenizer.js';

export interface TokenWriter {
  token(id: number, prompt?: number): void;
  end(): void;
}

/** One text, in one piece. */
export function textWriter(tokenizer: Tokenizer | undefined, write: (text: string) => void): TokenWriter {
  const decoder = tokenizer?.decoder();
  return {
    token: (id) => write(decoder === undefined ? `${id} ` : decoder.push(id)),
    end: () => write(`${decoder?.end() ?? ''}\n`),
  };
}

/** Several texts at once: a line per token, `INDEX<tab>TEXT`, where line breaks, tabs and backslashes of the text are escaped. */
export function lineWriter(prompts: number, tokenizer: Tokenizer | undefined, write: (text: string) => void): TokenWriter {
  const decoders = Array.from({ length: prompts }, () => tokenizer?.decoder());
  const line = (prompt: number, text: string): void => { if (text !== '') write(`${prompt}\t${escape(text)}\n`); };
  return {
    token: (id, prompt = 0) => line(prompt, decoders[prompt]?.push(id) ?? `${id}`),
    end: () => decoders.forEach((decoder, prompt) => line(prompt, decoder?.end() ?? '')),
  };
}

const escapes: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\\': '\\\\' };

function escape(text: string): string {
  return text.replace(/[\n\r\t\\]/g, (c) => escapes[c]);
}
