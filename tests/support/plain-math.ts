/** Arithmetic on plain arrays in f64, for implementations that tests compare with. */

export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
export const silu = (x: number): number => x * sigmoid(x);
export const softplus = (x: number): number => Math.log1p(Math.exp(x));

export function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, x, i) => sum + x * b[i], 0);
}

/** Row-major `matrix` [rows, x.length] times x. */
export function times(matrix: readonly number[], x: readonly number[]): number[] {
  return Array.from({ length: matrix.length / x.length }, (_, r) => dot(matrix.slice(r * x.length, (r + 1) * x.length), x));
}

export function add(a: readonly number[], b: readonly number[]): number[] {
  return a.map((x, i) => x + b[i]);
}

/** Element by element. */
export function product(a: readonly number[], b: readonly number[]): number[] {
  return a.map((x, i) => x * b[i]);
}

export function parts(x: readonly number[], sizes: readonly number[]): number[][] {
  let at = 0;
  return sizes.map((n) => x.slice(at, (at += n)));
}

/** x in `count` equal parts. */
export function chunks(x: readonly number[], count: number): number[][] {
  return parts(x, new Array<number>(count).fill(x.length / count));
}

export function zeros(rows: number, columns: number): number[][] {
  return Array.from({ length: rows }, () => new Array<number>(columns).fill(0));
}

export function unit(x: readonly number[], eps: number): number[] {
  const scale = 1 / Math.sqrt(dot(x, x) + eps);
  return x.map((v) => v * scale);
}

export function rms(x: readonly number[], weight: readonly number[], eps: number): number[] {
  const scale = 1 / Math.sqrt(dot(x, x) / x.length + eps);
  return x.map((v, i) => v * scale * weight[i]);
}

/** Depthwise causal convolution; weight [channels, taps], last tap the row itself. */
export function convolve(rows: readonly (readonly number[])[], weight: readonly number[], taps: number, bias?: readonly number[]): number[][] {
  return rows.map((row, t) => row.map((_, c) => {
    let sum = bias?.[c] ?? 0;
    for (let n = 0; n < taps; n++) sum += t - n < 0 ? 0 : weight[c * taps + taps - 1 - n] * rows[t - n][c];
    return sum;
  }));
}
