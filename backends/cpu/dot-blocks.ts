/** What the forms of dots share: extents known at run time, blocks of rows, loops, and long sums in stretches. */
import type { TileAxis } from '../../compiler/ir/kernel.js';
import { addCoordinates, variableAt } from './coordinate.js';
import { stretch, type DotStatement } from './dot-form.js';
import type { Operand } from './dot-operand.js';
import type { KernelContext } from './kernel-context.js';
import type { Microkernel } from './microkernels.js';
import { emitNest } from './nest.js';
import { only, type Coordinates } from './point.js';
import { elementOf } from './statements.js';

/** With more rows than this, packed and 16-bit weights are widened once per block of lanes and used by all rows. */
export const mostDirectRows = 8;

/** `count`: C++ name of the number of places that matter, if that is not all. */
export interface Extent { readonly size: number; readonly count?: string }

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

export function rowBlocks(k: KernelContext, rows: Extent, most: number, call: (rows: number, m: string) => void): void {
  const { size, count } = rows;
  if (count === undefined) {
    const whole = Math.floor(size / most);
    if (whole === 1) call(most, '0');
    else k.block(`for (int m = 0; m < ${whole * most}; m += ${most}) `, () => call(most, 'm'));
    if (size % most > 0) call(size % most, String(whole * most));
    return;
  }
  k.block('', () => {
    k.line('int m = 0;');
    for (const rowsNow of [...new Set([most, 2, 1].filter((r) => r <= most))]) k.block(`for (; m + ${rowsNow} <= ${count}; m += ${rowsNow}) `, () => call(rowsNow, 'm'));
  });
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
export function inStretches(k: KernelContext, w: Walk, body: (along: Extent, am: number) => void): void {
  const { a, b, along, at } = w;
  const walks = along.size > stretch && (w.rows.size > mostDirectRows || a.piecewise !== undefined || b.piecewise !== undefined);
  const [nameA, nameB] = walks ? ['a0', 'b0'] : ['a', 'b'];
  k.line(`const float* ${nameA} = ${a.pointer(at)};`);
  k.line(`const ${pointee(b)}* ${nameB} = ${b.pointer(at)};`);
  if (!walks) return body(along, w.am);
  const near = !a.piecewise && w.ak === 1 && w.rows.size > 1;
  if (near) k.line(`alignas(64) float near[${w.rows.size * stretch}];`);
  k.block(`for (int k0 = 0; k0 < ${along.count ?? along.size}; k0 += ${stretch}) `, () => {
    const whole = along.count === undefined && along.size % stretch === 0;
    if (!whole) k.line(`const int now = (int)minimum64(${stretch}, ${along.count ?? along.size} - k0);`);
    const part: Extent = { size: stretch, ...(whole ? {} : { count: 'now' }) };
    if (near) moveRows(k, w, part);
    else k.line(`const float* a = a0${a.piecewise ? '' : ` + k0 * ${w.ak}`};`);
    const step = b.group > 1 ? `k0 / ${b.group} * (int64_t)${w.bk}` : `k0 * (int64_t)${w.bk}`;
    k.line(`const ${pointee(b)}* b = b0${b.piecewise ? '' : ` + ${step}`};`);
    for (const operand of [a, b]) computePiece(k, operand, w, part);
    body(part, near ? stretch : w.am);
  });
}

function moveRows(k: KernelContext, w: Walk, part: Extent): void {
  const n = w.b.group > 1 ? `${groupsText(part, w.b.group)} * ${w.b.group}` : part.count ?? part.size;
  k.line(`for (int m = 0; m < ${w.rows.count ?? w.rows.size}; ++m) memcpy(near + m * ${stretch}, a0 + m * ${w.am} + k0, ${n} * sizeof(float));`);
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
