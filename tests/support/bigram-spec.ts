/** The smallest model there is: the next token from the last one alone, by an embedding and a head, stored under these names. */
export function bigramSpec(model: string, vocab: number): string {
  return `use std.{embedding, linear}
model ${model} {
  dim vocab = ${vocab}
  dim hidden = 8
  x = embed = embedding(tokens, vocab, hidden)
  logits = head = linear(x, vocab)
  weights {
    "embedding" -> embed.table
    "head" -> head.weight
  }
}
`;
}
