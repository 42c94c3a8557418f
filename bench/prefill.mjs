/**
 * Prefill of the "mini" shape (examples/k2-mini.firn, f32 activations, int4 weights) on the CPU beside OpenBLAS: GFLOP/s of the
 * contractions that the plan says a run executes, against a square f32 product of the BLAS, in turns. Prints JSON.
 *
 *   node bench/prefill.mjs [--runs 7] [--threads 2] [--tokens 256] [--size 1024] [--kernels 0|1] [--out bench/results/NAME.json]
 *
 * The peer: FIRN_NUMPY=PYTHON, an interpreter whose numpy has OpenBLAS. Without it only firn is measured. `--kernels 1`: the
 * least time of each kernel, too.
 */
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { createInterface } from 'node:readline';
import { compile, load } from '../dist/index.js';
import { cpuDevice } from '../dist/backends/cpu/device.js';
import { evaluateScalar } from '../dist/compiler/kernels/scalar.js';
import { nodeLoader } from '../dist/dsl/std-node.js';

const options = { runs: 7, threads: 2, tokens: 256, size: 1024, kernels: 0, out: '' };
for (let i = 2; i < process.argv.length; i += 2) options[process.argv[i].slice(2)] = typeof options[process.argv[i].slice(2)] === 'number' ? Number(process.argv[i + 1]) : process.argv[i + 1];

const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
const round = (x) => Math.round(x * 100) / 100;

/** Answers each line with the seconds of one product, the best of three. */
const peerProgram = `
import sys, time
import numpy as np
blas = np.show_config(mode='dicts')['Build Dependencies']['blas']
if 'openblas' not in blas['name']: sys.exit('numpy has ' + blas['name'] + ', not OpenBLAS')
n = int(sys.argv[1])
a, b = np.random.rand(n, n).astype(np.float32), np.random.rand(n, n).astype(np.float32)
c = a @ b
print(blas.get('openblas configuration', blas['version']), flush=True)
for line in sys.stdin:
    best = 1e9
    for i in range(3):
        start = time.perf_counter(); np.matmul(a, b, out=c); best = min(best, time.perf_counter() - start)
    print(best, flush=True)
`;

async function openPeer() {
  if (!process.env.FIRN_NUMPY) return undefined;
  const child = spawn(process.env.FIRN_NUMPY, ['-c', peerProgram, String(options.size)], { env: { ...process.env, OPENBLAS_NUM_THREADS: String(options.threads) }, stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const version = (await lines.next()).value;
  if (version === undefined) throw new Error('the peer did not start');
  const seconds = async () => { child.stdin.write('\n'); return Number((await lines.next()).value); };
  return { version, seconds, close: () => child.stdin.end() };
}

/** Launches of the entry: kernel, contraction's FLOP per run. A query of a prompt sees half of its keys. */
function workOf(plan, entry) {
  const dims = { ...Object.fromEntries(plan.dims.map((d) => [d.name, d.max])), tokens: options.tokens, outputs: 1, sequences: 1, slots: (options.tokens + 1) / 2 };
  const work = new Map();
  const visit = (steps, times) => {
    for (const s of steps) {
      if (s.kind === 'repeat') visit(s.body, times * s.count);
      if (s.kind === 'launch') work.set(s.kernel, (work.get(s.kernel) ?? 0) + times * evaluateScalar(s.cost.contraction, { dims }));
    }
  };
  visit(entry.steps, 1);
  return work;
}

const path = 'examples/k2-mini.firn';
const { bundle, diagnostics } = compile({ entry: { path, text: readFileSync(path, 'utf8') }, load: nodeLoader, target: 'cpu', context: options.tokens, maxTokens: options.tokens });
if (!bundle) throw new Error(JSON.stringify(diagnostics));
const device = await cpuDevice({ threads: options.threads });
const { session, executable } = await load(bundle, device, { weights: { seed: 1 } });
const entry = [...bundle.plan.entries].sort((a, b) => a.dims.find((d) => d.name === 'tokens').max - b.dims.find((d) => d.name === 'tokens').max).at(-1);
const work = workOf(bundle.plan, entry);
const flop = [...work.values()].reduce((a, b) => a + b, 0);
const prompt = Array.from({ length: options.tokens }, (_, i) => (i * 7919 + 13) % 8192);

async function prefill() {
  const sequence = session.open();
  const started = performance.now();
  await session.run([{ sequence, tokens: prompt, rows: 'last' }], ['next']);
  const seconds = (performance.now() - started) / 1000;
  session.close(sequence);
  return seconds;
}

const peer = await openPeer();
const own = [];
const theirs = [];
await prefill();
for (let run = 0; run < options.runs; run++) {
  own.push(await prefill());
  if (!peer) continue;
  theirs.push(await peer.seconds());
  // The peer's threads wait for more work, spinning, for some time.
  await new Promise((done) => setTimeout(done, 200));
}
peer?.close();
const kernels = [];
if (options.kernels) {
  const least = new Map();
  for (let run = 0; run < options.runs; run++) {
    executable.setTiming(true);
    await prefill();
    for (const t of executable.times()) if (t.launches > 0) least.set(t.kernel, { ...t, nanoseconds: Math.min(t.nanoseconds, least.get(t.kernel)?.nanoseconds ?? Infinity) });
  }
  for (const t of least.values()) {
    const ms = t.nanoseconds / 1e6;
    kernels.push({ kernel: t.kernel, launches: t.launches, ms: round(ms), gigaflops: round((work.get(t.kernel) ?? 0) / ms / 1e6), origin: bundle.plan.kernels.find((k) => k.name === t.kernel).origin.map((o) => o.where).slice(0, 3) });
  }
  kernels.sort((a, b) => b.ms - a.ms);
}
await executable.close();
const gigaflops = flop / median(own) / 1e9;
const blas = peer && (2 * options.size ** 3) / median(theirs) / 1e9;
// Neighbours in time, since a shared machine's clock changes.
const ratio = peer && median(own.map((s, i) => (flop / s) / ((2 * options.size ** 3) / theirs[i])));
const result = {
  date: new Date().toISOString().slice(0, 10), commit: execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim(),
  cpu: cpus()[0].model, device: device.description, threads: options.threads, tokens: options.tokens,
  firn: { gigaflop: round(flop / 1e9), milliseconds: round(median(own) * 1000), runs: own.map((s) => round(s * 1000)), tokensPerSecond: Math.round(options.tokens / median(own)), gigaflops: round(gigaflops) },
  ...(peer ? { openblas: { version: peer.version, size: options.size, runs: theirs.map((s) => round((2 * options.size ** 3) / s / 1e9)), gigaflops: round(blas) }, ratio: round(ratio) } : {}),
  ...(kernels.length > 0 ? { kernels } : {}),
};
console.log(JSON.stringify(result, null, 1));
if (options.out) writeFileSync(options.out, `${JSON.stringify(result, null, 1)}\n`);
process.exit(0);
