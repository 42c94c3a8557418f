/** Builds generated CUDA source with the host compiler, its inline PTX replaced by `simt-host.h`, and runs it. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { evaluateScalar } from '../../compiler/kernels/scalar.js';
import { emitKernel } from '../../backends/cuda/emit.js';
import { bindGlobals } from '../../backends/cuda/global-memory.js';
import type { Kernel } from '../../backends/cuda/lowered.js';

const here = dirname(fileURLToPath(import.meta.url));
const inlinePtx = /asm\s*(volatile)?\s*\(/;

/** The kernel and those of its functions that are plain C++. */
function hostSource(source: string): string {
  const start = source.indexOf('extern "C"');
  const functions = source.slice(0, start).split(/(?=^(?:__device__|template|struct) )/m).filter((f) => !inlinePtx.test(f) && !f.startsWith('struct'));
  const calls = source.slice(start).replace(/wgmma_(\d+)_(rs|ss)\(/g, 'wgmma_$2<$1>(');
  return functions.join('') + calls;
}

/** Runs one launch; written views of `buffers` are replaced by what the kernel left. */
export function emulate(kernel: Kernel, dims: Readonly<Record<string, number>>, buffers: Record<string, Uint8Array>, blocks: number): void {
  const emitted = emitKernel(kernel);
  const folder = mkdtempSync(join(tmpdir(), 'firn-simt-'));
  try {
    for (const v of kernel.views) writeFileSync(join(folder, v.name), buffers[v.name]);
    const programs = kernel.grid.reduce((n, g) => n * evaluateScalar(g.extent, { dims }), 1);
    const count = emitted.persistent ? Math.min(blocks, programs) : programs;
    const globals = bindGlobals(kernel.views, dims, buffers);
    const bytes = kernel.views.map((v) => `  std::vector<unsigned char> bytes_${v.name} = read_file(folder + "/${v.name}");`);
    const maps = kernel.maps.map((m) => {
      const bound = globals.get(m.view)!;
      const list = (values: readonly number[]): string => `{${[...values].reverse().join(', ')}}`;
      return `  const Tensor tensor_${m.name} = {bytes_${m.view}.data(), ${bound.size}, ${m.box.length}, ${list(bound.extents)}, ${list(bound.strides.map((s) => s * bound.size))}, ${list(m.box)}, ${m.swizzle}};`;
    });
    const args = emitted.parameters.map((p) => (p.kind === 'view' ? `(decltype(arg_${p.name}))bytes_${p.name}.data()` : p.kind === 'map' ? `tensor_map(&tensor_${p.name})` : String(dims[p.name])));
    const types = kernel.views.map((v) => `  ${v.dtype === 'f32' ? 'float' : v.dtype === 'bf16' ? 'unsigned short' : v.dtype === 'i32' ? 'int' : 'unsigned'}* arg_${v.name} = nullptr;`);
    const outputs = kernel.views.filter((v) => v.access !== 'read').map((v) => `  write_file(folder + "/${v.name}", bytes_${v.name});`);
    const main = [
      'int main(int, char** argv) {', '  const std::string folder = argv[1];', ...bytes, ...maps, ...types,
      ...kernel.views.map((v) => `  (void)arg_${v.name};`),
      `  launch(${count}, ${emitted.threads}, [&] { ${emitted.name}(${args.join(', ')}); });`, ...outputs, '}',
    ];
    writeFileSync(join(folder, 'kernel.cc'), ['#include "simt-host.h"', hostSource(emitted.source), ...main, ''].join('\n'));
    const built = spawnSync('g++', ['-std=c++17', '-O1', '-w', `-I${here}`, '-o', join(folder, 'kernel'), join(folder, 'kernel.cc')], { encoding: 'utf8' });
    if (built.status !== 0) throw new Error(built.stderr.slice(0, 2000));
    execFileSync(join(folder, 'kernel'), [folder], { timeout: 60_000 });
    for (const v of kernel.views) if (v.access !== 'read') buffers[v.name] = new Uint8Array(readFileSync(join(folder, v.name)));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
