/** Words of other notations, and what this language writes for them: notes of messages about unknown names and options. */

const words: Readonly<Record<string, string>> = {
  transpose: 'axes have names and no order, so there is nothing to transpose; how a checkpoint stores them is a layout in `weights`',
  permute: 'axes have names and no order, so there is nothing to permute; how a checkpoint stores them is a layout in `weights`',
  reshape: 'write split(x, axis: c, into: (a, b)) or flatten(x, axes: (a, b), to: c)',
  view: 'write split(x, axis: c, into: (a, b)) or flatten(x, axes: (a, b), to: c)',
  rearrange: 'write split(x, axis: c, into: (a, b)) or flatten(x, axes: (a, b), to: c)',
  squeeze: 'an axis of one element is picked: x[axis: 0]',
  unsqueeze: 'values align by axis name; broadcast(x, axis: a) adds an axis',
  expand: 'values align by axis name; broadcast(x, axis: a) adds an axis',
  repeat_kv: 'query heads are on the axes (kv_heads, group), keys on kv_heads: they align by name',
  cat: 'write [a | b]', concat: 'write [a | b]', stack: 'write [a | b]; new axes come from broadcast',
  chunk: 'a sum axis is split by [a | b] = x', unbind: 'a sum axis is split by [a | b] = x',
  matmul: 'write W @ x, or dot(a, b, over: axis)', mm: 'write W @ x, or dot(a, b, over: axis)', einsum: 'write dot(a, b, over: (axis, ..))',
  where: 'write condition ? a : b', arange: 'write iota(n)', range: 'write iota(n)', len: 'write count(list)',
  pow: 'write a ** b', log: 'write ln(x)', log1p: 'write ln(1 + x)', expm1: 'write exp(x) - 1',
  topk: 'write top(k, of: x, over: axis)', argmax: 'write top(1, of: x, over: axis)', cumsum: 'write cumulate(x, over: axis)',
  std: 'write sqrt(mean(c * c, over: axis)) with c = x - mean(x, over: axis)', var: 'write mean(c * c, over: axis) with c = x - mean(x, over: axis)',
  detach: 'write stop_gradient(x)', dropout: 'models mean inference; nothing is dropped',
  window: '`window` is a kind of state, and window(tail, axis: taps) reads a state `last n`', cycle: 'cycle([..]) stands alone behind `table name[n] =`',
  mrope: 'text has one position per token, for which all sections turn alike: rotate(..)', axis: 'write dim name = size',
};

const attendOptions: Readonly<Record<string, string>> = {
  scale: 'the scale is part of the score: score: s * scale', scaling: 'the scale is part of the score: score: s * scale',
  bias: 'a bias is part of the score: score: s + bias', alibi: 'ALiBi is part of the score: score: s + slope * (key.position - query.position)',
  soft_cap: 'a soft cap is part of the score: score: c * tanh(s / c)', softcap: 'a soft cap is part of the score: score: c * tanh(s / c)',
  causal: 'write mask: causal, which is also what is meant if nothing is said', is_causal: 'write mask: causal',
  window: 'a window is part of the mask: mask: causal and query.position - key.position < n', sinks: 'write sink: b',
  normalize: 'attend is a softmax; for sums without one, or with sigmoids, write a scan over the tokens', dropout: 'models mean inference; nothing is dropped',
  q: 'the query comes first, without a name', value: 'write v:', key: 'write k:', values: 'write v:', keys: 'write k:',
};

/** What the language writes for a name that it does not have. */
export function instead(name: string): string | undefined {
  return Object.hasOwn(words, name) ? words[name] : undefined;
}

/** What an `attend` says instead of an option that it does not have. */
export function insteadOfOption(name: string): string | undefined {
  return Object.hasOwn(attendOptions, name) ? attendOptions[name] : undefined;
}
