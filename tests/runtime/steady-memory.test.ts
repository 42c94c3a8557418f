/** Decoding for long takes no more memory than decoding: 10,000 steps with FIRN_FULL, enough for a slope without. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { nodeLoader } from '../../dsl/std-node.js';
import { compile, load } from '../../index.js';
import { everything, openDevice, type Runnable } from '../support/devices.js';
import { smallSpec } from '../support/small-spec.js';

const steps = everything ? 10_000 : 2400;
const runs: Record<string, number> = { cpu: steps, reference: everything ? 1000 : 300 };

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Bytes that JavaScript holds, and bytes of the whole process. */
async function memory(): Promise<{ heap: number; resident: number }> {
  // Native objects are given back on a later turn of the event loop than the one that collects them.
  for (let turn = 0; turn < 4; turn++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heap: heapUsed + external, resident: rss };
}

describe.each(Object.keys(runs) as Runnable[])('decoding on %s', (name) => {
  it(`${runs[name]} steps leave memory as it was`, async () => {
    const device = await openDevice(name);
    const { bundle } = compile({ entry: smallSpec, load: nodeLoader, target: name });
    const model = await load(bundle!, device, { weights: { seed: 3 } });
    const { session } = model;
    // One text after the other, each as long as the context: every cache entry has been used after the first.
    const decode = async (count: number): Promise<void> => {
      for (let done = 0; done < count;) {
        const sequence = session.open();
        for (let id = 1; sequence.length < session.context && done < count; done++) {
          const [{ outputs }] = await session.run([{ sequence, tokens: [id], rows: 'last' }], ['next']);
          id = outputs.next[0];
        }
        session.close(sequence);
      }
    };
    try {
      await decode(Math.ceil(runs[name] / 3));
      // What leaks grows in every round; what the engine and the allocator keep for themselves does not.
      const growth = { heap: Infinity, resident: Infinity };
      const limit = { heap: 65_536 + 8 * runs[name], resident: 2 * 2 ** 20 };
      for (let round = 0; round < 6 && (growth.heap >= limit.heap || growth.resident >= limit.resident); round++) {
        const before = await memory();
        await decode(runs[name] / 2);
        const after = await memory();
        growth.heap = Math.min(growth.heap, after.heap - before.heap);
        growth.resident = Math.min(growth.resident, after.resident - before.resident);
      }
      expect(growth.heap, 'bytes of heap').toBeLessThan(limit.heap);
      expect(growth.resident, 'bytes of the process').toBeLessThan(limit.resident);
    } finally {
      await model.close();
      await device.close();
    }
  }, 600_000);
});
