/** Plans whose ops are kernels of their own: they exist to say whether fusion is at fault, so they must not fuse. */
import { describe, expect, it } from 'vitest';
import { cpuDevice } from '../../backends/cpu/device.js';
import { compile } from '../../index.js';
import { nodeLoader } from '../../dsl/std-node.js';
import { compileText, distance, interpreted, run } from '../fuzz/meaning.js';
import { openDevice, usualDevices } from '../support/devices.js';
import { smallSpec } from '../support/small-spec.js';

describe('without fusion', () => {
  it('a kernel computes one op, whatever each target fuses', () => {
    for (const target of ['reference', 'cpu', 'wgsl', 'cuda:sm_90a'] as const) {
      const [fused, apart] = [true, false].map((fuse) => compile({ entry: smallSpec, load: nodeLoader, target, fuse, longest: 20, maxTokens: 8 }).bundle!);
      const norms = apart.programs.filter((p) => p.origin.some((o) => /^rsqrt/.test(o.what)));
      expect(norms.length, target).toBeGreaterThan(0);
      // Of what a norm computes, only the op itself, and constants.
      for (const p of norms) expect(p.origin.map((o) => o.what), target).toHaveLength(1);
      expect(apart.plan.entries[1].steps.length, target).toBeGreaterThan(2 * fused.plan.entries[1].steps.length);
    }
  });
  it.each(usualDevices)('gives what the graph interpreter gives, on %s', { timeout: 600_000 }, async (name) => {
    // As many kernels as ops: the C++ compiler need not make them fast.
    const device = await (name === 'cpu' ? cpuDevice({ threads: 2, optimization: 'none' }) : openDevice(name));
    const meaning = interpreted(compileText(smallSpec.text, 'reference'), 1, 64);
    const { whole, pieces } = await run(device, compileText(smallSpec.text, name, false).bundle, 1, 64);
    expect(Math.max(distance(whole, meaning), distance(pieces, meaning))).toBeLessThan(3e-5);
    await device.close();
  });
});
