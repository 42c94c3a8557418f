/** Random numbers that are the same in every run. */

/** mulberry32 (T. Ettinger): numbers in [0, 1). */
export function uniform(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Numbers in [-1, 1) that belong to a text, such as the path of a parameter. */
export function centred(text: string): () => number {
  const next = uniform([...text].reduce((h, c) => Math.imul(h, 31) + c.charCodeAt(0), 7));
  return () => 2 * next() - 1;
}
