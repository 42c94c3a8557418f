import fc from '../support/properties.js';
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../compiler/ir/build.js';
import { moduleCost } from '../../compiler/ir/cost.js';
import type { Module } from '../../compiler/ir/graph.js';
import { printModule } from '../../compiler/ir/print-graph.js';
import { requireValid } from '../../compiler/ir/verify-graph.js';
import { simplify } from '../../compiler/passes/simplify.js';
import { axis, difference, dynamic, f32, i32, moduleOf, paramDecl, stateDecl, tokens } from '../numeric/fixtures.js';
import { randomChoices, randomModule, run } from './random-graph.js';

const ops = (module: Module): string[] => module.graph.nodes.map((n) => (n.op === 'map' ? n.fn : n.op));
const d = axis('d', 4);

describe('simplify', () => {
  it('keeps every output bit for bit', () => {
    fc.assert(fc.property(randomChoices, (choices) => {
      const module = randomModule(choices);
      const simple = simplify(module);
      requireValid(simple, 'simplify');
      const [before, after] = [run(module), run(simple)];
      for (const name of Object.keys(before)) {
        expect(after[name].axes).toEqual(before[name].axes);
        expect(difference(after[name].data, before[name].data)).toBe(0);
      }
      expect(printModule(simplify(simple))).toBe(printModule(simple));
    }), { numRuns: 150 });
  });

  it('removes identities, duplicates and what nobody reads', () => {
    const b = new GraphBuilder('m', { params: [], states: [] });
    const x = b.input('x', f32(tokens, d));
    const one = b.map('multiply', x, b.map('divide', b.scalar(2), b.scalar(2)));
    const y = b.map('add', b.map('exp', one), b.map('exp', x));
    b.map('tanh', y);
    expect(ops(simplify(moduleOf(b.finish([{ name: 'y', value: y }]))))).toEqual(['exp', 'add']);
  });

  it('joins adjacent slices and reads through concat', () => {
    const b = new GraphBuilder('m', { params: [], states: [] });
    const x = b.input('x', f32(tokens, axis('entry', 6)));
    const [c, r] = [b.slice(x, 'entry', { start: 0, size: 4, into: 'c' }), b.slice(x, 'entry', { start: 4, size: 2, into: 'r' })];
    const whole = b.concat([{ value: c, axis: 'c' }, { value: r, axis: 'r' }], 'k');
    const part = b.slice(b.concat([{ value: c, axis: 'c' }, { value: b.map('exp', r), axis: 'r' }], 'k'), 'k', { start: 1, size: 2, into: 'p' });
    const simple = simplify(moduleOf(b.finish([{ name: 'whole', value: whole }, { name: 'part', value: part }])));
    expect(ops(simple)).toEqual(['rename', 'slice']);
    expect(simple.graph.nodes[1]).toMatchObject({ axis: 'entry', start: 1, size: 2, into: 'p' });
  });

  it('folds constants per iteration', () => {
    const b = new GraphBuilder('m', { params: [], states: [] });
    const body = new GraphBuilder('layers', b.context);
    const x = body.input('x', f32(tokens));
    const table = body.map('exp', body.map('multiply', body.constant(f32(), [0], [[0], [1]]), body.scalar(2)));
    const [y] = b.repeat({ label: 'layers', count: 2, body: body.finish([{ name: 'x', value: body.map('add', x, table) }]) }, [b.input('x', f32(tokens))]);
    const simple = simplify(moduleOf(b.finish([{ name: 'y', value: y }])));
    expect(printModule(simple)).toContain(`per iteration {1} {${Math.fround(Math.exp(2))}}`);
  });

  it('runs the head on the wanted rows only', () => {
    const params = [paramDecl('norm', d), paramDecl('head', axis('vocab', 9), d)];
    const b = new GraphBuilder('m', { params, states: [] });
    const x = b.map('tanh', b.input('x', f32(tokens, d)));
    const scale = b.map('rsqrt', b.reduce(b.map('multiply', x, x), 'add', ['d']));
    const h = b.map('multiply', b.param(0), b.map('multiply', x, scale));
    const logits = b.gather(b.contract(b.param(1), h, ['d']), b.input('rows', i32(dynamic('outputs'))), 'tokens');
    const module = moduleOf(b.finish([{ name: 'logits', value: logits }]), params);
    const simple = simplify(module);
    requireValid(simple, 'simplify');
    expect(ops(simple)[0]).toBe('gather');
    expect(moduleCost(simple, { tokens: 100, outputs: 2 }).contraction).toBe(2 * 2 * 9 * 4);
    // With the normed hidden states wanted too, only the head runs on fewer rows.
    const tapped = simplify({ ...module, graph: { ...module.graph, outputs: [...module.graph.outputs, { name: 'h', value: h.id }] } });
    expect(ops(tapped).slice(-3)).toEqual(['param', 'gather', 'contract']);
  });

  it('drops outputs that are not asked for, with what only they need', () => {
    const states = [stateDecl('append', 'kv', 0, dynamic('slots'), d)];
    const b = new GraphBuilder('m', { params: [], states });
    const body = new GraphBuilder('layers', b.context);
    const [x, unused] = [body.input('x', f32(tokens, d)), body.input('spare', f32(d))];
    const [slot, captured] = [body.input('slot', i32(tokens)), body.input('y', f32(d))];
    body.stateWrite(0, body.state(0), slot, x);
    const graph = body.finish([{ name: 'x', value: body.map('exp', x) }, { name: 'spare', value: body.map('add', unused, captured) }, { name: 'tap', value: body.map('tanh', x) }]);
    const [y, spare, tap] = b.repeat({ label: 'layers', count: 1, body: graph }, [b.input('x', f32(tokens, d)), b.input('spare', f32(d))], [b.input('slot', i32(tokens)), b.input('y', f32(d))]);
    const module = { ...moduleOf(b.finish([{ name: 'y', value: y }, { name: 'spare', value: spare }, { name: 'tap', value: tap }]), [], states), taps: [{ output: 'tap', names: ['t.0'] }] };
    const simple = simplify(module, { outputs: ['y'] });
    requireValid(simple, 'simplify');
    expect(printModule(simple)).toMatchInlineSnapshot(`
      "state 0 kv : append [slots, d: 4] f32 fill 0
      graph m(x = %0 : [tokens, d: 4] f32, spare = %1 : [d: 4] f32, slot = %2 : [tokens] i32, y = %3 : [d: 4] f32) {
        %4 : [tokens, d: 4] f32 = repeat layers count=1 carries=1(%0, %2)
          graph layers(x = %0 : [tokens, d: 4] f32, slot = %1 : [tokens] i32) {
            %2 : [slots, d: 4] f32 = state 0()
            %3 : [slots, d: 4] f32 = state_write 0(%2, %1, %0)
            %4 : [tokens, d: 4] f32 = map exp(%0)
            return x = %4
          }
        return y = %4
      }
      "
    `);
    expect(simplify(module, { outputs: ['y', 'tap'] }).taps).toHaveLength(1);
  });

  it('drops marks for differentiation when asked', () => {
    const b = new GraphBuilder('m', { params: [], states: [] });
    const x = b.input('x', f32(d));
    const y = b.straightThrough(b.map('round', b.stopGradient(x)), x);
    const module = moduleOf(b.finish([{ name: 'y', value: y }]));
    expect(ops(simplify(module, { inference: true }))).toEqual(['round']);
    expect(ops(simplify(module))).toEqual(['stop_gradient', 'round', 'straight_through']);
  });
});
