import type { Config } from './config.js';
import { printNumber } from './numbers.js';

/** What an importer returns: the parts of the spec that differ between families; `hf.ts` puts them together. */
export interface Spec {
  readonly name: string;
  readonly uses: readonly string[];
  readonly vocab: number;
  readonly hidden: number;
  readonly context: number;
  readonly eps: number;
  /** `def` and `const` lines after `norm`. */
  readonly defs: readonly string[];
  readonly layers: number;
  /** The feed-forward call, `dense(ffn_norm = norm(x))`. */
  readonly ffn: string;
  readonly quantize: readonly string[];
  /** Lines of the weights section between the embedding and the final norm. */
  readonly weights: readonly string[];
  /** Lines after the head. */
  readonly rest: readonly string[];
  /** What stands before every checkpoint name. */
  readonly prefix: string;
}

export type Importer = (config: Config) => Spec;

/** Dims that every decoder's configuration has. */
export function readTrunk(config: Config): Pick<Spec, 'vocab' | 'hidden' | 'context' | 'eps' | 'layers'> {
  config.must('hidden_act', 'silu', 'only silu is imported');
  config.must('tie_word_embeddings', false, 'a head that shares the embedding is not imported');
  return {
    vocab: config.integer('vocab_size'), hidden: config.integer('hidden_size'), context: config.integer('max_position_embeddings'),
    eps: config.real('rms_norm_eps'), layers: config.integer('num_hidden_layers'),
  };
}

/** A grouped-query attention, its weights under `self_attn`, and the names it uses. */
export function groupedAttention(heads: number, kvHeads: number, size: number, scale: string): string {
  return `def attention = gqa(heads: ${heads}, kv_heads: ${kvHeads}, size: ${size}, biases: no, rotary: rotate(freq: freq, pairs: half), score_scale: ${scale})`;
}

export function groupedAttentionWeights(prefix: string): string[] {
  const from = (name: string): string => `"${prefix}model.layers.{i}.self_attn.${name}.weight"`;
  return [
    `${from('q_proj')} -> layers[i].attn.wq : "(kv_heads group size) d"`,
    `${from('k_proj')} -> layers[i].attn.wk : "(kv_heads size) d"`,
    `${from('v_proj')} -> layers[i].attn.wv : "(kv_heads size) d"`,
    `${from('o_proj')} -> layers[i].attn.wo : "d (kv_heads group size)"`,
  ];
}

export function normDef(eps: number): string {
  return `def norm      = rms(eps: ${printNumber(eps)})`;
}
