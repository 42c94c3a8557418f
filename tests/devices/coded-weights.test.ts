/** Published small floats: what devices compute from codes with scales is what they compute from the products. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { compile, load, openCheckpoint, storedIn } from '../../index.js';
import { nodeLoader } from '../../dsl/std-node.js';
import { floatValues, fromE8m0 } from '../../compiler/kernels/float-codes.js';
import { runPrompt } from '../../runtime/run-prompt.js';
import { SafetensorsWriter, type TensorToWrite } from '../../runtime/safetensors-writer.js';
import { openDevice, wgslMissing, type Runnable } from '../support/devices.js';

vi.setConfig({ testTimeout: 300_000 });

const [vocab, hidden, width, experts, shared, layers] = [40, 160, 64, 3, 72, 2];
const spec = (quantize: string): string => `use std.{rms, embedding, linear, swiglu, moe, softmax_gate}
model Coded {
  dim vocab = ${vocab}
  dim hidden = ${hidden}
  context 32
  def norm = rms(eps: 1e-6)
  def ffn = moe(experts: ${experts}, active: 2, expert: swiglu(width: ${width}), shared: swiglu(width: ${shared}), gate: softmax_gate(normalize: true))
  x = embed = embedding(tokens, vocab, hidden)
  repeat layers[${layers}] as i { x += ffn = ffn(norm = norm(x)) }
  logits = head = linear(final = norm(x), vocab)
  ${quantize}
  weights {
    "embed" -> embed.table
    "final" -> final.weight
    "head.weight" -> head.weight
    "l.{i}.norm" -> layers[i].norm.weight
    "l.{i}.router" -> layers[i].ffn.gate.weight
    "l.{i}.gate_up" -> layers[i].ffn.experts.{gate, up} : "e (width 2) d"
    "l.{i}.down" -> layers[i].ffn.experts.down
    "l.{i}.{p: gate|up|down}.weight" -> layers[i].ffn.shared.{p}
  }
}
`;
const coded = spec('quantize layers[*].ffn.experts.* to mxfp4\n  quantize layers[*].ffn.shared.* to fp8(block: 128)\n  quantize head.weight to fp8(block: 128)');

interface Stored extends TensorToWrite { readonly bytes: Uint8Array }
let state = 7;
const random = (): number => { state = (Math.imul(state, 1103515245) + 12345) >>> 0; return state / 2 ** 32; };
const f32 = (name: string, shape: number[], values: ArrayLike<number>): Stored => ({ name, dtype: 'F32', shape, bytes: new Uint8Array(Float32Array.from(values).buffer) });
const plain = (name: string, shape: number[], scale: number): Stored => f32(name, shape, Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => (random() - 0.5) * scale));

/** Codes and multipliers of a matrix, and their products. */
function fp8(name: string, rows: number, columns: number): { packed: Stored[]; product: Stored } {
  const across = Math.ceil(columns / 128);
  const codes = Uint8Array.from({ length: rows * columns }, () => { const c = Math.floor(random() * 256); return (c & 0x7f) === 0x7f ? 0x08 : c; });
  const scales = Float32Array.from({ length: Math.ceil(rows / 128) * across }, () => (0.5 + random()) / 3000);
  const product = Float32Array.from(codes, (c, i) => floatValues.e4m3[c] * scales[Math.floor(i / columns / 128) * across + Math.floor((i % columns) / 128)]);
  return {
    packed: [{ name, dtype: 'F8_E4M3', shape: [rows, columns], bytes: codes }, f32(`${name}_scale_inv`, [Math.ceil(rows / 128), across], scales)],
    product: f32(name, [rows, columns], product),
  };
}

function mxfp4(name: string, shape: number[]): { packed: Stored[]; product: Stored } {
  const count = shape.reduce((a, b) => a * b, 1);
  const codes = Uint8Array.from({ length: count }, () => Math.floor(random() * 16));
  const exponents = Uint8Array.from({ length: count / 32 }, () => 120 + Math.floor(random() * 4));
  const outer = [...shape.slice(0, -1), shape[shape.length - 1] / 32];
  return {
    packed: [
      { name: `${name}_blocks`, dtype: 'U8', shape: [...outer, 16], bytes: Uint8Array.from({ length: count / 2 }, (_, i) => codes[2 * i] | (codes[2 * i + 1] << 4)) },
      { name: `${name}_scales`, dtype: 'U8', shape: outer, bytes: exponents },
    ],
    product: f32(name, shape, Float32Array.from(codes, (c, i) => floatValues.e2m1[c] * fromE8m0(exponents[Math.floor(i / 32)]))),
  };
}

async function write(path: string, tensors: readonly Stored[]): Promise<void> {
  const writer = await SafetensorsWriter.create(path, tensors);
  for (const t of tensors) await writer.write(t.name, t.bytes);
  await writer.commit();
}

const folder = mkdtempSync(join(tmpdir(), 'firn-coded-'));
const files = { coded: join(folder, 'coded.safetensors'), product: join(folder, 'product.safetensors') };
beforeAll(async () => {
  const common = [plain('embed', [vocab, hidden], 2), f32('final', [hidden], new Float32Array(hidden).fill(1))];
  const pairs = [fp8('head.weight', vocab, hidden)];
  for (let i = 0; i < layers; i++) {
    common.push(f32(`l.${i}.norm`, [hidden], new Float32Array(hidden).fill(1)), plain(`l.${i}.router`, [experts, hidden], 0.2));
    pairs.push(mxfp4(`l.${i}.gate_up`, [experts, 2 * width, hidden]), mxfp4(`l.${i}.down`, [experts, hidden, width]));
    pairs.push(fp8(`l.${i}.gate.weight`, shared, hidden), fp8(`l.${i}.up.weight`, shared, hidden), fp8(`l.${i}.down.weight`, hidden, shared));
  }
  await write(files.coded, [...common, ...pairs.flatMap((p) => p.packed)]);
  await write(files.product, [...common, ...pairs.map((p) => p.product)]);
});
afterAll(() => rmSync(folder, { recursive: true }));

async function logits(target: Runnable, text: string, path: string, chunk?: number): Promise<Float32Array> {
  const checkpoint = await openCheckpoint(path);
  const compiled = compile({ entry: { path: 'coded.firn', text }, load: nodeLoader, target, stored: storedIn(checkpoint), context: 32, maxTokens: 16, outputs: 16 });
  expect(compiled.diagnostics).toEqual([]);
  const device = await openDevice(target);
  const model = await load(compiled.bundle!, device, { weights: { checkpoint, sources: compiled.sources! } });
  const prompt = Array.from({ length: 13 }, (_, i) => (i * 17 + 3) % vocab);
  const out = new Float32Array(prompt.length * vocab);
  for await (const { start, outputs } of runPrompt(model.session, prompt, ['logits'], chunk)) out.set(outputs.logits as Float32Array, start * vocab);
  for (const w of compiled.bundle!.plan.weights) {
    const elements = w.axes.reduce((n, a) => n * a.size, 1);
    if (text === coded && w.path.includes('experts')) expect(w.bytes / elements).toBeLessThan(0.54);
    if (text === coded && w.path.includes('shared')) expect(w.bytes / elements).toBeLessThan(1.4);
  }
  await model.close();
  await device.close();
  await checkpoint.close();
  return out;
}

const why = await wgslMissing();
describe('codes with scales stay packed', () => {
  let expected: Float32Array;
  beforeAll(async () => { expected = await logits('reference', spec(''), files.product); });
  for (const name of ['reference', 'cpu', 'wgsl'] as Runnable[]) {
    it.skipIf(name === 'wgsl' && why !== undefined)(`${name}, whole and token by token`, async () => {
      const largest = expected.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
      for (const chunk of [undefined, 1]) {
        const found = await logits(name, coded, files.coded, chunk);
        const worst = found.reduce((m, v, i) => Math.max(m, Math.abs(v - expected[i])), 0);
        expect(worst / largest).toBeLessThan(name === 'reference' ? 1e-5 : 3e-5);
      }
    });
  }
});
