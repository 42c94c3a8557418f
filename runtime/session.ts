/**
 * Drives one executable: owns its cache blocks and sequences, turns work into runs of the plan's entries and takes the
 * outputs apart again. Which entry serves a run is decided by size alone.
 */
import type { DimValues, Executable, HostArray } from '../backends/device.js';
import type { Entry, Plan, Port } from '../compiler/ir/plan.js';
import { packBatch, type Place, type Sampling, type Sequence, type Work } from './batch.js';
import { BlockPool, type BlockPolicy } from './block-pool.js';
import { InputError } from './input-error.js';

export type { Sampling, Sequence, Work } from './batch.js';

export interface WorkResult {
  /** By output name; an output per token or per wanted row holds this work's only. */
  readonly outputs: Readonly<Record<string, HostArray>>;
}

export const greedy: Sampling = { temperature: 0, seed: 0, topK: 0, topP: 1 };

export class Session {
  private readonly pool: BlockPool;
  private readonly rows: (Sequence | undefined)[];
  /** Largest values of the plan's dims. */
  private readonly limits: DimValues;

  constructor(readonly executable: Executable, readonly plan: Plan, options: { readonly policy?: BlockPolicy } = {}) {
    this.limits = Object.fromEntries(plan.dims.map((d) => [d.name, d.max]));
    this.pool = new BlockPool(Math.floor(this.limit('slots') / plan.block), options.policy);
    this.rows = new Array<Sequence | undefined>(this.limit('sequences')).fill(undefined);
  }

  /** Most tokens that one run takes if `rows` of them are wanted as output. */
  largestRun(rows: 'last' | 'all'): number {
    return Math.max(...this.plan.entries.map((e) => (rows === 'all' ? Math.min(entryMax(e, 'tokens'), entryMax(e, 'outputs')) : entryMax(e, 'tokens'))));
  }

  /** Most tokens that one sequence can hold. */
  get context(): number {
    return Math.min(this.pool.count, this.limit('blocks')) * this.plan.block;
  }

  get vocabulary(): number {
    const shape = this.port('logits').shape.at(-1)!;
    if (shape.kind !== 'int') throw new Error('session: the extent of the vocabulary is not a number');
    return shape.value;
  }

  open(): Sequence {
    const row = this.rows.indexOf(undefined);
    if (row < 0) throw new InputError('R03', `${this.rows.length} sequences are open, as many as the plan allows`, 'close one, or compile with more sequences');
    return (this.rows[row] = { row, length: 0, blocks: [] });
  }

  close(sequence: Sequence): void {
    this.pool.release(sequence.blocks.splice(0));
    this.rows[sequence.row] = undefined;
  }

  /** One run of one entry; every sequence then holds its work's tokens. Results are in the order of `works`. */
  async run(works: readonly Work[], outputs: readonly string[], sampling: Sampling = greedy): Promise<WorkResult[]> {
    for (const { sequence, tokens } of works) {
      if (tokens.length === 0) throw new InputError('R06', 'a sequence has no token to run', 'give at least one token');
      this.checkIds(tokens);
      this.reserve(sequence, sequence.length + tokens.length);
    }
    const batch = packBatch(works, this.plan.block, sampling, this.vocabulary);
    const entry = this.entryFor(batch.dims);
    const stated = Object.entries(batch.dims).filter(([name]) => entry.dims.some((d) => d.name === name));
    const dims = { ...this.limits, ...batch.dims };
    const ports = outputs.map((name) => this.port(name, entry));
    const known = new Set(entry.inputs.map((p) => p.name));
    const inputs = Object.fromEntries(Object.entries(batch.inputs).filter(([name]) => known.has(name)));
    for (const name of known) if (/^ahead\d+$/.test(name)) inputs[name] = batch.ahead(Number(name.slice(5)));
    const all = await this.executable.run(entry.name, Object.fromEntries(stated), inputs, outputs);
    for (const { sequence, tokens } of works) sequence.length += tokens.length;
    return batch.places.map((place) => ({ outputs: Object.fromEntries(ports.map((port) => [port.name, takePart(port, all[port.name], dims, place)])) }));
  }

  private limit(name: string): number {
    const max = this.limits[name];
    if (max === undefined) throw new Error(`session: the plan has no dim '${name}'`);
    return max;
  }

  /** The entry with the fewest tokens that takes these dims. */
  private entryFor(dims: DimValues): Entry {
    const fitting = this.plan.entries
      .filter((e) => Object.entries(dims).every(([name, value]) => value <= entryMax(e, name, this.limits[name])))
      .sort((a, b) => entryMax(a, 'tokens') - entryMax(b, 'tokens'));
    if (fitting.length > 0) return fitting[0];
    const asked = Object.entries(dims).map(([name, value]) => `${name} ${value}`).join(', ');
    throw new InputError('R04', `no entry of the plan takes ${asked}`, 'run fewer tokens at once (a smaller chunk), or compile for more');
  }

  private port(name: string, entry: Entry = this.plan.entries[0]): Port {
    const port = entry.outputs.find((p) => p.name === name);
    if (port === undefined) throw new InputError('R05', `the plan has no output '${name}'`, `it has ${entry.outputs.map((p) => p.name).join(', ')}`);
    return port;
  }

  private checkIds(tokens: readonly number[]): void {
    const bad = tokens.find((id) => !Number.isInteger(id) || id < 0 || id >= this.vocabulary);
    if (bad !== undefined) throw new InputError('R01', `token id ${bad} is outside the vocabulary of ${this.vocabulary}`, 'use the tokenizer that belongs to this model');
  }

  private reserve(sequence: Sequence, length: number): void {
    const needed = Math.ceil(length / this.plan.block);
    if (needed > this.limit('blocks')) {
      throw new InputError('R02', `a sequence of ${length} tokens is longer than the ${this.limit('blocks') * this.plan.block} that the plan has room for`, 'compile with a larger context (--context N)');
    }
    while (sequence.blocks.length < needed) {
      const block = this.pool.take();
      if (block === undefined) throw new InputError('R02', `the cache is full: all ${this.pool.count} blocks of ${this.plan.block} tokens are in use`, 'close a sequence, or compile with a larger context (--context N)');
      sequence.blocks.push(block);
    }
  }
}

function entryMax(entry: Entry, name: string, otherwise = Infinity): number {
  return entry.dims.find((d) => d.name === name)?.max ?? otherwise;
}

/** The part of an output that belongs to one work: a stretch of its `tokens` or `outputs` axis, if it has one. */
function takePart(port: Port, data: HostArray, dims: DimValues, place: Place): HostArray {
  const axis = port.shape.findIndex((s) => s.kind === 'dim' && (s.name === 'tokens' || s.name === 'outputs'));
  if (axis < 0) return data;
  const shape = port.shape.map((s) => {
    if (s.kind === 'int') return s.value;
    if (s.kind === 'dim') return dims[s.name];
    throw new Error(`session: output '${port.name}' has a computed extent`);
  });
  const perToken = port.shape[axis].kind === 'dim' && (port.shape[axis] as { name: string }).name === 'tokens';
  const [start, count] = perToken ? [place.token, place.tokens] : [place.row, place.rows];
  const inner = shape.slice(axis + 1).reduce((n, s) => n * s, 1);
  const outer = shape.slice(0, axis).reduce((n, s) => n * s, 1);
  if (outer === 1) return data.slice(start * inner, (start + count) * inner);
  const out = data.slice(0, outer * count * inner);
  for (let o = 0; o < outer; o++) out.set(data.subarray((o * shape[axis] + start) * inner, (o * shape[axis] + start + count) * inner), o * count * inner);
  return out;
}
