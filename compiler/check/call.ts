/** Calls: of layers (an instance, or a template when tensors are still missing), of functions (inlined), of builtins. */
import type { Argument, Expr, Parameter } from '../../dsl/ast.js';
import * as messages from '../../dsl/check-messages.js';
import type { Span } from '../../dsl/span.js';
import { suggest } from '../../dsl/suggest.js';
import { coerce } from './arguments.js';
import { spend } from './budget.js';
import { applyBuiltin, builtins } from './builtins.js';
import { named } from './dims.js';
import { evaluate } from './evaluate.js';
import { Abandoned, fail, readNoMore, type Frame, type Label } from './frame.js';
import { instantiate } from './instantiate.js';
import { Scope } from './scope.js';
import { describe, none, type FnValue, type TemplateValue, type Value } from './value.js';

export type Call = Extract<Expr, { kind: 'call' }>;

/** Layers and functions may nest this deep; recursion ends here. */
const deepest = 64;

export function evaluateCall(frame: Frame, e: Call, label?: Label): Value {
  const callee = evaluate(frame, e.callee);
  // A call costs about as much as a few operations.
  spend(frame, 3, e.span);
  if (frame.depth > deepest) {
    readNoMore(frame.run);
    fail(messages.tooDeepCalls(describe(callee), e.span));
  }
  switch (callee.kind) {
    case 'template': return callTemplate(frame, callee, e, label);
    case 'fn': return calledFrom(e.span, () => callFn(frame, callee, e));
    case 'builtin': return applyBuiltin(frame, callee.name, e);
    case 'error': throw new Abandoned();
    default: return fail(messages.notCallable(describe(callee), e.callee.kind === 'name' && builtins.has(e.callee.name) ? e.callee.name : undefined, e.callee.span));
  }
}

/** What `def` and arguments of type `layer` hold: a call binds arguments and makes no instance. */
export function evaluateTemplate(frame: Frame, e: Expr): Value {
  if (e.kind !== 'call') return evaluate(frame, e);
  const callee = evaluate(frame, e.callee);
  if (callee.kind !== 'template') return evaluate(frame, e);
  return { ...callee, bound: bindArguments(frame, callee, e.args, e.span) };
}

/** Which parameter each argument is for: positions fill what is not bound yet, in order. */
function matchArguments(owner: string, params: readonly Parameter[], bound: ReadonlyMap<string, Value>, args: readonly Argument[], span: Span): readonly { readonly param: Parameter; readonly value: Expr }[] {
  const open = params.filter((p) => !bound.has(p.name.name) && !args.some((a) => a.name?.name === p.name.name));
  const taken = new Map<string, Span>();
  return args.map((a) => {
    const param = a.name === undefined ? open.shift() : params.find((p) => p.name.name === a.name!.name);
    if (param === undefined) {
      fail(a.name === undefined ? messages.tooManyArguments(owner, params.map((p) => p.name.name), a.span)
        : messages.unknownArgument(owner, a.name.name, suggest(a.name.name, params.map((p) => p.name.name)), params.map((p) => p.name.name), a.name.span));
    }
    const { name } = param.name;
    if (bound.has(name) || taken.has(name)) fail(messages.argumentTwice(owner, name, a.span, taken.get(name) ?? span));
    taken.set(name, a.span);
    return { param, value: a.value };
  });
}

function bindArguments(frame: Frame, template: TemplateValue, args: readonly Argument[], span: Span): ReadonlyMap<string, Value> {
  const { layer, bound } = template;
  const all = new Map(bound);
  for (const { param, value } of matchArguments(layer.name.name, layer.params, bound, args, span)) {
    all.set(param.name.name, coerce(frame, param, value));
  }
  return all;
}

function callTemplate(frame: Frame, template: TemplateValue, e: Call, label?: Label): Value {
  const { layer } = template;
  const bound = bindArguments(frame, template, e.args, e.span);
  const absent = layer.params.filter((p) => !bound.has(p.name.name) && p.default === undefined && !(p.type?.kind !== undefined && p.type.optional));
  const isTensor = (p: Parameter): boolean => p.type?.kind === 'tensor-type';
  const givenTensor = layer.params.some((p) => isTensor(p) && bound.has(p.name.name));
  if (absent.some(isTensor) && !givenTensor) return { ...template, bound };
  if (absent.length > 0) fail(messages.missingArguments(layer.name.name, absent.map((p) => p.name.name), e.span, layer.name.span));
  return instantiate(frame, { ...template, bound }, e.span, label);
}

/** A mistake inside a function of another file is told with the call that led there. */
function calledFrom<T>(call: Span, action: () => T): T {
  try {
    return action();
  } catch (e) {
    if (e instanceof Abandoned && e.diagnostic !== undefined) throw new Abandoned(messages.withUse(e.diagnostic, call));
    throw e;
  }
}

function callFn(frame: Frame, callee: FnValue, e: Call): Value {
  const { fn } = callee;
  const scope = new Scope(callee.scope);
  for (const { param, value } of matchArguments(fn.name.name, fn.params, new Map(), e.args, e.span)) {
    scope.set(param.name.name, named(param.name.name, coerce(frame, param, value), value.span));
  }
  const inside: Frame = { ...frame, scope, depth: frame.depth + 1 };
  for (const p of fn.params) {
    if (scope.has(p.name.name)) continue;
    if (p.default !== undefined) scope.set(p.name.name, evaluate(inside, p.default));
    else if (p.type?.optional === true) scope.set(p.name.name, none);
    else fail(messages.missingArguments(fn.name.name, [p.name.name], e.span, fn.name.span));
  }
  return evaluate(inside, fn.kind === 'fn' ? fn.body : fn.value);
}
