/** Graphs with one contraction or attention each, through the passes to the tile programs that the CUDA backend lowers. */
import { readFileSync } from 'node:fs';
import { compile, type CompileRequest } from '../../compiler/compile.js';
import { nodeLoader } from '../../dsl/std-node.js';
import { GraphBuilder } from '../../compiler/ir/build.js';
import { symbol } from '../../compiler/ir/dim.js';
import { arg, call, num } from '../../compiler/ir/expr.js';
import type { Axis, Module, ParamDecl, StateDecl, Storage, Value } from '../../compiler/ir/graph.js';
import type { Program, View } from '../../compiler/ir/kernel.js';
import type { DType } from '../../compiler/ir/dtype.js';
import { encodeElements } from '../../compiler/kernels/half.js';
import { pack } from '../../compiler/kernels/packing.js';
import { evaluateScalar } from '../../compiler/kernels/scalar.js';
import { scheduleFor, type Schedule, type Target } from '../../compiler/kernels/targets.js';
import { choosePackings } from '../../compiler/passes/choose-packings.js';
import { schedule } from '../../compiler/passes/schedule.js';
import type { EntryLaunches, LaunchStep } from '../../compiler/plan/launches.js';
import { Random } from '../kernels/samples/sample.js';

export interface Sizes { readonly rows: number; readonly lanes: number; readonly k: number; readonly keys: number; readonly heads: number }

const tokens: Axis = { name: 'tokens', size: symbol('tokens') };

/** The tile programs of `module` for a target, with other tile sizes. */
export function programsOf(module: Module, target: Target, few: boolean, sizes: Partial<Sizes> = {}): Program[] {
  const own = scheduleFor(target, few);
  const choices: Schedule = {
    ...own, select: 'grouped', merge: false,
    sizes: { ...own.sizes, rows: sizes.rows ?? own.sizes.rows, lanes: sizes.lanes ?? own.sizes.lanes, heads: sizes.heads ?? own.sizes.heads, programs: 1 },
    limits: { ...own.limits, k: sizes.k ?? own.limits.k, keys: sizes.keys ?? own.limits.keys },
  };
  const dims = ['tokens', 'sequences', 'blocks', 'slots'].map((name) => ({ name, max: 4096 }));
  const { steps } = schedule(module, { name: 'step', dims, schedule: choices, packings: choosePackings(module, choices.panel, choices.int4) });
  return programsIn(steps);
}

/** The tile programs of full K2 in bf16, from its spec. */
export function flagshipPrograms(target: Target): Program[] {
  const path = 'examples/kimi-k2.firn';
  let programs: Program[] = [];
  const onPhase: CompileRequest['onPhase'] = (phase, value) => {
    if (phase === 'kernels') programs = (value as readonly EntryLaunches[]).flatMap((e) => programsIn(e.steps));
  };
  const { bundle } = compile({ entry: { path, text: readFileSync(path, 'utf8') }, load: nodeLoader, target, precision: 'bf16', onPhase });
  if (!bundle) throw new Error(`${path} does not compile for ${target}`);
  return programs;
}

function programsIn(steps: readonly LaunchStep[]): Program[] {
  return steps.flatMap((s) => (s.kind === 'launch' ? [s.program] : s.kind === 'repeat' ? programsIn(s.body) : []));
}

function param(params: ParamDecl[], path: string, axes: readonly Axis[], storage: Storage): number {
  params.push({ paths: [path], type: { dtype: 'f32', axes }, storage, init: { kind: 'normal', deviation: 1 }, frozen: false });
  return params.length - 1;
}

/** y[tokens, n] = bf16(silu(x w)) with bf16 operands. */
export function matmulModule(n: number, k: number, out: DType = 'bf16'): Module {
  const params: ParamDecl[] = [];
  const b = new GraphBuilder('matmul', { params, states: [] });
  const hidden: Axis = { name: 'hidden', size: k };
  const x = b.input('x', { dtype: 'bf16', axes: [tokens, hidden] });
  const w = b.param(param(params, 'w', [{ name: 'width', size: n }, hidden], { kind: 'plain', dtype: 'bf16' }));
  const y = b.contract(x, w, ['hidden']);
  const activated = b.map('multiply', y, b.map('sigmoid', y));
  return { graph: b.finish([{ name: 'y', value: out === 'f32' ? activated : b.cast(activated, out) }]), params, states: [], taps: [] };
}

/** h[tokens, active, width] = silu(gate x) * (up x) for the experts that ids choose, 4-bit weights. */
export function expertsModule(experts: number, active: number, width: number, k: number, group: number): Module {
  const params: ParamDecl[] = [];
  const b = new GraphBuilder('grouped', { params, states: [] });
  const hidden: Axis = { name: 'hidden', size: k };
  const x = b.input('x', { dtype: 'bf16', axes: [tokens, hidden] });
  const ids = b.input('ids', { dtype: 'i32', axes: [tokens, { name: 'active', size: active }] });
  const storage: Storage = { kind: 'int4', group, along: 'hidden', scale: 'bf16' };
  const weight = (path: string): Value => b.param(param(params, path, [{ name: 'experts', size: experts }, { name: 'width', size: width }, hidden], storage));
  const gate = b.contractSelected(x, weight('gate'), ['hidden'], 'experts', ids);
  const up = b.contractSelected(x, weight('up'), ['hidden'], 'experts', ids);
  const h = b.map('multiply', b.map('multiply', gate, b.map('sigmoid', gate)), up);
  return { graph: b.finish([{ name: 'h', value: h }]), params, states: [], taps: [] };
}

/** Attention of `heads` queries on one shared cache [slots, value + extra], whose first `value` columns are the values too. */
export function attendModule(heads: number, value: number, extra: number, block: number): Module {
  const states: StateDecl[] = [{ paths: ['kv'], policy: 'append', type: { dtype: 'bf16', axes: [{ name: 'slots', size: symbol('slots') }, { name: 'entry', size: value + extra }] }, initial: 0 }];
  const b = new GraphBuilder('attention', { params: [], states });
  const entry: Axis = { name: 'entry', size: value + extra };
  const ints = (name: string, axes: readonly Axis[]): Value => b.input(name, { dtype: 'i32', axes });
  const q = b.input('q', { dtype: 'bf16', axes: [tokens, { name: 'heads', size: heads }, entry] });
  const [position, sequence] = [ints('position', [tokens]), ints('sequence', [tokens])];
  const blocks = ints('blocks', [{ name: 'sequences', size: symbol('sequences') }, { name: 'blocks', size: symbol('blocks') }]);
  const cache = b.state(0);
  const { out } = b.attend(
    { over: ['entry'], score: call('multiply', arg(0), num(0.3)), mask: call('less_equal', arg(2), arg(1)), causal: true, block, exports: false },
    { q, position, sequence, blocks, sources: [{ k: cache, v: b.slice(cache, 'entry', { start: 0, size: value, into: 'value' }), keys: 'slots' }] },
  );
  return { graph: b.finish([{ name: 'out', value: out }]), params: [], states, taps: [] };
}

/** A launch: the bytes of each view, written views holding `untouched`. */
export interface Case { readonly program: Program; readonly dims: Readonly<Record<string, number>>; readonly buffers: Record<string, Uint8Array> }

const untouched = -7;

/** Random contents for every view, or what `given` says (as numbers). */
export function launchCase(program: Program, dims: Readonly<Record<string, number>>, given: Readonly<Record<string, ArrayLike<number>>> = {}, seed = 1): Case {
  const random = new Random(seed);
  const buffers: Record<string, Uint8Array> = {};
  for (const view of program.views) buffers[view.name] = contents(view, dims, given[view.name], random);
  return { program, dims, buffers };
}

function contents(view: View, dims: Readonly<Record<string, number>>, given: ArrayLike<number> | undefined, random: Random): Uint8Array {
  const axes = view.axes.map((a) => ({ name: a.name, size: evaluateScalar(a.extent, { dims }) }));
  const count = axes.reduce((n, a) => n * a.size, 1);
  if (view.access !== 'read') return encodeElements(new Float32Array(count).fill(untouched), view.dtype);
  if (given) return encodeElements(given, view.dtype);
  if (view.dtype === 'i32') throw new Error(`view '${view.name}' needs given contents`);
  return pack(view.packing, axes, view.dtype, random.values(count, view.dtype));
}

export const copyOf = (c: Case): Record<string, Uint8Array> => Object.fromEntries(Object.entries(c.buffers).map(([name, bytes]) => [name, bytes.slice()]));
