/** How messages show axes and where their sizes came from. */
import type { Note } from './diagnostics.js';
import type { Span } from './span.js';

/** Where a number came from, down to the literals. */
export interface DimOrigin { readonly name: string; readonly value: number; readonly span: Span; readonly from: readonly DimOrigin[] }
/** `name` tells axes of one spelling apart. */
export interface NamedAxis { readonly name?: string; readonly spelling: string; readonly size: unknown; readonly origin?: DimOrigin }
/** Axes that an expression has. */
export interface AxisSide { readonly span: Span; readonly axes: readonly NamedAxis[] }
export interface KnownNumber { readonly value: number; readonly exact?: readonly [number, number]; readonly from?: readonly DimOrigin[] }

export function axisText(a: NamedAxis): string {
  return typeof a.size === 'number' ? `${a.spelling} = ${a.size}` : a.spelling;
}

export function axesText(axes: readonly NamedAxis[]): string {
  return axes.length === 0 ? 'no axes' : `[${axes.map((a) => a.spelling).join(', ')}]`;
}

export function quoted(names: readonly string[]): string {
  return names.map((n) => `\`${n}\``).join(', ');
}

/** The chain of each origin, each place once. */
export function derivation(origins: readonly (DimOrigin | undefined)[]): Note[] {
  const notes: Note[] = [];
  const seen = new Set<string>();
  const visit = (o: DimOrigin | undefined): void => {
    if (o === undefined || seen.has(`${o.span.file}:${o.span.start}`) || notes.length >= 8) return;
    seen.add(`${o.span.file}:${o.span.start}`);
    const parts = o.from.map((f) => `${f.name} = ${f.value}`).join(', ');
    notes.push({ span: o.span, text: `${o.name} = ${o.value}${parts === '' || o.from.length === 1 && o.from[0].name === o.name ? '' : `, from ${parts}`}` });
    o.from.forEach(visit);
  };
  origins.forEach(visit);
  return notes;
}
