/** An instance of a layer: its dims are bound by its arguments' axes, its body is read, its results are checked. */
import type { Layer, TensorTypeExpr } from '../../dsl/ast.js';
import * as messages from '../../dsl/check-messages.js';
import type { Span } from '../../dsl/span.js';
import type { DType } from '../ir/dtype.js';
import { isFloat } from '../ir/dtype.js';
import type { AxisValue } from './axis.js';
import { coerce } from './arguments.js';
import { endingIn, inOrder } from './axis-order.js';
import { requireTensor, tensorAxes } from './contract.js';
import { spread } from './elementwise.js';
import { bindAxes } from './unify.js';
import { resolveAxis } from './dims.js';
import { Abandoned, building, childInstance, fail, type Frame, type Label } from './frame.js';
import { Scope } from './scope.js';
import { execute } from './statements.js';
import { describe, none, type StateValue, type TemplateValue, type TensorValue, type Value } from './value.js';

export function instantiate(frame: Frame, template: TemplateValue, span: Span, label?: Label): Value {
  const { layer } = template;
  const instance = childInstance(frame.instance, { label, name: layer.name.name, span, ...(template.shared === undefined ? {} : { shared: template.shared }) });
  if (label !== undefined) frame.instance.members.set(label.name, instance);
  const scope = new Scope(template.scope);
  const inside: Frame = { ...frame, scope, instance, depth: frame.depth + 1, emitted: undefined, extras: undefined, symbols: undefined };
  bindParameters(inside, template);
  const rest = bindTensors(inside, template, span);
  const results = execute(inside, layer.body);
  if (results === undefined) fail(messages.noReturn(layer.name.name, layer.name.span));
  const checked = checkResults(inside, layer, results, rest, span);
  return checked.length === 1 ? checked[0] : { kind: 'tuple', items: checked };
}

function bindParameters(inside: Frame, template: TemplateValue): void {
  for (const p of template.layer.params) {
    const { name } = p.name;
    const value = template.bound.get(name);
    if (value?.kind === 'tensor') continue;
    if (value !== undefined) inside.scope.set(name, value);
    else if (p.default !== undefined) inside.scope.set(name, coerce(inside, p, p.default));
    else inside.scope.set(name, none);
  }
}

/** Binds tensors and the dims in their types. Returns the axes that `..` stands for, over all parameters. */
function bindTensors(inside: Frame, template: TemplateValue, call: Span): readonly AxisValue[] {
  const rest = new Map<string, AxisValue>();
  for (const p of template.layer.params) {
    const t = template.bound.get(p.name.name);
    if (p.type?.kind !== 'tensor-type' || t?.kind !== 'tensor') continue;
    const argument = rounded(inside, spread(inside, t, call));
    requireDType(p.type, argument, p.name.name);
    for (const axis of bindAxes(inside, p, p.type, argument)) rest.set(axis.name, axis);
    inside.scope.set(p.name.name, argument);
  }
  return [...rest.values()];
}

function requireDType(type: TensorTypeExpr, t: TensorValue, name: string): void {
  const wanted = type.dtype?.name as DType | undefined;
  const found = t.value.type.dtype;
  const integer = wanted === 'i32' || wanted === 'u32';
  if (integer ? found !== wanted : !isFloat(found) && wanted !== found) {
    fail(messages.wrongDType(name, wanted ?? 'a float', found, t.span, type.span));
  }
}

function checkResults(inside: Frame, layer: Layer, results: readonly Value[], rest: readonly AxisValue[], call: Span): readonly (TensorValue | StateValue)[] {
  if (results.length !== layer.results.length) fail(messages.resultCount(layer.name.name, layer.results.length, results.length, layer.name.span));
  return layer.results.map((declared, i) => {
    const value = results[i];
    if (value.kind === 'error') throw new Abandoned();
    if (declared.type.kind === 'simple-type') return returnedState(layer, value, declared.span);
    const found = spread(inside, requireTensor(inside, { value, span: declared.span }, `what ${layer.name.name} returns`), call);
    requireResultAxes(inside, layer, { type: declared.type, span: declared.span }, found, rest);
    const names = declared.type.axes.map((e) => resolveAxis(inside, e).name);
    return settle(inside, reordered(inside, found, names), declared.type);
  });
}

/** A result has its axes in the declared order. */
function reordered(inside: Frame, t: TensorValue, last: readonly string[]): TensorValue {
  const found = inside.graph.use(t);
  const value = inOrder(inside, found, endingIn(found.type.axes, last), t.span);
  return value === found ? t : { ...t, graph: inside.graph, value };
}

function returnedState(layer: Layer, value: Value, span: Span): StateValue {
  if (value.kind !== 'state') fail(messages.resultNotAState(layer.name.name, describe(value), span));
  return value.policy === 'last' ? fail(messages.lastStateReturned(value.name, value.span)) : value;
}

function requireResultAxes(inside: Frame, layer: Layer, declared: { readonly type: TensorTypeExpr; readonly span: Span }, found: TensorValue, rest: readonly AxisValue[]): void {
  const wanted = new Map((declared.type.rest ? rest : []).map((a) => [a.name, a]));
  for (const e of declared.type.axes) {
    const axis = resolveAxis(inside, e);
    wanted.set(axis.name, axis);
  }
  const axes = tensorAxes(inside, found);
  const ambient = new Set(inside.routing?.ids.value.type.axes.map((a) => a.name));
  const extra = axes.filter((a) => !wanted.has(a.name) && !ambient.has(a.name));
  const missing = [...wanted.values()].filter((a) => !ambient.has(a.name) && !axes.some((b) => b.name === a.name));
  if (extra.length + missing.length > 0) {
    fail(messages.resultAxes(layer.name.name, { span: declared.span, axes: missing }, { span: found.span, axes: extra }));
  }
}

/** A result's dtype is final: as declared, or rounded to the activations' dtype outside `at f32`. */
function settle(frame: Frame, t: TensorValue, type: TensorTypeExpr): TensorValue {
  const declared = type.dtype?.name as DType | undefined;
  const found = t.value.type.dtype;
  if (declared === undefined) return rounded(frame, t);
  if (declared === found) return { ...t, settled: true };
  if (isFloat(declared) !== isFloat(found)) fail(messages.wrongDType('the result', declared, found, t.span, type.span));
  return { ...t, value: building(frame, t.span).cast(frame.graph.use(t), declared), graph: frame.graph, settled: true };
}

/** The value as a name or a caller sees it: rounded once to the activations' dtype, except inside `at f32`. */
export function rounded(frame: Frame, t: TensorValue): TensorValue {
  const { activations } = frame.run.precision;
  if (frame.wide || t.settled || !isFloat(t.value.type.dtype)) return t;
  if (t.value.type.dtype === activations) return { ...t, settled: true };
  return { ...t, value: building(frame, t.span).cast(frame.graph.use(t), activations), graph: frame.graph, settled: true };
}
