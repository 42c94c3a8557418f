/** A spec in the shape of a published mixture of experts with latent attention, small enough for every device. */
export const smallSpec = {
  path: 'small.firn',
  text: `use std.{rms, embedding, linear, yarn, yarn_scale, rotate, mla, swiglu, moe, sigmoid_gate}

model Small {
  dim vocab = 64
  dim hidden = 48
  context 96

  def norm      = rms(eps: 1e-6)
  def rotary    = rotate(freq: yarn(base: 50000, dims: 8, factor: 4, original: 32, beta_fast: 1, beta_slow: 1), pairs: interleaved)
  def attention = mla(heads: 3, q_rank: 24, kv_rank: 16, nope: 8, rope: 8, value: 8, rotary: rotary,
                      latent_norm: rms(eps: 1e-6), score_scale: yarn_scale(16, 4, 1.0))
  def dense     = swiglu(width: 56)
  def sparse    = moe(experts: 6, active: 2, expert: swiglu(width: 32), shared: swiglu(width: 32),
                      gate: sigmoid_gate(normalize: true, scale: 2.0))

  x = embed = embedding(tokens, vocab, hidden)
  repeat layers[3] as i {
    x += attn = attention(attn_norm = norm(x))
    x += ffn = (if i < 1 then dense else sparse)(ffn_norm = norm(x))
  }
  h = final_norm = norm(x)
  logits = head = linear(h, vocab)

  quantize layers[*].ffn.experts.{up, gate} to int4(group: 16, along: in)
  precision { weights: f32  activations: f32  cache: f32  accumulate: f32 }
}
`,
};
