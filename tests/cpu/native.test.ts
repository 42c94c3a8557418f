/** The native core without Node: the same plan and kernels, run by the test program. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { residualStack } from '../../backends/conformance/launch-builder.js';
import { writeWeights } from '../../backends/conformance/arrays.js';
import { buildTestProgram } from '../../backends/cpu/build-native.js';
import { compileKernels } from '../../backends/cpu/compile-kernels.js';
import { chooseLevel } from '../../backends/cpu/levels.js';
import { referenceDevice } from '../../backends/reference/device.js';

const run = promisify(execFile);
const tokens = 5;

async function expected(bundle: ReturnType<ReturnType<typeof residualStack>['plan']>, x: Float32Array): Promise<Float32Array> {
  const exec = await referenceDevice().load(bundle);
  await writeWeights(exec, bundle, () => 0.5);
  return (await exec.run('forward', { tokens }, { x }, ['y'])).y as Float32Array;
}

describe('the core as a program of its own', () => {
  it('runs a plan and refuses a broken one', async () => {
    const bundle = residualStack(3).plan();
    const program = await buildTestProgram();
    const directory = await mkdtemp(join(tmpdir(), 'firn-'));
    try {
      const kernels = await compileKernels(bundle, await chooseLevel());
      const x = Float32Array.from({ length: tokens * 16 }, (_, i) => (i % 7) - 3);
      const weights = new Float32Array(bundle.plan.buffers.find((b) => b.id === 'weights')!.bytes / 4).fill(0.5);
      const file = (name: string): string => join(directory, name);
      await writeFile(file('plan.json'), JSON.stringify(bundle.plan));
      await writeFile(file('kernels.txt'), kernels.map((k) => `${k.kernel} ${k.library} ${k.symbol}`).join('\n'));
      await writeFile(file('x'), new Uint8Array(x.buffer));
      await writeFile(file('weights'), new Uint8Array(weights.buffer));
      const { stdout } = await run(program, [file('plan.json'), file('kernels.txt'), 'forward', `tokens=${tokens}`, `x:${file('x')}`, `weights:${file('weights')}`]);
      const y = await expected(bundle, x);
      const [name, bytes, sum, absolute] = stdout.split('\n').find((l) => l.startsWith('y '))!.split(' ');
      expect([name, Number(bytes)]).toEqual(['y', y.byteLength]);
      const [wantSum, wantAbsolute] = [y.reduce((a, v) => a + v, 0), y.reduce((a, v) => a + Math.abs(v), 0)];
      expect(Number(sum)).toBeCloseTo(wantSum, 2);
      expect(Math.abs(Number(absolute) / wantAbsolute - 1)).toBeLessThan(1e-5);

      await writeFile(file('plan.json'), JSON.stringify(bundle.plan).replace('"version":1', '"version":1,,'));
      await expect(run(program, [file('plan.json'), file('kernels.txt'), 'forward'])).rejects.toThrow(/D33 .*JSON line 1 column \d+/);
    } finally {
      await rm(directory, { recursive: true });
    }
  }, 120_000);
});
