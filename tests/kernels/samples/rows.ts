/** Samples of elementwise maps and of reductions along rows. */
import { arg, call, cast, num, type Expr } from '../../../compiler/ir/expr.js';
import { dim } from '../../../compiler/ir/kernel.js';
import { lowest, ProgramBuilder, range } from '../../../compiler/kernels/build.js';
import { ceilDivide, plus, times } from '../../../compiler/kernels/scalar.js';
import { bf16Bytes, blank, f32Bytes, i32Bytes, Random, type Sample } from './sample.js';

export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
export const silu = (x: number): number => x * sigmoid(x);
export const siluExpr = (x: Expr): Expr => call('multiply', x, call('sigmoid', x));

export interface RowSizes { readonly tokens: number; readonly width: number; readonly tokenTile?: number; readonly widthTile?: number; readonly seed?: number }

/** y[token, x] = bf16(silu(a[token, x]) * b[token, x] + bias[x]). */
export function elementwise({ tokens, width, tokenTile = 4, widthTile = 32, seed = 1 }: RowSizes): Sample {
  const p = new ProgramBuilder('elementwise');
  const a = p.view('a', 'bf16', 'read', { tokens: dim('tokens'), x: width });
  const b = p.view('b', 'f32', 'read', { tokens: dim('tokens'), x: width });
  const bias = p.view('bias', 'f32', 'read', { x: width });
  const y = p.view('y', 'bf16', 'write', { tokens: dim('tokens'), x: width });
  const t = times(p.gridAxis('tokens', ceilDivide(dim('tokens'), tokenTile)), tokenTile);
  const x = times(p.gridAxis('x', ceilDivide(width, widthTile)), widthTile);
  const at = [range('tokens', t, tokenTile), range('x', x, widthTile)];
  const value = call('add', call('multiply', siluExpr(arg(0)), arg(1)), arg(2));
  p.store(y, at, p.map(cast('bf16', value), [p.load(a, at), p.load(b, at), p.load(bias, [at[1]])]));
  p.origin('silu(a) * b + bias', 'samples.firn:1');

  const random = new Random(seed);
  const va = random.values(tokens * width, 'bf16');
  const vb = random.values(tokens * width);
  const vbias = random.values(width);
  const expected = va.map((v, i) => silu(v) * vb[i] + vbias[i % width]);
  return {
    name: `elementwise ${tokens}x${width}`, program: p.finish(), dims: { tokens }, tolerance: 2 ** -8, expected: { y: expected },
    buffers: { a: bf16Bytes(va), b: f32Bytes(vb), bias: f32Bytes(vbias), y: blank(tokens * width, 'bf16') },
  };
}

/** y = x * rsqrt(mean(x^2) + eps) * gain, one program per block of rows, two walks over the row. */
export function rmsnorm({ tokens, width, tokenTile = 2, widthTile = 32, seed = 2 }: RowSizes): Sample {
  const eps = 1e-6;
  const p = new ProgramBuilder('rmsnorm');
  const x = p.view('x', 'f32', 'read', { tokens: dim('tokens'), x: width });
  const gain = p.view('gain', 'bf16', 'read', { x: width });
  const y = p.view('y', 'f32', 'write', { tokens: dim('tokens'), x: width });
  const t = range('tokens', times(p.gridAxis('tokens', ceilDivide(dim('tokens'), tokenTile)), tokenTile), tokenTile);
  const zero = p.full(0, [{ name: 'tokens', size: tokenTile }]);
  const [sum] = p.loop('i', 0, width, widthTile, [zero], (i, [sum]) => {
    const v = p.load(x, [t, range('x', i, widthTile)]);
    return [p.add(sum, p.reduce('add', p.multiply(v, v), 'x'))];
  });
  const scale = p.map(call('rsqrt', call('add', call('divide', arg(0), num(width)), num(eps))), [sum]);
  p.loop('i', 0, width, widthTile, [], (i) => {
    const at = range('x', i, widthTile);
    p.store(y, [t, at], p.multiply(p.multiply(p.load(x, [t, at]), scale), p.load(gain, [at])));
    return [];
  });

  const random = new Random(seed);
  const vx = random.values(tokens * width);
  const vg = random.values(width, 'bf16');
  const expected = new Float32Array(tokens * width);
  for (let r = 0; r < tokens; r++) {
    let squares = 0;
    for (let i = 0; i < width; i++) squares += vx[r * width + i] ** 2;
    for (let i = 0; i < width; i++) expected[r * width + i] = (vx[r * width + i] / Math.sqrt(squares / width + eps)) * vg[i];
  }
  return {
    name: `rmsnorm ${tokens}x${width}`, program: p.finish(), dims: { tokens }, tolerance: 1e-5, expected: { y: expected },
    buffers: { x: f32Bytes(vx), gain: bf16Bytes(vg), y: blank(tokens * width, 'f32') },
  };
}

/** y = softmax(x) along rows: running maximum and sum, then a second walk. */
export function softmax({ tokens, width, widthTile = 32, seed = 3 }: RowSizes): Sample {
  const p = new ProgramBuilder('softmax');
  const x = p.view('x', 'f32', 'read', { tokens: dim('tokens'), x: width });
  const y = p.view('y', 'f32', 'write', { tokens: dim('tokens'), x: width });
  const t = p.gridAxis('token', dim('tokens'));
  const [m, l] = p.loop('i', 0, width, widthTile, [p.full(lowest), p.full(0)], (i, [m, l]) => {
    const v = p.load(x, [t, range('x', i, widthTile)], { fill: lowest });
    const top = p.apply('maximum', m, p.reduce('maximum', v, 'x'));
    const part = p.reduce('add', p.map(call('exp', call('subtract', arg(0), arg(1))), [v, top]), 'x');
    return [top, p.map(call('add', call('multiply', arg(0), call('exp', call('subtract', arg(1), arg(2)))), arg(3)), [l, m, top, part])];
  });
  p.loop('i', 0, width, widthTile, [], (i) => {
    const at = [t, range('x', i, widthTile)];
    p.store(y, at, p.map(call('divide', call('exp', call('subtract', arg(0), arg(1))), arg(2)), [p.load(x, at), m, l]));
    return [];
  });

  const random = new Random(seed);
  const vx = random.values(tokens * width).map((v) => v * 20);
  const expected = new Float32Array(tokens * width);
  for (let r = 0; r < tokens; r++) {
    const row = vx.subarray(r * width, (r + 1) * width);
    const largest = row.reduce((a, b) => Math.max(a, b), -Infinity);
    const sum = row.reduce((n, v) => n + Math.exp(v - largest), 0);
    row.forEach((v, i) => { expected[r * width + i] = Math.exp(v - largest) / sum; });
  }
  return {
    name: `softmax ${tokens}x${width}`, program: p.finish(), dims: { tokens }, tolerance: 1e-5, expected: { y: expected },
    buffers: { x: f32Bytes(vx), y: blank(tokens * width, 'f32') },
  };
}

/** Index of the largest element of each row, the lowest index among equals: best per lane over blocks, then across lanes. */
export function argmax({ tokens, width, widthTile = 64, seed = 4 }: RowSizes): Sample {
  const p = new ProgramBuilder('argmax');
  const x = p.view('x', 'f32', 'read', { tokens: dim('tokens'), x: width });
  const y = p.view('y', 'i32', 'write', { tokens: dim('tokens') });
  const t = p.gridAxis('token', dim('tokens'));
  const lanes = [{ name: 'x', size: widthTile }];
  const start = [p.full(lowest, lanes), p.full(0, lanes, 'i32')];
  const [best, where] = p.loop('i', 0, width, widthTile, start, (i, [best, where]) => {
    const v = p.load(x, [t, range('x', i, widthTile)], { fill: lowest });
    const better = p.less(best, v);
    return [p.select(better, v, best), p.select(better, p.iota('x', widthTile, i), where)];
  });
  const top = p.reduce('maximum', best, 'x');
  const candidates = p.map(call('select', call('equal', arg(0), arg(1)), arg(2), num(0x7fffffff, 'i32')), [best, top, where]);
  p.store(y, [t], p.reduce('minimum', candidates, 'x'));

  const random = new Random(seed);
  // Few distinct values, so that ties are common.
  const vx = random.values(tokens * width).map((v) => Math.round(v * 50));
  const expected = Int32Array.from({ length: tokens }, (_, r) => {
    let at = 0;
    for (let i = 1; i < width; i++) if (vx[r * width + i] > vx[r * width + at]) at = i;
    return at;
  });
  return {
    name: `argmax ${tokens}x${width}`, program: p.finish(), dims: { tokens }, tolerance: 0, expected: { y: expected },
    buffers: { x: f32Bytes(vx), y: blank(tokens, 'i32') },
  };
}

/** Rows of a bf16 table by id; ids outside it give zeros. */
export function gatherRows({ tokens, width, tokenTile = 4, widthTile = 32, seed = 5 }: RowSizes): Sample {
  const vocabulary = 37;
  const p = new ProgramBuilder('gather_rows');
  const table = p.view('table', 'bf16', 'read', { vocabulary, x: width });
  const ids = p.view('ids', 'i32', 'read', { tokens: dim('tokens') });
  const y = p.view('y', 'f32', 'write', { tokens: dim('tokens'), x: width });
  const t = range('tokens', times(p.gridAxis('tokens', ceilDivide(dim('tokens'), tokenTile)), tokenTile), tokenTile);
  const x = range('x', times(p.gridAxis('x', ceilDivide(width, widthTile)), widthTile), widthTile);
  p.store(y, [t, x], p.load(table, [p.load(ids, [t], { fill: -1 }), x]));

  const random = new Random(seed);
  const vt = random.values(vocabulary * width, 'bf16');
  const vi = random.ints(tokens, vocabulary + 2).map((v) => v - 1);
  const expected = new Float32Array(tokens * width);
  vi.forEach((id, r) => { if (id >= 0 && id < vocabulary) expected.set(vt.subarray(id * width, (id + 1) * width), r * width); });
  return {
    name: `gather_rows ${tokens}x${width}`, program: p.finish(), dims: { tokens }, tolerance: 0, expected: { y: expected },
    buffers: { table: bf16Bytes(vt), ids: i32Bytes(vi), y: blank(tokens * width, 'f32') },
  };
}

export interface RotarySizes { readonly tokens: number; readonly heads: number; readonly pairs: number; readonly layout: 'interleaved' | 'half'; readonly seed?: number }

/** Rotates pairs (neighbours, or halves apart) by the angles of a [tokens, pair] table of cos and sin. */
export function rotary({ tokens, heads, pairs, layout, seed = 6 }: RotarySizes): Sample {
  const p = new ProgramBuilder(`rotary_${layout}`);
  const x = p.view('x', 'f32', 'read', { tokens: dim('tokens'), heads, r: 2 * pairs });
  const cos = p.view('cos', 'f32', 'read', { tokens: dim('tokens'), pair: pairs });
  const sin = p.view('sin', 'f32', 'read', { tokens: dim('tokens'), pair: pairs });
  const y = p.view('y', 'f32', 'write', { tokens: dim('tokens'), heads, r: 2 * pairs });
  const t = p.gridAxis('token', dim('tokens'));
  const at = [t, range('heads', 0, heads), range('r', 0, 2 * pairs)];
  const v = p.split(p.load(x, at), 'r', layout === 'interleaved' ? { pair: pairs, two: 2 } : { two: 2, pair: pairs });
  const one = (start: number) => p.slice(v, 'two', { start, size: 1 });
  const [c, s] = [cos, sin].map((view) => p.load(view, [t, range('pair', 0, pairs)]));
  const minusProduct = call('subtract', call('multiply', arg(0), arg(2)), call('multiply', arg(1), arg(3)));
  const plusProduct = call('add', call('multiply', arg(1), arg(2)), call('multiply', arg(0), arg(3)));
  const rotated = p.concat([p.map(minusProduct, [one(0), one(1), c, s]), p.map(plusProduct, [one(0), one(1), c, s])], 'two');
  p.store(y, at, p.merge(rotated, layout === 'interleaved' ? ['pair', 'two'] : ['two', 'pair'], 'r'));

  const random = new Random(seed);
  const vx = random.values(tokens * heads * 2 * pairs);
  const angles = random.values(tokens * pairs).map((v) => v * 3);
  const vc = angles.map(Math.cos);
  const vs = angles.map(Math.sin);
  const expected = new Float32Array(vx.length);
  for (let row = 0; row < tokens * heads; row++) {
    for (let i = 0; i < pairs; i++) {
      const [a, b] = layout === 'interleaved' ? [2 * i, 2 * i + 1] : [i, pairs + i];
      const [u, w] = [vx[row * 2 * pairs + a], vx[row * 2 * pairs + b]];
      const angle = Math.floor(row / heads) * pairs + i;
      expected[row * 2 * pairs + a] = u * vc[angle] - w * vs[angle];
      expected[row * 2 * pairs + b] = w * vc[angle] + u * vs[angle];
    }
  }
  return {
    name: `rotary ${layout} ${tokens}x${heads}x${pairs}`, program: p.finish(), dims: { tokens }, tolerance: 1e-6, expected: { y: expected },
    buffers: { x: f32Bytes(vx), cos: f32Bytes(vc), sin: f32Bytes(vs), y: blank(vx.length, 'f32') },
  };
}

/** Rows of a cache are replaced by slot; a slot of -1 is dropped and other rows keep what they had. */
export function scatterRows({ tokens, width, tokenTile = 4, seed = 7 }: RowSizes): Sample {
  const p = new ProgramBuilder('scatter_rows');
  const entry = p.view('entry', 'f32', 'read', { tokens: dim('tokens'), x: width });
  const slot = p.view('slot', 'i32', 'read', { tokens: dim('tokens') });
  const cache = p.view('cache', 'bf16', 'write', { slots: dim('slots'), x: width });
  const start = times(p.gridAxis('tokens', ceilDivide(dim('tokens'), tokenTile)), tokenTile);
  const t = range('tokens', start, tokenTile, plus(start, tokenTile));
  const x = range('x', 0, width);
  p.store(cache, [p.load(slot, [t], { fill: -1 }), x], p.load(entry, [t, x]));

  const random = new Random(seed);
  const slots = tokens + 5;
  const ve = random.values(tokens * width, 'bf16');
  const vs = random.permutation(slots).subarray(0, tokens).map((s, i) => (i % 7 === 3 ? -1 : s));
  const expected = new Float32Array(slots * width).fill(-7);
  vs.forEach((s, r) => { if (s >= 0) expected.set(ve.subarray(r * width, (r + 1) * width), s * width); });
  return {
    name: `scatter_rows ${tokens}x${width}`, program: p.finish(), dims: { tokens, slots }, tolerance: 0, expected: { cache: expected },
    buffers: { entry: f32Bytes(ve), slot: i32Bytes(vs), cache: blank(slots * width, 'bf16') },
  };
}
