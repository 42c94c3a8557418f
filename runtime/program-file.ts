/**
 * A standalone program as a file: the linked program, then the weights (each buffer on a page of its own, so that it can
 * be mapped), the tokenizer's tables, the plan, a description in JSON, and 32 bytes at the end that say where the description is. Read by
 * runtime/native/program.cc. Weights may lie in a file of their own beside it, which begins with the id of the build.
 */
import { createHash, type Hash } from 'node:crypto';
import { basename } from 'node:path';
import type { Executable } from '../backends/device.js';
import type { Plan } from '../compiler/ir/plan.js';
import { AtomicFile } from './atomic-file.js';
import { packPieces, type WordPieces } from './tokenizer/word-pieces.js';

export interface ProgramDescription {
  /** What the processor must have, for people and as /proc/cpuinfo spells it. */
  readonly processor: string;
  readonly needs: readonly string[];
  readonly vocabulary: number;
  readonly stop: readonly number[];
  /** Bytes, a tokenizer as data, or the reason why the program takes no text. */
  readonly tokenizer: 'bytes' | WordPieces | { readonly why: string };
}

export interface ProgramRequest {
  readonly path: string;
  /** The linked program. */
  readonly program: Uint8Array;
  readonly plan: Plan;
  readonly description: ProgramDescription;
  readonly weightsBeside: boolean;
  /** Writes all weights of the plan. */
  readonly fill: (weights: Executable) => Promise<void>;
}

const page = 4096;
const aligned = (at: number): number => Math.ceil(at / page) * page;

/** Names and bytes of the files written; both appear whole or not at all. */
export async function writeProgram(request: ProgramRequest): Promise<Map<string, number>> {
  const { path, plan, program } = request;
  const beside = request.weightsBeside ? `${path}.weights` : undefined;
  const file = await AtomicFile.create(path, 0o777);
  let other: AtomicFile | undefined;
  try {
    await file.write(program, 0);
    other = beside === undefined ? undefined : await AtomicFile.create(beside);
    const start = other === undefined ? aligned(program.length) : page;
    const weights = new WeightFile(plan, other ?? file, start);
    await request.fill(weights);
    const id = weights.id();
    await other?.write(new TextEncoder().encode(`FIRNWGT1${id}`), 0);
    await other?.write(new Uint8Array(1), weights.end - 1);
    const at = other === undefined ? weights.end : aligned(program.length);
    const size = await writeTail(file, at, request, { id, beside: beside === undefined ? '' : basename(beside), weights: weights.places });
    await other?.commit();
    await file.commit();
    return new Map([...(beside === undefined ? [] : [[beside, weights.end] as const]), [path, size]]);
  } catch (error) {
    await other?.discard().catch(() => undefined);
    await file.discard().catch(() => undefined);
    throw error;
  }
}

interface Place { readonly buffer: string; readonly offset: number; readonly bytes: number }

/** Plan, description and the last 32 bytes; returns the size of the file. */
async function writeTail(file: AtomicFile, at: number, { plan, description }: ProgramRequest, weights: { id: string; beside: string; weights: readonly Place[] }): Promise<number> {
  const text = new TextEncoder().encode(JSON.stringify(plan));
  const { tables, json: tokenizer } = describeTokenizer(description.tokenizer, at);
  const planAt = at + tables.length;
  const limit = (name: string): number => plan.dims.find((d) => d.name === name)!.max;
  const entries = [...plan.entries].map((e) => ({ name: e.name, tokens: e.dims.find((d) => d.name === 'tokens')!.max, dims: e.dims.map((d) => d.name), inputs: e.inputs.map((p) => p.name) }))
    .sort((a, b) => a.tokens - b.tokens);
  const json = new TextEncoder().encode(JSON.stringify({
    model: plan.model, ...description, tokenizer, ...weights, entries, block: plan.block, context: limit('blocks') * plan.block, plan: { offset: planAt, bytes: text.length },
  }));
  const trailer = new DataView(new ArrayBuffer(32));
  const end = planAt + text.length + json.length;
  new TextEncoder().encodeInto('FIRNPRG1', new Uint8Array(trailer.buffer));
  [end - json.length, json.length, end + 32].forEach((value, i) => trailer.setBigUint64(8 + 8 * i, BigInt(value), true));
  await file.write(tables, at);
  await file.write(text, planAt);
  await file.write(json, planAt + text.length);
  await file.write(new Uint8Array(trailer.buffer), end);
  return end + 32;
}

/** `at`: where the tables will be, a multiple of a page. */
function describeTokenizer(tokenizer: ProgramDescription['tokenizer'], at: number): { tables: Uint8Array; json: object } {
  if (tokenizer === 'bytes') return { tables: new Uint8Array(), json: { kind: 'bytes', why: '' } };
  if ('why' in tokenizer) return { tables: new Uint8Array(), json: { kind: '', why: tokenizer.why } };
  const { tables, description } = packPieces(tokenizer);
  const { pattern, specials, prefix, suffix, whole, cuts = { text: 0, run: 0, space: [] } } = tokenizer;
  return { tables, json: { kind: 'pieces', why: '', tables: { offset: at, bytes: tables.length }, ...description, pattern, specials, prefix, suffix, whole, cuts } };
}

/** The buffers of weights, written to a file instead of a device. */
class WeightFile implements Executable {
  readonly resident = new Map<string, number>();
  readonly places: readonly Place[];
  /** Behind the last buffer. */
  readonly end: number;
  private readonly hash: Hash;

  constructor(plan: Plan, private readonly file: AtomicFile, start: number) {
    let at = start;
    this.places = plan.buffers.filter((b) => b.kind === 'weights').map((b) => {
      const place = { buffer: b.id, offset: at, bytes: b.bytes };
      at = aligned(at + b.bytes);
      return place;
    });
    this.end = at;
    this.hash = createHash('sha256').update(plan.hash);
  }

  /** Of what was written, in its order. */
  id(): string {
    return this.hash.copy().digest('hex');
  }

  async write(buffer: string, offset: number, data: Uint8Array): Promise<void> {
    const place = this.places.find((p) => p.buffer === buffer);
    if (place === undefined || offset + data.length > place.bytes) throw new Error(`program file: ${data.length} bytes at ${offset} do not fit buffer '${buffer}'`);
    this.hash.update(data);
    await this.file.write(data, place.offset + offset);
  }

  read = (): Promise<never> => Promise.reject(new Error('program file: it is only written'));
  resetState = this.read;
  run = this.read;
  close = async (): Promise<void> => undefined;
}
