/**
 * Runs the lowered form in plain TypeScript: blocks one after another, the warps of a block in seeded random order, a warp
 * at a time between the points where warps can meet. Copies land as late as they may: cp.async when its thread waits for
 * it, TMA when nothing else can go on (or at random). Races, missing waits and fences and deadlocks are errors.
 */
import { evaluateScalar, times, toScalar } from '../../compiler/kernels/scalar.js';
import type { Scalar } from '../../compiler/ir/kernel.js';
import { BlockMemory } from './block-memory.js';
import { bindGlobals, type BoundGlobal } from './global-memory.js';
import { runWarp, type WarpPlace } from './interpret-warp.js';
import type { Kernel } from './lowered.js';
import { placeBuffers } from './shared-memory.js';

export interface InterpretOptions {
  readonly seed?: number;
  /** Blocks of a persistent kernel. As many as there are programs, if absent. */
  readonly blocks?: number;
}

/** `buffers`: bytes by view name; written views are changed in place. Throws on any misuse of the machine. */
export function interpretLowered(kernel: Kernel, dims: Readonly<Record<string, number>>, buffers: Readonly<Record<string, Uint8Array>>, options: InterpretOptions = {}): void {
  const programs = evaluateScalar(kernel.grid.reduce<Scalar>((n, g) => times(n, g.extent), toScalar(1)), { dims });
  const persistent = kernel.roles.length > 1;
  const blocks = persistent ? Math.min(options.blocks ?? programs, programs) : programs;
  const globals = bindGlobals(kernel.views, dims, buffers);
  const random = generator(options.seed ?? 1);
  for (let block = 0; block < blocks; block++) {
    try {
      runBlock(kernel, dims, globals, { index: block, count: blocks }, random);
    } catch (error) {
      throw new Error(`interpreting '${kernel.name}', block ${block}: ${(error as Error).message}`, { cause: error });
    }
  }
}

function generator(seed: number): (below: number) => number {
  let state = seed * 2654435761 >>> 0;
  return (below) => { state = (Math.imul(state, 1664525) + 1013904223) >>> 0; return Math.floor((state / 2 ** 32) * below); };
}

function runBlock(kernel: Kernel, dims: Readonly<Record<string, number>>, globals: ReadonlyMap<string, BoundGlobal>, block: { index: number; count: number }, random: (below: number) => number): void {
  const warps = kernel.roles.reduce((n, r) => n + r.warps, 0);
  const { offsets, bytes } = placeBuffers(kernel.buffers);
  const memory = new BlockMemory(bytes, warps);
  let first = 0;
  const running = kernel.roles.flatMap((role) => {
    const places = Array.from({ length: role.warps }, (_, w): WarpPlace => ({ kernel, role, warp: w, number: first + w, memory, offsets, globals, dims, block }));
    first += role.warps;
    return places.map((place) => ({ place, steps: runWarp(place), ready: (): boolean => true, done: false }));
  });
  for (;;) {
    const alive = running.filter((w) => !w.done);
    if (alive.length === 0) break;
    const ready = alive.filter((w) => w.ready());
    if (memory.copiesUnderWay > 0 && (ready.length === 0 || random(8) === 0)) { memory.deliver(random(1 << 16)); continue; }
    if (ready.length === 0) throw new Error(`all warps wait for ever: ${[...new Set(alive.map((w) => w.place.role.name))].join(', ')}`);
    const warp = ready[random(ready.length)];
    const next = warp.steps.next();
    if (next.done) warp.done = true;
    else warp.ready = next.value;
  }
  if (memory.copiesUnderWay > 0) throw new Error('copies are under way when the block ends');
}
