"""Makes the checkpoints and logits of tests/families with PyTorch 2.13.0 and transformers 5.23.0.

usage: make.py [NAME ...]
NAME/ gets config.json, model.safetensors (random, every gain, bias and sink away from what leaves it without effect, bf16) and
golden.safetensors: tokens i32 [40] and the logits f32 [40, vocabulary] that the published code computes with them on a CPU in
f32, attention and experts in their eager form.
"""
import math, pathlib, sys
import torch
import transformers as T
from safetensors.torch import save_file

here = pathlib.Path(__file__).parent
base = dict(vocab_size=61, hidden_size=40, intermediate_size=56, num_attention_heads=4, num_key_value_heads=2, head_dim=10,
            max_position_embeddings=64, bos_token_id=0, eos_token_id=1, pad_token_id=0, num_hidden_layers=2)
wide = {**base, "hidden_size": 48, "head_dim": 12}


def plain(theta, **rest):
    return dict(rope_type="default", rope_theta=float(theta), **rest)


def kinds(period, layers):
    return ["full_attention" if (i + 1) % period == 0 else "sliding_attention" for i in range(layers)]


families = {
    "gpt2": lambda: T.GPT2Config(vocab_size=61, n_positions=64, n_embd=36, n_layer=2, n_head=3, bos_token_id=0, eos_token_id=1),
    "gemma2": lambda: T.Gemma2Config(**{**base, "head_dim": 12, "num_hidden_layers": 4}, query_pre_attn_scalar=20, attn_logit_softcapping=3.0,
                                     final_logit_softcapping=4.0, sliding_window=5, layer_types=kinds(2, 4), rope_parameters=plain(10000)),
    "gemma3": lambda: T.Gemma3TextConfig(**{**base, "head_dim": 12, "num_hidden_layers": 6}, query_pre_attn_scalar=20, sliding_window=7,
                                         layer_types=kinds(6, 6), rope_parameters={
                                             "sliding_attention": plain(10000),
                                             "full_attention": dict(rope_type="linear", rope_theta=1e6, factor=8.0)}),
    "gemma4": lambda: T.Gemma4TextConfig(**{**base, "head_dim": 12, "num_hidden_layers": 4}, global_head_dim=16, num_global_key_value_heads=1,
                                         sliding_window=7, layer_types=kinds(2, 4), attention_k_eq_v=True, num_kv_shared_layers=0,
                                         hidden_size_per_layer_input=0, final_logit_softcapping=4.0, rope_parameters={
                                             "sliding_attention": plain(10000),
                                             "full_attention": dict(rope_type="proportional", rope_theta=1e6, partial_rotary_factor=0.25)}),
    "phi": lambda: T.PhiConfig(**{**base, "intermediate_size": 96, "num_key_value_heads": 4}, rope_parameters=plain(10000, partial_rotary_factor=0.4)),
    "phi3": lambda: T.Phi3Config(**base, original_max_position_embeddings=16, rms_norm_eps=1e-5, rope_parameters=dict(
        rope_type="longrope", rope_theta=10000.0, original_max_position_embeddings=16, partial_rotary_factor=1.0,
        short_factor=[1.0, 1.1, 1.2, 1.3, 1.4], long_factor=[1.5, 2.25, 3.0, 4.5, 6.0])),
    "cohere": lambda: T.CohereConfig(**{**wide, "intermediate_size": 64}, use_qk_norm=True, logit_scale=0.0625, rope_parameters=plain(10000)),
    "cohere2": lambda: T.Cohere2Config(**{**wide, "intermediate_size": 64, "num_hidden_layers": 4}, logit_scale=0.25, sliding_window=6,
                                       layer_types=kinds(4, 4), rope_parameters=plain(50000)),
    "olmo": lambda: T.OlmoConfig(**{**base, "num_key_value_heads": 4}, clip_qkv=0.75, rope_parameters=plain(10000)),
    "olmo2": lambda: T.Olmo2Config(**base, rms_norm_eps=1e-6, rope_parameters=plain(500000)),
    "gpt-oss": lambda: T.GptOssConfig(**{**base, "intermediate_size": 24, "num_hidden_layers": 4}, num_local_experts=6, num_experts_per_tok=2, swiglu_limit=1.5,
                                      sliding_window=6, layer_types=["sliding_attention", "full_attention"] * 2, rope_parameters=dict(
                                          rope_type="yarn", rope_theta=150000.0, factor=32.0, beta_fast=32.0, beta_slow=1.0, truncate=False,
                                          original_max_position_embeddings=16)),
    "llama4": lambda: T.Llama4TextConfig(**{**base, "num_hidden_layers": 4}, intermediate_size_mlp=56, moe_layers=[], attention_chunk_size=8,
                                         no_rope_layers=[1, 1, 1, 0], floor_scale=8, attn_scale=0.5, attn_temperature_tuning=True,
                                         use_qk_norm=True, rms_norm_eps=1e-5, rope_parameters=plain(500000)),
    "granite": lambda: T.GraniteConfig(**base, embedding_multiplier=3.0, attention_multiplier=0.2, residual_multiplier=0.22, logits_scaling=2.5,
                                       tie_word_embeddings=True, rms_norm_eps=1e-5, rope_parameters=plain(10000)),
    "mpt": lambda: T.MptConfig(vocab_size=61, d_model=48, n_heads=6, n_layers=2, expansion_ratio=2, max_seq_len=64, no_bias=True,
                               attn_config=dict(clip_qkv=0.75, alibi=True)),
    "falcon": lambda: T.FalconConfig(vocab_size=61, hidden_size=48, num_hidden_layers=2, num_attention_heads=6, num_kv_heads=2,
                                     new_decoder_architecture=True, parallel_attn=True, bias=False, alibi=False, bos_token_id=0, eos_token_id=1,
                                     rope_parameters=plain(10000)),
    "neox": lambda: T.GPTNeoXConfig(vocab_size=61, hidden_size=48, intermediate_size=96, num_hidden_layers=2, num_attention_heads=3,
                                    max_position_embeddings=64, use_parallel_residual=True, bos_token_id=0, eos_token_id=1,
                                    rope_parameters=plain(10000, partial_rotary_factor=0.25)),
    "hunyuan": lambda: T.HunYuanDenseV1Config(**base, rms_norm_eps=1e-5, rope_parameters=plain(10000)),
    "glm4": lambda: T.Glm4Config(**wide, attention_bias=True, rms_norm_eps=1e-5, rope_parameters=plain(10000, partial_rotary_factor=0.5)),
    "mimo": lambda: T.MiMoV2FlashConfig(**{**base, "num_hidden_layers": 3, "num_key_value_heads": 1, "head_dim": 12}, v_head_dim=8, sliding_window=6,
                                        layer_types=["full_attention", "sliding_attention", "sliding_attention"], mlp_layer_types=["dense"] * 3,
                                        attention_value_scale=0.707, rms_norm_eps=1e-5, rope_parameters={
                                            "full_attention": plain(5000000, partial_rotary_factor=0.334),
                                            "sliding_attention": plain(10000, partial_rotary_factor=0.334)}),
    "afmoe": lambda: T.AfmoeConfig(**{**base, "num_hidden_layers": 4}, num_dense_layers=4, sliding_window=6, layer_types=kinds(4, 4),
                                   mup_enabled=True, rms_norm_eps=1e-5, rope_parameters=plain(10000)),
    "longcat": lambda: T.LongcatFlashConfig(vocab_size=61, hidden_size=40, num_layers=2, num_attention_heads=4, ffn_hidden_size=56, q_lora_rank=20,
                                            kv_lora_rank=16, qk_nope_head_dim=8, qk_rope_head_dim=6, head_dim=6, v_head_dim=10, moe_topk=2,
                                            n_routed_experts=5, zero_expert_num=0, expert_ffn_hidden_size=16, routed_scaling_factor=1.5,
                                            max_position_embeddings=64, rms_norm_eps=1e-5, bos_token_id=0, eos_token_id=1,
                                            rope_parameters=plain(10000)),
    "nemotron": lambda: T.NemotronConfig(**base, norm_eps=1e-5, rope_parameters=plain(10000, partial_rotary_factor=0.4)),
    "nanochat": lambda: T.NanoChatConfig(**base, final_logit_softcapping=3.0, rms_norm_eps=1e-6, rope_parameters=plain(10000)),
    "opt": lambda: T.OPTConfig(vocab_size=61, hidden_size=40, ffn_dim=56, num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=64,
                               word_embed_proj_dim=40, do_layer_norm_before=False, bos_token_id=0, eos_token_id=1, pad_token_id=1),
    "diffllama": lambda: T.DiffLlamaConfig(**{**base, "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 6}, rms_norm_eps=1e-5,
                                           rope_parameters=plain(10000)),
    "minicpm3": lambda: T.MiniCPM3Config(vocab_size=61, hidden_size=40, intermediate_size=56, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=4,
                                         q_lora_rank=20, kv_lora_rank=16, qk_nope_head_dim=8, qk_rope_head_dim=6, v_head_dim=10, scale_emb=3,
                                         scale_depth=1.4, dim_model_base=16, max_position_embeddings=64, bos_token_id=0, eos_token_id=1,
                                         pad_token_id=0, rms_norm_eps=1e-5, rope_parameters=plain(10000)),
    "apertus": lambda: T.ApertusConfig(**base, rms_norm_eps=1e-5, rope_parameters=plain(10000)),
    "qwen3_next": lambda: T.Qwen3NextConfig(**{**base, "num_hidden_layers": 4}, linear_key_head_dim=6, linear_value_head_dim=8, linear_num_key_heads=2,
                                            linear_num_value_heads=4, num_experts=5, num_experts_per_tok=2, moe_intermediate_size=12,
                                            shared_expert_intermediate_size=16, rms_norm_eps=1e-5,
                                            rope_parameters=plain(10000, partial_rotary_factor=0.4)),
    "falcon_h1": lambda: T.FalconH1Config(**base, mamba_d_ssm=48, mamba_n_heads=4, mamba_d_head=12, mamba_n_groups=2, mamba_d_state=8, mamba_chunk_size=16,
                                          mamba_rms_norm=True, mamba_norm_before_gate=False, embedding_multiplier=2.5, lm_head_multiplier=0.4,
                                          mlp_multipliers=[0.7, 1.3], key_multiplier=0.6, attention_in_multiplier=0.8, attention_out_multiplier=0.9,
                                          ssm_multipliers=[0.35, 0.5, 0.6, 0.7, 0.8], ssm_in_multiplier=1.25, ssm_out_multiplier=0.6, rms_norm_eps=1e-5,
                                          rope_parameters=plain(1e11)),
    "nemotron_h": lambda: T.NemotronHConfig(**{k: v for k, v in base.items() if k != "num_hidden_layers"}, layers_block_type=[
        "linear_attention", "moe", "full_attention", "mlp", "linear_attention", "moe"], ssm_state_size=8, mamba_num_heads=4, mamba_head_dim=12, n_groups=2,
                                            chunk_size=16, n_routed_experts=6, num_experts_per_tok=2, moe_intermediate_size=16,
                                            moe_shared_expert_intermediate_size=20, moe_latent_size=24, routed_scaling_factor=1.5,
                                            n_group=1, topk_group=1, layer_norm_epsilon=1e-5),
    "zamba2": lambda: T.Zamba2Config(**{**base, "num_hidden_layers": 4, "intermediate_size": 32, "num_key_value_heads": 4, "head_dim": 20}, layers_block_type=[
        "linear_attention", "hybrid", "hybrid", "hybrid"], mamba_d_state=8, mamba_ngroups=2, n_mamba_heads=4,
                                     chunk_size=16, num_mem_blocks=2, use_shared_attention_adapter=True, adapter_rank=4, use_mem_rope=True,
                                     rms_norm_eps=1e-5, rope_parameters=plain(10000)),
    "minimax": lambda: T.MiniMaxConfig(**{**base, "intermediate_size": 16, "num_hidden_layers": 4}, num_local_experts=5, num_experts_per_tok=2, block_size=16,
                                       full_attn_alpha_factor=1.5, full_attn_beta_factor=0.8, linear_attn_alpha_factor=1.3, linear_attn_beta_factor=0.9,
                                       mlp_alpha_factor=1.2, mlp_beta_factor=1.1, rms_norm_eps=1e-5,
                                       layer_types=["linear_attention", "linear_attention", "full_attention", "linear_attention"],
                                       rope_parameters=plain(10000)),
    "jamba": lambda: T.JambaConfig(**{**base, "num_hidden_layers": 6, "intermediate_size": 24}, num_experts=4, num_experts_per_tok=2, expert_layer_period=2, expert_layer_offset=1,
                                   attn_layer_period=3, attn_layer_offset=1, use_mamba_kernels=False, mamba_d_state=6, mamba_dt_rank=5, rms_norm_eps=1e-6),
    "gemma3n": lambda: T.Gemma3nTextConfig(**{**base, "head_dim": 12, "num_hidden_layers": 6, "intermediate_size": 56}, sliding_window=7,
                                           layer_types=["sliding_attention", "sliding_attention", "full_attention"] * 2,
                                           activation_sparsity_pattern=[0.9, 0.9, 0.8, 0.0, 0.0, 0.0], vocab_size_per_layer_input=61,
                                           hidden_size_per_layer_input=8, altup_num_inputs=3, altup_coef_clip=1.0, num_kv_shared_layers=2, laurel_rank=6,
                                           final_logit_softcapping=4.0, rope_parameters={"sliding_attention": plain(10000), "full_attention": plain(1e6)}),
    "phimoe": lambda: T.PhimoeConfig(**{**base, "intermediate_size": 16}, num_local_experts=6, num_experts_per_tok=2, attention_bias=True, lm_head_bias=True,
                                     router_jitter_noise=0.25, rms_norm_eps=1e-5, rope_parameters=plain(10000)),
    "jetmoe": lambda: T.JetMoeConfig(vocab_size=61, hidden_size=40, num_hidden_layers=2, num_key_value_heads=2, kv_channels=10, intermediate_size=16,
                                     max_position_embeddings=64, num_local_experts=5, num_experts_per_tok=2, bos_token_id=0, eos_token_id=1,
                                     rms_norm_eps=1e-6, rope_parameters=plain(10000)),
    "deepseek_v2": lambda: T.DeepseekV2Config(vocab_size=61, hidden_size=40, intermediate_size=56, num_hidden_layers=3, num_attention_heads=4,
                                              first_k_dense_replace=1, kv_lora_rank=16, q_lora_rank=None, n_routed_experts=6, n_shared_experts=2,
                                              qk_nope_head_dim=8, qk_rope_head_dim=6, v_head_dim=10, num_experts_per_tok=3, moe_intermediate_size=12,
                                              topk_method="group_limited_greedy", n_group=3, topk_group=2, routed_scaling_factor=2.0,
                                              max_position_embeddings=64, bos_token_id=0, eos_token_id=1, rms_norm_eps=1e-6,
                                              rope_parameters=dict(rope_type="yarn", rope_theta=10000.0, factor=8.0, beta_fast=32, beta_slow=1,
                                                                   mscale=0.707, mscale_all_dim=0.707, original_max_position_embeddings=16)),
    "ernie4_5_moe": lambda: T.Ernie4_5_MoeConfig(**{**base, "num_hidden_layers": 3}, use_bias=False, moe_intermediate_size=12, moe_k=2, moe_num_experts=6,
                                                 moe_num_shared_experts=2, moe_layer_start_index=1, tie_word_embeddings=True, rms_norm_eps=1e-5,
                                                 rope_parameters=plain(500000)),
    "recurrent_gemma": lambda: T.RecurrentGemmaConfig(**{**base, "num_hidden_layers": 3, "num_key_value_heads": 1}, lru_width=48, attention_window_size=6,
                                                      logits_soft_cap=4.0, rms_norm_eps=1e-6, rope_parameters=plain(10000, partial_rotary_factor=0.4)),
    "mamba2": lambda: T.Mamba2Config(vocab_size=61, hidden_size=40, num_hidden_layers=2, num_heads=4, head_dim=20, state_size=8, n_groups=2, chunk_size=16,
                                     bos_token_id=0, eos_token_id=1, pad_token_id=1, time_step_limit=(0.05, 1.0)),
    "xlstm": lambda: T.xLSTMConfig(vocab_size=61, hidden_size=48, num_hidden_layers=2, num_heads=4, chunk_size=16, gate_soft_cap=3.0,
                                   output_logit_soft_cap=4.0, bos_token_id=0, eos_token_id=1, pad_token_id=1),
    "kimi_linear": lambda: T.KimiLinearConfig(vocab_size=61, hidden_size=40, intermediate_size=56, moe_intermediate_size=12, num_hidden_layers=3,
                                              num_attention_heads=4, num_key_value_heads=4, kv_lora_rank=16, qk_rope_head_dim=6, v_head_dim=10,
                                              qk_nope_head_dim=8, n_shared_experts=1, num_experts_per_tok=2, num_local_experts=5,
                                              layer_types=["linear_attention", "full_attention", "linear_attention"],
                                              mlp_layer_types=["dense", "sparse", "sparse"], linear_head_dim=8, linear_num_heads=3,
                                              max_position_embeddings=64, bos_token_id=0, eos_token_id=1, pad_token_id=0, rms_norm_eps=1e-5),
    "smollm3": lambda: T.SmolLM3Config(**{**base, "num_hidden_layers": 4}, no_rope_layer_interval=4, tie_word_embeddings=True, rms_norm_eps=1e-6,
                                       rope_parameters=plain(2000000)),
    "seed_oss": lambda: T.SeedOssConfig(**base, attention_bias=True, attention_out_bias=False, rms_norm_eps=1e-6, rope_parameters=plain(10000000)),
    "starcoder2": lambda: T.Starcoder2Config(**{k: v for k, v in base.items() if k != "head_dim"}, norm_epsilon=1e-5, sliding_window=6,
                                             tie_word_embeddings=True, rope_parameters=plain(100000)),
    "glm4_moe": lambda: T.Glm4MoeConfig(**{**base, "num_hidden_layers": 3}, attention_bias=True, use_qk_norm=True, moe_intermediate_size=12,
                                        num_experts_per_tok=2, n_routed_experts=5, n_shared_experts=1, routed_scaling_factor=2.5,
                                        first_k_dense_replace=1, rms_norm_eps=1e-5, num_mtp_layers=0,
                                        rope_parameters=plain(1000000, partial_rotary_factor=0.4)),
    "zaya": lambda: T.ZayaConfig(vocab_size=61, hidden_size=40, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2, head_dim=10,
                                 max_position_embeddings=64, moe_intermediate_size=16, num_experts=4, router_hidden_size=12, sliding_window=6,
                                 layer_types=["hybrid", "hybrid_sliding", "hybrid"], rms_norm_eps=1e-5, bos_token_id=0, eos_token_id=1, pad_token_id=0,
                                 rope_parameters={"hybrid": plain(5000000, partial_rotary_factor=0.4),
                                                  "hybrid_sliding": plain(10000, partial_rotary_factor=0.4)}),
}


def randomise(model, seed):
    """Matrices of deviation 1 / sqrt(inputs), embeddings wider; gains near the value that does nothing, all else away from 0."""
    g = torch.Generator().manual_seed(seed)
    named = [*model.named_parameters(), *((n, b) for n, b in model.named_buffers() if "layer_scalar" in n or "correction_bias" in n or "balancing_biases" in n)]
    with torch.no_grad():
        for name, p in named:
            noise = torch.randn(p.shape, generator=g)
            if "sinks" in name or "alpha_" in name or "lambda_" in name:
                p.copy_(noise)
            elif "balancing_biases" in name:
                # Reading a checkpoint sets the last one to -1, whatever it says.
                p.copy_(0.3 * noise - 1)
                p[-1] = -1
            elif "bias" in name:
                p.copy_(0.3 * noise)
            elif "A_log" in name or "recurrent_param" in name:
                p.copy_(0.5 + 0.5 * noise)
            elif "norm" in name or "ln_" in name or "layer_scalar" in name or "_scale" in name or name.endswith((".D", ".temp")):
                centred = type(model).__name__.startswith(("Gemma2For", "Gemma3For", "NemotronFor", "Qwen3NextFor", "RecurrentGemmaFor"))
                start = 0.0 if centred and "linear_attn" not in name else 1.0
                p.copy_(start + 0.3 * noise)
            else:
                inputs = p.shape[-2] if "experts" in name or "Conv1D" in owner(model, name) else p.shape[-1]
                # Queries and keys without a norm whose products would leave softmax hardly any choice.
                flat = "adapter" in name or ("Zamba2" in type(model).__name__ and ("q_proj" in name or "k_proj" in name))
                p.copy_(noise * (0.5 if flat else 1.5 if "proj" in name else 1.0) / math.sqrt(inputs))


def owner(model, name):
    return type(model.get_submodule(name.rpartition(".")[0])).__name__


@torch.no_grad()
def build(name):
    config = families[name]()
    config._attn_implementation = config._experts_implementation = "eager"
    folder = here / name
    folder.mkdir(exist_ok=True)
    made = T.AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    randomise(made, 7)
    derived = {key: b.clone() for key, b in made.named_buffers() if key.endswith(("slope_rate", "_decay"))}
    made.to(torch.bfloat16).save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    model = T.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager", experts_implementation="eager").eval()
    for key, value in derived.items():
        model.get_buffer(key).copy_(value)
    tokens = torch.randint(0, 61, (40,), generator=torch.Generator().manual_seed(11))
    logits = model(input_ids=tokens[None], use_cache=False).logits[0]
    save_file({"tokens": tokens.int(), "logits": logits.float().contiguous()}, folder / "golden.safetensors")
    print(f"{name:10s} {sum(p.numel() for p in model.parameters()):7d} parameters, largest logit {logits.abs().max():.2f}, "
          f"{sum(f.stat().st_size for f in folder.iterdir()) / 1024:.0f} KiB", flush=True)


if __name__ == "__main__":
    for name in sys.argv[1:] or families:
        build(name)
