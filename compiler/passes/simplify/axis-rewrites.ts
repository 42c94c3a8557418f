/** Rewrites among the ops that only rearrange axes: each undoes, joins or looks through what its operand did. */
import { findAxis, sameSize } from '../../ir/axes.js';
import type { GraphBuilder } from '../../ir/build.js';
import type { Node, OpName, Value } from '../../ir/graph.js';

type Op<K extends OpName> = Extract<Node, { op: K }>;

/** The node that made `value`, if it is an `op`. */
export function madeBy<K extends OpName>(op: K, value: Value, b: GraphBuilder): Op<K> | undefined {
  const node = b.producer(value);
  return node?.op === op ? (node as Op<K>) : undefined;
}

function renamed(x: Value, from: string, to: string, b: GraphBuilder): Value {
  return from === to ? x : b.rename(x, from, to);
}

function rewriteRename(node: Op<'rename'>, x: Value, b: GraphBuilder): Value | undefined {
  if (node.from === node.to) return x;
  const inner = madeBy('rename', x, b);
  if (inner?.to === node.from) return renamed(b.operandsOf(inner)[0], inner.from, node.to, b);
  const cut = madeBy('slice', x, b);
  return cut?.into === node.from ? b.slice(b.operandsOf(cut)[0], cut.axis, { ...rangeOf(cut), into: node.to }) : undefined;
}

interface Range { readonly start: number; readonly step: number; readonly size: number }

function rangeOf({ start, step, size }: Range): Range {
  return { start, step, size };
}

/** `range` of `axis` of x, on an axis `into`; x itself, renamed, where that is all of it. */
export function sliceOf(x: Value, axis: string, range: Range, into: string, b: GraphBuilder): Value {
  const whole = range.start === 0 && range.step === 1 && findAxis(x.type.axes, axis)!.size === range.size;
  return whole ? renamed(x, axis, into, b) : b.slice(x, axis, { ...rangeOf(range), into });
}

function rewriteSlice(node: Op<'slice'>, x: Value, b: GraphBuilder): Value | undefined {
  if (node.start === 0 && node.step === 1 && findAxis(x.type.axes, node.axis)!.size === node.size) return renamed(x, node.axis, node.into, b);
  const inner = madeBy('slice', x, b);
  if (inner?.into === node.axis) {
    const range = { start: inner.start + node.start * inner.step, step: inner.step * node.step, size: node.size };
    return sliceOf(b.operandsOf(inner)[0], inner.axis, range, node.into, b);
  }
  const rename = madeBy('rename', x, b);
  if (rename?.to === node.axis) return sliceOf(b.operandsOf(rename)[0], rename.from, node, node.into, b);
  return sliceOfPart(node, x, b);
}

/** A slice that lies within one part of a concat reads that part. */
function sliceOfPart(node: Op<'slice'>, x: Value, b: GraphBuilder): Value | undefined {
  const concat = madeBy('concat', x, b);
  if (concat?.into !== node.axis) return undefined;
  const [first, last] = [node.start, node.start + node.step * (node.size - 1)];
  let start = 0;
  for (const [i, part] of b.operandsOf(concat).entries()) {
    const { size } = findAxis(part.type.axes, concat.axes[i])!;
    if (typeof size !== 'number') return undefined;
    if (Math.min(first, last) >= start && Math.max(first, last) < start + size) return sliceOf(part, concat.axes[i], { ...rangeOf(node), start: node.start - start }, node.into, b);
    start += size;
  }
  return undefined;
}

function rewritePick(node: Op<'pick'>, x: Value, b: GraphBuilder): Value | undefined {
  const stack = madeBy('stack', x, b);
  if (stack?.into === node.axis) return b.operandsOf(stack)[node.at];
  const inner = madeBy('slice', x, b);
  return inner?.into === node.axis ? b.pick(b.operandsOf(inner)[0], inner.axis, inner.start + node.at * inner.step) : undefined;
}

interface Part { readonly value: Value; readonly axis: string }

function rewriteConcat(node: Op<'concat'>, operands: readonly Value[], b: GraphBuilder): Value | undefined {
  if (operands.length === 1) return renamed(operands[0], node.axes[0], node.into, b);
  const parts = operands.map((value, i): Part => ({ value, axis: node.axes[i] }));
  const joined = joinNeighbours(parts.flatMap((p) => flattened(p, b)), b);
  if (joined.length === parts.length) return undefined;
  return joined.length === 1 ? renamed(joined[0].value, joined[0].axis, node.into, b) : b.concat(joined, node.into);
}

function flattened(part: Part, b: GraphBuilder): readonly Part[] {
  const inner = madeBy('concat', part.value, b);
  if (inner?.into !== part.axis) return [part];
  return b.operandsOf(inner).map((value, i) => ({ value, axis: inner.axes[i] }));
}

/** Slices of one value that follow one another become one. */
function joinNeighbours(parts: readonly Part[], b: GraphBuilder): readonly Part[] {
  const out: Part[] = [];
  for (const part of parts) {
    const previous = out.at(-1);
    const both = previous && joined(previous, part, b);
    if (both) out[out.length - 1] = both;
    else out.push(part);
  }
  return out;
}

function joined(a: Part, c: Part, b: GraphBuilder): Part | undefined {
  const [left, right] = [madeBy('slice', a.value, b), madeBy('slice', c.value, b)];
  if (left === undefined || right === undefined || left.into !== a.axis || right.into !== c.axis) return undefined;
  const [x] = b.operandsOf(left);
  const fits = b.operandsOf(right)[0] === x && right.axis === left.axis && right.step === left.step && right.start === left.start + left.size * left.step;
  if (!fits) return undefined;
  const value = sliceOf(x, left.axis, { ...rangeOf(left), size: left.size + right.size }, left.into, b);
  return { value, axis: left.into };
}

function rewriteSplit(node: Op<'split'>, x: Value, b: GraphBuilder): Value | undefined {
  if (node.into.length === 1) return renamed(x, node.axis, node.into[0].name, b);
  const merge = madeBy('merge', x, b);
  if (merge?.into !== node.axis || merge.axes.length !== node.into.length) return undefined;
  const [origin] = b.operandsOf(merge);
  const same = merge.axes.every((name, i) => name === node.into[i].name && sameSize(findAxis(origin.type.axes, name)!.size, node.into[i].size));
  return same ? origin : undefined;
}

function rewriteMerge(node: Op<'merge'>, x: Value, b: GraphBuilder): Value | undefined {
  if (node.axes.length === 1) return renamed(x, node.axes[0], node.into, b);
  const split = madeBy('split', x, b);
  if (split === undefined || split.into.length !== node.axes.length || !split.into.every((a, i) => a.name === node.axes[i])) return undefined;
  return renamed(b.operandsOf(split)[0], split.axis, node.into, b);
}

/** A gather by one id that is always the same picks that place. */
function gatherOfOne(node: Op<'gather'>, x: Value, ids: Value, b: GraphBuilder): Value | undefined {
  const constant = madeBy('const', ids, b);
  if (constant === undefined || constant.perIteration !== undefined || ids.type.axes.length > 0) return undefined;
  const { size } = findAxis(x.type.axes, node.axis)!;
  const [at] = constant.data;
  return typeof size === 'number' && at >= 0 && at < size ? b.pick(x, node.axis, at) : undefined;
}

/** A simpler value for a node that rearranges axes, if there is one. */
export function rewriteAxes(node: Node, operands: readonly Value[], b: GraphBuilder): Value | undefined {
  const [x] = operands;
  switch (node.op) {
    case 'rename': return rewriteRename(node, x, b);
    case 'slice': return rewriteSlice(node, x, b);
    case 'pick': return rewritePick(node, x, b);
    case 'concat': return rewriteConcat(node, operands, b);
    case 'split': return rewriteSplit(node, x, b);
    case 'merge': return rewriteMerge(node, x, b);
    case 'gather': return gatherOfOne(node, x, operands[1], b);
    default: return undefined;
  }
}
