import fc from '../support/properties.js';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { DType } from '../../compiler/ir/dtype.js';
import type { Packing } from '../../compiler/ir/packing.js';
import type { Weight } from '../../compiler/ir/plan.js';
import type { WeightSource, WeightSources } from '../../compiler/ir/weight-sources.js';
import { decodeElements, encodeElements } from '../../compiler/kernels/half.js';
import { packedBytes } from '../../compiler/kernels/packing-address.js';
import { quantizeInt4, unpack } from '../../compiler/kernels/packing.js';
import { applyLayout, parseLayout, plainWindow, type SizedAxis } from '../../compiler/model/weight-layout.js';
import type { Checkpoint } from '../../runtime/checkpoint.js';
import { openCheckpoint } from '../../runtime/disk.js';
import { initWeights } from '../../runtime/init-weights.js';
import { loadWeights } from '../../runtime/load-weights.js';
import type { StoredDType } from '../../runtime/safetensors.js';
import { fillNormal, fillUniform, fillWords } from '../../runtime/random.js';
import { SafetensorsWriter } from '../../runtime/safetensors-writer.js';
import { weightBlocks } from '../../runtime/weight-blocks.js';
import { memoryExecutable, planOfWeights } from './memory-executable.js';

const folder = mkdtempSync(join(tmpdir(), 'firn-weights-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Stored { name: string; dtype: StoredDType; shape: number[]; data: Uint8Array }
const f32 = (name: string, shape: number[], values: ArrayLike<number>): Stored => ({ name, dtype: 'F32', shape, data: encodeElements(values, 'f32') });

let files = 0;
async function checkpointOf(tensors: readonly Stored[]): Promise<Checkpoint> {
  const path = join(folder, `${files++}.safetensors`);
  const writer = await SafetensorsWriter.create(path, tensors);
  for (const t of tensors) await writer.write(t.name, t.data);
  await writer.commit();
  return openCheckpoint(path);
}
function weight(path: string, axes: SizedAxis[], packing: Packing, dtype: DType = 'f32'): Omit<Weight, 'buffer' | 'offset' | 'init'> {
  return { path, axes, packing, dtype, bytes: packedBytes(packing, axes, dtype) };
}
const source = (path: string, tensor: string, window: Pick<WeightSource, 'shape' | 'offset' | 'axes'>): WeightSource => ({ path, tensor, ...window, rule: tensor, where: 'test.firn:1' });
const sourcesOf = (weights: WeightSource[], ignore: string[] = []): WeightSources => ({ version: 1, ignore, weights });
const axesOf = (text: string): SizedAxis[] => text.split(' ').map((a) => ({ name: a.split('=')[0], size: Number(a.split('=')[1]) }));
const counting = (n: number, from = 0): number[] => Array.from({ length: n }, (_, i) => from + i);

async function loaded(weights: Omit<Weight, 'buffer' | 'offset' | 'init'>[], sources: WeightSources, tensors: Stored[]): Promise<Record<string, number[]>> {
  const plan = planOfWeights(weights);
  const executable = memoryExecutable(plan);
  const checkpoint = await checkpointOf(tensors);
  try {
    await loadWeights(executable, plan, sources, checkpoint);
  } finally {
    await checkpoint.close();
  }
  return Object.fromEntries(plan.weights.map((w) => [w.path, [...unpack(w.packing, w.axes, w.dtype, executable.buffers.get(w.path)!)]]));
}

describe('loading', () => {
  it('splits a fused tensor, in panels', async () => {
    const k = axesOf('heads=2 nope=3 rank=4'), v = axesOf('heads=2 value=2 rank=4');
    const windows = applyLayout(parseLayout('(heads (nope | value)) rank'), [k, v]);
    const packing: Packing = { kind: 'panel', order: ['heads', 'nope', 'rank'], lanes: 'nope', width: 8 };
    const out = await loaded(
      [weight('k', k, packing), weight('v', v, { kind: 'dense', order: ['heads', 'rank', 'value'] })],
      sourcesOf([source('k', 'kv', windows[0]), source('v', 'kv', windows[1])]), [f32('kv', [10, 4], counting(40))]);
    expect(out.k).toEqual([...counting(12), ...counting(12, 20)]);
    expect(out.v).toEqual([...counting(8, 12), ...counting(8, 32)]);
  });

  it('takes one tensor per expert', async () => {
    const axes = axesOf('experts=3 out=2 in=4');
    const window = { ...plainWindow(axes.slice(1)) };
    const out = await loaded([weight('w', axes, { kind: 'panel', order: ['experts', 'out', 'in'], lanes: 'out', width: 4 })],
      sourcesOf([source('w', 'e.{experts}.w', window)]), [2, 0, 1].map((e) => f32(`e.${e}.w`, [2, 4], counting(8, e * 8))));
    expect(out.w).toEqual(counting(24));
  });

  it('keeps stored dtypes and rounds only where the plan stores another one', async () => {
    const axes = axesOf('d=4');
    const values = [1, 1.00390625, -3.14159, 65504];
    for (const [stored, dtype] of [['F32', 'f32'], ['BF16', 'bf16'], ['F16', 'f16'], ['F32', 'bf16'], ['BF16', 'f32'], ['F16', 'f32']] as const) {
      const from = { F32: 'f32', BF16: 'bf16', F16: 'f16' }[stored] as DType;
      const data = encodeElements(values, from);
      const out = await loaded([weight('w', axes, { kind: 'dense', order: ['d'] }, dtype)], sourcesOf([source('w', 'w', plainWindow(axes))]), [{ name: 'w', dtype: stored, shape: [4], data }]);
      expect(out.w).toEqual([...decodeElements(encodeElements(decodeElements(data, from), dtype), dtype)]);
    }
  });

  it('loads int4 parts exactly, and quantises wider weights', async () => {
    const axes = axesOf('experts=2 out=5 in=64');
    const packing: Packing = { kind: 'int4', order: ['experts', 'out', 'in'], lanes: 'out', width: 8, group: 32 };
    const values = Float32Array.from(counting(640), (i) => Math.sin(i * 1.7) * (1 + (i % 7)));
    const { codes, scales } = quantizeInt4(values, 64, 32);
    const sources = sourcesOf([source('w', 'e.{experts}.weight', plainWindow(axes.slice(1)))]);
    const packed = (e: number): Stored[] => {
      const words = new Uint8Array(5 * 32);
      for (let i = 0; i < 320; i++) words[i >> 1] |= codes[e * 320 + i] << ((i & 1) * 4);
      return [
        { name: `e.${e}.weight_packed`, dtype: 'I32', shape: [5, 8], data: words },
        { name: `e.${e}.weight_scale`, dtype: 'BF16', shape: [5, 2], data: new Uint8Array(scales.slice(e * 10, e * 10 + 10).buffer) },
        { name: `e.${e}.weight_shape`, dtype: 'I32', shape: [2], data: new Uint8Array(new Int32Array([5, 64]).buffer) },
      ];
    };
    const fromInt4 = await loaded([weight('w', axes, packing)], sources, [...packed(0), ...packed(1)]);
    const fromF32 = await loaded([weight('w', axes, packing)], sources, [0, 1].map((e) => f32(`e.${e}.weight`, [5, 64], values.slice(e * 320, e * 320 + 320))));
    const scale = (i: number): number => decodeElements(new Uint8Array(scales.buffer, Math.floor(i / 32) * 2, 2), 'bf16')[0];
    expect(fromInt4.w).toEqual([...codes].map((c, i) => Math.fround((c - 8) * scale(i))));
    expect(fromF32.w).toEqual(fromInt4.w);
    const wrong = packed(0).map((t) => (t.name.endsWith('scale') ? { ...t, shape: [5, 1], data: t.data.slice(0, 10) } : t));
    await expect(loaded([weight('w', axes, packing)], sources, [...wrong, ...packed(1)])).rejects.toThrow(/F44 .*e\.0\.weight_scale.*in groups of 32 needs \[5, 2\]/);
  });
});

describe('names and shapes are checked before a byte is written', () => {
  const axes = axesOf('a=2 b=3');
  const w = weight('layers[0].w', axes, { kind: 'dense', order: ['a', 'b'] });
  const from = (tensor: string): WeightSource => source('layers[0].w', tensor, plainWindow(axes));
  it.each([
    [/F40 .*'model\.q_proj' for layers\[0\]\.w \(rule "model\.q_proj", test\.firn:1\); did you mean 'model\.q_prj'\?/s, 'model.q_proj', [f32('model.q_prj', [2, 3], counting(6))], []],
    [/F41 .*1 stored tensor belongs to no weight:\s+'model\.extra'/s, 'm', [f32('m', [2, 3], counting(6)), f32('model.extra', [1], [0])], ['*.inv_freq']],
    [/F42 .*the tensor fits the layout "b a -> a b"/s, 'm', [f32('m', [3, 2], counting(6))], []],
    [/F42 .*is stored as \[3, 2\], but layers\[0\]\.w needs \[2, 3\]/, 'm', [f32('m', [3, 2], counting(6))], []],
    [/F43 .*is stored as U8, which cannot serve/, 'm', [{ name: 'm', dtype: 'U8', shape: [2, 3], data: new Uint8Array(6) }], []],
    [/F43 .*is stored as int4 codes/, 'm.weight', ['packed', 'scale', 'shape'].map((p) => ({ name: `m.weight_${p}`, dtype: 'I32', shape: [1], data: new Uint8Array(4) })), []],
  ] as [RegExp, string, Stored[], string[]][])('%s', async (message, tensor, tensors, ignore) => {
    await expect(loaded([w], sourcesOf([from(tensor)], ignore), tensors)).rejects.toThrow(message);
  });
  it('ignores what a rule ignores', async () => {
    const out = await loaded([w], sourcesOf([from('m')], ['*.inv_freq']), [f32('m', [2, 3], counting(6)), f32('x.rotary.inv_freq', [1], [0])]);
    expect(out['layers[0].w']).toEqual(counting(6));
  });
});

describe('blocks', () => {
  it('tile a weight whatever the limit, for every packing', async () => {
    const packings: Packing[] = [
      { kind: 'dense', order: ['a', 'b', 'c'] }, { kind: 'dense', order: ['c', 'a', 'b'] },
      { kind: 'panel', order: ['a', 'b', 'c'], lanes: 'b', width: 4 }, { kind: 'panel', order: ['a', 'b', 'c'], lanes: 'a', width: 2 },
      { kind: 'int4', order: ['a', 'b', 'c'], lanes: 'b', width: 4, group: 8 },
    ];
    await fc.assert(fc.asyncProperty(fc.constantFrom(...packings), fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 300 }), async (packing, a, b, c, limit) => {
      const plan = planOfWeights([weight('w', axesOf(`a=${a} b=${b} c=${c}`), packing)]);
      let at = 0;
      for (const block of weightBlocks(plan.weights[0], new Set(), limit)) {
        expect(block.offset).toBe(at);
        at += packedBytes(block.packing, block.axes, 'f32');
      }
      expect(at).toBe(plan.weights[0].bytes);
    }), { numRuns: 200 });
  });
});

describe('seeded initialisation', () => {
  const axes = axesOf('a=3 b=40 c=64');
  const init = async (packing: Packing, seed: number, options: Partial<Weight> = {}): Promise<number[]> => {
    const plan = planOfWeights([{ ...weight('w', axes, packing), ...options }]);
    const executable = memoryExecutable(plan);
    await initWeights(executable, plan, seed);
    return [...unpack(packing, plan.weights[0].axes, 'f32', executable.buffers.get(plan.weights[0].path)!)];
  };
  it('does not depend on the packing, but on seed and path', async () => {
    const plain = await init({ kind: 'dense', order: ['a', 'b', 'c'] }, 7);
    expect(await init({ kind: 'panel', order: ['b', 'c', 'a'], lanes: 'c', width: 8 }, 7)).toEqual(plain);
    expect(await init({ kind: 'dense', order: ['a', 'b', 'c'] }, 8)).not.toEqual(plain);
    expect(await init({ kind: 'dense', order: ['a', 'b', 'c'] }, 7, { path: 'v' })).not.toEqual(plain);
  });
  it('has the distribution asked for', async () => {
    const moments = (x: number[]): [number, number] => {
      const mean = x.reduce((s, v) => s + v, 0) / x.length;
      return [mean, Math.sqrt(x.reduce((s, v) => s + (v - mean) ** 2, 0) / x.length)];
    };
    const dense: Packing = { kind: 'dense', order: ['a', 'b', 'c'] };
    const [mean, deviation] = moments(await init(dense, 1, { init: { kind: 'normal', deviation: 0.02 } }));
    expect(Math.abs(mean)).toBeLessThan(0.001);
    expect(deviation).toBeCloseTo(0.02, 3);
    const uniform = await init(dense, 1, { init: { kind: 'uniform', low: -1, high: 3 } });
    expect(Math.min(...uniform)).toBeGreaterThan(-1);
    expect(Math.max(...uniform)).toBeLessThan(3);
    expect(moments(uniform)[0]).toBeCloseTo(1, 1);
    expect(new Set(await init(dense, 1, { init: { kind: 'constant', value: 1 } }))).toEqual(new Set([1]));
  });
});

it('Philox gives the published numbers', () => {
  const out = new Uint32Array(8);
  fillWords({ seed: 0, key: 0 }, 0, out);
  expect([...out.subarray(0, 4)]).toEqual([0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
  const next = new Uint32Array(4);
  fillWords({ seed: 0, key: 0 }, 1, next);
  expect(next).toEqual(out.subarray(4));
});

it('random numbers do not depend on where a fill begins', () => {
  const stream = { seed: 5, key: 9 };
  const uniform = (start: number, out: Float32Array): void => fillUniform(stream, { start, out, at: 0, count: out.length }, 0, 1);
  const normal = (start: number, out: Float32Array): void => fillNormal(stream, { start, out, at: 0, count: out.length }, 1);
  for (const fill of [uniform, normal]) {
    const whole = new Float32Array(20_000);
    fill(0, whole);
    for (const [start, count] of [[1, 7], [4099, 9000], [8191, 2], [16383, 3617]]) {
      const part = new Float32Array(count);
      fill(start, part);
      expect(part).toEqual(whole.subarray(start, start + count));
    }
  }
});

it('the largest normal number is the quantile of 1 - 1 / 131072', () => {
  const values = new Float32Array(2_000_000);
  fillNormal({ seed: 1, key: 2 }, { start: 0, out: values, at: 0, count: values.length }, 1);
  expect(values.reduce((a, b) => Math.max(a, b))).toBeCloseTo(4.3249, 3);
});
