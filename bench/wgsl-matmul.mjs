/**
 * y = W x with W int4 in groups of 32, for 1 and 32 columns, as firn compiles it for WebGPU, beside onnxruntime's WebGPU
 * `MatMulNBits` on the same adapter, in one run. Wall and processor time per product, the least of some runs: on a software
 * rasteriser the latter hardly depends on what else the machine does.
 *
 *   node bench/wgsl-matmul.mjs [--rows 2048] [--over 2048] [--runs 20] [--out bench/results/NAME.json]
 *
 * The peer: a folder with onnxruntime-node installed, FIRN_ONNXRUNTIME=FOLDER. Without it only firn is measured.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, loadavg } from 'node:os';
import { commandSizes, encodeCommands } from '../dist/backends/wgsl/commands.js';
import { wgslDevice } from '../dist/backends/wgsl/device.js';
import { nodeGpu } from '../dist/backends/wgsl/node.js';
import { nodeLoader } from '../dist/dsl/std-node.js';
import { compile } from '../dist/index.js';

const options = { rows: 2048, over: 2048, runs: 20, out: '' };
for (let i = 2; i < process.argv.length; i += 2) options[process.argv[i].slice(2)] = Number.isNaN(Number(process.argv[i + 1])) ? process.argv[i + 1] : Number(process.argv[i + 1]);
const columns = [1, 32];

/** The least wall and processor milliseconds of `run`. */
async function least(run) {
  await run();
  let [wall, processor] = [Infinity, Infinity];
  for (let i = 0; i < options.runs; i++) {
    const [started, before] = [performance.now(), process.cpuUsage()];
    await run();
    const used = process.cpuUsage(before);
    wall = Math.min(wall, performance.now() - started);
    processor = Math.min(processor, (used.user + used.system) / 1000);
  }
  return { wall, processor };
}

/** One dispatch as the plan has it, submitted alone. */
async function measureFirn(count) {
  const text = `use std.{embedding, linear}
model Product {
  dim vocab = ${options.rows}
  dim hidden = ${options.over}
  context 64
  x = embed = embedding(tokens, vocab, hidden)
  logits = head = linear(x, vocab)
  quantize head.* to int4(group: 32, along: in)
  precision { activations: f32  cache: f32  accumulate: f32 }
}
`;
  const { bundle, diagnostics } = compile({ entry: { path: 'product.firn', text }, load: nodeLoader, target: 'wgsl', maxTokens: Math.max(2, count), outputs: count });
  if (!bundle) throw new Error(JSON.stringify(diagnostics));
  const real = await nodeGpu();
  let gpu;
  // The device is needed to submit single dispatches.
  const adapter = async (request) => {
    const found = await real.requestAdapter(request);
    return new Proxy(found, { get: (target, key) => (key === 'requestDevice' ? async (d) => (gpu = await target.requestDevice(d)) : typeof target[key] === 'function' ? target[key].bind(target) : target[key]) });
  };
  const device = await wgslDevice({ requestAdapter: adapter });
  const name = count === 1 ? 'decode' : 'prefill';
  const plan = { ...bundle.plan, entries: bundle.plan.entries.filter((e) => e.name === name) };
  const executable = await device.load({ ...bundle, plan });
  const dims = { ...Object.fromEntries(plan.dims.map((d) => [d.name, d.max])), tokens: count, outputs: count, sequences: 1, blocks: 1, context: count };
  gpu.queue.writeBuffer(executable.dims, 0, Int32Array.from(plan.dims, (d) => dims[d.name]));
  const commands = executable.entries.get(name).commands.filter((c) => c.kind === 'dispatch' && /^\/\/ \w+_contract:/.test(c.pipeline.shader.code));
  if (commands.length !== 1) throw new Error(`${commands.length} contractions instead of 1`);
  const sizes = commandSizes(commands, dims);
  const result = await least(async () => {
    const encoder = gpu.createCommandEncoder();
    encodeCommands(gpu, encoder, commands, sizes);
    gpu.queue.submit([encoder.finish()]);
    await gpu.queue.onSubmittedWorkDone();
  });
  return { ...result, adapter: device.description };
}

/** A graph of one MatMulNBits node as an ONNX file. */
function onnxModel() {
  const varint = (value) => {
    const out = [];
    for (let v = value; ; v = Math.floor(v / 128)) {
      if (v < 128) return Buffer.from([...out, v]);
      out.push((v % 128) + 128);
    }
  };
  const bytes = (field, content) => { const b = Buffer.isBuffer(content) ? content : Buffer.from(content); return Buffer.concat([varint(field * 8 + 2), varint(b.length), b]); };
  const integer = (field, value) => Buffer.concat([varint(field * 8), varint(value)]);
  const message = (...parts) => Buffer.concat(parts);
  const tensor = (name, dims, type, raw) => message(...dims.map((d) => integer(1, d)), integer(2, type), bytes(8, name), bytes(9, raw));
  const attribute = (name, value) => bytes(5, message(bytes(1, name), integer(3, value), integer(20, 2)));
  const port = (name, dims) => message(bytes(1, name), bytes(2, bytes(1, message(integer(1, 1), bytes(2, message(...dims.map((d) => bytes(1, typeof d === 'string' ? bytes(2, d) : integer(1, d)))))))));
  const { rows: n, over: k } = options;
  const codes = Buffer.from(Uint8Array.from({ length: (n * k) / 2 }, (_, i) => (i * 2654435761) >>> 24));
  const scales = Buffer.from(new Float32Array((n * k) / 32).fill(0.01).buffer);
  const node = message(bytes(1, 'x'), bytes(1, 'codes'), bytes(1, 'scales'), bytes(2, 'y'), bytes(4, 'MatMulNBits'), attribute('K', k), attribute('N', n), attribute('bits', 4), attribute('block_size', 32), bytes(7, 'com.microsoft'));
  const graph = message(bytes(1, node), bytes(2, 'product'), bytes(5, tensor('codes', [n, k / 32, 16], 2, codes)), bytes(5, tensor('scales', [n, k / 32], 1, scales)), bytes(11, port('x', ['m', k])), bytes(12, port('y', ['m', n])));
  return message(integer(1, 8), bytes(7, graph), bytes(8, message(bytes(1, ''), integer(2, 18))), bytes(8, message(bytes(1, 'com.microsoft'), integer(2, 1))));
}

/** Whole runs of a session: the input is copied in and the output out, as its interface has it. */
async function measurePeer(count) {
  const folder = process.env.FIRN_ONNXRUNTIME;
  if (!folder) return undefined;
  const require = createRequire(`${folder}/`);
  const ort = require('onnxruntime-node');
  const session = await ort.InferenceSession.create(onnxModel(), { executionProviders: ['webgpu'], logSeverityLevel: 3 });
  const x = new ort.Tensor('float32', Float32Array.from({ length: count * options.over }, (_, i) => Math.sin(i)), [count, options.over]);
  const result = await least(async () => { (await session.run({ x })).y.data; });
  return { ...result, version: require('onnxruntime-node/package.json').version };
}

const results = {};
for (const count of columns) {
  const [firn, peer] = [await measureFirn(count), await measurePeer(count)];
  results[count] = { firn, ...(peer ? { onnxruntime: peer, ratio: { wall: peer.wall / firn.wall, processor: peer.processor / firn.processor } } : {}) };
}
const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
const result = { date: new Date().toISOString().slice(0, 10), commit, cpu: cpus()[0].model, load: loadavg()[0], rows: options.rows, over: options.over, unit: 'ms', columns: results };
console.log(JSON.stringify(result, null, 1));
if (options.out) writeFileSync(options.out, `${JSON.stringify(result, null, 1)}\n`);
process.exit(0);
