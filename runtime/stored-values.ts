/** Reads the part of a checkpoint that one block of a weight needs, as contiguous elements in the block's axis order. */
import type { Int4Values } from '../compiler/kernels/packing.js';
import type { WeightSource } from '../compiler/ir/weight-sources.js';
import { CheckpointError } from './checkpoint-error.js';
import type { Checkpoint } from './checkpoint.js';
import { storedBits } from './safetensors.js';
import type { Block } from './weight-blocks.js';
import { fittingLayout } from './fitting-layout.js';
import { int4Parts, storedName } from './weight-names.js';

interface Run { readonly size: number; readonly stride: number }

/** First element and the extents of a block in the stored tensor, outermost first. */
export function windowOf(source: WeightSource, block: Block): { start: number; runs: Run[] } {
  const strides = new Map(source.axes.map((a) => [a.name, a.stride]));
  let start = source.offset;
  for (const [name, index] of block.fixed) start += index * (strides.get(name) ?? 0);
  for (const [name, index] of block.origin) start += index * (strides.get(name) ?? 0);
  if (block.along !== undefined) start += block.start * (strides.get(block.along) ?? 0);
  const runs = block.axes.map((axis) => ({ size: axis.size, stride: strides.get(axis.name)! }));
  return { start, runs };
}

/** Elements of `unit` bytes at `runs`, from `bytes`, whose first byte is the window's first element. */
export function gatherRuns(bytes: Uint8Array, unit: number, runs: readonly Run[]): Uint8Array {
  const total = runs.reduce((n, r) => n * r.size, 1) * unit;
  const kept = [...runs];
  // Trailing axes that lie back to back are one copy.
  let span = 1;
  while (kept.length > 0 && kept.at(-1)!.stride === span) span *= kept.pop()!.size;
  if (kept.length === 0) return bytes.subarray(0, total);
  const out = new Uint8Array(total);
  let to = 0;
  const visit = (depth: number, from: number): void => {
    const run = kept[depth];
    for (let i = 0; i < run.size; i++) {
      const at = from + i * run.stride;
      if (depth + 1 < kept.length) visit(depth + 1, at);
      else {
        out.set(bytes.subarray(at * unit, (at + span) * unit), to);
        to += span * unit;
      }
    }
  };
  visit(0, 0);
  return out;
}

/** Bytes of the block as stored (little-endian elements of the stored dtype). */
export async function readPlain(checkpoint: Checkpoint, source: WeightSource, block: Block): Promise<Uint8Array> {
  const name = storedName(source, block.fixed);
  const tensor = checkpoint.tensors.get(name)!;
  checkShape(tensor.file, name, tensor.shape, source);
  const unit = storedBits[tensor.dtype] / 8;
  const { start, runs } = windowOf(source, block);
  const last = runs.reduce((at, r) => at + (r.size - 1) * r.stride, start);
  return gatherRuns(await checkpoint.read(name, start * unit, (last + 1) * unit), unit, runs);
}

/** Codes and scales of the block of an int4 tensor; `group` elements share a scale. */
export async function readInt4(checkpoint: Checkpoint, source: WeightSource, block: Block, group: number): Promise<Int4Values> {
  const name = storedName(source, block.fixed);
  const parts = int4Parts(name);
  const columns = source.shape.at(-1)!;
  await checkInt4(checkpoint, source, name, group);
  const { start, runs } = windowOf(source, block);
  const along = runs.at(-1);
  const column = start % columns;
  const whole = along !== undefined && column % group === 0 && (along.size % group === 0 || column + along.size === columns);
  if (along?.stride !== 1 || !whole || runs.slice(0, -1).some((r) => r.stride % columns !== 0)) {
    throw int4Error(checkpoint, parts.packed, `the layout of ${source.path} cuts its groups of ${group}, which share a scale`);
  }
  const rows = runs.slice(0, -1).map((r) => ({ size: r.size, stride: r.stride / columns }));
  const first = (start - column) / columns;
  const last = rows.reduce((at, r) => at + (r.size - 1) * r.stride, first);
  const read = async (part: string, unit: number): Promise<Uint8Array> =>
    gatherRuns(await checkpoint.read(part, first * unit, (last + 1) * unit), unit, rows.map((r) => ({ ...r })));
  const packed = await read(parts.packed, Math.ceil(columns / 8) * 4);
  const scales = await read(parts.scale, Math.ceil(columns / group) * 2);
  return {
    codes: stretchOf(nibbles(packed, columns), columns, column, along.size),
    scales: stretchOf(new Uint16Array(scales.slice().buffer), Math.ceil(columns / group), column / group, Math.ceil(along.size / group)),
  };
}

/** `size` elements from `from` of every row of `columns`. */
function stretchOf<T extends Uint8Array | Uint16Array>(values: T, columns: number, from: number, size: number): T {
  if (size === columns) return values;
  const out = values.slice(0, (values.length / columns) * size) as T;
  for (let row = 0; row * columns < values.length; row++) out.set(values.subarray(row * columns + from, row * columns + from + size), row * size);
  return out;
}

/** Element i of a row is bits 4 (i mod 8) of word i / 8; a row is a whole number of words. */
function nibbles(packed: Uint8Array, columns: number): Uint8Array {
  const rowBytes = Math.ceil(columns / 8) * 4;
  const rows = packed.length / rowBytes;
  const out = new Uint8Array(rows * columns);
  for (let row = 0, to = 0; row < rows; row++) {
    for (let i = 0, from = row * rowBytes; i < columns; i++, to++) out[to] = (packed[from + (i >> 1)] >> ((i & 1) * 4)) & 15;
  }
  return out;
}

function checkShape(file: string, name: string, shape: readonly number[], source: WeightSource): void {
  if (shape.length === source.shape.length && shape.every((n, i) => n === source.shape[i])) return;
  const layout = fittingLayout(source, shape);
  throw new CheckpointError({
    code: 'F42', file, tensor: name, cause: `is stored as [${shape.join(', ')}], but ${source.path} needs [${source.shape.join(', ')}] (rule "${source.rule}", ${source.where})`,
    fix: layout === undefined ? 'give the spec the dims of this checkpoint, or the rule the layout that the tensor has' : `the tensor fits the layout "${layout}": add it to the rule, after a colon`,
  });
}

function int4Error(checkpoint: Checkpoint, tensor: string, cause: string): CheckpointError {
  return new CheckpointError({ code: 'F44', file: checkpoint.tensors.get(tensor)?.file ?? checkpoint.path, tensor, cause, fix: 'quantise the parameter in the spec as the checkpoint was quantised' });
}

async function checkInt4(checkpoint: Checkpoint, source: WeightSource, name: string, group: number): Promise<void> {
  const parts = int4Parts(name);
  const [packed, scale, shape] = [parts.packed, parts.scale, parts.shape].map((part) => checkpoint.tensors.get(part));
  if (packed === undefined || scale === undefined || shape === undefined) {
    throw int4Error(checkpoint, parts.packed, `has no ${scale === undefined ? "'weight_scale'" : "'weight_shape'"} beside it`);
  }
  const columns = source.shape.at(-1)!;
  const outer = source.shape.slice(0, -1);
  const expect = (tensor: typeof packed, dtypes: readonly string[], want: readonly number[]): void => {
    if (!dtypes.includes(tensor.dtype)) throw int4Error(checkpoint, tensor.name, `is stored as ${tensor.dtype}, not ${dtypes.join(' or ')}`);
    if (tensor.shape.join() !== want.join()) throw int4Error(checkpoint, tensor.name, `is stored as [${tensor.shape.join(', ')}], but ${source.path} [${source.shape.join(', ')}] in groups of ${group} needs [${want.join(', ')}]`);
  };
  expect(packed, ['I32'], [...outer, Math.ceil(columns / 8)]);
  expect(scale, ['BF16'], [...outer, Math.ceil(columns / group)]);
  expect(shape, ['I32', 'I64'], [source.shape.length]);
  const bytes = await checkpoint.read(parts.shape);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const stated = source.shape.map((_, i) => (shape.dtype === 'I32' ? view.getInt32(i * 4, true) : Number(view.getBigInt64(i * 8, true))));
  if (stated.join() !== source.shape.join()) throw int4Error(checkpoint, parts.shape, `states [${stated.join(', ')}], but ${source.path} needs [${source.shape.join(', ')}]`);
}
