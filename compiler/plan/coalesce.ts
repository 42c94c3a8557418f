/**
 * Which tensors of one entry share a place. A carried value has up to four names (`initial` before the repeat, `inside`
 * and `next` in an iteration, `out` after it); where their lives do not meet they get one place and nothing moves,
 * otherwise a copy is planned:
 *
 *   x1 = x + attn(x); x2 = x1 + ffn(x1)    x is dead when x2 is written: one place for x, x2 and the final value
 *   x2 = x + f(x)                          x is read by the launch that writes x2: two places, one copy per iteration
 */
import type { EntryLaunches, TensorIndex } from './launches.js';
import type { Interval, Loop, RepeatStep, Timeline } from './timeline.js';

/** A copy, and why: its `role` decides under which names the repeat knows source and target (see `moveLabels`). */
export interface Move { readonly from: TensorIndex; readonly to: TensorIndex; readonly role: 'initial' | 'next' | 'part' | 'out' | 'spare' }
export interface RepeatMoves {
  readonly enter: Move[];
  readonly first: Move[];
  readonly last: Move[];
  readonly leave: Move[];
  /** Stacked values written straight into their stretch of the result. */
  readonly direct: { readonly inside: TensorIndex; readonly out: TensorIndex }[];
}
export interface Places {
  /** Tensor -> representative of those that share its place. */
  readonly root: (tensor: TensorIndex) => TensorIndex;
  readonly members: (root: TensorIndex) => readonly TensorIndex[];
  /** When the place of `root` holds something that is still wanted. */
  readonly intervals: (root: TensorIndex) => readonly Interval[];
  readonly moves: ReadonlyMap<RepeatStep, RepeatMoves>;
  /** Tensor -> the stacked tensor whose stretch of the iteration it is. */
  readonly stretchOf: ReadonlyMap<TensorIndex, { readonly out: TensorIndex; readonly loop: Loop }>;
}

/** `spare` adds one more value of the type of a tensor to the entry. */
export function coalesce(entry: EntryLaunches, time: Timeline, bytesOf: (tensor: TensorIndex) => number, spare: (like: TensorIndex) => TensorIndex): Places {
  const classes = new Classes(entry, time, bytesOf, spare);
  const moves = new Map<RepeatStep, RepeatMoves>();
  const stretchOf = new Map<TensorIndex, { out: TensorIndex; loop: Loop }>();
  const inwardFirst = [...time.loops.values()].sort((a, b) => b.begin - a.begin);
  for (const loop of inwardFirst) {
    const own: RepeatMoves = { enter: [], first: [], last: [], leave: [], direct: [] };
    moves.set(loop.step, own);
    placeStacked(entry, time, loop, own, stretchOf);
  }
  for (const tensor of stretchOf.keys()) classes.pin(tensor);
  for (const loop of inwardFirst) placeNext(classes, loop, moves.get(loop.step)!);
  for (const loop of inwardFirst) placeEnds(classes, loop, moves.get(loop.step)!);
  return { root: (t) => classes.root(t), members: (t) => classes.members(t), intervals: (t) => classes.inUse(t), moves, stretchOf };
}

function placeStacked(entry: EntryLaunches, time: Timeline, loop: Loop, own: RepeatMoves, stretchOf: Map<TensorIndex, { out: TensorIndex; loop: Loop }>): void {
  for (const s of loop.step.stacked) {
    const life = time.lives.get(s.inside)!;
    const carried = loop.step.carries.some((c) => c.inside === s.inside || c.next === s.inside);
    const here = life.loops[life.loops.length - 1] === loop;
    const move: Move = { from: s.inside, to: s.out, role: 'part' };
    if (entry.tensors[s.inside].kind === 'value' && here && !carried && !stretchOf.has(s.inside)) {
      stretchOf.set(s.inside, { out: s.out, loop });
      own.direct.push(s);
    } else if (life.intervals[0].from <= loop.begin + 1) own.first.push(move);
    else own.last.push(move);
  }
}

/** One place for `inside` and `next`, or a copy at the end of each iteration. */
function placeNext(classes: Classes, loop: Loop, own: RepeatMoves): void {
  const pending: Move[] = [];
  for (const c of loop.step.carries) {
    if (c.next === c.inside || classes.unite(c.inside, c.next)) continue;
    classes.occupy(c.inside, { from: loop.end, to: loop.end });
    pending.push({ from: c.next, to: c.inside, role: 'next' });
  }
  own.last.push(...inOrder(classes, pending, loop.end));
}

/** Simultaneous moves one after another: each source is read before its place is written. Cycles go through a spare place. */
function inOrder(classes: Classes, moves: readonly Move[], position: number): Move[] {
  let pending = [...moves];
  const done: Move[] = [];
  const readers = (m: Move): Move[] => pending.filter((o) => o !== m && classes.root(o.from) === classes.root(m.to));
  while (pending.length > 0) {
    const free = pending.find((m) => readers(m).length === 0);
    if (free) {
      done.push(free);
      pending = pending.filter((m) => m !== free);
      continue;
    }
    const { from } = readers(pending[0])[0];
    const to = classes.spare(from, position);
    done.push({ from, to, role: 'spare' });
    pending = pending.map((m) => (m.from === from ? { ...m, from: to } : m));
  }
  return done;
}

/** One place for `inside`, `out` and `initial`, or copies before and after the repeat. */
function placeEnds(classes: Classes, loop: Loop, own: RepeatMoves): void {
  const enter: Move[] = [];
  for (const c of loop.step.carries) {
    if (!classes.unite(c.inside, c.out)) {
      classes.occupy(c.inside, { from: loop.begin + 1, to: loop.end + 1 });
      own.leave.push({ from: c.inside, to: c.out, role: 'out' });
    }
  }
  for (const c of loop.step.carries) {
    if (!classes.unite(c.initial, c.inside)) {
      classes.occupy(c.inside, { from: loop.begin, to: loop.begin });
      enter.push({ from: c.initial, to: c.inside, role: 'initial' });
    }
  }
  own.enter.push(...inOrder(classes, enter, loop.begin));
}

/** Union-find over tensors with what is known of when each place is in use. */
class Classes {
  private readonly parent: TensorIndex[];
  private readonly lists: TensorIndex[][];
  private readonly intervals: Interval[][];
  private readonly pinned = new Set<TensorIndex>();

  constructor(private readonly entry: EntryLaunches, time: Timeline, private readonly bytesOf: (tensor: TensorIndex) => number, private readonly addValue: (like: TensorIndex) => TensorIndex) {
    this.parent = entry.tensors.map((_, i) => i);
    this.lists = entry.tensors.map((_, i) => [i]);
    this.intervals = entry.tensors.map((t, i) => (time.lives.get(i)?.intervals ?? []).map((x) => (t.kind === 'output' ? { from: x.from, to: time.end } : x)));
  }

  root(tensor: TensorIndex): TensorIndex {
    return this.parent[tensor] === tensor ? tensor : this.root(this.parent[tensor]);
  }

  members(tensor: TensorIndex): readonly TensorIndex[] { return this.lists[this.root(tensor)]; }

  /** A place of its own for what `like` holds, in use at `position` only. */
  spare(like: TensorIndex, position: number): TensorIndex {
    const added = this.addValue(like);
    this.parent[added] = added;
    this.lists[added] = [added];
    this.intervals[added] = [{ from: position, to: position }];
    return added;
  }

  /** A tensor whose place is decided otherwise: never united. */
  pin(tensor: TensorIndex): void { this.pinned.add(tensor); }

  inUse(tensor: TensorIndex): readonly Interval[] { return this.intervals[this.root(tensor)]; }

  occupy(tensor: TensorIndex, interval: Interval): void { this.intervals[this.root(tensor)].push(interval); }

  /** False if the two may not share a place: both in use at once, of different sizes, or not the planner's to place. */
  unite(a: TensorIndex, b: TensorIndex): boolean {
    const [x, y] = [this.root(a), this.root(b)];
    if (x === y) return true;
    const all = [...this.lists[x], ...this.lists[y]];
    if (all.some((t) => this.pinned.has(t) || !['value', 'output'].includes(this.entry.tensors[t].kind))) return false;
    if (all.filter((t) => this.entry.tensors[t].kind === 'output').length > 1) return false;
    if (this.bytesOf(a) !== this.bytesOf(b)) return false;
    if (this.intervals[x].some((i) => this.intervals[y].some((j) => i.from <= j.to && j.from <= i.to))) return false;
    this.parent[y] = x;
    this.lists[x] = all;
    this.intervals[x].push(...this.intervals[y]);
    return true;
  }
}
