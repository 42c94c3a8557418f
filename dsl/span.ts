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
