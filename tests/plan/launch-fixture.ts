/** Hand-made launches for the planner's tests: a small residual stack in the shape of a real model. */
import { symbol, type Dim } from '../../compiler/ir/dim.js';
import type { Module, ParamDecl, StateDecl } from '../../compiler/ir/graph.js';
import type { Program, View } from '../../compiler/ir/kernel.js';
import { dim, int } from '../../compiler/ir/kernel.js';
import { ProgramBuilder, range } from '../../compiler/kernels/build.js';
import type { EntryLaunches, LaunchStep, Tensor } from '../../compiler/plan/launches.js';
import { buildPlan } from '../../compiler/plan/plan.js';
import type { PlanOptions } from '../../compiler/plan/options.js';
import type { Bundle, Plan } from '../../compiler/ir/plan.js';
import { planHash } from '../../compiler/plan/plan-hash.js';

export const tokens: Dim = symbol('tokens');
export const free = { contraction: int(0), flops: int(0), bytes: int(0) };

/** out[t, w] = f(inputs[t, w]..) over [tokens, width] f32 arrays; parameters are [width] vectors. */
export function rowKernel(name: string, width: number, values: number, params: number, access: View['access'] = 'write'): Program {
  const b = new ProgramBuilder(name);
  const matrix = { t: dim('tokens'), w: width };
  const views = Array.from({ length: values }, (_, i) => b.view(`x${i}`, 'f32', 'read', matrix));
  const vectors = Array.from({ length: params }, (_, i) => b.view(`p${i}`, 'f32', 'read', { w: width }));
  const out = b.view('out', 'f32', access, matrix);
  const row = b.gridAxis('row', dim('tokens'));
  const w = range('w', 0, width);
  let sum = b.load(access === 'readwrite' ? out : views[0], [row, w]);
  for (const v of access === 'readwrite' ? views : views.slice(1)) sum = b.add(sum, b.load(v, [row, w]));
  for (const v of vectors) sum = b.multiply(sum, b.load(v, [w]));
  b.store(out, [row, w], sum);
  return b.finish();
}

export interface Build { readonly module: Module; readonly entry: EntryLaunches }

export class LaunchBuilder {
  readonly tensors: Tensor[] = [];
  readonly params: ParamDecl[] = [];
  readonly states: StateDecl[] = [];
  constructor(readonly width: number, readonly maxTokens = 8) {}

  private add(t: Tensor): number { this.tensors.push(t); return this.tensors.length - 1; }
  private axes() { return [{ name: 't', size: tokens }, { name: 'w', size: this.width }]; }
  value(name: string): number { return this.add({ kind: 'value', name, dtype: 'f32', axes: this.axes() }); }
  input(name: string): number { return this.add({ kind: 'input', name, dtype: 'f32', axes: this.axes() }); }
  output(name: string, leading?: number): number {
    return this.add({ kind: 'output', name, dtype: 'f32', axes: [...(leading ? [{ name: 'layers', size: leading }] : []), ...this.axes()] });
  }
  stackedValue(name: string, leading: number): number { return this.add({ kind: 'value', name, dtype: 'f32', axes: [{ name: 'layers', size: leading }, ...this.axes()] }); }
  param(paths: readonly string[]): number {
    this.params.push({ paths, type: { dtype: 'f32', axes: [{ name: 'w', size: this.width }] }, storage: { kind: 'plain', dtype: 'f32' }, init: { kind: 'constant', value: 1 }, frozen: false });
    return this.add({ kind: 'param', param: this.params.length - 1, packing: { kind: 'dense', order: ['w'] } });
  }
  constant(rows: readonly (readonly number[])[]): number {
    return this.add({ kind: 'const', dtype: 'f32', axes: [{ name: 'w', size: this.width }], data: rows[0], ...(rows.length > 1 ? { perIteration: rows } : {}) });
  }
  launch(name: string, values: readonly number[], params: readonly number[], out: number, access: View['access'] = 'write'): LaunchStep {
    const program = rowKernel(name, this.width, values.length, params.length, access);
    return { kind: 'launch', program, cost: free, args: [...values, ...params, out].map((tensor) => ({ tensor, offset: 0 })) };
  }
  build(steps: readonly LaunchStep[], name = 'forward'): Build {
    return {
      module: { graph: { name: 'Test', inputs: [], nodes: [], outputs: [] }, params: this.params, states: this.states, taps: [] },
      entry: { name, dims: [{ name: 'tokens', max: this.maxTokens }], tensors: this.tensors, steps },
    };
  }
}

export const options: PlanOptions = { target: 'reference', fixed: { slots: 32, pool: 4 }, block: 16 };

export function planOf(build: Build, more: Partial<PlanOptions> = {}): Bundle {
  return buildPlan(build.module, [build.entry], { ...options, ...more });
}

/** Residual layers: x1 = x + f(x * w1); x2 = x1 + g(x1 * w2), with the hidden state of every layer stacked. */
export function residualStack(layers: number, width = 16, stacked: 'inside' | 'middle' = 'middle'): Build {
  const b = new LaunchBuilder(width);
  const paths = (what: string) => Array.from({ length: layers }, (_, i) => `layers[${i}].${what}`);
  const [x, w1, w2, scale] = [b.input('x'), b.param(paths('a')), b.param(paths('b')), b.param(['head'])];
  const [x0, inside, a, mid, f, next, out, y] = ['x0', 'inside', 'a', 'mid', 'f', 'next', 'last', 'y'].map((n) => (n === 'y' ? b.output('y') : b.value(n)));
  const hidden = b.output('hidden', layers);
  return b.build([
    b.launch('embed', [x], [], x0),
    {
      kind: 'repeat', label: 'layers', count: layers, reverse: false,
      carries: [{ initial: x0, inside, next, out }], stacked: [{ inside: stacked === 'inside' ? inside : mid, out: hidden }],
      body: [b.launch('mul', [inside], [w1], a), b.launch('add', [inside, a], [], mid), b.launch('mul', [mid], [w2], f), b.launch('add', [mid, f], [], next)],
    },
    b.launch('head', [out], [scale], y),
  ]);
}

export function rehash(bundle: Bundle, plan: Plan): Bundle {
  return { ...bundle, plan: { ...plan, hash: planHash(plan) } };
}

