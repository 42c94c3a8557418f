import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { lowerProgram } from '../../backends/cuda/lower.js';
import type { LowerOptions } from '../../backends/cuda/lowering.js';
import type { Program } from '../../compiler/ir/kernel.js';
import { attendModule, copyOf, expertsModule, launchCase, matmulModule, programsOf, type Case } from './cases.js';
import { compareWritten } from './difference.js';
import { emulate } from './emulate.js';

const present = spawnSync('g++', ['--version']).status === 0;

const named = (programs: readonly Program[], part: string): Program => programs.find((p) => p.name.includes(part))!;
const pages = Array.from({ length: 24 }, (_, i) => (i * 11) % 30);
const routed = { spans: [0, 5, 5, 0, 5, 9, 14, 1, 15, 2], rows: Array.from({ length: 24 }, (_, i) => (i * 7 + 1) % 24) };

const cases: readonly [string, () => Case, LowerOptions][] = [
  ['bf16 matmul, sm_80', () => launchCase(named(programsOf(matmulModule(40, 88), 'cuda:sm_80', false, { rows: 32, lanes: 32, k: 32 }), 'contract'), { tokens: 45 }), { architecture: 'sm_80', stages: 3, warps: 4 }],
  ['bf16 matmul, sm_90a', () => launchCase(named(programsOf(matmulModule(40, 152), 'cuda:sm_90a', false, { rows: 128, lanes: 32, k: 64 }), 'contract'), { tokens: 150 }), { architecture: 'sm_90a', stages: 2, warps: 8 }],
  ['4-bit grouped experts, sm_80', () => launchCase(named(programsOf(expertsModule(4, 2, 40, 96, 32), 'cuda:sm_80', false, { rows: 16, lanes: 64 }), 'grouped'), { tokens: 12 }, routed), { architecture: 'sm_80', stages: 3, warps: 4 }],
  ['4-bit grouped experts, sm_90a', () => launchCase(named(programsOf(expertsModule(4, 2, 72, 160, 32), 'cuda:sm_90a', false, { rows: 16, lanes: 64 }), 'grouped'), { tokens: 12 }, routed), { architecture: 'sm_90a', stages: 3, warps: 4 }],
  ['attention, sm_80', () => launchCase(named(programsOf(attendModule(20, 24, 8, 4), 'cuda:sm_80', true, { heads: 32, keys: 16 }), 'attend'), { tokens: 3, sequences: 2, blocks: 12, slots: 120 }, { position: [0, 15, 40], sequence: [0, 1, 0], blocks: pages }), { architecture: 'sm_80', stages: 2, warps: 4 }],
];

describe.skipIf(!present)(`the generated source, run thread by thread on the host, means what the tile program means${present ? '' : ' (needs g++: apt-get install g++)'}`, () => {
  it.each(cases)('%s', (_, make, options) => {
    const c = make();
    const got = copyOf(c);
    emulate(lowerProgram(c.program, options), c.dims, got, 2);
    // One step of bf16 where the result is stored as bf16.
    expect(compareWritten(c, got)).toBeLessThan(c.program.name.includes('contract') ? 4e-3 : 1e-4);
  }, 60_000);
});
