/** What the forms of dots share: extents known at run time, blocks of rows, loops, and long sums in stretches. */
import type { TileAxis } from '../../compiler/ir/kernel.js';
import { addCoordinates, variableAt } from './coordinate.js';
import { stretch, type DotStatement } from './dot-form.js';
import type { Operand } from './dot-operand.js';
import type { KernelContext } from './kernel-context.js';
import type { Microkernel } from './microkernels.js';
import { emitNest } from './nest.js';
import { only, type Coordinates } from './point.js';
import { crowdedDistance } from './layout.js';
import { elementOf } from './statements.js';

/** With more rows than this, packed and 16-bit weights are widened once per block of lanes and used by all rows. */
export const mostDirectRows = 8;

/** `count`: C++ name of the number of places that matter, if that is not all; `zeros`: the others are in memory, and zero. */
export interface Extent { readonly size: number; readonly count?: string; readonly zeros?: boolean }

export function smaller(k: KernelContext, size: number, counts: readonly (string | undefined)[]): Extent {
  const known = [...new Set(counts.filter((c): c is string => c !== undefined))];
  if (known.length === 0) return { size };
  const name = k.fresh('n');
  k.line(`const int ${name} = (int)${known.reduce((a, b) => `minimum64(${a}, ${b})`)};`);
  return { size, count: name };
}

export function sizeOfAxis(k: KernelContext, s: DotStatement, name: string | undefined): number {
  return [...k.tile(s.a).shape, ...k.tile(s.b).shape].find((a) => a.name === name)?.size ?? 1;
}

/** Loops over `axes`, then `body` with their coordinates. */
export function overAxes(k: KernelContext, axes: readonly TileAxis[], at: Coordinates, body: (at: Coordinates) => void): void {
  if (axes.length === 0) return body(at);
  const [axis, ...rest] = axes;
  const i = k.fresh('i');
  k.block(`for (int ${i} = 0; ${i} < ${axis.size}; ++${i}) `, () => overAxes(k, rest, new Map([...at, [axis.name, variableAt(i, { lo: 0, hi: axis.size - 1 })]]), body));
}

export function use(k: KernelContext, kernel: Microkernel): string {
  k.microkernels.set(kernel.name, kernel.text);
  return kernel.name;
}

export function guarded(k: KernelContext, conditions: readonly string[], body: () => void): void {
  if (conditions.length === 0) body();
  else k.block(`if (${[...new Set(conditions)].join(' && ')}) `, body);
}

/** Rows of the smaller block next to one of `most`: as few as still keep the multipliers busy. */
const fewerRows = 4;

/** Blocks of at most `most` rows that differ by one at most: a block of one or two rows takes as long as one of four. */
export function rowBlocks(k: KernelContext, rows: Extent, most: number, call: (rows: number, m: string) => void): void {
  const { size, count } = rows;
  if (count !== undefined) return k.block('', () => countedBlocks(k, rows, most, call));
  const blocks = Math.ceil(size / most);
  const small = Math.floor(size / blocks);
  const large = size - small * blocks;
  const run = (n: number, each: number, from: number): void => {
    if (n === 1) call(each, String(from));
    else if (n > 1) k.block(`for (int m = ${from}; m < ${from + n * each}; m += ${each}) `, () => call(each, 'm'));
  };
  run(large, small + 1, 0);
  run(blocks - large, small, large * (small + 1));
}

/** Where rows beyond the last are zeros, the last block may take some along: five rows and more are a sum of sixes and fours. */
function countedBlocks(k: KernelContext, { size, count, zeros }: Extent, most: number, call: (rows: number, m: string) => void): void {
  k.line('int m = 0;');
  if (zeros && most >= 6 && size % fewerRows === 0) {
    k.block(`for (; ${count} - m > ${2 * fewerRows}${most < 2 * fewerRows ? ` || ${count} - m == ${most} || ${count} - m == ${most - 1}` : ''}; m += ${most}) `, () => call(most, 'm'));
    k.block(`for (; m < ${count}; m += ${fewerRows}) `, () => call(fewerRows, 'm'));
    return;
  }
  for (const now of [most, fewerRows, 2, 1].filter((r, i) => r < most || i === 0)) k.block(`for (; m + ${now} <= ${count}; m += ${now}) `, () => call(now, 'm'));
}

/** Number of groups in a stretch of the summed axis. */
export function groupsText(along: Extent, group: number): string {
  return along.count === undefined ? String(along.size / group) : `(${along.count} + ${group - 1}) / ${group}`;
}

export function pointee(b: Operand): string {
  return b.group > 0 ? 'uint8_t' : b.kind === 'f32' ? 'float' : 'uint16_t';
}

export interface Walk {
  readonly a: Operand; readonly b: Operand;
  readonly rows: Extent; readonly along: Extent;
  /** Name of the innermost summed axis, and coordinates of all loops around. */
  readonly axis: string; readonly at: Coordinates;
  readonly am: number; readonly ak: number; readonly bk: number;
}

/**
 * Declares the pointers `a` and `b` and calls `body` with the summed axis and the distance of rows of a. With many rows,
 * or operands that are computed, a long axis is walked in stretches whose part of both operands stays in the caches
 * while all rows and lanes use it; the rows are moved together, since rows a power of two apart evict each other.
 */
export function inStretches(k: KernelContext, w: Walk, body: (along: Extent, am: number, rows: Extent) => void): void {
  const { a, b, along, at } = w;
  const walks = along.size > stretch && (w.rows.size > mostDirectRows || a.piecewise !== undefined || b.piecewise !== undefined);
  const [nameA, nameB] = walks ? ['a0', 'b0'] : ['a', 'b'];
  k.line(`const float* ${nameA} = ${a.pointer(at)};`);
  k.line(`const ${pointee(b)}* ${nameB} = ${b.pointer(at)};`);
  if (!walks) return body(along, w.am, w.rows);
  const near = !a.piecewise && w.ak === 1 && w.rows.size > 1 && w.am % crowdedDistance === 0;
  if (near) k.line(`alignas(64) float near[${w.rows.size * nearDistance}];`);
  k.block(`for (int k0 = 0; k0 < ${along.count ?? along.size}; k0 += ${stretch}) `, () => {
    const whole = along.count === undefined && along.size % stretch === 0;
    if (!whole) k.line(`const int now = (int)minimum64(${stretch}, ${along.count ?? along.size} - k0);`);
    const part: Extent = { size: stretch, ...(whole ? {} : { count: 'now' }) };
    if (near) moveRows(k, w, part);
    else k.line(`const float* a = a0${a.piecewise ? '' : ` + k0 * ${w.ak}`};`);
    const step = b.group > 1 ? `k0 / ${b.group} * (int64_t)${w.bk}` : `k0 * (int64_t)${w.bk}`;
    k.line(`const ${pointee(b)}* b = b0${b.piecewise ? '' : ` + ${step}`};`);
    for (const operand of [a, b]) computePiece(k, operand, w, part);
    body(part, near ? nearDistance : w.am, near ? { ...w.rows, zeros: true } : w.rows);
  });
}

/** Elements between rows of `near`. */
const nearDistance = stretch + 16;

function moveRows(k: KernelContext, w: Walk, part: Extent): void {
  const n = w.b.group > 1 ? `${groupsText(part, w.b.group)} * ${w.b.group}` : part.count ?? part.size;
  k.line(`for (int m = 0; m < ${w.rows.count ?? w.rows.size}; ++m) move(near + m * ${nearDistance}, a0 + m * ${w.am} + k0, ${n});`);
  if (w.rows.count !== undefined) k.line(`for (int m = ${w.rows.count}; m < ${w.rows.size} && m < ${w.rows.count} + ${fewerRows - 1}; ++m) memset(near + m * ${nearDistance}, 0, ${n} * sizeof(float));`);
  k.line('const float* a = near;');
}

/** Fills the array of a piecewise operand from `k0`; what lies beyond the axis is 0. */
function computePiece(k: KernelContext, operand: Operand, w: Walk, part: Extent): void {
  const piece = operand.piecewise;
  if (!piece) return;
  const { slot, tile, axes } = piece;
  if (part.count) k.line(`memset(${slot.name}, 0, sizeof ${slot.name});`);
  const from = variableAt('k0', { lo: 0, hi: Math.floor((w.along.size - 1) / stretch) * stretch, multiple: stretch });
  emitNest(k, {
    axes: axes.map((a) => (a.name === w.axis && part.count ? { ...a, hi: part.count } : a)), roots: [tile],
    body: (point, inside) => {
      const place = inside.get(w.axis);
      const full = new Map([...w.at, ...inside, ...(place ? [[w.axis, addCoordinates(from, place)] as const] : [])]);
      k.line(`${elementOf(slot, inside)} = ${point.value(tile, only(k, tile, full)).text};`);
    },
  });
}
