import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { checkSpec, passes } from '../../compiler/compile.js';
import { moduleCost } from '../../compiler/ir/cost.js';
import { nodeLoader } from '../../dsl/std-node.js';

const path = 'examples/kimi-k2.firn';
const text = readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

/** Executed operations of one decoded token at context 1. */
function decodeCost(spec: string): number {
  const { module, info } = checkSpec({ entry: { path, text: spec }, load: nodeLoader });
  return moduleCost(passes(module!, info!), { tokens: 1, outputs: 1, slots: 1, sequences: 1, blocks: 1, pool: 1 }).contraction;
}

describe('what full K2 executes for one token', () => {
  // Parameters that take part in a token's contractions: active ones without the embedding table.
  const active = 31_687_095_808;

  it('is twice the active parameters', () => {
    expect(Math.abs(decodeCost(text) / (2 * active) - 1)).toBeLessThan(0.05);
  });

  it('grows with the number of experts by the router alone', () => {
    const more = text.replace('experts: 384', 'experts: 448');
    expect(more).not.toBe(text);
    expect(decodeCost(more) - decodeCost(text)).toBe(2 * 60 * 64 * 7168);
  });
});
