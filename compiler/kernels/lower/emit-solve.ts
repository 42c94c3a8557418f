/** A unit-lower-triangular solve inside a program, row after row (forward substitution). */
import type { Node } from '../../ir/graph.js';
import type { Tile } from '../../ir/kernel.js';
import { cut, spread } from './emit-axes.js';
import { emit } from './emit.js';
import type { Lowering } from './lowering.js';
import { complete, indexOf, whole, withIndex, type Region } from './region.js';

/** x with (I + tril(a, -1)) x = b. Rows not yet solved are 0 in x, so each round's product sees solved ones only. */
export function emitSolve(l: Lowering, node: Node & { op: 'solve_lower' }, region: Region): Tile {
  const t = l.builder;
  const [a, b] = node.operands;
  const rows = l.type(a).axes.find((x) => x.name === node.rows)!;
  const columns = l.type(a).axes.find((x) => x.name === node.columns)!;
  const size = rows.size as number;
  const inside = complete(withIndex(region, rows.name, whole(rows)), l.type(b));
  const right = spread(l, emit(l, b, inside), [{ name: rows.name, size }]);
  const factor = emit(l, a, complete(withIndex(inside, columns.name, whole(columns)), l.type(a)));
  const places = t.iota(rows.name, size);
  const [x] = t.loop('row', 0, size, 1, [t.full(0, spreadShape(right, factor, columns.name))], (row, [solved]) => {
    const known = t.dot(factor, t.rename(solved, rows.name, columns.name), { over: [columns.name] });
    return [t.select(t.equal(places, t.scalar(row)), t.subtract(right, known), solved)];
  });
  return cut(l, x, rows.name, size, indexOf(region, rows.name));
}

/** Axes of the solution: those of b, then batch axes that only a has. */
function spreadShape(right: Tile, factor: Tile, columns: string): Tile['shape'] {
  return [...right.shape, ...factor.shape.filter((x) => x.name !== columns && !right.shape.some((r) => r.name === x.name))];
}
