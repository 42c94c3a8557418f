/** A whole decoder step through lowering, planning and the native core equals the reference device. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cpuDevice, type CpuDevice } from '../../backends/cpu/device.js';
import { withExecutable } from '../../backends/conformance/arrays.js';
import { referenceDevice } from '../../backends/reference/device.js';
import type { Device } from '../../backends/device.js';
import type { Bundle } from '../../compiler/ir/plan.js';
import { pack } from '../../compiler/kernels/packing.js';
import { scheduleFor } from '../../compiler/kernels/targets.js';
import { choosePackings } from '../../compiler/passes/choose-packings.js';
import { schedule } from '../../compiler/passes/schedule.js';
import { buildPlan } from '../../compiler/plan/plan.js';
import { Random } from '../kernels/samples.js';
import { tinyDecoder, tinyShape, type TinyShape } from '../support/tiny-decoder.js';

const order = [7, 2, 9, 0, 11, 5, 1, 8, 3, 10, 6, 4];
const blocksPer = 4;

/** Sequences of `lengths` tokens, packed, with their cache blocks shuffled. */
function batch(lengths: readonly number[], shape: TinyShape) {
  const random = new Random(5);
  const rows = lengths.flatMap((n, s) => Array.from({ length: n }, (_, i) => ({ s, i })));
  const blocks = Int32Array.from({ length: lengths.length * blocksPer }, (_, k) => order[k]);
  return {
    dims: { tokens: rows.length, outputs: rows.length, sequences: lengths.length, blocks: blocksPer, context: blocksPer * shape.block },
    inputs: {
      tokens: random.ints(rows.length, shape.vocab),
      position: Int32Array.from(rows, (r) => r.i), sequence: Int32Array.from(rows, (r) => r.s),
      slot: Int32Array.from(rows, (r) => blocks[r.s * blocksPer + Math.floor(r.i / shape.block)] * shape.block + (r.i % shape.block)),
      rows: Int32Array.from(rows, (_, i) => i), blocks,
    },
  };
}

function compiled(shape: TinyShape, few: boolean, group: number, dims: Readonly<Record<string, number>>): Bundle {
  const module = tinyDecoder(shape, { kind: 'int4', group, along: '', scale: 'bf16' });
  const choices = scheduleFor('cpu', few);
  const packings = choosePackings(module, choices.panel);
  const entry = schedule(module, { name: 'step', dims: Object.entries(dims).map(([name, max]) => ({ name, max })), schedule: choices, packings });
  return buildPlan(module, [entry], { target: 'cpu', fixed: { slots: order.length * shape.block, pool: 4 }, block: shape.block });
}

async function logits(device: Device, bundle: Bundle, run: ReturnType<typeof batch>): Promise<Float32Array> {
  return withExecutable(device, bundle, async (exec) => {
    for (const [i, w] of bundle.plan.weights.entries()) {
      const values = new Random(i + 1).values(w.axes.reduce((n, a) => n * a.size, 1)).map((v) => v * 0.5);
      await exec.write(w.buffer, w.offset, pack(w.packing, w.axes, w.dtype, values));
    }
    const wanted = new Set(bundle.plan.entries[0].inputs.map((p) => p.name));
    const stated = new Set(bundle.plan.entries[0].dims.map((d) => d.name));
    const inputs = Object.fromEntries(Object.entries(run.inputs).filter(([name]) => wanted.has(name)));
    const dims = Object.fromEntries(Object.entries(run.dims).filter(([name]) => stated.has(name)));
    return (await exec.run('step', dims, inputs, ['logits'])).logits as Float32Array;
  });
}

describe('a decoder step on cpu equals the reference', () => {
  let cpu: CpuDevice;
  beforeAll(async () => { cpu = await cpuDevice({ threads: 2 }); }, 120_000);
  afterAll(() => cpu.close());
  const larger: TinyShape = { hidden: 96, heads: 4, rank: 64, rope: 16, nope: 32, value: 32, experts: 8, active: 3, width: 64, vocab: 133, layers: 2, block: 4 };
  for (const [name, shape, group] of [['odd sizes', tinyShape, 8], ['whole vectors', larger, 32]] as const) {
    for (const few of [true, false]) it(`${name}, ${few ? 'few' : 'many'} tokens`, async () => {
      const run = batch([5, 1, 9], shape);
      const bundle = compiled(shape, few, group, run.dims);
      const want = await logits(referenceDevice(), bundle, run);
      const got = await logits(cpu, bundle, run);
      const largest = want.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
      const worst = got.reduce((m, v, i) => Math.max(m, Math.abs(v - want[i]), Number.isNaN(v) ? Infinity : 0), 0);
      expect(largest).toBeGreaterThan(0);
      expect(worst / largest).toBeLessThan(5e-6);
    });
  }
});
