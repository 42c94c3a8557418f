/** What a device says when it cannot hold a plan, or is gone. */
import { describe, expect, it } from 'vitest';
import { residualStack } from '../../backends/conformance/launch-builder.js';
import { withWgsl } from '../support/wgsl.js';

await withWgsl('a device that cannot go on', (make) => describe('a device that cannot go on', () => {
  it('a buffer beyond the limits: D26 with both numbers, before anything is allocated', async () => {
    const device = await make('default');
    const { plan, programs } = residualStack(3).plan({ target: 'wgsl' });
    const buffers = plan.buffers.map((b) => (b.id === 'weights' ? { ...b, bytes: 200 << 20, pieces: [0, 64 << 20] } : b));
    const failure = expect.objectContaining({ code: 'D26', message: expect.stringMatching(/'weights' has 142606336 bytes, the device allows 134217728 \(maxStorageBufferBindingSize\)/) });
    await expect(device.load({ plan: { ...plan, buffers }, programs })).rejects.toEqual(failure);
    await device.close();
  });
  it('a lost device: D22 from every call', async () => {
    const device = await make('default');
    const executable = await device.load(residualStack(3).plan({ target: 'wgsl' }));
    await device.close();
    await expect(executable.run('forward', { tokens: 2 }, { x: new Float32Array(32) }, ['y'])).rejects.toMatchObject({ code: 'D22' });
    await expect(executable.read('weights', 0, 16)).rejects.toMatchObject({ code: 'D22' });
    await expect(executable.write('weights', 0, new Uint8Array(16))).rejects.toMatchObject({ code: 'D22' });
    await expect(device.load(residualStack(3).plan({ target: 'wgsl' }))).rejects.toMatchObject({ code: 'D22' });
  });
}));
