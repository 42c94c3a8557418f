/**
 * The lists that grouped kernels walk, built on the device from the routers' ids: for each expert where its rows begin
 * in `rows` and how many there are, and the rows themselves (pair = token * active + place), in increasing order.
 * Each program finds one expert's span on its own by counting, so there is nothing to combine and no order to depend on.
 */
import { int, type Program, type Scalar, type Tile } from '../ir/kernel.js';
import { ProgramBuilder, range } from './build.js';

/**
 * Views: ids i32 [pairs], spans i32 [lists, 2], rows i32 [pairs]. One list per expert; with `others` one more, for the
 * ids outside 0 .. experts - 1, which else are in no list.
 */
export function groupRows(name: string, pairs: Scalar, experts: number, stretch: number, others = false): Program {
  const b = new ProgramBuilder(name);
  const lists = experts + Number(others);
  const ids = b.view('ids', 'i32', 'read', { pair: pairs });
  const spans = b.view('spans', 'i32', 'write', { expert: lists, part: 2 });
  const rows = b.view('rows', 'i32', 'write', { row: pairs });
  const expert = b.gridAxis('expert', lists);
  const own = b.scalar(expert);
  const zero = b.full(0, [], 'i32');
  const listOf = (from: Scalar): Tile => {
    const id = b.load(ids, [range('pair', from, stretch)], { fill: -1 });
    if (!others) return id;
    const outside = b.apply('or', b.less(id, 0), b.apply('less_equal', b.full(experts, [], 'i32'), id));
    return b.select(b.less(b.iota('pair', stretch, from), b.scalar(pairs)), b.select(outside, b.full(experts, [], 'i32'), id), -1);
  };
  const [before, count] = b.loop('from', 0, pairs, stretch, [zero, zero], (from, [smaller, equal]) => {
    const id = listOf(from);
    const lower = b.and(b.less(id, own), b.apply('less', b.full(-1, [], 'i32'), id));
    return [
      b.add(smaller, b.reduce('add', b.select(lower, b.full(1, [], 'i32'), 0), 'pair')),
      b.add(equal, b.reduce('add', b.select(b.equal(id, own), b.full(1, [], 'i32'), 0), 'pair')),
    ];
  });
  b.store(spans, [expert, int(0)], before);
  b.store(spans, [expert, int(1)], count);
  b.loop('from', 0, pairs, stretch, [before], (from, [place]) => {
    const id = listOf(from);
    const mine = b.equal(id, own);
    const rank = b.cumulate(b.select(mine, b.full(1, [], 'i32'), 0), 'pair');
    const target = b.select(mine, b.add(place, b.subtract(rank, 1)), -1);
    b.store(rows, [target], b.iota('pair', stretch, from), mine);
    return [b.add(place, b.reduce('maximum', rank, 'pair'))];
  });
  b.origin('group rows by expert', '');
  return b.finish();
}

