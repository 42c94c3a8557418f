/**
 * Seeded initialisation. An element's value depends on the seed, its weight's path and its row-major position in the
 * weight's axes: never on the packing, the device or the order of filling.
 */
import type { Executable } from '../backends/device.js';
import type { Plan, Weight } from '../compiler/ir/plan.js';
import { pack } from '../compiler/kernels/packing.js';
import type { LoadProgress } from './load-weights.js';
import { fillNormal, fillUniform, type Stream, type Stretch, streamKey } from './random.js';
import { type Block, weightBlocks } from './weight-blocks.js';
import { blockOfWhole, weightParts, wholeAxes } from './weight-parts.js';

/** Fills every weight of `plan` from `seed` (a 32-bit integer) as its `init` says. */
export async function initWeights(executable: Executable, plan: Plan, seed: number, onProgress?: (p: LoadProgress) => void): Promise<void> {
  const totalBytes = plan.ranks * plan.weights.reduce((n, w) => n + w.bytes, 0);
  let doneBytes = 0;
  for (const weight of plan.weights) {
    const whole = { ...weight, axes: wholeAxes(plan, weight) };
    for (const part of weightParts(plan, weight)) for (const block of weightBlocks(weight, new Set(), 1 << 22)) {
      const bytes = pack(block.packing, block.axes, weight.dtype, blockValues(whole, blockOfWhole(block, part), seed));
      for (const rank of part.ranks) await executable.write(weight.buffer, block.offset, bytes, rank);
      doneBytes += bytes.length * part.ranks.length;
      onProgress?.({ path: weight.path, doneBytes, totalBytes });
    }
  }
}

/** Values of a block, row-major in its axes; the weight's axes are those of the whole, whichever part the block is of. */
function blockValues(weight: Weight, block: Block, seed: number): Float32Array {
  const fill = filler(weight, { seed, key: streamKey(weight.path) });
  const sizes = new Map(block.axes.map((a) => [a.name, a.size]));
  const out = new Float32Array(block.axes.reduce((n, a) => n * a.size, 1));
  let to = 0;
  // Runs of neighbours in the weight: everything inside the innermost axis that the block does not hold whole.
  const whole = weight.axes.map((a) => sizes.get(a.name) === a.size);
  const inner = whole.lastIndexOf(false) + 1;
  const span = weight.axes.slice(inner).reduce((n, a) => n * a.size, 1);
  const visit = (axis: number, position: number): void => {
    if (axis === inner) {
      fill({ start: position * span, out, at: to, count: span });
      to += span;
      return;
    }
    const { name, size } = weight.axes[axis];
    const first = block.fixed.get(name) ?? (name === block.along ? block.start : block.origin.get(name) ?? 0);
    const count = block.fixed.has(name) ? 1 : sizes.get(name)!;
    for (let i = first; i < first + count; i++) visit(axis + 1, position * size + i);
  };
  visit(0, 0);
  return out;
}

type Fill = (stretch: Stretch) => void;

function filler(weight: Weight, stream: Stream): Fill {
  const number = (key: string): number => {
    const value = weight.init[key];
    if (typeof value !== 'number') throw new Error(`init: '${weight.path}' has no number '${key}' for ${weight.init.kind}`);
    return value;
  };
  switch (weight.init.kind) {
    case 'constant': { const value = number('value'); return ({ out, at, count }) => void out.fill(value, at, at + count); }
    case 'normal': { const deviation = number('deviation'); return (stretch) => fillNormal(stream, stretch, deviation); }
    case 'uniform': { const low = number('low'), high = number('high'); return (stretch) => fillUniform(stream, stretch, low, high); }
    case 'log_uniform': {
      const low = number('low'), high = number('high');
      return (stretch) => {
        fillUniform(stream, stretch, low, high);
        for (let i = stretch.at; i < stretch.at + stretch.count; i++) stretch.out[i] = Math.log(stretch.out[i]);
      };
    }
    default: throw new Error(`init: '${weight.path}' has the unknown distribution '${weight.init.kind}'`);
  }
}
