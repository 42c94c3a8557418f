/** Plain f64 arithmetic on lists, for implementations that tests compare with. Matrices are row-major. */
export type Vector = readonly number[];

export const silu = (x: number): number => x / (1 + Math.exp(-x));
export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
export const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

export const add = (...vectors: readonly Vector[]): number[] => vectors[0].map((_, i) => vectors.reduce((n, v) => n + v[i], 0));
export const times = (a: Vector, by: number | Vector): number[] => a.map((x, i) => x * (typeof by === 'number' ? by : by[i]));
export const dot = (a: Vector, b: Vector): number => a.reduce((n, x, i) => n + x * b[i], 0);

/** Row `i` of a matrix with rows of `width`. */
export const row = (m: Vector, i: number, width: number): Vector => m.slice(i * width, (i + 1) * width);

/** m [rows, x.length] times x. */
export function apply(m: Vector, x: Vector): number[] {
  return Array.from({ length: m.length / x.length }, (_, r) => dot(row(m, r, x.length), x));
}

export function rms(x: Vector, gain: Vector | undefined, eps: number): number[] {
  const scale = 1 / Math.sqrt(dot(x, x) / x.length + eps);
  return x.map((v, i) => v * scale * (gain?.[i] ?? 1));
}

export function softmax(x: Vector): number[] {
  const most = Math.max(...x);
  const e = x.map((v) => Math.exp(v - most));
  const sum = e.reduce((a, b) => a + b, 0);
  return e.map((v) => v / sum);
}

/** Ids of the k largest, the lower id first among equals. */
export function top(x: Vector, k: number): number[] {
  return x.map((_, i) => i).sort((i, j) => x[j] - x[i] || i - j).slice(0, k);
}

export const swiglu = (gate: Vector, up: Vector, down: Vector, x: Vector): number[] => {
  const u = apply(up, x);
  return apply(down, apply(gate, x).map((g, i) => silu(g) * u[i]));
};

/** Causal attention of one head: queries, keys [tokens][size], values [tokens][..]; `score` changes the scaled product. */
export function attend(q: readonly Vector[], k: readonly Vector[], v: readonly Vector[], scale: number, o: { readonly window?: number; readonly sink?: number; readonly from?: number } = {}): number[][] {
  return q.map((query, t) => {
    const seen = k.map((_, s) => s).filter((s) => s <= t && s >= (o.from ?? 0) && t - s < (o.window ?? Infinity));
    if (seen.length === 0) return v[0].map(() => 0);
    const scores = [...seen.map((s) => dot(query, k[s]) * scale), ...(o.sink === undefined ? [] : [o.sink])];
    const weights = softmax(scores);
    return v[0].map((_, i) => seen.reduce((n, s, at) => n + weights[at] * v[s][i], 0));
  });
}

/** Rotary embedding of a vector: pairs of neighbours, or of halves. */
export function rotate(x: Vector, position: number, freq: Vector, pairs: 'interleaved' | 'half', scale = 1): number[] {
  const out = [...x];
  const half = x.length / 2;
  freq.forEach((f, p) => {
    const [i, j] = pairs === 'interleaved' ? [2 * p, 2 * p + 1] : [p, p + half];
    const [c, s] = [scale * Math.cos(position * f), scale * Math.sin(position * f)];
    out[i] = x[i] * c - x[j] * s;
    out[j] = x[j] * c + x[i] * s;
  });
  return out;
}

export const frequencies = (base: number, dims: number): number[] => Array.from({ length: dims / 2 }, (_, i) => base ** (-2 * i / dims));
