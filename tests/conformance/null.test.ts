import { expect, test } from 'vitest';
import { conformance } from '../../backends/conformance/conformance.js';
import { residualStack } from '../../backends/conformance/launch-builder.js';
import { nullDevice } from '../../backends/null/device.js';

conformance('null', nullDevice, { kernels: [], computes: false });

test('counts launches and operations of every iteration', async () => {
  const exec = await nullDevice().load(residualStack(61).plan());
  await exec.run('forward', { tokens: 3 }, { x: new Float32Array(48) }, []);
  expect(exec.counts).toMatchObject({ launches: 2 + 61 * 4, flops: 3 * (2 + 61 * 4), copies: 0, collectives: 0 });
  expect([...exec.resident.values()].every((b) => b === 0)).toBe(true);
});
