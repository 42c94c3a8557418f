import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { diffModels } from '../../compiler/model/diff.js';
import { knownDevices } from '../../compiler/model/roofline.js';
import { nodeLoader } from '../../dsl/std-node.js';

const text = readFileSync('examples/kimi-k2.firn', 'utf8');

function diff(b: string, a = text) {
  const { diff: found, diagnostics } = diffModels({ a: { path: 'a.firn', text: a }, b: { path: 'b.firn', text: b }, load: nodeLoader, device: knownDevices.h200 });
  expect(diagnostics).toEqual([]);
  return found!;
}

it('a model does not differ from itself, comments and order aside', () => {
  expect(diff(`# another heading\n${text.replace('accumulate: f32', 'accumulate: f32 ')}`)).toMatchObject({ spec: [], layers: [], parameters: [] });
});

it('names what was changed, and what it costs', () => {
  const found = diff(text.replace('experts: 384', 'experts: 256').replace('activations: bf16', 'activations: f32').replace('layers[61]', 'layers[31]'));
  expect(found.spec).toEqual([
    { what: 'sparse.experts', a: '384', b: '256' }, { what: 'layers', a: '61', b: '31' }, { what: 'precision.activations', a: 'bf16', b: 'f32' },
  ]);
  expect(found.layers).toEqual([{ what: 'layers', a: '1 of kind 1, 60 of kind 2', b: '1 of kind 1, 30 of kind 2' }]);
  expect(found.parameters.map((p) => p.what)).toEqual(['layers[*].ffn.gate.weight', 'layers[*].ffn.gate.bias', ...['gate', 'up', 'down'].map((n) => `layers[*].ffn.experts.${n}`)]);
  const parameters = found.cost.find((c) => c.measure === 'parameters')!;
  expect(parameters.a).toBe(1_026_408_232_448);
  expect(parameters.b).toBeLessThan(parameters.a / 2);
});

it('another layer is told whole, not argument by argument', () => {
  const found = diff(text.replace('def dense     = swiglu(width: 18432)', 'def dense     = moe(experts: 4, active: 1, expert: swiglu(width: 64), gate: sigmoid_gate(normalize: true, scale: 1))'));
  expect(found.spec).toEqual([{ what: 'dense', a: 'swiglu(width: 18432)', b: 'moe(experts: 4, active: 1, expert: swiglu(width: 64), gate: sigmoid_gate(normalize: true, scale: 1))' }]);
});

it('packing is a difference', () => {
  const found = diff(text.replace(/ {2}quantize .*\n/, ''));
  expect(found.spec.map((d) => d.what)).toEqual([expect.stringMatching(/^quantize layers\[\*\]\.ffn\.experts\.gate/)]);
  expect(found.parameters[0]).toMatchObject({ a: expect.stringContaining('int4(group: 32'), b: expect.stringMatching(/bf16$/) });
});
