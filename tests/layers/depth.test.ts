/** What layers hand on over depth, beside plain implementations: carried values, histories, streams, tables per layer. */
import { describe, expect, it, vi } from 'vitest';
import { elaborateText } from '../support/elaborate-text.js';
import { checkForm, type FormCase, type Weights } from '../support/form-model.js';
import { usualDevices, type Runnable } from '../support/devices.js';
import { add, apply, attend, dot, rms, row, sigmoid, silu, softmax, swiglu, times, type Vector } from '../support/plain.js';

vi.setConfig({ testTimeout: 300_000 });

const [vocab, hidden] = [40, 24];
const devices: readonly Runnable[] = ['reference', 'cpu'];
const all = usualDevices;

function spec(body: string, items = '', end = 'logits = head = linear(x, vocab)'): string {
  return `use std.{rms, embedding, linear, square, swiglu, depth_attention, depth_average, hyper_connections}
${items}
model Deep {
  dim vocab = ${vocab}
  dim hidden = ${hidden}
  def norm = rms(eps: 1e-6)
  def ffn = swiglu(width: 16)
  x = embed = embedding(tokens, vocab, hidden)
  ${body}
  ${end}
}
`;
}

async function check(form: Omit<FormCase, 'vocab'>, on: readonly Runnable[] = devices): Promise<void> {
  for (const device of on) await checkForm({ ...form, vocab }, device);
}

const ffnOf = (w: Weights, path: string, x: Vector): number[] => swiglu(w(`${path}.gate`), w(`${path}.up`), w(`${path}.down`), x);
const norm = (w: Weights, path: string, x: Vector): number[] => rms(x, w(`${path}.weight`), 1e-6);
/** Token by token: nothing is shared between positions. */
const perToken = (f: (x: Vector, w: Weights, token: number) => Vector): FormCase['plain'] => (tokens, w) => tokens.flatMap((t) => apply(w('head.weight'), f(row(w('embed.table'), t, hidden), w, t)));

describe('values carried over depth', () => {
  const attention = `layer attention(x: [.., d], first: [.., heads, size]?, heads: dim, size: dim) -> ([.., d], [.., heads, size]) {
  param wq, wk, wv : [heads, size, d]
  param wo         : [d, heads, size]
  param mix        : [heads] when first != none
  v = wv @ x
  values = if first == none then v else v + sigmoid(mix) * (first - v)
  state kv : append [heads, size + size] = [wk @ x | values]
  o = attend(wq @ x, over: kv as (k, w), k: k, v: w, score: s * size ** -0.5)
  return (dot(wo, o, over: (heads, size)), v)
}`;
  const plain: FormCase['plain'] = (tokens, w) => {
    let xs: Vector[] = tokens.map((t) => row(w('embed.table'), t, hidden));
    let first: Vector[] | undefined;
    for (let i = 0; i < 4; i++) {
      const at = `layers[${i}]`;
      const [q, k, v] = ['wq', 'wk', 'wv'].map((m) => xs.map((x) => apply(w(`${at}.attn.${m}`), norm(w, `${at}.norm`, x))));
      const values = first === undefined ? v : v.map((list, t) => list.map((value, c) => value + sigmoid(w(`${at}.attn.mix`)[Math.floor(c / 8)]) * (first![t][c] - value)));
      first ??= v;
      const heads = [0, 1, 2].map((h) => attend(...([q, k, values] as const).map((m) => m.map((list) => list.slice(8 * h, 8 * h + 8))) as [Vector[], Vector[], Vector[]], 8 ** -0.5));
      xs = xs.map((x, t) => add(x, apply(w(`${at}.attn.wo`), heads.flatMap((h) => h[t]))));
    }
    return xs.flatMap((x) => apply(w('head.weight'), x));
  };

  it('the values of the first layer, mixed into the others (RWKV-7, value residual)', async () => {
    const text = spec(`repeat layers[4] as i carry (x, first = none) {
    (y, v) = attn = attention(norm = norm(x), first, heads: 3, size: 8)
    first = if i == 0 then v else first
    x += y
  }`, attention);
    await check({ text, plain });
  });

  it('a value that is none when it is used is a mistake that says how to begin', () => {
    const { rendered } = elaborateText(spec('repeat layers[2] as i carry (x, first = none) { x += first }'));
    expect(rendered).toContain('E0202');
    expect(rendered).toContain('first = if i == 0 then x else first');
  });

  it('keys and values of pairs of layers (cross-layer attention)', async () => {
    const items = `layer project(x: [.., d], heads: dim, size: dim) -> ([.., heads, size], [.., heads, size]) {
  param wk, wv : [heads, size, d]
  return (wk @ x, wv @ x)
}
layer read(x: [.., d], k: [.., heads, size], v: [.., heads, size]) -> [.., d] {
  param wq   : [heads, size, d]
  param wo   : [d, heads, size]
  param gain : [size] init 1.0
  state kv : append [heads, size + size] = [gain * k | v]
  o = attend(wq @ x, over: kv as (kk, vv), k: kk, v: vv, score: s * size ** -0.5)
  return dot(wo, o, over: (heads, size))
}`;
    const text = spec(`dim heads = 3
  dim size = 8
  repeat layers[4] as i carry (x, k = none, v = none) {
    n = norm(x)
    if i mod 2 == 0 { (k, v) = kv = project(n, heads, size) }
    x += attn = read(n, k, v)
  }`, items);
    const paired: FormCase['plain'] = (tokens, w) => {
      let xs: Vector[] = tokens.map((t) => row(w('embed.table'), t, hidden));
      let [k, v]: Vector[][] = [[], []];
      for (let i = 0; i < 4; i++) {
        const at = `layers[${i}]`;
        const ns = xs.map((x) => norm(w, `${at}.n`, x));
        if (i % 2 === 0) [k, v] = ['wk', 'wv'].map((m) => ns.map((n) => apply(w(`${at}.kv.${m}`), n)));
        const q = ns.map((n) => apply(w(`${at}.attn.wq`), n));
        const heads = [0, 1, 2].map((h) => {
          const part = (m: Vector[]): Vector[] => m.map((list) => list.slice(8 * h, 8 * h + 8));
          return attend(part(q), part(k).map((key) => times(key, w(`${at}.attn.gain`))), part(v), 8 ** -0.5);
        });
        xs = xs.map((x, t) => add(x, apply(w(`${at}.attn.wo`), heads.flatMap((h) => h[t]))));
      }
      return xs.flatMap((x) => apply(w('head.weight'), x));
    };
    await check({ text, plain: paired });
  });
});

describe('a history over depth', () => {
  it('attention over the sums of earlier blocks (Kimi K3)', async () => {
    const text = spec(`past = [x]
  part = 0 * x
  repeat layers[7] as i carry (past, part) {
    h = depth = depth_attention(past, part, norm)
    part += f = ffn(h)
    if i mod 3 == 2 {
      past = push(past, part)
      part = 0 * part
    }
  }
  x = depth = depth_attention(past, part, norm)`);
    await check({
      text, plain: perToken((x0, w) => {
        const past: Vector[] = [x0];
        let part: Vector = x0.map(() => 0);
        const look = (at: string): Vector => {
          const list = [...past, part];
          const weights = softmax(list.map((b) => dot(w(`${at}.query`), norm(w, `${at}.key`, b))));
          return add(...list.map((b, n) => times(b, weights[n])));
        };
        for (let i = 0; i < 7; i++) {
          part = add(part, ffnOf(w, `layers[${i}].f`, look(`layers[${i}].depth`)));
          if (i % 3 === 2) { past.push(part); part = x0.map(() => 0); }
        }
        return look('depth');
      }),
    });
  });

  it('each block reads a weighted sum of all before it (DenseFormer)', async () => {
    const text = spec(`past = [x]
  repeat layers[4] as i carry (x, past) {
    y = x + (f = ffn(norm = norm(x)))
    x = mix = depth_average(past, y)
    past = push(past, y)
  }`);
    await check({
      text, plain: perToken((x0, w) => {
        const past: Vector[] = [x0];
        let x: Vector = x0;
        for (let i = 0; i < 4; i++) {
          const y = add(x, ffnOf(w, `layers[${i}].f`, norm(w, `layers[${i}].norm`, x)));
          x = add(...past.map((p, n) => times(p, w(`layers[${i}].mix.old`)[n])), times(y, w(`layers[${i}].mix.new`)));
          past.push(y);
        }
        return x;
      }),
    });
  });

  it('skips from the way down to the way up (U-net)', async () => {
    const text = spec(`skips = []
  repeat down[3] as i carry (x, skips) {
    x += f = ffn(norm = norm(x))
    skips = push(skips, x)
  }
  repeat up[3] as i {
    x += skips[2 - i]
    x += f = ffn(norm = norm(x))
  }`);
    await check({
      text, plain: perToken((x0, w) => {
        let x: Vector = x0;
        const skips: Vector[] = [];
        for (let i = 0; i < 3; i++) skips.push(x = add(x, ffnOf(w, `down[${i}].f`, norm(w, `down[${i}].norm`, x))));
        for (let i = 0; i < 3; i++) {
          x = add(x, skips[2 - i]);
          x = add(x, ffnOf(w, `up[${i}].f`, norm(w, `up[${i}].norm`, x)));
        }
        return x;
      }),
    });
  });
});

describe('tables with a part per layer', () => {
  const perLayer = `dim layers_count = 3
  dim small = 4
  per = per_layer = layered(tokens, vocab, layers_count, small)
  repeat layers[3] as i {
    g = gate = linear(x, out: small)
    x += up = linear(silu(g) * per[layers_count: i], out: hidden)
  }`;
  const items = `use std.{silu}
layer layered(ids: [..] i32, rows: dim, layers: dim, small: dim) -> [.., layers, small] {
  param table : [rows, layers, small]
  return table[ids]
}`;

  it('embeddings per layer (Gemma-3n), in one body for all layers', async () => {
    const text = spec(perLayer, items);
    await check({
      text, plain: perToken((x0, w, token) => {
        let x: Vector = x0;
        for (let i = 0; i < 3; i++) {
          const per = row(row(w('per_layer.table'), token, 12), i, 4);
          x = add(x, apply(w(`layers[${i}].up.weight`), apply(w(`layers[${i}].gate.weight`), x).map((g, c) => silu(g) * per[c])));
        }
        return x;
      }),
    }, all);
    const { module } = elaborateText(text);
    expect(module!.graph.nodes.flatMap((n) => (n.op === 'repeat' ? [n.count] : []))).toEqual([3]);
  });
});

describe('several streams', () => {
  it('a mix made doubly stochastic by Sinkhorn steps (DeepSeek-V4)', async () => {
    const text = spec(`dim streams = 3
  x = broadcast(x, axis: streams)
  repeat layers[2] as i {
    x = ffn = hyper_connections(x, rounds: 4, eps: 1e-6, body: ffn)
  }
  y = sum(x, over: streams)`, '', 'logits = head = linear(y, vocab)');
    const n = 3;
    await check({
      text, plain: perToken((x0, w) => {
        let x: Vector[] = Array.from({ length: n }, () => x0);
        for (let i = 0; i < 2; i++) {
          const at = `layers[${i}].ffn`;
          const flat = rms(x.flat(), undefined, 1e-6);
          const a = add(apply(w(`${at}.pre`), flat), w(`${at}.pre_bias`)).map(sigmoid);
          const b = add(apply(w(`${at}.post`), flat), w(`${at}.post_bias`)).map((v) => 2 * sigmoid(v));
          // mixing [out, streams, wide]: m[out][stream]
          const z = add(apply(w(`${at}.mixing`), flat), w(`${at}.mixing_bias`));
          let m = Array.from({ length: n }, (_, o) => [...row(z, o, n)]);
          const columns = Array.from({ length: n }, (_, s) => softmax(m.map((r) => r[s])));
          m = m.map((r, o) => r.map((_, s) => columns[s][o] + 1e-6));
          for (let r = 0; r < 4; r++) {
            m = m.map((line) => { const total = line.reduce((p, q) => p + q, 0) + 1e-6; return line.map((v) => v / total); });
            const totals = Array.from({ length: n }, (_, s) => m.reduce((p, line) => p + line[s], 0) + 1e-6);
            m = m.map((line) => line.map((v, s) => v / totals[s]));
          }
          const y = ffnOf(w, `${at}.body`, add(...x.map((s, j) => times(s, a[j]))));
          x = m.map((line, o) => add(...line.map((v, s) => times(x[s], v)), times(y, b[o])));
        }
        return add(...x);
      }),
      scale: (path) => (path.includes('mixing') ? 2 : 0.5),
    }, all);
  });

  it('Sinkhorn steps on a few streams are in place, not a repeat', () => {
    const { module } = elaborateText(spec(`dim streams = 4
  x = broadcast(x, axis: streams)
  x = ffn = hyper_connections(x, rounds: 20, eps: 1e-6, body: ffn)
  y = sum(x, over: streams)`, '', 'logits = head = linear(y, vocab)'));
    expect(module!.graph.nodes.filter((n) => n.op === 'repeat')).toEqual([]);
  });

  it('one of the streams is computed, the others are predicted and corrected (AltUp)', async () => {
    const altup = `layer altup(x: [.., streams, d], active: int, body: layer) -> [.., streams, d] {
  dim out = like streams
  param predict : [out, streams]
  param correct : [streams]
  predicted = rename(predict @ x, from: out, to: streams) + x
  y = body = body(x[streams: active])
  return predicted + outer(correct, y - predicted[streams: active])
}`;
    const text = spec(`dim streams = 3
  x = broadcast(x, axis: streams)
  repeat layers[2] as i { x = ffn = altup(x, active: 1, body: ffn) }
  y = mean(x, over: streams)`, altup, 'logits = head = linear(y, vocab)');
    await check({
      text, plain: perToken((x0, w) => {
        let x: Vector[] = [x0, x0, x0];
        for (let i = 0; i < 2; i++) {
          const at = `layers[${i}].ffn`;
          const predicted = x.map((s, o) => add(s, ...x.map((v, j) => times(v, w(`${at}.predict`)[3 * o + j]))));
          const y = ffnOf(w, `${at}.body`, x[1]);
          x = predicted.map((p, j) => add(p, times(y.map((v, c) => v - predicted[1][c]), w(`${at}.correct`)[j])));
        }
        return times(add(...x), 1 / 3);
      }),
    });
  });
});

describe('unequal layers', () => {
  it('a width per layer, a linear layer or nothing in place of a block', async () => {
    const text = spec(`table kind[5] = [block, skip, line, block, skip]
  table width[5] = [8, 0, 0, 20, 0]
  repeat layers[5] as i {
    if kind[i] == block { x += f = swiglu(norm = norm(x), width: width[i]) }
    if kind[i] == line { x += f = square(norm = norm(x)) }
  }`);
    await check({
      text, plain: perToken((x0, w) => {
        let x: Vector = x0;
        for (const i of [0, 2, 3]) {
          const n = norm(w, `layers[${i}].norm`, x);
          x = add(x, i === 2 ? apply(w('layers[2].f.weight'), n) : ffnOf(w, `layers[${i}].f`, n));
        }
        return x;
      }),
    });
  });
});
