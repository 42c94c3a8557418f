/**
 * The op table: per op, how many operands it takes and which types its results have. Both the builder (which infers)
 * and the verifier (which infers again and compares) use it. An error here is a broken invariant of whoever built the
 * graph; user mistakes are reported earlier, with spans.
 */
import { hasAxis, printType, replaceAxis, requireAxis, requireSameSize, sameAxes, sumSizes, unionAxes, withoutAxes } from './axes.js';
import { multiplyDims, printDim } from './dim.js';
import { isFloat, type DType } from './dtype.js';
import { scalarFunctions, resultDType, type ScalarFunction } from './expr.js';
import type { Axis, Operation, OpName, ParamDecl, StateDecl, TensorType } from './graph.js';
import { inferRepeat, inferScan } from './ops-bodies.js';
import { inferAttend, inferSelectKeys, inferStateWrite, inferWindow } from './ops-state.js';

export interface TypeContext {
  readonly params: readonly ParamDecl[];
  readonly states: readonly StateDecl[];
  /** Ranks per mesh axis. */
  readonly groups?: Readonly<Record<string, number>>;
}

export type Rule<K extends OpName> = (
  op: Extract<Operation, { op: K }>, operands: readonly TensorType[], context: TypeContext, declared: TensorType | undefined,
) => readonly TensorType[];

/** 16-bit floats widen in arithmetic. */
function widened(dtype: DType): DType {
  return dtype === 'bf16' || dtype === 'f16' ? 'f32' : dtype;
}

function requireFresh(type: { readonly axes: readonly Axis[] }, name: string, stage: string): void {
  if (hasAxis(type.axes, name)) throw new Error(`${stage}: the axis '${name}' exists already`);
}

function requireFloat(type: TensorType, stage: string): void {
  if (!isFloat(type.dtype)) throw new Error(`${stage}: needs a float operand, found ${printType(type)}`);
}

function requireIds(type: TensorType, stage: string): void {
  if (type.dtype !== 'i32') throw new Error(`${stage}: ids must be i32, found ${printType(type)}`);
}

function fixedSize(axis: Axis, stage: string): number {
  if (typeof axis.size !== 'number') throw new Error(`${stage}: axis '${axis.name}' must have a fixed size, not ${printDim(axis.size)}`);
  return axis.size;
}

const boolOperands: ReadonlySet<ScalarFunction> = new Set(['and', 'or', 'not']);
/** Functions that whole numbers are widened for. */
export const floatOperands: ReadonlySet<ScalarFunction> = new Set(['power', 'exp', 'log', 'sqrt', 'rsqrt', 'tanh', 'sigmoid', 'softplus', 'erf', 'sin', 'cos', 'floor', 'round', 'order']);
const numericOperands: ReadonlySet<ScalarFunction> = new Set(['add', 'subtract', 'multiply', 'divide', 'floor_divide', 'mod', 'negate', 'absolute', 'sign']);

/** Floats of any width mix; everything else must be of one dtype. */
function requireScalarOperands(fn: ScalarFunction, operands: readonly TensorType[]): void {
  const stage = `map ${fn}`;
  const values = fn === 'select' ? operands.slice(1) : operands;
  if (fn === 'select' && operands[0].dtype !== 'bool') throw new Error(`${stage}: the condition must be bool, found ${printType(operands[0])}`);
  for (const t of values) {
    if (t.dtype !== values[0].dtype && !(isFloat(t.dtype) && isFloat(values[0].dtype))) {
      throw new Error(`${stage}: operands of dtypes ${values[0].dtype} and ${t.dtype}; cast one of them`);
    }
  }
  const first = values[0].dtype;
  const fits = boolOperands.has(fn) ? first === 'bool'
    : fn === 'hash' || fn === 'uniform' ? first === 'u32'
      : floatOperands.has(fn) ? isFloat(first)
        : numericOperands.has(fn) ? first !== 'bool' : true;
  if (!fits) throw new Error(`${stage}: not defined on ${first}`);
}

function inferMap(op: { readonly fn: ScalarFunction }, operands: readonly TensorType[]): readonly TensorType[] {
  const wanted = scalarFunctions[op.fn];
  if (operands.length !== wanted) throw new Error(`map ${op.fn}: takes ${wanted} operands, found ${operands.length}`);
  requireScalarOperands(op.fn, operands);
  let axes = operands[0].axes;
  for (let i = 1; i < operands.length; i++) axes = unionAxes(axes, operands[i].axes, `map ${op.fn}`);
  return [{ dtype: resultDType(op.fn, operands.map((o) => o.dtype)), axes }];
}

function inferConst(op: Extract<Operation, { op: 'const' }>, declared: TensorType | undefined): readonly TensorType[] {
  if (declared === undefined) throw new Error('const: needs a declared type');
  const size = declared.axes.reduce((product, axis) => product * fixedSize(axis, 'const'), 1);
  for (const data of [op.data, ...(op.perIteration ?? [])]) {
    if (data.length !== size) throw new Error(`const: ${data.length} values for ${printType(declared)}`);
  }
  return [declared];
}

function inferSplit(op: Extract<Operation, { op: 'split' }>, [x]: readonly TensorType[]): readonly TensorType[] {
  const axis = requireAxis(x, op.axis, 'split');
  const product = op.into.map((a) => a.size).reduce(multiplyDims);
  requireSameSize(axis, { name: op.axis, size: product }, 'split');
  for (const part of op.into) requireFresh({ axes: withoutAxes(x.axes, [op.axis]) }, part.name, 'split');
  return [{ dtype: x.dtype, axes: replaceAxis(x.axes, op.axis, op.into) }];
}

function inferMerge(op: Extract<Operation, { op: 'merge' }>, [x]: readonly TensorType[]): readonly TensorType[] {
  const size = op.axes.map((name) => requireAxis(x, name, 'merge').size).reduce(multiplyDims);
  requireFresh({ axes: withoutAxes(x.axes, op.axes) }, op.into, 'merge');
  const first = x.axes.find((a) => op.axes.includes(a.name))!.name;
  const axes = x.axes.filter((a) => a.name === first || !op.axes.includes(a.name));
  return [{ dtype: x.dtype, axes: replaceAxis(axes, first, [{ name: op.into, size }]) }];
}

function inferSlice(op: Extract<Operation, { op: 'slice' }>, [x]: readonly TensorType[]): readonly TensorType[] {
  const axis = requireAxis(x, op.axis, 'slice');
  if (op.into !== op.axis) requireFresh(x, op.into, 'slice');
  const last = op.start + op.step * (op.size - 1);
  const inside = typeof axis.size !== 'number' || (op.size > 0 && op.start >= 0 && op.start < axis.size && last >= 0 && last < axis.size);
  if (!inside) throw new Error(`slice: elements ${op.start} to ${last} of axis '${op.axis}' of size ${printDim(axis.size)}`);
  return [{ dtype: x.dtype, axes: replaceAxis(x.axes, op.axis, [{ name: op.into, size: op.size }]) }];
}

function inferPick(op: Extract<Operation, { op: 'pick' }>, [x]: readonly TensorType[]): readonly TensorType[] {
  const axis = requireAxis(x, op.axis, 'pick');
  if (op.at < 0 || (typeof axis.size === 'number' && op.at >= axis.size)) throw new Error(`pick: index ${op.at} of axis '${op.axis}' of size ${printDim(axis.size)}`);
  return [{ dtype: x.dtype, axes: withoutAxes(x.axes, [op.axis]) }];
}

function requireOneDType(operands: readonly TensorType[], stage: string): DType {
  for (const t of operands) if (t.dtype !== operands[0].dtype) throw new Error(`${stage}: parts of dtypes ${operands[0].dtype} and ${t.dtype}`);
  return operands[0].dtype;
}

function inferConcat(op: Extract<Operation, { op: 'concat' }>, operands: readonly TensorType[]): readonly TensorType[] {
  if (op.axes.length !== operands.length) throw new Error(`concat: ${op.axes.length} axes for ${operands.length} operands`);
  const dtype = requireOneDType(operands, 'concat');
  const size = sumSizes(operands.map((t, i) => requireAxis(t, op.axes[i], 'concat').size));
  let axes: readonly Axis[] = replaceAxis(operands[0].axes, op.axes[0], [{ name: op.into, size }]);
  operands.forEach((t, i) => {
    const others = withoutAxes(t.axes, [op.axes[i]]);
    requireFresh({ axes: others }, op.into, 'concat');
    axes = unionAxes(axes, others, 'concat');
  });
  return [{ dtype, axes }];
}

function inferStack(op: Extract<Operation, { op: 'stack' }>, operands: readonly TensorType[]): readonly TensorType[] {
  const dtype = requireOneDType(operands, 'stack');
  const axes = operands.map((t) => t.axes).reduce((a, b) => unionAxes(a, b, 'stack'));
  requireFresh({ axes }, op.into, 'stack');
  return [{ dtype, axes: [...axes, { name: op.into, size: operands.length }] }];
}

function inferReduce(op: Extract<Operation, { op: 'reduce' }>, [x]: readonly TensorType[]): readonly TensorType[] {
  for (const name of op.over) requireAxis(x, name, 'reduce');
  return [{ dtype: widened(x.dtype), axes: withoutAxes(x.axes, op.over) }];
}

function inferContract(op: Extract<Operation, { op: 'contract' }>, operands: readonly TensorType[]): readonly TensorType[] {
  const [a, b, ids] = operands;
  requireFloat(a, 'contract');
  requireFloat(b, 'contract');
  let all = a.axes;
  if (op.select !== undefined) {
    if (ids === undefined) throw new Error('contract: select needs ids as operand 2');
    requireIds(ids, 'contract');
    requireAxis(b, op.select.axis, 'contract');
    all = unionAxes(all, ids.axes, 'contract');
  } else if (ids !== undefined) throw new Error('contract: ids without select');
  all = unionAxes(all, op.select === undefined ? b.axes : withoutAxes(b.axes, [op.select.axis]), 'contract');
  for (const name of op.over) {
    if (!hasAxis(all, name)) throw new Error(`contract: no operand has the axis '${name}': ${operands.map(printType).join(' and ')}`);
  }
  return [{ dtype: 'f32', axes: withoutAxes(all, op.over) }];
}

function inferTop(op: Extract<Operation, { op: 'top' }>, [x]: readonly TensorType[]): readonly TensorType[] {
  const axis = requireAxis(x, op.axis, 'top');
  if (op.into !== op.axis) requireFresh(x, op.into, 'top');
  if (op.k < 1 || (typeof axis.size === 'number' && op.k > axis.size)) throw new Error(`top: ${op.k} of axis '${op.axis}' of size ${printDim(axis.size)}`);
  return [{ dtype: 'i32', axes: replaceAxis(x.axes, op.axis, [{ name: op.into, size: op.k }]) }];
}

function inferNucleus(op: Extract<Operation, { op: 'nucleus' }>, [x, k, p, temperature]: readonly TensorType[]): readonly TensorType[] {
  requireAxis(x, op.axis, 'nucleus');
  requireFloat(x, 'nucleus');
  requireIds(k, 'nucleus');
  if (k.axes.length !== 1 || fixedSize(k.axes[0], 'nucleus') !== 1) throw new Error(`nucleus: k must be one number on an axis of its own, found ${printType(k)}`);
  for (const t of [p, temperature]) if (t.dtype !== 'f32' || t.axes.length > 0) throw new Error(`nucleus: p and temperature must be f32 scalars, found ${printType(t)}`);
  return [{ dtype: 'i32', axes: withoutAxes(x.axes, [op.axis]) }];
}

function inferSolve(op: Extract<Operation, { op: 'solve_lower' }>, [a, b]: readonly TensorType[]): readonly TensorType[] {
  const rows = requireAxis(a, op.rows, 'solve_lower');
  const columns = requireAxis(a, op.columns, 'solve_lower');
  requireSameSize(rows, { name: op.columns, size: columns.size }, 'solve_lower');
  requireAxis(b, op.rows, 'solve_lower');
  requireFresh(b, op.columns, 'solve_lower');
  return [{ dtype: 'f32', axes: unionAxes(b.axes, withoutAxes(a.axes, [op.columns]), 'solve_lower') }];
}

function inferGather(op: Extract<Operation, { op: 'gather' }>, [x, ids]: readonly TensorType[]): readonly TensorType[] {
  requireAxis(x, op.axis, 'gather');
  requireIds(ids, 'gather');
  const kept = withoutAxes(x.axes, [op.axis]);
  unionAxes(kept, ids.axes, 'gather');
  return [{ dtype: x.dtype, axes: replaceAxis(x.axes, op.axis, ids.axes.filter((a) => !hasAxis(kept, a.name))) }];
}

function inferScatter(op: Extract<Operation, { op: 'scatter' }>, [x, ids, values]: readonly TensorType[]): readonly TensorType[] {
  requireAxis(x, op.axis, 'scatter');
  requireIds(ids, 'scatter');
  requireOneDType([x, values], 'scatter');
  const wanted = unionAxes(ids.axes, withoutAxes(x.axes, [op.axis]), 'scatter');
  if (!sameAxes(wanted, values.axes)) throw new Error(`scatter: values ${printType(values)} do not fit ${printType(x)} at ids ${printType(ids)} along '${op.axis}'`);
  return [x];
}

function scaledAxis(x: TensorType, name: string, by: (size: number) => number, stage: string): TensorType {
  const axis = requireAxis(x, name, stage);
  const size = by(fixedSize(axis, stage));
  if (!Number.isInteger(size)) throw new Error(`${stage}: axis '${name}' of size ${printDim(axis.size)} does not divide among the ranks`);
  return { dtype: x.dtype, axes: replaceAxis(x.axes, name, [{ name, size }]) };
}

function ranks(group: string, context: TypeContext, stage: string): number {
  const count = context.groups?.[group];
  if (count === undefined) throw new Error(`${stage}: no mesh axis '${group}'`);
  return count;
}

export const opRules: { readonly [K in OpName]: { readonly operands: number | 'any'; readonly infer: Rule<K> } } = {
  param: { operands: 0, infer: (op, _, c) => [requireDecl(c.params, op.param, 'param').type] },
  state: { operands: 0, infer: (op, _, c) => [requireDecl(c.states, op.state, 'state').type] },
  const: { operands: 0, infer: (op, _o, _c, declared) => inferConst(op, declared) },
  iota: { operands: 0, infer: (op, _o, _c, declared) => inferIota(op, declared) },
  map: { operands: 'any', infer: inferMap },
  cast: { operands: 1, infer: (op, [x]) => [{ dtype: op.to, axes: x.axes }] },
  rename: { operands: 1, infer: (op, [x]) => { const a = requireAxis(x, op.from, 'rename'); if (op.to !== op.from) requireFresh(x, op.to, 'rename'); return [{ dtype: x.dtype, axes: replaceAxis(x.axes, op.from, [{ name: op.to, size: a.size }]) }]; } },
  split: { operands: 1, infer: inferSplit },
  merge: { operands: 1, infer: inferMerge },
  slice: { operands: 1, infer: inferSlice },
  pick: { operands: 1, infer: inferPick },
  concat: { operands: 'any', infer: inferConcat },
  stack: { operands: 'any', infer: inferStack },
  broadcast: { operands: 1, infer: (op, [x]) => { requireFresh(x, op.axis.name, 'broadcast'); return [{ dtype: x.dtype, axes: withNewAxis(x.axes, op.axis) }]; } },
  reduce: { operands: 1, infer: inferReduce },
  contract: { operands: 'any', infer: inferContract },
  cumulate: { operands: 1, infer: (op, [x]) => { requireAxis(x, op.axis, 'cumulate'); return [{ dtype: widened(x.dtype), axes: x.axes }]; } },
  top: { operands: 1, infer: inferTop },
  nucleus: { operands: 4, infer: inferNucleus },
  solve_lower: { operands: 2, infer: inferSolve },
  gather: { operands: 2, infer: inferGather },
  scatter: { operands: 3, infer: inferScatter },
  state_write: { operands: 3, infer: inferStateWrite },
  window: { operands: 5, infer: inferWindow },
  attend: { operands: 'any', infer: inferAttend },
  select_keys: { operands: 'any', infer: inferSelectKeys },
  scan: { operands: 'any', infer: inferScan },
  repeat: { operands: 'any', infer: inferRepeat },
  stop_gradient: { operands: 1, infer: (_, [x]) => [x] },
  straight_through: { operands: 2, infer: (_, [x, through]) => { if (!sameAxes(x.axes, through.axes)) throw new Error(`straight_through: ${printType(x)} and ${printType(through)} differ`); return [x]; } },
  fake_quantize: { operands: 1, infer: (_, [x]) => { requireFloat(x, 'fake_quantize'); return [{ dtype: 'f32', axes: x.axes }]; } },
  all_reduce: { operands: 1, infer: (_, [x]) => [x] },
  all_gather: { operands: 1, infer: (op, [x], c) => [scaledAxis(x, op.axis, (n) => n * ranks(op.group, c, 'all_gather'), 'all_gather')] },
  reduce_scatter: { operands: 1, infer: (op, [x], c) => [scaledAxis(x, op.axis, (n) => n / ranks(op.group, c, 'reduce_scatter'), 'reduce_scatter')] },
  rank: { operands: 0, infer: () => [{ dtype: 'i32', axes: [] }] },
};

/** Behind the dynamic axes, so that a value of tokens still starts with them. */
function withNewAxis(axes: readonly Axis[], axis: Axis): readonly Axis[] {
  if (typeof axis.size !== 'number') return [axis, ...axes];
  const dynamic = axes.filter((a) => typeof a.size !== 'number');
  return [...dynamic, axis, ...axes.filter((a) => typeof a.size === 'number')];
}

function inferIota(op: { readonly axis: string }, declared: TensorType | undefined): readonly TensorType[] {
  if (declared === undefined || declared.axes.length !== 1 || declared.axes[0].name !== op.axis) throw new Error(`iota: needs a declared type with the one axis '${op.axis}'`);
  if (declared.dtype === 'bool') throw new Error('iota: not defined on bool');
  return [declared];
}

function requireDecl<T>(table: readonly T[], index: number, stage: string): T {
  const decl = table[index];
  if (decl === undefined) throw new Error(`${stage}: index ${index} of a table of ${table.length}`);
  return decl;
}

/**
 * The result types of `op` on operands of the given types. `declared` is the type that `const` and `iota` state
 * themselves. Throws, naming the op, if the operands do not fit.
 */
export function inferTypes(op: Operation, operands: readonly TensorType[], context: TypeContext, declared?: TensorType): readonly TensorType[] {
  const { operands: wanted, infer } = opRules[op.op] as { operands: number | 'any'; infer: Rule<OpName> };
  if (wanted !== 'any' && operands.length !== wanted) throw new Error(`${op.op}: takes ${wanted} operands, found ${operands.length}`);
  return infer(op as never, operands, context, declared);
}
