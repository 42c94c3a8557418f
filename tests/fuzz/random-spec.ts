/**
 * Random small models out of everything in the standard library, in odd sizes. A list of numbers steers the choices, so
 * that fast-check can shrink a failure to few parts. Everything written here is valid: an error of the checker is a fault.
 */
import fc from '../support/properties.js';

type Choose = <T>(list: readonly T[]) => T;
export interface RandomSpec { readonly text: string; readonly vocab: number; readonly reduced: boolean; readonly routed: boolean }

/** Mixers around layers of the library that are no mixers by themselves. */
const items = `
layer positive(x: [.., d], heads: dim, key: dim, value: dim, chunk: int) -> [.., d] {
  param wq, wk : [heads, key, d]
  param wv : [heads, value, d]
  param wo : [d, heads, value]
  o = core = normalized_attention(softplus(wq @ x), softplus(wk @ x), wv @ x, chunk)
  return dot(wo, g = gated_norm(o, wv @ x, norm: plain_rms(eps: 1e-6), activation: silu), over: (heads, value))
}
layer memory(x: [.., d], heads: dim, key: dim, value: dim, chunk: int) -> [.., d] {
  param wq, wk : [heads, key, d]
  param wv : [heads, value, d]
  param wi, wf : [heads, d]
  param wo : [d, heads, value]
  at f32 { keep = -softplus(-(wf @ x)) }
  o = core = matrix_memory(wq @ x, wk @ x, wv @ x, wi @ x, keep, chunk)
  return dot(wo, g = norm_of_gated(o, wv @ x, norm: plain_rms(eps: 1e-6), activation: silu), over: (heads, value))
}
layer mixed(x: [.., d], heads: dim, key: dim, value: dim) -> [.., d] {
  (y, v) = time = time_mix(x, heads: heads, key: key, value: value, decay_rank: 3, rate_rank: 2, value_rank: 2, gate_rank: 4, eps: 1e-5, chunk: 8, rows: 4)
  return y
}
`;

export const randomChoices = fc.array(fc.nat({ max: 9999 }), { minLength: 12, maxLength: 80 });

/** Names of the library that a text uses. */
function used(text: string, names: readonly string[]): string[] {
  return names.filter((name) => new RegExp(`\\b${name}\\b`).test(text));
}

/** `names`: what the library offers. `choices`: 0 again and again when the list is at its end. */
export function randomSpec(choices: readonly number[], names: readonly string[]): RandomSpec {
  let at = 0;
  const choose: Choose = (list) => list[(choices[at++] ?? 0) % list.length];
  const hidden = choose([12, 20, 24, 36, 40, 60]);
  const vocab = choose([17, 33, 64]);
  const places = choose([() => '', () => `x += places = learned_positions(position, 40, hidden, ${choose([0, 2])})`])();
  const layers = choose([1, 2, 2, 3]);
  const mixers = Array.from({ length: choose([1, 1, 2]) }, () => mixer(choose));
  const feeds = Array.from({ length: choose([1, 1, 2]) }, () => feed(choose));
  const { before, carry, around, after } = surroundings(choose, hidden);
  const body = around ?? [
    choose([`x += mix = MIX(mix_norm = ${norm(choose, hidden)}(x))`, `x += mix_norm = ${norm(choose, hidden)}(mix = MIX(x))`]),
    choose([`x += ffn = FFN(ffn_norm = ${norm(choose, hidden)}(x))`, `x = x + 0.5 * (ffn = FFN(ffn_norm = ${norm(choose, hidden)}(x)))`]),
    ...after,
  ];
  const lines = body.map((line) => line.replace('MIX', alternate(mixers)).replace('FFN', alternate(feeds)));
  const head = choose(['logits = head = linear(h, vocab)', 'logits = head = affine(h, vocab)', 'logits = head = normalized_linear(h, vocab, eps: 1e-6)', 'logits = embed.table @ h', 'logits = cap * tanh((head = linear(h, vocab)) / cap)']);
  const { sections, reduced } = precision(choose, hidden % 8 === 0 ? feeds : [], head, around === undefined ? 'ffn' : 'ffn.body');
  const text = `model Random {
  dim vocab = ${vocab}
  dim hidden = ${hidden}
  context 40
  const cap = 2
  x = embed = embedding(tokens, vocab, hidden)
  ${places}
  ${before}
  repeat layers[${layers}] as i${carry} {
    ${lines.join('\n    ')}
  }
  h = final_norm = ${norm(choose, hidden)}(${around === undefined ? 'x' : 'sum(x, over: streams)'})
  ${head}
  ${sections}
}
`;
  const own = items.split(/\n(?=layer)/).filter((item) => new RegExp(`\\b${/layer (\w+)/.exec(item)?.[1] ?? ' '}\\(`).test(text)).join('\n');
  return { text: `use std.{${used(text + own, names).join(', ')}}\n${own}\n${text}`, vocab, reduced, routed: /\bexperts: /.test(text) };
}

interface Surroundings { readonly before: string; readonly carry: string; readonly around?: readonly string[]; readonly after: readonly string[] }

/** What is around the two parts of a layer: nothing, a history over depth, several streams, an addition of low rank. */
function surroundings(choose: Choose, hidden: number): Surroundings {
  const history = { before: 'past = [x]', carry: ' carry (x, past)' };
  return choose<() => Surroundings>([
    ...Array.from({ length: 4 }, () => () => ({ before: '', carry: '', after: [] })),
    () => ({ ...history, after: ['x = average = depth_average(past, x)', 'past = push(past, x)'] }),
    () => ({ ...history, after: [`y = depth = depth_attention(past, x, ${norm(choose, hidden)})`, 'past = push(past, x)', 'x = y'] }),
    () => ({
      before: `dim streams = ${choose([2, 3])}\n  x = broadcast(x, axis: streams)`, carry: '', after: [],
      around: ['MIX', 'FFN'].map((part) => `x = ${part.toLowerCase()} = hyper_connections(x, rounds: ${choose([1, 3])}, eps: 1e-6, body: ${part})`),
    }),
    () => ({ before: '', carry: '', after: [`x += low = low_rank_addition(low_norm = ${norm(choose, hidden)}(x), out: hidden, rank: ${choose([1, 3])})`] }),
  ])();
}

function alternate(templates: readonly string[]): string {
  return templates.length === 1 ? `(${templates[0]})` : `(if i mod 2 == 0 then ${templates[0]} else ${templates[1]})`;
}

function precision(choose: Choose, feeds: readonly string[], head: string, path: string): { sections: string; reduced: boolean } {
  const [weights, activations, cache] = [choose(['f32', 'bf16', 'f16']), choose(['f32', 'f32', 'bf16', 'f16']), choose(['f32', 'f32', 'bf16', 'f16'])];
  const packed = [...(feeds.length !== 1 ? [] : [/moe/.test(feeds[0].split('(')[0]) ? `layers[*].${path}.experts.up` : `layers[*].${path}.up`]), ...(feeds.length > 0 && head.includes('linear') ? ['head.weight'] : [])];
  const rules = packed.filter(() => choose([0, 1])).map((target) => `quantize ${target} to int4(group: 8, along: in)`);
  return { sections: [...rules, `precision { weights: ${weights}  activations: ${activations}  cache: ${cache} }`].join('\n  '), reduced: activations !== 'f32' || cache !== 'f32' };
}

function norm(choose: Choose, size: number): string {
  return choose<() => string>([
    () => 'rms(eps: 1e-6)', () => 'wide_rms(eps: 1e-6)', () => 'zero_centered_rms(eps: 1e-5)', () => 'plain_rms(eps: 1e-6)',
    () => `zero_centered_layer_norm(eps: 1e-5, biased: ${choose(['true', 'false'])})`,
    () => `layer_norm(eps: 1e-5, biased: ${choose(['true', 'false'])})`, () => 'plain_layer_norm(eps: 1e-5)', () => 'l2_norm(eps: 1e-6)',
    () => `group_rms(groups: ${divisor(choose, size)}, eps: 1e-6)`, () => `group_norm(groups: ${divisor(choose, size)}, eps: 1e-5, biased: ${choose(['true', 'false'])})`,
  ])();
}

/** Of `size`, leaving at least 4 in each part. */
function divisor(choose: Choose, size: number): number {
  return choose([1, 2, 3].filter((n) => size % n === 0 && size / n >= 4));
}

/** Frequencies of `dims` (even) rotary dims out of `size`. */
function frequencies(choose: Choose, dims: number): string {
  return choose([
    `plain(base: 10000, dims: ${dims})`, `stretched(base: 10000, dims: ${dims}, factor: 2)`, `proportional(base: 500, dims: ${dims}, size: ${dims})`,
    `yarn(base: 5000, dims: ${dims}, factor: 4, original: 16, beta_fast: 32, beta_slow: 1)`, `yarn_fractional(base: 5000, dims: ${dims}, factor: 4, original: 16, beta_fast: 32, beta_slow: 1)`,
    `llama3(base: 500, dims: ${dims}, factor: 8, low: 1, high: 4, original: 16)`, `longrope(base: 10000, dims: ${dims}, factors: [${Array.from({ length: dims / 2 }, (_, i) => 1 + i / 2).join(', ')}])`,
  ]);
}

/** A layer that rotates heads of `size`. */
function rotary(choose: Choose, size: number): string {
  const scale = choose(['', ', scale: longrope_scale(4, 16)', ', scale: yarn_mscale(4, 1)']);
  const pairs = `pairs: ${choose(['half', 'interleaved'])}${scale}`;
  const part = choose([2, 4]);
  return choose<() => string>([
    () => `rotate(freq: ${frequencies(choose, size)}, ${pairs})`,
    () => (part < size ? `rotate_first(freq: ${frequencies(choose, part)}, ${pairs})` : `rotate(freq: ${frequencies(choose, size)}, ${pairs})`),
    () => (part < size ? `rotate_last(freq: ${frequencies(choose, part)}, ${pairs})` : `rotate(freq: ${frequencies(choose, size)}, ${pairs})`),
  ])();
}

const chunks = (choose: Choose): string => `chunk: ${choose([4, 8, 16])}`;

function mixer(choose: Choose): string {
  const taps = choose([2, 3, 4]);
  const biased = `biased: ${choose(['true', 'false'])}`;
  return choose<() => string>([
    () => gqa(choose), () => gqa(choose), () => gqa(choose), () => mla(choose), () => mla(choose),
    () => `gated_delta_net(heads: ${choose([1, 3])}, group: ${choose([1, 2])}, key: 6, value: 5, taps: ${taps}, norm: rms(eps: 1e-6), ${chunks(choose)})`,
    () => `kda(heads: 2, key: 6, value: 5, rank: 7, taps: ${taps}, norm: rms(eps: 1e-6), chunk: ${choose([8, 16])}, rows: ${choose([4, 8])})`,
    () => `mamba2(groups: ${choose([1, 2])}, heads: 2, value: 5, state: 6, taps: ${taps}, ${biased}, eps: 1e-5, ${chunks(choose)})`,
    () => `mamba(inner: 10, state: 4, rank: 3, taps: ${taps}, ${biased}${choose([', norm: rms(eps: 1e-6)', ''])})`,
    () => `griffin_block(width: 12, heads: ${choose([2, 3])}, taps: ${taps}, gate: gelu_tanh)`,
    () => `gated_conv(taps: ${taps}, ${biased})`, () => `positive(heads: 2, key: 6, value: 5, ${chunks(choose)})`, () => `memory(heads: 2, key: 6, value: 5, ${chunks(choose)})`, () => 'mixed(heads: 2, key: 6, value: 5)',
  ])();
}

function gqa(choose: Choose): string {
  const [kvHeads, group, size] = [choose([1, 2, 3]), choose([1, 2, 3]), choose([4, 6, 8, 10])];
  const heads = kvHeads * group;
  const tied = choose([false, false, false, true]);
  const parts = [`heads: ${heads}`, `kv_heads: ${kvHeads}`, `size: ${size}`, `biases: ${choose(['no', 'qkv', 'all'])}`, `score_scale: ${size} ** -0.5`];
  const sometimes = (make: () => string): void => { if (choose([0, 0, 1])) parts.push(make()); };
  if (tied) parts.push('tied_value: true');
  else sometimes(() => `value: ${choose([3, 5, 12])}`);
  sometimes(() => 'clip: 0.7');
  sometimes(() => `qk_norm: ${choose(['rms(eps: 1e-6)', 'l2_norm(eps: 1e-6)', 'zero_centered_rms(eps: 1e-6)'])}, qk_norm_on: ${choose(['each_head', 'by_head', 'turned_head', 'all_heads'])}`);
  if (choose([0, 1, 1])) parts.push(`rotary: ${rotary(choose, size)}`);
  else sometimes(() => `slopes: alibi(${heads})`);
  sometimes(() => 'temper: log_temperature(stretch: 8, factor: 0.1, offset: 1)');
  sometimes(() => 'soft_cap: 1.5');
  sometimes(() => choose(['window: 5', 'window: 17', 'chunk: 6']));
  sometimes(() => 'sinks: true');
  sometimes(() => 'value_scale: 0.7');
  sometimes(() => 'value_norm: plain_rms(eps: 1e-6)');
  sometimes(() => `gate: ${choose(['per_element', 'per_head'])}`);
  return `gqa(${parts.join(', ')})`;
}

function mla(choose: Choose): string {
  const rope = choose([4, 6]);
  const parts = [`heads: ${choose([1, 2, 3])}`, `kv_rank: ${choose([8, 10])}`, `nope: ${choose([5, 8])}`, `rope: ${rope}`, `value: ${choose([4, 7])}`, 'latent_norm: rms(eps: 1e-6)', `score_scale: yarn_scale(12, 4, 1)`];
  const sometimes = (part: string): void => { if (choose([0, 1])) parts.push(part); };
  sometimes('q_rank: 9');
  sometimes(`rotary: rotate(freq: ${frequencies(choose, rope)}, pairs: ${choose(['half', 'interleaved'])})`);
  sometimes('q_scale: 1.3');
  sometimes('latent_scale: 0.8');
  sometimes(`gate: ${choose(['per_element', 'per_head'])}`);
  return `mla(${parts.join(', ')})`;
}

function feed(choose: Choose): string {
  return choose<() => string>([
    () => expert(choose), () => expert(choose), () => moe(choose), () => moe(choose), () => `channel_mix(width: ${choose([9, 16])})`,
  ])();
}

function expert(choose: Choose): string {
  const width = `width: ${choose([8, 14, 20])}`;
  const biased = `biased: ${choose(['true', 'false'])}`;
  return choose([
    `swiglu(${width})`, `gated(${width}, combine: ${choose(['swish_gate', 'gelu_gate', 'gelu_tanh_gate', 'relu_gate'])}, ${biased})`,
    `mlp(${width}, activation: ${choose(['relu', 'relu_squared', 'square', 'silu', 'gelu', 'gelu_tanh', 'gelu_sigmoid', 'gaussian_top(share: 0.6)', 'xielu(beta: 0.5, eps: 1e-6)'])}, ${biased})`,
  ]);
}

function moe(choose: Choose): string {
  const experts = choose([3, 5, 8]);
  const normalize = `normalize: ${choose(['true', 'false'])}`;
  const groups = experts === 8 ? choose([2, 4]) : experts;
  // At least three experts are left to choose from.
  const kept = groups === 2 ? choose([1, 2]) : groups === 4 ? choose([2, 3]) : 3;
  const gate = choose([
    `grouped_softmax_gate(groups: ${groups}, kept: ${kept}, scale: 1.5)`,
    `sigmoid_gate(${normalize}, scale: 1.5)`, `softmax_gate(${normalize})`, `softmax_after_gate(router_bias: ${choose(['true', 'false'])})`,
    `hash_gate(vocab: vocab, score: ${choose(['softmax', 'sigmoid_score'])}, ${normalize}, epsilon: 1e-20, scale: 1.5)`,
    `scored_gate(score: ${choose(['softmax', 'sigmoid_score', 'sqrt_softplus_score'])}, router_bias: false, select_bias: true, ${normalize}, epsilon: 1e-20, scale: 1.5)`,
  ]);
  const common = `experts: ${experts}, active: ${choose([1, 2, 3])}, expert: ${expert(choose)}, gate: ${gate}`;
  const shared = choose(['', `, shared: ${expert(choose)}`]);
  return choose([
    `moe(${common}${shared})`, `moe_scaled_input(${common}${shared})`, `moe_gated_shared(${common}, shared: ${expert(choose)})`,
    `moe_with_identities(${common}, identities: 2)`, `latent_moe(${common}, latent: 7, norm: rms(eps: 1e-6)${shared})`,
  ]);
}
