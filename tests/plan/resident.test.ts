import { describe, expect, it } from 'vitest';
import { moduleStats } from '../../compiler/model/stats.js';
import { nodeLoader } from '../../dsl/std-node.js';
import { compile, load } from '../../index.js';
import { openDevice, type Runnable } from '../support/devices.js';
import { smallSpec } from '../support/small-spec.js';

/** Places of weights start on multiples of this. */
const alignment = 256;

describe('weights stay as small as they are stored', () => {
  for (const name of ['reference', 'cpu'] as Runnable[]) {
    it(`${name}: resident bytes are those of the weight table, which are those of the parameters' storage`, { timeout: 120_000 }, async () => {
      const { bundle, module } = compile({ entry: smallSpec, load: nodeLoader, target: name, maxTokens: 16 });
      const { plan } = bundle!;
      const table = plan.weights.reduce((n, w) => n + w.bytes, 0);
      const stored = moduleStats(module!).weightBytes;
      // A packed matrix ends on a whole block, so small ones are a little larger than their elements.
      expect(table).toBeGreaterThanOrEqual(stored);
      expect(table).toBeLessThan(1.1 * stored);
      const buffers = plan.buffers.filter((b) => b.kind === 'weights');
      const whole = buffers.reduce((n, b) => n + b.bytes, 0);
      expect(whole).toBeGreaterThanOrEqual(table);
      expect(whole).toBeLessThan(table + alignment * (plan.weights.length + 1));

      const device = await openDevice(name);
      const model = await load(bundle!, device, { weights: { seed: 1 } });
      expect(Object.fromEntries(model.executable.resident)).toEqual(Object.fromEntries(plan.buffers.map((b) => [b.id, b.bytes])));
      await model.close();
      await device.close();
    });
  }
});
