/**
 * Scales of blocks (fp8) belong to the stored matrix; kernels read a scale per group of neighbours along the axis they
 * sum over. A group may be as long as no block border ever lies inside one.
 *
 *   "(heads (nope | value)) rank", nope = value = 128, blocks of 128: along nope, groups of 128
 *   the same with nope = 32, value = 24: head h starts at row 56 h, so only groups of gcd(128, 56) = 8 are never cut
 */
import { gcd } from '../ir/divisors.js';
import type { ParamDecl } from '../ir/graph.js';
import type { WeightSources } from '../ir/weight-sources.js';
import { plainWindow, type SizedAxis, type Window } from './weight-layout.js';

/** The longest such group, not longer than the axis needs (a multiple of 4); 0 if only a group per element would do. */
export type Alignment = (decl: ParamDecl, along: string, block: number) => number;

/** `sources`: where parameters are stored; those it lacks are taken as stored as declared. */
export function alignmentFor(sources?: WeightSources): Alignment {
  const byPath = new Map(sources?.weights.map((w) => [w.path, w]));
  return (decl, along, block) => {
    const axes = decl.type.axes.map((a): SizedAxis => ({ name: a.name, size: (a.size as number) * (decl.shard?.find((s) => s.axis === a.name)?.count ?? 1) }));
    const part = decl.type.axes.find((a) => a.name === along)!.size as number;
    const found = groupWithin(byPath.get(decl.paths[0]) ?? plainWindow(axes), along, block);
    const sharded = decl.shard?.some((s) => s.axis === along) === true;
    return leastPadded(sharded ? gcd(found, part) : found, part);
  };
}

/** Of the groups that divide `longest`, the one with which `size` elements of a byte and their scales take least. */
function leastPadded(longest: number, size: number): number {
  if (size <= longest) return Math.ceil(size / 4) * 4;
  const bytes = (group: number): number => Math.ceil(size / group) * (group + 4);
  let best = longest;
  for (let group = longest; group >= 4 && Number.isInteger(group); group /= 2) if (bytes(group) < bytes(best)) best = group;
  return best;
}

function groupWithin({ shape, offset, axes }: Window, along: string, block: number): number {
  const columns = shape[shape.length - 1];
  const rows = shape[shape.length - 2] ?? 1;
  const step = axes.find((a) => a.name === along)!.stride;
  const inColumns = step < columns;
  const [unit, extent] = inColumns ? [1, columns] : [columns, rows];
  if (extent <= block) return block;
  const sameDim = axes.filter((a) => a.name !== along && a.size > 1 && (inColumns ? a.stride < columns : a.stride >= columns && a.stride < columns * rows));
  const start = Math.floor(offset / unit) % extent;
  const common = sameDim.reduce((n, a) => gcd(n, a.stride / unit), gcd(block, start));
  return common % (step / unit) === 0 ? common / (step / unit) : 0;
}
