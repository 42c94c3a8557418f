import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../compiler/ir/build.js';
import { arg, call, num } from '../../compiler/ir/expr.js';
import type { Module, Value } from '../../compiler/ir/graph.js';
import { interpret, type Data } from '../../compiler/ir/interpret-graph.js';
import { requireValid } from '../../compiler/ir/verify-graph.js';
import { axis, difference, dynamic, f32, i32, launch, moduleOf, stateDecl, tokens, uniform } from './fixtures.js';

const slots = dynamic('slots');
const pool = dynamic('pool');
const sequences = dynamic('sequences');

interface Entry { readonly position: Value; readonly sequence: Value; readonly slot: Value; readonly starts: Value; readonly blocks: Value }

function entryInputs(b: GraphBuilder): Entry {
  const input = (name: string): Value => b.input(name, i32(tokens));
  const [position, sequence, slot] = [input('position'), input('sequence'), input('slot')];
  const starts = b.input('starts', i32({ name: 'bounds', size: { terms: [{ coefficient: 1, symbols: [] }, { coefficient: 1, symbols: ['sequences'] }] } }));
  return { position, sequence, slot, starts, blocks: b.input('blocks', i32(sequences, dynamic('blocks'))) };
}

/** Token t of sequence s gets row (s, position) of `data`, so that launches may cut sequences anywhere. */
function rowsFor(inputs: Record<string, Int32Array>, width: number, seed: number): Float32Array {
  return Float32Array.from(Array.from(inputs.position).flatMap((p, t) => Array.from(uniform(seed + 1000 * inputs.sequence[t] + p, width))));
}

const [heads, size, block] = [2, 3, 4];

function attention(): Module {
  const b = new GraphBuilder('attention', { params: [], states: [stateDecl('append', 'kv', 0, slots, axis('entry', heads * size + 2))] });
  const e = entryInputs(b);
  const q = b.input('q', f32(tokens, axis('heads', heads), axis('size', size)));
  const written = b.stateWrite(0, b.state(0), e.slot, b.input('entry', f32(tokens, axis('entry', heads * size + 2))));
  const k = b.split(b.slice(written, 'entry', { start: 0, size: heads * size, into: 'ks' }), 'ks', [axis('heads', heads), axis('size', size)]);
  const v = b.slice(written, 'entry', { start: heads * size, size: 2, into: 'value' });
  const sink = b.constant(f32(axis('heads', heads)), [0.5, -1]);
  const { out, maximum } = b.attend(
    { over: ['size'], score: call('add', call('multiply', arg(0), num(0.7)), call('multiply', arg(3), { kind: 'cast', to: 'f32', value: call('subtract', arg(2), arg(1)) })), mask: call('less_equal', arg(2), arg(1)), causal: true, block, exports: true, sink: 1 },
    { ...e, q, sources: [{ k, v, keys: 'slots' }], extras: [b.constant(f32(axis('heads', heads)), [0.1, 0.2]), sink] },
  );
  const module = moduleOf(b.finish([{ name: 'out', value: out }, { name: 'maximum', value: maximum! }]), [], b.context.states);
  requireValid(module, 'test');
  return module;
}

function attend(module: Module, sequencesOf: { count: number; from: number }[], deal: (n: number) => number, state?: Data): { out: Data; maximum: Data; state: Data } {
  const { inputs, dims } = launch(sequencesOf, block, 4, deal);
  const data = { ...inputs, q: rowsFor(inputs, heads * size, 1), entry: rowsFor(inputs, heads * size + 2, 7) };
  const run = interpret(module, { params: () => [], inputs: data, dims, states: () => state });
  return { out: run.outputs.out.data, maximum: run.outputs.maximum.data, state: run.states[0][0] };
}

describe('attend through a block table', () => {
  const module = attention();

  it('equals the formula', () => {
    const { inputs } = launch([{ count: 3, from: 0 }], block, 4, (n) => n);
    const [q, entry] = [rowsFor(inputs, heads * size, 1), rowsFor(inputs, heads * size + 2, 7)];
    const { out, maximum } = attend(module, [{ count: 3, from: 0 }], (n) => n);
    let largest = -Infinity;
    for (let t = 0; t < 3; t++) {
      const scores = Array.from({ length: t + 1 }, (_, j) => [0, 1, 2].reduce((n, i) => n + q[(t * heads + 1) * size + i] * entry[j * 8 + size + i], 0) * 0.7 + Math.fround(0.2) * (j - t));
      largest = Math.max(largest, ...scores);
      const weights = scores.map(Math.exp);
      const total = weights.reduce((n, w) => n + w, Math.exp(-1));
      for (const i of [0, 1]) expect(out[(t * heads + 1) * 2 + i]).toBeCloseTo(weights.reduce((n, w, j) => n + w * entry[j * 8 + 6 + i], 0) / total, 6);
    }
    expect(maximum[1]).toBeCloseTo(largest, 6);
  });

  it('shuffled blocks, several sequences and cut launches change nothing', () => {
    const whole = [0, 1, 2].map((s) => attend(module, [{ count: 0, from: 0 }, { count: 0, from: 0 }, { count: 0, from: 0 }].map((x, i) => (i === s ? { count: 5 + 3 * s, from: 0 } : x)), (n) => n).out);
    const shuffled = (n: number): number => (n * 7) % 12;
    const first = attend(module, [{ count: 2, from: 0 }, { count: 8, from: 0 }, { count: 10, from: 0 }], shuffled);
    const second = attend(module, [{ count: 3, from: 2 }, { count: 0, from: 8 }, { count: 1, from: 10 }], shuffled, first.state);
    const row = heads * 2;
    expect(Array.from(first.out.slice(0, 2 * row))).toEqual(Array.from(whole[0].slice(0, 2 * row)));
    expect(Array.from(second.out.slice(0, 3 * row))).toEqual(Array.from(whole[0].slice(2 * row)));
    expect(Array.from(first.out.slice(2 * row, 10 * row))).toEqual(Array.from(whole[1]));
    expect(Array.from(second.out.slice(3 * row))).toEqual(Array.from(whole[2].slice(10 * row)));
  });
});

/** A gated delta rule with a short convolution on its values; chunks of 4. */
function recurrence(): Module {
  const [dk, dv, c] = [3, 2, 4];
  const states = [stateDecl('recurrent', 's', 0.25, pool, axis('dk', dk), axis('dv', dv)), stateDecl('last', 'tail', 0.5, pool, axis('last', 2), axis('dv', dv))];
  const b = new GraphBuilder('recurrence', { params: [], states });
  const e = entryInputs(b);
  const x = ([['q', 'dk'], ['k', 'dk'], ['v', 'dv']] as const).map(([n, a]) => b.input(n, f32(tokens, axis(a, a === 'dk' ? dk : dv))));
  const [g, beta] = ['g', 'beta'].map((n) => b.input(n, f32(tokens)));
  const convolved = b.window(1, 3, 'taps', { value: b.state(1), x: x[2], ...e });
  const v = b.contract(convolved.x, b.constant(f32(axis('taps', 3)), [0.2, -0.3, 1]), ['taps']);
  const [y] = b.scan({ emits: 1, states: [0], body: stepBody(b, dk, dv), chunk: { size: c, axis: 'i', body: chunkBody(b, dk, dv, c) } }, { xs: [x[0], x[1], v, g, beta], carries: [b.state(0)], ...e });
  const module = moduleOf(b.finish([{ name: 'y', value: y }]), [], states);
  requireValid(module, 'test');
  return module;
}

function stepBody(outer: GraphBuilder, dk: number, dv: number) {
  const b = new GraphBuilder('step', outer.context);
  const [q, k, v] = [b.input('q', f32(axis('dk', dk))), b.input('k', f32(axis('dk', dk))), b.input('v', f32(axis('dv', dv)))];
  const [g, beta, s] = [b.input('g', f32()), b.input('beta', f32()), b.input('s', f32(axis('dk', dk), axis('dv', dv)))];
  const decayed = b.map('multiply', b.map('exp', g), s);
  const u = b.map('multiply', beta, b.map('subtract', v, b.contract(k, decayed, ['dk'])));
  const next = b.map('add', decayed, b.contract(k, u, []));
  return b.finish([{ name: 'y', value: b.contract(q, next, ['dk']) }, { name: 's', value: next }]);
}

function chunkBody(outer: GraphBuilder, dk: number, dv: number, c: number) {
  const b = new GraphBuilder('chunk', outer.context);
  const i = axis('i', c);
  const [q, k, v] = [b.input('q', f32(i, axis('dk', dk))), b.input('k', f32(i, axis('dk', dk))), b.input('v', f32(i, axis('dv', dv)))];
  const [g, beta, s] = [b.input('g', f32(i)), b.input('beta', f32(i)), b.input('s', f32(axis('dk', dk), axis('dv', dv)))];
  const total = b.cumulate(g, 'i');
  const other = (value: Value): Value => b.rename(value, 'i', 'j');
  const seen = b.map('less_equal', b.iota(axis('j', c)), b.iota(i));
  const decay = b.map('select', seen, b.map('exp', b.map('select', seen, b.map('subtract', total, other(total)), b.scalar(0))), b.scalar(0));
  const a = b.map('multiply', b.map('multiply', beta, decay), b.contract(k, other(k), ['dk']));
  const right = b.map('multiply', beta, b.map('subtract', v, b.map('multiply', b.map('exp', total), b.contract(k, s, ['dk']))));
  const u = b.solveLower(a, right, 'i', 'j');
  const inside = b.contract(b.map('multiply', decay, b.contract(q, other(k), ['dk'])), other(u), ['j']);
  const y = b.map('add', b.map('multiply', b.map('exp', total), b.contract(q, s, ['dk'])), inside);
  const last = b.pick(total, 'i', c - 1);
  const left = b.map('exp', b.map('subtract', last, total));
  const next = b.map('add', b.map('multiply', b.map('exp', last), s), b.contract(b.map('multiply', left, k), u, ['i']));
  return b.finish([{ name: 'y', value: y }, { name: 's', value: next }]);
}

describe('scan and window', () => {
  const module = recurrence();

  function scan(lists: { count: number; from: number }[], chunked: boolean, states?: readonly (readonly Data[])[]) {
    const { inputs, dims } = launch(lists, block, 4, (n) => n);
    const data = {
      ...inputs, q: rowsFor(inputs, 3, 1), k: rowsFor(inputs, 3, 2), v: rowsFor(inputs, 2, 3),
      g: rowsFor(inputs, 1, 4).map((x) => -Math.abs(x)), beta: rowsFor(inputs, 1, 5).map((x) => Math.abs(x)),
    };
    const run = interpret(module, { params: () => [], inputs: data, dims, states: (s) => states?.[s][0], chunked });
    return { y: run.outputs.y.data, states: run.states };
  }

  it('chunk bodies mean the same as the step body', () => {
    const lists = [{ count: 9, from: 0 }, { count: 6, from: 0 }];
    expect(difference(scan(lists, true).y, scan(lists, false).y)).toBeLessThan(1e-6);
  });

  it('token by token, in pieces and whole are equal', () => {
    const whole = scan([{ count: 9, from: 0 }, { count: 6, from: 0 }], false).y;
    const first = scan([{ count: 4, from: 0 }, { count: 1, from: 0 }], false);
    const second = scan([{ count: 5, from: 4 }, { count: 5, from: 1 }], false, first.states);
    const pieces = [...first.y.slice(0, 8), ...second.y.slice(0, 10), ...first.y.slice(8), ...second.y.slice(10)];
    expect(pieces).toEqual(Array.from(whole));
    const chunked = scan([{ count: 5, from: 4 }, { count: 5, from: 1 }], true, scan([{ count: 4, from: 0 }, { count: 1, from: 0 }], true).states).y;
    expect(difference(chunked, second.y)).toBeLessThan(1e-6);
  });
});
