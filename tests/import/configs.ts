/** Configurations as published, fields that change nothing left out. */
export const kimiK2 = {
  architectures: ['DeepseekV3ForCausalLM'], model_type: 'kimi_k2', hidden_size: 7168, num_hidden_layers: 61, num_attention_heads: 64, num_key_value_heads: 64,
  q_lora_rank: 1536, kv_lora_rank: 512, qk_nope_head_dim: 128, qk_rope_head_dim: 64, v_head_dim: 128, attention_bias: false, first_k_dense_replace: 1,
  moe_layer_freq: 1, intermediate_size: 18432, moe_intermediate_size: 2048, n_routed_experts: 384, n_shared_experts: 1, num_experts_per_tok: 8, n_group: 1,
  topk_group: 1, scoring_func: 'sigmoid', topk_method: 'noaux_tc', norm_topk_prob: true, routed_scaling_factor: 2.827, hidden_act: 'silu', rms_norm_eps: 1e-6,
  rope_theta: 50000.0, max_position_embeddings: 131072, vocab_size: 163840, tie_word_embeddings: false, eos_token_id: 163585, num_nextn_predict_layers: 0,
  rope_scaling: { type: 'yarn', factor: 32.0, original_max_position_embeddings: 4096, beta_fast: 1.0, beta_slow: 1.0, mscale: 1.0, mscale_all_dim: 1.0 },
};

export const int4Experts = {
  quant_method: 'compressed-tensors', format: 'pack-quantized', quantization_status: 'compressed', kv_cache_scheme: null,
  config_groups: {
    group_0: {
      targets: ['Linear'], input_activations: null, output_activations: null,
      weights: { num_bits: 4, type: 'int', symmetric: true, strategy: 'group', group_size: 32, dynamic: false, observer: 'minmax', observer_kwargs: {}, actorder: null, block_structure: null },
    },
  },
  ignore: ['lm_head', 're:.*self_attn.*', 're:.*shared_experts.*', 're:.*mlp\\.(gate|up|gate_up|down)_proj.*'],
};

export const mixtral = {
  architectures: ['MixtralForCausalLM'], model_type: 'mixtral', attention_dropout: 0.0, bos_token_id: 1, eos_token_id: 2, hidden_act: 'silu', hidden_size: 4096,
  initializer_range: 0.02, intermediate_size: 14336, max_position_embeddings: 32768, num_attention_heads: 32, num_experts_per_tok: 2, num_hidden_layers: 32,
  num_key_value_heads: 8, num_local_experts: 8, output_router_logits: false, rms_norm_eps: 1e-5, rope_theta: 1000000.0, router_aux_loss_coef: 0.02,
  sliding_window: null, tie_word_embeddings: false, torch_dtype: 'bfloat16', transformers_version: '4.36.0.dev0', use_cache: true, vocab_size: 32000,
};

export const llama = {
  architectures: ['LlamaForCausalLM'], attention_bias: false, attention_dropout: 0.0, bos_token_id: 128000, eos_token_id: [128001, 128008, 128009], hidden_act: 'silu',
  hidden_size: 16384, initializer_range: 0.02, intermediate_size: 53248, max_position_embeddings: 131072, mlp_bias: false, model_type: 'llama',
  num_attention_heads: 128, num_hidden_layers: 126, num_key_value_heads: 8, pretraining_tp: 1, rms_norm_eps: 1e-5, rope_theta: 500000.0, tie_word_embeddings: false,
  rope_scaling: { factor: 8.0, low_freq_factor: 1.0, high_freq_factor: 4.0, original_max_position_embeddings: 8192, rope_type: 'llama3' }, vocab_size: 128256,
};
