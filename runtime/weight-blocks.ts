/**
 * A weight is packed and written block by block, so that a matrix of many gigabytes never stands in host memory. A
 * block is a box of the weight whose packed bytes are contiguous: leading axes of the packing's order at one index, and
 * a stretch of the next.
 */
import { packedBytes } from '../compiler/kernels/packing-address.js';
import type { Packing } from '../compiler/ir/packing.js';
import type { Weight } from '../compiler/ir/plan.js';

export interface Block {
  /** Index along every axis that is fixed. */
  readonly fixed: ReadonlyMap<string, number>;
  /** The axis of which the block holds a stretch, and where the stretch starts. */
  readonly along: string | undefined;
  readonly start: number;
  /** First place along other axes, where that is not 0: the block belongs to a rank's part of the weight. */
  readonly origin: ReadonlyMap<string, number>;
  /** What remains, in the weight's axis order. */
  readonly axes: readonly { readonly name: string; readonly size: number }[];
  readonly packing: Packing;
  /** Of the block's first byte in the weight's buffer. */
  readonly offset: number;
}

/** About 64 MiB of f32 while a block is converted. */
const blockElements = 1 << 24;

/** Blocks in the order of their bytes. Every axis in `single` is at one index in each block. */
export function* weightBlocks(weight: Weight, single: ReadonlySet<string>, limit = blockElements): Generator<Block> {
  const { order } = weight.packing;
  const size = new Map(weight.axes.map((a) => [a.name, a.size]));
  const sizes = order.map((name) => size.get(name)!);
  const fixedCount = countFixed(weight, sizes, single, limit);
  const inner = order.slice(fixedCount);
  const packing = { ...weight.packing, order: inner } as Packing;
  const bytesOf = (rows: number): number =>
    packedBytes(packing, inner.map((name, i) => ({ name, size: i === 0 ? rows : size.get(name)! })), weight.dtype);
  const along = inner[0];
  const extent = along === undefined ? 1 : size.get(along)!;
  const step = along === undefined ? 1 : chunk(weight.packing, along, sizes.slice(fixedCount + 1), limit);
  const outer = sizes.slice(0, fixedCount).reduce((n, s) => n * s, 1);
  for (let linear = 0; linear < outer; linear++) {
    const fixed = unravel(order.slice(0, fixedCount), sizes, linear);
    const base = weight.offset + linear * bytesOf(extent);
    for (let start = 0; start < extent; start += step) {
      const rows = Math.min(step, extent - start);
      const axes = weight.axes.filter((a) => !fixed.has(a.name)).map((a) => (a.name === along ? { name: a.name, size: rows } : a));
      yield { fixed, along, start, origin: new Map(), axes, packing, offset: base + (start === 0 ? 0 : bytesOf(start)) };
    }
  }
}

/** Leading axes of the order to fix: those in `single`, then as many as it takes to get below the limit. */
function countFixed(weight: Weight, sizes: readonly number[], single: ReadonlySet<string>, limit: number): number {
  const { packing } = weight;
  const most = packing.kind === 'dense' ? packing.order.length - 1 : packing.order.indexOf(packing.lanes);
  let count = 0;
  while (count < most) {
    const inner = sizes.slice(count + 1).reduce((n, s) => n * s, 1);
    const mustGoOn = packing.order.slice(count).some((name) => single.has(name));
    if (!mustGoOn && (inner <= limit || sizes[count] === 1)) break;
    count++;
  }
  const left = packing.order.slice(count).find((name) => single.has(name));
  if (left !== undefined) throw new Error(`weights: '${weight.path}' is stored per '${left}' but packed with it inside (${packing.order.join(', ')})`);
  return Math.max(count, 0);
}

function chunk(packing: Packing, along: string, inner: readonly number[], limit: number): number {
  const rows = Math.max(1, Math.floor(limit / Math.max(1, inner.reduce((n, s) => n * s, 1))));
  if (packing.kind === 'dense' || packing.lanes !== along) return rows;
  return Math.max(1, Math.floor(rows / packing.width)) * packing.width;
}

function unravel(names: readonly string[], sizes: readonly number[], linear: number): Map<string, number> {
  const out = new Map<string, number>();
  let rest = linear;
  for (let i = names.length - 1; i >= 0; i--) {
    out.set(names[i], rest % sizes[i]);
    rest = Math.floor(rest / sizes[i]);
  }
  return new Map([...out].reverse());
}
