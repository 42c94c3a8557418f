/** Mixtral: grouped-query attention, and experts behind a softmax over the chosen logits. */
import type { Config } from './config.js';
import { groupedAttention, groupedAttentionWeights, readTrunk, type Spec } from './family.js';
import { readQuantization } from './quantization.js';
import { frequencies, readRope, scoreScale } from './rope.js';

export function importMixtral(config: Config): Spec {
  const trunk = readTrunk(config);
  const heads = config.integer('num_attention_heads');
  const size = config.integer('head_dim', trunk.hidden / heads);
  const rope = readRope(config, ['plain']);
  const freq = frequencies(rope, size);
  const layer = 'model.layers.{i}';
  config.must('sliding_window', null, 'a sliding window is not imported');
  config.must('attention_bias', false, 'biases in the attention are not imported');
  return {
    ...trunk, name: 'Mixtral', prefix: '',
    uses: ['rms', 'embedding', 'linear', ...freq.uses, 'rotate', 'gqa', 'swiglu', 'moe', 'softmax_gate'],
    defs: [
      `const freq    = ${freq.text}`,
      groupedAttention(heads, config.integer('num_key_value_heads'), size, scoreScale(rope, size).text),
      `def sparse    = moe(experts: ${config.integer('num_local_experts')}, active: ${config.integer('num_experts_per_tok')}, expert: swiglu(width: ${config.integer('intermediate_size')}), shared: none,\n`
      + '                      gate: softmax_gate(normalize: true))',
    ],
    ffn: 'sparse(ffn_norm = norm(x))',
    quantize: readQuantization(config, [
      { module: 'model.layers.0.self_attn.o_proj', selector: 'layers[*].attn.*' },
      { module: 'model.layers.0.block_sparse_moe.experts.0.w1', selector: 'layers[*].ffn.experts.*' },
      { module: 'lm_head', selector: 'head.weight' },
    ]),
    weights: [
      ...groupedAttentionWeights(''),
      `"${layer}.block_sparse_moe.gate.weight" -> layers[i].ffn.gate.weight`,
      `"${layer}.block_sparse_moe.experts.{e}.w1.weight" -> layers[i].ffn.experts[e].gate`,
      `"${layer}.block_sparse_moe.experts.{e}.w3.weight" -> layers[i].ffn.experts[e].up`,
      `"${layer}.block_sparse_moe.experts.{e}.w2.weight" -> layers[i].ffn.experts[e].down`,
    ],
    rest: [
      'tap "hidden.{i}" <- layers[i].hidden',
      `tap "hidden.${trunk.layers}" <- h`,
      'tap "router.model.layers.{i}.mlp.gate" <- layers[i].ffn.gate.ids',
    ],
  };
}
