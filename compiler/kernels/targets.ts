/** Schedule choices per target and kind of entry. Numbers only: they change speed, never meaning. */
import type { FusePolicy } from '../passes/fuse.js';
import type { Limits } from './lower/lowering.js';
import type { TileSizes } from './lower/tiling.js';

export type Target = 'reference' | 'null' | 'cpu' | 'wgsl' | 'cuda:sm_80' | 'cuda:sm_90a';

export interface Schedule extends FusePolicy {
  readonly sizes: TileSizes;
  readonly limits: Limits;
  /** Run the chunk bodies of recurrences whose largest tile has at most `chunkTile` elements; 0: none. */
  readonly chunkTile: number;
  /** Divide recurrences along every axis that allows it, though places then repeat work: tiles must fit little memory. */
  readonly narrowScans: boolean;
  /** Put launches that do not depend on each other together. */
  readonly merge: boolean;
  /** Interleave rows of plain weights in panels of this many. 0: row-major. */
  readonly panel: number;
  /** Order of 4-bit codes: by rows (the default), or as matrix instructions hold them. */
  readonly int4?: 'int4' | 'int4-mma';
}

const unlimited = 1 << 30;

/** `few`: entries of few tokens (decode), where weights are read for each token; else weights are shared by tokens. `fuse`: see passes/fuse.ts. */
export function scheduleFor(target: Target, few: boolean, fuse = true): Schedule {
  const common = {
    fuse, prologue: few ? 'recompute' : 'store', select: few ? 'direct' : 'grouped', merge: fuse, afterAttend: few ? 'together' : 'apart',
    chunkTile: few ? 0 : unlimited, narrowScans: !['reference', 'cpu', 'null'].includes(target),
  } as const;
  switch (target) {
    case 'reference': return {
      ...common, panel: 0,
      sizes: { rows: few ? 1 : 32, lanes: 512, programs: 1, heads: 64 },
      limits: { tile: 1 << 15, k: unlimited, keys: 64, ids: 256 },
    };
    case 'cpu': case 'null': return {
      // Launches of many tokens are long; put together, their chunks would take unlike times.
      ...common, panel: 8, merge: few,
      sizes: { rows: few ? 1 : 48, lanes: 128, programs: 4, heads: few ? 4 : 8 },
      limits: { tile: 1 << 15, k: unlimited, keys: 32, ids: 256 },
    };
    case 'wgsl': return {
      ...common, prologue: 'store', afterAttend: 'apart', panel: 0, chunkTile: few ? 0 : 512,
      sizes: { rows: few ? 1 : 8, lanes: 64, programs: few ? 16 : 4, heads: 4 },
      limits: { tile: 1024, k: unlimited, keys: 16, ids: 64 },
    };
    case 'cuda:sm_80': return {
      ...common, prologue: 'store', panel: 0, int4: 'int4-mma',
      sizes: { rows: few ? 16 : 128, lanes: 128, programs: 108, heads: 64 },
      limits: { tile: 1 << 15, k: 64, keys: 32, ids: 256 },
    };
    case 'cuda:sm_90a': return {
      ...common, prologue: 'store', panel: 0, int4: 'int4-mma',
      sizes: { rows: few ? 16 : 128, lanes: 128, programs: 132, heads: 64 },
      limits: { tile: 1 << 15, k: 64, keys: 64, ids: 256 },
    };
  }
}
