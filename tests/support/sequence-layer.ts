/**
 * A layer over a sequence, checked on every device: run whole, in pieces and token by token, it must give what a plain
 * function in f64 gives that knows nothing of the compiler.
 */
import { describe, expect, it } from 'vitest';
import { compile, renderDiagnostic } from '../../index.js';
import type { Plan } from '../../compiler/ir/plan.js';
import { pack } from '../../compiler/kernels/packing.js';
import { nodeLoader } from '../../dsl/std-node.js';
import { Session } from '../../runtime/session.js';
import { weightBlocks } from '../../runtime/weight-blocks.js';
import { openDevice, usualDevices, wgslMissing, type Runnable } from './devices.js';
import { centred } from './random.js';
import { runTogether } from './together.js';

/** Rows of a value, one per token. */
export type Rows = readonly (readonly number[])[];
export type Weights = (path: string) => readonly number[];

export interface SequenceLayer {
  readonly name: string;
  /** Items in front of the model. */
  readonly items?: string;
  /** Statements that give `y : [tokens, hidden]` from `x : [tokens, hidden]`. */
  readonly body: string;
  readonly hidden: number;
  /** y of one sequence in f64. `weights`: by path, row-major in the declared axes. */
  readonly plain: (x: Rows, weights: Weights, ids: readonly number[]) => Rows;
  readonly lengths?: readonly number[];
  readonly devices?: readonly Runnable[];
}

function specOf(layer: SequenceLayer): string {
  return `use std.{embedding}
${layer.items ?? ''}
model M {
  dim vocab = ${layer.hidden}
  dim hidden = ${layer.hidden}
  context 64
  x = embed = embedding(tokens, vocab, hidden)
  ${layer.body}
  logits = y
  precision { weights: f32  activations: f32  cache: f32  accumulate: f32 }
}
`;
}

/** Values of a size that a trained layer has: nothing vanishes, nothing explodes. */
function valuesOf(weight: Plan['weights'][number]): Float32Array {
  const random = centred(weight.path);
  const size = weight.axes.reduce((n, a) => n * a.size, 1);
  const { init } = weight;
  const value = (): number => {
    if (init.kind === 'constant') return (init.value as number) + 0.5 * random();
    if (init.kind === 'log_uniform') return Math.log((init.low as number) + ((init.high as number) - (init.low as number)) * (0.5 + 0.5 * random()));
    return (1.7 * random()) / (weight.path === 'embed.table' ? 1 : Math.sqrt(weight.axes.at(-1)!.size));
  };
  return Float32Array.from({ length: size }, value);
}

const ids = (length: number, sequence: number, vocab: number): number[] => Array.from({ length }, (_, i) => (sequence * 5 + i * 7 + ((i * i) % 11)) % vocab);

function expectEqual(found: readonly number[][], wanted: readonly Rows[]): void {
  wanted.forEach((rows, s) => {
    const values = rows.flat();
    const largest = values.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
    expect(largest).toBeGreaterThan(0.01);
    expect(found[s].length).toBe(values.length);
    // A maximum with NaN is NaN, which is not below anything.
    expect(found[s].reduce((m, v, i) => Math.max(m, Math.abs(v - values[i])), 0) / largest).toBeLessThan(3e-5);
  });
}

export function checkSequenceLayer(layer: SequenceLayer): void {
  const lengths = layer.lengths ?? [37, 5];
  const tokens = lengths.map((n, s) => ids(n, s, layer.hidden));
  const most = lengths.reduce((a, b) => a + b, 0);
  describe(layer.name, () => {
    for (const name of usualDevices.filter((d) => layer.devices?.includes(d) ?? true)) {
      it(`${name}: whole, in pieces and token by token`, async ({ skip }) => {
        const missing = name === 'wgsl' ? await wgslMissing() : undefined;
        if (missing !== undefined) return skip(missing);
        const entry = { path: 'layer.firn', text: specOf(layer) };
        const { bundle, diagnostics, files } = compile({ entry, load: nodeLoader, target: name, sequences: lengths.length, maxTokens: most, outputs: most });
        expect(diagnostics.map((d) => renderDiagnostic(d, files)).join('\n')).toBe('');
        const device = await openDevice(name);
        const executable = await device.load(bundle!);
        try {
          const weights = new Map(bundle!.plan.weights.map((w) => [w.path, valuesOf(w)]));
          for (const w of bundle!.plan.weights) for (const block of weightBlocks(w, new Set())) {
            await executable.write(w.buffer, block.offset, pack(block.packing, block.axes, w.dtype, weights.get(w.path)!));
          }
          const read: Weights = (path) => [...(weights.get(path) ?? fail(path, [...weights.keys()]))];
          const table = read('embed.table');
          const wanted = tokens.map((t) => layer.plain(t.map((id) => table.slice(id * layer.hidden, (id + 1) * layer.hidden)), read, t));
          const session = new Session(executable, bundle!.plan);
          for (const piece of [64, 11, 5, 1]) expectEqual(await runTogether(session, tokens, piece), wanted);
        } finally {
          await executable.close();
          await device.close();
        }
      });
    }
  });
}

function fail(path: string, known: readonly string[]): never {
  throw new Error(`no weight '${path}': ${known.join(', ')}`);
}

