import { describe, expect, it } from 'vitest';
import { compile } from '../../../index.js';
import { renderDiagnostic } from '../../../dsl/diagnostics.js';
import { nodeLoader } from '../../../dsl/std-node.js';
import { smallSpec } from '../../support/small-spec.js';

const refuse = (text: string, target: 'cpu' | 'wgsl' = 'cpu'): string => {
  const { bundle, diagnostics, files } = compile({ entry: { path: 'small.firn', text }, load: nodeLoader, target });
  expect(bundle).toBeUndefined();
  return diagnostics.map((d) => renderDiagnostic(d, files)).join('\n');
};

describe('what a packing or a target cannot honour', () => {
  it('E0831: groups along another axis than the one that is summed', () => {
    const message = refuse(smallSpec.text.replace('quantize layers[*].ffn.experts.{up, gate}', 'quantize layers[*].attn.wk_b'));
    expect(message).toMatch(/error\[E0831\]: `layers\[0\]\.attn\.wk_b` is quantized in groups along kv_rank, but the model sums it along nope/);
    expect(message).toContain('param wk_b');
  });

  it('E0832: a table that is only looked up', () => {
    expect(refuse(smallSpec.text.replace('quantize layers[*].ffn.experts.{up, gate}', 'quantize embed.table'))).toMatch(/error\[E0832\]: `embed\.table` is quantized, but nothing sums along its groups/);
  });

  it('E0833: one tensor beyond what WebGPU binds', () => {
    const message = refuse(smallSpec.text.replace('dim vocab = 64', 'dim vocab = 2000000'), 'wgsl');
    expect(message).toMatch(/error\[E0833\]: the weight '.*' .*takes 384000000 bytes, and wgsl can bind 134217728 at once/s);
  });
});
