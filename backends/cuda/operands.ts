/** Where the operands of a product come from: shared memory by asynchronous copies, packed codes, or registers. */
import { gcd } from '../../compiler/ir/divisors.js';
import type { Index, Scalar, Statement as TileStatement, Tile, TileId } from '../../compiler/ir/kernel.js';
import { constantOf } from '../../compiler/kernels/scalar.js';
import type { TileValues } from './values.js';

export type Load = Extract<TileStatement, { op: 'load' }>;
export type Dot = Extract<TileStatement, { op: 'dot' }>;

export type Source =
  /** Rows of bf16 in memory; `transposed`: the contracted axis is the row axis. */
  | { readonly kind: 'shared'; readonly load: Load; readonly row: string; readonly column: string; readonly transposed: boolean; readonly own: string; readonly tile: Tile }
  | { readonly kind: 'packed'; readonly load: Load; readonly own: string; readonly tile: Tile }
  /** Computed; rounded to bf16 when it is used. */
  | { readonly kind: 'registers'; readonly id: TileId; readonly own: string; readonly tile: Tile };

/** A product as the matrix instructions want it: left is m by k (registers allowed), right is n by k in shared memory. */
export interface Product {
  readonly dot: Dot;
  readonly left: Source;
  readonly right: Extract<Source, { kind: 'shared' }>;
  readonly m: string; readonly n: string; readonly k: string;
}

/** Throws, naming the product and why, if it has no form on tensor cores. */
export function productOf(values: TileValues, dot: Dot): Product {
  const fail = (why: string): never => { throw values.error(dot.out.id, `has no form on tensor cores: ${why}`); };
  if (dot.over.length !== 1) fail(`it sums over ${dot.over.length} axes`);
  const k = dot.over[0];
  const [a, b] = [dot.a, dot.b].map((id) => sourceOf(values, id, k, fail));
  const rank = { packed: 2, registers: 1, shared: 0 };
  const [left, right] = rank[b.kind] > rank[a.kind] ? [b, a] : [a, b];
  if (right.kind !== 'shared') return fail(`neither operand lies in memory as it is used: ${left.kind} and ${right.kind}`);
  if (left.kind === 'shared' && left.transposed) fail('the left operand is contiguous along its rows');
  return { dot, left, right, m: left.own, n: right.own, k };
}

function sourceOf(values: TileValues, id: TileId, k: string, fail: (why: string) => never): Source {
  const tile = values.tiles.get(id)!;
  const own = tile.shape.filter((x) => x.name !== k);
  if (tile.shape.length !== 2 || own.length !== 1) return fail(`operand %${id} has axes ${tile.shape.map((x) => x.name).join(', ')}`);
  const load = values.definitions.get(id)!;
  const common = { own: own[0].name, tile };
  if (load.op === 'load' && values.view(load.view).packing.kind === 'int4-mma') return { kind: 'packed', load, ...common };
  const last = load.op === 'load' ? contiguous(values, load) : undefined;
  if (load.op !== 'load' || !last) return { kind: 'registers', id, ...common };
  const row = tile.shape.find((x) => x.name !== last)!.name;
  return { kind: 'shared', load, row, column: last, transposed: row === k, ...common };
}

/** The tile axis along which 16-byte chunks of the load are contiguous and aligned in memory. */
function contiguous(values: TileValues, load: Load): string | undefined {
  const view = values.view(load.view);
  const index = load.at[load.at.length - 1];
  if (view.dtype !== 'bf16' || view.packing.kind !== 'dense' || load.fill !== 0 || index?.kind !== 'range' || index.limit) return undefined;
  const inner = view.axes.map((a, d) => (d === 0 ? 0 : constantOf(a.extent)));
  const extent = constantOf(view.axes[view.axes.length - 1].extent);
  if (extent === undefined || extent % 8 !== 0 || inner.some((e) => e === undefined)) return undefined;
  if (view.strides && (view.strides.at(-1) !== 1 || view.strides.slice(0, -1).some((s) => s % 8 !== 0))) return undefined;
  return factorOf(index.start, stepsOf(values.program.body)) % 8 === 0 ? index.axis : undefined;
}

/** Loop variables -> a number that divides them. */
function stepsOf(body: readonly TileStatement[], out = new Map<string, number>()): Map<string, number> {
  for (const s of body) {
    if (s.op === 'for') { out.set(s.variable, gcd(s.step, constantOf(s.lo) ?? 1)); stepsOf(s.body, out); }
    if (s.op === 'if') stepsOf(s.body, out);
  }
  return out;
}

/** A number that divides `s`; 0 for zero. */
function factorOf(s: Scalar, steps: ReadonlyMap<string, number>): number {
  switch (s.kind) {
    case 'int': return Math.abs(s.value);
    case 'var': return steps.get(s.name) ?? 1;
    case 'multiply': return factorOf(s.a, steps) * factorOf(s.b, steps);
    case 'add': case 'subtract': case 'minimum': case 'maximum': return gcd(factorOf(s.a, steps), factorOf(s.b, steps));
    default: return 1;
  }
}

/** TMA reaches what is a box of the view: places and stretches, no index tiles. */
export function isBox(at: readonly Index[]): boolean {
  return at.every((i) => i.kind === 'point' || (i.kind === 'range' && !i.limit));
}
