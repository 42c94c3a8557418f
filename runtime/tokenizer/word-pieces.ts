/**
 * A byte-pair tokenizer as data: what a program without JavaScript needs of it. Numbers are little-endian u32 where they
 * are in `tables`, which is searched in place; the rest is small.
 */
import type { SplitPattern } from './split-pattern.js';

export interface WordPieces {
  /** Bytes of each id; empty for ids without bytes of their own. */
  readonly tokens: readonly Uint8Array[];
  /** Texts that are one token; `special` ones only where special tokens are recognised. */
  readonly specials: readonly { readonly text: string; readonly id: number; readonly special: boolean }[];
  /** Ids before and after every text in which special tokens are recognised. */
  readonly prefix: readonly number[];
  readonly suffix: readonly number[];
  readonly pattern: SplitPattern;
  /** Pairs that merge, the first one first; undefined: any two whose joint bytes are a token, the lowest id first. */
  readonly merges: readonly (readonly [left: number, right: number, id: number])[] | undefined;
  /** A word that is a token is that token, whatever the merges say. */
  readonly whole: boolean;
  /** Where long texts are cut before anything else: every `text` code points, and after `run` of them in a row that all are, or all are not, `space`. */
  readonly cuts?: { readonly text: number; readonly run: number; readonly space: readonly number[] };
}

/** Positions are in bytes from the start of `tables`. */
export interface PackedPieces {
  readonly tables: Uint8Array;
  readonly description: {
    readonly count: number;
    /** u32 [count + 1]: where each token's bytes begin, then the bytes. */
    readonly starts: number;
    readonly bytes: number;
    /** u32 [sortedCount]: ids in the order of their bytes. */
    readonly sorted: number;
    readonly sortedCount: number;
    /** u32 [pairCount, 4]: left, right, rank, id, in the order of left and right. */
    readonly pairs: number;
    readonly pairCount: number;
    readonly ranked: boolean;
  };
}

export function packPieces({ tokens, merges }: WordPieces): PackedPieces {
  const starts = new Uint32Array(tokens.length + 1);
  tokens.forEach((t, id) => { starts[id + 1] = starts[id] + t.length; });
  const sorted = Uint32Array.from(tokens.keys()).filter((id) => tokens[id].length > 0).sort((a, b) => compareBytes(tokens[a], tokens[b]));
  const pairs = (merges ?? []).map(([left, right, id], rank) => [left, right, rank, id]).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const parts = [new Uint8Array(starts.buffer), new Uint8Array(sorted.buffer), new Uint8Array(Uint32Array.from(pairs.flat()).buffer), joined(tokens)];
  const places = parts.reduce<number[]>((at, part) => [...at, at.at(-1)! + part.length], [0]);
  return {
    tables: joined(parts),
    description: { count: tokens.length, starts: places[0], sorted: places[1], sortedCount: sorted.length, pairs: places[2], pairCount: pairs.length, bytes: places[3], ranked: merges !== undefined },
  };
}

/** As dictionaries order words; a prefix comes first. */
function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) if (a[i] !== b[i]) return a[i] - b[i];
  return a.length - b.length;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) { out.set(part, at); at += part.length; }
  return out;
}
