/** Lowers one entry's launches to plan steps, every tensor at its region. */
import { dtypeBytes } from '../ir/dtype.js';
import type { Scalar } from '../ir/kernel.js';
import type { Region, Step } from '../ir/plan.js';
import { isCoded } from '../kernels/packing-address.js';
import { times } from '../kernels/scalar.js';
import type { Move } from './coalesce.js';
import { stretch, type EntrySpots } from './entry-places.js';
import type { KernelTable } from './kernel-table.js';
import type { LaunchStep, Tensor, TensorIndex } from './launches.js';
import { viewBytes } from './view-bytes.js';
import { elementCount, elementScalar } from './tensor-shape.js';
import type { Loop, RepeatStep } from './timeline.js';

export interface Placement {
  readonly spots: EntrySpots;
  /** The whole tensor, in the iteration of `loops`. */
  readonly region: (tensor: TensorIndex, loops: readonly Loop[]) => Region;
  readonly kernels: KernelTable;
  /** Rises over the entry's collectives. */
  nextTag: number;
}

export function placeSteps(p: Placement, steps: readonly LaunchStep[], loops: readonly Loop[]): Step[] {
  return steps.flatMap((step): Step[] => {
    switch (step.kind) {
      case 'launch': return [placeLaunch(p, step, loops)];
      case 'collective': return [placeCollective(p, step, loops)];
      case 'repeat': return placeRepeat(p, step, loops);
    }
  });
}

function placeLaunch(p: Placement, step: Extract<LaunchStep, { kind: 'launch' }>, loops: readonly Loop[]): Step {
  const { program, args, cost } = step;
  if (args.length !== program.views.length) throw new Error(`plan: kernel '${program.name}' has ${program.views.length} views and is launched with ${args.length} tensors`);
  const regions = program.views.map((view, i): Region => {
    const { tensor, offset } = args[i];
    const whole = p.region(tensor, loops);
    const skipped = offset * dtypeBytes(view.dtype);
    const bytes = viewBytes(view, p.spots.dims);
    const what = `plan: entry '${p.spots.entry.name}': view '${view.name}' of kernel '${program.name}'`;
    if (skipped + bytes > p.spots.bytes(tensor)) throw new Error(`${what} reaches ${skipped + bytes} bytes into '${whole.tensor}', which has ${p.spots.bytes(tensor)}`);
    if (offset !== 0 && view.packing.kind !== 'dense') throw new Error(`${what} starts inside a packed tensor`);
    if (!isCoded(view.packing) && view.dtype !== p.spots.dtype(tensor)) throw new Error(`${what} is ${view.dtype}, '${whole.tensor}' is ${p.spots.dtype(tensor)}`);
    checkStacked(p, tensor, bytes, what);
    return { ...whole, offset: { ...whole.offset, base: whole.offset.base + skipped }, bytes };
  });
  return { kind: 'launch', kernel: p.kernels.nameOf(program), args: regions, grid: program.grid.map((g) => g.extent), cost };
}

/** A kernel may see a stacked tensor as one array only if its stretches are neighbours whatever the dims are. */
function checkStacked(p: Placement, tensor: TensorIndex, bytes: number, what: string): void {
  const strides = p.spots.strides(tensor);
  if (strides.length === 0 || bytes <= strides[0].stride) return;
  const t = p.spots.entry.tensors[tensor];
  const fixed = 'axes' in t && t.axes.every((a) => typeof a.size === 'number');
  const compact = fixed && elementCount(t.axes, p.spots.dims) * dtypeBytes(p.spots.dtype(tensor)) === p.spots.bytes(tensor);
  if (!compact) throw new Error(`${what} spans iterations of '${p.spots.label(tensor)}', which are not neighbours in memory`);
}

function placeCollective(p: Placement, step: Extract<LaunchStep, { kind: 'collective' }>, loops: readonly Loop[]): Step {
  const { op, group, from, to } = step;
  const counted = p.spots.entry.tensors[op === 'reduce_scatter' ? to : from];
  if (!('axes' in counted)) throw new Error(`plan: collective ${op} over '${group}' of a tensor that is no value`);
  const regions = { from: p.region(from, loops), to: p.region(to, loops) };
  return { kind: 'collective', op, group, tag: p.nextTag++, dtype: p.spots.dtype(from), ...regions, count: elementScalar(counted.axes) };
}

function placeRepeat(p: Placement, step: RepeatStep, loops: readonly Loop[]): Step[] {
  const { spots } = p;
  const loop = spots.time.loops.get(step)!;
  const moves = spots.places.moves.get(step)!;
  const inner = [...loops, loop];
  /** The name that a copy gives or takes, else the tensor's own. */
  const name = (tensor: TensorIndex, list: readonly Move[], to: TensorIndex, role: Move['role']): string => {
    const move = list.find((m) => m.to === to && m.role === role);
    return !move ? spots.label(tensor) : role === 'out' ? moveLabels(spots, move).from : moveLabels(spots, move).to;
  };
  const carries = step.carries.map((c) => ({
    initial: name(c.initial, moves.enter, c.inside, 'initial'), inside: spots.label(c.inside),
    next: name(c.next, moves.last, c.inside, 'next'), out: name(c.out, moves.leave, c.out, 'out'),
  }));
  const stacked = step.stacked.map((s) => ({ inside: name(s.inside, [...moves.first, ...moves.last], s.out, 'part'), out: spots.label(s.out) }));
  const body = [...moves.first.map((m) => copy(p, m, inner)), ...placeSteps(p, step.body, inner), ...moves.last.map((m) => copy(p, m, inner))];
  return [
    ...moves.enter.map((m) => copy(p, m, loops)),
    { kind: 'repeat', variable: loop.variable, count: step.count, reverse: step.reverse, body, carries, stacked },
    ...moves.leave.map((m) => copy(p, m, loops)),
  ];
}

/** Under which names a copy reads and writes: a target is renamed by its repeat, the source of a final value was. */
function moveLabels(spots: EntrySpots, move: Move): { readonly from: string; readonly to: string } {
  const [from, to] = [spots.label(move.from), spots.label(move.to)];
  switch (move.role) {
    case 'initial': case 'next': case 'part': return { from, to: `${to}.${move.role}` };
    case 'out': return { from: `${to}.out`, to };
    case 'spare': return { from, to };
  }
}

function copy(p: Placement, move: Move, loops: readonly Loop[]): Step {
  const { spots } = p;
  const labels = moveLabels(spots, move);
  const from = p.region(move.from, loops);
  const to = p.region(move.to, loops);
  const part = move.role === 'part' ? { ...stretch(to, spots.strides(move.to)[0].stride, loops[loops.length - 1]), bytes: from.bytes } : to;
  const bytes = copyBytes(spots.entry.tensors[move.from], from.bytes, spots.strides(move.from).length > 0);
  return { kind: 'copy', from: { ...from, tensor: labels.from }, to: { ...part, tensor: labels.to }, bytes };
}

/** Bytes at the run's dims; everything where iterations lie apart. */
function copyBytes(tensor: Tensor, whole: number, stacked: boolean): Scalar {
  if (tensor.kind === 'param' || tensor.kind === 'state' || stacked) return { kind: 'int', value: whole };
  return times(elementScalar(tensor.axes), dtypeBytes(tensor.dtype));
}
