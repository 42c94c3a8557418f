/** state_write and window: what a launch leaves in a state, and how it sees a sequence's past. */
import type { Operation } from '../graph.js';
import { copyRegion, emptyLike, strideOf, stridesOf, type Extent, type Tensor } from './tensor.js';

/** The newest value of every state, by index and iteration. */
export interface StateStore {
  read(state: number, iteration: number): Tensor;
  write(state: number, iteration: number, value: Tensor): void;
}

/** Entry of token t to place slot[t]; slots outside the state are dropped. */
export function stateWrite(state: Tensor, slot: Tensor, entry: Tensor): Tensor {
  const out = emptyLike(state, state.axes);
  out.data.set(state.data);
  const axes = state.axes.slice(1);
  const tokens = slot.axes[0].name;
  const [to, from] = [strideOf(state, state.axes[0].name), strideOf(entry, tokens)];
  for (let t = 0; t < slot.data.length; t++) {
    if (slot.data[t] < 0 || slot.data[t] >= state.axes[0].size) continue;
    copyRegion(axes, out.data, slot.data[t] * to, stridesOf(out, axes), entry.data, t * from, stridesOf(entry, axes));
  }
  return out;
}

/** Tokens [first, end) of one sequence of this launch, its row in recurrent state, and the position of the first. */
export interface Run { readonly first: number; readonly end: number; readonly sequence: number; readonly position: number }

/** Sequences that have tokens in this launch. */
export function runsOf(position: Tensor, sequence: Tensor, starts: Tensor): Run[] {
  const runs: Run[] = [];
  for (let s = 0; s + 1 < starts.data.length; s++) {
    const [first, end] = [starts.data[s], starts.data[s + 1]];
    if (first < end) runs.push({ first, end, sequence: sequence.data[first], position: position.data[first] });
  }
  return runs;
}

type Window = Extract<Operation, { op: 'window' }>;

/** Where value `n` of a sequence lies, counting from the first of this launch (negative: before it). */
interface Past { readonly state: Tensor; readonly x: Tensor; readonly tokens: string; readonly kept: number; readonly initial: number; readonly axes: readonly Extent[] }

function copyValue(past: Past, run: Run, n: number, to: Tensor, toBase: number): void {
  const { state, x, axes } = past;
  const strides = stridesOf(to, axes);
  if (n >= 0) { copyRegion(axes, to.data, toBase, strides, x.data, (run.first + n) * strideOf(x, past.tokens), stridesOf(x, axes)); return; }
  const old = past.kept + n;
  if (run.position + n < 0 || old < 0) { copyRegion(axes, to.data, toBase, strides, Float64Array.of(past.initial), 0, axes.map(() => 0)); return; }
  const base = run.sequence * strideOf(state, state.axes[0].name) + old * strideOf(state, state.axes[1].name);
  copyRegion(axes, to.data, toBase, strides, state.data, base, stridesOf(state, axes));
}

/** `out` is x on the new axis; returns the state's next value. `initial` stands for values before position 0. */
export function window(op: Window, operands: readonly Tensor[], initial: number, out: Tensor): Tensor {
  const [state, x, position, sequence, starts] = operands;
  const next = emptyLike(state, state.axes);
  next.data.set(state.data);
  const [pool, last] = state.axes;
  const tokens = position.axes[0].name;
  const past: Past = { state, x, tokens, kept: last.size, initial, axes: state.axes.slice(2) };
  for (const run of runsOf(position, sequence, starts)) {
    const count = run.end - run.first;
    for (let n = 0; n < count; n++) {
      for (let j = 0; j < op.size; j++) copyValue(past, run, n - (op.size - 1) + j, out, (run.first + n) * strideOf(out, tokens) + j * strideOf(out, op.into));
    }
    for (let j = 0; j < last.size; j++) copyValue(past, run, count - last.size + j, next, run.sequence * strideOf(next, pool.name) + j * strideOf(next, last.name));
  }
  return next;
}
