/** Launches are bound so that WebGPU accepts them at its default limits, whatever regions the plan gives them. */
import { describe, expect, test } from 'vitest';
import { emitWgsl } from '../../backends/wgsl/emit.js';
import { bindLaunch, type BoundPlace, type LaunchBindings } from '../../backends/wgsl/plan-bindings.js';
import { gpuTuning, rasteriserTuning } from '../../backends/wgsl/tuning.js';
import type { Program } from '../../compiler/ir/kernel.js';
import { ProgramBuilder, range } from '../../compiler/kernels/build.js';
import { everySample } from '../kernels/samples.js';

/** y = x0 + x1 + .. */
function sum(inputs: number): Program {
  const p = new ProgramBuilder('sum');
  const views = Array.from({ length: inputs }, (_, i) => p.view(`x${i}`, 'f32', 'read', { i: 64 }));
  const y = p.view('y', 'f32', 'write', { i: 64 });
  p.store(y, [range('i', 0, 64)], views.map((v) => p.load(v, [range('i', 0, 64)])).reduce((a, b) => p.add(a, b)));
  return p.finish();
}

const at = (buffer: string, offset: number, bytes = 256): BoundPlace => ({ buffer, offset, bytes });

/** The rules of WebGPU that a dispatch must keep. */
function expectLegal({ kernel, ranges }: LaunchBindings): void {
  const access = ranges.map((_, b) => kernel.views.find((v) => v.binding === b)!.access);
  expect(ranges.length).toBeLessThanOrEqual(8);
  for (const v of kernel.views) expect(v.access).toBe(access[v.binding]);
  ranges.forEach((r, i) => {
    expect(r.offset % 256).toBe(0);
    ranges.forEach((s, j) => {
      if (i === j || r.buffer !== s.buffer) return;
      expect(access[i]).toBe(access[j]);
      if (access[i] === 'read_write') expect(r.offset + r.bytes <= s.offset || s.offset + s.bytes <= r.offset).toBe(true);
    });
  });
}

describe('bindings of a launch', () => {
  test('one per view where buffers differ', () => {
    const b = bindLaunch(sum(2), [at('weights', 512), at('input', 0), at('scratch', 256)], []);
    expectLegal(b);
    expect(b.kernel.views.map((v) => [v.binding, v.access, v.offset])).toEqual([[0, 'read', 'none'], [1, 'read', 'none'], [2, 'read_write', 'none']]);
    expect(b.starts).toEqual([]);
  });

  test('a buffer that is read and written is bound for writing, in ranges that do not overlap', () => {
    const b = bindLaunch(sum(2), [at('scratch', 0), at('scratch', 1024), at('scratch', 256)], []);
    expectLegal(b);
    expect(b.kernel.views.every((v) => v.access === 'read_write')).toBe(true);
    expect(new Set(b.kernel.views.map((v) => v.binding)).size).toBe(3);
  });

  test('ranges that would overlap when aligned are bound together', () => {
    const b = bindLaunch(sum(2), [at('scratch', 64, 64), at('scratch', 128, 64), at('scratch', 192, 64)], []);
    expectLegal(b);
    expect(b.ranges).toEqual([{ buffer: 'scratch', offset: 0, bytes: 256 }]);
    expect(b.starts).toEqual([16, 32, 48]);
  });

  test('more views than bindings share them', () => {
    const places = [...Array.from({ length: 11 }, (_, i) => at('weights', i * 512)), at('scratch', 0)];
    const b = bindLaunch(sum(11), places, []);
    expectLegal(b);
    const { code, offsets } = emitWgsl(sum(11), { bindings: b.kernel });
    expect(offsets).toHaveLength(b.starts.length);
    expect(code.match(/var<storage/g)).toHaveLength(b.ranges.length);
  });

  test('too many buffers are refused by name', () => {
    expect(() => bindLaunch(sum(9), Array.from({ length: 10 }, (_, i) => at(`b${i}`, 0)), [])).toThrow("kernel 'sum' touches 10 different buffers");
  });
});

const withSubgroups = { ...rasteriserTuning, subgroup: 8 };

describe('shaders', () => {
  test('are the same text every time, within default limits, and say where they come from', () => {
    for (const tuning of [gpuTuning, rasteriserTuning, withSubgroups]) for (const { program } of everySample()) {
      const shader = emitWgsl(program, { tuning });
      expect(emitWgsl(program, { tuning }).code).toBe(shader.code);
      expect(shader.invocations).toBeLessThanOrEqual(256);
      const bytes = [...shader.code.matchAll(/var<workgroup> \w+: array<(vec4<)?\w+>?, (\d+)>/g)].reduce((n, m) => n + Number(m[2]) * (m[1] ? 16 : 4), 0);
      expect(bytes).toBeLessThanOrEqual(16384);
      expect(shader.code).not.toMatch(tuning.subgroup > 0 ? /\b(i64|u64|f64)/ : /\b(i64|u64|f64|subgroup)/);
      for (const o of program.origin) expect(shader.code).toContain(o.where);
    }
  });

  test('hand shared operands around only where subgroups have the wanted size', () => {
    const shuffling = everySample().map(({ program }) => emitWgsl(program, { tuning: withSubgroups }).code).filter((code) => code.includes('subgroupShuffle('));
    expect(shuffling.length).toBeGreaterThan(3);
    for (const code of shuffling) expect(code).toMatch(/^(\/\/.*\n)*enable subgroups;\n/);
  });

  test('have a key that does not depend on names', () => {
    const renamed = (p: Program): Program => JSON.parse(JSON.stringify(p).replaceAll('"x0"', '"weights"').replaceAll('"sum"', '"total"')) as Program;
    expect(emitWgsl(renamed(sum(2))).key).toBe(emitWgsl(sum(2)).key);
    expect(emitWgsl(sum(3)).key).not.toBe(emitWgsl(sum(2)).key);
  });
});
