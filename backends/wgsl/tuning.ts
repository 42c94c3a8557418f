/** At most this many elements: in all, along the innermost axis, along others. */
export interface Block { readonly all: number; readonly lanes: number; readonly rows: number }

/** Choices that suit one kind of device. Results differ by rounding only. */
export interface Tuning {
  /** Invocations per workgroup, at most. */
  readonly invocations: number;
  /** Neighbours along a tile's innermost axis that get an invocation each before other axes do. */
  readonly run: number;
  /** Let several invocations share the sum of one element of a dot if there are more invocations than elements. */
  readonly splitSums: boolean;
  /** What keeping a tile in workgroup memory costs per invocation besides its accesses, in arithmetic operations. */
  readonly barrierCost: number;
  /** Loads whose address does not depend on the invocation are done once for all of them. */
  readonly sharedLoads: boolean;
  /** Elements per invocation up to which code is repeated for each instead of looped over. */
  readonly unrolledSlots: number;
  /** Elements along the innermost axis of a contraction that an invocation owns at least. */
  readonly lanesEach: number;
  /** Elements that are summed side by side where not all of an invocation's are. */
  readonly block: Block;
  /** Products written out at most for these. */
  readonly products: number;
  /**
   * Invocations per subgroup where operands that all invocations of a dot share are read by each in part and then handed
   * around by shuffles; 0: each invocation reads what it needs. Needs the device feature `subgroups`, and this very size.
   */
  readonly subgroup: number;
  /** As `block`, where an operand is handed around. */
  readonly shuffleBlock: Block;
  /** Hide the bounds of loops from the driver, which would otherwise unroll them. */
  readonly rolledLoops: boolean;
}

export const gpuTuning: Tuning = { invocations: 256, run: 16, splitSums: true, barrierCost: 24, sharedLoads: false, unrolledSlots: 32, lanesEach: 1, block: { all: 4, lanes: 4, rows: 4 }, subgroup: 0, shuffleBlock: { all: 16, lanes: 4, rows: 4 }, products: 32, rolledLoops: false };

/**
 * Software rasterisers run invocations in the lanes of SIMD registers: loads whose address all lanes share are cheap and
 * all others are loops over lanes, barriers are costly, and compiling takes longer than running unless code is short.
 */
export const rasteriserTuning: Tuning = { invocations: 8, run: 16, splitSums: false, barrierCost: 100, sharedLoads: true, unrolledSlots: 4, lanesEach: 8, block: { all: 16, lanes: 8, rows: 2 }, subgroup: 0, shuffleBlock: { all: 16, lanes: 4, rows: 4 }, products: 128, rolledLoops: true };

/** Invocations per subgroup on rasterisers with 256-bit registers. */
export const rasteriserSubgroup = 8;
