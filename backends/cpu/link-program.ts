/** Kernels and core linked into one program that needs neither Node nor a compiler. */
import { mkdtempSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bundle } from '../../compiler/ir/plan.js';
import { buildKernels, compileCpp } from './build.js';
import { buildStandaloneCore } from './build-native.js';
import { emitKernels } from './compile-kernels.js';
import type { Level } from './levels.js';
import { unfinished } from './unfinished.js';

/** The program's bytes; it finds plan and weights behind its own end (see runtime/program-file.ts). Throws DeviceError. */
export async function linkProgram(bundle: Bundle, level: Level): Promise<Uint8Array> {
  const { sources, symbols } = emitKernels(bundle, level);
  const [objects, core] = [await buildKernels(sources, level, 'object'), await buildStandaloneCore()];
  const work = mkdtempSync(join(tmpdir(), 'firn-link-'));
  return unfinished(work, async () => {
    const [table, program] = [join(work, 'kernels.cc'), join(work, 'program')];
    await writeFile(table, kernelTable(bundle.plan.kernels.map((k) => k.name), symbols));
    await compileCpp(['-std=c++20', '-O1', table, core, ...new Set(objects), '-o', program, '-s', '-pthread', '-ldl', '-lm'], 'a standalone program');
    return await readFile(program);
  });
}

/** What runtime/native/standalone.cc expects: kernels by name. The two declarations repeat those of firn.h. */
function kernelTable(names: readonly string[], symbols: readonly string[]): string {
  return [
    '#include <cstddef>', '#include <cstdint>', 'extern "C" {',
    'typedef void (*firn_function)(const void* const*, const int64_t*, int64_t, int64_t);',
    'typedef struct { const char* kernel; const char* library; const char* symbol; firn_function function; } firn_kernel;',
    ...[...new Set(symbols)].map((s) => `void ${s}(const void* const*, const int64_t*, int64_t, int64_t);`),
    'extern const firn_kernel firn_kernels[] = {', ...names.map((name, i) => `  {${JSON.stringify(name)}, nullptr, nullptr, ${symbols[i]}},`), '};',
    `extern const size_t firn_kernel_count = ${names.length};`, '}', '',
  ].join('\n');
}
