import { expect, it } from 'vitest';
import { numbered, withExecutable } from './arrays.js';
import type { UseDevice } from './conformance.js';
import { residualStack } from './launch-builder.js';

/** Requests that cannot be honoured are refused with their code, before anything runs. */
export function requestCases(device: UseDevice): void {
  const x = numbered(2, 16);
  const cases: readonly [what: string, code: string, entry: string, dims: Record<string, number>, inputs: Record<string, Float32Array | Int32Array>, outputs: readonly string[]][] = [
    ['an unknown entry', 'D10', 'backward', { tokens: 2 }, { x }, ['y']],
    ['a dim without value', 'D11', 'forward', {}, { x }, ['y']],
    ['an unknown dim', 'D11', 'forward', { tokens: 2, rows: 1 }, { x }, ['y']],
    ['a dim beyond its maximum', 'D12', 'forward', { tokens: 9 }, { x: numbered(9, 16) }, ['y']],
    ['a fractional dim', 'D12', 'forward', { tokens: 1.5 }, { x }, ['y']],
    ['a missing input', 'D13', 'forward', { tokens: 2 }, {}, ['y']],
    ['an unknown input', 'D14', 'forward', { tokens: 2 }, { x, z: x }, ['y']],
    ['an input of the wrong length', 'D15', 'forward', { tokens: 3 }, { x }, ['y']],
    ['an input of the wrong type', 'D15', 'forward', { tokens: 2 }, { x: new Int32Array(32) }, ['y']],
    ['an unknown output', 'D16', 'forward', { tokens: 2 }, { x }, ['z']],
  ];
  for (const [what, code, entry, dims, inputs, outputs] of cases) it(`refuses ${what}`, async () => {
    await withExecutable(device(), residualStack(2).plan(), async (exec) => {
      await expect(exec.run(entry, dims, inputs, outputs)).rejects.toMatchObject({ name: 'DeviceError', code });
    });
  });

  it('returns the outputs that were asked for and no others, shaped for the dims', async () => {
    await withExecutable(device(), residualStack(2).plan(), async (exec) => {
      const hidden = await exec.run('forward', { tokens: 2 }, { x }, ['hidden']);
      expect(Object.keys(hidden)).toEqual(['hidden']);
      expect(hidden.hidden).toHaveLength(2 * 2 * 16);
      expect(await exec.run('forward', { tokens: 2 }, { x }, [])).toEqual({});
      const none = await exec.run('forward', { tokens: 0 }, { x: new Float32Array(0) }, ['y']);
      expect(none.y).toHaveLength(0);
    });
  });

  it('refuses work once closed', async () => {
    const exec = await device().load(residualStack(2).plan());
    await exec.close();
    await expect(exec.run('forward', { tokens: 2 }, { x }, ['y'])).rejects.toMatchObject({ code: 'D18' });
  });
}
