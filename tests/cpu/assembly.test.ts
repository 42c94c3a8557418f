/** The machine code of inner loops: accumulators stay in registers. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { buildKernels } from '../../backends/cpu/build.js';
import { emitKernel, emitSource } from '../../backends/cpu/emit.js';
import { levels } from '../../backends/cpu/levels.js';
import { matmul, type MatmulSizes } from '../kernels/samples.js';

interface Instruction { readonly at: number; readonly text: string; readonly target?: number }

async function disassemble(sizes: MatmulSizes): Promise<Instruction[]> {
  const level = levels.find((l) => l.name === 'v3')!;
  const sample = matmul(sizes);
  const kernel = emitKernel(sample.program, [{ name: 'tokens', max: 64 }], level);
  const [library] = await buildKernels([emitSource([kernel])], level);
  const { stdout } = await promisify(execFile)('objdump', ['-d', '--no-show-raw-insn', library], { maxBuffer: 1 << 26 });
  const body = stdout.slice(stdout.indexOf(`<${kernel.symbol}>:`)).split('\n\n')[0];
  return body.split('\n').flatMap((line): Instruction[] => {
    const m = /^\s*([0-9a-f]+):\s+(.*)$/.exec(line);
    if (!m) return [];
    const jump = /^j\w+\s+([0-9a-f]+) </.exec(m[2]);
    return [{ at: parseInt(m[1], 16), text: m[2].trim(), ...(jump ? { target: parseInt(jump[1], 16) } : {}) }];
  });
}

/** Loops without loops inside that multiply and add vectors. */
function innermostSums(code: readonly Instruction[]): Instruction[][] {
  const loops = code.filter((i) => i.target !== undefined && i.target < i.at).map((i) => code.filter((x) => x.at >= i.target! && x.at <= i.at));
  const inner = loops.filter((l) => !loops.some((m) => m.length < l.length && m[0].at >= l[0].at && m[m.length - 1].at <= l[l.length - 1].at));
  return inner.filter((l) => l.filter((i) => /^vfmadd.*ymm/.test(i.text)).length >= 4);
}

const isVectorStore = (i: Instruction): boolean => /^vmov\w+ +%ymm\d+,.*\)$/.test(i.text);

describe('inner loops on AVX2', () => {
  const cases: readonly (MatmulSizes & { readonly what: string; readonly sums: number })[] = [
    { what: '6 rows by 16 lanes of f32 panels', tokens: 48, n: 64, k: 256, bm: 48, bn: 64, bk: 256, weight: 'panel-bf16', sums: 12 },
    { what: 'one row of bf16 panels', tokens: 1, n: 64, k: 256, bm: 1, bn: 64, bk: 256, weight: 'panel-bf16', sums: 4 },
    { what: 'one row of int4', tokens: 1, n: 64, k: 256, bm: 1, bn: 64, bk: 256, weight: 'int4', sums: 32 },
  ];
  for (const c of cases) it(`${c.what}: no sum is stored in the loop`, async () => {
    const loops = innermostSums(await disassemble(c));
    expect(loops.length).toBeGreaterThan(0);
    expect(Math.max(...loops.map((l) => l.filter((i) => /^vfmadd/.test(i.text)).length))).toBeGreaterThanOrEqual(c.sums);
    for (const l of loops) {
      // One int4 group ends with one store per vector of results, if the loop over its words was unrolled.
      const stores = l.filter(isVectorStore);
      expect(stores.filter((i) => /%r[sb]p/.test(i.text)).map((i) => i.text)).toEqual([]);
      if (c.weight !== 'int4') expect(stores.map((i) => i.text)).toEqual([]);
    }
  });
});

describe('levels that this processor may lack', () => {
  for (const level of levels) it(`${level.label} code compiles`, async () => {
    const kernels = (['int4', 'panel-bf16', 'dense-f32'] as const).map((weight) => emitKernel(matmul({ tokens: 20, n: 40, k: 320, bm: 16, bn: 40, bk: 320, weight }).program, [{ name: 'tokens', max: 64 }], level));
    await expect(buildKernels([emitSource(kernels)], level)).resolves.toHaveLength(1);
  });
});
