/** Values that are known to equal an operand, or a simpler node on it. */
import type { GraphBuilder } from '../../ir/build.js';
import type { DType } from '../../ir/dtype.js';
import type { Node, Value } from '../../ir/graph.js';
import { rewriteAxes } from './axis-rewrites.js';

/** The one number that every element of a constant has, if `value` is such a constant. */
function constantNumber(value: Value, b: GraphBuilder): number | undefined {
  const node = b.producer(value);
  if (node?.op !== 'const') return undefined;
  const first = node.data[0];
  const all = [node.data, ...(node.perIteration ?? [])];
  return all.every((data) => data.every((x) => x === first)) ? first : undefined;
}

function simplifyMap(node: Extract<Node, { op: 'map' }>, operands: readonly Value[], b: GraphBuilder): Value | undefined {
  const [x, y, z] = operands;
  const is = (value: Value, number: number): boolean => constantNumber(value, b) === number;
  switch (node.fn) {
    case 'add': return is(y, 0) ? x : is(x, 0) ? y : undefined;
    case 'subtract': return is(y, 0) ? x : undefined;
    case 'multiply': return is(y, 1) ? x : is(x, 1) ? y : undefined;
    case 'divide': return is(y, 1) ? x : undefined;
    case 'power': return is(y, 1) ? x : undefined;
    case 'minimum': case 'maximum': case 'and': case 'or': return x === y ? x : undefined;
    case 'select': {
      const condition = constantNumber(x, b);
      return y === z ? y : condition === undefined ? undefined : condition !== 0 ? y : z;
    }
    case 'negate': case 'not': {
      const inner = b.producer(x);
      return inner?.op === 'map' && inner.fn === node.fn ? b.operandsOf(inner)[0] : undefined;
    }
    default: return undefined;
  }
}

/** Every value of `from` is one of `to`. */
function widens(from: DType, to: DType): boolean {
  if (from === to || from === 'bool') return true;
  return to === 'f32' && (from === 'bf16' || from === 'f16');
}

function simplifyCast(node: Extract<Node, { op: 'cast' }>, [x]: readonly Value[], b: GraphBuilder): Value | undefined {
  if (node.to === x.type.dtype) return x;
  const inner = b.producer(x);
  if (inner?.op !== 'cast') return undefined;
  const [origin] = b.operandsOf(inner);
  if (!widens(origin.type.dtype, x.type.dtype)) return undefined;
  return origin.type.dtype === node.to ? origin : b.cast(origin, node.to);
}

/**
 * A value equal to result 0 of `node`, or undefined. The caller checks that its type is the node's: an operand with
 * fewer axes, or its axes in another order, does not qualify.
 */
export function simplifyNode(node: Node, operands: readonly Value[], b: GraphBuilder): Value | undefined {
  switch (node.op) {
    case 'map': return simplifyMap(node, operands, b);
    case 'cast': return simplifyCast(node, operands, b);
    default: return rewriteAxes(node, operands, b);
  }
}
