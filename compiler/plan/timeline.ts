/**
 * When the tensors of one entry are alive. Steps get positions in order; a repeat takes four: `begin` (initial values are
 * read), begin + 1 (carried values exist), `end` (next values are read) and end + 1 (final values exist). A tensor from
 * outside that a body uses lives to the repeat's end, since the next iteration wants it again.
 */
import type { EntryLaunches, LaunchStep, TensorIndex } from './launches.js';

export type RepeatStep = Extract<LaunchStep, { kind: 'repeat' }>;
export interface Loop {
  readonly step: RepeatStep;
  /** Unique among the loops around one step. */
  readonly variable: string;
  readonly begin: number;
  end: number;
}
/** Positions from first write to last read, both included. */
export interface Interval { readonly from: number; readonly to: number }
export interface Life {
  /** Loops around the definition, outermost first. */
  readonly loops: readonly Loop[];
  readonly intervals: Interval[];
}
export interface Timeline {
  readonly lives: ReadonlyMap<TensorIndex, Life>;
  readonly loops: ReadonlyMap<RepeatStep, Loop>;
  readonly end: number;
}

interface Use { readonly tensor: TensorIndex; readonly position: number; readonly loops: readonly Loop[] }

export function timeline(entry: EntryLaunches): Timeline {
  const uses: Use[] = [];
  const loops = new Map<RepeatStep, Loop>();
  const end = walk(entry.steps, [], 0, uses, loops);
  const lives = new Map<TensorIndex, Life>();
  for (const use of uses) extend(entry, lives, use);
  return { lives, loops, end };
}

function walk(steps: readonly LaunchStep[], around: readonly Loop[], start: number, uses: Use[], loops: Map<RepeatStep, Loop>): number {
  let position = start;
  const use = (tensor: TensorIndex, at: number, inside = around): void => { uses.push({ tensor, position: at, loops: inside }); };
  const defined = (tensor: TensorIndex): boolean => uses.some((u) => u.tensor === tensor);
  for (const step of steps) {
    switch (step.kind) {
      case 'launch': step.args.forEach((a) => use(a.tensor, position)); position += 1; break;
      case 'collective': use(step.from, position); use(step.to, position); position += 1; break;
      case 'repeat': {
        const loop: Loop = { step, variable: loopVariable(step.label, around), begin: position, end: 0 };
        loops.set(step, loop);
        const inner = [...around, loop];
        step.carries.forEach((c) => { use(c.initial, position); use(c.inside, position + 1, inner); });
        step.stacked.forEach((s) => use(s.out, position));
        // A value that the iteration starts with is copied away first, so that its place can be written again.
        const late = step.stacked.filter((s) => !defined(s.inside));
        step.stacked.filter((s) => !late.includes(s)).forEach((s) => use(s.inside, loop.begin + 1, inner));
        loop.end = walk(step.body, inner, position + 2, uses, loops);
        step.carries.forEach((c) => { use(c.next, loop.end, inner); use(c.out, loop.end + 1); });
        late.forEach((s) => use(s.inside, loop.end, inner));
        position = loop.end + 2;
        break;
      }
    }
  }
  return position;
}

function loopVariable(label: string, around: readonly Loop[]): string {
  const same = around.filter((l) => l.step.label === label).length;
  return same === 0 ? label : `${label}.${same + 1}`;
}

/** Uses come in order of position, so the first one defines the tensor. */
function extend(entry: EntryLaunches, lives: Map<TensorIndex, Life>, use: Use): void {
  const life = lives.get(use.tensor);
  if (!life) {
    lives.set(use.tensor, { loops: use.loops, intervals: [{ from: use.position, to: use.position }] });
    return;
  }
  const tensor = entry.tensors[use.tensor];
  const nested = life.loops.every((l, i) => use.loops[i] === l);
  if (!nested && tensor.kind === 'value') {
    throw new Error(`plan: entry '${entry.name}': '${tensor.name}' is defined inside repeat '${life.loops[life.loops.length - 1].step.label}' and used outside it`);
  }
  const entered = use.loops[life.loops.length];
  const to = nested && entered ? entered.end : use.position;
  const [old] = life.intervals;
  life.intervals[0] = { from: old.from, to: Math.max(old.to, to) };
}
