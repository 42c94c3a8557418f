/** Expressions: one case per form of the AST. What is known at compile time is computed; the rest becomes nodes. */
import type { BinaryOperator, Expr } from '../../dsl/ast.js';
import * as messages from '../../dsl/check-messages.js';
import { suggest } from '../../dsl/suggest.js';
import type { ScalarFunction } from '../ir/expr.js';
import { evaluateAttend } from './attend.js';
import { spend, spendElements } from './budget.js';
import { builtins } from './builtins.js';
import { evaluateCall } from './call.js';
import { contractLast } from './contract.js';
import { elementwise } from './elementwise.js';
import { Abandoned, fail, type Frame, type Instance, type Label } from './frame.js';
import { evaluateIndex } from './index-of.js';
import { join } from './join.js';
import { literal } from './number.js';
import { evaluateRoute } from './route.js';
import { evaluateScan } from './scan.js';
import { evaluateSelect } from './select.js';
import { scoreMember } from './score.js';
import { bool, describe, list, listItems, none, type Value } from './value.js';

const operators: Readonly<Record<Exclude<BinaryOperator, '@' | '>' | '>='>, ScalarFunction>> = {
  '+': 'add', '-': 'subtract', '*': 'multiply', '/': 'divide', '//': 'floor_divide', '**': 'power', mod: 'mod',
  '<': 'less', '<=': 'less_equal', '==': 'equal', '!=': 'not_equal', and: 'and', or: 'or',
};

/** `label` names the instance if the expression (or the branch it chooses) is a call of a layer. */
export function evaluate(frame: Frame, e: Expr, label?: Label): Value {
  spend(frame, 1, e.span);
  const value = meaningOf(frame, e, label);
  if (value.kind === 'list') spendElements(frame, value.items.length, e.span);
  if (value.kind === 'vector') spendElements(frame, value.data.length, e.span);
  return value;
}

function meaningOf(frame: Frame, e: Expr, label?: Label): Value {
  switch (e.kind) {
    case 'number': return literal(e.text, e.value);
    case 'string': return { kind: 'string', value: e.value };
    case 'bool': return bool(e.value);
    case 'none': return none;
    case 'name': return lookup(frame, e);
    case 'unary': return elementwise(frame, e.operator === '-' ? 'negate' : 'not', [evaluate(frame, e.operand)], e.span);
    case 'binary': return evaluateBinary(frame, e);
    case 'conditional': return evaluateConditional(frame, e, label);
    case 'match': return evaluateMatch(frame, e, label);
    case 'call': return evaluateCall(frame, e, label);
    case 'member': return evaluateMember(frame, e);
    case 'index': return evaluateIndex(frame, e);
    case 'range': throw new Error('elaborate: a range outside an index');
    case 'list': return list(e.items.map((i) => evaluate(frame, i)));
    case 'tuple': return { kind: 'tuple', items: e.items.map((i) => evaluate(frame, i)) };
    case 'concat': return join(frame, e.parts.map((p) => ({ value: evaluate(frame, p), span: p.span })), e.span);
    case 'labelled': return evaluateLabelled(frame, e);
    case 'attend': return evaluateAttend(frame, e);
    case 'select': return evaluateSelect(frame, e);
    case 'route': return evaluateRoute(frame, e);
    case 'scan': return evaluateScan(frame, e);
  }
}

function lookup(frame: Frame, e: Extract<Expr, { kind: 'name' }>): Value {
  const found = frame.scope.find(e.name);
  if (found?.kind === 'error') throw new Abandoned();
  if (found !== undefined) return found;
  if (builtins.has(e.name)) return { kind: 'builtin', name: e.name };
  if (frame.symbols === true) return { kind: 'symbol', name: e.name };
  return fail(messages.unknownName(e.name, suggest(e.name, [...frame.scope.visible(), ...builtins.keys()]), frame.run.library(e.name), e.span));
}

function evaluateLabelled(frame: Frame, e: Extract<Expr, { kind: 'labelled' }>): Value {
  if (e.index !== undefined && e.index.name !== frame.routing?.index) fail(messages.indexOutsideRoute(e.label.name, e.index.name, e.index.span));
  return evaluate(frame, e.value, { name: e.label.name, span: e.label.span, written: true });
}

function evaluateBinary(frame: Frame, e: Extract<Expr, { kind: 'binary' }>): Value {
  if (e.operator === '==' || e.operator === '!=') return evaluateEquality(frame, e, e.operator);
  const left = evaluate(frame, e.left);
  // A condition that is settled by its left side does not look at the right one: `b != none and b > 0`.
  if (left.kind === 'bool' && ((e.operator === 'and' && !left.value) || (e.operator === 'or' && left.value))) return left;
  const right = evaluate(frame, e.right);
  if (e.operator === '@') return contractLast(frame, { value: left, span: e.left.span }, { value: right, span: e.right.span }, e.span);
  if (e.operator === '>') return elementwise(frame, 'less', [right, left], e.span);
  if (e.operator === '>=') return elementwise(frame, 'less_equal', [right, left], e.span);
  return elementwise(frame, operators[e.operator], [left, right], e.span);
}

/** `kind == full`: a bare name compared with an enum is a value of it. Whether something is `none` is known of anything. */
function evaluateEquality(frame: Frame, e: Extract<Expr, { kind: 'binary' }>, operator: '==' | '!='): Value {
  const free = (x: Expr): boolean => x.kind === 'name' && frame.scope.find(x.name) === undefined;
  const symbols = free(e.left) || free(e.right);
  const inside: Frame = symbols ? { ...frame, symbols: true } : frame;
  const [left, right] = [evaluate(inside, e.left), evaluate(inside, e.right)];
  if (left.kind === 'none' || right.kind === 'none') return bool((left.kind === right.kind) === (operator === '=='));
  if (left.kind === 'symbol' && right.kind === 'symbol') requireSameEnum([left, e.left], [right, e.right]);
  else if (left.kind === 'symbol' || right.kind === 'symbol') {
    if (symbols) { evaluate(frame, e.left); evaluate(frame, e.right); }
    const [symbol, other, span] = left.kind === 'symbol' ? [left, right, e.right.span] : [right, left, e.left.span];
    fail(messages.neverEqual(describe(symbol), describe(other), span));
  }
  return elementwise(frame, operators[operator], [left, right], e.span);
}

type Side = readonly [Extract<Value, { kind: 'symbol' }>, Expr];

/** A name that the other side's enum lacks can only be a misspelling. */
function requireSameEnum(...sides: readonly [Side, Side]): void {
  sides.forEach(([symbol, e], i) => {
    const [{ of: values }, other] = sides[1 - i];
    if (values !== undefined && !values.includes(symbol.name)) fail(messages.notInEnum(other.kind === 'name' ? other.name : 'this', symbol.name, values, suggest(symbol.name, values), e.span));
  });
}

function evaluateConditional(frame: Frame, e: Extract<Expr, { kind: 'conditional' }>, label?: Label): Value {
  const condition = evaluate(frame, e.condition);
  if (condition.kind === 'bool') return evaluate(frame, condition.value ? e.then : e.otherwise, label);
  if (condition.kind !== 'tensor' && condition.kind !== 'score' && !(condition.kind === 'vector' && condition.truth === true)) fail(messages.notACondition(describe(condition), e.condition.span));
  return elementwise(frame, 'select', [condition, evaluate(frame, e.then), evaluate(frame, e.otherwise)], e.span);
}

function evaluateMatch(frame: Frame, e: Extract<Expr, { kind: 'match' }>, label?: Label): Value {
  const subject = evaluate(frame, e.subject);
  const items = listItems(subject);
  if (items !== undefined) return list(items.map((item) => evaluate(frame, chooseArm(frame, e, item), label)));
  return evaluate(frame, chooseArm(frame, e, subject), label);
}

function chooseArm(frame: Frame, e: Extract<Expr, { kind: 'match' }>, subject: Value): Expr {
  for (const arm of e.arms) {
    if (arm.pattern === '_') return arm.value;
    const named = arm.pattern.kind === 'name' ? arm.pattern.name : undefined;
    if (subject.kind === 'symbol' ? named === subject.name : matches(frame, subject, arm.pattern)) return arm.value;
  }
  return fail(messages.noMatchingArm(describe(subject), e.subject.span));
}

function matches(frame: Frame, subject: Value, pattern: Expr): boolean {
  const equal = elementwise(frame, 'equal', [subject, evaluate(frame, pattern)], pattern.span);
  return equal.kind === 'bool' && equal.value;
}

/** `query.position`; `embed.table`: a parameter of an instance that was made before. */
function evaluateMember(frame: Frame, e: Extract<Expr, { kind: 'member' }>): Value {
  const path = memberPath(e);
  const root = frame.scope.find(path[0]);
  if (root?.kind === 'score-side' && path.length === 2) return scoreMember(root.side, path[1], e.span);
  // An iteration sees the instances around its repeat.
  let at: Instance = frame.instance;
  while (at.iteration && at.parent !== undefined && !at.members.has(path[0])) at = at.parent;
  for (const [i, name] of path.entries()) {
    const member = at.members.get(name);
    if (member === undefined) fail(messages.unknownMember(path.slice(0, i).join('.'), name, suggest(name, [...at.members.keys()]), e.span));
    if ('kind' in member) {
      if (i < path.length - 1) fail(messages.memberOfTensor(path.slice(0, i + 1).join('.'), e.span));
      return member;
    }
    at = member;
  }
  return fail(messages.instanceAsValue(path.join('.'), [...at.members.keys()], e.span));
}

function memberPath(e: Expr): readonly string[] {
  if (e.kind === 'name') return [e.name];
  if (e.kind === 'member') return [...memberPath(e.object), e.name.name];
  return fail(messages.memberOfExpression(e.span));
}
