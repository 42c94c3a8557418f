/**
 * Whole numbers of the graph are i32 and must never wrap: what a sum or product can reach is followed from the inputs
 * (which are below 2^28), constants and `mod`; what could leave 32 bits is refused.
 */
import * as messages from '../../dsl/check-messages.js';
import type { Span } from '../../dsl/span.js';
import type { ScalarFunction } from '../ir/expr.js';
import type { Node, Value as GraphValue } from '../ir/graph.js';
import type { Builtin, BuiltinArguments } from './builtins.js';
import { requireTensor } from './contract.js';
import { elementwise, sizeOf } from './elementwise.js';
import { fail, type Frame } from './frame.js';
import type { GraphScope } from './graph-scope.js';
import { integer } from './number.js';
import { describe, type TensorValue, type Value } from './value.js';

interface Range { readonly low: number; readonly high: number }

const largest = 2 ** 31 - 1;
const anything: Range = { low: -(2 ** 31), high: largest };
/** Token ids, positions, rows. */
const inputs: Range = { low: 0, high: 2 ** 28 - 1 };

function union(ranges: readonly Range[]): Range {
  return { low: Math.min(...ranges.map((r) => r.low)), high: Math.max(...ranges.map((r) => r.high)) };
}

/** What an i32 value of a graph under construction can be. */
function rangeOf(graph: GraphScope, value: GraphValue): Range {
  const node = graph.builder.producer(value);
  if (node === undefined) {
    const captured = graph.captures.find((c) => c.inner === value);
    if (captured !== undefined) return rangeOf(graph.parent!, captured.outer);
    return graph.parent === undefined ? inputs : anything;
  }
  const operands = graph.builder.operandsOf(node);
  const range = (i: number): Range => rangeOf(graph, operands[i]);
  switch (node.op) {
    case 'const': return union([node.data, ...(node.perIteration ?? [])].flat().map((v) => ({ low: v, high: v })));
    case 'select_keys': return { low: -1, high: inputs.high };
    case 'iota': case 'top': return { low: 0, high: extentOf(node, operands) - 1 };
    case 'map': return node.results[0].type.dtype === 'i32' ? mapRange(node.fn, operands.map((_, i) => range(i))) : { low: 0, high: 1 };
    case 'gather': return union([range(0), { low: 0, high: 0 }]);
    case 'window': return union([range(1), ...(graph.builder.context.states.slice(node.state, node.state + 1).map((s) => ({ low: s.initial, high: s.initial })))]);
    case 'rename': case 'split': case 'merge': case 'slice': case 'pick': case 'broadcast': case 'stop_gradient': return range(0);
    case 'concat': case 'stack': return union(operands.map((_, i) => range(i)));
    default: return anything;
  }
}

function extentOf(node: Extract<Node, { op: 'iota' | 'top' }>, operands: readonly GraphValue[]): number {
  const axes = node.op === 'iota' ? node.results[0].type.axes : operands[0].type.axes;
  const size = axes.find((a) => a.name === node.axis)!.size;
  return typeof size === 'number' ? size : inputs.high + 1;
}

function mapRange(fn: ScalarFunction, [a, b, c]: readonly Range[]): Range {
  switch (fn) {
    case 'add': return { low: a.low + b.low, high: a.high + b.high };
    case 'subtract': return { low: a.low - b.high, high: a.high - b.low };
    case 'multiply': {
      const products = [a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high];
      return { low: Math.min(...products), high: Math.max(...products) };
    }
    case 'mod': return b.low > 0 ? { low: 0, high: Math.min(b.high - 1, a.low >= 0 ? a.high : Infinity) } : anything;
    case 'floor_divide': return b.low > 0 ? { low: Math.min(a.low, 0), high: Math.max(a.high, 0) } : anything;
    case 'minimum': return { low: Math.min(a.low, b.low), high: Math.min(a.high, b.high) };
    case 'maximum': return { low: Math.max(a.low, b.low), high: Math.max(a.high, b.high) };
    case 'select': return union([b, c]);
    case 'negate': return { low: -a.high, high: -a.low };
    case 'absolute': return { low: 0, high: Math.max(Math.abs(a.low), Math.abs(a.high)) };
    default: return anything;
  }
}

/** Refuses a sum, difference or product of whole numbers whose result may need more than 32 bits. */
export function requireNoWrap(frame: Frame, fn: ScalarFunction, operands: readonly GraphValue[], span: Span): void {
  if (fn !== 'multiply' && fn !== 'add' && fn !== 'subtract') return;
  const ranges = operands.map((o) => rangeOf(frame.graph, o));
  // Nothing is known of a parameter; sums with it are taken at their word.
  if (fn !== 'multiply' && ranges.some((r) => r === anything)) return;
  const { low, high } = mapRange(fn, ranges);
  if (low < anything.low || high > anything.high) fail(messages.mayWrap(fn, Math.max(-low, high), span));
}

function wholeNumber(a: BuiltinArguments, name: string): number {
  const v = a.value(name);
  const number = v.kind === 'axis' ? sizeOf(v, a.span) : v;
  if (number.kind !== 'number' || !Number.isInteger(number.value) || number.value < 0) fail(messages.wrongArgument(name, 'a whole number that is not negative', describe(v), a.expr(name).span));
  return number.value;
}

/** `mulmod(a, b, modulus: m)`: (a * b) mod m, exactly, for whole numbers b and m that are known; m at most 2^30. */
function mulmod(a: BuiltinArguments): Value {
  const { frame, span } = a;
  const x = requireTensor(frame, a.located('a'), 'the argument a');
  if (x.value.type.dtype !== 'i32') fail(messages.idsNotIntegers(x.value.type.dtype, a.expr('a').span));
  const m = wholeNumber(a, 'modulus');
  if (m < 2 || m > 2 ** 30) fail(messages.wrongArgument('modulus', 'at least 2 and at most 2^30', String(m), a.expr('modulus').span));
  const step = (fn: ScalarFunction, p: Value, q: Value): Value => elementwise(frame, fn, [p, q], span);
  const reduced = (v: Value): Value => step('mod', v, integer(m));
  // Digits of b in a base that keeps every product of a remainder and a digit below 2^31; Horner's rule from the top.
  const base = 2 ** (31 - Math.ceil(Math.log2(m)));
  const digits: number[] = [];
  for (let rest = wholeNumber(a, 'b') % m; rest > 0; rest = Math.floor(rest / base)) digits.unshift(rest % base);
  const value = reduced(x);
  const term = (digit: number): Value => reduced(step('multiply', value, integer(digit)));
  const [first, ...others] = digits.length === 0 ? [0] : digits;
  return others.reduce<Value>((sum, digit) => reduced(step('add', reduced(step('multiply', sum, integer(base))), term(digit))), term(first)) as TensorValue;
}

export const wholeNumberBuiltins: Readonly<Record<string, Builtin>> = { mulmod: { parameters: ['a', 'b', 'modulus'], apply: mulmod } };
