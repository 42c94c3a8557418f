/**
 * What a user is told about a spec: a stable code, one sentence, where, and why. Every message is built by a function
 * of `messages.ts`; this file only carries and renders them.
 */
import type { SourceFile, Span } from './span.js';

export interface Note {
  /** With a span the note labels that piece of source; without one it is a `= note:` line. */
  readonly span?: Span;
  readonly text: string;
}

/** A replacement that would repair the source, shown as `= fix:` and offered by editors. */
export interface Fix {
  readonly title: string;
  readonly edits: readonly { readonly span: Span; readonly replacement: string }[];
}

export interface Diagnostic {
  /** `E0001` ... `E9999`, never reused for another meaning. */
  readonly code: string;
  readonly severity: 'error' | 'warning';
  readonly message: string;
  readonly span: Span;
  /** Text beside the carets of the main span. */
  readonly label?: string;
  readonly notes: readonly Note[];
  readonly fix?: Fix;
}

/** Thrown by API functions whose input was wrong; carries everything that was found, in source order. */
export class FirnError extends Error {
  constructor(readonly diagnostics: readonly Diagnostic[], readonly sources: readonly SourceFile[] = []) {
    super(diagnostics.map((d) => renderDiagnostic(d, sources)).join('\n\n'));
    this.name = 'FirnError';
  }
}

export function hasErrors(diagnostics: readonly Diagnostic[]): boolean {
  return diagnostics.some((d) => d.severity === 'error');
}

/** One code at one place; what it says of it may differ by the way that led there. */
export function isSameMistake(a: Diagnostic, b: Diagnostic): boolean {
  return a.code === b.code && a.span.file === b.span.file && a.span.start === b.span.start;
}

interface Label {
  readonly line: number;
  /** 0-based columns [from, to) in that line. */
  readonly from: number;
  readonly to: number;
  readonly text: string;
  readonly mark: '^' | '-';
}

/**
 * Renders a diagnostic as a code frame: header, location, the lines of every span with `^^^` under the main one and
 * `---` under those of its notes, then the notes without a span and the fix. A source that is not given leaves out
 * the frame, never the location. Ends without a newline.
 */
export function renderDiagnostic(d: Diagnostic, sources: readonly SourceFile[]): string {
  const own: Note = { span: d.span, text: d.label ?? '' };
  const located = [own, ...d.notes.filter((n) => n.span !== undefined)];
  const files = [...new Set(located.map((n) => n.span!.file))];
  const gutter = Math.max(...located.map((n) => String(n.span!.line).length));
  const out = [`${d.severity}[${d.code}]: ${d.message}`];
  for (const path of files) {
    const notes = located.filter((n) => n.span!.file === path);
    const at = notes[0].span!;
    out.push(`${' '.repeat(gutter)}${path === d.span.file ? '-->' : ':::'} ${path}:${at.line}:${at.column}`);
    const source = sources.find((s) => s.path === path);
    if (source) out.push(...renderFrame(notes, own, source, gutter));
    else out.push(...notes.filter((n) => n.text !== '').map((n) => `${' '.repeat(gutter)} = ${n.text}`));
  }
  for (const n of d.notes) if (n.span === undefined) out.push(...renderRemark('note', n.text, gutter));
  if (d.fix) out.push(...renderRemark('fix', d.fix.title, gutter));
  return out.join('\n');
}

function renderRemark(kind: string, text: string, gutter: number): string[] {
  const head = `${' '.repeat(gutter)} = ${kind}: `;
  return text.split('\n').map((line, i) => (i === 0 ? head : ' '.repeat(head.length)) + line);
}

/** Longer lines are shown in part. */
const frameWidth = 160;

function renderFrame(notes: readonly Note[], main: Note, source: SourceFile, gutter: number): string[] {
  const lines = source.text.split(/\r\n|\r|\n/).map((line) => line.replace(/\t/g, ' '));
  const labels = notes.map((n) => labelOf(n, n === main ? '^' : '-', lines));
  const numbers = [...new Set(labels.map((l) => l.line))].sort((a, b) => a - b);
  const margin = `${' '.repeat(gutter)} |`;
  const out = [margin];
  const show = (number: number, text: string): number => out.push(`${String(number).padStart(gutter)} | ${text}`);
  numbers.forEach((number, i) => {
    const previous = numbers[i - 1] ?? number;
    if (number === previous + 2) show(previous + 1, (lines[previous] ?? '').slice(0, frameWidth));
    else if (number > previous + 2) out.push('...');
    const { text, visible } = crop(lines[number - 1] ?? '', labels.filter((l) => l.line === number));
    show(number, text);
    for (const marks of underline(visible)) out.push(`${margin} ${marks}`);
  });
  return out.map((line) => line.trimEnd());
}

/** The part of a long line around its first label, and the labels within that part. */
function crop(text: string, labels: readonly Label[]): { text: string; visible: readonly Label[] } {
  if (text.length <= frameWidth) return { text, visible: labels };
  const first = Math.min(...labels.map((l) => l.from));
  const start = Math.max(0, first - frameWidth / 2);
  const end = start + frameWidth;
  const clamped = (column: number): number => Math.min(Math.max(column - start, 0), frameWidth);
  const visible = labels.filter((l) => l.from < end).map((l) => ({ ...l, from: clamped(l.from), to: clamped(l.to) }));
  return { text: text.slice(start, end), visible };
}

/** A span over several lines is marked on its first line. An empty span (end of file) gets one caret. */
function labelOf(note: Note, mark: '^' | '-', lines: readonly string[]): Label {
  const span = note.span!;
  const width = (lines[span.line - 1] ?? '').length;
  const from = span.column - 1;
  const to = Math.max(from + 1, Math.min(from + (span.end - span.start), width));
  return { line: span.line, from, to, text: note.text, mark };
}

/** One line of marks with the last label's text, then one line for every other label's text, right to left. */
function underline(labels: readonly Label[]): string[] {
  const ordered = [...labels].sort((a, b) => a.from - b.from || a.to - b.to);
  const width = Math.max(...ordered.map((l) => l.to));
  const marks = new Array<string>(width).fill(' ');
  for (const mark of ['-', '^'] as const) {
    for (const l of ordered) if (l.mark === mark) marks.fill(mark, l.from, l.to);
  }
  const last = ordered[ordered.length - 1];
  const out = [`${marks.join('')} ${last.text}`.trimEnd()];
  for (let i = ordered.length - 2; i >= 0; i--) {
    if (ordered[i].text === '') continue;
    const bars = new Array<string>(ordered[i].from).fill(' ');
    for (const l of ordered.slice(0, i)) if (l.text !== '' && l.from < ordered[i].from) bars[l.from] = '|';
    out.push(bars.join('') + ordered[i].text);
  }
  return out;
}
