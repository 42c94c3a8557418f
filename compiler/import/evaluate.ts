/** What an expression of an import template is, as far as the configuration decides it. */
import type { Expr, MatchArm } from '../../dsl/ast.js';
import type { Diagnostic } from '../../dsl/diagnostics.js';
import type { Span } from '../../dsl/span.js';
import { ConfigObject, type Value } from './config.js';
import * as message from './messages.js';

/** The import cannot go on here; the diagnostic says why. */
export class ImportFailure extends Error {
  constructor(readonly diagnostic: Diagnostic) { super(diagnostic.message); }
}
/** The expression is one of the finished spec: it holds a name that the configuration does not decide. */
export class NotConstant extends Error {}

export interface Names {
  /** Undefined if absent. Throws NotConstant for a name of the language. */
  read(name: string): Value | undefined;
  member(object: ConfigObject, key: string): Value | undefined;
  /** `or` chooses the first that is there, and a null counts as not there; otherwise `or` is logical. */
  readonly fallback: boolean;
  /** In a chain of fallbacks, null is a value. */
  readonly nullable: boolean;
  /** No arm of a match has the value. */
  outside(value: Value, arms: readonly MatchArm[], span: Span): ImportFailure;
}

export function evaluate(e: Expr, names: Names): Value | undefined {
  switch (e.kind) {
    case 'number': case 'string': case 'bool': return e.value;
    case 'none': return null;
    case 'name': return names.read(e.name);
    case 'member': return member(e, names);
    case 'unary': return e.operator === 'not' ? !truth(e.operand, names) : -real(e.operand, names);
    case 'binary': return binary(e, names);
    case 'conditional': return evaluate(truth(e.condition, names) ? e.then : e.otherwise, names);
    case 'match': {
      const subject = present(e.subject, names);
      const choose = (value: Value): Value => present(armFor(value, e.arms, names, e.span).value, names);
      return Array.isArray(subject) ? subject.map(choose) : choose(subject);
    }
    case 'list': return e.items.map((item) => present(item, names));
    case 'index': return element(e, names);
    case 'call': return call(e, names);
    default: throw new NotConstant();
  }
}

/** The arm that a value takes. Throws ImportFailure if there is none. */
export function armFor(value: Value, arms: readonly MatchArm[], names: Names, span: Span): MatchArm {
  const found = arms.find((arm) => arm.pattern === '_' || evaluate(arm.pattern, names) === value);
  if (found === undefined) throw names.outside(value, arms, span);
  return found;
}

function member(e: Expr & { kind: 'member' }, names: Names): Value | undefined {
  const object = evaluate(e.object, names);
  if (object === undefined || object === null) return undefined;
  if (!(object instanceof ConfigObject)) throw new ImportFailure(message.wrongOperand('an object', object, e.span));
  return names.member(object, e.name.name);
}

function element(e: Expr & { kind: 'index' }, names: Names): Value | undefined {
  const list = present(e.object, names);
  if (!Array.isArray(list)) throw new ImportFailure(message.wrongOperand('a list', list, e.span));
  return (list as readonly Value[])[real(e.index, names)];
}

function binary(e: Expr & { kind: 'binary' }, names: Names): Value | undefined {
  switch (e.operator) {
    case 'or': {
      if (!names.fallback) return truth(e.left, names) || truth(e.right, names);
      const left = evaluate(e.left, names);
      return left === undefined || (left === null && !names.nullable) ? evaluate(e.right, names) : left;
    }
    case 'and': return truth(e.left, names) && truth(e.right, names);
    case '==': return present(e.left, names) === present(e.right, names);
    case '!=': return present(e.left, names) !== present(e.right, names);
    case '<': return real(e.left, names) < real(e.right, names);
    case '<=': return real(e.left, names) <= real(e.right, names);
    case '>': return real(e.left, names) > real(e.right, names);
    case '>=': return real(e.left, names) >= real(e.right, names);
    case '+': return real(e.left, names) + real(e.right, names);
    case '-': return real(e.left, names) - real(e.right, names);
    case '*': return real(e.left, names) * real(e.right, names);
    case '/': return real(e.left, names) / real(e.right, names);
    case '//': return Math.floor(real(e.left, names) / real(e.right, names));
    case '**': return real(e.left, names) ** real(e.right, names);
    case 'mod': {
      const divisor = real(e.right, names);
      const rest = real(e.left, names) % divisor;
      return rest !== 0 && rest < 0 !== divisor < 0 ? rest + divisor : rest;
    }
    case '@': throw new NotConstant();
  }
}

const functions: Readonly<Record<string, (...args: readonly number[]) => number>> = {
  floor: Math.floor, ceil: Math.ceil, sqrt: Math.sqrt, min: Math.min, max: Math.max,
};

function call(e: Expr & { kind: 'call' }, names: Names): Value {
  if (e.callee.kind === 'name' && e.callee.name === 'length' && e.args.length === 1) {
    const list = present(e.args[0].value, names);
    if (!Array.isArray(list)) throw new ImportFailure(message.wrongOperand('a list', list, e.span));
    return list.length;
  }
  const name = e.callee.kind === 'name' && Object.hasOwn(functions, e.callee.name) ? e.callee.name : undefined;
  if (name === undefined || e.args.some((a) => a.name !== undefined)) throw new NotConstant();
  return functions[name](...e.args.map((a) => real(a.value, names)));
}

/** Absent is as none, where a value is compared. */
function present(e: Expr, names: Names): Value {
  return evaluate(e, names) ?? null;
}

function truth(e: Expr, names: Names): boolean {
  const value = present(e, names);
  if (typeof value !== 'boolean') throw new ImportFailure(message.wrongOperand('true or false', value, e.span));
  return value;
}

function real(e: Expr, names: Names): number {
  const value = present(e, names);
  if (typeof value !== 'number') throw new ImportFailure(message.wrongOperand('a number', value, e.span));
  return value;
}
