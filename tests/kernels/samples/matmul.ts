/** Samples of matrix products with packed weights, fused and per expert. */
import { arg, call } from '../../../compiler/ir/expr.js';
import { dim, type Scalar, type Tile, type View } from '../../../compiler/ir/kernel.js';
import type { Packing } from '../../../compiler/ir/packing.js';
import { ProgramBuilder, range, type IndexLike } from '../../../compiler/kernels/build.js';
import { ceilDivide, element, times } from '../../../compiler/kernels/scalar.js';
import { silu, siluExpr } from './rows.js';
import { blank, f32Bytes, i32Bytes, Random, storeWeight, type Sample } from './sample.js';

export type WeightKind = 'dense-f32' | 'panel-f32' | 'panel-bf16' | 'int4';

/** How a weight of axes [.., n, k] is stored. */
export function weightFormat(kind: WeightKind, order: readonly string[]): { packing: Packing; dtype: 'f32' | 'bf16' } {
  switch (kind) {
    case 'dense-f32': return { packing: { kind: 'dense', order }, dtype: 'f32' };
    case 'panel-f32': return { packing: { kind: 'panel', order, lanes: 'n', width: 16 }, dtype: 'f32' };
    case 'panel-bf16': return { packing: { kind: 'panel', order, lanes: 'n', width: 8 }, dtype: 'bf16' };
    case 'int4': return { packing: { kind: 'int4', order, lanes: 'n', width: 8, group: 32 }, dtype: 'f32' };
  }
}

export interface MatmulSizes {
  readonly tokens: number; readonly n: number; readonly k: number;
  readonly bm?: number; readonly bn?: number; readonly bk?: number;
  readonly weight?: WeightKind; readonly seed?: number;
}

/** acc[tokens or none, n] = sum over k of x * w, k in steps of bk. */
function product(p: ProgramBuilder, x: View, xAt: readonly IndexLike[], w: View, wAt: readonly IndexLike[], k: number, bk: number, shape: readonly { name: string; size: number }[]): Tile {
  const [acc] = p.loop('k', 0, k, bk, [p.full(0, shape)], (at, [acc]) => {
    const along = range('k', at, bk);
    return [p.dot(p.load(x, [...xAt, along]), p.load(w, [...wAt, along]), { over: ['k'], acc })];
  });
  return acc;
}

/** c[m, n] = sum over k of a[m, k] * b[n, k], in f64. `b` starts at `offset`. */
function plainProduct(a: Float32Array, row: number, b: Float32Array, offset: number, n: number, k: number): Float64Array {
  const out = new Float64Array(n);
  for (let j = 0; j < n; j++) {
    let sum = 0;
    for (let i = 0; i < k; i++) sum += a[row * k + i] * b[offset + j * k + i];
    out[j] = sum;
  }
  return out;
}

/** y[tokens, n] = x[tokens, k] w[n, k]. With tokens 1 and bm 1 this is a matrix-vector product. */
export function matmul({ tokens, n, k, bm = 16, bn = 64, bk = 64, weight = 'panel-f32', seed = 11 }: MatmulSizes): Sample {
  const { packing, dtype } = weightFormat(weight, ['n', 'k']);
  const p = new ProgramBuilder(`matmul_${weight.replace('-', '_')}`);
  const x = p.view('x', 'f32', 'read', { tokens: dim('tokens'), k });
  const w = p.view('w', dtype, 'read', { n, k }, { packing });
  const y = p.view('y', 'f32', 'write', { tokens: dim('tokens'), n });
  const rows = range('tokens', times(p.gridAxis('tokens', ceilDivide(dim('tokens'), bm)), bm), bm);
  const columns = range('n', times(p.gridAxis('n', ceilDivide(n, bn)), bn), bn);
  p.store(y, [rows, columns], product(p, x, [rows], w, [columns], k, bk, [{ name: 'tokens', size: bm }, { name: 'n', size: bn }]));

  const random = new Random(seed);
  const vx = random.values(tokens * k);
  const stored = storeWeight(random, packing, { n, k }, dtype);
  const expected = new Float32Array(tokens * n);
  for (let t = 0; t < tokens; t++) expected.set(plainProduct(vx, t, stored.values, 0, n, k), t * n);
  return {
    name: `matmul ${weight} ${tokens}x${n}x${k}`, program: p.finish(), dims: { tokens }, tolerance: 1e-5, expected: { y: expected },
    buffers: { x: f32Bytes(vx), w: stored.bytes, y: blank(tokens * n, 'f32') },
  };
}

/** One row of activations (no token axis in the tiles) times an int4 weight. */
export function matvec({ n, k, bn = 32, bk = 128, weight = 'int4', seed = 12 }: Omit<MatmulSizes, 'tokens' | 'bm'>): Sample {
  const { packing, dtype } = weightFormat(weight, ['n', 'k']);
  const p = new ProgramBuilder('matvec');
  const x = p.view('x', 'f32', 'read', { k });
  const w = p.view('w', dtype, 'read', { n, k }, { packing });
  const y = p.view('y', 'f32', 'write', { n });
  const columns = range('n', times(p.gridAxis('n', ceilDivide(n, bn)), bn), bn);
  p.store(y, [columns], product(p, x, [], w, [columns], k, bk, [{ name: 'n', size: bn }]));

  const random = new Random(seed);
  const vx = random.values(k);
  const stored = storeWeight(random, packing, { n, k }, dtype);
  return {
    name: `matvec ${weight} ${n}x${k}`, program: p.finish(), dims: {}, tolerance: 1e-5,
    expected: { y: Float32Array.from(plainProduct(vx, 0, stored.values, 0, n, k)) },
    buffers: { x: f32Bytes(vx), w: stored.bytes, y: blank(n, 'f32') },
  };
}

/** y = silu(gate x) * (up x): two accumulators in one loop. */
export function gateUp({ tokens, n, k, bm = 8, bn = 32, bk = 32, weight = 'panel-bf16', seed = 13 }: MatmulSizes): Sample {
  const { packing, dtype } = weightFormat(weight, ['n', 'k']);
  const p = new ProgramBuilder('gate_up');
  const x = p.view('x', 'f32', 'read', { tokens: dim('tokens'), k });
  const gate = p.view('gate', dtype, 'read', { n, k }, { packing });
  const up = p.view('up', dtype, 'read', { n, k }, { packing });
  const y = p.view('y', 'f32', 'write', { tokens: dim('tokens'), n });
  const rows = range('tokens', times(p.gridAxis('tokens', ceilDivide(dim('tokens'), bm)), bm), bm);
  const columns = range('n', times(p.gridAxis('n', ceilDivide(n, bn)), bn), bn);
  const shape = [{ name: 'tokens', size: bm }, { name: 'n', size: bn }];
  const [g, u] = p.loop('k', 0, k, bk, [p.full(0, shape), p.full(0, shape)], (at, [g, u]) => {
    const along = range('k', at, bk);
    const a = p.load(x, [rows, along]);
    return [p.dot(a, p.load(gate, [columns, along]), { over: ['k'], acc: g }), p.dot(a, p.load(up, [columns, along]), { over: ['k'], acc: u })];
  });
  p.store(y, [rows, columns], p.map(call('multiply', siluExpr(arg(0)), arg(1)), [g, u]));

  const random = new Random(seed);
  const vx = random.values(tokens * k);
  const vg = storeWeight(random, packing, { n, k }, dtype);
  const vu = storeWeight(random, packing, { n, k }, dtype);
  const expected = new Float32Array(tokens * n);
  for (let t = 0; t < tokens; t++) {
    const up = plainProduct(vx, t, vu.values, 0, n, k);
    expected.set(plainProduct(vx, t, vg.values, 0, n, k).map((v, i) => silu(v) * up[i]), t * n);
  }
  return {
    name: `gate_up ${weight} ${tokens}x${n}x${k}`, program: p.finish(), dims: { tokens }, tolerance: 1e-5, expected: { y: expected },
    buffers: { x: f32Bytes(vx), gate: vg.bytes, up: vu.bytes, y: blank(tokens * n, 'f32') },
  };
}

export interface ExpertSizes extends MatmulSizes { readonly experts: number; readonly active: number }

/** y[token, slot, n] = w[ids[token, slot], n, :] x[token, :]: the expert is a scalar read from memory. An id of -1 gives 0. */
export function selectMatvec({ tokens, experts, active, n, k, bn = 32, bk = 64, weight = 'int4', seed = 14 }: ExpertSizes): Sample {
  const { packing, dtype } = weightFormat(weight, ['experts', 'n', 'k']);
  const p = new ProgramBuilder('select_matvec');
  const x = p.view('x', 'f32', 'read', { tokens: dim('tokens'), k });
  const ids = p.view('ids', 'i32', 'read', { tokens: dim('tokens'), active });
  const w = p.view('w', dtype, 'read', { experts, n, k }, { packing });
  const y = p.view('y', 'f32', 'write', { tokens: dim('tokens'), active, n });
  const token = p.gridAxis('token', dim('tokens'));
  const slot = p.gridAxis('slot', active);
  const columns = range('n', times(p.gridAxis('n', ceilDivide(n, bn)), bn), bn);
  const expert = p.let_('expert', element(ids, token, slot));
  p.store(y, [token, slot, columns], product(p, x, [token], w, [expert, columns], k, bk, [{ name: 'n', size: bn }]));

  const random = new Random(seed);
  const vx = random.values(tokens * k);
  const vi = random.ints(tokens * active, experts).map((id, i) => (i % 5 === 4 ? -1 : id));
  const stored = storeWeight(random, packing, { experts, n, k }, dtype);
  const expected = new Float32Array(tokens * active * n);
  vi.forEach((id, i) => { if (id >= 0) expected.set(plainProduct(vx, Math.floor(i / active), stored.values, id * n * k, n, k), i * n); });
  return {
    name: `select_matvec ${weight} ${tokens}x${active} of ${experts}x${n}x${k}`, program: p.finish(), dims: { tokens }, tolerance: 1e-5, expected: { y: expected },
    buffers: { x: f32Bytes(vx), ids: i32Bytes(vi), w: stored.bytes, y: blank(tokens * active * n, 'f32') },
  };
}

/** offsets[e] = how many ids are below e, for e in 0 .. experts. `routed` = tokens * active. */
export function groupOffsets(ids: Int32Array, experts: number): Int32Array {
  return Int32Array.from({ length: experts + 1 }, (_, e) => ids.filter((id) => id < e).length);
}

/** Places of `ids` in order of id, stable. */
export function groupMembers(ids: Int32Array): Int32Array {
  return Int32Array.from(Array.from(ids, (_, i) => i).sort((a, b) => ids[a] - ids[b] || a - b));
}

/**
 * y[i, n] = w[ids[i], n, :] x[i / active, :] for every routed row i, by expert: a loop over the row blocks of one
 * expert with bounds from memory, rows gathered and scattered through index tiles.
 */
export function groupedMatmul({ tokens, experts, active, n, k, bm = 8, bn = 32, bk = 64, weight = 'int4', seed = 15 }: ExpertSizes): Sample {
  const { packing, dtype } = weightFormat(weight, ['experts', 'n', 'k']);
  const p = new ProgramBuilder('grouped_matmul');
  const routed = times(dim('tokens'), active);
  const x = p.view('x', 'f32', 'read', { tokens: dim('tokens'), k });
  const offsets = p.view('offsets', 'i32', 'read', { bounds: experts + 1 });
  const members = p.view('members', 'i32', 'read', { routed });
  const w = p.view('w', dtype, 'read', { experts, n, k }, { packing });
  const y = p.view('y', 'f32', 'write', { routed, n });
  const expert = p.gridAxis('expert', experts);
  const columns = range('n', times(p.gridAxis('n', ceilDivide(n, bn)), bn), bn);
  const end = p.let_('end', element(offsets, { kind: 'add', a: expert, b: { kind: 'int', value: 1 } }));
  p.loop('row', element(offsets, expert), end, bm, [], (row: Scalar) => {
    const member = p.load(members, [range('rows', row, bm, end)], { fill: -1 });
    const token = p.apply('floor_divide', member, active);
    const acc = product(p, x, [token], w, [expert, columns], k, bk, [{ name: 'rows', size: bm }, { name: 'n', size: bn }]);
    p.store(y, [member, columns], acc);
    return [];
  });

  const random = new Random(seed);
  const vx = random.values(tokens * k);
  const ids = random.ints(tokens * active, experts);
  const stored = storeWeight(random, packing, { experts, n, k }, dtype);
  const expected = new Float32Array(tokens * active * n);
  ids.forEach((id, i) => expected.set(plainProduct(vx, Math.floor(i / active), stored.values, id * n * k, n, k), i * n));
  return {
    name: `grouped_matmul ${weight} ${tokens}x${active} of ${experts}x${n}x${k}`, program: p.finish(), dims: { tokens }, tolerance: 1e-5, expected: { y: expected },
    buffers: { x: f32Bytes(vx), offsets: i32Bytes(groupOffsets(ids, experts)), members: i32Bytes(groupMembers(ids)), w: stored.bytes, y: blank(tokens * active * n, 'f32') },
  };
}
