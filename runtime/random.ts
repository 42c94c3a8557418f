/**
 * Counter-based random numbers, Philox4x32-10 (Salmon et al. 2011): number i of a stream depends on seed, stream and i
 * only, so blocks can be filled in any order, on any device, with one result.
 */
const M0 = 0xd2511f53, M1 = 0xcd9e8d57, W0 = 0x9e3779b9, W1 = 0xbb67ae85;

/** High 32 bits of the product of two u32, in integer arithmetic throughout. */
function multiplyHigh(a: number, b: number): number {
  const al = a & 0xffff, ah = a >>> 16, bl = b & 0xffff, bh = b >>> 16;
  const mid = (Math.imul(ah, bl) + (Math.imul(al, bl) >>> 16)) >>> 0;
  const cross = (Math.imul(al, bh) + (mid & 0xffff)) >>> 0;
  return (Math.imul(ah, bh) + (mid >>> 16) + (cross >>> 16)) | 0;
}

export interface Stream { readonly seed: number; readonly key: number }

/** Words 4 * `quad` .. of the stream (32 random bits each); `out` holds whole fours. */
export function fillWords(stream: Stream, quad: number, out: Uint32Array): void {
  for (let at = 0; at < out.length; at += 4, quad++) {
    let c0 = quad | 0, c1 = Math.floor(quad / 2 ** 32) | 0, c2 = 0, c3 = 0, k0 = stream.seed | 0, k1 = stream.key | 0;
    for (let round = 0; round < 10; round++) {
      const h0 = multiplyHigh(M0, c0), l0 = Math.imul(M0, c0);
      const h1 = multiplyHigh(M1, c2), l1 = Math.imul(M1, c2);
      c0 = h1 ^ c1 ^ k0;
      c1 = l1;
      c2 = h0 ^ c3 ^ k1;
      c3 = l0;
      k0 = (k0 + W0) | 0;
      k1 = (k1 + W1) | 0;
    }
    out[at] = c0; out[at + 1] = c1; out[at + 2] = c2; out[at + 3] = c3;
  }
}

/** FNV-1a of a stream's name. */
export function streamKey(name: string): number {
  let h = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) h = Math.imul(h ^ byte, 0x01000193) >>> 0;
  return h;
}

const batch = new Uint32Array(4096);

/** Calls `take` with stretches of words that cover numbers `start` .. of a stream with `perWord` numbers in each word. */
function eachBatch(stream: Stream, start: number, count: number, perWord: number, take: (skip: number, at: number, count: number) => void): void {
  for (let done = 0; done < count;) {
    const first = Math.floor((start + done) / (4 * perWord));
    const skip = start + done - first * 4 * perWord;
    const now = Math.min(count - done, batch.length * perWord - skip);
    fillWords(stream, first, batch.subarray(0, Math.ceil((skip + now) / (4 * perWord)) * 4));
    take(skip, done, now);
    done += now;
  }
}

/** Where numbers go: `out[at ..]`, `count` of them, the first being number `start` of the stream. */
export interface Stretch { readonly start: number; readonly out: Float32Array; readonly at: number; readonly count: number }

/** Uniform numbers in (low, high): 24 bits, in the middle of their interval, so never an end. */
export function fillUniform(stream: Stream, { start, out, at, count }: Stretch, low: number, high: number): void {
  const step = (high - low) / 2 ** 24;
  eachBatch(stream, start, count, 1, (skip, done, now) => {
    for (let i = 0; i < now; i++) out[at + done + i] = low + ((batch[skip + i] >>> 8) + 0.5) * step;
  });
}

/**
 * Normal numbers around 0: one of 65536 equally likely quantiles, two per word. An initial weight needs no finer grain,
 * and a look-up is ten times faster than a logarithm and a cosine.
 */
export function fillNormal(stream: Stream, { start, out, at, count }: Stretch, deviation: number): void {
  const table = (normalTable ??= normalQuantiles());
  const halves = new Uint16Array(batch.buffer);
  eachBatch(stream, start, count, 2, (skip, done, now) => {
    for (let i = 0; i < now; i++) out[at + done + i] = table[halves[skip + i]] * deviation;
  });
}

let normalTable: Float32Array | undefined;

/** Quantiles at (i + 0.5) / 65536, by Newton's method on the distribution function, outwards from the median. */
function normalQuantiles(): Float32Array {
  const levels = 65536;
  const out = new Float32Array(levels);
  let x = 0;
  let area = 0;
  for (let i = levels / 2; i < levels; i++) {
    const target = (i + 0.5) / levels - 0.5;
    // The step to the next quantile is short: Simpson's rule integrates the density over it to full precision.
    let step = (target - area) / density(x);
    for (let pass = 0; pass < 4; pass++) step -= (integral(x, step) - (target - area)) / density(x + step);
    area += integral(x, step);
    x += step;
    out[i] = x;
    out[levels - 1 - i] = -x;
  }
  return out;
}

function density(x: number): number {
  return Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
}

function integral(from: number, step: number): number {
  return (step / 6) * (density(from) + 4 * density(from + step / 2) + density(from + step));
}
