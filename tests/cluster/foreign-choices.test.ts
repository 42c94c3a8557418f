import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../compiler/ir/build.js';
import { symbol } from '../../compiler/ir/dim.js';
import type { Axis, Module, ParamDecl } from '../../compiler/ir/graph.js';
import { interpret } from '../../compiler/ir/interpret-graph.js';
import { scheduleFor, type Target } from '../../compiler/kernels/targets.js';
import { choosePackings } from '../../compiler/passes/choose-packings.js';
import { schedule } from '../../compiler/passes/schedule.js';
import { runLaunches } from '../support/run-launches.js';

const [tokens, active, experts, width, d]: Axis[] = [{ name: 'tokens', size: symbol('tokens') }, { name: 'active', size: 2 }, { name: 'experts', size: 3 }, { name: 'width', size: 9 }, { name: 'd', size: 5 }];

/** y = sum over the choices of down[id] (up[id] x + 1), where ids come from outside. */
function chosenByInput(): Module {
  const param = (path: string, axes: readonly Axis[]): ParamDecl => ({ paths: [path], type: { dtype: 'f32', axes }, storage: { kind: 'plain', dtype: 'f32' }, init: { kind: 'normal', deviation: 1 }, frozen: false });
  const params = [param('up', [experts, width, d]), param('down', [experts, d, width])];
  const b = new GraphBuilder('chosen', { params, states: [] });
  const x = b.input('x', { dtype: 'f32', axes: [tokens, d] });
  const ids = b.input('ids', { dtype: 'i32', axes: [tokens, active] });
  const h = b.map('add', b.contractSelected(x, b.param(0), ['d'], 'experts', ids), b.scalar(1));
  const y = b.contractSelected(h, b.param(1), ['width'], 'experts', ids);
  return { graph: b.finish([{ name: 'h', value: h }, { name: 'y', value: b.reduce(y, 'add', ['active']) }]), params, states: [], taps: [] };
}

describe('ids that name no expert give 0, in every form of kernel', () => {
  for (const target of ['reference', 'cpu', 'wgsl'] as Target[]) for (const few of [true, false]) it(`${target}, ${few ? 'few' : 'many'} tokens`, () => {
    const module = chosenByInput();
    const choices = scheduleFor(target, few);
    const packings = choosePackings(module, choices.panel, choices.int4);
    const count = 300;
    const dims = { tokens: count };
    // -3 .. 5: most are nobody's, as where a rank has a third of the experts; negative ones too.
    const ids = Int32Array.from({ length: count * 2 }, (_, i) => ((i * 7) % 9) - 3);
    const inputs = { x: Float32Array.from({ length: count * 5 }, (_, i) => ((i * 13) % 11) / 8 - 0.5), ids };
    const params = (param: number): Float32Array => Float32Array.from({ length: 135 }, (_, i) => ((i * (5 + param)) % 17) / 16 - 0.5);
    const entry = schedule(module, { name: 'step', dims: [{ name: 'tokens', max: count }], schedule: choices, packings });
    const got = runLaunches(module, entry, { dims, inputs, params, states: [] });
    const want = interpret(module, { params, inputs, dims });
    for (const name of ['h', 'y']) {
      const worst = got[name].reduce((m, v, i) => Math.max(m, Number.isNaN(v) ? Infinity : Math.abs(v - want.outputs[name].data[i])), 0);
      expect(worst, name).toBeLessThan(1e-5);
    }
  });
});
