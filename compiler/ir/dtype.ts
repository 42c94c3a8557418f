/** Element types of values. `i4` exists only as a storage packing (see `packing.ts`), never as the type of a value. */
export type DType = 'f32' | 'bf16' | 'f16' | 'i32' | 'u32' | 'bool';

/** Bytes of one stored element; `bool` is stored as u32 so that every target may bind it. */
export function dtypeBytes(d: DType): number {
  return d === 'bf16' || d === 'f16' ? 2 : 4;
}

export function isFloat(d: DType): boolean {
  return d === 'f32' || d === 'bf16' || d === 'f16';
}
