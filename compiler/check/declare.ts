/** Parameters and states: declared where they are used, named by the path of their instance. */
import type { Expr, Identifier, ParamStatement, StateStatement, TensorTypeExpr } from '../../dsl/ast.js';
import * as messages from '../../dsl/check-messages.js';
import type { Span } from '../../dsl/span.js';
import { sameAxes } from '../ir/axes.js';
import { symbol } from '../ir/dim.js';
import { isFloat, type DType } from '../ir/dtype.js';
import type { Axis, Init, ParamDecl, StateDecl, Storage, Value as GraphValue } from '../ir/graph.js';
import { entryStride } from '../ir/ops-state.js';
import { graphAxis, type AxisValue } from './axis.js';
import { requireTensor, tensorAxes } from './contract.js';
import { requireExtent, resolveAxis } from './dims.js';
import { spread } from './elementwise.js';
import { evaluate } from './evaluate.js';
import { building, claim, claimLabel, constant, fail, modelInput, tensor, type Frame } from './frame.js';
import { quantizedStorage } from './quantize-rules.js';
import { claimShared, useShared } from './shared.js';
import { describe, none, type StateValue, type TensorValue, type Value } from './value.js';

function pathIn(frame: Frame, name: string): string {
  const { path } = frame.instance;
  return path === '' ? name : `${path}.${name}`;
}

/** Takes the path `name` in the instance for a parameter, a state or an export. */
function takeName(frame: Frame, name: string, span: Span): void {
  claim(frame.instance);
  claimLabel(frame.instance, { name, span, written: true }, {});
}

function distinctAxes(axes: readonly AxisValue[], type: TensorTypeExpr): readonly Axis[] {
  axes.forEach((a, i) => { if (axes.findIndex((b) => b.name === a.name) < i) fail(messages.axisTwice(a, type.axes[i].span)); });
  return axes.map(graphAxis);
}

/** Takes the path of a state. */
export function claimState(frame: Frame, name: string, span: Span): string {
  if (frame.routing !== undefined) fail(messages.stateInRoute(name, span));
  takeName(frame, name, span);
  return pathIn(frame, name);
}

export function declareParam(frame: Frame, s: ParamStatement): void {
  const present = s.when === undefined ? { kind: 'bool' as const, value: true } : evaluate(frame, s.when);
  if (present.kind !== 'bool') fail(messages.notACondition(describe(present), s.when!.span));
  if (!present.value) { for (const n of s.names) frame.scope.set(n.name, none); return; }
  if (s.type.rest) fail(messages.restInDeclaration('a parameter', s.type.span));
  const axes = distinctAxes(s.type.axes.map((e) => resolveAxis(frame, e)), s.type);
  const { routing } = frame;
  const all = routing === undefined ? axes : [graphAxis(routing.axis), ...axes];
  const declared = s.type.dtype?.name as DType | undefined;
  const init = s.init === undefined ? defaultInit : evaluateInit(frame, s.init);
  // Floats are f32 where they are read, whatever is stored.
  const dtype: DType = declared === undefined || isFloat(declared) ? 'f32' : declared;
  for (const n of s.names) {
    const declare = (paths: readonly string[]): ParamDecl =>
      ({ paths, type: { dtype, axes: all }, storage: storageOfAll(frame, paths, declared, axes, n.span), init, frozen: s.frozen, span: n.span });
    const made = constant(frame, paramValue(frame, s, n, declare), n.span);
    const value: TensorValue = { ...made, settled: true, ...(routing === undefined ? {} : { routing }) };
    frame.scope.set(n.name, value);
    frame.instance.members.set(n.name, value);
  }
}

function paramValue(frame: Frame, s: ParamStatement, { name, span }: Identifier, declare: (paths: readonly string[]) => ParamDecl): GraphValue {
  const { shared } = frame.instance;
  if (shared !== undefined && !s.own) {
    claimShared(frame.instance, name, span);
    return useShared(frame, shared, name, span, (paths) => ({ ...declare(paths), shared: true }));
  }
  takeName(frame, name, span);
  return building(frame, span).param(frame.run.params.push(declare([pathIn(frame, name)])) - 1);
}

/** A quantize rule packs whatever the checkpoint holds; without one the checkpoint decides, then the declaration. */
function storageOf(frame: Frame, path: string, declared: DType | undefined, own: readonly Axis[]): Storage {
  const { run } = frame;
  const decide = (at: string): Storage => quantizedStorage(run, run.axes, run.quantize, at, own) ?? run.storage?.(at) ?? { kind: 'plain', dtype: declared ?? run.precision.weights };
  const storage = decide(path);
  run.decisions.push({ path, value: JSON.stringify(storage), decide: (at) => JSON.stringify(decide(at)) });
  return storage;
}

/** Several paths of one declaration, members of a shared list, are stored alike. */
function storageOfAll(frame: Frame, paths: readonly string[], declared: DType | undefined, own: readonly Axis[], span: Span): Storage {
  const [first, ...others] = paths.map((path) => storageOf(frame, path, declared, own));
  const unlike = others.findIndex((storage) => JSON.stringify(storage) !== JSON.stringify(first));
  return unlike < 0 ? first : fail(messages.sharedStorage(paths[0], paths[unlike + 1], span));
}

const defaultInit: Init = { kind: 'normal', deviation: 0.02 };

/** `init 1.0`, `init normal(0.02)`, `init uniform(0, 1)`, `init log_uniform(1, 16)` (the logarithm of a uniform sample). */
function evaluateInit(frame: Frame, e: Expr): Init {
  if (e.kind === 'call' && e.callee.kind === 'name') {
    const numbers = e.args.map((a) => requireNumber(frame, a.value, 'init'));
    if (e.callee.name === 'normal' && numbers.length === 1) return { kind: 'normal', deviation: numbers[0] };
    if (e.callee.name === 'uniform' && numbers.length === 2) return { kind: 'uniform', low: numbers[0], high: numbers[1] };
    if (e.callee.name === 'log_uniform' && numbers.length === 2) return { kind: 'log_uniform', low: numbers[0], high: numbers[1] };
  }
  const value = evaluate(frame, e);
  return value.kind === 'number' ? { kind: 'constant', value: value.value } : fail(messages.badInit(describe(value), e.span));
}

function requireNumber(frame: Frame, e: Expr, what: 'init' | 'fill'): number {
  const value = evaluate(frame, e);
  return value.kind === 'number' ? value.value : fail(messages.wrongArgument(what, 'a number', describe(value), e.span));
}

/** Declares the state and writes this step's entries; what follows in the body sees them. */
export function declareState(frame: Frame, s: StateStatement): void {
  if (s.type.rest) fail(messages.restInDeclaration('a state', s.type.span));
  const path = claimState(frame, s.name.name, s.name.span);
  const axes = distinctAxes(s.type.axes.map((e) => resolveAxis(frame, e)), s.type);
  const dtype = (s.type.dtype?.name as DType | undefined) ?? frame.run.precision.cache;
  const entry = stateEntry(frame, s, axes, dtype);
  const extent = s.extent === undefined ? undefined : requireCount(frame, s.name.name, s.extent);
  const initial = s.fill === undefined ? 0 : requireNumber(frame, s.fill, 'fill');
  const base = { paths: [path], initial, span: s.name.span };
  const decl: StateDecl = s.policy === 'last'
    ? { ...base, policy: 'last', type: { dtype, axes: [{ name: 'pool', size: symbol('pool') }, { name: 'last', size: extent! }, ...axes] } }
    : { ...base, policy: 'append', type: { dtype, axes: [entryAxis(frame, s, extent), ...axes] }, ...(s.policy === 'every' ? { every: extent! } : {}) };
  const state = frame.run.states.push(decl) - 1;
  const builder = building(frame, s.span);
  const before = builder.state(state);
  const value = s.policy === 'last' ? before : builder.stateWrite(state, before, entrySlot(frame, s, extent), frame.graph.use(entry));
  const result: StateValue = {
    kind: 'state', state, name: s.name.name, policy: s.policy, value: { ...tensor(frame, value, s.span), settled: true }, entry, span: s.span,
    ...(extent === undefined ? {} : { extent }),
  };
  frame.scope.set(s.name.name, result);
}

/** The axis of a state's entries: one per token, or one per `every` tokens, as far as cache blocks do not hold several. */
function entryAxis(frame: Frame, s: StateStatement, extent: number | undefined): Axis {
  const { block } = frame.run;
  if (s.policy !== 'every') return { name: 'slots', size: symbol('slots') };
  const every = extent!;
  if (block % every !== 0 && every % block !== 0) fail(messages.everyExtent(s.name.name, every, block, s.extent!.span));
  const stride = entryStride(every, block);
  const name = stride === 1 ? 'slots' : `slots_${stride}`;
  return graphAxis(frame.run.axes.fresh('entries', name, symbol(name)));
}

/** Where a token's entry goes; with `every`, only the last of each such tokens has one. */
function entrySlot(frame: Frame, s: StateStatement, extent: number | undefined): GraphValue {
  const slot = modelInput(frame, 'slot');
  if (s.policy !== 'every' || extent === 1) return slot;
  const b = building(frame, s.span);
  const number = (n: number): GraphValue => frame.graph.scalar(n, 'i32');
  const last = b.map('equal', b.map('mod', modelInput(frame, 'position'), number(extent!)), number(extent! - 1));
  return b.map('select', last, b.map('floor_divide', slot, number(entryStride(extent!, frame.run.block))), number(-1));
}

/** A whole number that is known now. */
export function requireCount(frame: Frame, name: string, e: Expr): number {
  const value: Value = evaluate(frame, e);
  return value.kind === 'number' ? requireExtent(value, name, e.span) : fail(messages.notADim(name, describe(value), e.span));
}

/** What a step writes: one entry per token, rounded to the state's dtype. */
function stateEntry(frame: Frame, s: StateStatement, axes: readonly Axis[], dtype: DType): TensorValue {
  const written = requireTensor(frame, { value: evaluate(frame, s.value), span: s.value.span }, 'a state entry');
  const entry = spread(frame, written, s.value.span);
  const { type } = frame.graph.use(entry);
  if (!sameAxes(type.axes, [{ name: 'tokens', size: symbol('tokens') }, ...axes])) {
    fail(messages.stateEntryMismatch(s.name.name, { span: s.type.span, axes: axes.map((a) => frame.run.axes.get(a.name)) }, { span: s.value.span, axes: tensorAxes(frame, entry) }));
  }
  if (type.dtype === dtype) return entry;
  return { ...entry, graph: frame.graph, value: building(frame, s.value.span).cast(frame.graph.use(entry), dtype) };
}
