/**
 * The newest values of a sequence, for every token of this launch: from the launch itself where they are in it, else from
 * what the state kept. Then, per sequence, what its last token saw becomes the state.
 */
import type { Axis, Node } from '../../ir/graph.js';
import type { Index, Scalar, Tile } from '../../ir/kernel.js';
import { range } from '../build.js';
import { element, lessThan, minus, plus } from '../scalar.js';
import { dimScalar, type Lowering, type Stored } from './lowering.js';

type WindowNode = Extract<Node, { op: 'window' }>;

/** Writes the windows of all tokens (result 0). The state is written by `writeWindowState`, in a launch of its own. */
export function writeWindow(l: Lowering, node: WindowNode, initial: number): void {
  const b = l.builder;
  const [state, x, position, sequence, starts] = node.operands;
  const [tokens, ...entry] = l.type(x).axes;
  const t = b.gridAxis(tokens.name, dimScalar(tokens.size));
  const at = { position: scalar(l, position, t, 'position'), row: scalar(l, sequence, t, 'sequence') };
  const first = b.let_('first', element(viewOf(l, starts, 'starts'), at.row));
  const kept = keptOf(l, state);
  // Places oldest to newest: those before the launch's first token of the sequence lie in the state.
  const places = b.iota(node.into, node.size, minus(t, node.size - 1));
  const fromLaunch = load(l, x, entry, [b.select(b.less(places, b.scalar(first)), -1, places)]);
  const fromState = load(l, state, entry, [at.row, b.add(b.subtract(places, b.scalar(first)), kept)]);
  const before = b.less(b.iota(node.into, node.size, minus(at.position, node.size - 1)), 0);
  const past = b.select(before, initial, fromState);
  const out = l.viewOf(storedOf(l, node.results[0].id), 'write', 'windows');
  const target: Index[] = out.axes.map((a) => (a.name === tokens.name ? { kind: 'point', at: t } : range(a.name, 0, extent(node.results[0].type.axes, a.name))));
  b.store(out, target, b.select(b.less(places, b.scalar(first)), past, fromLaunch));
}

/** What the last token of each sequence saw, into the state (which keeps at most as many values as a window has). */
export function writeWindowState(l: Lowering, node: WindowNode): void {
  const b = l.builder;
  const [state, x, , , starts] = node.operands;
  const entry = l.type(x).axes.slice(1);
  const kept = keptOf(l, state);
  if (kept > node.size) throw new Error(`lowering '${b.name}': a state of ${kept} values behind windows of ${node.size}`);
  const [rowAxis] = l.type(starts).axes;
  const row = b.gridAxis('sequence', minus(dimScalar(rowAxis.size), 1));
  const view = viewOf(l, starts, 'starts');
  const [first, end] = [b.let_('first', element(view, row)), b.let_('end', element(view, plus(row, 1)))];
  const windows = viewOf(l, node.results[0].id, 'windows');
  const target = l.viewOf(storedOf(l, state), 'write', 'kept');
  const keptAxis = target.axes[1].name;
  const whole = entry.map((a) => range(a.name, 0, a.size as number));
  b.if_(lessThan(first, end), () => {
    const tokens = l.type(x).axes[0].name;
    const value = b.load(windows, windows.axes.map((a) => {
      if (a.name === tokens) return { kind: 'point' as const, at: minus(end, 1) };
      return a.name === node.into ? range(keptAxis, node.size - kept, kept) : range(a.name, 0, extent(entry, a.name));
    }));
    b.store(target, [row, range(keptAxis, 0, kept), ...whole], b.cast(l.type(state).dtype, value));
  });
}

function storedOf(l: Lowering, value: number): Stored {
  const stored = l.level.stored.get(value);
  if (!stored) throw new Error(`lowering '${l.builder.name}': %${value} has no memory`);
  return stored;
}

function viewOf(l: Lowering, value: number, name: string): ReturnType<Lowering['viewOf']> {
  return l.viewOf(storedOf(l, value), 'read', name);
}

function scalar(l: Lowering, value: number, at: Scalar, name: string): Scalar {
  return l.builder.let_(`${name}_at`, element(viewOf(l, value, name), at));
}

function load(l: Lowering, value: number, entry: readonly Axis[], leading: readonly (Scalar | Tile)[]): Tile {
  return l.builder.load(viewOf(l, value, 'x'), [...leading, ...entry.map((a) => range(a.name, 0, a.size as number))]);
}

function keptOf(l: Lowering, state: number): number {
  return l.type(state).axes[1].size as number;
}

function extent(axes: readonly Axis[], name: string): number {
  return axes.find((a) => a.name === name)!.size as number;
}
