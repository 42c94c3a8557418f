/**
 * Counter-based random numbers, Philox4x32-10 (Salmon et al. 2011): number i of a stream depends on seed, stream and i
 * only, so blocks can be filled in any order, on any device, with one result.
 */
const M0 = 0xd2511f53, M1 = 0xcd9e8d57, W0 = 0x9e3779b9, W1 = 0xbb67ae85;

/** High 32 bits of the product of two u32. */
function multiplyHigh(a: number, b: number): number {
  const al = a & 0xffff, ah = a >>> 16, bl = b & 0xffff, bh = b >>> 16;
  const low = al * bl;
  const mid = ah * bl + (low >>> 16);
  const cross = al * bh + (mid & 0xffff);
  return (ah * bh + Math.floor(mid / 65536) + Math.floor(cross / 65536)) >>> 0;
}

/** Four u32 for a 128-bit counter (only its low 64 bits are used) and a 64-bit key, into `out`. */
export function philox(out: Uint32Array, counterLow: number, counterHigh: number, keyLow: number, keyHigh: number): void {
  let c0 = counterLow >>> 0, c1 = counterHigh >>> 0, c2 = 0, c3 = 0, k0 = keyLow >>> 0, k1 = keyHigh >>> 0;
  for (let round = 0; round < 10; round++) {
    const h0 = multiplyHigh(M0, c0), l0 = Math.imul(M0, c0) >>> 0;
    const h1 = multiplyHigh(M1, c2), l1 = Math.imul(M1, c2) >>> 0;
    c0 = (h1 ^ c1 ^ k0) >>> 0;
    c1 = l1;
    c2 = (h0 ^ c3 ^ k1) >>> 0;
    c3 = l0;
    k0 = (k0 + W0) >>> 0;
    k1 = (k1 + W1) >>> 0;
  }
  out[0] = c0; out[1] = c1; out[2] = c2; out[3] = c3;
}

/** FNV-1a of a stream's name. */
export function streamKey(name: string): number {
  let h = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) h = Math.imul(h ^ byte, 0x01000193) >>> 0;
  return h;
}

export interface Stream { readonly seed: number; readonly key: number }

/** Uniform numbers in (0, 1), numbers `start` .. of the stream. */
export function fillUniform(stream: Stream, start: number, out: Float32Array, at = 0, count = out.length): void {
  const four = new Uint32Array(4);
  let have = -1;
  for (let i = 0; i < count; i++) {
    const n = start + i;
    const quad = Math.floor(n / 4);
    if (quad !== have) philox(four, quad, Math.floor(quad / 2 ** 32), stream.seed, stream.key);
    have = quad;
    // 24 bits, in the middle of their interval: exact in f32 and never 0 or 1.
    out[at + i] = ((four[n % 4] >>> 8) + 0.5) / 2 ** 24;
  }
}

/** Standard normal numbers by Box and Muller: pair p of the stream comes from words 2p and 2p + 1. */
export function fillNormal(stream: Stream, start: number, out: Float32Array, at = 0, count = out.length): void {
  const four = new Uint32Array(4);
  let have = -1;
  for (let i = 0; i < count;) {
    const n = start + i;
    const quad = Math.floor(n / 4);
    if (quad !== have) philox(four, quad, Math.floor(quad / 2 ** 32), stream.seed, stream.key);
    have = quad;
    const pair = n & 2;
    const radius = Math.sqrt(-2 * Math.log((four[pair] + 1) / 2 ** 32));
    const angle = (2 * Math.PI * four[pair + 1]) / 2 ** 32;
    if ((n & 1) === 0) {
      out[at + i++] = radius * Math.cos(angle);
      if (i < count) out[at + i++] = radius * Math.sin(angle);
    } else out[at + i++] = radius * Math.sin(angle);
  }
}
