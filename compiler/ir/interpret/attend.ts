/**
 * Attention as the Graph defines it: per query, the keys of its sequence are found through the block table, scored,
 * masked, and their values averaged by softmax. Everything in f64, each result rounded once.
 */
import { compileExpr, type CompiledExpr } from '../evaluate-expr.js';
import type { Expr } from '../expr.js';
import type { Operation } from '../graph.js';
import { attendOperands, entryStride } from '../ops-state.js';
import { offsetsOf, strideOf, stridesOf, visit, type Extent, type Tensor } from './tensor.js';

type Attend = Extract<Operation, { op: 'attend' }>;

/** Cache entries of a sequence by key position: 0 .. newest position of this launch. */
function keySlots(op: { readonly block: number }, position: Tensor, sequence: Tensor, blocks: Tensor): Map<number, Int32Array> {
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

/** Entries of a source for one query, as their numbers; entry g stands for positions up to (g + 1) * every - 1. */
interface Rule { readonly fixed?: number; readonly every: number; readonly window: number; readonly mask?: CompiledExpr; readonly picks?: { readonly values: Tensor; readonly step: number; readonly count: number } }

interface Source {
  readonly rule: Rule;
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

interface SourceOperands { readonly k: Tensor; readonly v: Tensor; readonly picks?: Tensor }

function ruleOf(op: Attend, i: number, { k, picks }: SourceOperands, compile: (e: Expr) => CompiledExpr): Rule {
  const { every = 1, window = Infinity, mask, fixed, picks: on } = op.sources?.[i] ?? {};
  const sizeOf = (t: Tensor, axis: string): number => t.axes.find((a) => a.name === axis)!.size;
  return {
    every, window: Math.min(window, op.window ?? Infinity),
    ...(fixed ? { fixed: sizeOf(k, op.keys[i]) } : {}), ...(mask === undefined ? {} : { mask: compile(mask) }),
    ...(picks === undefined ? {} : { picks: { values: picks, step: strideOf(picks, on!), count: sizeOf(picks, on!) } }),
  };
}

/** `scores`: the axes of the scores without keys. */
function makeSource(op: Attend, i: number, scores: readonly Extent[], over: readonly Extent[], own: readonly Extent[], operands: SourceOperands, extras: readonly Tensor[], compile: (e: Expr) => CompiledExpr): Source {
  const keys = op.keys[i];
  const { k, v } = operands;
  return {
    rule: ruleOf(op, i, operands, compile), k, v, kSlot: strideOf(k, keys), vSlot: strideOf(v, keys), inner: offsetsOf(over, stridesOf(k, over)), own: offsetsOf(own, stridesOf(v, own)),
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
    sources: sources.map((s, i) => makeSource(op, i, scores, over, own, s, extras, (e) => compileExpr(e, dtypes, rounding))),
    innerQ: offsetsOf(over, stridesOf(q, over)),
    score: compileExpr(op.score, dtypes, rounding), mask: compileExpr(op.mask, dtypes, rounding), maskReadsScore: usesArgument(op.mask, 0),
  };
  exports?.data.fill(-Infinity);
  const ownTo = offsetsOf(own, stridesOf(out, own));
  const tokens = { ...position, data: Int32Array.from(position.data, (_, t) => t) };
  const rows = [out, q, tokens, ...extras, ...(exports ? [exports] : [])].map((t) => stridesOf(t, scores));
  const pickRows = setup.sources.map((s) => (s.rule.picks === undefined ? scores.map(() => 0) : stridesOf(s.rule.picks.values, scores)));
  visit(scores, [...rows, ...setup.sources.flatMap((s, n) => [s.kRow, s.vRow, pickRows[n]])], (starts, count, steps) => {
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
    const base = sourceAt[3 * s.source + 1] + s.slot * vSlot;
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
  const args = new Float64Array(3 + extras.length);
  const scored: Scored[] = [];
  setup.sources.forEach((source, n) => {
    for (const [slot, key] of entriesOf(source.rule, op, slots, query, end, sourceAt[3 * n + 2])) {
      args[1] = query;
      args[2] = key;
      for (let e = 0; e < extras.length; e++) args[3 + e] = extras[e].data[extrasAt[e] + slot * source.extraSlot[e]];
      if (!setup.maskReadsScore && setup.mask(args) === 0) continue;
      if (source.rule.mask?.(args) === 0) continue;
      args[0] = dot(setup.q, qAt, innerQ, source.k, sourceAt[3 * n] + slot * source.kSlot, source.inner);
      if (setup.maskReadsScore && setup.mask(args) === 0) continue;
      scored.push({ source: n, slot, score: setup.score(args) });
    }
  });
  return scored;
}

/** Where the entries that a query may see lie, and their key positions. */
function* entriesOf(rule: Rule, op: Attend, slots: Int32Array, query: number, end: number, picksAt: number): Generator<readonly [slot: number, key: number]> {
  for (let i = 0; i < (rule.fixed ?? 0); i++) yield [i, -1];
  if (rule.fixed !== undefined) return;
  const stride = entryStride(rule.every, op.block);
  for (const key of positionsOf(rule, query, end, picksAt)) yield [Math.floor(slots[key] / stride), key];
}

/** Key positions of the entries that a query may see: below `end`, inside the window, among its picks. */
function* positionsOf(rule: Rule, query: number, end: number, picksAt: number): Generator<number> {
  const { every, picks } = rule;
  if (picks === undefined) {
    const first = Math.max(0, Math.ceil((query - rule.window + 2) / every) - 1);
    for (let at = (first + 1) * every - 1; at < end; at += every) yield at;
    return;
  }
  for (let i = 0; i < picks.count; i++) {
    const at = (picks.values.data[picksAt + i * picks.step] + 1) * every - 1;
    if (at >= 0 && at < end) yield at;
  }
}

/** Numbers of the entries with the k largest scores, increasing, then -1. Scores are compared as f32. */
export function selectKeys(op: Extract<Operation, { op: 'select_keys' }>, operands: readonly Tensor[], out: Tensor): void {
  const [scores, position, sequence, blocks, ...extras] = operands;
  const every = op.every ?? 1;
  const slots = keySlots(op, position, sequence, blocks);
  const rows = out.axes.filter((a) => a.name !== op.into);
  const tokens = { ...position, data: Int32Array.from(position.data, (_, t) => t) };
  const dtypes = ['f32', 'i32', 'i32', ...extras.map((e) => e.dtype)] as const;
  const mask = compileExpr(op.mask, dtypes, { exact: true });
  const step = strideOf(scores, op.keys);
  const extraSteps = extras.map((e) => strideOf(e, op.keys));
  const place = strideOf(out, op.into);
  out.data.fill(-1);
  visit(rows, [out, scores, tokens, ...extras].map((t) => stridesOf(t, rows)), (starts, count, steps) => {
    for (let i = 0; i < count; i++) {
      const [outAt, scoreAt, token, ...extraAt] = starts.map((s, n) => s + i * steps[n]);
      const query = position.data[token];
      const own = slots.get(sequence.data[token])!;
      const found: { number: number; score: number }[] = [];
      for (let number = 0; (number + 1) * every - 1 <= query; number++) {
        const at = (number + 1) * every - 1;
        const slot = Math.floor(own[at] / entryStride(every, op.block));
        const score = scores.data[scoreAt + slot * step];
        if (mask([score, query, at, ...extras.map((e, n) => e.data[extraAt[n] + slot * extraSteps[n]])]) !== 0) found.push({ number, score: Math.fround(score) });
      }
      found.sort((a, b) => b.score - a.score || a.number - b.number);
      found.slice(0, op.k).map((f) => f.number).sort((a, b) => a - b).forEach((number, n) => { out.data[outAt + n * place] = number; });
    }
  });
}

function dot(a: Tensor, aAt: number, aInner: Int32Array, b: Tensor, bAt: number, bInner: Int32Array): number {
  let total = 0;
  for (let i = 0; i < aInner.length; i++) total += a.data[aAt + aInner[i]] * b.data[bAt + bInner[i]];
  return total;
}
