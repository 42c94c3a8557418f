/** The functions of the language itself: scalar functions, reductions, and forms that name axes. */
import type { Expr } from '../../dsl/ast.js';
import * as messages from '../../dsl/check-messages.js';
import type { Span } from '../../dsl/span.js';
import { suggest } from '../../dsl/suggest.js';
import type { ScalarFunction } from '../ir/expr.js';
import { axisBuiltins } from './axis-builtins.js';
import type { Call } from './call.js';
import { contractOver, reduce } from './contract.js';
import { depthBuiltins } from './depth-builtins.js';
import { resolveAxes } from './dims.js';
import { elementwise, sizeOf } from './elementwise.js';
import { evaluate } from './evaluate.js';
import { fail, type Frame } from './frame.js';
import { headBuiltins } from './head.js';
import { listBuiltins } from './list-builtins.js';
import { ceil, integer } from './number.js';
import { describe, type Value } from './value.js';
import { wholeNumberBuiltins } from './whole-numbers.js';

/** Arguments of a builtin by parameter name. */
export interface BuiltinArguments {
  readonly frame: Frame;
  readonly span: Span;
  expr(name: string): Expr;
  has(name: string): boolean;
  value(name: string): Value;
  located(name: string): { readonly value: Value; readonly span: Span };
}

export interface Builtin {
  /** In order; `?` behind a name marks it optional. */
  readonly parameters: readonly string[];
  readonly apply: (a: BuiltinArguments) => Value;
}

function unary(fn: ScalarFunction): Builtin {
  return { parameters: ['x'], apply: (a) => elementwise(a.frame, fn, [a.value('x')], a.span) };
}

/** `max(a, b)` elementwise, `max(x, over: axis)` along an axis. */
function extremum(fn: 'maximum' | 'minimum'): Builtin {
  return {
    parameters: ['a', 'b?', 'over?'],
    apply: (a) => {
      if (a.has('over') === a.has('b')) fail(messages.extremumArguments(fn === 'maximum' ? 'max' : 'min', a.span));
      if (a.has('b')) return elementwise(a.frame, fn, [a.value('a'), a.value('b')], a.span);
      return reduce(a.frame, fn, a.located('a'), resolveAxes(a.frame, a.expr('over')), a.span);
    },
  };
}

function mean(a: BuiltinArguments): Value {
  const over = resolveAxes(a.frame, a.expr('over'));
  const count = over.map((o) => sizeOf(o, a.expr('over').span).value).reduce((x, y) => x * y, 1);
  return elementwise(a.frame, 'divide', [reduce(a.frame, 'add', a.located('x'), over, a.span), integer(count)], a.span);
}

/** 0, 1, .. of that many; on the axis itself if given one. */
function iota(a: BuiltinArguments): Value {
  const n = a.value('n');
  const size = n.kind === 'axis' ? sizeOf(n, a.span) : n;
  if (size.kind !== 'number' || !Number.isInteger(size.value) || size.value < 0) fail(messages.wrongArgument('n', 'a whole number or an axis', describe(n), a.span));
  const data = Array.from({ length: size.value }, (_, i) => i);
  return n.kind === 'axis' ? { kind: 'vector', data, axis: n } : { kind: 'vector', data };
}

function ceiling(a: BuiltinArguments): Value {
  const x = a.value('x');
  if (x.kind === 'number') return ceil(x);
  const negative = elementwise(a.frame, 'negate', [x], a.span);
  return elementwise(a.frame, 'negate', [elementwise(a.frame, 'floor', [negative], a.span)], a.span);
}

export const builtins: ReadonlyMap<string, Builtin> = new Map<string, Builtin>(Object.entries({
  exp: unary('exp'), ln: unary('log'), sqrt: unary('sqrt'), rsqrt: unary('rsqrt'), tanh: unary('tanh'), sigmoid: unary('sigmoid'),
  softplus: unary('softplus'), erf: unary('erf'), sin: unary('sin'), cos: unary('cos'), abs: unary('absolute'), sign: unary('sign'),
  floor: unary('floor'), round: unary('round'),
  ceil: { parameters: ['x'], apply: ceiling },
  max: extremum('maximum'), min: extremum('minimum'),
  sum: { parameters: ['x', 'over'], apply: (a) => reduce(a.frame, 'add', a.located('x'), resolveAxes(a.frame, a.expr('over')), a.span) },
  mean: { parameters: ['x', 'over'], apply: mean },
  dot: { parameters: ['a', 'b', 'over'], apply: (a) => contractOver(a.frame, a.located('a'), a.located('b'), resolveAxes(a.frame, a.expr('over')), a.span) },
  iota: { parameters: ['n'], apply: iota },
  ...axisBuiltins,
  ...depthBuiltins,
  ...wholeNumberBuiltins,
  ...headBuiltins,
  ...listBuiltins,
}));

export function applyBuiltin(frame: Frame, name: string, e: Call): Value {
  const builtin = builtins.get(name)!;
  const names = builtin.parameters.map((p) => p.replace('?', ''));
  const given = new Map<string, Expr>();
  e.args.forEach((arg, i) => {
    const parameter = arg.name?.name ?? names[i];
    if (parameter === undefined) fail(messages.tooManyArguments(name, names, arg.span));
    if (!names.includes(parameter)) fail(messages.unknownArgument(name, parameter, suggest(parameter, names), names, arg.name?.span ?? arg.span));
    if (given.has(parameter)) fail(messages.argumentTwice(name, parameter, arg.span, given.get(parameter)!.span));
    given.set(parameter, arg.value);
  });
  const missing = builtin.parameters.filter((p) => !p.endsWith('?') && !given.has(p));
  if (missing.length > 0) fail(messages.missingArguments(name, missing, e.span));
  const expr = (p: string): Expr => given.get(p) ?? given.get(names[0])!;
  const value = (p: string): Value => evaluate(frame, expr(p));
  return builtin.apply({ frame, span: e.span, expr, value, has: (p) => given.has(p), located: (p) => ({ value: value(p), span: expr(p).span }) });
}
