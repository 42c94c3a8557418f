/** Taps whose ids come from the caller, among those that were asked for as outputs. */
import type { Module } from './ir/graph.js';
import { pin, type PinnedInput } from './passes/pin.js';

/** As in a CompileRequest. */
export interface Taps { readonly taps?: boolean | readonly string[]; readonly pins?: readonly string[] }

/** Taps that must be built: a pinned one has to be there to be found. */
export function tapsToBuild({ taps = false, pins }: Taps): Taps['taps'] {
  if (pins === undefined || taps === true) return taps;
  return [...(taps === false ? [] : taps), ...pins];
}

/** The module with inputs for its pinned taps; outputs that were there only to find them go again. Throws PinError. */
export function pinTaps(module: Module, { taps = false, pins }: Taps): { readonly module: Module; readonly pinned: readonly PinnedInput[] } {
  if (pins === undefined) return { module, pinned: [] };
  const asked = (names: readonly string[]): boolean => (typeof taps === 'boolean' ? taps : names.some((n) => taps.some((t) => n === t || n.startsWith(`${t}.`))));
  const { module: made, pinned } = pin(module, new Set(pins));
  const dropped = new Set(made.taps.filter((t) => !asked(t.names)).map((t) => t.output));
  return { pinned, module: { ...made, taps: made.taps.filter((t) => !dropped.has(t.output)), graph: { ...made.graph, outputs: made.graph.outputs.filter((o) => !dropped.has(o.name)) } } };
}
