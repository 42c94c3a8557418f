/** Colours and a progress line, on stderr; nothing but plain lines where that is not a terminal. How numbers and tables are written. */
export { formatBytes, formatRate } from '../runtime/format.js';

const codes = { red: 31, yellow: 33, green: 32, dim: 2, bold: 1 } as const;

export function color(name: keyof typeof codes, text: string): string {
  const wanted = process.stderr.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== 'dumb';
  return wanted ? `\u001b[${codes[name]}m${text}\u001b[0m` : text;
}

/** Names and texts of other people's files must not steer the terminal: control characters are written as `\\u001b`. */
export function printable(text: string): string {
  return text.replace(/[^\P{Cc}\n\t]/gu, (c) => `\\u${c.codePointAt(0)!.toString(16).padStart(4, '0')}`);
}

export function note(text: string): void {
  process.stderr.write(`${color('dim', printable(text))}\n`);
}

/** A line that is rewritten while work goes on, at most every 100 ms; on a pipe, a plain line every 10 s. */
export class ProgressLine {
  private last: number | undefined;
  private shown = false;

  update(text: () => string): void {
    const live = process.stderr.isTTY === true;
    const now = performance.now();
    this.last ??= now;
    if (now - this.last < (live ? 100 : 10_000)) return;
    this.last = now;
    process.stderr.write(live ? `\r\u001b[2K${text()}` : `${text()}\n`);
    this.shown = live;
  }

  end(): void {
    if (this.shown) process.stderr.write('\r\u001b[2K');
    this.shown = false;
  }
}

/** 1026408232448 -> '1,026,408,232,448'. */
export function formatCount(n: number): string {
  return String(n).replace(/\B(?=(\d{3})+(?!\d))/g, ',');
}

/** Columns aligned with two spaces between; numbers (by `right`) to the right. */
export function formatTable(rows: readonly (readonly string[])[], right: ReadonlySet<number> = new Set()): string {
  const widths = rows[0].map((_, c) => Math.max(...rows.map((r) => r[c].length)));
  return rows.map((r) => r.map((cell, c) => (right.has(c) ? cell.padStart(widths[c]) : cell.padEnd(widths[c]))).join('  ').trimEnd()).join('\n');
}
