import { describe, expect, it } from 'vitest';
import { interpretProgram } from '../../compiler/kernels/interpret.js';
import { everySample, expectResult, type Sample } from './samples.js';

function run(sample: Sample, checked = true): Record<string, Uint8Array> {
  const buffers = Object.fromEntries(Object.entries(sample.buffers).map(([k, v]) => [k, v.slice()]));
  interpretProgram(sample.program, sample.dims, buffers, { checked });
  return buffers;
}

describe('every sample', () => {
  for (const sample of everySample()) it(sample.name, () => {
    const once = run(sample);
    expectResult(sample, once);
    expect(run(sample, false)).toEqual(once);
  });
});
