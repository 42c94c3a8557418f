import type { StoredDType } from './safetensors.js';

/** Elements of so many bits are NaN where the bits under `mask` are more than `infinity`: all of the exponent, and some fraction. */
const layouts: Partial<Record<StoredDType, { readonly bits: 8 | 16 | 32; readonly mask: number; readonly infinity: number }>> = {
  F32: { bits: 32, mask: 0x7fffffff, infinity: 0x7f800000 }, BF16: { bits: 16, mask: 0x7fff, infinity: 0x7f80 }, F16: { bits: 16, mask: 0x7fff, infinity: 0x7c00 },
  F8_E4M3: { bits: 8, mask: 0x7f, infinity: 0x7e }, F8_E5M2: { bits: 8, mask: 0x7f, infinity: 0x7c }, F8_E8M0: { bits: 8, mask: 0xff, infinity: 0xfe },
};

const infinities: ReadonlySet<StoredDType> = new Set(['F32', 'BF16', 'F16', 'F8_E5M2']);

/** Index of the first element that is NaN, or with `finite` infinite; undefined if there is none, or the dtype has none. */
export function firstUnusable(bytes: Uint8Array, dtype: StoredDType, finite = false): number | undefined {
  const layout = layouts[dtype];
  if (layout === undefined) return undefined;
  const { bits, mask } = layout;
  const infinity = layout.infinity - (finite && infinities.has(dtype) ? 1 : 0);
  const aligned = bytes.byteOffset % (bits / 8) === 0 ? bytes : bytes.slice();
  const length = Math.floor(bytes.length / (bits / 8));
  const elements = bits === 32 ? new Uint32Array(aligned.buffer, aligned.byteOffset, length) : bits === 16 ? new Uint16Array(aligned.buffer, aligned.byteOffset, length) : aligned;
  for (let i = 0; i < length; i++) if ((elements[i] & mask) > infinity) return i;
  return undefined;
}
