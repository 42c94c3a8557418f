/** Selectors over paths: `layers[*].ffn.experts.*` of quantize, `layers[i].hidden` of taps. */
import type { Selector, SelectorSegment } from '../../dsl/ast.js';
import { captured, parsePath, type PathSegment } from '../model/weight-names.js';

/** A path's captures, or undefined if the selector is another one's. `*` and captures take any name or index. */
export function matchSelector(selector: Selector, path: string): ReadonlyMap<string, string> | undefined {
  const segments = parsePath(path);
  if (segments.length !== selector.segments.length) return undefined;
  const captures = new Map<string, string>();
  return segments.every((s, i) => matchSegment(selector.segments[i], s, captures)) ? captures : undefined;
}

function matchSegment(segment: SelectorSegment, { name, index }: PathSegment, captures: Map<string, string>): boolean {
  if (segment.capture !== undefined) {
    const value = captured(segment, name);
    if (value === undefined) return false;
    captures.set(segment.capture, value);
  } else if (!segment.names.includes(name) && !segment.names.includes('*')) return false;
  if (segment.index === undefined || segment.index === '*') return index === undefined || segment.index === '*';
  // An index that a path lacks runs along an axis of the parameter: `experts[e]`.
  if (index === undefined) return segment.index.kind === 'name';
  if (segment.index.kind === 'name') captures.set(segment.index.name, String(index));
  return segment.index.kind === 'name' || (segment.index.kind === 'number' && segment.index.value === index);
}

/** `"hidden.{i}"` with the captures filled in. */
export function fillName(pattern: string, captures: ReadonlyMap<string, string>): string {
  return pattern.replace(/\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (whole, name: string) => captures.get(name) ?? whole);
}
