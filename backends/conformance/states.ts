import { expect, it } from 'vitest';
import { dim, type Program } from '../../compiler/ir/kernel.js';
import { ProgramBuilder, range } from '../../compiler/kernels/build.js';
import { f32Bytes, withExecutable } from './arrays.js';
import type { UseDevice } from './conformance.js';
import { layerPaths, ModelBuilder } from './launch-builder.js';

/** State outlives runs, is shared by entries, and returns to its initial value on request. */
export function stateCases(device: UseDevice): void {
  it('keeps state between runs of all entries, per layer, until it is reset', async () => {
    const bundle = cacheModel();
    await withExecutable(device(), bundle, async (exec) => {
      const [first, second] = bundle.plan.states;
      const stored = async (s = first): Promise<Float32Array> => new Float32Array((await exec.read(s.buffer, s.offset, s.bytes)).slice().buffer);
      expect(await stored()).toEqual(new Float32Array(16).fill(-1));
      const run = (entry: string, values: readonly number[]) => exec.run(entry, { tokens: values.length }, { x: Float32Array.from(values.flatMap((v) => [v, v])) }, ['y']);
      // Layer l adds what its cache holds in the token's slot, then stores the sum there.
      expect((await run('prefill', [5, 7])).y).toEqual(Float32Array.of(3, 3, 5, 5));
      expect((await stored(second)).slice(0, 6)).toEqual(Float32Array.of(3, 3, 5, 5, -1, -1));
      expect((await run('decode', [1])).y).toEqual(Float32Array.of(8, 8));
      await exec.write(first.buffer, first.offset, f32Bytes([100, 100]));
      expect((await run('decode', [1])).y).toEqual(Float32Array.of(109, 109));
      await exec.resetState();
      expect(await stored(second)).toEqual(new Float32Array(16).fill(-1));
      expect((await run('decode', [5])).y).toEqual(Float32Array.of(3, 3));
    });
  });

  it('does not share state between executables', async () => {
    const bundle = cacheModel();
    const inputs = { x: Float32Array.of(1, 1) };
    await withExecutable(device(), bundle, async (a) => withExecutable(device(), bundle, async (b) => {
      await a.run('decode', { tokens: 1 }, inputs, []);
      expect((await b.run('decode', { tokens: 1 }, inputs, ['y'])).y).toEqual(Float32Array.of(-1, -1));
    }));
  });
}

/** y[t] = cache[t] = cache[t] + x[t]. */
function addToCache(): Program {
  const p = new ProgramBuilder('add_to_cache');
  const x = p.view('x', 'f32', 'read', { t: dim('tokens'), w: 2 });
  const cache = p.view('cache', 'f32', 'readwrite', { slots: dim('slots'), w: 2 });
  const y = p.view('y', 'f32', 'write', { t: dim('tokens'), w: 2 });
  const at = [p.gridAxis('row', dim('tokens')), range('w', 0, 2)];
  const sum = p.add(p.load(x, at), p.load(cache, at));
  p.store(cache, at, sum);
  p.store(y, at, sum);
  return p.finish();
}

/** Two layers with a cache of 8 slots each, initially -1; token t uses slot t. */
function cacheModel(): ReturnType<ModelBuilder['plan']> {
  const m = new ModelBuilder(2);
  const cache = m.state(layerPaths(2, 'cache'), -1);
  for (const [name, maxTokens] of [['prefill', 4], ['decode', 1]] as const) m.entry(name, maxTokens, (e) => {
    const [x, inside, next, y] = [e.input('x'), e.value('inside'), e.value('next'), e.output('y')];
    return [{
      kind: 'repeat', label: 'layers', count: 2, reverse: false, stacked: [], carries: [{ initial: x, inside, next, out: y }],
      body: [e.bind(addToCache(), [inside, e.state(cache), next])],
    }];
  });
  return m.plan();
}
