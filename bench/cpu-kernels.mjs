/**
 * Generated CPU kernels one by one, next to what this machine can do at most, measured in the same process: reading
 * memory, multiplying and adding, and handing work to a thread. Prints JSON.
 *
 *   node bench/cpu-kernels.mjs [--threads 2] [--seconds 0.3] [--only NAME] [--out FILE]
 */
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, loadavg } from 'node:os';
import { buildAddon } from '../dist/backends/cpu/build-native.js';
import { buildKernels } from '../dist/backends/cpu/build.js';
import { emitKernel, emitSource } from '../dist/backends/cpu/emit.js';
import { chooseLevel } from '../dist/backends/cpu/levels.js';
import { dim } from '../dist/compiler/ir/kernel.js';
import { ProgramBuilder, range } from '../dist/compiler/kernels/build.js';
import { packedBytes } from '../dist/compiler/kernels/packing-address.js';
import { ceilDivide, times } from '../dist/compiler/kernels/scalar.js';

const options = { threads: 2, seconds: 0.3, only: '', out: '' };
for (let i = 2; i < process.argv.length; i += 2) options[process.argv[i].slice(2)] = typeof options[process.argv[i].slice(2)] === 'number' ? Number(process.argv[i + 1]) : process.argv[i + 1];

const level = await chooseLevel();
const { Executable } = createRequire(import.meta.url)(await buildAddon());

// Limits of the machine, in the form of kernels: programs 0 .. n - 1 on all threads.
const limits = `
#include "kernel.h"
extern "C" void read_memory(const void* const* views, const int64_t*, int64_t begin, int64_t end) {
  const int64_t part = (64 << 20) / 16 / 4;  // floats per program: 64 MiB in 16
  vf sum[4] = {};
  for (int64_t p = begin; p < end; ++p)
    for (int64_t i = 0; i < part / 4; i += 2 * FIRN_LANES)
      for (int s = 0; s < 4; ++s) {
        const float* at = (const float*)views[0] + p * part + s * (part / 4) + i;
        __builtin_prefetch(at + 256);
        sum[s] += load(at) + load(at + FIRN_LANES);
      }
  ((volatile float*)views[1])[begin] = (sum[0] + sum[1] + sum[2] + sum[3])[0];
}
extern "C" void multiply_add(const void* const* views, const int64_t*, int64_t begin, int64_t end) {
  vf s0 = {}, s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0, s7 = s0, s8 = s0, s9 = s0, x = splat(*(const float*)views[0]);
  for (int64_t n = (end - begin) * 20000; n > 0; --n) {
    s0 += x * x; s1 += x * x; s2 += x * x; s3 += x * x; s4 += x * x; s5 += x * x; s6 += x * x; s7 += x * x; s8 += x * x; s9 += x * x;
    asm volatile("" : "+x"(s0), "+x"(s1), "+x"(s2), "+x"(s3), "+x"(s4), "+x"(s5), "+x"(s6), "+x"(s7), "+x"(s8), "+x"(s9), "+x"(x));
  }
  ((volatile float*)views[1])[begin] = (s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7 + s8 + s9)[0];
}
extern "C" void nothing(const void* const*, const int64_t*, int64_t, int64_t) {}
`;

/** Nanoseconds of one launch: the least of many, in runs of `repeat` launches over `copies` sets of buffers. */
async function measure({ library, symbol, grid, buffers, dims, repeat, copies = 1 }) {
  const plan = {
    version: 1, ranks: 1, dims: Object.entries(dims).map(([name, max]) => ({ name, max })),
    buffers: buffers.map((bytes, i) => ({ id: `b${i}`, bytes: bytes * copies })), states: [], constants: [], kernels: [{ name: symbol }],
    entries: [{ name: 'run', dims: [], inputs: [], outputs: [], steps: [{
      kind: 'repeat', variable: 'i', count: copies === 1 ? repeat : copies, reverse: false, body: [{
        kind: 'launch', kernel: symbol, grid: [{ kind: 'int', value: grid }],
        args: buffers.map((bytes, i) => ({ buffer: `b${i}`, bytes, offset: { base: 0, terms: copies === 1 ? [] : [{ variable: 'i', stride: bytes }] } })),
      }],
    }] }],
  };
  const exec = new Executable(JSON.stringify(plan), [{ kernel: symbol, library, symbol }], options.threads);
  // Small numbers as f32, and codes with scales near 1 as int4: no infinities, no denormals.
  buffers.forEach((bytes, i) => exec.write(`b${i}`, 0, new Uint8Array(new Uint32Array((bytes * copies) >> 2).map((_, j) => 0x3c003c00 + (j & 0xff00ff)).buffer)));
  let least = Infinity;
  for (const end = performance.now() + options.seconds * 1000; performance.now() < end;) {
    exec.setTiming(true);
    await exec.run({ entry: 'run', dims: {}, inputs: {}, outputs: {} });
    const [t] = exec.times();
    least = Math.min(least, t.nanoseconds / t.launches);
  }
  exec.close();
  return least;
}

function weight(kind, n, k) {
  const order = ['n', 'k'];
  const [packing, dtype] = kind === 'int4' ? [{ kind: 'int4', order, lanes: 'n', width: 8, group: 32 }, 'f32']
    : kind === 'rows' ? [{ kind: 'dense', order }, 'bf16'] : [{ kind: 'panel', order, lanes: 'n', width: 8 }, kind];
  return { packing, dtype, bytes: packedBytes(packing, [{ name: 'n', size: n }, { name: 'k', size: k }], dtype) };
}

/** y[rows, n] = x[rows, k] w[n, k], `lanes` of n per program. */
function product({ kind, rows, n, k, lanes, cold }) {
  const { packing, dtype, bytes } = weight(kind, n, k);
  const name = `${rows === 1 ? 'matvec' : 'matmul'}_${kind}_${rows}x${n}x${k}${cold ? '_cold' : ''}`;
  const p = new ProgramBuilder(name);
  const x = p.view('x', 'f32', 'read', { tokens: dim('tokens'), k });
  const w = p.view('w', dtype, 'read', { n, k }, { packing });
  const y = p.view('y', 'f32', 'write', { tokens: dim('tokens'), n });
  const block = Math.min(rows, 48);
  const columns = range('n', times(p.gridAxis('n', Math.ceil(n / lanes)), lanes), lanes);
  const token = p.gridAxis('tokens', ceilDivide(dim('tokens'), block));
  const at = rows === 1 ? token : range('tokens', times(token, block), block);
  p.store(y, [at, columns], p.dot(p.load(x, [at, range('k', 0, k)]), p.load(w, [columns, range('k', 0, k)]), { over: ['k'] }));
  return { name, program: p.finish(), bytes, flops: 2 * rows * n * k, grid: Math.ceil(n / lanes) * Math.ceil(rows / block), buffers: [rows * k * 4, bytes, rows * n * 4], rows, cold };
}

const cases = [
  { kind: 'int4', rows: 1, n: 2048, k: 2048, lanes: 128 }, { kind: 'int4', rows: 1, n: 512, k: 512, lanes: 64 }, { kind: 'int4', rows: 1, n: 256, k: 512, lanes: 32 },
  { kind: 'int4', rows: 1, n: 2048, k: 7168, lanes: 128, cold: true }, { kind: 'bf16', rows: 1, n: 2048, k: 2048, lanes: 128 }, { kind: 'bf16', rows: 1, n: 2048, k: 7168, lanes: 128, cold: true },
  { kind: 'f32', rows: 1, n: 512, k: 512, lanes: 64 }, { kind: 'rows', rows: 1, n: 2048, k: 2048, lanes: 128 },
  { kind: 'int4', rows: 4, n: 2048, k: 2048, lanes: 128 }, { kind: 'int4', rows: 16, n: 2048, k: 2048, lanes: 128 }, { kind: 'int4', rows: 64, n: 2048, k: 2048, lanes: 128 },
  { kind: 'int4', rows: 256, n: 512, k: 512, lanes: 128 }, { kind: 'f32', rows: 256, n: 512, k: 512, lanes: 128 }, { kind: 'bf16', rows: 64, n: 2048, k: 2048, lanes: 128 }, { kind: 'rows', rows: 64, n: 2048, k: 2048, lanes: 128 },
].map(product).filter((c) => c.name.includes(options.only));

const [library] = await buildKernels([limits], level);
const nothing = await measure({ library, symbol: 'nothing', grid: 2 * options.threads, buffers: [64], dims: {}, repeat: 200 });
const read = (64 << 20) / await measure({ library, symbol: 'read_memory', grid: 16, buffers: [64 << 20, 4096], dims: {}, repeat: 1 });
const fma = (64 * 20000 * 10 * level.lanes * 2) / await measure({ library, symbol: 'multiply_add', grid: 64, buffers: [4096, 4096], dims: {}, repeat: 1 });

const kernels = [];
for (const c of cases) {
  const kernel = emitKernel(c.program, [{ name: 'tokens', max: c.rows }], level);
  const [own] = await buildKernels([emitSource([kernel])], level);
  const ns = await measure({ library: own, symbol: kernel.symbol, grid: c.grid, buffers: c.buffers, dims: { tokens: c.rows }, repeat: 5, copies: c.cold ? Math.ceil((256 << 20) / c.bytes) : 1 });
  const round = (x) => Math.round(x * 100) / 100;
  kernels.push({ name: c.name, us: round(ns / 1000), gigabytesPerSecond: round(c.bytes / ns), gigaflops: round(c.flops / ns), shareOfRead: round(c.bytes / ns / read), shareOfPeak: round(c.flops / ns / fma) });
}
const result = {
  date: new Date().toISOString().slice(0, 10), cpu: cpus()[0].model, level: level.label, threads: options.threads, load: loadavg()[0],
  limits: { launchNanoseconds: Math.round(nothing), readGigabytesPerSecond: Math.round(read * 10) / 10, gigaflops: Math.round(fma * 10) / 10 }, kernels,
};
console.log(JSON.stringify(result, null, 1));
if (options.out) writeFileSync(options.out, `${JSON.stringify(result, null, 1)}\n`);
