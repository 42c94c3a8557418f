/** Samples of the integer programs that prepare grouped work: bounds per group, and members in order. */
import { arg, call, cast, num } from '../../../compiler/ir/expr.js';
import { dim } from '../../../compiler/ir/kernel.js';
import { lowest, ProgramBuilder, range } from '../../../compiler/kernels/build.js';
import { ceilDivide, element, times } from '../../../compiler/kernels/scalar.js';
import { groupMembers, groupOffsets } from './matmul.js';
import { blank, f32Bytes, i32Bytes, Random, type Sample } from './sample.js';

export interface ListSizes { readonly routed: number; readonly experts: number; readonly tile?: number; readonly seed?: number }

/** offsets[e] = count(ids < e), blocks of e against blocks of ids. */
export function countOffsets({ routed, experts, tile = 16, seed = 21 }: ListSizes): Sample {
  const groupTile = 8;
  const p = new ProgramBuilder('count_offsets');
  const ids = p.view('ids', 'i32', 'read', { routed: dim('routed') });
  const offsets = p.view('offsets', 'i32', 'write', { bounds: experts + 1 });
  const first = times(p.gridAxis('bounds', ceilDivide(experts + 1, groupTile)), groupTile);
  const bound = p.iota('bounds', groupTile, first);
  const [count] = p.loop('row', 0, dim('routed'), tile, [p.full(0, [{ name: 'bounds', size: groupTile }], 'i32')], (row, [count]) => {
    const id = p.load(ids, [range('routed', row, tile)], { fill: 0x7fffffff });
    return [p.add(count, p.reduce('add', p.map(cast('i32', call('less', arg(0), arg(1))), [id, bound]), 'routed'))];
  });
  p.store(offsets, [range('bounds', first, groupTile)], count);

  const vi = new Random(seed).ints(routed, experts);
  return {
    name: `count_offsets ${routed} in ${experts}`, program: p.finish(), dims: { routed }, tolerance: 0, expected: { offsets: groupOffsets(vi, experts) },
    buffers: { ids: i32Bytes(vi), offsets: blank(experts + 1, 'i32') },
  };
}

/** members[offsets[e] + rank] = i for every i with ids[i] = e: ranks by running sums, a masked scatter per block. */
export function listMembers({ routed, experts, tile = 16, seed = 22 }: ListSizes): Sample {
  const p = new ProgramBuilder('list_members');
  const ids = p.view('ids', 'i32', 'read', { routed: dim('routed') });
  const offsets = p.view('offsets', 'i32', 'read', { bounds: experts + 1 });
  const members = p.view('members', 'i32', 'write', { routed: dim('routed') });
  const expert = p.gridAxis('expert', experts);
  const group = p.scalar(expert);
  p.loop('row', 0, dim('routed'), tile, [p.scalar(element(offsets, expert))], (row, [base]) => {
    const id = p.load(ids, [range('routed', row, tile)], { fill: -1 });
    const match = p.equal(id, group);
    const rank = p.cumulate(p.cast('i32', match), 'routed');
    const place = p.map(call('subtract', call('add', arg(0), arg(1)), num(1, 'i32')), [rank, base]);
    p.store(members, [place], p.iota('routed', tile, row), match);
    return [p.add(base, p.reduce('add', p.cast('i32', match), 'routed'))];
  });

  const vi = new Random(seed).ints(routed, experts);
  return {
    name: `list_members ${routed} in ${experts}`, program: p.finish(), dims: { routed }, tolerance: 0, expected: { members: groupMembers(vi) },
    buffers: { ids: i32Bytes(vi), offsets: i32Bytes(groupOffsets(vi, experts)), members: blank(routed, 'i32') },
  };
}

export interface TopSizes { readonly tokens: number; readonly width: number; readonly k: number; readonly seed?: number }

/** Ids of the k largest of each row, descending, lower id first among equals: k rounds of argmax, the winner removed. */
export function topIds({ tokens, width, k, seed = 23 }: TopSizes): Sample {
  const p = new ProgramBuilder('top_ids');
  const x = p.view('x', 'f32', 'read', { tokens: dim('tokens'), x: width });
  const y = p.view('y', 'i32', 'write', { tokens: dim('tokens'), k });
  const t = p.gridAxis('token', dim('tokens'));
  const id = p.iota('x', width);
  p.loop('i', 0, k, 1, [p.load(x, [t, range('x', 0, width)])], (i, [left]) => {
    const top = p.reduce('maximum', left, 'x');
    const winner = p.reduce('minimum', p.map(call('select', call('equal', arg(0), arg(1)), arg(2), num(width, 'i32')), [left, top, id]), 'x');
    p.store(y, [t, i], winner);
    return [p.map(call('select', call('equal', arg(0), arg(1)), num(lowest), arg(2)), [id, winner, left])];
  });

  const vx = new Random(seed).values(tokens * width).map((v) => Math.round(v * 10));
  const expected = new Int32Array(tokens * k);
  for (let r = 0; r < tokens; r++) {
    const row = vx.subarray(r * width, (r + 1) * width);
    const order = Array.from(row, (_, i) => i).sort((a, b) => row[b] - row[a] || a - b);
    expected.set(order.slice(0, k), r * k);
  }
  return {
    name: `top_ids ${k} of ${tokens}x${width}`, program: p.finish(), dims: { tokens }, tolerance: 0, expected: { y: expected },
    buffers: { x: f32Bytes(vx), y: blank(tokens * k, 'i32') },
  };
}
