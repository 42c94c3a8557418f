import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { referenceDevice } from '../../backends/reference/device.js';
import { layerKinds } from '../../compiler/model/layer-kinds.js';
import { shrink } from '../../compiler/model/shrink.js';
import { checkSpec, compile } from '../../compiler/compile.js';
import { memoryLoader } from '../../dsl/modules.js';
import { parse } from '../../dsl/parse.js';
import { print } from '../../dsl/print.js';
import { nodeLoader } from '../../dsl/std-node.js';
import { generate } from '../../runtime/generate.js';
import { load } from '../../runtime/load-model.js';
import { smallSpec } from '../support/small-spec.js';

const examples = readdirSync('examples').filter((n) => n.endsWith('.firn')).map((n) => `examples/${n}`);
const read = (path: string) => ({ path, text: readFileSync(path, 'utf8') });

function miniature(entry: { path: string; text: string }, targetParameters?: number) {
  const { shrunk, diagnostics } = shrink({ entry, load: nodeLoader, targetParameters });
  expect(diagnostics.filter((d) => d.severity === 'error')).toEqual([]);
  return shrunk!;
}

describe.each(examples)('%s in miniature', (path) => {
  const mini = miniature(read(path));
  const entry = { path, text: mini.text };

  it('has a million parameters at most, and every kind of layer', () => {
    expect(mini.parameters).toBeLessThanOrEqual(1e6);
    expect(mini.parameters).toBeGreaterThan(50_000);
    const [small, large] = [checkSpec({ entry, load: nodeLoader }), checkSpec({ entry: read(path), load: nodeLoader })];
    expect(small.diagnostics).toEqual([]);
    expect(small.parameters).toBe(mini.parameters);
    expect(large.parameters).toBe(mini.before);
    expect(layerKinds(small.module!)).toEqual(layerKinds(large.module!));
    // The weight map, too, speaks of every parameter.
    expect(new Set(small.sources?.weights.map((w) => w.rule))).toEqual(new Set(large.sources?.weights.map((w) => w.rule)));
  });

  it('is in canonical form', () => {
    expect(print(parse(entry).file!)).toBe(mini.text);
  });

  it('compiles, and runs', async () => {
    const { bundle } = compile({ entry, load: nodeLoader, target: 'reference', context: 32, maxTokens: 8 });
    const device = referenceDevice();
    const model = await load(bundle!, device, { weights: { seed: 1 } });
    const { tokens } = await generate(model.session, [1, 2, 3, 4, 5], { maxTokens: 3, stop: [] });
    expect(tokens).toHaveLength(3);
    await model.close();
    await device.close();
  });
});

describe('relations', () => {
  it('the number in a scale stays the sum that it was, rotary sizes stay equal', () => {
    const { text } = miniature(read('examples/kimi-k2.firn'));
    const number = (pattern: RegExp): number => Number(pattern.exec(text)![1]);
    expect(number(/yarn_scale\((\d+)/)).toBe(number(/nope: (\d+)/) + number(/rope: (\d+)/));
    expect(number(/dims: (\d+)/)).toBe(number(/rope: (\d+)/));
    expect(number(/repeat layers\[(\d+)\]/)).toBe(3);
    expect(text).not.toContain('stop');
  });
  it('a target is met, or nothing can be smaller', () => {
    expect(miniature(read('examples/kimi-k2.firn'), 1e8).parameters).toBeGreaterThan(1e7);
    expect(miniature(smallSpec, 1).changes.length).toBeGreaterThan(0);
  });
  it('layers that alternate are kept twice around', () => {
    const alternating = `use std.{embedding, linear, swiglu, rms}
model A {
  dim vocab = 4096
  dim hidden = 512
  table kinds[24] = cycle([wide, narrow, narrow])
  x = embed = embedding(tokens, vocab, hidden)
  repeat layers[24] as i {
    x += ffn = (match kinds[i] { wide => swiglu(width: 2048)  narrow => mixed(width: 1024) })(x)
  }
  logits = head = linear(x, vocab)
}
layer mixed(x: [.., d], width: dim) -> [.., d] {
  param up : [width, d]
  param down : [d, width]
  return down @ (up @ x)
}
`;
    const { text } = miniature({ path: 'a.firn', text: alternating });
    expect(text).toContain('table kinds[4] = cycle([wide, narrow, narrow])');
    expect(text).toContain('repeat layers[4]');
    // Widths inside the layers that the table chooses shrink too.
    expect(Number(/wide => swiglu\(width: (\d+)/.exec(text)![1])).toBeLessThan(2048);
  });
  it('a model that is based on one of another file becomes one file', () => {
    const base = `use std.{embedding, linear, rms}
const small = 1e-6
fn twice(n: int) = 2 * n
model Base {
  dim vocab = 4096
  dim hidden = 512
  def ffn = mixed(width: twice(1024), eps: small)
  x = embed = embedding(tokens, vocab, hidden)
  repeat layers[12] as i { x += mix = ffn(n = rms(x, eps: small)) }
  logits = head = linear(x, vocab)
}
layer mixed(x: [.., d], width: dim, eps: real) -> [.., d] {
  param up : [width, d]
  param down : [d, width]
  return down @ (up @ x)
}
`;
    const files = { 'parts/base.firn': base, 'parts/own.firn': 'const wide = 48\n' };
    const derived = (more: string): { path: string; text: string } => ({ path: 'big.firn', text: `use "./parts/base.firn".{Base}\nuse "./parts/own.firn".{wide}\n${more}\nmodel Big = Base with { hidden = wide }\n` });
    const load = memoryLoader({ ...Object.fromEntries(nodeLoader.standard().map((s) => [s.path, s.text])), ...files });
    const { shrunk, diagnostics } = shrink({ entry: derived(''), load, targetParameters: 2e5 });
    expect(diagnostics).toEqual([]);
    expect(shrunk!.parameters).toBeLessThan(2e5);
    expect(shrunk!.text).toContain('use "./parts/own.firn".{wide}');
    expect(shrunk!.text).toContain('fn twice(n: int) = 2 * n');
    expect(shrink({ entry: derived('const small = 1e-5'), load }).diagnostics).toMatchObject([{ code: 'E0654', message: expect.stringContaining('`small`') }]);
  });
  it('sizes in lists shrink, places in lists stay', () => {
    const listed = `use std.{embedding, linear, rms, swiglu}
model L {
  dim vocab = 4096
  dim hidden = 512
  const widths = [2048, 1024, 512]
  table kinds[6] = match among(iota(6), [1, 4]) { true => wide  false => narrow }
  x = embed = embedding(tokens, vocab, hidden)
  repeat layers[6] as i { x += ffn = (match kinds[i] { wide => swiglu(width: widths[0])  narrow => swiglu(width: widths[1]) })(n = rms(x, eps: 1e-6)) }
  logits = head = linear(x, vocab)
}
`;
    const { text } = miniature({ path: 'l.firn', text: listed }, 1e5);
    const widths = /widths = \[(\d+), (\d+), (\d+)\]/.exec(text)!.slice(1).map(Number);
    expect(widths[0]).toBeLessThan(2048);
    expect(widths[1]).toBeLessThan(1024);
    expect(text).toContain('[1, 4]');
  });
});
