/**
 * Moves linear maps of cached entries c off the keys, to the query, and off the values, to the output:
 *
 *   attend(q = [qn | qr], k = [wk @ c | r], v = wv @ c)
 *   =>  wv @ attend([transpose(wk) @ qn | qr], k = [c | r], v = c)
 *
 * so that nothing is computed per cached entry. Which form is cheaper depends on how many queries meet how many
 * entries; it is decided by cost, per attend. Results change by rounding only. Best followed by `simplify`, which finds
 * that [c | r] is the entry itself.
 */
import { findAxis, hasAxis, withoutAxes } from '../ir/axes.js';
import type { GraphBuilder } from '../ir/build.js';
import { evaluateDim } from '../ir/dim.js';
import type { Axis, Module, Node, Value } from '../ir/graph.js';
import { attendOperands, tokenAxis } from '../ir/ops-state.js';
import { rebuildModule } from '../ir/rebuild.js';
import { keyParts, valueMap, type KeyPart, type ValueMap } from './reassociate/linear-maps.js';

export interface ReassociateOptions {
  /** Queries of a launch, and entries that each of them sees. */
  readonly tokens: number;
  readonly context: number;
  /** Floating-point operations that cost as much as moving one byte. */
  readonly operationsPerByte?: number;
  /** Instead of deciding by cost. */
  readonly force?: 'move' | 'keep';
}

type Attend = Extract<Node, { op: 'attend' }>;

export function reassociate(module: Module, options: ReassociateOptions): Module {
  if (options.force === 'keep') return module;
  return rebuildModule(module, () => (node, operands, b) => {
    if (node.op !== 'attend' || node.keys.length !== 1 || node.over.length !== 1) return undefined;
    const candidate = findMaps(node, operands, b);
    if (candidate === undefined) return undefined;
    return options.force === 'move' || isCheaper(node, operands, candidate, options) ? moveMaps(node, operands, candidate, b) : undefined;
  });
}

interface Candidate { readonly keys?: readonly KeyPart[]; readonly value?: ValueMap }

/** The maps that can move, if any. */
function findMaps(node: Attend, operands: readonly Value[], b: GraphBuilder): Candidate | undefined {
  const { q, position, sources: [{ k, v }] } = attendOperands(node, operands);
  const tokens = tokenAxis(position.type, 'reassociate').name;
  const [inner, keys] = [node.over[0], node.keys[0]];
  const scores = withoutAxes([...q.type.axes, ...k.type.axes], [inner, keys]);
  const parts = keyParts(k, inner, keys, tokens, b);
  const free = parts?.every((p) => [p.axis, ...(p.kind === 'map' ? [p.over] : [])].every((name) => name === inner || !hasAxis(scores, name)));
  const value = valueMap(v, keys, tokens, b);
  const movesKeys = free && parts!.some((p) => p.kind === 'map');
  const movesValue = value !== undefined && !hasAxis(scores, value.over);
  if (!movesKeys && !movesValue) return undefined;
  return { ...(movesKeys ? { keys: parts } : {}), ...(movesValue ? { value } : {}) };
}

function fixedVolume(axes: readonly Axis[]): number {
  return axes.reduce((n, a) => n * (typeof a.size === 'number' ? a.size : 1), 1);
}

/** Operations of one attend both ways; keys and values that are computed are also written and read once, as f32. */
function isCheaper(node: Attend, operands: readonly Value[], candidate: Candidate, options: ReassociateOptions): boolean {
  const { tokens, context, operationsPerByte = 16 } = options;
  const { q, sources: [{ k, v }] } = attendOperands(node, operands);
  const inner = evaluateDim(findAxis(q.type.axes, node.over[0])!.size, {});
  const heads = fixedVolume(withoutAxes(node.results[0].type.axes, valueAxes(v, q, k, node)));
  const own = fixedVolume(v.type.axes.filter((a) => valueAxes(v, q, k, node).includes(a.name)));
  const weights = [...(candidate.keys ?? []).flatMap((p) => (p.kind === 'map' ? [p.weight] : [])), ...(candidate.value ? [candidate.value.weight] : [])];
  const perEntry = weights.reduce((n, w) => n + fixedVolume(w.type.axes), 0);
  const stored = (candidate.keys ? fixedVolume(k.type.axes) : 0) + (candidate.value ? fixedVolume(v.type.axes) : 0);
  const moved = {
    inner: candidate.keys ? candidate.keys.reduce((n, p) => n + (p.kind === 'map' ? overSize(p) : p.size), 0) : inner,
    own: candidate.value ? overSize(candidate.value) : own,
  };
  const keep = 2 * context * perEntry + 8 * context * stored * operationsPerByte + 2 * tokens * heads * context * (inner + own);
  const move = 2 * tokens * perEntry + 2 * tokens * heads * context * (moved.inner + moved.own);
  return move < keep;
}

function overSize(map: { readonly view: Value; readonly over: string }): number {
  return evaluateDim(findAxis(map.view.type.axes, map.over)!.size, {});
}

/** Axes of v that are neither keys nor axes of the scores. */
function valueAxes(v: Value, q: Value, k: Value, node: Attend): readonly string[] {
  const scores = withoutAxes([...q.type.axes, ...k.type.axes], node.over);
  return v.type.axes.filter((a) => a.name !== node.keys[0] && !hasAxis(scores, a.name)).map((a) => a.name);
}

function moveMaps(node: Attend, operands: readonly Value[], { keys, value }: Candidate, b: GraphBuilder): readonly Value[] {
  const { q, position, sequence, blocks, sources: [{ k, v, picks }], extras } = attendOperands(node, operands);
  const [inner] = node.over;
  const newQuery = keys ? joined(keys.map((_, i) => queryPart(q, inner, keys, i, b)), inner, b) : q;
  const newKeys = keys ? joined(keys.map((p) => ({ value: p.view, axis: p.kind === 'map' ? p.over : p.axis })), inner, b) : k;
  const results = b.emit(attributesOf(node), [newQuery, position, sequence, blocks, newKeys, value?.view ?? v, ...(picks === undefined ? [] : [picks]), ...extras]);
  return value ? [b.contract(results[0], value.weight, [value.over]), ...results.slice(1)] : results;
}

function attributesOf({ op, over, keys, score, mask, causal, window, sink, block, exports, sources }: Attend): Parameters<GraphBuilder['emit']>[0] {
  return { op, over, keys, score, mask, causal, window, sink, block, exports, ...(sources === undefined ? {} : { sources }) };
}

interface Part { readonly value: Value; readonly axis: string }

/** The stretch of q that meets part `index`, with the part's map applied from the other side. */
function queryPart(q: Value, inner: string, parts: readonly KeyPart[], index: number, b: GraphBuilder): Part {
  const part = parts[index];
  const start = parts.slice(0, index).reduce((n, p) => n + p.size, 0);
  const own = b.slice(q, inner, { start, size: part.size, into: part.axis });
  if (part.kind === 'view') return { value: own, axis: part.axis };
  const mapped = b.contract(own, part.weight, [part.axis]);
  return { value: q.type.dtype === 'f32' ? mapped : b.cast(mapped, q.type.dtype), axis: part.over };
}

/** Parts side by side on the axis `inner`, widened to one dtype if they differ. */
function joined(parts: readonly Part[], inner: string, b: GraphBuilder): Value {
  const mixed = parts.some((p) => p.value.type.dtype !== parts[0].value.type.dtype);
  return b.concat(mixed ? parts.map((p) => ({ ...p, value: b.cast(p.value, 'f32') })) : parts, inner);
}
