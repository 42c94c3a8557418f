/** Scalar functions on anything: numbers and vectors are computed now, in f64; tensors become `map` nodes. */
import * as messages from '../../dsl/check-messages.js';
import type { Span } from '../../dsl/span.js';
import { hasAxis } from '../ir/axes.js';
import { isFloat, type DType } from '../ir/dtype.js';
import type { ScalarFunction } from '../ir/expr.js';
import type { Value as GraphValue } from '../ir/graph.js';
import { floatOperands } from '../ir/ops.js';
import { graphAxis } from './axis.js';
import { building, constant, fail, tensor, type Frame } from './frame.js';
import { arithmetic, floor, integer, negate, real, type NumberValue } from './number.js';
import { scalarMeaning } from './scalar-meaning.js';
import { scoreCall, toScore } from './score.js';
import { bool, describe, type TensorValue, type Value, type VectorValue } from './value.js';
import { requireNoWrap } from './whole-numbers.js';

const comparisons: ReadonlySet<ScalarFunction> = new Set(['less', 'less_equal', 'equal', 'not_equal']);
const logic: ReadonlySet<ScalarFunction> = new Set(['and', 'or', 'not']);

/** `fn` of `args`, whatever they are; axes stand for their sizes. */
export function elementwise(frame: Frame, fn: ScalarFunction, args: readonly Value[], span: Span): Value {
  const values = args.map((a) => (a.kind === 'axis' ? sizeOf(a, span) : a));
  if (values.some((v) => v.kind === 'error')) return { kind: 'error' };
  // Whether an argument was given is known now, whatever it is.
  if ((fn === 'equal' || fn === 'not_equal') && values.some((v) => v.kind === 'none')) return bool(sameValue(values[0], values[1]) === (fn === 'equal'));
  if (values.some((v) => v.kind === 'score' || (frame.extras !== undefined && v.kind === 'tensor'))) {
    return scoreCall(fn, values.map((v) => toScore(frame, v, span)));
  }
  if (values.some((v) => v.kind === 'tensor') || onSeveralAxes(values)) return tensorMap(frame, fn, values, span);
  if (values.some((v) => v.kind === 'vector')) return vectorMap(fn, values, span);
  return scalar(fn, values, span);
}

/** Lists on different axes span a table: `iota(i) >= iota(j)`. */
function onSeveralAxes(values: readonly Value[]): boolean {
  const axes = values.flatMap((v) => (v.kind === 'vector' && v.axis !== undefined ? [v.axis.name] : []));
  return axes.some((a) => a !== axes[0]);
}

/** The size of an axis as a number that remembers the axis. */
export function sizeOf(axis: Extract<Value, { kind: 'axis' }>, span: Span): NumberValue {
  if (typeof axis.size !== 'number') fail(messages.dynamicSize(axis.spelling, span));
  return axis.origin === undefined ? integer(axis.size) : { ...integer(axis.size), from: [axis.origin] };
}

function scalar(fn: ScalarFunction, args: readonly Value[], span: Span): Value {
  if (logic.has(fn)) return logical(fn, args, span);
  if ((fn === 'equal' || fn === 'not_equal') && args.some((a) => a.kind !== 'number')) return bool(sameValue(args[0], args[1]) === (fn === 'equal'));
  const numbers = args.map((a) => (a.kind === 'number' ? a : fail(messages.wrongOperand(fn, describe(a), span))));
  const [a, b] = numbers;
  if (comparisons.has(fn)) return bool(scalarMeaning(fn, [a.value, b.value]) === 1);
  if (fn === 'negate') return negate(a);
  if (fn === 'floor') return floor(a);
  if (fn === 'divide' && b.value === 0) fail(messages.divisionByZero(span));
  if (fn in arithmetic) return arithmetic[fn as keyof typeof arithmetic](a, b);
  return real(scalarMeaning(fn, numbers.map((n) => n.value)));
}

function logical(fn: ScalarFunction, args: readonly Value[], span: Span): Value {
  const [a, b] = args.map((v) => (v.kind === 'bool' ? v.value : fail(messages.wrongOperand(fn, describe(v), span))));
  return bool(fn === 'not' ? !a : fn === 'and' ? a && b : a || b);
}

/** Equality of compile-time values that are not both numbers. */
function sameValue(a: Value, b: Value): boolean {
  if (a.kind === 'number' && b.kind === 'number') return a.value === b.value;
  if (a.kind === 'symbol' && b.kind === 'symbol') return a.name === b.name;
  if ((a.kind === 'bool' && b.kind === 'bool') || (a.kind === 'string' && b.kind === 'string')) return a.value === b.value;
  return a.kind === 'none' && b.kind === 'none';
}

function vectorMap(fn: ScalarFunction, args: readonly Value[], span: Span): Value {
  const vectors = args.filter((a) => a.kind === 'vector');
  const { length } = vectors[0].data;
  const axis = vectors.find((v) => v.axis !== undefined)?.axis;
  for (const v of vectors) if (v.data.length !== length) fail(messages.vectorLengths(length, v.data.length, span));
  const columns = args.map((a) => (a.kind === 'vector' ? a.data
    : a.kind === 'number' ? new Array<number>(length).fill(a.value)
      : a.kind === 'bool' ? new Array<number>(length).fill(a.value ? 1 : 0)
        : fail(messages.wrongOperand(fn, describe(a), span))));
  const data = Array.from({ length }, (_, i) => scalarMeaning(fn, columns.map((c) => c[i])));
  return { kind: 'vector', data, axis, ...(comparisons.has(fn) || logic.has(fn) ? { truth: true } : {}) };
}

/** A compile-time vector that was declared on an axis, in the graph. */
export function vectorTensor(frame: Frame, v: VectorValue, span: Span): TensorValue {
  if (v.axis === undefined) fail(messages.vectorWithoutAxis(v.data.length, span));
  const build = building(frame, span);
  const numbers = build.constant({ dtype: 'f32', axes: [graphAxis(v.axis)] }, v.data);
  return constant(frame, v.truth === true ? build.map('not_equal', numbers, frame.graph.scalar(0, 'f32')) : numbers, span);
}

function tensorMap(frame: Frame, fn: ScalarFunction, args: readonly Value[], span: Span): Value {
  const located = args.map((a) => (a.kind === 'vector' ? vectorTensor(frame, a, span) : a.kind === 'tensor' ? spread(frame, a, span) : a));
  const tensors = located.filter((a) => a.kind === 'tensor');
  requireTruth(fn, located, span);
  requireAlignment(frame, tensors, span);
  const dtypes = located.flatMap((a, i) => (fn === 'select' && i === 0 ? [] : [a.kind === 'tensor' ? a.value.type.dtype : literalDType(a)]));
  const float = fn === 'divide' || floatOperands.has(fn) || dtypes.some((d) => d !== undefined && isFloat(d));
  const operands = located.map((a, i) => operand(frame, a, fn === 'select' && i === 0 ? false : float, fn, span));
  if (!float && !logic.has(fn)) requireNoWrap(frame, fn, operands, span);
  return tensor(frame, building(frame, span).map(fn, ...leaderFirst(frame, fn, operands, tensors, span)), span, tensors);
}

const commutative: ReadonlySet<ScalarFunction> = new Set(['add', 'multiply', 'minimum', 'maximum', 'equal', 'not_equal', 'and', 'or']);

/**
 * A result lists the axes of its first operand first. A gain in front of a value (`weight * x`) must not turn the order
 * of the value's axes around: the operand that has all axes leads.
 */
function leaderFirst(frame: Frame, fn: ScalarFunction, operands: readonly GraphValue[], tensors: readonly TensorValue[], span: Span): readonly GraphValue[] {
  const covers = (a: GraphValue): boolean => operands.every((b) => b.type.axes.every((axis) => hasAxis(a.type.axes, axis.name)));
  const flowing = operands.find((o) => tensors.some((t) => !t.fixed && t.graph === frame.graph && t.value === o));
  const leader = operands.find(covers) ?? flowing ?? operands[0];
  if (leader === operands[0] || operands[0].type.axes.length === 0) return operands;
  if (commutative.has(fn)) return [leader, ...operands.filter((o) => o !== leader)];
  const missing = leader.type.axes.filter((a) => !hasAxis(operands[0].type.axes, a.name)).reverse();
  return [missing.reduce((x, axis) => building(frame, span).broadcast(x, axis), operands[0]), ...operands.slice(1)];
}

/** Truth values and numbers do not mix: `and` wants the first, arithmetic the second, a condition comes first in a select. */
function requireTruth(fn: ScalarFunction, operands: readonly Value[], span: Span): void {
  const isTruth = (v: Value): boolean => v.kind === 'bool' || (v.kind === 'tensor' && v.value.type.dtype === 'bool');
  const values = fn === 'select' ? operands.slice(1) : operands;
  const either = fn === 'select' || fn === 'equal' || fn === 'not_equal';
  const wanted = logic.has(fn) || (either && isTruth(values[0]));
  const wrong = fn === 'select' && !isTruth(operands[0]) ? operands[0] : values.find((v) => isTruth(v) !== wanted);
  if (wrong !== undefined) fail(messages.wrongOperand(fn, isTruth(wrong) ? 'truth values' : describe(wrong), span));
}

/** Numbers with a fraction or beyond 32 bits are f32; other whole ones take the dtype of what they meet. */
function literalDType(v: Value): DType | undefined {
  return v.kind === 'number' && (v.value | 0) !== v.value ? 'f32' : undefined;
}

function operand(frame: Frame, v: Value, float: boolean, fn: ScalarFunction, span: Span): GraphValue {
  if (v.kind === 'tensor') {
    const value = frame.graph.use(v);
    return float && (value.type.dtype === 'i32' || value.type.dtype === 'u32') ? building(frame, span).cast(value, 'f32') : value;
  }
  if (v.kind === 'number') return frame.graph.scalar(v.value, float ? 'f32' : 'i32');
  if (v.kind === 'bool') return frame.graph.scalar(v.value ? 1 : 0, 'bool');
  return fail(messages.wrongOperand(fn, describe(v), span));
}

/** A routed parameter as a tensor of the routed rows: gathered by their ids. Others unchanged. */
export function spread(frame: Frame, t: TensorValue, span: Span): TensorValue {
  if (t.routing === undefined) return t;
  const ids = frame.graph.use(t.routing.ids);
  return { ...tensor(frame, building(frame, span).gather(frame.graph.use(t), ids, t.routing.axis.name), span), routing: undefined };
}

/**
 * Operands align by axis name. An axis that one lacks is broadcast if the other operand's axes are all there, or if
 * one of them is a parameter or constant; two values of tokens that each lack an axis of the other are a mistake.
 */
function requireAlignment(frame: Frame, tensors: readonly TensorValue[], span: Span): void {
  for (let i = 1; i < tensors.length; i++) {
    const [a, b] = [tensors[i - 1], tensors[i]];
    if (a.fixed || b.fixed) continue;
    const ambient = frame.routing?.ids.value.type.axes ?? [];
    const missing = (x: TensorValue, y: TensorValue): string[] =>
      x.value.type.axes.filter((axis) => !hasAxis(y.value.type.axes, axis.name) && !hasAxis(ambient, axis.name)).map((axis) => axis.name);
    const [onlyA, onlyB] = [missing(a, b), missing(b, a)];
    if (onlyA.length > 0 && onlyB.length > 0) {
      const side = (t: TensorValue, names: readonly string[]): messages.AxisSide => ({ span: t.span, axes: names.map((n) => frame.run.axes.get(n)) });
      fail(messages.axesOfBoth(side(a, onlyA), side(b, onlyB), span));
    }
  }
}
