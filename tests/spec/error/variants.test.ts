import { expect, test } from 'vitest';
import { explore } from '../../../compiler/model/explore.js';
import { knownDevices } from '../../../compiler/model/roofline.js';
import type { Variation } from '../../../compiler/model/variation.js';
import { shrink } from '../../../compiler/model/shrink.js';
import { nodeLoader } from '../../../dsl/std-node.js';

const text = `use std.{embedding, linear, swiglu}
model M {
  dim vocab = 64
  dim hidden = 32
  def small = swiglu(width: 16)
  def large = swiglu(width: 48)
  x = embed = embedding(tokens, vocab, hidden)
  x += first = small(x)
  x += second = large(x)
  logits = head = linear(x, vocab)
}
`;

function problems(...vary: Variation[]) {
  return explore({ entry: { path: 'm.firn', text }, load: nodeLoader, vary, device: knownDevices.h200 }).diagnostics;
}

test('E0650 names what is near', () => {
  const [d] = problems({ name: 'hiden', values: ['16'] });
  expect(d).toMatchObject({ code: 'E0650', notes: [{ text: 'did you mean `hidden`?' }] });
  expect(problems({ name: 'experts', values: ['16'] })[0].notes[0].text).toContain('`small.width`');
});

test('E0651 lists what an end of a path could be', () => {
  expect(problems({ name: 'width', values: ['16'] })[0]).toMatchObject({ code: 'E0651', notes: [{ text: 'write one of `small.width`, `large.width`' }] });
});

test('E0652: a value is one expression', () => {
  expect(problems({ name: 'hidden', values: ['16 +'] })[0].code).toBe('E0652');
  expect(problems({ name: 'hidden', values: ['16\nconst b = 2'] })[0].code).toBe('E0652');
});

test('E0653: so many variants are a mistake', () => {
  const values = Array.from({ length: 100 }, (_, i) => String(i + 1));
  expect(problems({ name: 'hidden', values }, { name: 'vocab', values })[0].code).toBe('E0653');
});

test('a variant that is no model says why, and the others are counted', () => {
  const { exploration } = explore({ entry: { path: 'm.firn', text }, load: nodeLoader, vary: [{ name: 'small', values: ['swiglu(width: 8)', 'swiglu(width: 1 / 2)', 'nothing'] }], device: knownDevices.h200 });
  expect(exploration!.variants.map((v) => v.measures?.parameters)).toEqual([2 * 64 * 32 + 3 * 32 * 8 + 3 * 32 * 48, undefined, undefined]);
  expect(exploration!.variants.map((v) => v.diagnostics[0]?.code)).toEqual([undefined, 'E0302', 'E0201']);
  expect(exploration!.variants[2].diagnostics[0].span.file).toBe('--vary small');
});

test('E0654: the miniature of a model in two files cannot give one name two meanings', () => {
  const load = { standard: nodeLoader.standard, read: (path: string) => (path === 'm.firn' ? { path, text } : undefined) };
  const { diagnostics } = shrink({ entry: { path: 'big.firn', text: 'use "./m.firn".{M}\nconst linear = 3\nmodel Big = M with { hidden = 64 }\n' }, load });
  expect(diagnostics.map((d) => d.code)).toEqual(['E0654']);
});
