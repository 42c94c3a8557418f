/** A half-open range of characters [start, end) in a source file, with 1-based line and column of its start. */
export interface Span {
  readonly file: string;
  readonly start: number;
  readonly end: number;
  readonly line: number;
  readonly column: number;
}

export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** The empty span at `offset`. */
export function spanAt(offset: number, source: SourceFile): Span {
  const before = source.text.slice(0, offset).split(/\r\n|\r|\n/);
  return { file: source.path, start: offset, end: offset, line: before.length, column: before[before.length - 1].length + 1 };
}
