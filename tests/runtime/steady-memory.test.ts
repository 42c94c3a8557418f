/** Decoding for long takes no more memory than decoding: 10,000 steps with FIRN_FULL, enough for a slope without. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { nodeLoader } from '../../dsl/std-node.js';
import { compile, load } from '../../index.js';
import { openDevice, wgslMissing, type Runnable } from '../support/devices.js';
import { smallSpec } from '../support/small-spec.js';

const full = process.env.FIRN_FULL !== undefined;
const steps = full ? 10_000 : 2400;
const runs: Record<string, number> = { cpu: steps, reference: full ? 1000 : 300, wgsl: full ? 2000 : 0 };
const why = await wgslMissing();

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Bytes that JavaScript holds, and bytes of the whole process. */
function memory(): { heap: number; resident: number } {
  collect();
  collect();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heap: heapUsed + external, resident: rss };
}

describe.each(Object.keys(runs) as Runnable[])('decoding on %s', (name) => {
  it.skipIf(runs[name] === 0 || (name === 'wgsl' && why !== undefined))(`${runs[name]} steps leave memory as it was`, async () => {
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
      const before = memory();
      await decode(runs[name]);
      const after = memory();
      // 64 KiB for what the engine keeps of its own (compiled code), whatever the number of steps.
      expect(after.heap - before.heap, 'bytes of heap').toBeLessThan(65_536 + 16 * runs[name]);
      // The allocator keeps what was freed: a few pages of noise, not a share of every step.
      expect((after.resident - before.resident) / 2 ** 20, 'MiB of the process').toBeLessThan(4);
    } finally {
      await model.close();
      await device.close();
    }
  }, 600_000);
});
