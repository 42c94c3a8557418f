/** Ids that are computed: n-grams and hashes, exact in 32 bits. */
import { describe, expect, it, vi } from 'vitest';
import { elaborateText } from '../support/elaborate-text.js';
import { usualDevices } from '../support/devices.js';
import { checkForm } from '../support/form-model.js';
import { add, apply, row } from '../support/plain.js';

vi.setConfig({ testTimeout: 300_000 });

const [vocab, hidden, rows] = [40, 24, 29];
const [m1, m2, big] = [131_071 * 78, 987_654_321, 1_048_573];

function spec(body: string, items = ''): string {
  return `use std.{embedding, linear}
${items}
model Hashed {
  dim vocab = ${vocab}
  dim hidden = ${hidden}
  x = embed = embedding(tokens, vocab, hidden)
  ${body}
  logits = head = linear(x, vocab)
}
`;
}

const ngram = `layer ngram(ids: [..] i32, rows: dim, d: dim, first: int, second: int, modulus: int) -> [.., d] {
  dim taps = 3
  state before : last 2 [] i32 = ids fill 0
  w = window(before, axis: taps)
  param table : [rows, d]
  h = (w[taps: 2] + mulmod(w[taps: 1], first, modulus: modulus) + mulmod(w[taps: 0], second, modulus: modulus)) mod rows
  return table[h]
}`;

describe('whole numbers', () => {
  it('a row by the hash of three tokens (LongCat)', async () => {
    const text = spec(`x += grams = ngram(tokens, rows: ${rows}, d: hidden, first: ${m1}, second: ${m2}, modulus: ${big})`, ngram);
    const product = (a: number, b: number): bigint => (BigInt(a) * BigInt(b)) % BigInt(big);
    for (const device of usualDevices) {
      await checkForm({
        text, vocab, plain: (tokens, w) => tokens.flatMap((token, t) => {
          const [one, two] = [tokens[t - 1] ?? 0, tokens[t - 2] ?? 0];
          const id = Number((BigInt(token) + product(one, m1) + product(two, m2)) % BigInt(rows));
          return apply(w('head.weight'), add(row(w('embed.table'), token, hidden), row(w('grams.table'), id, hidden)));
        }),
      }, device);
    }
  });

  it.each([
    ['a product that may wrap', 'h = tokens * 1000 mod 7', true],
    ['a remainder times what still fits', 'h = (tokens mod 1000) * 1000 mod 7', false],
    ['a sum beyond 32 bits', 'h = (tokens * 7 + tokens * 7) mod 7', true],
    ['positions in arithmetic', 'h = (position + 1) * 4 mod 7', false],
  ])('%s', (_, body, refused) => {
    expect(elaborateText(spec(body)).diagnostics.map((d) => d.code)).toEqual(refused ? ['E0544'] : []);
  });
});
