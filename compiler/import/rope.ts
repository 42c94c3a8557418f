/** Both published styles of RoPE fields, as the expressions of the standard library. */
import { printNumber } from './numbers.js';
import type { Config } from './config.js';

export type Rope =
  | { readonly kind: 'plain'; readonly base: number }
  | { readonly kind: 'yarn'; readonly base: number; readonly factor: number; readonly original: number; readonly fast: number; readonly slow: number; readonly mscale: number }
  | { readonly kind: 'llama3'; readonly base: number; readonly factor: number; readonly low: number; readonly high: number; readonly original: number };

/**
 * Reads `rope_scaling` + `rope_theta` (as published) or `rope_parameters` (newer). `defaultBase` is what the family's
 * own configuration class assumes when the base is absent.
 */
export function readRope(config: Config, kinds: readonly Rope['kind'][], defaultBase?: number): Rope {
  const parameters = config.section('rope_parameters');
  const scaling = config.section('rope_scaling');
  const base = parameters?.has('rope_theta') ? parameters.real('rope_theta') : config.real('rope_theta', parameters === undefined ? defaultBase : undefined);
  config.skip('rope_theta');
  const fields = scaling ?? parameters;
  if (fields === undefined) return { kind: 'plain', base };
  const type = fields.has('rope_type') ? fields.text('rope_type') : fields.text('type', 'default');
  fields.skip('type', 'rope_type', 'rope_theta');
  const rope = readKind(fields, type, base);
  if (rope === undefined || !kinds.includes(rope.kind)) fields.reject(fields.has('rope_type') ? 'rope_type' : 'type', type, 'this family is imported with other position encodings only');
  fields.finish();
  return rope ?? { kind: 'plain', base };
}

function readKind(fields: Config, type: string, base: number): Rope | undefined {
  switch (type) {
    case 'default': return { kind: 'plain', base };
    case 'yarn': return readYarn(fields, base);
    case 'llama3':
      return {
        kind: 'llama3', base, factor: fields.real('factor'), low: fields.real('low_freq_factor'), high: fields.real('high_freq_factor'),
        original: fields.integer('original_max_position_embeddings'),
      };
    default: return undefined;
  }
}

/** The variant whose cos and sin are not scaled and whose softmax scale is: mscale equal to mscale_all_dim, both given. */
function readYarn(fields: Config, base: number): Rope {
  const mscale = fields.real('mscale_all_dim');
  const own = fields.real('mscale');
  if (own !== mscale) fields.reject('mscale', own, 'with another value than mscale_all_dim, cos and sin are scaled too');
  fields.must('truncate', true, 'the bounds of the ramp are rounded to whole dims here');
  fields.must('attention_factor', null, 'cos and sin are not scaled here');
  return {
    kind: 'yarn', base, factor: fields.real('factor'), original: fields.integer('original_max_position_embeddings'),
    fast: fields.real('beta_fast', 32), slow: fields.real('beta_slow', 1), mscale,
  };
}

/** The frequencies for `dims` rotated dims, and the names they use. */
export function frequencies(rope: Rope, dims: number): { text: string; uses: string[] } {
  const n = printNumber;
  switch (rope.kind) {
    case 'plain': return { text: `plain(base: ${n(rope.base)}, dims: ${dims})`, uses: ['plain'] };
    case 'yarn':
      return { text: `yarn(base: ${n(rope.base)}, dims: ${dims}, factor: ${n(rope.factor)}, original: ${rope.original}, beta_fast: ${n(rope.fast)}, beta_slow: ${n(rope.slow)})`, uses: ['yarn'] };
    case 'llama3':
      return { text: `llama3(base: ${n(rope.base)}, dims: ${dims}, factor: ${n(rope.factor)}, low: ${n(rope.low)}, high: ${n(rope.high)}, original: ${rope.original})`, uses: ['llama3'] };
  }
}

/** The factor of the scores for keys of `size` dims. */
export function scoreScale(rope: Rope, size: number): { text: string; uses: string[] } {
  if (rope.kind !== 'yarn') return { text: `${size} ** -0.5`, uses: [] };
  return { text: `yarn_scale(${size}, ${printNumber(rope.factor)}, ${printNumber(rope.mscale)})`, uses: ['yarn_scale'] };
}
