/** What the language does not have, by the word that somebody would write for it, and what to write instead. */
const refused: Readonly<Record<string, string>> = {
  source: 'a model takes token ids only: images and audio have no place in a plan; import the text model and `ignore` the weights of a tower',
  loss: 'a spec has no losses: training adds that of the next token; `export name = value` gives others what they read',
  adapt: 'there are no adapters: write a low-rank addition as a layer, with `own` parameters where the instance is shared',
  collect: 'a history over depth is a list: `past = []` before the repeat, `past = push(past, x)` in it, `stack(past, axis: depth)` to read it',
  updated: 'no rule changes a single parameter: declare it `frozen`, and `export` what the rule would read',
  reuse: 'weights that several iterations use belong to `shared blocks[n] = layer(..)`, called as `blocks[i](x)`',
  optional: 'a head is built only if it is asked for; nothing marks it',
};

/** Looked up where a statement cannot start, or cannot go on. */
export function refusalOf(word: string): string | undefined {
  return Object.hasOwn(refused, word) ? refused[word] : undefined;
}
