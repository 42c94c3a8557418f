import { describe, expect, it } from 'vitest';
import { lowerProgram } from '../../backends/cuda/lower.js';
import type { LowerOptions } from '../../backends/cuda/lowering.js';
import type { Program } from '../../compiler/ir/kernel.js';
import { attendModule, expertsModule, launchCase, matmulModule, programsOf, type Case } from './cases.js';
import { differenceOf } from './difference.js';

function difference(c: Case, options: LowerOptions, seed: number, blocks?: number): number {
  return differenceOf(c, lowerProgram(c.program, options), { seed, ...(blocks ? { blocks } : {}) });
}

const named = (programs: readonly Program[], part: string): Program => programs.find((p) => p.name.includes(part))!;

describe('bf16 matmul', () => {
  // Rows, columns and depth off the tiles; rings longer and shorter than the loop; more warps than columns need.
  const cases = [
    { tokens: 1, n: 8, k: 8, stages: 4, warps: 1 }, { tokens: 45, n: 40, k: 88, stages: 2, warps: 4 },
    { tokens: 17, n: 72, k: 32, stages: 3, warps: 2 }, { tokens: 32, n: 32, k: 200, stages: 5, warps: 8 },
  ];
  it.each(cases)('sm_80: $tokens x $n x $k, $stages stages, $warps warps', ({ tokens, n, k, stages, warps }) => {
    const program = named(programsOf(matmulModule(n, k, 'f32'), 'cuda:sm_80', false, { rows: 32, lanes: 32, k: 32 }), 'contract');
    expect(difference(launchCase(program, { tokens }), { architecture: 'sm_80', stages, warps }, tokens)).toBeLessThan(1e-6);
  });
  it.each([{ tokens: 70, n: 40, k: 88, stages: 3, blocks: 2 }, { tokens: 1, n: 16, k: 8, stages: 2, blocks: 1 }, { tokens: 130, n: 8, k: 200, stages: 4, blocks: 1 }])('sm_90a: $tokens x $n x $k, $stages stages, $blocks blocks', ({ tokens, n, k, stages, blocks }) => {
    const program = named(programsOf(matmulModule(n, k, 'f32'), 'cuda:sm_90a', false, { rows: 64, lanes: 16, k: 32 }), 'contract');
    expect(difference(launchCase(program, { tokens }), { architecture: 'sm_90a', stages, warps: 4 }, tokens, blocks)).toBeLessThan(1e-6);
  });
  it('sm_90a with two consumer warpgroups', () => {
    const program = named(programsOf(matmulModule(24, 72, 'f32'), 'cuda:sm_90a', false, { rows: 128, lanes: 16, k: 64 }), 'contract');
    expect(difference(launchCase(program, { tokens: 90 }), { architecture: 'sm_90a', stages: 2, warps: 8 }, 3)).toBeLessThan(1e-6);
  });
});

describe('4-bit grouped experts', () => {
  // Expert 1 has no rows, 3 has one, 2 has more than a tile; three rows have no expert.
  const spans = [0, 5, 5, 0, 5, 20, 25, 1, 26, 3];
  const rows = Array.from({ length: 40 }, (_, i) => (i * 7 + 1) % 40);
  it.each([
    { architecture: 'sm_80', group: 32, width: 40, k: 96, stages: 3 }, { architecture: 'sm_80', group: 16, width: 64, k: 64, stages: 2 },
    { architecture: 'sm_90a', group: 32, width: 72, k: 96, stages: 2 }, { architecture: 'sm_90a', group: 64, width: 40, k: 64, stages: 3 },
  ] as const)('$architecture: group $group, $width x $k, $stages stages', ({ architecture, group, width, k, stages }) => {
    const program = named(programsOf(expertsModule(4, 2, width, k, group), `cuda:${architecture}`, false, { rows: 16, lanes: 64 }), 'grouped');
    expect(difference(launchCase(program, { tokens: 20 }, { spans, rows }), { architecture, stages, warps: 4 }, group, 2)).toBeLessThan(1e-6);
  });
});

describe('attention on a shared cache', () => {
  // One key, a full last stretch, and one key beyond it; heads and columns off the tiles.
  it.each([{ heads: 20, value: 24, extra: 8, keys: 16, stages: 2 }, { heads: 5, value: 32, extra: 16, keys: 32, stages: 3 }])('sm_80: $heads heads, $value + $extra, $keys keys', ({ heads, value, extra, keys, stages }) => {
    const program = named(programsOf(attendModule(heads, value, extra, 4), 'cuda:sm_80', true, { heads: 32, keys }), 'attend');
    const given = { position: [0, keys - 1, keys], sequence: [0, 1, 0], blocks: Array.from({ length: 24 }, (_, i) => (i * 11) % 30) };
    const c = launchCase(program, { tokens: 3, sequences: 2, blocks: 12, slots: 120 }, given);
    expect(difference(c, { architecture: 'sm_80', stages, warps: 4 }, heads)).toBeLessThan(4e-5);
  });
});
