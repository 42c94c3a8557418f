import { expect, it } from 'vitest';
import { f32Bytes, layerOf, withExecutable, writeWeights } from './arrays.js';
import type { UseDevice } from './conformance.js';
import { layerPaths, ModelBuilder, residualStack } from './launch-builder.js';

/** Buffers: what is loaded is there, what is written is read, nothing beyond. */
export function bufferCases(device: UseDevice, computes: boolean): void {
  it('holds the buffers that the plan declares', async () => {
    const bundle = residualStack(3).plan();
    await withExecutable(device(), bundle, async (exec) => {
      expect([...exec.resident.keys()].sort()).toEqual(bundle.plan.buffers.map((b) => b.id).sort());
      if (!computes) return;
      const bytes = [...exec.resident.values()].reduce((a, b) => a + b, 0);
      expect(bytes).toBeGreaterThanOrEqual(bundle.plan.peakBytes);
    });
  });

  it('refuses accesses outside its buffers and writes into those of a run', async () => {
    const bundle = residualStack(3).plan();
    await withExecutable(device(), bundle, async (exec) => {
      const end = bundle.plan.buffers.find((b) => b.id === 'weights')!.bytes;
      await expect(exec.read('weights', end - 4, 8)).rejects.toMatchObject({ code: 'D17' });
      await expect(exec.write('weights', end, new Uint8Array(4))).rejects.toMatchObject({ code: 'D17' });
      await expect(exec.write('nothing', 0, new Uint8Array(4))).rejects.toMatchObject({ code: 'D17' });
      await expect(exec.write('scratch', 0, new Uint8Array(4))).rejects.toMatchObject({ code: 'D17' });
      await expect(exec.read('weights', 0, 4, 1)).rejects.toMatchObject({ code: 'D17' });
    });
  });

  if (!computes) return;
  it('starts with zeros, and reads back what was written', async () => {
    const bundle = residualStack(3).plan();
    await withExecutable(device(), bundle, async (exec) => {
      const { offset, bytes } = bundle.plan.weights[2];
      expect(await exec.read('weights', offset, bytes)).toEqual(new Uint8Array(bytes));
      await exec.write('weights', offset + 8, f32Bytes([1.5, -2]));
      expect(await exec.read('weights', offset, 20)).toEqual(f32Bytes([0, 0, 1.5, -2, 0]));
    });
  });

  it('cuts buffers where the plan allows it', async () => {
    const layers = 5;
    const m = new ModelBuilder(64);
    const w = m.param(layerPaths(layers, 'w'));
    m.entry('forward', 1, (e) => {
      const [x, inside, next, y] = [e.input('x'), e.value('inside'), e.value('next'), e.output('y')];
      return [{
        kind: 'repeat', label: 'layers', count: layers, reverse: false, carries: [{ initial: x, inside, next, out: y }], stacked: [],
        body: [e.launch('scale', [inside], [e.param(w)], next)],
      }];
    });
    const bundle = m.plan({ maxBufferBytes: 512 });
    expect(bundle.plan.buffers.find((b) => b.id === 'weights')?.pieces).toEqual([0, 512, 1024]);
    await withExecutable(device(), bundle, async (exec) => {
      await writeWeights(exec, bundle, (path) => layerOf(path) + 1);
      expect(await exec.run('forward', { tokens: 1 }, { x: new Float32Array(64).fill(1) }, ['y'])).toEqual({ y: new Float32Array(64).fill(120) });
      const whole = await exec.read('weights', 0, 5 * 256);
      expect(new Float32Array(whole.slice().buffer).filter((_, i) => i % 64 === 0)).toEqual(Float32Array.of(1, 2, 3, 4, 5));
    });
  });
}
