import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { elaborate } from '../../compiler/check/elaborate.js';
import { importHf } from '../../compiler/import/hf.js';
import { parse } from '../../dsl/parse.js';
import { loadText } from '../support/load-program.js';
import { int4Experts, kimiK2, llama, mixtral } from './configs.js';
import { standardFamilies } from '../../dsl/std-node.js';

const read = (config: unknown, generation?: unknown): ReturnType<typeof importHf> => importHf({
  config: { path: 'config.json', text: JSON.stringify(config, null, 1) }, rules: standardFamilies(),
  ...(generation === undefined ? {} : { generation: { path: 'generation_config.json', text: JSON.stringify(generation) } }),
});
const textOf = (config: unknown, generation?: unknown): string => {
  const { text, diagnostics } = read(config, generation);
  expect(diagnostics).toEqual([]);
  expect(parse({ path: 'imported.firn', text: text! }).diagnostics).toEqual([]);
  return text!;
};
const problems = (config: unknown): string[] => read(config).diagnostics.map((d) => `${d.code} ${d.message}`);
const without = <T extends object>(config: T, key: keyof T): Partial<T> => {
  const rest = { ...config };
  delete rest[key];
  return rest;
};

describe('published configurations', () => {
  it('Kimi K2', () => {
    const text = textOf(kimiK2, { eos_token_id: [163586] });
    expect(text).toContain('def rotary = rotate(freq: yarn(base: 50000, dims: 64, factor: 32, original: 4096, beta_fast: 1, beta_slow: 1),');
    expect(text).toContain('mla(heads: 64, q_rank: 1536, kv_rank: 512, nope: 128, rope: 64, value: 128, rotary: rotary,');
    expect(text).toContain('latent_norm: rms(eps: 1e-6), score_scale: yarn_scale(192, 32, 1))');
    expect(text).toContain('gate: sigmoid_gate(normalize: true, scale: 2.827))');
    expect(text).toContain('stop [163585, 163586]');
    expect(text).toContain('precision { activations: f32  cache: f32  accumulate: f32 }');
    expect(text).not.toContain('quantize');
  });
  it('its int4 successor, whose latent norms keep their epsilon', () => {
    const text = textOf({ ...kimiK2, rms_norm_eps: 1e-5, quantization_config: int4Experts });
    expect(text).toMatch(/def norm += rms\(eps: 1e-5\)/);
    expect(text).toContain('latent_norm: rms(eps: 1e-6)');
    expect(text.match(/quantize .*/g)).toEqual(['quantize layers[*].ffn.experts.* to int4(group: 32, along: in)']);
  });
  it('fp8 in blocks, on all linear modules but the head', () => {
    const text = textOf({ ...kimiK2, quantization_config: { quant_method: 'fp8', fmt: 'e4m3', activation_scheme: 'dynamic', weight_block_size: [128, 128] } });
    expect(text.match(/quantize .*/g)).toEqual([
      'quantize layers[*].attn.{wq, wq_a, wq_b, wkv_a, wk_b, wv_b, wo} to fp8(block: 128)', 'quantize layers[*].ffn.{gate, up, down} to fp8(block: 128)',
      'quantize layers[*].ffn.shared.* to fp8(block: 128)', 'quantize layers[*].ffn.experts.* to fp8(block: 128)',
    ]);
  });
  it('the same inside a model that also sees', () => {
    const text = textOf({ model_type: 'kimi_k25', text_config: { ...kimiK2, quantization_config: int4Experts }, vision_config: {} });
    expect(text).toContain('"language_model.model.layers.{i}.mlp.experts.{e}.{p: gate|up|down}_proj.weight" -> layers[i].ffn.experts[e].{p}');
    expect(text).toContain('"vision_tower.*", "mm_projector.*"');
  });
  it('Mixtral, in both styles of RoPE fields', () => {
    const text = textOf(mixtral);
    expect(text).toContain('plain(base: 1000000, dims: 128)');
    expect(textOf({ ...without(mixtral, 'rope_theta'), head_dim: null, rope_parameters: { rope_theta: 1000000.0, rope_type: 'default' } })).toBe(text);
  });
  it('Llama 3.1, in both styles of RoPE fields', () => {
    const text = textOf(llama);
    expect(text).toContain('llama3(base: 500000, dims: 128, factor: 8, low: 1, high: 4, original: 8192)');
    expect(text).toContain('stop [128001, 128008, 128009]');
    expect(textOf({ ...without(without(llama, 'rope_theta') as typeof llama, 'rope_scaling'), rope_parameters: { rope_theta: 500000.0, ...llama.rope_scaling } })).toBe(text);
  });
  it('expert groups, and no low-rank step of the queries', () => {
    expect(textOf({ ...kimiK2, n_group: 8, topk_group: 4 })).toContain('sigmoid_gate(normalize: true, scale: 2.827, groups: 8, kept: 4)');
    const text = textOf({ ...kimiK2, q_lora_rank: null });
    expect(text).not.toContain('q_rank');
    expect(text).toContain('.self_attn.q_proj.weight" -> layers[i].attn.wq : "(heads size) d"');
    expect(text).not.toContain('q_a_proj');
  });
  it('a head that shares the embedding', () => {
    const text = textOf({ ...llama, tie_word_embeddings: true });
    expect(text).toContain('logits = embed.table @ h');
    expect(text).toContain('ignore "lm_head.weight"');
    expect(text).not.toContain('linear');
  });
  it('a multi-token prediction layer is ignored by name', () => {
    expect(textOf({ ...kimiK2, num_nextn_predict_layers: 1 })).toContain('ignore "model.layers.61.*"');
  });
});

describe('what cannot be imported is said, all of it at once', () => {
  it.each([
    ['E0902', { ...kimiK2, model_type: 'perceiver' }, /no import rules for the architecture 'perceiver'/],
    ['E0903', without(kimiK2, 'vocab_size'), /'vocab_size' is missing/],
    ['E0904', { ...kimiK2, hidden_size: '7168' }, /'hidden_size' should be a whole number of 0 or more, but is "7168"/],
    ['E0903', { ...kimiK2, kv_lora_rank: null }, /'kv_lora_rank' is null/],
    ['E0905', { ...kimiK2, num_nextn_predict_layers: 2 }, /'num_nextn_predict_layers' is 2/],
    ['E0905', { ...kimiK2, rope_scaling: { ...kimiK2.rope_scaling, mscale: 0.707 } }, /'rope_scaling.mscale' is 0.707/],
    ['E0907', { ...kimiK2, rope_scaling: { ...kimiK2.rope_scaling, type: 'longrope' } }, /'rope_scaling.type' is "longrope", which std\/families\/deepseek-v3.firn does not know/],
    ['E0905', { ...mixtral, sliding_window: 4096 }, /'sliding_window' is 4096/],
    ['E0905', { ...mixtral, tie_word_embeddings: true }, /'tie_word_embeddings' is true/],
    ['E0905', { ...llama, hidden_act: 'gelu' }, /'hidden_act' is "gelu"/],
    ['E0905', { ...kimiK2, quantization_config: { quant_method: 'gptq', bits: 4 } }, /'quantization_config.quant_method' is "gptq"/],
    ['E0905', { ...kimiK2, quantization_config: { quant_method: 'fp8', fmt: 'e4m3', activation_scheme: 'dynamic', weight_block_size: [1, 128] } }, /'quantization_config.weight_block_size' is \[1,128\]/],
    ['E0905', { ...kimiK2, quantization_config: { ...int4Experts, ignore: ['re:(a+)+$'] } }, /this pattern is beyond/],
    ['E0905', { ...kimiK2, quantization_config: { ...int4Experts, ignore: ['re:(a'] } }, /this pattern is beyond/],
    ['E0906', { ...mixtral, logit_scale: 0.5 }, /unknown key 'logit_scale'/],
    ['E0906', { ...kimiK2, rope_scaling: { ...kimiK2.rope_scaling, ramp: 2 } }, /unknown key 'rope_scaling.ramp'/],
  ])('%s', (code, config, message) => {
    const found = problems(config);
    expect(found.some((p) => p.startsWith(code) && message.test(p))).toBe(true);
    expect(read(config).text).toBeUndefined();
  });
  it('E0901: text that is not JSON', () => {
    expect(importHf({ config: { path: 'config.json', text: '{ "a": ' }, rules: standardFamilies() }).diagnostics.map((d) => d.code)).toEqual(['E0901']);
    expect(importHf({ config: { path: 'config.json', text: '[1]' }, rules: standardFamilies() }).diagnostics.map((d) => d.code)).toEqual(['E0901']);
    const nested = `{ "model_type": "llama", "rms_norm_eps": ${'['.repeat(20_000)}1${']'.repeat(20_000)} }`;
    expect(importHf({ config: { path: 'config.json', text: nested }, rules: standardFamilies() }).diagnostics).toMatchObject([{ code: 'E0901', message: expect.stringContaining('64 levels') as string }]);
  });
  it('several at once, each at its place', () => {
    const { diagnostics } = read({ ...kimiK2, moe_layer_freq: 2, logit_scale: 2, hidden_size: -1 });
    expect(diagnostics.map((d) => d.code).sort()).toEqual(['E0904', 'E0905', 'E0906']);
    expect(new Set(diagnostics.map((d) => d.span.line)).size).toBe(3);
  });
});

describe('a family of one\'s own', () => {
  const rules = { path: 'mine.firn', text: readFileSync('tests/import/mine.firn', 'utf8') };
  const importMine = (config: unknown): ReturnType<typeof importHf> =>
    importHf({ config: { path: 'config.json', text: JSON.stringify(config) }, rules: [rules, ...standardFamilies()] });

  it('is a file: legacy names, tables from lists, layers of the file', () => {
    const { text, diagnostics } = importMine({ model_type: 'mine', n_embd: 64, n_head: 4, n_layer: 6, vocab: 100, kinds: ['a', 'b', 'a', 'b', 'a', 'b'], window: 0 });
    expect(diagnostics).toEqual([]);
    expect(text).toBe(readFileSync('tests/import/mine-filled.firn', 'utf8'));
    expect(parse({ path: 'x.firn', text: text! }).diagnostics).toEqual([]);
  });
  it('absent, null and 0 are three things', () => {
    const base = { model_type: 'mine', n_embd: 64, n_head: 4, n_layer: 2, vocab: 100, kinds: ['a', 'a'] };
    expect(importMine({ ...base, window: 0 }).text).toContain('const window = 0');
    expect(importMine({ ...base, window: null }).text).toContain('const window = none');
    expect(importMine(base).text).toContain('const window = 128');
  });
  it('a value outside of an enumeration names the file to extend', () => {
    const { diagnostics } = importMine({ model_type: 'mine', n_embd: 64, n_head: 4, n_layer: 1, vocab: 100, kinds: ['c'] });
    expect(diagnostics.map((d) => `${d.code} ${d.message}`)).toEqual([`E0907 'kinds' is "c", which mine.firn does not know`]);
    expect(diagnostics[0].notes[0].text).toContain('"a", "b"');
  });
  it.each([
    ['E0903', 'a : int = n', /'n' is missing/], ['E0904', 'a : int = n_embd - 0.5', /should be a whole number/], ['E0908', 'a : int = kinds + 1', /need a number here/],
    ['E0910', 'a : int = rms(eps: 1)', /made of keys/], ['E0905', 'require n_embd == 3, "three only"  a : int = 1', /'n_embd' is 64: three only/],
  ])('%s: %s', (code, entry, message) => {
    const text = `model M {\n  import "mine" {\n    ${entry.replace('  a :', '\n    a :')}\n    known n_embd, kinds\n  }\n  dim d = a\n}\n`;
    const found = importHf({ config: { path: 'config.json', text: JSON.stringify({ model_type: 'mine', n_embd: 64, kinds: ['a'] }) }, rules: [{ path: 'mine.firn', text }] });
    expect(found.diagnostics.map((d) => d.code)).toEqual([code]);
    expect(found.diagnostics[0].message).toMatch(message);
  });
  it('rules without an import section: E0909', () => {
    expect(importHf({ config: { path: 'config.json', text: '{"model_type": "x"}' }, rules: [{ path: 'mine.firn', text: 'fn f(x) = x\n' }] }).diagnostics.map((d) => d.code)).toEqual(['E0909']);
  });
  it('a template is not a spec', () => {
    expect(elaborate(loadText(rules.text), {}).diagnostics.map((d) => d.code)).toContain('E0617');
  });
});
