/**
 * Layouts of a program's values. Products are the anchors: the instruction fixes how their accumulators lie; every other
 * value lies as the anchor that has its axes, or as a slice of it. Whatever would need data to move between lanes is refused.
 */
import type { Tile, TileAxis } from '../../compiler/ir/kernel.js';
import { accumulatorLayout, paddedSize, type WarpGrid } from './fragments.js';
import { registerMap, sliceLayout, type Layout } from './layout.js';
import type { Architecture } from './lowered.js';
import type { Product } from './operands.js';
import { operandsOf, type TileValues } from './values.js';

export interface Assignment {
  readonly anchors: readonly { readonly product: Product; readonly layout: Layout; readonly grid: WarpGrid }[];
  /** Warps that compute. */
  readonly warps: number;
  layoutFor(tile: Tile): Layout;
}

export function assignLayouts(values: TileValues, products: readonly Product[], architecture: Architecture, wanted: number): Assignment {
  const rows = architecture === 'sm_90a' ? 64 : 16;
  const sized = products.map((product) => ({ product, chained: products.some((p) => feeds(values, product, p)), ...sizesOf(product, rows) }));
  const { m, n } = chooseGrid(sized, rows, wanted);
  const anchors = sized.map((s) => {
    const grid: WarpGrid = { m, n, repeat: s.chained, rows };
    return { product: s.product, grid, layout: accumulatorLayout(s.m, s.n, grid) };
  });
  const layoutFor = (tile: Tile): Layout => {
    const found = anchors.find((a) => tile.shape.every((x) => a.layout.axes.some((y) => y.name === x.name)));
    if (!found) throw values.error(tile.id, `has axes ${tile.shape.map((a) => a.name).join(', ')}, which no product has`);
    return tile.shape.length === 2 ? found.layout : sliceLayout(found.layout, tile.shape.map((a) => a.name));
  };
  for (const a of anchors) for (const b of anchors) {
    const shared = a.layout.axes.map((x) => x.name).filter((x) => b.layout.axes.some((y) => y.name === x));
    if (!registerMap(a.layout, sliceLayout(b.layout, shared))) throw values.error(b.product.dot.out.id, `and %${a.product.dot.out.id} lie differently along ${shared.join(', ')}: no conversion`);
  }
  return { anchors, warps: m * n, layoutFor };
}

interface Sized { readonly chained: boolean; readonly m: TileAxis; readonly n: TileAxis }

function sizesOf(product: Product, rows: number): { m: TileAxis; n: TileAxis } {
  const axis = (name: string, least: number): TileAxis => ({ name, size: paddedSize(product.dot.out.shape.find((a) => a.name === name)!.size, least) });
  return { m: axis(product.m, rows), n: axis(product.n, 8) };
}

/** Whether the result of `from` becomes an operand of `to` held in registers. */
function feeds(values: TileValues, from: Product, to: Product): boolean {
  const seen = new Set<number>();
  const reaches = (id: number): boolean => {
    if (id === from.dot.out.id) return true;
    if (seen.has(id)) return false;
    seen.add(id);
    const s = values.definitions.get(id);
    return s !== undefined && s.op !== 'for' && operandsOf(s).some(reaches);
  };
  return to.left.kind === 'registers' && reaches(to.left.id);
}

/** The warps per direction that read the least shared memory; those of a chain stand one below the other as far as rows go. */
function chooseGrid(products: readonly Sized[], rows: number, wanted: number): { m: number; n: number } {
  const least = (pick: (p: Sized) => number): number => Math.min(...products.map(pick));
  const [m, n] = [least((p) => p.m.size), least((p) => (p.chained ? Infinity : p.n.size))];
  if (rows === 64) return { m: 4 * Math.max(1, Math.min(wanted / 4, m / 64)), n: 1 };
  const chained = products.some((p) => p.chained);
  let best = { m: 1, n: 1, score: Infinity };
  for (let wm = 1; wm <= Math.min(wanted, m / 16); wm *= 2) {
    const wn = Math.min(wanted / wm, n / 8);
    const score = chained ? -wm : m / wm + n / wn + (wanted / (wm * wn)) * 1024;
    if (score < best.score) best = { m: wm, n: wn, score };
  }
  return best;
}
