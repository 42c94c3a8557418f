import type { SelectorSegment } from './ast.js';

/** A segment without its index, as it is written: `attn`, `{p}_norm`, `{gate, up}`. */
export function segmentName(s: SelectorSegment): string {
  if (s.capture !== undefined) return `${s.before ?? ''}{${s.capture}}${s.after ?? ''}`;
  return s.names.length === 1 ? s.names[0] : `{${s.names.join(', ')}}`;
}
