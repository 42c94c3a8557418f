/** Every scalar function on the device against f64: WGSL's own would not do. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kernelCases } from '../../backends/conformance/kernels.js';
import type { Device } from '../../backends/device.js';
import { arg, call, cast, num, type Expr, type ScalarFunction } from '../../compiler/ir/expr.js';
import { philox } from '../../compiler/ir/philox.js';
import { lowest, ProgramBuilder, range } from '../../compiler/kernels/build.js';
import { roundTo } from '../../compiler/kernels/half.js';
import { blank, f32Bytes, i32Bytes } from '../kernels/samples.js';
import { withWgsl } from '../support/wgsl.js';

const count = 512;

/** y = expr(x, z) over `count` elements. */
function mapped(name: string, expr: Expr, x: Float32Array | Int32Array, z: Float32Array | Int32Array, expected: ArrayLike<number>, tolerance: number, out: 'f32' | 'i32' | 'u32' = 'f32') {
  const p = new ProgramBuilder(name);
  const type = x instanceof Float32Array ? 'f32' : 'i32';
  const views = ['x', 'z'].map((v) => p.view(v, type, 'read', { i: count }));
  const y = p.view('y', out, 'write', { i: count });
  p.store(y, [range('i', 0, count)], p.map(expr, views.map((v) => p.load(v, [range('i', 0, count)]))));
  const bytes = type === 'f32' ? f32Bytes : i32Bytes;
  return { name, program: p.finish(), dims: {}, buffers: { x: bytes(x), z: bytes(z), y: blank(count, out) }, expected: { y: expected }, tolerance };
}

const spread = (lo: number, hi: number): Float32Array => Float32Array.from({ length: count }, (_, i) => lo + ((hi - lo) * (i + 0.5)) / count);
const erf = (x: number): number => {
  // Taylor for small, Lentz' continued fraction of erfc for large.
  if (Math.abs(x) < 2.5) {
    let [term, sum] = [x, x];
    for (let n = 1; n < 80; n++) { term *= (-x * x) / n; sum += term / (2 * n + 1); }
    return (2 / Math.sqrt(Math.PI)) * sum;
  }
  let f = 0;
  for (let n = 60; n > 0; n--) f = n / 2 / (Math.abs(x) + f);
  return Math.sign(x) * (1 - Math.exp(-x * x) / Math.sqrt(Math.PI) / (Math.abs(x) + f));
};
const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

const reals: readonly [ScalarFunction, (x: number) => number, lo: number, hi: number][] = [
  ['exp', Math.exp, -87, 88], ['log', Math.log, 1e-3, 0.5], ['log', Math.log, 0.99, 1.01], ['log', Math.log, 1, 1e6],
  ['tanh', Math.tanh, -0.01, 0.01], ['tanh', Math.tanh, -9, 9], ['sigmoid', (x) => 1 / (1 + Math.exp(-x)), -80, 80],
  ['softplus', softplus, -30, 30], ['erf', erf, -0.5, 0.5], ['erf', erf, -4, 4], ['sin', Math.sin, -40, 40], ['cos', Math.cos, -400, 400],
  ['sqrt', Math.sqrt, 1e-6, 1e6], ['rsqrt', (x) => 1 / Math.sqrt(x), 1e-6, 1e3],
];

/** The quotient of the device's value and the true one, so that errors of small values count in full. */
function relative(fn: ScalarFunction, f: (x: number) => number, lo: number, hi: number) {
  const x = spread(lo, hi);
  const want = Float32Array.from(x, f);
  return mapped(`${fn} from ${lo} to ${hi}`, call('divide', call(fn, arg(0)), arg(1)), x, want, new Float32Array(count).fill(1), fn === 'sin' || fn === 'cos' ? 4e-6 : 5e-7);
}

function integerCases() {
  const a = Int32Array.from({ length: count }, (_, i) => (i - 256) * 7919);
  const b = Int32Array.from({ length: count }, (_, i) => (i % 2 === 0 ? 1 : -1) * ((i % 13) + 1));
  const each = (f: (a: number, b: number) => number): number[] => Array.from(a, (x, i) => f(x, b[i]));
  return [
    mapped('floor_divide i32', call('floor_divide', arg(0), arg(1)), a, b, each((x, y) => Math.floor(x / y)), 0, 'i32'),
    mapped('mod i32', call('mod', arg(0), arg(1)), a, b, each((x, y) => x - Math.floor(x / y) * y), 0, 'i32'),
    mapped('sign and absolute', call('multiply', call('sign', arg(0)), call('absolute', arg(1))), a, b, each((x, y) => Math.sign(x) * Math.abs(y)), 0, 'i32'),
    mapped('hash', call('hash', arg(0), arg(1)), a, b, each((x, y) => philox(x >>> 0, y >>> 0)), 0, 'u32'),
    mapped('uniform', call('uniform', call('hash', arg(0), arg(1))), a, b, each((x, y) => Math.fround(((philox(x >>> 0, y >>> 0) >>> 8) + 0.5) * 2 ** -24)), 0),
    mapped('logic', cast('i32', call('and', call('less', arg(0), arg(1)), call('not', call('equal', arg(0), num(0, 'i32'))))), a, b, each((x, y) => (x < y && x !== 0 ? 1 : 0)), 0, 'i32'),
  ];
}

function roundingCases() {
  const x = Float32Array.from({ length: count }, (_, i) => (i % 3 === 0 ? (i - 256) * 0.5 : Math.sin(i) * 10 ** ((i % 12) - 8)));
  const near = x.map((v) => v * 1.001);
  return [
    mapped('round half to even', call('round', arg(0)), x, near, x.map((v) => { const f = Math.floor(v); const d = v - f; return d < 0.5 ? f : d > 0.5 ? f + 1 : f % 2 === 0 ? f : f + 1; }), 0),
    mapped('to bf16', cast('f32', cast('bf16', arg(0))), x, near, x.map((v) => roundTo('bf16', v)), 0),
    mapped('to f16', cast('f32', cast('f16', arg(0))), x, near, x.map((v) => roundTo('f16', v)), 0),
    mapped('to i32', cast('i32', arg(0)), x, near, x.map(Math.trunc), 0, 'i32'),
    mapped('mod f32', call('mod', call('floor', arg(0)), num(7)), x, near, x.map((v) => Math.floor(v) - Math.floor(Math.floor(v) / 7) * 7), 1e-6),
    mapped('power', call('power', call('absolute', arg(0)), num(1.5)), x, near, x.map((v) => Math.abs(v) ** 1.5), 1e-6),
    mapped('masked values stay finite', call('exp', call('subtract', num(lowest), call('absolute', arg(0)))), x, near, new Float32Array(count), 0),
  ];
}

await withWgsl('wgsl scalar functions', (make) => describe('wgsl scalar functions', () => {
  let device: Device;
  beforeAll(async () => { device = await make('default'); });
  afterAll(() => device.close());
  kernelCases(() => device, [...reals.map((r) => relative(...r)), ...integerCases(), ...roundingCases()], 0);
  it('says what it runs on', () => { expect(device.description).toMatch(/WebGPU/); });
}));
