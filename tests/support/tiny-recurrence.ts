/** A hand-built gated delta rule (Yang et al. 2024) behind a short convolution, with a step and a chunk body. */
import { GraphBuilder } from '../../compiler/ir/build.js';
import { symbol } from '../../compiler/ir/dim.js';
import type { Axis, Graph, Module, ParamDecl, StateDecl, Value } from '../../compiler/ir/graph.js';

const tokens: Axis = { name: 'tokens', size: symbol('tokens') };
const head: Axis = { name: 'head', size: 2 };
const dk: Axis = { name: 'dk', size: 5 };
const dv: Axis = { name: 'dv', size: 3 };
const taps: Axis = { name: 'taps', size: 4 };
const channels: Axis = { name: 'channels', size: 6 };

export const recurrenceSizes = { tokens, head, dk, dv, taps, channels };

export function tinyRecurrence(chunk = 4): Module {
  const params: ParamDecl[] = [];
  const states: StateDecl[] = [
    { paths: ['tail'], policy: 'last', type: { dtype: 'f32', axes: [{ name: 'pool', size: symbol('pool') }, { name: 'last', size: 3 }, channels] }, initial: 0 },
    { paths: ['s'], policy: 'recurrent', type: { dtype: 'f32', axes: [{ name: 'pool', size: symbol('pool') }, head, dk, dv] }, initial: 0 },
  ];
  const context = { params, states };
  const b = new GraphBuilder('recurrence', context);
  const declare = (path: string, axes: readonly Axis[]): Value => {
    params.push({ paths: [path], type: { dtype: 'f32', axes }, storage: { kind: 'plain', dtype: 'f32' }, init: { kind: 'normal', deviation: 1 }, frozen: false });
    return b.param(params.length - 1);
  };
  const x = b.input('x', { dtype: 'f32', axes: [tokens, channels] });
  const int = (name: string, axes: readonly Axis[]): Value => b.input(name, { dtype: 'i32', axes });
  const position = int('position', [tokens]);
  const sequence = int('sequence', [tokens]);
  const starts = int('starts', [{ name: 'bounds', size: { terms: [{ coefficient: 1, symbols: [] }, { coefficient: 1, symbols: ['sequences'] }] } }]);
  const windows = b.window(0, 4, 'taps', { value: b.state(0), x, position, sequence, starts });
  const u = b.reduce(b.map('multiply', windows.x, declare('conv', [channels, taps])), 'add', ['taps']);
  const k = b.map('tanh', b.contract(u, declare('wk', [head, dk, channels]), ['channels']));
  const q = b.contract(u, declare('wq', [head, dk, channels]), ['channels']);
  const v = b.contract(u, declare('wv', [head, dv, channels]), ['channels']);
  const g = b.map('negate', b.map('softplus', b.contract(u, declare('wg', [head, channels]), ['channels'])));
  const beta = b.map('sigmoid', b.contract(u, declare('wb', [head, channels]), ['channels']));
  const [out, next] = b.scan(
    { emits: 1, states: [1], body: step(context), chunk: { size: chunk, axis: 'i', body: chunked(context, chunk) } },
    { xs: [q, k, v, g, beta], carries: [b.state(1)], position, sequence, starts },
  );
  return { graph: b.finish([{ name: 'out', value: out }, { name: 'next', value: next }, { name: 'tail', value: windows.next }]), params, states, taps: [] };
}

interface Inputs { readonly q: Value; readonly k: Value; readonly v: Value; readonly g: Value; readonly beta: Value; readonly s: Value }

function inputs(b: GraphBuilder, rows: readonly Axis[]): Inputs {
  const input = (name: string, axes: readonly Axis[]): Value => b.input(name, { dtype: 'f32', axes });
  return { q: input('q', [...rows, head, dk]), k: input('k', [...rows, head, dk]), v: input('v', [...rows, head, dv]), g: input('g', [...rows, head]), beta: input('beta', [...rows, head]), s: input('s', [head, dk, dv]) };
}

/** p = exp(g) s;  s = p + k (beta (v - k p));  emit q s. */
function step(context: { params: readonly ParamDecl[]; states: readonly StateDecl[] }): Graph {
  const b = new GraphBuilder('step', context);
  const x = inputs(b, []);
  const p = b.map('multiply', b.map('exp', x.g), x.s);
  const error = b.map('multiply', x.beta, b.map('subtract', x.v, b.contract(x.k, p, ['dk'])));
  const s = b.map('add', p, b.map('multiply', x.k, error));
  return b.finish([{ name: 'o', value: b.contract(x.q, s, ['dk']) }, { name: 's', value: s }]);
}

/** The same for rows i of a chunk: a unit-lower solve for the corrected values, then two products. */
function chunked(context: { params: readonly ParamDecl[]; states: readonly StateDecl[] }, size: number): Graph {
  const b = new GraphBuilder('chunk', context);
  const row: Axis = { name: 'i', size };
  const x = inputs(b, [row]);
  const total = b.cumulate(x.g, 'i');
  const other = (v: Value): Value => b.rename(v, 'i', 'j');
  const [i, j] = [b.iota(row), b.rename(b.iota(row), 'i', 'j')];
  const zero = b.scalar(0);
  // Masked before exp: a later row's decay would overflow.
  const decay = (inside: Value): Value => b.map('select', inside, b.map('exp', b.map('select', inside, b.map('subtract', total, other(total)), zero)), zero);
  const strict = decay(b.map('less', j, i));
  const upTo = decay(b.map('less_equal', j, i));
  const kk = b.contract(x.k, other(x.k), ['dk']);
  const a = b.map('multiply', b.map('multiply', x.beta, kk), strict);
  const before = b.map('multiply', b.map('exp', total), b.contract(x.k, x.s, ['dk']));
  const u = b.solveLower(a, b.map('multiply', x.beta, b.map('subtract', x.v, before)), 'i', 'j');
  const scores = b.map('multiply', b.contract(x.q, other(x.k), ['dk']), upTo);
  const out = b.map('add', b.map('multiply', b.map('exp', total), b.contract(x.q, x.s, ['dk'])), b.contract(scores, other(u), ['j']));
  const last = b.pick(total, 'i', size - 1);
  const fade = b.map('exp', b.map('subtract', last, total));
  const s = b.map('add', b.map('multiply', b.map('exp', last), x.s), b.contract(b.map('multiply', x.k, fade), u, ['i']));
  return b.finish([{ name: 'o', value: out }, { name: 's', value: s }]);
}
