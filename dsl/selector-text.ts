/** Selectors as they are written. */
import type { Selector, SelectorSegment } from './ast.js';

/** For messages: `layers[i].attn.{p}_norm`; an index that is neither a name nor a number is `[..]`. */
export function selectorText(selector: Selector): string {
  return selector.segments.map((s) => segmentName(s) + indexText(s.index)).join('.');
}

/** A segment without its index: `attn`, `{p}_norm`, `{gate, up}`. */
export function segmentName(s: SelectorSegment): string {
  if (s.capture !== undefined) return `${s.before ?? ''}{${s.capture}}${s.after ?? ''}`;
  return s.names.length === 1 ? s.names[0] : `{${s.names.join(', ')}}`;
}

function indexText(index: SelectorSegment['index']): string {
  if (index === undefined) return '';
  return index === '*' ? '[*]' : index.kind === 'name' ? `[${index.name}]` : index.kind === 'number' ? `[${index.text}]` : '[..]';
}
