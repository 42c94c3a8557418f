/**
 * A spec run on devices with chosen weights, beside a plain implementation in f64 that shares nothing with the compiler:
 * two sequences together, whole, in pieces of 5 tokens and token by token.
 */
import { expect } from 'vitest';
import { compile, load } from '../../index.js';
import { nodeLoader } from '../../dsl/std-node.js';
import { pack } from '../../compiler/kernels/packing.js';
import type { Weight } from '../../compiler/ir/plan.js';
import type { OverrideValue } from '../../compiler/check/model.js';
import { weightBlocks } from '../../runtime/weight-blocks.js';
import { openDevice, type Runnable } from './devices.js';
import { centred } from './random.js';
import { runTogether } from './together.js';

/** The values of a parameter by its path, row-major in its axes. */
export type Weights = (path: string) => readonly number[];
/** Logits of one sequence, row-major [tokens, vocab]. */
export type Plain = (tokens: readonly number[], w: Weights) => readonly number[];

export interface FormCase {
  readonly text: string;
  readonly plain: Plain;
  readonly vocab: number;
  /** Values of whole numbers (tables), by path. */
  readonly tables?: Readonly<Record<string, readonly number[]>>;
  /** Half the spread of the random values, 0.5 if not given; by path where a number is not enough. */
  readonly scale?: (path: string) => number;
  readonly overrides?: Readonly<Record<string, OverrideValue>>;
  readonly lengths?: readonly number[];
  /** Exports to build, and the output to compare instead of the logits. */
  readonly taps?: readonly string[];
  readonly output?: string;
}

function valuesOf(c: FormCase, weight: Weight): readonly number[] {
  const table = c.tables?.[weight.path];
  if (table !== undefined) return table;
  const random = centred(weight.path);
  const count = weight.axes.reduce((n, a) => n * a.size, 1);
  const middle = weight.init.kind === 'constant' ? (weight.init.value as number) : 0;
  const scale = c.scale?.(weight.path) ?? 0.5;
  return Array.from({ length: count }, () => Math.fround(middle + scale * random()));
}

export function tokensOf(length: number, s: number, vocab: number): number[] {
  return Array.from({ length }, (_, i) => (s * 17 + i * 13 + ((i * i) % 7)) % vocab);
}

const tolerance: Readonly<Record<Runnable, number>> = { reference: 1e-5, cpu: 3e-5, wgsl: 3e-5 };

/** Runs the case on a device and compares every logit with the plain implementation. */
export async function checkForm(c: FormCase, name: Runnable, pieces: readonly number[] = [64, 5, 1]): Promise<void> {
  const lengths = c.lengths ?? [17, 6];
  const { bundle, diagnostics } = compile({
    entry: { path: 'form.firn', text: c.text }, load: nodeLoader, target: name, sequences: lengths.length, maxTokens: 48, outputs: 48, context: 64,
    ...(c.overrides === undefined ? {} : { overrides: c.overrides }), ...(c.taps === undefined ? {} : { taps: c.taps }),
  });
  const output = c.output ?? 'logits';
  expect(diagnostics.map((d) => `${d.code} ${d.message} @${d.span.line}`)).toEqual([]);
  const device = await openDevice(name);
  const model = await load(bundle!, device, { weights: { seed: 1 } });
  try {
    const values = new Map(bundle!.plan.weights.map((w) => [w.path, valuesOf(c, w)]));
    for (const w of bundle!.plan.weights) {
      for (const block of weightBlocks(w, new Set(), Infinity)) await model.executable.write(w.buffer, block.offset, pack(block.packing, block.axes, w.dtype, values.get(w.path)!), 0);
    }
    const weights: Weights = (path) => values.get(path) ?? (() => { throw new Error(`no weight '${path}' among ${[...values.keys()].join(', ')}`); })();
    const prompts = lengths.map((n, s) => tokensOf(n, s, c.vocab));
    const wanted = prompts.map((p) => c.plain(p, weights));
    for (const piece of pieces) {
      const out = await runTogether(model.session, prompts, piece, output);
      wanted.forEach((list, s) => expect(farthest(out[s], list), `${name}, pieces of ${piece}, sequence ${s}`).toBeLessThan(tolerance[name]));
    }
  } finally {
    await model.close();
    await device.close();
  }
}

/** The largest difference, relative to the largest wanted value. */
function farthest(found: readonly number[], wanted: readonly number[]): number {
  expect(found.length).toBe(wanted.length);
  const largest = wanted.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
  expect(largest).toBeGreaterThan(1e-3);
  return found.reduce((m, v, i) => Math.max(m, Number.isFinite(v) ? Math.abs(v - wanted[i]) : Infinity), 0) / largest;
}
