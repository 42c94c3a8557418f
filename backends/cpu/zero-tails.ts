/**
 * Rows of a tile that are zero because they were loaded through indices outside their view: a list shorter than a tile
 * (an expert's tokens) names nothing beyond its end. Dots leave those rows out.
 */
import type { Scalar, TileId } from '../../compiler/ir/kernel.js';
import type { Expr } from '../../compiler/ir/expr.js';
import type { Defining, ProgramIndex } from './program-index.js';

/** Places from `limit - start` on are outside. */
export interface Tail { readonly start: Scalar; readonly limit: Scalar }

/** Where the zeros at the end of `axis` begin, if the program shows it. */
export function zeroTail(index: ProgramIndex, id: TileId, axis: string): Tail | undefined {
  const s = statementOf(index, id);
  switch (s?.op) {
    case 'load': return s.fill === 0 ? outsideTail(index, s.at, axis) : undefined;
    case 'rename': return zeroTail(index, s.value, axis === s.to ? s.from : axis);
    case 'map': return zeroFactors(s.expr).map((i) => zeroTail(index, s.args[i], axis)).find((t) => t !== undefined);
    default: return undefined;
  }
}

/** Arguments whose zeros make the expression zero. */
function zeroFactors(e: Expr): number[] {
  if (e.kind === 'arg') return [e.index];
  if (e.kind === 'cast') return zeroFactors(e.value);
  return e.kind === 'call' && e.fn === 'multiply' ? e.args.flatMap(zeroFactors) : [];
}

function outsideTail(index: ProgramIndex, at: Extract<Defining, { op: 'load' }>['at'], axis: string): Tail | undefined {
  for (const i of at) {
    if (i.kind === 'range' && i.axis === axis && i.limit) return { start: i.start, limit: i.limit };
    const tail = i.kind === 'tile' ? negativeTail(index, i.tile, axis) : undefined;
    if (tail) return tail;
  }
  return undefined;
}

/** Where an index tile becomes negative for good. */
function negativeTail(index: ProgramIndex, id: TileId, axis: string): Tail | undefined {
  const s = statementOf(index, id);
  if (s?.op === 'load') return s.fill < 0 ? outsideTail(index, s.at, axis) : undefined;
  if (s?.op !== 'map' || s.expr.kind !== 'call' || s.expr.fn !== 'floor_divide') return undefined;
  const [dividend, divisor] = s.expr.args;
  if (dividend.kind !== 'arg' || !isPositive(index, divisor, s.args)) return undefined;
  return negativeTail(index, s.args[dividend.index], axis);
}

function isPositive(index: ProgramIndex, e: Expr, args: readonly TileId[]): boolean {
  if (e.kind === 'number') return e.value > 0;
  const s = e.kind === 'arg' ? statementOf(index, args[e.index]) : undefined;
  return s?.op === 'full' && s.value > 0;
}

function statementOf(index: ProgramIndex, id: TileId): Defining | undefined {
  const d = index.definitions.get(id);
  return d?.role === 'op' ? (d.statement as Defining) : undefined;
}
