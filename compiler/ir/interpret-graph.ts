/**
 * What a Module means, in plain TypeScript: the definition that everything compiled from it is tested against.
 *
 * f32 values are rounded where a node stores its result; within a node (sums of contractions and reductions, the whole
 * of attend) arithmetic is f64 with one final rounding. `exact` holds f32 in f64 throughout. Several ranks run in step:
 * every rank interprets the same module, and collectives exchange between the ranks of a group.
 */
import { exchange, type Collective } from './interpret/collectives.js';
import { runGraph, runNode, type Environment, type PlainNode } from './interpret/run.js';
import type { StateStore } from './interpret/state.js';
import { allocate, extents, volume, type Data, type Tensor } from './interpret/tensor.js';
import type { Module, StateDecl, TensorType } from './graph.js';
export type { Data, Tensor } from './interpret/tensor.js';

export interface Bindings {
  /** Values of a parameter's iteration in the order of its type's axes, widened to f32. */
  readonly params: (param: number, iteration: number) => ArrayLike<number>;
  /** The same for states; `initial` everywhere where it gives nothing. */
  readonly states?: (state: number, iteration: number) => ArrayLike<number> | undefined;
  /** By name, in the order of the input's axes. */
  readonly inputs: Readonly<Record<string, ArrayLike<number>>>;
  readonly dims: Readonly<Record<string, number>>;
  /** Keep f32 values in f64. */
  readonly exact?: boolean;
  /** Run the chunk bodies of scans that have one. */
  readonly chunked?: boolean;
  /** This rank's place on each mesh axis, and how many there are. */
  readonly ranks?: Readonly<Record<string, { readonly index: number; readonly count: number }>>;
}

export interface Interpreted {
  readonly outputs: Readonly<Record<string, Tensor>>;
  /** Next state values by index and iteration. */
  readonly states: readonly (readonly Data[])[];
}

/** `values` as a tensor of `type`; throws, naming `what`, if their number does not fit. */
function tensorFrom(type: TensorType, values: ArrayLike<number>, dims: Readonly<Record<string, number>>, exact: boolean, what: string): Tensor {
  const axes = extents(type.axes, dims);
  if (values.length !== volume(axes)) throw new Error(`interpret: ${what} has ${values.length} values for [${axes.map((a) => `${a.name}: ${a.size}`).join(', ')}]`);
  const wanted = allocate(type.dtype, 0, exact);
  if (values.constructor === wanted.constructor) return { dtype: type.dtype, axes, data: values as Data };
  const data = allocate(type.dtype, values.length, exact);
  data.set(values);
  return { dtype: type.dtype, axes, data };
}

function filled(decl: StateDecl, bindings: Bindings): Tensor {
  const axes = extents(decl.type.axes, bindings.dims);
  return { dtype: decl.type.dtype, axes, data: allocate(decl.type.dtype, volume(axes), bindings.exact ?? false).fill(decl.initial) };
}

interface Prepared { readonly environment: Environment; readonly inputs: readonly Tensor[]; readonly states: readonly (readonly Data[])[] }

function prepare(module: Module, bindings: Bindings): Prepared {
  const { dims, exact = false } = bindings;
  const params = module.params.map((p) => new Array<Tensor | undefined>(p.paths.length));
  const states = module.states.map((decl, i) => decl.paths.map((path, n) => {
    const given = bindings.states?.(i, n);
    return given === undefined ? filled(decl, bindings) : tensorFrom(decl.type, given, dims, exact, `state '${path}'`);
  }));
  const environment: Environment = {
    module, dims, exact, chunked: bindings.chunked ?? false, ranks: bindings.ranks ?? {},
    param: (i, n) => (params[i][n] ??= tensorFrom(module.params[i].type, bindings.params(i, n), dims, exact, `param '${module.params[i].paths[n]}'`)),
    states: { read: (i, n) => states[i][n], write: (i, n, value) => { states[i][n] = value; } },
  };
  const inputs = module.graph.inputs.map(({ name, value }) => {
    const given = bindings.inputs[name];
    if (given === undefined) throw new Error(`interpret: no input '${name}'`);
    return tensorFrom(value.type, given, dims, exact, `input '${name}'`);
  });
  return { environment, inputs, get states() { return states.map((s) => s.map((t) => t.data)); } };
}

/** Runs the module once on one rank. */
export function interpret(module: Module, bindings: Bindings): Interpreted {
  return interpretRanks([module], [bindings])[0];
}

/**
 * Runs one module per rank (usually the same) in step: all go on to their next collective, which is then exchanged.
 * Throws if the ranks do not issue the same collectives in the same order.
 */
export function interpretRanks(modules: readonly Module[], bindings: readonly Bindings[]): readonly Interpreted[] {
  const prepared = bindings.map((b, i) => prepare(modules[i % modules.length], b));
  const runs = prepared.map((p) => runGraph(p.environment.module.graph, p.inputs, p.environment, 0));
  let steps = runs.map((r) => r.next());
  while (steps.some((s) => !s.done)) {
    if (steps.some((s) => s.done)) throw new Error('interpret: a rank has finished while another waits in a collective');
    const values = exchange(steps.map((s) => s.value as Collective), bindings.map((b) => b.ranks ?? {}));
    steps = runs.map((r, i) => r.next(values[i]));
  }
  return prepared.map((p, i) => {
    const values = steps[i].value as readonly Tensor[];
    const { outputs } = p.environment.module.graph;
    return { outputs: Object.fromEntries(outputs.map((o, n) => [o.name, values[n]])), states: p.states };
  });
}

/** Result 0 of a node without state or body on constant operands, rounded to its type; what constant folding computes. */
export function evaluateConstant(node: PlainNode, operands: readonly { readonly type: TensorType; readonly values: readonly number[] }[]): number[] {
  const tensors = operands.map(({ type, values }) => tensorFrom(type, values, {}, false, 'a constant'));
  const states: StateStore = { read: noState, write: noState };
  const environment: Environment = { module: emptyModule, dims: {}, exact: false, chunked: false, ranks: {}, param: noState, states };
  return Array.from(runNode(node, tensors, environment, 0)[0].data);
}

const emptyModule: Module = { graph: { name: 'constant', inputs: [], nodes: [], outputs: [] }, params: [], states: [], taps: [] };

function noState(): never {
  throw new Error('interpret: a constant reads a parameter or a state');
}
