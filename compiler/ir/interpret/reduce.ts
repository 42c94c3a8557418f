/** Ops along an axis: reduce, cumulate, top, nucleus, solve_lower. Sums in f64, rounded once per stored element. */
import type { Operation } from '../graph.js';
import { offsetsOf, sizeOf, strideOf, stridesOf, visit, type Data, type Extent, type Tensor } from './tensor.js';

type Op<K extends Operation['op']> = Extract<Operation, { op: K }>;

const identities = { add: 0, maximum: -Infinity, minimum: Infinity } as const;

export function reduce(op: Op<'reduce'>, x: Tensor, out: Tensor): void {
  const over = x.axes.filter((a) => op.over.includes(a.name));
  const inner = offsetsOf(over, stridesOf(x, over));
  const { data } = x;
  visit(out.axes, [stridesOf(out, out.axes), stridesOf(x, out.axes)], ([o, start], count, [so, sx]) => {
    for (let i = 0; i < count; i++) out.data[o + i * so] = fold(op.fn, data, start + i * sx, inner);
  });
}

function fold(fn: keyof typeof identities, data: Data, base: number, offsets: Int32Array): number {
  let total: number = identities[fn];
  for (const offset of offsets) {
    const value = data[base + offset];
    total = fn === 'add' ? total + value : fn === 'maximum' ? Math.max(total, value) : Math.min(total, value);
  }
  return total;
}

/** Starts of every line of `x` along `axis`, with the same starts in `others` (by axis name). */
function visitLines(x: Tensor, axis: string, others: readonly Tensor[], line: (starts: readonly number[]) => void): void {
  const rest: Extent[] = x.axes.filter((a) => a.name !== axis);
  visit(rest, [x, ...others].map((t) => stridesOf(t, rest)), (starts, count, steps) => {
    for (let i = 0; i < count; i++) line(starts.map((s, k) => s + i * steps[k]));
  });
}

export function cumulate(op: Op<'cumulate'>, x: Tensor, out: Tensor): void {
  const [size, step, to] = [sizeOf(x, op.axis), strideOf(x, op.axis), strideOf(out, op.axis)];
  visitLines(x, op.axis, [out], ([from, target]) => {
    let total = 0;
    for (let n = 0; n < size; n++) {
      const i = op.reverse ? size - 1 - n : n;
      total += x.data[from + i * step];
      out.data[target + i * to] = total;
    }
  });
}

/** k passes, each taking the largest of what is left; the first of equals. */
export function top(op: Op<'top'>, x: Tensor, out: Tensor): void {
  const [size, step, to] = [sizeOf(x, op.axis), strideOf(x, op.axis), strideOf(out, op.into)];
  visitLines(x, op.axis, [out], ([from, target]) => {
    const taken = new Uint8Array(size);
    for (let n = 0; n < op.k; n++) {
      let best = -1;
      for (let i = 0; i < size; i++) if (taken[i] === 0 && (best < 0 || x.data[from + i * step] > x.data[from + best * step])) best = i;
      taken[best] = 1;
      out.data[target + n * to] = best;
    }
  });
}

/** Sorts; the walk over the largest stops where k or the share of the softmax is reached. */
export function nucleus(op: Op<'nucleus'>, [x, k, p, temperature]: readonly Tensor[], out: Tensor): void {
  const [size, step] = [sizeOf(x, op.axis), strideOf(x, op.axis)];
  visitLines(x, op.axis, [out], ([from, target]) => {
    const value = (i: number): number => x.data[from + i * step];
    const order = Array.from({ length: size }, (_, i) => i).sort((a, b) => value(b) - value(a) || a - b).slice(0, Math.max(0, k.data[0]));
    const weights = order.map((i) => Math.exp((value(i) - value(order[0])) / temperature.data[0]));
    const wanted = p.data[0] * weights.reduce((a, w) => a + w, 0);
    let sum = 0;
    const reached = p.data[0] < 1 ? weights.findIndex((w) => (sum += w) >= wanted) : -1;
    out.data[target] = k.data[0] < 1 ? -1 : order[reached < 0 ? order.length - 1 : reached];
  });
}

/** Forward substitution with a unit diagonal: x_i = b_i - sum over j < i of a_ij x_j. */
export function solveLower(op: Op<'solve_lower'>, a: Tensor, b: Tensor, out: Tensor): void {
  const size = sizeOf(a, op.rows);
  const [down, across, fromB, to] = [strideOf(a, op.rows), strideOf(a, op.columns), strideOf(b, op.rows), strideOf(out, op.rows)];
  const solved = new Float64Array(size);
  visitLines(out, op.rows, [a, b], ([target, matrix, right]) => {
    for (let i = 0; i < size; i++) {
      let value: number = b.data[right + i * fromB];
      for (let j = 0; j < i; j++) value -= a.data[matrix + i * down + j * across] * solved[j];
      solved[i] = value;
      out.data[target + i * to] = value;
    }
  });
}
