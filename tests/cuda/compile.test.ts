import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { emitKernel, type CudaKernel } from '../../backends/cuda/emit.js';
import { lowerProgram } from '../../backends/cuda/lower.js';
import type { LowerOptions } from '../../backends/cuda/lowering.js';
import { expertsModule, flagshipPrograms, matmulModule, programsOf } from './cases.js';
import type { Program } from '../../compiler/ir/kernel.js';

const present = spawnSync('nvcc', ['--version']).status === 0;
const without = present ? '' : ' (needs nvcc 12.4 or newer, no GPU: PATH="$(scripts/install-nvcc.sh):$PATH")';
const folder = mkdtempSync(join(tmpdir(), 'firn-cuda-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** PTX, and what the compiler and the assembler said of registers, stack and spills. */
function compile(kernel: CudaKernel, architecture: string): { ptx: string; log: string } {
  const [source, ptx, cubin] = ['cu', 'ptx', 'cubin'].map((end) => join(folder, `${kernel.name}_${architecture}.${end}`));
  writeFileSync(source, kernel.source);
  const front = spawnSync('nvcc', [`-arch=${architecture}`, '-ptx', '-o', ptx, source], { encoding: 'utf8' });
  if (front.status !== 0) throw new Error(front.stderr + front.stdout);
  const back = spawnSync('ptxas', [`-arch=${architecture}`, '-v', '-o', cubin, ptx], { encoding: 'utf8' });
  if (back.status !== 0) throw new Error(back.stderr + back.stdout);
  return { ptx: readFileSync(ptx, 'utf8'), log: front.stderr + front.stdout + back.stderr + back.stdout };
}

const named = (programs: readonly Program[], part: string): Program => programs.find((p) => p.name.includes(part))!;

/** Experts and attention are the kernels of full K2; the matmul has its widths. */
const kernels: readonly { name: string; program: () => Program; options: LowerOptions; wants: readonly string[] }[] = [
  {
    name: 'bf16 matmul, sm_80', program: () => named(programsOf(matmulModule(7168, 2048), 'cuda:sm_80', false), 'contract'), options: { architecture: 'sm_80', stages: 4, warps: 8 },
    wants: ['mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32', 'ldmatrix.sync.aligned.m8n8.x4.shared.b16', 'cp.async.cg.shared.global', 'cp.async.wait_group 2'],
  },
  {
    name: 'bf16 matmul, sm_90a', program: () => named(programsOf(matmulModule(7168, 2048), 'cuda:sm_90a', false, { lanes: 256 }), 'contract'), options: { architecture: 'sm_90a', stages: 4, warps: 8 },
    wants: ['wgmma.mma_async.sync.aligned.m64n256k16.f32.bf16.bf16', 'cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes', 'mbarrier.try_wait.parity', 'mbarrier.arrive.expect_tx', 'setmaxnreg.inc', 'setmaxnreg.dec', 'wgmma.wait_group.sync.aligned 1'],
  },
  {
    name: '4-bit grouped experts, sm_80', program: () => named(programsOf(expertsModule(384, 8, 2048, 7168, 32), 'cuda:sm_80', false, { rows: 32 }), 'grouped'), options: { architecture: 'sm_80', stages: 4, warps: 4 },
    wants: ['mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32', 'fma.rn.bf16x2', 'ld.shared.v4.u32', 'cp.async.cg.shared.global'],
  },
  {
    name: '4-bit grouped experts of full K2, sm_90a', program: () => named(flagshipPrograms('cuda:sm_90a'), 'grouped'), options: { architecture: 'sm_90a', stages: 4, warps: 8 },
    wants: ['wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16', 'cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes', 'mbarrier.try_wait.parity', 'mbarrier.arrive.expect_tx', 'fence.proxy.async', 'fma.rn.bf16x2'],
  },
  {
    name: 'attention of full K2 at decode, sm_80', program: () => named(flagshipPrograms('cuda:sm_80').filter((p) => p.name.startsWith('decode')), 'attend'), options: { architecture: 'sm_80', stages: 2, warps: 8 },
    wants: ['mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32', 'ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16', 'cp.async.cg.shared.global', 'shfl.sync.bfly'],
  },
];

describe.skipIf(!present)(`nvcc and ptxas accept generated kernels without spills${without}`, () => {
  it.each(kernels)('$name', ({ program, options, wants }) => {
    const kernel = emitKernel(lowerProgram(program(), options));
    const { ptx, log } = compile(kernel, options.architecture);
    expect(log).toContain('0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads');
    expect(log).not.toMatch(/C75\d\d|warning/i);
    for (const instruction of wants) expect(ptx).toContain(instruction);
    const registers = Number(/Used (\d+) registers/.exec(log)![1]);
    expect(registers * kernel.threads).toBeLessThanOrEqual(65536);
  }, 60_000);
});
