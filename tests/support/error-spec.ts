/** A small model around a piece of a spec that is wrong. */
import { elaborateText, type ElaboratedText } from './elaborate-text.js';
import type { ElaborateOptions } from '../../compiler/check/elaborate.js';

/** `body` stands between the embedding and the head, `items` before the model. `x` is over [tokens, hidden]. */
export function modelWith(body: string, items = '', end = 'logits = head = linear(x, vocab)'): string {
  return `use std.{embedding, linear, rms}
${items}
model M {
  dim vocab = 16
  dim hidden = 8
  x = embed = embedding(tokens, vocab, hidden)
  ${body}
  ${end}
}
`;
}

export function errorsOf(text: string, options: ElaborateOptions = {}): ElaboratedText {
  return elaborateText(text, options);
}

/** The codes that a piece of a spec gives, in order. */
export function codesOf(body: string, items = '', end?: string): readonly string[] {
  return errorsOf(modelWith(body, items, end)).diagnostics.map((d) => d.code);
}
