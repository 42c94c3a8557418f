import type { HostArray } from '../backends/device.js';
import type { Plan, Port } from '../compiler/ir/plan.js';
import type { StoredDType } from './safetensors.js';

/** An exported value: an output of the plan, and the public names of its parts (one, or one per iteration of a repeat). */
export interface Tap {
  readonly output: string;
  readonly names: readonly string[];
  readonly dtype: StoredDType;
  /** Elements per token. */
  readonly width: number;
}

const stored: Readonly<Record<Port['dtype'], StoredDType>> = { f32: 'F32', bf16: 'BF16', f16: 'F16', i32: 'I32', u32: 'U32', bool: 'U32' };

/** The taps that `plan` was compiled with. `named`: output name and public names, as the compiler gives them. */
export function tapsOf(plan: Plan, named: readonly { readonly output: string; readonly names: readonly string[] }[]): Tap[] {
  return named.map(({ output, names }) => {
    const port = plan.entries[0].outputs.find((p) => p.name === output);
    if (port === undefined) throw new Error(`taps: the plan has no output '${output}'`);
    const tokens = port.shape.findIndex((s) => s.kind === 'dim' && s.name === 'tokens');
    const extents = port.shape.map((s) => (s.kind === 'int' ? s.value : 1));
    return { output, names, dtype: stored[port.dtype], width: extents.slice(tokens + 1).reduce((a, b) => a * b, 1) };
  });
}

/**
 * The named parts of a tap's output [names, tokens, width], each [tokens, width]. Chosen ids have no order of their own,
 * so integers are put in ascending order per token.
 */
export function splitTap(tap: Tap, data: HostArray, tokens: number): { readonly name: string; readonly data: HostArray }[] {
  const size = tokens * tap.width;
  return tap.names.map((name, i) => {
    const part = data.slice(i * size, (i + 1) * size);
    if (tap.dtype === 'I32') for (let at = 0; at < size; at += tap.width) part.subarray(at, at + tap.width).sort();
    return { name, data: part };
  });
}
