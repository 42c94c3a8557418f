/** Scalar functions of generated kernels against Math.*, in units of the last place of f32. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kernelBundle } from '../../backends/conformance/kernels.js';
import { withExecutable } from '../../backends/conformance/arrays.js';
import { cpuDevice, type CpuDevice } from '../../backends/cpu/device.js';
import { arg, call, type ScalarFunction } from '../../compiler/ir/expr.js';
import { dim } from '../../compiler/ir/kernel.js';
import { ProgramBuilder, range } from '../../compiler/kernels/build.js';
import { ceilDivide, times } from '../../compiler/kernels/scalar.js';
import { blank, f32Bytes, Random } from '../kernels/samples.js';

interface Case { readonly fn: ScalarFunction; readonly exact: (x: number) => number; readonly from: number; readonly to: number; readonly ulps: number; readonly special?: readonly number[] }

/** erf by its series, and by the continued fraction of erfc for large arguments: both to f64 accuracy. */
function erf(x: number): number {
  const a = Math.abs(x);
  if (a < 2.5) {
    let term = x, sum = x;
    for (let n = 1; n < 80; n++) { term *= -x * x / n; sum += term / (2 * n + 1); }
    return sum * 2 / Math.sqrt(Math.PI);
  }
  let f = 0;
  for (let n = 60; n > 0; n--) f = (n / 2) / (a + f);
  return Math.sign(x) * (1 - Math.exp(-a * a) / ((a + f) * Math.sqrt(Math.PI)));
}

const edges = [0, -0, Infinity, -Infinity, NaN, 1, -1, 1e-40, 3e38];
const cases: readonly Case[] = [
  { fn: 'exp', exact: Math.exp, from: -104, to: 89, ulps: 2, special: edges },
  { fn: 'log', exact: Math.log, from: 1e-38, to: 1e4, ulps: 2, special: edges },
  { fn: 'tanh', exact: Math.tanh, from: -10, to: 10, ulps: 3, special: edges },
  { fn: 'sigmoid', exact: (x) => 1 / (1 + Math.exp(-x)), from: -80, to: 80, ulps: 4, special: [0, Infinity, NaN, 20] },
  { fn: 'softplus', exact: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))), from: -80, to: 80, ulps: 4, special: [0, Infinity, NaN] },
  { fn: 'erf', exact: erf, from: -4.5, to: 4.5, ulps: 4, special: [0, Infinity, -Infinity, NaN] },
  { fn: 'sin', exact: Math.sin, from: -7, to: 7, ulps: 3, special: [0, NaN] },
  { fn: 'cos', exact: Math.cos, from: -7, to: 7, ulps: 3, special: [0, NaN] },
  { fn: 'sqrt', exact: Math.sqrt, from: 0, to: 1e6, ulps: 0.5, special: edges },
  { fn: 'rsqrt', exact: (x) => 1 / Math.sqrt(x), from: 1e-6, to: 1e6, ulps: 1.5, special: [Infinity, NaN, 1e-30] },
  { fn: 'round', exact: (x) => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x)), from: -9, to: 9, ulps: 0, special: [0.5, 1.5, 2.5, -0.5, -1.5, Infinity, NaN] },
  { fn: 'floor', exact: Math.floor, from: -9, to: 9, ulps: 0, special: [-0.5, Infinity, NaN] },
];
const count = 4099;

function program() {
  const b = new ProgramBuilder('functions');
  const views = cases.map((c) => ({ c, x: b.view(`x_${c.fn}`, 'f32', 'read', { n: dim('n') }), y: b.view(`y_${c.fn}`, 'f32', 'write', { n: dim('n') }) }));
  const at = range('n', times(b.gridAxis('block', ceilDivide(dim('n'), 256)), 256), 256);
  for (const v of views) b.store(v.y, [at], b.map(call(v.c.fn, arg(0)), [b.load(v.x, [at])]));
  return b.finish();
}

function inputs(c: Case): Float32Array {
  const random = new Random(3);
  const x = Float32Array.from({ length: count }, () => c.from + (c.to - c.from) * random.next());
  x.set(c.special ?? []);
  // Small arguments, where relative accuracy is lost first.
  for (let i = 0; i < 400; i++) x[100 + i] = Math.max(c.from, (random.next() - 0.5) * 2 ** -(i % 40));
  return x;
}

function ulpsApart(got: number, want: number): number {
  if (Object.is(got, Math.fround(want)) || (Number.isNaN(got) && Number.isNaN(want)) || got === Math.fround(want)) return 0;
  const ulp = Math.max(2 ** -149, 2 ** (Math.floor(Math.log2(Math.abs(want))) - 23));
  return Math.abs(got - want) / ulp;
}

describe('scalar functions', () => {
  const results = new Map<string, { x: Float32Array; y: Float32Array }>();
  let device: CpuDevice;
  beforeAll(async () => {
    device = await cpuDevice({ threads: 1 });
    const buffers = Object.fromEntries(cases.flatMap((c) => [[`x_${c.fn}`, f32Bytes(inputs(c))], [`y_${c.fn}`, blank(count, 'f32')]]));
    const bundle = kernelBundle({ name: 'functions', program: program(), dims: { n: count }, buffers, expected: {}, tolerance: 0 });
    await withExecutable(device, bundle, async (exec) => {
      for (const w of bundle.plan.weights) await exec.write(w.buffer, w.offset, buffers[w.path]);
      await exec.run('launch', { n: count }, {}, []);
      for (const c of cases) {
        const state = bundle.plan.states.find((s) => s.path === `y_${c.fn}`)!;
        results.set(c.fn, { x: inputs(c), y: new Float32Array((await exec.read(state.buffer, state.offset, count * 4)).slice().buffer) });
      }
    });
  }, 120_000);
  afterAll(() => device.close());

  for (const c of cases) it(`${c.fn} is within ${c.ulps} units`, () => {
    const { x, y } = results.get(c.fn)!;
    let worst = { ulps: 0, x: 0, got: 0, want: 0 };
    x.forEach((v, i) => {
      const want = c.exact(v);
      const ulps = ulpsApart(y[i], want);
      if (!(ulps <= worst.ulps)) worst = { ulps, x: v, got: y[i], want };
    });
    expect(worst.ulps, JSON.stringify(worst)).toBeLessThanOrEqual(c.ulps);
  });
});
