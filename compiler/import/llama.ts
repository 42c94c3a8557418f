/** Llama 2 and 3: grouped-query attention and a dense feed-forward. */
import type { Config } from './config.js';
import { groupedAttention, groupedAttentionWeights, readTrunk, type Spec } from './family.js';
import { readQuantization } from './quantization.js';
import { frequencies, readRope, scoreScale } from './rope.js';

export function importLlama(config: Config): Spec {
  const trunk = readTrunk(config);
  const heads = config.integer('num_attention_heads');
  const size = config.integer('head_dim', trunk.hidden / heads);
  const rope = readRope(config, ['plain', 'llama3'], 10000);
  const freq = frequencies(rope, size);
  config.must('attention_bias', false, 'biases in the attention are not imported');
  config.must('mlp_bias', false, 'biases in the feed-forward are not imported');
  return {
    ...trunk, name: 'Llama', prefix: '',
    uses: ['rms', 'embedding', 'linear', ...freq.uses, 'rotate', 'gqa', 'swiglu'],
    defs: [
      `const freq    = ${freq.text}`,
      groupedAttention(heads, config.integer('num_key_value_heads', heads), size, scoreScale(rope, size).text),
      `def dense     = swiglu(width: ${config.integer('intermediate_size')})`,
    ],
    ffn: 'dense(ffn_norm = norm(x))',
    quantize: readQuantization(config, [
      { module: 'model.layers.0.self_attn.o_proj', selector: 'layers[*].attn.*' },
      { module: 'model.layers.0.mlp.gate_proj', selector: 'layers[*].ffn.*' },
      { module: 'lm_head', selector: 'head.weight' },
    ]),
    weights: [...groupedAttentionWeights(''), '"model.layers.{i}.mlp.{p: gate|up|down}_proj.weight" -> layers[i].ffn.{p}'],
    rest: ['ignore "*.rotary_emb.inv_freq"', 'tap "hidden.{i}" <- layers[i].hidden', `tap "hidden.${trunk.layers}" <- h`],
  };
}
