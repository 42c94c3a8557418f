/** Routers and unlike experts, written in the language, beside plain implementations. */
import { describe, it, vi } from 'vitest';
import { checkForm, type FormCase } from '../support/form-model.js';
import { usualDevices, type Runnable } from '../support/devices.js';
import { add, apply, dot, rms, row, sigmoid, softmax, softplus, swiglu, times, top, type Vector } from '../support/plain.js';

vi.setConfig({ testTimeout: 300_000 });

const [vocab, hidden, experts, active, width] = [40, 24, 6, 2, 16];

function spec(body: string, items = ''): string {
  return `use std.{rms, embedding, linear, swiglu, moe, moe_gated_shared, moe_scaled_input, moe_with_identities, latent_moe}
use std.{sigmoid_gate, softmax_gate, scored_gate, softmax_after_gate, hash_gate, softmax, sigmoid_score, sqrt_softplus_score}
${items}
model Routed {
  dim vocab = ${vocab}
  dim hidden = ${hidden}
  def norm = rms(eps: 1e-6)
  def expert = swiglu(width: ${width})
  x = embed = embedding(tokens, vocab, hidden)
  repeat layers[2] as i {
    n = ffn_norm = norm(x)
    ${body}
  }
  logits = head = linear(x, vocab)
}
`;
}

type Block = (n: Vector, w: (name: string) => Vector, token: number, i: number) => Vector;

/** The model around one block per layer, on one sequence. */
function plain(block: Block): FormCase['plain'] {
  return (tokens, w) => tokens.flatMap((token) => {
    let x: Vector = row(w('embed.table'), token, hidden);
    for (let i = 0; i < 2; i++) x = add(x, block(rms(x, w(`layers[${i}].ffn_norm.weight`), 1e-6), (name) => w(`layers[${i}].ffn.${name}`), token, i));
    return apply(w('head.weight'), x);
  });
}

const expertOf = (w: (name: string) => Vector, e: number, x: Vector, name = 'experts'): number[] =>
  swiglu(...(['gate', 'up', 'down'] as const).map((m) => row(w(`${name}.${m}`), e, width * x.length)) as [Vector, Vector, Vector], x);

/** Sum over the chosen of weight times expert. */
const mixture = (n: Vector, w: (name: string) => Vector, ids: readonly number[], weights: Vector): Vector => add(...ids.map((e, k) => times(expertOf(w, e, n), weights[k])));

const normalized = (values: readonly number[]): number[] => values.map((v) => v / values.reduce((a, b) => a + b, 0));

const routers: Record<string, { readonly gate: string; readonly choose: (z: number[], w: (name: string) => Vector, token: number) => { ids: number[]; weights: number[] } }> = {
  'softmax, then the best, not renormalised (Qwen, DeepSeek-V2)': {
    gate: 'scored_gate(score: softmax, router_bias: false, select_bias: false, normalize: false, epsilon: 0, scale: 1.5)',
    choose: (z) => { const s = softmax(z); const ids = top(s, active); return { ids, weights: ids.map((e) => 1.5 * s[e]) }; },
  },
  'softmax of the best, with a bias in the router (gpt-oss)': {
    gate: 'softmax_after_gate(router_bias: true)',
    choose: (z, w) => { const b = add(z, w('gate.logit_bias')); const ids = top(b, active); return { ids, weights: softmax(ids.map((e) => b[e])) }; },
  },
  'sigmoid, a bias that selects only, renormalised and scaled (MiniMax-M2, Step)': {
    gate: 'scored_gate(score: sigmoid_score, router_bias: false, select_bias: true, normalize: true, epsilon: 1e-20, scale: 2.5)',
    choose: (z, w) => { const s = z.map(sigmoid); const ids = top(add(s, w('gate.bias')), active); return { ids, weights: times(normalized(ids.map((e) => s[e])), 2.5) }; },
  },
  'sqrt of softplus (DeepSeek-V4)': {
    gate: 'scored_gate(score: sqrt_softplus_score, router_bias: false, select_bias: true, normalize: true, epsilon: 1e-20, scale: 1.5)',
    choose: (z, w) => { const s = z.map((v) => Math.sqrt(softplus(v))); const ids = top(add(s, w('gate.bias')), active); return { ids, weights: times(normalized(ids.map((e) => s[e])), 1.5) }; },
  },
  'experts by the id of the token, from a frozen table (DeepSeek-V4)': {
    gate: 'hash_gate(vocab: vocab, score: sqrt_softplus_score, normalize: true, epsilon: 1e-20, scale: 1.5)',
    choose: (z, w, token) => { const s = z.map((v) => Math.sqrt(softplus(v))); const ids = [...row(w('gate.choices'), token, active)]; return { ids, weights: times(normalized(ids.map((e) => s[e])), 1.5) }; },
  },
};

const hashed = Array.from({ length: vocab * active }, (_, n) => (Math.floor(n / active) * 5 + (n % active) * 2 + 1) % experts);
const tables = { 'layers[0].ffn.gate.choices': hashed, 'layers[1].ffn.gate.choices': hashed.map((e) => (e + 3) % experts) };

const devices: readonly Runnable[] = ['reference', 'cpu'];

describe('routers', () => {
  for (const [name, { gate, choose }] of Object.entries(routers)) {
    it(name, async () => {
      const text = spec(`x += ffn = moe(n, experts: ${experts}, active: ${active}, expert: expert, gate: ${gate})`);
      const block: Block = (n, w, token) => {
        const { ids, weights } = choose(apply(w('gate.weight'), n), w, token);
        return mixture(n, w, ids, weights);
      };
      for (const device of devices) await checkForm({ text, plain: plain(block), vocab, tables }, device);
    });
  }

  it('as many experts per token as the layer says', async () => {
    const gate = 'sigmoid_gate(normalize: true, scale: 2)';
    const text = spec(`x += ffn = moe(n, experts: ${experts}, active: 1 + 2 * i, expert: expert, gate: ${gate})`);
    const block: Block = (n, w, _, i) => {
      const s = apply(w('gate.weight'), n).map(sigmoid);
      const ids = top(add(s, w('gate.bias')), 1 + 2 * i);
      return mixture(n, w, ids, times(normalized(ids.map((e) => s[e])), 2));
    };
    for (const device of devices) await checkForm({ text, plain: plain(block), vocab }, device);
  });
});

const softmaxGate = 'scored_gate(score: softmax, router_bias: false, select_bias: true, normalize: false, epsilon: 0, scale: 1)';
function chosen(n: Vector, w: (name: string) => Vector, k = active): { ids: number[]; weights: number[] } {
  const s = softmax(apply(w('gate.weight'), n));
  const ids = top(add(s, w('gate.bias')), k);
  return { ids, weights: ids.map((e) => s[e]) };
}
/** A selection bias as large as the scores differ. */
const scale = (path: string): number => (path.endsWith('gate.bias') ? 0.1 : 0.5);

const biased = `layer biased(x: [.., d], width: dim, limit: real) -> [.., d] {
  param gate, up           : [width, d]
  param gate_bias, up_bias : [width]
  param down               : [d, width]
  param down_bias          : [d]
  g = min(gate @ x + gate_bias, limit)
  u = min(max(up @ x + up_bias, -limit), limit)
  return down @ ((u + 1) * g * sigmoid(1.702 * g)) + down_bias
}`;

const unlike: Record<string, { readonly body: string; readonly items?: string; readonly block: Block; readonly wgsl?: boolean }> = {
  'identities: places of the router that return their input (LongCat)': {
    wgsl: true,
    body: `x += ffn = moe_with_identities(n, experts: 4, identities: 3, active: 3, expert: expert, gate: ${softmaxGate})`,
    block: (n, w) => { const { ids, weights } = chosen(n, w, 3); return add(...ids.map((e, k) => times(e < 4 ? expertOf(w, e, n) : n, weights[k]))); },
  },
  'experts of two widths and a constant': {
    items: `layer two(x: [.., d], places: dim, active: dim, gate: layer) -> [.., d] {
  param constant : [d]
  (ids, w) = gate = gate(x, places, active)
  y = route(x, ids, w) over places as e {
    e < 3 => narrow[e] = swiglu(x, ${width})
    e < 5 => wide[e] = swiglu(x, ${2 * width})
    _     => constant
  }
  return y
}`,
    body: `x += ffn = two(n, places: 6, active: 3, gate: ${softmaxGate})`,
    block: (n, w) => {
      const { ids, weights } = chosen(n, w, 3);
      const wide = (e: number): number[] => swiglu(...(['gate', 'up', 'down'] as const).map((m) => row(w(`wide.${m}`), e, 2 * width * hidden)) as [Vector, Vector, Vector], n);
      return add(...ids.map((e, k) => times(e < 3 ? expertOf(w, e, n, 'narrow') : e < 5 ? wide(e - 3) : w('constant'), weights[k])));
    },
  },
  // The axis inside is called as the rows of a list of choices were called once.
  'choices that are not summed, cut and read again by experts of their own (JetMoE)': {
    items: `layer halves(x: [.., d], width: dim) -> [.., width] {
  dim pair = width / 2
  param up : [width, d]
  u = up @ x
  return join(slice(u, axis: width, start: pair, to: pair), slice(u, axis: width, start: 0, to: pair), axis: pair, to: width)
}
layer down(x: [.., width], d: dim) -> [.., d] {
  param weight : [d, width]
  return weight @ x
}
layer apart(x: [.., d], experts: dim, active: dim, width: dim, gate: layer) -> [.., d] {
  (ids, w) = gate = gate(x, experts, active)
  u = route(x, ids, none) over experts as e { first[e] = halves(x, width) }
  return route(x, ids, w) over experts as e { second[e] = down(u * u, d) }
}`,
    body: `x += ffn = apart(n, experts: ${experts}, active: ${active}, width: ${width}, gate: ${softmaxGate})`,
    block: (n, w) => {
      const { ids, weights } = chosen(n, w);
      return add(...ids.map((e, k) => {
        const u = apply(row(w('first.up'), e, width * hidden), n).map((v) => v * v);
        return times(apply(row(w('second.weight'), e, width * hidden), [...u.slice(width / 2), ...u.slice(0, width / 2)]), weights[k]);
      }));
    },
  },
  'one expert, its weight on the input (Llama 4)': {
    body: `x += ffn = moe_scaled_input(n, experts: ${experts}, active: 1, expert: expert, shared: expert, gate: scored_gate(score: sigmoid_score, router_bias: false, select_bias: false, normalize: false, epsilon: 0, scale: 1))`,
    block: (n, w) => {
      const z = apply(w('gate.weight'), n);
      const [e] = top(z, 1);
      return add(expertOf(w, e, times(n, sigmoid(z[e]))), swiglu(w('shared.gate'), w('shared.up'), w('shared.down'), n));
    },
  },
  'a shared expert behind a sigmoid (Qwen3-Next)': {
    body: `x += ffn = moe_gated_shared(n, experts: ${experts}, active: ${active}, expert: expert, shared: swiglu(width: 8), gate: ${softmaxGate})`,
    block: (n, w) => {
      const { ids, weights } = chosen(n, w);
      return add(mixture(n, w, ids, weights), times(swiglu(w('shared.gate'), w('shared.up'), w('shared.down'), n), sigmoid(dot(w('shared_gate'), n))));
    },
  },
  'experts in a narrow space, a norm before the way back (Kimi K3)': {
    body: `x += ffn = latent_moe(n, experts: ${experts}, active: ${active}, latent: 12, expert: expert, norm: norm, shared: expert, gate: ${softmaxGate})`,
    block: (n, w) => {
      const { ids, weights } = chosen(n, w);
      const u = mixture(apply(w('into'), n), w, ids, weights);
      return add(apply(w('out'), rms(u, w('out_norm.weight'), 1e-6)), swiglu(w('shared.gate'), w('shared.up'), w('shared.down'), n));
    },
  },
  'experts with biases and clamps (gpt-oss)': {
    wgsl: true, items: biased,
    body: `x += ffn = moe(n, experts: ${experts}, active: ${active}, expert: biased(width: ${width}, limit: 0.4), gate: ${softmaxGate})`,
    block: (n, w) => {
      const { ids, weights } = chosen(n, w);
      return add(...ids.map((e, k) => {
        const g = add(apply(row(w('experts.gate'), e, width * hidden), n), row(w('experts.gate_bias'), e, width)).map((v) => Math.min(v, 0.4));
        const u = add(apply(row(w('experts.up'), e, width * hidden), n), row(w('experts.up_bias'), e, width)).map((v) => Math.min(Math.max(v, -0.4), 0.4));
        const h = g.map((v, i) => (u[i] + 1) * v * sigmoid(1.702 * v));
        return times(add(apply(row(w('experts.down'), e, width * hidden), h), row(w('experts.down_bias'), e, hidden)), weights[k]);
      }));
    },
  },
  'experts beside a dense block, each with norms of its own (Gemma 4)': {
    items: `layer both(x: [.., d], dense: layer, sparse: layer, norm: layer) -> [.., d] {
  a = dense_after = norm(dense = dense(dense_norm = norm(x)))
  b = sparse_after = norm(sparse = sparse(sparse_norm = norm(x)))
  return after = norm(a + b)
}`,
    body: `x += ffn = both(n, dense: expert, sparse: moe(experts: ${experts}, active: ${active}, expert: expert, gate: ${softmaxGate}), norm: norm)`,
    block: (n, w) => {
      const inner = (name: string): Vector => w(`sparse.${name}`);
      const { ids, weights } = chosen(rms(n, w('sparse_norm.weight'), 1e-6), inner);
      const dense = rms(swiglu(w('dense.gate'), w('dense.up'), w('dense.down'), rms(n, w('dense_norm.weight'), 1e-6)), w('dense_after.weight'), 1e-6);
      const sparse = rms(mixture(rms(n, w('sparse_norm.weight'), 1e-6), inner, ids, weights), w('sparse_after.weight'), 1e-6);
      return rms(add(dense, sparse), w('after.weight'), 1e-6);
    },
  },
};

describe('unlike experts', () => {
  for (const [name, { body, items, block, wgsl }] of Object.entries(unlike)) {
    it(name, async () => {
      for (const device of wgsl ? usualDevices : devices) await checkForm({ text: spec(body, items), plain: plain(block), vocab, scale }, device);
    });
  }
});

