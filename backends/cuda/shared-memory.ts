/**
 * Buffers in shared memory. Rows of operands are cut into panels of 128, 64 or 32 bytes whose 16-byte chunks are exchanged
 * by row, so that the eight rows that one matrix load reads lie in different banks; TMA and wgmma know the same pattern.
 */
export type Swizzle = 0 | 32 | 64 | 128;

export interface SharedBuffer {
  readonly name: string;
  readonly rows: number;
  readonly rowBytes: number;
  readonly swizzle: Swizzle;
  /** Copies of it, used in turn. */
  readonly slots: number;
}

/** The widest pattern that fits rows of `rowBytes`. */
export function swizzleFor(rowBytes: number): Swizzle {
  return rowBytes % 128 === 0 ? 128 : rowBytes % 64 === 0 ? 64 : rowBytes % 32 === 0 ? 32 : 0;
}

export function slotBytes(buffer: SharedBuffer): number { return buffer.rows * buffer.rowBytes; }

/** Bytes from one slot to the next: patterns work on address bits, so that slots start at multiples of eight rows. */
export function slotStride(buffer: SharedBuffer): number {
  return Math.ceil(slotBytes(buffer) / 1024) * 1024;
}

/** Exchanges chunks within a pattern; its own inverse. `offset` in bytes from an aligned start. */
export function swizzled(offset: number, swizzle: Swizzle): number {
  if (swizzle === 0) return offset;
  const mask = swizzle === 128 ? 0x380 : swizzle === 64 ? 0x180 : 0x080;
  return offset ^ ((offset & mask) >> 3);
}

/** Byte of a slot at which column byte `byte` of row `row` lies. */
export function sharedOffset(buffer: SharedBuffer, row: number, byte: number): number {
  if (buffer.swizzle === 0) return row * buffer.rowBytes + byte;
  const panel = Math.floor(byte / buffer.swizzle);
  return swizzled((panel * buffer.rows + row) * buffer.swizzle + (byte % buffer.swizzle), buffer.swizzle);
}

/** First byte of each buffer, and bytes in all. */
export function placeBuffers(buffers: readonly SharedBuffer[]): { readonly offsets: ReadonlyMap<string, number>; readonly bytes: number } {
  const offsets = new Map<string, number>();
  let bytes = 0;
  for (const b of buffers) {
    offsets.set(b.name, bytes);
    bytes += slotStride(b) * b.slots;
  }
  return { offsets, bytes };
}
