/**
 * Prefill and decode of the "mini" shape (examples/k2-mini.firn: K2's structure, 297 M parameters, int4) on the CPU or
 * through WebGPU, beside llama.cpp (CPU or Vulkan) on a random-weight model of the same shape, in one run. Only the ratio
 * counts.
 *
 *   node bench/mini.mjs [--device cpu|wgsl] [--runs 5] [--threads 2] [--prefill 256] [--decode 128] [--out bench/results/NAME.json]
 *
 * The peer: a folder with node-llama-cpp installed and a script `bench.mjs` that prints JSON with `prefill` and `decode`
 * rates for `mini.gguf`; name it with FIRN_LLAMA_CPP=FOLDER. Without it only firn is measured.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { compile, load } from '../dist/index.js';
import { cpuDevice } from '../dist/backends/cpu/device.js';
import { nodeWgslDevice } from '../dist/backends/wgsl/node.js';
import { nodeLoader } from '../dist/dsl/std-node.js';

const options = { device: 'cpu', runs: 5, threads: 2, prefill: 256, decode: 128, out: '' };
for (let i = 2; i < process.argv.length; i += 2) options[process.argv[i].slice(2)] = Number.isNaN(Number(process.argv[i + 1])) ? process.argv[i + 1] : Number(process.argv[i + 1]);

const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];

async function measureFirn() {
  const path = 'examples/k2-mini.firn';
  const { bundle, diagnostics } = compile({ entry: { path, text: readFileSync(path, 'utf8') }, load: nodeLoader, target: options.device, context: options.prefill + options.decode + 16, maxTokens: options.prefill });
  if (!bundle) throw new Error(JSON.stringify(diagnostics));
  const device = options.device === 'wgsl' ? await nodeWgslDevice() : await cpuDevice({ threads: options.threads });
  const { session, executable } = await load(bundle, device, { weights: { seed: 1 } });
  const prompt = Array.from({ length: options.prefill }, (_, i) => (i * 7919 + 13) % 8192);
  const prefill = [];
  const decode = [];
  for (let run = 0; run <= options.runs; run++) {
    const sequence = session.open();
    const started = performance.now();
    let [{ outputs }] = await session.run([{ sequence, tokens: prompt, rows: 'last' }], ['next']);
    const filled = performance.now();
    for (let i = 0; i < options.decode; i++) [{ outputs }] = await session.run([{ sequence, tokens: [outputs.next[0]], rows: 'last' }], ['next']);
    const ended = performance.now();
    session.close(sequence);
    // The first run warms caches and is not counted.
    if (run > 0) { prefill.push(options.prefill / (filled - started) * 1000); decode.push(options.decode / (ended - filled) * 1000); }
  }
  await executable.close();
  return { device: device.description, plan: bundle.plan.hash, prefill: median(prefill), decode: median(decode), prefillRuns: prefill, decodeRuns: decode };
}

function measurePeer() {
  const folder = process.env.FIRN_LLAMA_CPP;
  if (!folder) return undefined;
  const text = execFileSync('node', ['bench.mjs', '--models', 'mini.gguf', '--backends', options.device === 'wgsl' ? 'vulkan' : 'cpu', '--sizes', String(options.prefill), '--decode', String(options.decode), '--depth', String(options.prefill), '--threads', String(options.threads), '--runs', '3', '--api', '0'], { cwd: folder, encoding: 'utf8', env: { ...process.env, UV_THREADPOOL_SIZE: '1' }, stdio: ['ignore', 'pipe', 'ignore'] });
  return JSON.parse(text);
}

const firn = await measureFirn();
const peer = measurePeer();
const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
const result = { date: new Date().toISOString().slice(0, 10), commit, cpu: cpus()[0].model, threads: options.threads, tokens: { prefill: options.prefill, decode: options.decode }, unit: 'tokens/s', firn, peer };
console.log(JSON.stringify(result, null, 1));
if (options.out) writeFileSync(options.out, `${JSON.stringify(result, null, 1)}\n`);
process.exit(0);
