/** An exploration as rows: for a terminal, and as CSV. */
import type { Exploration, Variant } from '../compiler/model/explore.js';
import { type Measure, measureNames, measures } from '../compiler/model/measures.js';
import { formatBytes } from './terminal.js';

/** `mark`: `*` on the front, `-` not within budget, `!` no valid model. */
export function explorationRows(e: Exploration): { readonly variant: Variant; readonly mark: string }[] {
  return e.variants.map((variant) => ({ variant, mark: variant.measures === undefined ? '!' : variant.front ? '*' : variant.within ? '' : '-' }));
}

/** Three or four digits with a unit: `1.03 T`, `553 GiB`, `11.2 ms`. */
export function formatMeasure(measure: Measure, value: number): string {
  switch (measures[measure].unit) {
    case 'bytes': return formatBytes(value);
    case 'seconds': return value >= 1 ? `${value.toPrecision(4)} s` : value >= 1e-3 ? `${(value * 1e3).toPrecision(4)} ms` : `${(value * 1e6).toPrecision(4)} us`;
    case 'count': case 'flop': {
      const [scale, prefix] = ([[1e12, ' T'], [1e9, ' G'], [1e6, ' M']] as const).find(([s]) => value >= s) ?? [1, ''];
      return scale === 1 ? String(Math.round(value)) : `${(value / scale).toPrecision(4)}${prefix}`;
    }
  }
}

/** Exact numbers in base units (bytes, seconds); one column per thing varied, one per measure, then the verdicts. */
export function explorationCsv(e: Exploration): string {
  const cell = (text: string): string => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const lines = e.variants.map((v) => [
    ...v.values, ...measureNames.map((m) => (v.measures === undefined ? '' : String(v.measures[m]))), String(v.within), String(v.front), v.diagnostics[0]?.message ?? '',
  ]);
  return `${[[...e.paths, ...measureNames, 'within_budget', 'pareto_front', 'error'], ...lines].map((r) => r.map(cell).join(',')).join('\n')}\n`;
}
