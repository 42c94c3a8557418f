/**
 * Attention as the Graph defines it: per query, the keys of its sequence are found through the block table, scored,
 * masked, and their values averaged by softmax. Everything in f64, each result rounded once.
 */
import { compileExpr, type CompiledExpr } from '../evaluate-expr.js';
import type { Expr } from '../expr.js';
import type { Operation } from '../graph.js';
import { attendOperands } from '../ops-state.js';
import { offsetsOf, strideOf, stridesOf, visit, type Extent, type Tensor } from './tensor.js';

type Attend = Extract<Operation, { op: 'attend' }>;

/** Cache entries of a sequence by key position: 0 .. newest position of this launch. */
function keySlots(op: Attend, position: Tensor, sequence: Tensor, blocks: Tensor): Map<number, Int32Array> {
  const lengths = new Map<number, number>();
  for (let t = 0; t < position.data.length; t++) {
    const s = sequence.data[t];
    lengths.set(s, Math.max(lengths.get(s) ?? 0, position.data[t] + 1));
  }
  const perSequence = blocks.axes[1].size;
  return new Map([...lengths].map(([s, length]) => [s, Int32Array.from({ length }, (_, j) => blocks.data[s * perSequence + Math.floor(j / op.block)] * op.block + (j % op.block))]));
}

function usesArgument(e: Expr, index: number): boolean {
  switch (e.kind) {
    case 'arg': return e.index === index;
    case 'number': return false;
    case 'cast': return usesArgument(e.value, index);
    case 'call': return e.args.some((a) => usesArgument(a, index));
  }
}

interface Source {
  readonly k: Tensor; readonly v: Tensor;
  readonly kSlot: number; readonly vSlot: number;
  /** Offsets per inner index of the product q . k, and per element of the value. */
  readonly inner: Int32Array; readonly own: Int32Array;
  readonly kRow: readonly number[]; readonly vRow: readonly number[];
  readonly extraSlot: readonly number[];
}

interface Setup {
  readonly op: Attend;
  readonly q: Tensor; readonly position: Tensor; readonly sequence: Tensor; readonly extras: readonly Tensor[];
  readonly slots: ReadonlyMap<number, Int32Array>;
  readonly sources: readonly Source[];
  readonly innerQ: Int32Array;
  readonly score: CompiledExpr; readonly mask: CompiledExpr; readonly maskReadsScore: boolean;
}

interface Scored { readonly source: number; readonly slot: number; score: number }

/** `scores`: the axes of the scores without keys. */
function makeSource(op: Attend, i: number, scores: readonly Extent[], over: readonly Extent[], own: readonly Extent[], k: Tensor, v: Tensor, extras: readonly Tensor[]): Source {
  const keys = op.keys[i];
  return {
    k, v, kSlot: strideOf(k, keys), vSlot: strideOf(v, keys), inner: offsetsOf(over, stridesOf(k, over)), own: offsetsOf(own, stridesOf(v, own)),
    kRow: stridesOf(k, scores), vRow: stridesOf(v, scores), extraSlot: extras.map((e) => strideOf(e, keys)),
  };
}

/** `exports` is result 1, if asked for. Both results come zero-filled. */
export function attend(op: Attend, operands: readonly Tensor[], out: Tensor, exports: Tensor | undefined): void {
  const { q, position, sequence, blocks, sources, extras } = attendOperands(op, operands);
  const over = op.over.map((name) => q.axes.find((a) => a.name === name)!);
  const isScore = (a: Extent): boolean => !op.over.includes(a.name) && [q, sources[0].k].some((t) => t.axes.some((b) => b.name === a.name));
  const scores = out.axes.filter(isScore);
  const own = out.axes.filter((a) => !isScore(a));
  const dtypes = ['f32', 'i32', 'i32', ...extras.map((e) => e.dtype)] as const;
  const rounding = { exact: true };
  const setup: Setup = {
    op, q, position, sequence, extras, slots: keySlots(op, position, sequence, blocks),
    sources: sources.map(({ k, v }, i) => makeSource(op, i, scores, over, own, k, v, extras)),
    innerQ: offsetsOf(over, stridesOf(q, over)),
    score: compileExpr(op.score, dtypes, rounding), mask: compileExpr(op.mask, dtypes, rounding), maskReadsScore: usesArgument(op.mask, 0),
  };
  exports?.data.fill(-Infinity);
  const ownTo = offsetsOf(own, stridesOf(out, own));
  const tokens = { ...position, data: Int32Array.from(position.data, (_, t) => t) };
  const rows = [out, q, tokens, ...extras, ...(exports ? [exports] : [])].map((t) => stridesOf(t, scores));
  visit(scores, [...rows, ...setup.sources.flatMap((s) => [s.kRow, s.vRow])], (starts, count, steps) => {
    for (let i = 0; i < count; i++) {
      const at = starts.map((s, n) => s + i * steps[n]);
      const sourceAt = at.slice(rows.length);
      const maximum = attendRow(setup, at[1], at[2], at.slice(3, 3 + extras.length), sourceAt, out, at[0], ownTo);
      if (exports) { const e = at[3 + extras.length]; exports.data[e] = Math.max(exports.data[e], maximum); }
    }
  });
}

/** One query, one head. Returns the largest score. */
function attendRow(setup: Setup, qAt: number, token: number, extrasAt: readonly number[], sourceAt: readonly number[], out: Tensor, outAt: number, ownTo: Int32Array): number {
  const scored = scoreKeys(setup, qAt, token, extrasAt, sourceAt);
  let largest = -Infinity;
  for (const s of scored) largest = Math.max(largest, s.score);
  if (scored.length === 0) return largest;
  const { sink } = setup.op;
  const sinkScore = sink === undefined ? -Infinity : setup.extras[sink].data[extrasAt[sink]];
  const shift = Math.max(largest, sinkScore);
  let total = sink === undefined ? 0 : Math.exp(sinkScore - shift);
  for (const s of scored) total += s.score = Math.exp(s.score - shift);
  const sums = new Float64Array(ownTo.length);
  for (const s of scored) {
    const { v, vSlot, own } = setup.sources[s.source];
    const base = sourceAt[2 * s.source + 1] + s.slot * vSlot;
    for (let j = 0; j < own.length; j++) sums[j] += s.score * v.data[base + own[j]];
  }
  for (let j = 0; j < sums.length; j++) out.data[outAt + ownTo[j]] = sums[j] / total;
  return largest;
}

function scoreKeys(setup: Setup, qAt: number, token: number, extrasAt: readonly number[], sourceAt: readonly number[]): Scored[] {
  const { op, extras, innerQ } = setup;
  const query = setup.position.data[token];
  const slots = setup.slots.get(setup.sequence.data[token])!;
  const end = op.causal ? Math.min(slots.length, query + 1) : slots.length;
  const start = op.window === undefined ? 0 : Math.max(0, query - op.window + 1);
  const args = new Float64Array(3 + extras.length);
  const scored: Scored[] = [];
  setup.sources.forEach((source, n) => {
    for (let key = start; key < end; key++) {
      const slot = slots[key];
      args[1] = query;
      args[2] = key;
      for (let e = 0; e < extras.length; e++) args[3 + e] = extras[e].data[extrasAt[e] + slot * source.extraSlot[e]];
      if (!setup.maskReadsScore && setup.mask(args) === 0) continue;
      args[0] = dot(setup.q, qAt, innerQ, source.k, sourceAt[2 * n] + slot * source.kSlot, source.inner);
      if (setup.maskReadsScore && setup.mask(args) === 0) continue;
      scored.push({ source: n, slot, score: setup.score(args) });
    }
  });
  return scored;
}

function dot(a: Tensor, aAt: number, aInner: Int32Array, b: Tensor, bAt: number, bInner: Int32Array): number {
  let total = 0;
  for (let i = 0; i < aInner.length; i++) total += a.data[aAt + aInner[i]] * b.data[bAt + bInner[i]];
  return total;
}
