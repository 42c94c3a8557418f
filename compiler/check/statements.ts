/** Statements of models, layers, iterations and scan bodies. An error ends its statement only; what it would have bound is poisoned. */
import type { AssignStatement, ConstStatement, DimStatement, ExportStatement, Pattern, RequireStatement, Statement } from '../../dsl/ast.js';
import * as messages from '../../dsl/check-messages.js';
import { evaluateTemplate } from './call.js';
import { requireTensor } from './contract.js';
import { declareParam, declareState } from './declare.js';
import { named, originOf, requireExtent, resolveAxis } from './dims.js';
import { elementwise, spread } from './elementwise.js';
import { evaluate } from './evaluate.js';
import { Abandoned, attempt, fail, place, type Frame, type Label } from './frame.js';
import { exportTensor } from './export.js';
import { executeHead } from './head.js';
import { rounded } from './instantiate.js';
import { splitParts } from './join.js';
import { executeRepeat } from './repeat.js';
import { declareShared } from './shared.js';
import { declareTable } from './table.js';
import { mapTensors } from './tensors-in.js';
import { describe, errorValue, type Value } from './value.js';

/** Runs the statements in order. Returns what `return` gave, if one was reached. */
export function execute(frame: Frame, statements: readonly Statement[]): readonly Value[] | undefined {
  let broken = false;
  for (const s of statements) {
    let returned: readonly Value[] | undefined;
    const done = attempt(frame.run, () => { returned = executeOne(frame, s); return true; }, frame.instance);
    if (returned !== undefined) return returned;
    if (done !== undefined) continue;
    broken = true;
    for (const name of boundNames(s)) frame.scope.set(name, errorValue);
    if (s.kind === 'return') throw new Abandoned();
  }
  if (broken && frame.instance.parent !== undefined) throw new Abandoned();
  return undefined;
}

function executeOne(frame: Frame, s: Statement): readonly Value[] | undefined {
  requireNewName(frame, s);
  switch (s.kind) {
    case 'dim': declareDim(frame, s); return undefined;
    case 'const': declareConst(frame, s); return undefined;
    case 'table': declareTable(frame, s); return undefined;
    case 'def': frame.scope.set(s.name.name, evaluateTemplate(frame, s.value)); return undefined;
    case 'shared': declareShared(frame, s); return undefined;
    case 'param': declareParam(frame, s); return undefined;
    case 'state': declareState(frame, s); return undefined;
    case 'assign': assign(frame, s); return undefined;
    case 'repeat': executeRepeat(frame, s); return undefined;
    case 'head': executeHead(frame, s); return undefined;
    case 'if': return execute(frame, condition(frame, s.condition) ? s.then : s.otherwise);
    case 'at': return executeAt(frame, s);
    case 'return': return s.values.length === 1 ? flatten(evaluate(frame, s.values[0])) : s.values.map((v) => evaluate(frame, v));
    case 'export': exportValue(frame, s); return undefined;
    case 'require': requireCondition(frame, s); return undefined;
    case 'emit': return emit(frame, s);
    // Sections bind the model as a whole; see sections.ts.
    case 'weights': case 'quantize': case 'precision': case 'train': case 'mesh': case 'setting':
      if (frame.instance.parent !== undefined) fail(messages.sectionInLayer(s.kind, s.span));
      return undefined;
    case 'import': return fail(messages.unfilledTemplate(s.span));
  }
}

/** A name is declared once where it stands; values are assigned as often as one likes. */
function requireNewName(frame: Frame, s: Statement): void {
  if (s.kind !== 'dim' && s.kind !== 'const' && s.kind !== 'table' && s.kind !== 'def' && s.kind !== 'shared') return;
  const first = frame.scope.declare(s.name.name, s.name.span);
  if (first !== undefined) fail(messages.definedTwice(s.name.name, first, s.name.span));
}

function flatten(v: Value): readonly Value[] {
  return v.kind === 'tuple' ? v.items : [v];
}

/** Names that a statement binds in its own scope. */
export function boundNames(s: Statement): readonly string[] {
  switch (s.kind) {
    case 'dim': case 'const': case 'table': case 'def': case 'shared': case 'state': return [s.name.name];
    case 'param': return s.names.map((n) => n.name);
    case 'assign': return patternNames(s.target);
    case 'at': return s.body.flatMap(boundNames);
    case 'if': return [...s.then, ...s.otherwise].flatMap(boundNames);
    case 'repeat': return [...s.body.flatMap(boundNames), ...(s.carry ?? []).map((c) => c.name.name)];
    default: return [];
  }
}

function patternNames(p: Pattern): readonly string[] {
  return p.kind === 'name-pattern' ? [p.name.name] : p.names.map((n) => n.name);
}

function declareDim(frame: Frame, s: DimStatement): void {
  const { name } = s.name;
  if (s.like) {
    const like = resolveAxis(frame, s.value);
    frame.scope.set(name, frame.run.axes.fresh(place(frame, s.span), name, like.size, like.origin));
    return;
  }
  if (s.value.kind === 'binary' && s.value.operator === '+') {
    const sum = attemptSum(frame, s);
    if (sum !== undefined) { frame.scope.set(name, sum); return; }
  }
  const value = evaluate(frame, s.value);
  if (value.kind === 'axis') { frame.scope.set(name, value); return; }
  if (value.kind !== 'number') fail(messages.notADim(name, describe(value), s.value.span));
  const size = requireExtent(value, name, s.value.span);
  frame.scope.set(name, frame.run.axes.fresh(place(frame, s.span), name, size, originOf(name, value, s.span)));
}

/** `dim qk = nope + rope`: the sum axis, if both sides are axes. */
function attemptSum(frame: Frame, s: DimStatement): Value | undefined {
  const sides = s.value.kind === 'binary' ? [evaluate(frame, s.value.left), evaluate(frame, s.value.right)] : [];
  return sides.length > 0 && sides.every((v) => v.kind === 'axis') ? frame.run.axes.sum(sides.filter((v) => v.kind === 'axis')) : undefined;
}

function declareConst(frame: Frame, s: ConstStatement): void {
  const { name } = s.name;
  if (s.params.length > 0) { frame.scope.set(name, { kind: 'fn', fn: s, scope: frame.scope }); return; }
  const value = evaluate(frame, s.value);
  if (value.kind === 'tensor' || value.kind === 'state') fail(messages.notConstant(name, describe(value), s.value.span));
  if (s.type === undefined) { frame.scope.set(name, named(name, value, s.span)); return; }
  if (value.kind !== 'vector' || s.type.axes.length !== 1) fail(messages.constType(name, describe(value), s.type.span));
  const axis = resolveAxis(frame, s.type.axes[0]);
  if (axis.size !== value.data.length) fail(messages.constLength(name, value.data.length, axis, s.type.span));
  frame.scope.set(name, { ...value, axis });
}

function assign(frame: Frame, s: AssignStatement): void {
  const { target } = s;
  const label: Label | undefined = target.kind === 'name-pattern' ? { ...target.name, written: false } : undefined;
  const value = evaluate(frame, s.value, label);
  if (value.kind === 'error') throw new Abandoned();
  if (target.kind === 'name-pattern') {
    if (target.index !== undefined) fail(messages.indexedAssignment(target.name.name, target.span));
    bindName(frame, target.name.name, s.operator === '+=' ? increment(frame, target.name.name, value, s) : value);
  } else if (target.kind === 'tuple-pattern') {
    if (value.kind !== 'tuple' || value.items.length !== target.names.length) fail(messages.tupleCount(target.names.length, describe(value), s.span));
    target.names.forEach((n, i) => bindName(frame, n.name, value.items[i]));
  } else {
    const x = requireTensor(frame, { value, span: s.value.span }, 'a split');
    splitParts(frame, { ...x, span: s.value.span }, target.names, target.span).forEach((part, i) => bindName(frame, target.names[i].name, part));
  }
}

function increment(frame: Frame, name: string, value: Value, s: AssignStatement): Value {
  const before = frame.scope.find(name);
  if (before === undefined) fail(messages.nothingToAdd(name, s.target.span));
  if (before.kind === 'error') throw new Abandoned();
  return elementwise(frame, 'add', [before, value], s.span);
}

function bindName(frame: Frame, name: string, value: Value): void {
  frame.scope.set(name, mapTensors(name, value, (t) => rounded(frame, t)));
}

function condition(frame: Frame, e: RequireStatement['condition']): boolean {
  const value = evaluate(frame, e);
  return value.kind === 'bool' ? value.value : fail(messages.notACondition(describe(value), e.span));
}

function requireCondition(frame: Frame, s: RequireStatement): void {
  if (condition(frame, s.condition)) return;
  const sides = s.condition.kind === 'binary' ? [evaluate(frame, s.condition.left), evaluate(frame, s.condition.right)] : [];
  fail(messages.requirement(s.message, sides.flatMap((v) => (v.kind === 'number' ? v.from ?? [] : [])), frame.instance, s.span));
}

function executeAt(frame: Frame, s: Extract<Statement, { kind: 'at' }>): readonly Value[] | undefined {
  if (s.dtype.name !== 'f32') fail(messages.islandDType(s.dtype.name, s.dtype.span));
  return execute({ ...frame, wide: true }, s.body);
}

function exportValue(frame: Frame, s: ExportStatement): void {
  const value = requireTensor(frame, { value: evaluate(frame, s.value), span: s.value.span }, 'an export');
  exportTensor(frame, s.name.name, spread(frame, value, s.span));
}

function emit(frame: Frame, s: Extract<Statement, { kind: 'emit' }>): undefined {
  if (frame.emitted === undefined) fail(messages.emitOutside(s.span));
  const value = requireTensor(frame, { value: evaluate(frame, s.value), span: s.value.span }, 'emit');
  frame.emitted.push(value);
  return undefined;
}
