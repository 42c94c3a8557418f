import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { countSteps } from '../../backends/null/count.js';
import { compile, type CompileRequest } from '../../compiler/compile.js';
import type { Bundle } from '../../compiler/ir/plan.js';
import { explain } from '../../compiler/plan/explain.js';
import { verifyPlan } from '../../compiler/plan/verify-plan.js';
import { nodeLoader } from '../../dsl/std-node.js';

const path = 'examples/kimi-k2.firn';
const text = readFileSync(path, 'utf8');

function planned(options: Partial<CompileRequest> = {}, spec = text): Bundle {
  const { bundle, diagnostics } = compile({ entry: { path, text: spec }, load: nodeLoader, target: 'cpu', ...options });
  expect(diagnostics).toEqual([]);
  return bundle!;
}

function counts(bundle: Bundle, entry: string, tokens: number) {
  const dims = { tokens, outputs: 1, sequences: 1, blocks: 1, context: 1, slots: 16, pool: 1 };
  return countSteps(bundle.plan.entries.find((e) => e.name === entry)!.steps, dims);
}

describe('the plan of full K2', () => {
  const bundle = planned();

  it('is verified, and its weights are the published bytes', () => {
    expect(verifyPlan(bundle)).toEqual([]);
    // Routed experts at 4.5 bits; everything else bf16, the selection bias too.
    const routed = 1_014_686_023_680;
    const others = 1_026_408_232_448 - routed;
    // The selection biases are f32.
    expect(bundle.plan.weights.reduce((n, w) => n + w.bytes, 0)).toBe(routed * 4.5 / 8 + others * 2 + 60 * 384 * 2);
  });

  it('runs a sparse layer at decode in at most 12 launches and 1.2 MB of intermediates', () => {
    const { sections } = explain(bundle, 'decode', { context: 1 });
    const layer = sections.find((s) => s.iterations === 60)!;
    expect(layer.rows.length).toBeLessThanOrEqual(12);
    expect(layer.total.intermediates).toBeLessThanOrEqual(1.2e6);
  });

  it('executes what the chosen experts need, and no more', () => {
    const active = 31_687_095_808;
    const one = counts(bundle, 'decode', 1).contraction;
    expect(Math.abs(one / (2 * active) - 1)).toBeLessThan(0.05);
    const more = counts(planned({}, text.replace('experts: 384', 'experts: 448')), 'decode', 1).contraction;
    expect(more - one).toBe(2 * 60 * 64 * 7168);
  });

  it('launches as often for one token as for many', () => {
    expect(counts(bundle, 'prefill', 256).launches).toBe(counts(bundle, 'prefill', 1).launches);
    // One row of logits, whatever the number of tokens.
    const head = 2 * 163840 * 7168;
    expect(counts(bundle, 'prefill', 200).contraction - head).toBe(200 * (counts(bundle, 'prefill', 1).contraction - head));
  });

  it('needs no scratch that grows with the context', () => {
    const scratch = (b: Bundle): number => b.plan.buffers.filter((x) => x.kind === 'scratch').reduce((n, x) => n + x.bytes, 0);
    expect(scratch(planned({ context: 131072 }))).toBe(scratch(planned({ context: 1024 })));
  });
});

it('the same request gives the same bytes', () => {
  expect(JSON.stringify(planned())).toBe(JSON.stringify(planned()));
});
