import { describe, expect, it } from 'vitest';
import type { WeightRule } from '../../dsl/ast.js';
import { parse } from '../../dsl/parse.js';
import type { Module, ParamDecl } from '../../compiler/ir/graph.js';
import { storedDTypes } from '../../compiler/model/stored-dtypes.js';
import { resolveWeightSources } from '../../compiler/model/weight-sources.js';

function rulesOf(...lines: string[]): WeightRule[] {
  const { file, diagnostics } = parse({ path: 'test.firn', text: `model M {\n  weights {\n${lines.map((l) => `    ${l}`).join('\n')}\n  }\n}\n` });
  expect(diagnostics).toEqual([]);
  return (file!.items[0] as { body: { kind: string; rules: WeightRule[] }[] }).body.find((s) => s.kind === 'weights')!.rules;
}
function param(paths: string | string[], axes: string): ParamDecl {
  return {
    paths: [paths].flat(), storage: { kind: 'plain', dtype: 'f32' }, init: { kind: 'constant', value: 0 }, frozen: false,
    type: { dtype: 'f32', axes: axes.split(' ').map((a) => ({ name: a.split('=')[0], size: Number(a.split('=')[1]) })) },
  };
}
const section = { file: 'test.firn', start: 0, end: 1, line: 1, column: 1 };
function resolve(params: ParamDecl[], ...lines: string[]): ReturnType<typeof resolveWeightSources> {
  const module: Module = { graph: { name: 'M', inputs: [], nodes: [], outputs: [] }, params, states: [], taps: [] };
  return resolveWeightSources(module, rulesOf(...lines), section);
}
const tensors = (r: ReturnType<typeof resolve>): string[] => {
  expect(r.diagnostics).toEqual([]);
  return r.sources.weights.map((w) => `${w.path} <- ${w.tensor} [${w.shape}] +${w.offset} ${w.axes.map((a) => `${a.name}:${a.stride}`).join(' ')}`);
};

describe('rules', () => {
  it('carry captures from path to name', () => {
    expect(tensors(resolve(
      [param(['layers[0].attn.q', 'layers[1].attn.q'], 'heads=2 size=3 d=4'), param(['layers[0].ffn.gate', 'layers[1].ffn.gate'], 'w=2 d=3'), param('norm', 'd=4')],
      '"m.{i}.q_proj.weight" -> layers[i].attn.q : "(heads size) d"', '"m.{i}.mlp.{p: gate|up}_proj.weight" -> layers[i].ffn.{p}', '"final.weight" -> norm',
    ))).toEqual([
      'layers[0].attn.q <- m.0.q_proj.weight [6,4] +0 heads:12 size:4 d:1', 'layers[1].attn.q <- m.1.q_proj.weight [6,4] +0 heads:12 size:4 d:1',
      'layers[0].ffn.gate <- m.0.mlp.gate_proj.weight [2,3] +0 w:3 d:1', 'layers[1].ffn.gate <- m.1.mlp.gate_proj.weight [2,3] +0 w:3 d:1',
      'norm <- final.weight [4] +0 d:1',
    ]);
  });
  it('let a capture stand against other letters', () => {
    expect(tensors(resolve(
      [param('l[0].wq', 'd=2'), param('l[0].wk', 'd=2'), param('l[0].q_norm', 'd=3'), param('l[0].w', 'd=4')],
      '"{i}.{p: q|k}_proj" -> l[i].w{p}', '"{i}.{p: q|k}_layernorm" -> l[i].{p}_norm', '"{i}.w" -> l[i].w',
    ))).toEqual(['l[0].wq <- 0.q_proj [2] +0 d:1', 'l[0].wk <- 0.k_proj [2] +0 d:1', 'l[0].q_norm <- 0.q_layernorm [3] +0 d:1', 'l[0].w <- 0.w [4] +0 d:1']);
  });
  it('run an index along an axis of the parameter', () => {
    expect(tensors(resolve([param('layers[2].ffn.experts.up', 'experts=8 w=2 d=3')], '"l.{i}.e.{e}.{p: up|down}" -> layers[i].ffn.experts[e].{p}')))
      .toEqual(['layers[2].ffn.experts.up <- l.2.e.{experts}.up [2,3] +0 w:3 d:1']);
  });
  it('split one stored tensor', () => {
    expect(tensors(resolve([param('a.k', 'h=2 n=3 r=4'), param('a.v', 'h=2 v=5 r=4')], '"kv" -> a.{k, v} : "(heads (nope | value)) rank"')))
      .toEqual(['a.k <- kv [16,4] +0 h:32 n:4 r:1', 'a.v <- kv [16,4] +12 h:32 v:4 r:1']);
  });
  it('count from another number', () => {
    expect(tensors(resolve([param(['l[0].w', 'l[1].w'], 'd=2')], '"block.{i}.w" -> l[i + 1].w', '"first" -> l[0].w'))).toEqual(['l[0].w <- first [2] +0 d:1', 'l[1].w <- block.0.w [2] +0 d:1']);
  });
  it('name the three parts of int4', () => {
    expect(tensors(resolve([param('w', 'a=2 b=32')], '"x.weight_packed", "x.weight_scale", "x.weight_shape" -> w'))).toEqual(['w <- x.weight [2,32] +0 a:32 b:1']);
  });
  it('keep what is ignored', () => {
    expect(resolve([param('w', 'a=2')], '"w" -> w', 'ignore "*.inv_freq", "vision.*"').sources.ignore).toEqual(['*.inv_freq', 'vision.*']);
    expect(resolve([param('w', 'a=2')], '"w" -> w', 'ignore "l.{i}.{p: slope|decay}"').sources.ignore).toEqual(['l.*.slope', 'l.*.decay']);
  });
});

describe('wrong rules are diagnostics', () => {
  const w = param(['l[0].w', 'l[1].w'], 'a=2 b=3');
  it.each([
    ['E0801', /does not decide the capture \{j\}/, [w], ['"x.{i}.{j}" -> l[i].w']],
    ['E0801', /'i' does not appear in the checkpoint name/, [w], ['"x" -> l[i].w']],
    ['E0801', /'\*' cannot say which tensor/, [w], ['"x.{i}" -> l[*].w']],
    ['E0801', /'\{a b\}' is not a capture/, [w], ['"x.{a b}" -> l[i].w']],
    ['E0802', /it gives 3 axes/, [w], ['"x.{i}" -> l[i].w : "a b c"']],
    ['E0802', /the rule has 2 parameters and no layout/, [param('p', 'a=2'), param('q', 'a=2')], ['"x" -> {p, q}']],
    ['E0803', /`l\[0\]\.w` is mapped by two rules/, [w], ['"x.{i}" -> l[i].w', '"y" -> l[0].w']],
    ['E0804', /no parameter matches `l\[i\]\.v`/, [w], ['"x.{i}" -> l[i].w', '"y.{i}" -> l[i].v']],
    ['E0805', /says nothing about 2 parameters: l\[0\]\.w, l\[1\]\.w/, [w, param('v', 'a=2')], ['"v" -> v']],
    ['E0806', /the model has no q/, [param('p', 'a=2')], ['"x" -> {p, q} : "(a | b)"']],
    ['E0807', /several stored tensors/, [param('p', 'a=2')], ['"x", "y" -> p']],
  ] as [string, RegExp, ParamDecl[], string[]][])('%s %s', (code, message, params, lines) => {
    const { diagnostics } = resolve(params, ...lines);
    expect(diagnostics.map((d) => d.code)).toContain(code);
    expect(diagnostics.find((d) => d.code === code)!.message).toMatch(message);
  });
});

it('stored dtypes are found by name, before anything has a shape', () => {
  const rules = rulesOf('"m.{i}.w" -> layers[i].w', '"m.{i}.e.{e}.up" -> layers[i].experts[e].up');
  const storage = storedDTypes(rules, (name) => (name === 'm.3.w' ? 'bf16' : name === 'm.1.e.0.up' ? 'f16' : undefined));
  expect(storage('layers[3].w')).toEqual({ kind: 'plain', dtype: 'bf16' });
  expect(storage('layers[1].experts.up')).toEqual({ kind: 'plain', dtype: 'f16' });
  expect([storage('layers[2].w'), storage('other')]).toEqual([undefined, undefined]);
});
