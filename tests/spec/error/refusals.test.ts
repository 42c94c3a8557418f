import { describe, expect, it } from 'vitest';
import { compile } from '../../../index.js';
import { renderDiagnostic } from '../../../dsl/diagnostics.js';
import { nodeLoader } from '../../../dsl/std-node.js';
import { elaborateText } from '../../support/elaborate-text.js';
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

describe('what the language does not have', () => {
  const rendered = (line: string): string => {
    const text = `use std.{embedding, linear}\nmodel M {\n  dim vocab = 8\n  dim hidden = 4\n  x = embed = embedding(tokens, vocab, hidden)\n  ${line}\n  logits = head = linear(x, vocab)\n}\n`;
    return elaborateText(text).rendered;
  };

  it.each([
    ['a second source of tokens', 'source image : [patches, pixels] with grid', 'takes token ids only'],
    ['a loss', 'loss += sum(x, over: hidden)', 'a spec has no losses'],
    ['adapters', 'adapt layers[*].attn.wq with lora(rank: 16)', 'low-rank addition as a layer'],
    ['a history that is declared', 'collect past : [depth, hidden] max 8', 'past = push(past, x)'],
    ['an update rule of one parameter', 'param sel : [hidden] updated by balance(load)', 'declare it `frozen`'],
    ['reuse by an index', 'repeat layers[2] as i reuse over p { x += x }', 'shared blocks[n] = layer(..)'],
    ['a mark of optional heads', 'head mtp[1] as j optional { logits = x }', 'built only if it is asked for'],
  ])('%s', (_, line, instead) => { expect(rendered(line)).toContain(instead); });

  it('functions of floats take whole numbers, widened', () => {
    expect(rendered('y = exp(0 - tokens) + 2 ** (0 - position)')).toBe('');
  });
});
