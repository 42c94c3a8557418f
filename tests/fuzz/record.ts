/** What a fuzzing run did, a line of JSON per kind or device, appended to the file that FIRN_FUZZ_RECORD names. */
import { appendFileSync } from 'node:fs';

export interface Done {
  readonly what: string;
  /** The first seed, and how many files or models came of it. */
  readonly seed: number;
  readonly count: number;
  readonly faults: readonly string[];
  readonly seconds: number;
  /** The slowest, in seconds of CPU time, and bytes: growth of the process, largest array. */
  readonly most?: { readonly seconds: number; readonly growth: number; readonly array: number };
}

export function record(done: Done): void {
  const path = process.env.FIRN_FUZZ_RECORD;
  if (path !== undefined) appendFileSync(path, `${JSON.stringify({ ...done, at: new Date().toISOString() })}\n`);
}
