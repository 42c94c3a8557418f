/** Recognises keys and values that are linear maps of what a state holds, or parts of it as they are. */
import { hasAxis } from '../../ir/axes.js';
import type { GraphBuilder } from '../../ir/build.js';
import { isFloat } from '../../ir/dtype.js';
import type { Value } from '../../ir/graph.js';

/** A stretch of the inner axis of the scores' product. */
export type KeyPart =
  /** The state's own elements along `axis`. */
  | { readonly kind: 'view'; readonly view: Value; readonly axis: string; readonly size: number }
  /** weight @ view over `over`; `axis` (of the weight) is the inner axis. */
  | { readonly kind: 'map'; readonly view: Value; readonly weight: Value; readonly over: string; readonly axis: string; readonly size: number };

export interface ValueMap { readonly view: Value; readonly weight: Value; readonly over: string }

/** Whether `value` only selects and renames elements of a state's entries, leaving the entries' axis `keys` alone. */
function isView(value: Value, keys: string, b: GraphBuilder): boolean {
  const node = b.producer(value);
  switch (node?.op) {
    case 'state': case 'state_write': return true;
    case 'slice': return node.into !== keys && isView(b.operandsOf(node)[0], keys, b);
    case 'pick': return isView(b.operandsOf(node)[0], keys, b);
    case 'rename': return node.to !== keys && isView(b.operandsOf(node)[0], keys, b);
    case 'split': return node.into.every((a) => a.name !== keys) && isView(b.operandsOf(node)[0], keys, b);
    case 'merge': return node.into !== keys && isView(b.operandsOf(node)[0], keys, b);
    // A wider float holds the same numbers.
    case 'cast': return node.to === 'f32' && isFloat(b.operandsOf(node)[0].type.dtype) && isView(b.operandsOf(node)[0], keys, b);
    default: return false;
  }
}

/** Through what only renames the axis or rounds: moving the map moves the rounding. */
function lookThrough(value: Value, axis: string, b: GraphBuilder): { readonly value: Value; readonly axis: string } {
  const node = b.producer(value);
  if (node?.op === 'cast' && isFloat(node.to) && isFloat(b.operandsOf(node)[0].type.dtype)) return lookThrough(b.operandsOf(node)[0], axis, b);
  if (node?.op === 'rename' && node.to === axis) return lookThrough(b.operandsOf(node)[0], node.from, b);
  return { value, axis };
}

/** `value` as weight @ view over one axis, the weight having neither the keys nor anything per token. */
function linearMap(value: Value, keys: string, tokens: string, b: GraphBuilder): ValueMap | undefined {
  const node = b.producer(value);
  if (node?.op !== 'contract' || node.select !== undefined || node.over.length !== 1) return undefined;
  const [over] = node.over;
  const [first, second] = b.operandsOf(node);
  const [view, weight] = isView(first, keys, b) ? [first, second] : [second, first];
  const fits = isView(view, keys, b) && !hasAxis(weight.type.axes, keys) && !hasAxis(weight.type.axes, tokens) && [view, weight].every((x) => hasAxis(x.type.axes, over));
  return fits ? { view, weight, over } : undefined;
}

function keyPart(given: Value, givenAxis: string, keys: string, tokens: string, b: GraphBuilder): KeyPart | undefined {
  const size = given.type.axes.find((a) => a.name === givenAxis)!.size as number;
  if (isView(given, keys, b)) return { kind: 'view', view: given, axis: givenAxis, size };
  const { value, axis } = lookThrough(given, givenAxis, b);
  const map = linearMap(value, keys, tokens, b);
  if (map === undefined || !hasAxis(map.weight.type.axes, axis) || hasAxis(map.view.type.axes, axis)) return undefined;
  return { kind: 'map', ...map, axis, size };
}

/** k along its inner axis, part by part; undefined unless every part is a view or a map. */
export function keyParts(k: Value, inner: string, keys: string, tokens: string, b: GraphBuilder): readonly KeyPart[] | undefined {
  const whole = lookThrough(k, inner, b);
  const node = b.producer(whole.value);
  const concat = node?.op === 'concat' && node.into === whole.axis ? node : undefined;
  const parts = concat ? b.operandsOf(concat).map((p, i) => keyPart(p, concat.axes[i], keys, tokens, b)) : [keyPart(k, inner, keys, tokens, b)];
  return parts.every((p) => p !== undefined) ? parts : undefined;
}

export function valueMap(v: Value, keys: string, tokens: string, b: GraphBuilder): ValueMap | undefined {
  return linearMap(lookThrough(v, '', b).value, keys, tokens, b);
}
