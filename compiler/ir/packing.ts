/**
 * How the elements of one stored tensor lie in its bytes. A packing names axes of the tensor, so the same tensor may be
 * packed differently per target; the numbers it stands for never change. Weights are packed once, when loaded.
 */
export type Packing =
  /** Row-major in `order` (outermost first). */
  | { readonly kind: 'dense'; readonly order: readonly string[] }
  /**
   * Panels of `width` neighbours along `lanes`, interleaved innermost: element (.., r, .., k) of order [.., r, .., k]
   * lies at ((.. * ceil(R / width) + floor(r / width)) .. * K + k) * width + r mod width. A vector load yields `width`
   * rows at one k. The last panel is padded with zeros.
   */
  | { readonly kind: 'panel'; readonly order: readonly string[]; readonly lanes: string; readonly width: number }
  /**
   * 4-bit codes with one bf16 scale per `group` elements along the last axis of `order`, value = (code - 8) * scale.
   * `order` = [.., lanes, .., along]; axes between the two are outer to the groups. Per `width` rows of `lanes` and `group` (a multiple of 8) of `along`, one block:
   * (group / 8) * width u32 words, word j * width + r holding elements 8j .. 8j+7 of row r (element i at bits 4i), then
   * `width` bf16 scales. Rows and elements beyond the extents have code 8 and scale 0.
   * With width 8 and group 32 a block is 144 bytes, u32-aligned.
   */
  | { readonly kind: 'int4'; readonly order: readonly string[]; readonly lanes: string; readonly width: number; readonly group: number }
  /**
   * The same codes and scales in the order in which the lanes of a warp hold the left operand of a 16 x 16 x (8 k) matrix
   * instruction, so that one 16-byte load gives a lane all its codes of 16 rows by 64 of `along`. `group` is 16, 32 or 64.
   * Per such block: 128 u32 words, word 4 l + s for lane l and columns 16 s .. 16 s + 15, then the scales of each group of
   * the block's columns, 16 rows each. Of a word, nibbles i and 4 + i hold the row l / 4 + 8 (i mod 2) at the columns
   * 2 (l mod 4) + 8 (i / 2) and one further: a shift and a mask give two neighbours in the halves of a word.
   */
  | { readonly kind: 'int4-mma'; readonly order: readonly string[]; readonly lanes: string; readonly width: 16; readonly group: number }
  /**
   * Codes of small floats with one scale per `group` elements along the last axis of `order`, value = code * scale, in
   * blocks as those of `int4`: u32 words, word j * width + r holding the next elements of row r, lowest bits first, then
   * `width` scales. `e4m3`: 4 codes a word, scales f32. `e2m1`: 8 codes a word, scales e8m0 (one byte each).
   * Rows and elements beyond the extents have code 0 and scale 0 (e8m0: 2 ** -127).
   */
  | { readonly kind: 'scaled'; readonly code: 'e4m3' | 'e2m1'; readonly order: readonly string[]; readonly lanes: string; readonly width: number; readonly group: number };

export function printPacking(p: Packing): string {
  switch (p.kind) {
    case 'dense': return `dense[${p.order.join(', ')}]`;
    case 'panel': return `panel[${p.order.join(', ')}; ${p.lanes} by ${p.width}]`;
    case 'int4': return `int4[${p.order.join(', ')}; ${p.lanes} by ${p.width}, group ${p.group}]`;
    case 'scaled': return `${p.code}[${p.order.join(', ')}; ${p.lanes} by ${p.width}, group ${p.group}]`;
    case 'int4-mma': return `int4-mma[${p.order.join(', ')}; ${p.lanes} by 16, group ${p.group}]`;
  }
}
