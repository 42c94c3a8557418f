/** Published configurations give specs that check, with the published number of parameters. */
import { expect, it } from 'vitest';
import { checkSpec } from '../../compiler/compile.js';
import { importHf } from '../../compiler/import/hf.js';
import { nodeLoader, standardFamilies } from '../../dsl/std-node.js';
import { kimiK2, llama, mixtral } from './configs.js';
import { bloom, gemma2, gemma3, gpt2, gptOss, mistral, qwen2, qwen3, qwen3Moe } from './published.js';

const deepseekV3 = {
  ...kimiK2, model_type: 'deepseek_v3', num_attention_heads: 128, num_key_value_heads: 128, first_k_dense_replace: 3, n_routed_experts: 256, n_group: 8, topk_group: 4,
  routed_scaling_factor: 2.5, vocab_size: 129280, rope_theta: 10000, rope_scaling: { ...kimiK2.rope_scaling, factor: 40, beta_fast: 32 }, num_nextn_predict_layers: 1,
};
const moonlight = {
  ...kimiK2, model_type: 'deepseek_v3', hidden_size: 2048, num_hidden_layers: 27, num_attention_heads: 16, num_key_value_heads: 16, q_lora_rank: null,
  intermediate_size: 11264, moe_intermediate_size: 1408, n_routed_experts: 64, n_shared_experts: 2, num_experts_per_tok: 6, rope_scaling: null,
};

it.each([
  ['Kimi K2', kimiK2, 1_026_408_232_448], ['DeepSeek-V3', deepseekV3, 671_026_419_200], ['Moonlight', moonlight, 15_960_110_208], ['Mixtral 8x7B', mixtral, 46_702_792_704],
  ['Llama 3.1 405B', llama, 405_853_388_800], ['BLOOM', bloom, 176_247_271_424], ['Qwen3 235B-A22B', qwen3Moe, 235_093_634_560], ['Qwen3 0.6B', qwen3, 596_049_920],
  ['Qwen2 7B', qwen2, 7_615_616_512], ['Mistral 7B', mistral, 7_241_732_096], ['GPT-2', gpt2, 124_439_808], ['Gemma-2 9B', gemma2, 9_241_705_984],
  ['Gemma-3 4B, its text part', gemma3, 3_880_263_168], ['gpt-oss 20B', gptOss, 20_914_757_184],
])('%s', (_, config, parameters) => {
  const { text, diagnostics } = importHf({ config: { path: 'config.json', text: JSON.stringify(config) }, rules: standardFamilies() });
  expect(diagnostics).toEqual([]);
  const checked = checkSpec({ entry: { path: 'imported.firn', text: text! }, load: nodeLoader });
  expect(checked.diagnostics).toEqual([]);
  expect(checked.parameters).toBe(parameters);
});
