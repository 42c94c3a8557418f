/** `attend`: keys and values are expressions of a state's entries; score and mask are scalar expressions. */
import type { AttendExpr, AttendSource, Expr } from '../../dsl/ast.js';
import * as messages from '../../dsl/check-messages.js';
import type { Span } from '../../dsl/span.js';
import { suggest } from '../../dsl/suggest.js';
import { hasAxis } from '../ir/axes.js';
import { isFloat } from '../ir/dtype.js';
import type { Expr as ScalarExpr } from '../ir/expr.js';
import type { AttendSource as AttendSourceRule, Value as GraphValue } from '../ir/graph.js';
import type { AxisValue } from './axis.js';
import { requireTensor, tensorAxes } from './contract.js';
import { spread } from './elementwise.js';
import { evaluate } from './evaluate.js';
import { building, fail, modelInput, tensor, type Frame } from './frame.js';
import { splitParts } from './join.js';
import { Scope } from './scope.js';
import { analyseMask, causalMask, scoreItself, toScore } from './score.js';
import { exportTensor, isExported } from './export.js';
import { describe, type StateValue, type TensorValue } from './value.js';

const optionNames = ['k', 'v', 'score', 'mask', 'sink', 'export'] as const;
type OptionName = typeof optionNames[number];

function readOptions(e: AttendExpr): ReadonlyMap<OptionName, Expr> {
  const options = new Map<OptionName, Expr>();
  for (const o of e.options) {
    const name = o.name?.name as OptionName | undefined;
    if (name === undefined || !optionNames.includes(name)) fail(messages.unknownAttendOption(name ?? '', suggest(name ?? '', optionNames), optionNames, o.span));
    options.set(name, o.value);
  }
  for (const name of ['k', 'v', 'score'] as const) if (!options.has(name)) fail(messages.missingArguments('attend', [name], e.span));
  return options;
}

export function evaluateAttend(frame: Frame, e: AttendExpr): TensorValue {
  const options = readOptions(e);
  const q = spread(frame, requireTensor(frame, { value: evaluate(frame, e.query), span: e.query.span }, 'the query'), e.query.span);
  const over = tensorAxes(frame, q).at(-1);
  if (over === undefined || !hasAxis(q.value.type.axes, 'tokens') || over.name === 'tokens') fail(messages.queryAxes({ span: e.query.span, axes: tensorAxes(frame, q) }, e.query.span));
  const sources = e.sources.map((s) => evaluateSource(frame, s, over, options));
  const extras: TensorValue[] = [];
  const score = scalarExpression(frame, extras, options.get('score')!, 'score');
  const mask = maskOf(frame, extras, options.get('mask'));
  const rules = e.sources.map((s, i) => sourceRule(frame, extras, s, sources[i]));
  const sink = options.has('sink') ? evaluateSink(frame, extras, options.get('sink')!) : undefined;
  const facts = analyseMask(mask);
  sources.forEach((s, i) => requireWindow(s.state, Math.min(facts.window ?? Infinity, rules[i].window ?? Infinity), e));
  const exported = exportName(options.get('export'));
  const exports = exported !== undefined && isExported(frame, exported);
  const builder = building(frame, e.span);
  const attributes = { over: [over.name], score, mask, ...facts, ...(sink === undefined ? {} : { sink }), block: frame.run.block, exports, ...(rules.some((r) => Object.keys(r).length > 0) ? { rules } : {}) };
  const { out, maximum } = builder.attend(attributes, {
    q: floating(frame, q), position: modelInput(frame, 'position'), sequence: modelInput(frame, 'sequence'), blocks: modelInput(frame, 'blocks'),
    sources: sources.map(({ k, v, keys, picks }) => ({ k, v, keys, ...(picks === undefined ? {} : { picks: frame.graph.use(picks) }) })), extras: extras.map((x) => frame.graph.use(x)),
  });
  if (exported !== undefined && maximum !== undefined) exportTensor(frame, exported, tensor(frame, maximum, e.span));
  return tensor(frame, out, e.span);
}

function floating(frame: Frame, t: TensorValue): GraphValue {
  const value = frame.graph.use(t);
  return isFloat(value.type.dtype) ? value : building(frame, t.span).cast(value, 'f32');
}

/** The state's entries in this graph; where another layer wrote them in a graph beside this one, by reference. */
function entriesOf(frame: Frame, state: StateValue, span: Span): TensorValue {
  return frame.graph.sees(state.value) ? state.value : { ...tensor(frame, building(frame, span).state(state.state, 0), span), settled: true };
}

/** A state that is read, the axis of its entries, and the scope in which its parts have names. */
export interface OpenState { readonly state: StateValue; readonly keys: string; readonly inside: Frame; readonly picks?: TensorValue }

/** `kv as (c, kr)`, `kv[picks] as (c, kr)`. */
export function openState(frame: Frame, s: AttendSource): OpenState {
  const picked = s.state.kind === 'index' && s.state.axis === undefined ? s.state : undefined;
  const read = picked?.object ?? s.state;
  const state = evaluate(frame, read);
  if (state.kind !== 'state' || state.policy === 'last') fail(messages.attendOverOther(describe(state), read.span));
  const picks = picked === undefined ? undefined : evaluatePicks(frame, state, picked.index);
  return { state, ...openEntries(frame, s, entriesOf(frame, state, read.span)), ...(picks === undefined ? {} : { picks }) };
}

/** Keys that belong to no token: a parameter, its first axis being theirs. */
interface OpenParameter { readonly state?: undefined; readonly keys: string; readonly inside: Frame; readonly picks?: undefined }

function openSource(frame: Frame, s: AttendSource): OpenState | OpenParameter {
  const value = s.state.kind === 'name' ? evaluate(frame, s.state) : undefined;
  const given = value?.kind === 'tensor' && value.fixed && value.value.type.axes.length > 1;
  return given ? openEntries(frame, s, value) : openState(frame, s);
}

function openEntries(frame: Frame, s: AttendSource, entries: TensorValue): { readonly keys: string; readonly inside: Frame } {
  const scope = new Scope(frame.scope);
  if (s.names.length === 0) scope.set('it', entries);
  else if (s.names.length === 1) scope.set(s.names[0].name, entries);
  else splitParts(frame, { ...entries, span: s.state.span }, s.names, s.span).forEach((part, i) => scope.set(s.names[i].name, part));
  return { keys: entries.value.type.axes[0].name, inside: { ...frame, scope } };
}

/** `none` picks everything. */
function evaluatePicks(frame: Frame, state: StateValue, e: Expr): TensorValue | undefined {
  const value = evaluate(frame, e);
  if (value.kind === 'none') return undefined;
  const picks = requireTensor(frame, { value, span: e.span }, 'the picks');
  const { axes, dtype } = picks.value.type;
  if (dtype !== 'i32' || axes.length < 2 || !hasAxis(axes, 'tokens')) fail(messages.picksAxes(state.name, { span: e.span, axes: tensorAxes(frame, picks) }, e.span));
  return picks;
}

/** What holds for one source alone. The last axis of its picks is theirs. */
function sourceRule(frame: Frame, extras: TensorValue[], s: AttendSource, { state, picks }: OpenState | OpenParameter): AttendSourceRule {
  const mask = s.where === undefined ? undefined : scalarExpression(frame, extras, s.where, 'mask');
  const window = mask === undefined ? undefined : analyseMask(mask).window;
  return {
    ...(mask === undefined ? {} : { mask }), ...(window === undefined ? {} : { window }),
    ...(state === undefined ? { fixed: true } : {}),
    ...(state?.policy === 'every' && state.extent! > 1 ? { every: state.extent! } : {}),
    ...(picks === undefined ? {} : { picks: picks.value.type.axes.at(-1)!.name }),
  };
}

/** `causal` if nothing is said. */
export function maskOf(frame: Frame, extras: TensorValue[], e: Expr | undefined): ScalarExpr {
  return e === undefined ? causalMask.expr : scalarExpression(frame, extras, e, 'mask');
}

function evaluateSource(frame: Frame, s: AttendSource, over: AxisValue, options: ReadonlyMap<OptionName, Expr>): (OpenState | OpenParameter) & { readonly k: GraphValue; readonly v: GraphValue } {
  const opened = openSource(frame, s);
  const { state, keys, inside } = opened;
  const [k, v] = (['k', 'v'] as const).map((name) => {
    const e = options.get(name)!;
    const t = spread(frame, requireTensor(inside, { value: evaluate(inside, e), span: e.span }, name === 'k' ? 'the key' : 'the value'), e.span);
    const axes = tensorAxes(frame, t);
    if (!hasAxis(t.value.type.axes, keys)) fail(messages.notFromState(name, state?.name ?? 'the keys', { span: e.span, axes }, s.span));
    if (name === 'k' && !hasAxis(t.value.type.axes, over.name)) fail(messages.axisNotThere('the key', over, { span: e.span, axes }, e.span));
    return floating(frame, { ...t, span: e.span });
  });
  return { ...opened, k, v };
}

/** Reads a score or mask expression; the tensors in it are collected in `extras`. */
function scalarExpression(frame: Frame, extras: TensorValue[], e: Expr, role: 'score' | 'mask'): ScalarExpr {
  const scope = new Scope(frame.scope);
  if (role === 'score') scope.set('s', scoreItself);
  scope.set('causal', causalMask);
  scope.set('query', { kind: 'score-side', side: 'query' });
  scope.set('key', { kind: 'score-side', side: 'key' });
  const inside: Frame = { ...frame, scope, extras };
  const value = toScore(inside, evaluate(inside, e), e.span);
  const wanted = role === 'score' ? 'f32' : 'bool';
  if (value.dtype !== wanted) fail(messages.scoreDType(role, wanted, value.dtype, e.span));
  return value.expr;
}

/** Its index among the extras; `sink: none` is no sink. */
function evaluateSink(frame: Frame, extras: TensorValue[], e: Expr): number | undefined {
  const value = evaluate(frame, e);
  if (value.kind === 'none') return undefined;
  const sink = spread(frame, requireTensor(frame, { value, span: e.span }, 'the sink'), e.span);
  return extras.push(sink) - 1;
}

/** A `window n` state holds the newest n entries: the mask has to say that it reads no others. */
function requireWindow(state: StateValue | undefined, window: number, e: AttendExpr): void {
  if (state?.policy === 'window' && window > state.extent!) fail(messages.maskWiderThanWindow(state.name, state.extent!, window === Infinity ? undefined : window, state.span, e.span));
}

function exportName(e: Expr | undefined): string | undefined {
  if (e === undefined) return undefined;
  return e.kind === 'name' ? e.name : fail(messages.wrongArgument('export', 'a name', 'an expression', e.span));
}
