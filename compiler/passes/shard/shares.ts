/**
 * What a rank holds of a value, per mesh axis, where it is not the value itself: how ops pass that on, and before which
 * ops it has to be made whole.
 *
 *   partial   the value is the sum over the ranks
 *   .. rows   and for each choice one rank has all of it, the others have 0 (the choice is not theirs)
 *   chosen    for each choice one rank has the value; what the others have there means nothing
 */
import type { Axis, Node, TensorType, Value } from '../../ir/graph.js';

/** Choices that are divided among the ranks: ids, counted from the rank's first, of `extent` that it has. */
export interface Rows { readonly ids: Value; readonly extent: number }
export type Share =
  | { readonly kind: 'partial'; readonly rows?: Rows }
  | { readonly kind: 'chosen'; readonly rows: Rows };

/** What an op needs of an operand: as it is, as a plain sum over the ranks, or whole. */
export type Need = 'keep' | 'partial' | 'whole';
export interface Passing { readonly needs: readonly Need[]; readonly result?: Share }

type Shares = readonly (Share | undefined)[];

/** A node that neither works on a divided axis nor picks along one; `operands` as in the divided graph. */
export function passShares(node: Node, shares: Shares, operands: readonly TensorType[], result: TensorType | undefined): Passing {
  const byRows = result && passRows(node, shares, result);
  if (byRows) return { needs: shares.map(() => 'keep'), result: byRows };
  const has = shares.flatMap((s, i) => (s ? [i] : []));
  const passes = result?.dtype === 'f32' && isLinear(node, has) && has.some((i) => !grows(operands[i], result));
  const need: Need = passes ? 'partial' : 'whole';
  return { needs: shares.map((s) => (s ? need : 'keep')), ...(passes ? { result: { kind: 'partial' } } : {}) };
}

/** Whether the node is linear in the operands `has` together, all others held fixed. */
function isLinear(node: Node, has: readonly number[]): boolean {
  const are = (...wanted: number[]): boolean => has.length === wanted.length && wanted.every((w) => has.includes(w));
  switch (node.op) {
    case 'map': return isLinearMap(node.fn, are, has.length);
    case 'cast': case 'rename': case 'split': case 'merge': case 'slice': case 'pick': case 'broadcast': case 'cumulate': case 'gather': return are(0);
    case 'reduce': return node.fn === 'add';
    case 'concat': case 'stack': return has.length === node.operands.length;
    case 'contract': return are(0) || are(1);
    default: return false;
  }
}

function isLinearMap(fn: string, are: (...wanted: number[]) => boolean, count: number): boolean {
  switch (fn) {
    case 'add': case 'subtract': return count === 2;
    case 'multiply': return count === 1;
    case 'negate': case 'divide': return are(0);
    case 'select': return are(1, 2);
    default: return false;
  }
}

/** Sums travel between ranks: better before they get larger. */
function grows(operand: TensorType, result: TensorType): boolean {
  const fixed = (axes: readonly Axis[]): number => axes.reduce((n, a) => n * (typeof a.size === 'number' ? a.size : 1), 1);
  const dynamic = result.axes.some((a) => typeof a.size !== 'number' && !operand.axes.some((o) => o.name === a.name));
  return dynamic || fixed(result.axes) > fixed(operand.axes);
}

/** The share of a result in which every choice is still computed alone; undefined if that is not so. */
function passRows(node: Node, shares: Shares, result: TensorType): Share | undefined {
  const present = shares.filter((s) => s !== undefined);
  const rows = present[0].rows;
  if (!rows || present.some((s) => s.rows?.ids !== rows.ids)) return undefined;
  const names = rows.ids.type.axes.map((a) => a.name);
  const touched = touchedAxes(node);
  if (!touched || touched.some((t) => names.includes(t)) || names.some((n) => !result.axes.some((a) => a.name === n))) return undefined;
  const zero = present.every((s) => s.kind === 'partial') && keepsZero(node, shares);
  return zero ? { kind: 'partial', rows } : { kind: 'chosen', rows };
}

/** Axes that the node works along; undefined if it does more than that. */
function touchedAxes(node: Node): readonly string[] | undefined {
  switch (node.op) {
    case 'map': case 'cast': return [];
    case 'rename': return [node.from, node.to];
    case 'split': case 'slice': case 'pick': return [node.axis];
    case 'merge': case 'concat': return node.axes;
    case 'stack': return [node.into];
    case 'broadcast': return [node.axis.name];
    case 'reduce': return node.over;
    case 'contract': return node.select ? undefined : node.over;
    default: return undefined;
  }
}

/** Whether the result is 0 where the operands with a share are. */
function keepsZero(node: Node, shares: Shares): boolean {
  if (node.op === 'concat' || node.op === 'stack') return shares.every((s) => s !== undefined);
  if (node.op !== 'map') return true;
  switch (node.fn) {
    case 'multiply': case 'negate': case 'absolute': return true;
    case 'add': case 'subtract': return shares.every((s) => s !== undefined);
    case 'divide': return shares[0] !== undefined && shares[1] === undefined;
    default: return false;
  }
}
