import { describe, expect, it } from 'vitest';
import { printProgram, programHash } from '../../compiler/kernels/print.js';
import { dim, int, variable } from '../../compiler/ir/kernel.js';
import { ceilDivide, element, evaluateScalar, floorDivide, lessThan, maximum, minimum, minus, modulo, plus, printScalar, times } from '../../compiler/kernels/scalar.js';
import { attention, everySample, groupedMatmul, matmul } from './samples.js';

describe('the text of a tile program', () => {
  it('reads like the program', () => {
    expect(printProgram(matmul({ tokens: 19, n: 75, k: 130 }).program)).toMatchInlineSnapshot(`
      "program matmul_panel_f32(
        x: read f32 [tokens: tokens, k: 130],
        w: read f32 [n: 75, k: 130] panel[n, k; n by 16],
        y: write f32 [tokens: tokens, n: 75],
      )
        grid tokens: (tokens + 15) / 16, n: 2
        %0 = full 0 : f32 [tokens: 16, n: 64]
        for k in 0 .. 130 step 64 carrying %0 as %1
          %2 = load x[tokens: tokens * 16 ..+16, k: k ..+64] : f32 [tokens: 16, k: 64]
          %3 = load w[n: n * 64 ..+64, k: k ..+64] : f32 [n: 64, k: 64]
          %4 = dot %2, %3 over k onto %1 : f32 [tokens: 16, n: 64]
          next %4 -> %5 : f32 [tokens: 16, n: 64]
        store y[tokens: tokens * 16 ..+16, n: n * 64 ..+64] = %5
      "
    `);
  });

  it('shows dynamic bounds, index tiles and fills', () => {
    const text = printProgram(groupedMatmul({ tokens: 23, experts: 6, active: 3, n: 45, k: 70 }).program);
    expect(text).toContain('let end = offsets[expert + 1]');
    expect(text).toContain('for row in offsets[expert] .. end step 8\n');
    expect(text).toContain('load members[rows: row ..+8 below end] fill -1 : i32 [rows: 8]');
    expect(text).toMatch(/load x\[%\d+, k: k \.\.\+64\]/);
  });

  it('is the same for the same program, and so is the hash', () => {
    const [once, twice] = [everySample(), everySample()];
    once.forEach((s, i) => {
      expect(printProgram(s.program)).toBe(printProgram(twice[i].program));
      expect(programHash(s.program)).toBe(programHash(twice[i].program));
    });
    expect(new Set(once.map((s) => programHash(s.program))).size).toBeGreaterThan(15);
  });

  it('puts every view, grid axis and origin of a program into its text', () => {
    const { program } = attention({ lengths: [3], past: [0], kvHeads: 1, group: 1, size: 4, valueSize: 4, block: 4 });
    const text = printProgram({ ...program, origin: [{ what: 'attend', where: 'model.firn:12' }], schedule: { threads: 4 } });
    for (const view of program.views) expect(text).toContain(`${view.name}: `);
    for (const axis of program.grid) expect(text).toContain(`${axis.name}: `);
    expect(text).toContain('# attend  model.firn:12');
    expect(text).toContain('schedule threads = 4');
    expect(printProgram({ ...program, origin: [{ what: 'attend', where: 'model.firn:12' }] }, { sources: false })).not.toContain('model.firn');
  });
});

describe('scalars', () => {
  const t = variable('t');
  it('fold while they are written', () => {
    expect(plus(plus(t, 3), 4)).toEqual(plus(t, 7));
    expect(times(times(2, t), 8)).toEqual(times(t, 16));
    expect([plus(t, 0), times(t, 1), floorDivide(t, 1)]).toEqual([t, t, t]);
    expect([ceilDivide(7, 4), floorDivide(-7, 4), modulo(-7, 4), minimum(3, 2), maximum(3, 2), lessThan(1, 2), times(t, 0), modulo(t, 1)]).toEqual([2, -2, 1, 2, 3, 1, 0, 0].map(int));
  });

  it('evaluate with floors', () => {
    const env = { dims: { n: -7 }, variables: { t: 5 }, element: (_: string, at: readonly number[]) => at[0] * 10 };
    expect(evaluateScalar(floorDivide(dim('n'), 4), env)).toBe(-2);
    expect(evaluateScalar(modulo(dim('n'), 4), env)).toBe(1);
    expect(evaluateScalar(minus(element('list', plus(t, 1)), t), env)).toBe(55);
    expect(evaluateScalar(floorDivide(t, minus(t, 5)), env)).toBe(0);
    expect(() => evaluateScalar(dim('m'), env)).toThrow(/dim 'm'/);
  });

  it('print with as few parentheses as needed', () => {
    expect(printScalar(times(plus(t, 1), 4))).toBe('(t + 1) * 4');
    expect(printScalar(minus(dim('n'), plus(t, dim('m'))))).toBe('n - (t + m)');
    expect(printScalar(floorDivide(plus(dim('n'), 15), 16))).toBe('(n + 15) / 16');
    expect(printScalar(minimum(t, element('list', t, 2)))).toBe('minimum(t, list[t, 2])');
  });
});
