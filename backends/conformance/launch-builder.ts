/** Hand-made launches over f32 arrays [tokens, width]: small plans with known results, in the shape of real ones. */
import { symbol, type Dim } from '../../compiler/ir/dim.js';
import { dim, int, type Program, type View } from '../../compiler/ir/kernel.js';
import type { Bundle } from '../../compiler/ir/plan.js';
import { ProgramBuilder, range } from '../../compiler/kernels/build.js';
import type { EntryLaunches, LaunchStep, Tensor, TensorIndex } from '../../compiler/plan/launches.js';
import type { PlanOptions } from '../../compiler/plan/options.js';
import { buildPlan } from '../../compiler/plan/plan.js';

type Model = Parameters<typeof buildPlan>[0];
type Axes = readonly { readonly name: string; readonly size: Dim }[];

/** out[t, w] = (sum of the values[t, w]) * (product of the vectors[w]); `accumulate` adds to what out holds. */
export function rowKernel(name: string, width: number, values: number, vectors: number, access: View['access'] = 'write'): Program {
  const p = new ProgramBuilder(name);
  const matrix = { t: dim('tokens'), w: width };
  const summed = Array.from({ length: values }, (_, i) => p.view(`x${i}`, 'f32', 'read', matrix));
  const factors = Array.from({ length: vectors }, (_, i) => p.view(`p${i}`, 'f32', 'read', { w: width }));
  const out = p.view('out', 'f32', access, matrix);
  const row = p.gridAxis('row', dim('tokens'));
  const at = [row, range('w', 0, width)];
  let sum = p.load(access === 'readwrite' ? out : summed[0], at);
  for (const v of access === 'readwrite' ? summed : summed.slice(1)) sum = p.add(sum, p.load(v, at));
  for (const v of factors) sum = p.multiply(sum, p.load(v, [range('w', 0, width)]));
  p.store(out, at, sum);
  return p.finish();
}

/** One operation per token, whatever the kernel does: enough to see that it is counted. */
const cost = { contraction: int(0), flops: dim('tokens'), bytes: int(0) };

/** One model under construction; its entries share parameters and states. */
export class ModelBuilder {
  readonly params: Model['params'][number][] = [];
  readonly states: Model['states'][number][] = [];
  readonly entries: EntryLaunches[] = [];

  constructor(readonly width: number) {}

  /** One [width] vector per path. */
  param(paths: readonly string[]): number {
    return this.params.push({
      paths, type: { dtype: 'f32', axes: [{ name: 'w', size: this.width }] }, storage: { kind: 'plain', dtype: 'f32' },
      init: { kind: 'constant', value: 1 }, frozen: false,
    }) - 1;
  }

  /** [slots, width] per path. */
  state(paths: readonly string[], initial: number): number {
    return this.states.push({ paths, policy: 'append', type: { dtype: 'f32', axes: [{ name: 'slots', size: symbol('slots') }, { name: 'w', size: this.width }] }, initial }) - 1;
  }

  entry(name: string, maxTokens: number, write: (e: EntryBuilder) => readonly LaunchStep[]): this {
    const builder = new EntryBuilder(this.width);
    const steps = write(builder);
    this.entries.push({ name, dims: [{ name: 'tokens', max: maxTokens }], tensors: builder.tensors, steps });
    return this;
  }

  model(): Model {
    return { graph: { name: 'Test', inputs: [], nodes: [], outputs: [] }, params: this.params, states: this.states, taps: [] };
  }

  plan(more: Partial<PlanOptions> = {}): Bundle {
    return buildPlan(this.model(), this.entries, { target: 'reference', fixed: { slots: 8 }, block: 4, ...more });
  }
}

export class EntryBuilder {
  readonly tensors: Tensor[] = [];

  constructor(private readonly width: number) {}

  private add(tensor: Tensor): TensorIndex { return this.tensors.push(tensor) - 1; }

  private axes(leading: readonly number[]): Axes {
    const repeats = leading.map((size, i) => ({ name: `repeat${i}`, size }));
    return [...repeats, { name: 't', size: symbol('tokens') }, { name: 'w', size: this.width }];
  }

  value(name: string, ...leading: readonly number[]): TensorIndex { return this.add({ kind: 'value', name, dtype: 'f32', axes: this.axes(leading) }); }
  input(name: string): TensorIndex { return this.add({ kind: 'input', name, dtype: 'f32', axes: this.axes([]) }); }
  output(name: string, ...leading: readonly number[]): TensorIndex { return this.add({ kind: 'output', name, dtype: 'f32', axes: this.axes(leading) }); }
  param(param: number): TensorIndex { return this.add({ kind: 'param', param, packing: { kind: 'dense', order: ['w'] } }); }
  state(state: number): TensorIndex { return this.add({ kind: 'state', state }); }

  /** A [width] vector, or one per iteration. */
  constant(...rows: readonly (readonly number[])[]): TensorIndex {
    return this.add({ kind: 'const', dtype: 'f32', axes: [{ name: 'w', size: this.width }], data: rows[0], ...(rows.length > 1 ? { perIteration: rows } : {}) });
  }

  /** A [width] vector that differs between ranks. */
  rankConstant(...rows: readonly (readonly number[])[]): TensorIndex {
    return this.add({ kind: 'const', dtype: 'f32', axes: [{ name: 'w', size: this.width }], data: [], perRank: rows });
  }

  /** out = (sum of values) * (product of vectors). */
  launch(name: string, values: readonly TensorIndex[], vectors: readonly TensorIndex[], out: TensorIndex): LaunchStep {
    return this.bind(rowKernel(name, this.width, values.length, vectors.length), [...values, ...vectors, out]);
  }

  /** out = (out + sum of values) * (product of vectors), in place. */
  accumulate(name: string, values: readonly TensorIndex[], vectors: readonly TensorIndex[], out: TensorIndex): LaunchStep {
    return this.bind(rowKernel(name, this.width, values.length, vectors.length, 'readwrite'), [...values, ...vectors, out]);
  }

  bind(program: Program, tensors: readonly TensorIndex[]): LaunchStep {
    return { kind: 'launch', program, cost, args: tensors.map((tensor) => ({ tensor, offset: 0 })) };
  }
}

export function layerPaths(count: number, what: string): string[] {
  return Array.from({ length: count }, (_, i) => `layers[${i}].${what}`);
}

/**
 * x0 = x; per layer: mid = x + x * a, x = mid + mid * b; y = x * head. The hidden value of every layer is stacked:
 * `mid`, which is computed in the iteration, or `inside`, with which it starts.
 */
export function residualStack(layers: number, width = 16, stacked: 'inside' | 'mid' = 'mid', maxTokens = 8): ModelBuilder {
  const m = new ModelBuilder(width);
  const [a, b, head] = [m.param(layerPaths(layers, 'a')), m.param(layerPaths(layers, 'b')), m.param(['head'])];
  return m.entry('forward', maxTokens, (e) => {
    const [x, wa, wb, wh] = [e.input('x'), e.param(a), e.param(b), e.param(head)];
    const [x0, inside, xa, mid, xb, next, last] = ['x0', 'inside', 'xa', 'mid', 'xb', 'next', 'last'].map((n) => e.value(n));
    const [y, hidden] = [e.output('y'), e.output('hidden', layers)];
    return [
      e.launch('embed', [x], [], x0),
      {
        kind: 'repeat', label: 'layers', count: layers, reverse: false,
        carries: [{ initial: x0, inside, next, out: last }], stacked: [{ inside: stacked === 'mid' ? mid : inside, out: hidden }],
        body: [e.launch('scale', [inside], [wa], xa), e.launch('add', [inside, xa], [], mid), e.launch('scale', [mid], [wb], xb), e.launch('add', [mid, xb], [], next)],
      },
      e.launch('scale', [last], [wh], y),
    ];
  });
}
