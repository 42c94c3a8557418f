/** The instructions of one product on one slot of its buffers. */
import type { Scalar } from '../../compiler/ir/kernel.js';
import { int, variable } from '../../compiler/ir/kernel.js';
import { plus, times } from '../../compiler/kernels/scalar.js';
import { leftLayout, paddedSize, rightLayout } from './fragments.js';
import { classifyConversion } from './layout.js';
import type { Statement } from './lowered.js';
import type { Lowering } from './lowering.js';
import type { Product } from './operands.js';

/** Where an operand lies in its buffer: byte-free, in rows and elements. */
export interface Spot { readonly buffer: string; readonly slot: Scalar; readonly row: number; readonly column: number }

export interface ProductSpots { readonly left?: Spot; readonly right: Spot }

function anchorOf(l: Lowering, product: Product) {
  return l.layouts.anchors.find((a) => a.product === product)!;
}

function depth(product: Product): number {
  return Math.ceil(product.left.tile.shape.find((a) => a.name === product.k)!.size / 16) * 16;
}

/** mma.sync: operands by ldmatrix in stretches of 16. `d`: the accumulators. */
export function mmaSteps(l: Lowering, product: Product, d: number, spots: ProductSpots): Statement[] {
  const { layout, grid } = anchorOf(l, product);
  const [m, n] = layout.axes;
  const step = { name: product.k, size: 16 };
  const b = l.fragment(`b${product.dot.out.id}`, 'bf16', rightLayout(n, step, grid));
  const right = (at: Scalar): Statement => loadRight(product, b, spots.right, at);
  const { left } = product;
  if (left.kind === 'packed') return packedSteps(l, product, d, spots, right);
  if (left.kind === 'registers') {
    const whole = leftLayout(m, { name: product.k, size: paddedSize(depth(product), 16) }, grid);
    const a = l.fragment(`a${product.dot.out.id}`, 'bf16', whole);
    const fill = computeLeft(l, product, a);
    return [fill, steps(depth(product) / 16, true, (at) => [right(at), { op: 'mma', d, left: { kind: 'registers', fragment: a, step: at }, right: b }], product)];
  }
  const a = l.fragment(`a${product.dot.out.id}`, 'bf16', leftLayout(m, step, grid));
  const { buffer, slot, row, column } = spots.left!;
  return [steps(depth(product) / 16, depth(product) <= 128, (at) => [
    { op: 'load_matrix', out: a, side: 'left', buffer, slot, row: int(row), column: plus(times(at, 16), column), transposed: false },
    right(at), { op: 'mma', d, left: { kind: 'registers', fragment: a, step: int(0) }, right: b },
  ], product)];
}

function steps(count: number, unroll: boolean, body: (at: Scalar) => Statement[], product: Product): Statement {
  const name = `step_${product.dot.out.id}`;
  return { op: 'for', variable: name, lo: int(0), hi: int(count), step: int(1), unroll, body: body(variable(name)) };
}

function loadRight(product: Product, out: number, spot: Spot, at: Scalar): Statement {
  const { transposed } = product.right;
  const along = times(at, 16);
  return {
    op: 'load_matrix', out, side: 'right', buffer: spot.buffer, slot: spot.slot, transposed,
    row: transposed ? plus(along, spot.row) : int(spot.row), column: transposed ? int(spot.column) : plus(along, spot.column),
  };
}

/** A computed left operand, rounded to bf16 where it already lies. */
function computeLeft(l: Lowering, product: Product, out: number): Statement {
  if (product.left.kind !== 'registers') throw new Error('lowering for CUDA: a left operand that is not computed');
  const { id, tile } = product.left;
  const fragment = l.values.fragments.get(id);
  const to = l.fragments[out].layout;
  if (fragment !== undefined) {
    const move = classifyConversion(l.fragments[fragment].layout, to);
    if (move !== 'identity') throw l.values.error(id, `lies otherwise than the left operand of %${product.dot.out.id} (${move}): no conversion`);
  }
  return { op: 'compute', out, value: { kind: 'cast', to: 'bf16', from: tile.dtype, value: l.values.valueAt(id) } };
}

/** Codes become bf16 fragments, 64 columns at a time. */
function packedSteps(l: Lowering, product: Product, d: number, spots: ProductSpots, right: (at: Scalar) => Statement): Statement[] {
  const { layout, grid } = anchorOf(l, product);
  const a = l.fragment(`a${product.dot.out.id}`, 'bf16', leftLayout(layout.axes[0], { name: product.k, size: 64 }, grid));
  const mma = right(int(0));
  if (mma.op !== 'load_matrix') throw new Error('lowering for CUDA: the right operand is not loaded');
  return Array.from({ length: depth(product) / 64 }, (_, block): Statement[] => [
    { op: 'dequantize', out: a, buffer: spots.left!.buffer, slot: spots.left!.slot, step: block * 4, group: groupOf(l, product) },
    ...Array.from({ length: 4 }, (_, s): Statement[] => [right(int(block * 4 + s)), { op: 'mma', d, left: { kind: 'registers', fragment: a, step: int(s) }, right: mma.out }]).flat(),
  ]).flat();
}

export function groupOf(l: Lowering, product: Product): number {
  if (product.left.kind !== 'packed') throw new Error('lowering for CUDA: no packed operand');
  const { packing } = l.values.view(product.left.load.view);
  if (packing.kind !== 'int4-mma') throw new Error('lowering for CUDA: no packed operand');
  return packing.group;
}

/**
 * wgmma on one slot. Codes are unpacked into two fragments in turn, since the registers of one must stay as they are until
 * the instruction that reads them is done. The statements leave at most the last group under way; `released` goes where the
 * groups of the slot before are known to be done.
 */
export function wgmmaSteps(l: Lowering, product: Product, d: number, spots: ProductSpots, released: readonly Statement[]): Statement[] {
  const { layout, grid } = anchorOf(l, product);
  const { right, left } = spots;
  const b = (at: number) => ({ kind: 'shared', buffer: right.buffer, slot: right.slot, column: int(at * 16 + right.column) } as const);
  if (product.right.transposed) throw l.values.error(product.dot.out.id, 'has a right operand contiguous along its columns, which wgmma has no layout for here');
  const count = depth(product) / 16;
  if (product.left.kind === 'shared') {
    const each = Array.from({ length: count }, (_, s): Statement => ({ op: 'wgmma', d, left: { kind: 'shared', buffer: left!.buffer, slot: left!.slot, column: int(s * 16 + left!.column) }, right: b(s) }));
    return [{ op: 'wgmma_fence' }, ...each, { op: 'wgmma_commit' }, { op: 'wgmma_wait', pending: 1 }, ...released];
  }
  if (product.left.kind !== 'packed') throw l.values.error(product.dot.out.id, 'has a computed left operand, which is not pipelined with wgmma');
  const axis = { name: product.k, size: 32 };
  const halves = [0, 1].map((h) => l.fragment(`a${product.dot.out.id}_${h}`, 'bf16', leftLayout(layout.axes[0], axis, grid)));
  return Array.from({ length: count / 2 }, (_, h): Statement[] => [
    { op: 'dequantize', out: halves[h % 2], buffer: left!.buffer, slot: left!.slot, step: h * 2, group: groupOf(l, product) },
    { op: 'wgmma_fence' },
    ...[0, 1].map((s): Statement => ({ op: 'wgmma', d, left: { kind: 'registers', fragment: halves[h % 2], step: int(s) }, right: b(h * 2 + s) })),
    { op: 'wgmma_commit' }, { op: 'wgmma_wait', pending: 1 }, ...(h === 0 ? released : []),
  ]).flat();
}
