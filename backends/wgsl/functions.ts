/**
 * WGSL text of the scalar functions. WGSL promises little for exp, log, tanh, sin and cos (some drivers are off by 1e-3
 * near zeros), so they are computed here: range reduction and polynomials fitted for the least relative error, within
 * 2e-7 of the true value where that is not zero. Nothing relies on infinities or NaN, which WGSL may assume absent: results
 * that would be infinite are the largest finite number.
 */
import type { DType } from '../../compiler/ir/dtype.js';
import type { ScalarFunction } from '../../compiler/ir/expr.js';

/** The WGSL type a value of `dtype` has outside of storage: 16-bit floats are held widened. */
export function wgslType(dtype: DType): 'f32' | 'i32' | 'u32' | 'bool' {
  return dtype === 'bf16' || dtype === 'f16' ? 'f32' : dtype;
}

const largest = 3.4028234663852886e38;

export function literal(value: number, dtype: DType): string {
  switch (wgslType(dtype)) {
    case 'bool': return value !== 0 ? 'true' : 'false';
    case 'i32': return `i32(${Math.trunc(value)})`;
    case 'u32': return `${Math.trunc(value) >>> 0}u`;
    case 'f32': {
      const finite = Number.isNaN(value) ? 0 : Math.max(-largest, Math.min(largest, Math.fround(value)));
      const text = String(finite);
      return /[.e]/.test(text) ? `${text}f` : `${text}.0f`;
    }
  }
}

/** Helper functions by name, each with the helpers that it calls. */
const library: Readonly<Record<string, { readonly calls?: readonly string[]; readonly text: string }>> = {
  floor_divide: { text: 'fn floor_divide(a: i32, b: i32) -> i32 { let q = a / b; return select(q, q - 1, (a % b != 0) && ((a < 0) != (b < 0))); }' },
  floor_mod: { text: 'fn floor_mod(a: i32, b: i32) -> i32 { let r = a % b; return select(r, r + b, (r != 0) && ((r < 0) != (b < 0))); }' },
  exponential: { text: `fn exponential(x: f32) -> f32 {
  let v = clamp(x, -87.3f, 88.72283f);
  let n = round(v * 1.44269504f);
  let r = (v - n * 0.693359375f) + n * 2.1219444005e-4f;
  let p = (((0.00139015296f * r + 0.00836373959f) * r + 0.0416668616f) * r + 0.166665733f) * r + 0.5f;
  let half_n = i32(n) >> 1u;
  let y = ((p * r * r + r) + 1.0f) * bitcast<f32>((half_n + 127) << 23u) * bitcast<f32>((i32(n) - half_n + 127) << 23u);
  return select(y, 0.0f, x < -87.3f);
}` },
  /** log(1 + f) for f between sqrt(1/2) - 1 and sqrt(2) - 1. */
  log_near_one: { text: `fn log_near_one(f: f32) -> f32 {
  var p = 0.0704717785f * f - 0.115296535f;
  p = (p * f + 0.116805129f) * f - 0.124184176f;
  p = (p * f + 0.142488256f) * f - 0.166681111f;
  p = (p * f + 0.20000729f) * f - 0.24999994f;
  p = p * f + 0.333333313f;
  return (f * f * f * p - 0.5f * f * f) + f;
}` },
  logarithm: { calls: ['log_near_one'], text: `fn logarithm(x: f32) -> f32 {
  let tiny = x < 1.17549435e-38f;
  let bits = bitcast<i32>(select(x, x * 8388608.0f, tiny)) - 0x3f3504f3;
  let e = f32((bits >> 23u) - select(0, 23, tiny));
  let f = bitcast<f32>((bits & 0x7fffff) + 0x3f3504f3) - 1.0f;
  let y = (log_near_one(f) - e * 2.1219444005e-4f) + e * 0.693359375f;
  return select(y, -3.4028234e38f, x <= 0.0f);
}` },
  hyperbolic_tangent: { calls: ['exponential'], text: `fn hyperbolic_tangent(x: f32) -> f32 {
  let a = abs(x);
  let z = x * x;
  let p = (((-0.00609688601f * z + 0.0209973101f) * z - 0.0538509376f) * z + 0.133327693f) * z - 0.333333284f;
  let large = sign(x) * (1.0f - 2.0f / (exponential(2.0f * min(a, 20.0f)) + 1.0f));
  return select(large, x * z * p + x, a < 0.625f);
}` },
  logistic: { calls: ['exponential'], text: 'fn logistic(x: f32) -> f32 { return 1.0f / (1.0f + exponential(-x)); }' },
  /** Not by log(1 + y) * y / ((1 + y) - 1), which compilers may reassociate. */
  softplus: { calls: ['exponential', 'logarithm', 'log_near_one'], text: `fn softplus(x: f32) -> f32 {
  let y = exponential(-abs(x));
  return max(x, 0.0f) + select(logarithm(1.0f + y), log_near_one(min(y, 0.4f)), y < 0.4f);
}` },
  error_function: { calls: ['exponential'], text: `fn error_function(x: f32) -> f32 {
  let a = min(abs(x), 4.0f);
  let z = a * a;
  var p = (-9.64151059e-6f * z + 1.12569454e-4f) * z - 8.48282827e-4f;
  p = ((p * z + 0.00522094546f) * z - 0.0268654004f) * z + 0.112837821f;
  p = (p * z - 0.376126379f) * z + 1.12837923f;
  var q = ((-4.74474788e-8f * a - 6.03196611e-7f) * a + 3.62742758e-5f) * a - 5.44106937e-4f;
  q = ((q * a + 0.00458173128f) * a - 0.0260314308f) * a + 0.109526262f;
  q = ((q * a + 0.63231802f) * a + 1.12998569f) * a - 2.66271207e-4f;
  return sign(x) * select(1.0f - exponential(-q), a * p, a < 1.0f);
}` },
  /** `quarter` 0 is the sine, 1 the cosine. pi / 2 is subtracted in three parts, exact up to about 4000 turns. */
  sine: { text: `fn sine(x: f32, quarter: i32) -> f32 {
  let n = round(x * 0.636619772f);
  let r = ((x - n * 1.5703125f) - n * 4.8351287841796875e-4f) - n * 3.13916478589249e-7f;
  let z = r * r;
  let s = ((2.72370198e-6f * z - 1.98399837e-4f) * z + 0.00833333191f) * z - 0.166666672f;
  let c = ((-2.72903606e-7f * z + 2.48005163e-5f) * z - 0.00138888881f) * z + 0.0416666679f;
  let quadrant = (i32(n) + quarter) & 3;
  let y = select(s * z * r + r, (c * z - 0.5f) * z + 1.0f, (quadrant & 1) == 1);
  return select(y, -y, quadrant >= 2);
}` },
  power: { calls: ['exponential', 'logarithm'], text: `fn power(x: f32, y: f32) -> f32 {
  let magnitude = exponential(y * logarithm(abs(x)));
  let odd = floor(y) == y && (y * 0.5f) != floor(y * 0.5f);
  return select(select(select(magnitude, -magnitude, x < 0.0f && odd), 0.0f, x == 0.0f), 1.0f, y == 0.0f);
}` },
  multiply_high: { text: `fn multiply_high(a: u32, b: u32) -> u32 {
  let al = a & 0xffffu; let ah = a >> 16u; let bl = b & 0xffffu; let bh = b >> 16u;
  let middle = ah * bl + ((al * bl) >> 16u);
  let low = al * bh + (middle & 0xffffu);
  return ah * bh + (middle >> 16u) + (low >> 16u);
}` },
  /** First word of Philox-4x32-10 with key (seed, 0) and counter (counter, 0, 0, 0). */
  philox: { calls: ['multiply_high'], text: `fn philox(seed: u32, counter: u32) -> u32 {
  var c = vec4<u32>(counter, 0u, 0u, 0u);
  var k = vec2<u32>(seed, 0u);
  for (var i = 0; i < 10; i++) {
    c = vec4<u32>(multiply_high(0xCD9E8D57u, c.z) ^ c.y ^ k.x, c.z * 0xCD9E8D57u, multiply_high(0xD2511F53u, c.x) ^ c.w ^ k.y, c.x * 0xD2511F53u);
    k += vec2<u32>(0x9E3779B9u, 0xBB67AE85u);
  }
  return c.x;
}` },
  round_bf16: { text: 'fn round_bf16(x: f32) -> f32 { let b = bitcast<u32>(x); return bitcast<f32>((b + 0x7fffu + ((b >> 16u) & 1u)) & 0xffff0000u); }' },
  /** To the nearest f16, ties to even; beyond 65504 the largest finite value. */
  round_f16: { text: `fn round_f16(x: f32) -> f32 {
  let b = bitcast<u32>(x);
  let normal = bitcast<f32>((b + 0xfffu + ((b >> 13u) & 1u)) & 0xffffe000u);
  let y = select(normal, round(x * 16777216.0f) * 5.9604644775390625e-8f, abs(x) < 6.103515625e-5f);
  return clamp(y, -65504.0f, 65504.0f);
}` },
};

/** The text of `names` and of everything they call, in a fixed order. */
export function libraryText(names: ReadonlySet<string>): string[] {
  const wanted = new Set<string>();
  const visit = (name: string): void => {
    for (const callee of library[name].calls ?? []) visit(callee);
    wanted.add(name);
  };
  for (const name of names) visit(name);
  return Object.keys(library).filter((name) => wanted.has(name)).map((name) => library[name].text);
}

export const libraryNames = Object.keys(library);

/** The call of `fn` on argument texts of `operands` dtypes (arguments are parenthesised by the caller). */
export function callText(fn: ScalarFunction, args: readonly string[], operands: readonly DType[]): string {
  const [a, b, c] = args;
  const type = wgslType(operands[fn === 'select' ? 1 : 0]);
  switch (fn) {
    case 'add': return `(${a} + ${b})`;
    case 'subtract': return `(${a} - ${b})`;
    case 'multiply': return `(${a} * ${b})`;
    case 'divide': return type === 'i32' ? `floor_divide(${a}, ${b})` : `(${a} / ${b})`;
    case 'floor_divide': return type === 'f32' ? `floor(${a} / ${b})` : type === 'i32' ? `floor_divide(${a}, ${b})` : `(${a} / ${b})`;
    case 'mod': return type === 'f32' ? `(${a} - floor(${a} / ${b}) * ${b})` : type === 'i32' ? `floor_mod(${a}, ${b})` : `(${a} % ${b})`;
    case 'power': return `power(${a}, ${b})`;
    case 'minimum': return `min(${a}, ${b})`;
    case 'maximum': return `max(${a}, ${b})`;
    case 'negate': return `(-${a})`;
    case 'absolute': return `abs(${a})`;
    case 'sign': return `sign(${a})`;
    case 'floor': return type === 'f32' ? `floor(${a})` : a;
    case 'round': return type === 'f32' ? `round(${a})` : a;
    case 'exp': return `exponential(${a})`;
    case 'log': return `logarithm(${a})`;
    case 'sqrt': return `sqrt(${a})`;
    case 'rsqrt': return `inverseSqrt(${a})`;
    case 'tanh': return `hyperbolic_tangent(${a})`;
    case 'sigmoid': return `logistic(${a})`;
    case 'softplus': return `softplus(${a})`;
    case 'erf': return `error_function(${a})`;
    case 'sin': return `sine(${a}, 0)`;
    case 'cos': return `sine(${a}, 1)`;
    case 'less': return type === 'bool' ? `(!${a} && ${b})` : `(${a} < ${b})`;
    case 'less_equal': return type === 'bool' ? `(!${a} || ${b})` : `(${a} <= ${b})`;
    case 'equal': return `(${a} == ${b})`;
    case 'not_equal': return `(${a} != ${b})`;
    case 'and': return `(${a} && ${b})`;
    case 'or': return `(${a} || ${b})`;
    case 'not': return `(!${a})`;
    case 'select': return `select(${c}, ${b}, ${a})`;
    case 'hash': return `philox(u32(${a}), u32(${b}))`;
    case 'order': return `select(bitcast<i32>(${a}), -(bitcast<i32>(${a}) & 0x7fffffff), bitcast<i32>(${a}) < 0)`;
    case 'uniform': return `((f32(${a} >> 8u) + 0.5f) * 5.9604644775390625e-8f)`;
  }
}

/** `value` of dtype `from` as `to`: nearest even to 16-bit floats, toward zero to integers. */
export function castText(value: string, from: DType, to: DType): string {
  if (to === from) return value;
  const [source, target] = [wgslType(from), wgslType(to)];
  if (target === 'bool') return source === 'bool' ? value : `(${value} != ${literal(0, from)})`;
  if (target !== 'f32') return source === target ? value : `${target}(${value})`;
  const wide = source === 'f32' ? value : `f32(${value})`;
  if (to === 'f32') return wide;
  return `round_${to}(${wide})`;
}
