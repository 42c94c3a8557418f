/**
 * Packs the work of several sequences into the inputs of one run. Tokens of all sequences lie on one axis, ordered by
 * the sequence's row; a row without work has no tokens. Prefill and decode differ in nothing but the number of tokens.
 */
import type { HostArray } from '../backends/device.js';

/** One sequence of tokens in the cache. `row` is its place in the block table and in recurrent state. */
export interface Sequence {
  readonly row: number;
  /** Tokens already in the cache: the position of the next one. */
  length: number;
  /** Block j holds the entries of positions j * block .. */
  readonly blocks: number[];
}

/** `rows`: for which of the tokens logits and the next token are wanted. */
export interface Work {
  readonly sequence: Sequence;
  readonly tokens: readonly number[];
  readonly rows: 'last' | 'all' | 'none';
  /** Ids behind `tokens` that are known already, such as the rest of a prompt; models that look ahead read them. */
  readonly next?: readonly number[];
  /** Further inputs of the plan, row-major with the tokens first. */
  readonly inputs?: Readonly<Record<string, Int32Array>>;
}

/**
 * `temperature` 0: the likeliest token, whatever the rest says. `topK` 0: no limit; `topP` 1: no limit. Both apply to the
 * logits over temperature, top-k first, the share of top-p being counted among what it left.
 */
export interface Sampling { readonly temperature: number; readonly seed: number; readonly topK: number; readonly topP: number }

/** Where a work's tokens and wanted rows are in the packed axes. */
export interface Place { readonly token: number; readonly tokens: number; readonly row: number; readonly rows: number }

export interface Batch {
  /** `context`: tokens of the longest sequence, those of this run included. */
  readonly dims: { readonly tokens: number; readonly outputs: number; readonly sequences: number; readonly blocks: number; readonly context: number };
  readonly inputs: Readonly<Record<string, HostArray>>;
  /** In the order of the works given. */
  readonly places: readonly Place[];
  /** The id that comes `by` places behind each token in its own sequence, -1 where it is not known. */
  readonly ahead: (by: number) => Int32Array;
}

/** Packs `works` (at most one per sequence, each with a token); the sequences must own blocks for their new tokens. */
export function packBatch(works: readonly Work[], block: number, sampling: Sampling, vocabulary: number): Batch {
  const ordered = works.map((work, index) => ({ work, index })).sort((a, b) => a.work.sequence.row - b.work.sequence.row);
  const rows: number[] = [];
  const columns = { tokens: [] as number[], position: [] as number[], sequence: [] as number[], slot: [] as number[] };
  const places: Place[] = [];
  for (const { work, index } of ordered) {
    const token = columns.tokens.length;
    const first = rows.length;
    work.tokens.forEach((id, i) => appendToken(columns, work.sequence, id, i, block));
    const end = columns.tokens.length;
    if (work.rows === 'all') for (let i = token; i < end; i++) rows.push(i);
    if (work.rows === 'last') rows.push(end - 1);
    places[index] = { token, tokens: work.tokens.length, row: first, rows: rows.length - first };
  }
  // A run without a wanted row still computes one: every entry has at least one row of logits.
  if (rows.length === 0) rows.push(columns.tokens.length - 1);
  const sequences = ordered.at(-1)!.work.sequence.row + 1;
  const context = Math.max(...works.map((w) => w.sequence.length + w.tokens.length));
  const blocks = Math.ceil(context / block);
  return {
    dims: { tokens: columns.tokens.length, outputs: rows.length, sequences, blocks, context },
    inputs: {
      tokens: Int32Array.from(columns.tokens), position: Int32Array.from(columns.position), sequence: Int32Array.from(columns.sequence),
      slot: Int32Array.from(columns.slot), blocks: blockTable(works, sequences, blocks), starts: startsOf(ordered.map((o) => o.work), sequences),
      rows: Int32Array.from(rows), ...samplingInputs(sampling, vocabulary), ...joinedInputs(ordered.map((o) => o.work)),
    },
    places,
    ahead: (by) => Int32Array.from(ordered.flatMap(({ work }) => work.tokens.map((_, i) => work.tokens[i + by] ?? work.next?.[i + by - work.tokens.length] ?? -1))),
  };
}

/** Every work has the same further inputs. */
function joinedInputs(works: readonly Work[]): Record<string, HostArray> {
  return Object.fromEntries(Object.keys(works[0].inputs ?? {}).map((name) => {
    const parts = works.map((w) => w.inputs![name]);
    const all = new Int32Array(parts.reduce((n, part) => n + part.length, 0));
    parts.reduce((at, part) => (all.set(part, at), at + part.length), 0);
    return [name, all];
  }));
}

/** The plan knows one switch for both limits: `top_k` 0. */
function samplingInputs({ temperature, seed, topK, topP }: Sampling, vocabulary: number): Record<string, HostArray> {
  const k = temperature === 0 ? 0 : topK > 0 ? Math.min(topK, vocabulary) : topP < 1 ? vocabulary : 0;
  return { temperature: Float32Array.of(temperature), seed: Uint32Array.of(seed >>> 0), top_k: Int32Array.of(k), top_p: Float32Array.of(topP) };
}

function appendToken(columns: Record<'tokens' | 'position' | 'sequence' | 'slot', number[]>, sequence: Sequence, id: number, i: number, block: number): void {
  const position = sequence.length + i;
  const owned = sequence.blocks[Math.floor(position / block)];
  if (owned === undefined) throw new Error(`batch: sequence ${sequence.row} owns no block for position ${position}`);
  columns.tokens.push(id);
  columns.position.push(position);
  columns.sequence.push(sequence.row);
  columns.slot.push(owned * block + (position % block));
}

/** [sequences, blocks]; 0 where a sequence owns fewer. */
function blockTable(works: readonly Work[], sequences: number, blocks: number): Int32Array {
  const table = new Int32Array(sequences * blocks);
  for (const { sequence } of works) table.set(sequence.blocks.slice(0, blocks), sequence.row * blocks);
  return table;
}

/** [sequences + 1]: first token of every row. */
function startsOf(ordered: readonly Work[], sequences: number): Int32Array {
  const starts = new Int32Array(sequences + 1);
  for (const { sequence, tokens } of ordered) starts[sequence.row + 1] = tokens.length;
  for (let s = 0; s < sequences; s++) starts[s + 1] += starts[s];
  return starts;
}
