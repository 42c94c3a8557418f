/** An argument becomes what its parameter's type says: an axis, a number, a template, a tensor. */
import type { Expr, Parameter, Type } from '../../dsl/ast.js';
import * as messages from '../../dsl/check-messages.js';
import { suggest } from '../../dsl/suggest.js';
import type { Span } from '../../dsl/span.js';
import { evaluateTemplate } from './call.js';
import { requireTensor } from './contract.js';
import { named, toAxis } from './dims.js';
import { sizeOf } from './elementwise.js';
import { evaluate } from './evaluate.js';
import { Abandoned, fail, type Frame } from './frame.js';
import { isInteger } from './number.js';
import { describe, none, type Value } from './value.js';

/** `value`, written in `frame`, as an argument for `param`. */
export function coerce(frame: Frame, param: Parameter, e: Expr): Value {
  const { type } = param;
  const { name } = param.name;
  if (type === undefined) return evaluate(frame, e);
  if (type.kind === 'enum-type') return coerceEnum(frame, name, type, e);
  const value = type.kind === 'simple-type' && type.name === 'layer' ? evaluateTemplate(frame, e) : evaluate(frame, e);
  if (value.kind === 'error') throw new Abandoned();
  if (value.kind === 'none') return type.optional ? none : fail(messages.noneNotAllowed(name, e.span, param.span));
  return type.kind === 'tensor-type' ? requireTensor(frame, { value, span: e.span }, `the argument ${name}`)
    : coerceSimple(frame, name, type, value, e.span);
}

function coerceEnum(frame: Frame, name: string, type: Extract<Type, { kind: 'enum-type' }>, e: Expr): Value {
  const values = type.values.map((v) => v.name);
  if (e.kind === 'name' && values.includes(e.name)) return { kind: 'symbol', name: e.name, of: values };
  const value = evaluate({ ...frame, symbols: true }, e);
  if (value.kind === 'none' && type.optional) return none;
  if (value.kind !== 'symbol') fail(messages.wrongArgument(name, `one of ${values.join(', ')}`, describe(value), e.span));
  if (!values.includes(value.name)) fail(messages.notInEnum(name, value.name, values, suggest(value.name, values), e.span));
  return { ...value, of: values };
}

function coerceSimple(frame: Frame, name: string, type: Extract<Type, { kind: 'simple-type' }>, value: Value, span: Span): Value {
  const wrong = (wanted: string): never => fail(messages.wrongArgument(name, wanted, describe(value), span));
  switch (type.name) {
    case 'dim':
      if (value.kind === 'tensor' && [...frame.run.inputs.values()].includes(value)) return frame.run.axes.get(value.value.type.axes[0].name);
      return toAxis(frame, name, value, span);
    case 'int': {
      const number = value.kind === 'axis' ? sizeOf(value, span) : value;
      if (number.kind !== 'number') return wrong('a whole number');
      if (!isInteger(number)) fail(messages.notWhole(name, number, span));
      return named(name, number, span);
    }
    case 'real': {
      const number = value.kind === 'axis' ? sizeOf(value, span) : value;
      return number.kind === 'number' ? number : wrong('a number');
    }
    case 'bool': return value.kind === 'bool' ? value : wrong('true or false');
    case 'layer': return value.kind === 'template' ? value : wrong('a layer');
    case 'fn': return value.kind === 'fn' || value.kind === 'builtin' ? value : wrong('a function');
    case 'state': return value.kind === 'state' ? value : wrong('a state');
    case 'list': return value.kind === 'vector' || value.kind === 'list' ? value : wrong('a list');
    // A type that there is not was reported by the parser.
    default: throw new Abandoned();
  }
}
