/**
 * DeepSeek-V3 and its relatives (Kimi K2, Moonlight): latent attention, dense layers first, then experts behind a
 * sigmoid gate with a bias that only selects. Kimi's `model_type` differs, the computation does not.
 */
import type { Config } from './config.js';
import { readTrunk, type Spec } from './family.js';
import { printNumber } from './numbers.js';
import { readQuantization } from './quantization.js';
import { frequencies, readRope, scoreScale } from './rope.js';

const ffnNames = 'gate|up|down';

export function importLatentAttention(config: Config, name: string, prefix: string): Spec {
  const trunk = readTrunk(config);
  const attention = readAttention(config);
  const gate = readGate(config);
  const dense = config.integer('first_k_dense_replace');
  const extra = config.integer('num_nextn_predict_layers', 0);
  const quantize = readQuantization(config, quantizable(prefix));
  config.must('moe_layer_freq', 1, 'only experts in every layer after the dense ones are imported');
  return {
    ...trunk, name, prefix, quantize,
    uses: ['rms', 'embedding', 'linear', ...attention.uses, 'rotate', 'mla', 'swiglu', 'moe', 'sigmoid_gate'],
    defs: [
      ...attention.defs,
      `def dense     = swiglu(width: ${config.integer('intermediate_size')})`,
      ...gate,
    ],
    ffn: `(if i < ${dense} then dense else sparse)(ffn_norm = norm(x))`,
    weights: weightLines(prefix),
    rest: [
      ...Array.from({ length: extra }, (_, j) => `ignore "${prefix}model.layers.${trunk.layers + j}.*"  # multi-token prediction`),
      ...(prefix === '' ? [] : ['ignore "vision_tower.*", "mm_projector.*"  # text only']),
      `ignore "*.rotary_emb.inv_freq"`,
      'tap "hidden.{i}" <- layers[i].hidden',
      `tap "hidden.${trunk.layers}" <- h`,
      `tap "router.${prefix}model.layers.{i}.mlp.gate" <- layers[i].ffn.gate.ids`,
    ],
  };
}

function readAttention(config: Config): { uses: string[]; defs: string[] } {
  const nope = config.integer('qk_nope_head_dim'), rotated = config.integer('qk_rope_head_dim'), heads = config.integer('num_attention_heads');
  const rope = readRope(config, ['plain', 'yarn']);
  const freq = frequencies(rope, rotated);
  const scale = scoreScale(rope, nope + rotated);
  config.must('attention_bias', false, 'biases in the attention are not imported');
  config.must('num_key_value_heads', heads, 'latent attention has one key and value per head');
  config.must('rope_interleave', true, 'only neighbouring pairs are imported');
  config.skip('qk_head_dim', 'head_dim');
  if (!config.has('q_lora_rank')) config.reject('q_lora_rank', null, 'queries without a low-rank step are not imported');
  // The published code builds both latent norms with its class default, 1e-6, whatever rms_norm_eps says.
  return {
    uses: [...freq.uses, ...scale.uses],
    defs: [
      `const freq    = ${freq.text}`,
      `def attention = mla(heads: ${heads}, q_rank: ${config.has('q_lora_rank') ? config.integer('q_lora_rank') : 0}, kv_rank: ${config.integer('kv_lora_rank')}, nope: ${nope}, rope: ${rotated}, value: ${config.integer('v_head_dim')},\n`
      + `                      rotary: rotate(freq: freq, pairs: interleaved), latent_norm: rms(eps: 1e-6), score_scale: ${scale.text})`,
    ],
  };
}

function readGate(config: Config): string[] {
  const width = config.integer('moe_intermediate_size');
  const groups = config.integer('n_group', 1);
  const scoring = config.text('scoring_func', 'sigmoid');
  if (scoring !== 'sigmoid') config.reject('scoring_func', scoring, 'only sigmoid scores are imported');
  const method = config.text('topk_method', 'noaux_tc');
  if (method !== 'noaux_tc') config.reject('topk_method', method, 'only noaux_tc is imported');
  if (groups > 1) config.reject('n_group', groups, 'a gate that first selects groups of experts is not imported');
  config.skip('topk_group');
  const shared = config.integer('n_shared_experts', 0);
  return [
    `def sparse    = moe(experts: ${config.integer('n_routed_experts')}, active: ${config.integer('num_experts_per_tok')}, expert: swiglu(width: ${width}), shared: ${shared === 0 ? 'none' : `swiglu(width: ${shared * width})`},\n`
    + `                      gate: sigmoid_gate(normalize: ${config.flag('norm_topk_prob')}, scale: ${printNumber(config.real('routed_scaling_factor'))}))`,
  ];
}

function quantizable(prefix: string): { module: string; selector: string }[] {
  const layer = `${prefix}model.layers.1.`;
  return [
    { module: `${layer}self_attn.o_proj`, selector: 'layers[*].attn.{wq_a, wq_b, wkv_a, wk_b, wv_b, wo}' },
    { module: `${layer}mlp.gate_proj`, selector: 'layers[*].ffn.{gate, up, down}' },
    { module: `${layer}mlp.shared_experts.gate_proj`, selector: 'layers[*].ffn.shared.*' },
    { module: `${layer}mlp.experts.0.gate_proj`, selector: 'layers[*].ffn.experts.*' },
    { module: `${prefix}lm_head`, selector: 'head.weight' },
  ];
}

function weightLines(prefix: string): string[] {
  const layer = `${prefix}model.layers.{i}`;
  return [
    `"${layer}.self_attn.q_a_proj.weight" -> layers[i].attn.wq_a`,
    `"${layer}.self_attn.q_a_layernorm.weight" -> layers[i].attn.q_norm.weight`,
    `"${layer}.self_attn.q_b_proj.weight" -> layers[i].attn.wq_b : "(heads size) rank"`,
    `"${layer}.self_attn.kv_a_proj_with_mqa.weight" -> layers[i].attn.wkv_a`,
    `"${layer}.self_attn.kv_a_layernorm.weight" -> layers[i].attn.kv_norm.weight`,
    `"${layer}.self_attn.kv_b_proj.weight" -> layers[i].attn.{wk_b, wv_b} : "(heads (nope | value)) rank"`,
    `"${layer}.self_attn.o_proj.weight" -> layers[i].attn.wo : "d (heads value)"`,
    `"${layer}.mlp.{p: ${ffnNames}}_proj.weight" -> layers[i].ffn.{p}`,
    `"${layer}.mlp.gate.weight" -> layers[i].ffn.gate.weight`,
    `"${layer}.mlp.gate.e_score_correction_bias" -> layers[i].ffn.gate.bias`,
    `"${layer}.mlp.shared_experts.{p: ${ffnNames}}_proj.weight" -> layers[i].ffn.shared.{p}`,
    `"${layer}.mlp.experts.{e}.{p: ${ffnNames}}_proj.weight" -> layers[i].ffn.experts[e].{p}`,
  ];
}
