/**
 * A recurrence: one program per sequence (and per place of axes that the body never mixes) walks its tokens in order with
 * the carried values in tiles. The chunk body, if the schedule wants it, takes several tokens per step.
 */
import type { Node, ValueId } from '../../ir/graph.js';
import type { Index, Scalar, Tile } from '../../ir/kernel.js';
import { scanOperands } from '../../ir/ops-bodies.js';
import { range } from '../build.js';
import { element, lessThan, minus, plus } from '../scalar.js';
import { emit, nameOf } from './emit.js';
import { dimScalar, type Level, type Lowering } from './lowering.js';
import { complete, withIndex, type Region } from './region.js';
import { spread } from './emit-axes.js';
import { parallelAxes } from './scan-axes.js';

type ScanNode = Extract<Node, { op: 'scan' }>;

export function writeScan(l: Lowering, node: ScanNode, scan: { readonly body: Level; readonly chunked: boolean; readonly narrow: boolean; readonly initial: readonly number[] }): void {
  const b = l.builder;
  if (node.fresh !== undefined) throw new Error(`lowering '${b.name}': a scan without states has no kernel`);
  const { xs, carries, captured, position, starts } = scanOperands(node, node.operands);
  const tokens = l.type(position).axes[0].name;
  const row = b.gridAxis('sequence', minus(dimScalar(l.type(starts).axes[0].size), 1));
  const parallel = parallelAxes(node, scan.body.index, carries.map((c) => l.type(c).axes.slice(1)), scan.narrow);
  const fixed: Region = new Map<string, Index>(parallel.map((a) => [a.name, { kind: 'point', at: b.gridAxis(a.name.replace(/\W+/g, '_'), a.size as number) }]));
  const view = l.viewOf(l.level.stored.get(starts)!, 'read', 'starts');
  const [first, end] = [b.let_('first', element(view, row)), b.let_('end', element(view, plus(row, 1)))];
  b.if_(lessThan(first, end), () => {
    const fresh = b.equal(b.scalar(element(l.viewOf(l.level.stored.get(position)!, 'read', 'position'), first)), 0);
    const states = carries.map((c, i) => ({ value: c, view: l.viewOf(l.level.stored.get(c)!, 'readwrite', `carry_${i}`), at: stateIndex(l, c, row, fixed) }));
    const initial = states.map((s, i) => {
      const kept = b.load(s.view, s.at);
      return b.cast('f32', b.select(fresh, scan.initial[i], kept));
    });
    const step = scan.chunked ? node.chunk!.size : 1;
    const finals = b.loop('token', first, end, step, initial, (t, carried) => l.scoped(() => {
      const at: Index = scan.chunked ? range(node.chunk!.axis, t, step, end) : { kind: 'point', at: t };
      return walkBody(l, node, scan, { xs, captured, carried, tokens, at, fixed });
    }));
    states.forEach((s, i) => b.store(s.view, s.at, b.cast(l.type(s.value).dtype, spread(l, finals[i], initial[i].shape))));
  });
}

/** One step: binds the body's inputs, stores what it emits, returns the next carries. */
function walkBody(
  l: Lowering, node: ScanNode, scan: { readonly body: Level },
  x: { xs: readonly ValueId[]; captured: readonly ValueId[]; carried: readonly Tile[]; tokens: string; at: Index; fixed: Region },
): Tile[] {
  const b = l.builder;
  const inner = l.inside(scan.body);
  const { inputs, outputs } = scan.body.index.graph;
  inputs.forEach(({ value }, i) => {
    if (i < x.xs.length) inner.bound.set(value.id, (region) => emit(l, x.xs[i], withIndex(region, x.tokens, tokensOf(l, x.at, region))));
    else if (i < x.xs.length + x.carried.length) inner.bound.set(value.id, () => x.carried[i - x.xs.length]);
    else inner.bound.set(value.id, (region) => emit(l, x.captured[i - x.xs.length - x.carried.length], region));
  });
  outputs.slice(0, node.emits).forEach((output, i) => {
    const stored = l.level.stored.get(node.results[i].id)!;
    const region = complete(x.at.kind === 'range' ? withIndex(x.fixed, x.at.axis, range(x.at.axis, 0, x.at.size)) : x.fixed, inner.type(output.value));
    const out = l.viewOf(stored, 'write', nameOf(l, node.results[i].id, undefined));
    const target = new Map<string, Index>([...region, [x.tokens, x.at]]);
    const at = out.axes.map((a) => target.get(a.name)!);
    const shape = l.shapeOver({ dtype: 'f32', axes: out.axes.map((a) => ({ name: a.name, size: 0 })) }, target);
    b.store(out, at, spread(l, emit(inner, output.value, region), shape));
  });
  return outputs.slice(node.emits).map((output) => b.cast('f32', emit(inner, output.value, complete(x.fixed, inner.type(output.value)))));
}

/** The tokens that a region of the body means: the step's own, or those of a place or stretch of its chunk. */
function tokensOf(l: Lowering, step: Index, region: Region): Index {
  if (step.kind !== 'range') return step;
  const part = region.get(step.axis);
  if (part?.kind === 'point') {
    // A row past the sequence's end belongs to the next sequence; it must read as padding.
    const at = l.builder.scalar(plus(step.start, part.at));
    return l.tileIndex(l.builder.select(l.builder.less(at, l.builder.scalar(step.limit!)), at, -1));
  }
  if (part?.kind !== 'range') throw new Error('lowering a scan: a chunk is read whole, in stretches or at one place');
  return { ...part, start: plus(step.start, part.start), limit: step.limit };
}

function stateIndex(l: Lowering, value: ValueId, row: Scalar, fixed: Region): Index[] {
  const [, ...entry] = l.type(value).axes;
  return [{ kind: 'point', at: row }, ...entry.map((a) => fixed.get(a.name) ?? range(a.name, 0, a.size as number))];
}
