import { describe, expect, it } from 'vitest';
import type { DimValues, Executable, HostArray } from '../../backends/device.js';
import type { Scalar } from '../../compiler/ir/kernel.js';
import type { Entry, Plan, Port } from '../../compiler/ir/plan.js';
import { generate } from '../../runtime/generate.js';
import { Session } from '../../runtime/session.js';

const vocabulary = 300, block = 16;
const dim = (name: string): Scalar => ({ kind: 'dim', name });
const int = (value: number): Scalar => ({ kind: 'int', value });
const region = { buffer: 'io', offset: { base: 0, terms: [] }, bytes: 0, tensor: 'io' };
const port = (name: string, shape: Scalar[]): Port => ({ name, region, dtype: 'i32', shape });

function planFor(tokens: number, blocks = 8, sequences = 4): Plan {
  const inputs = ['tokens', 'position', 'sequence', 'slot', 'blocks', 'starts', 'rows'].map((name) => port(name, []));
  const outputs = [port('logits', [dim('outputs'), int(vocabulary)]), port('next', [dim('outputs')]), port('seen', [int(2), dim('tokens')])];
  const entry = (name: string, max: number): Entry => ({ name, dims: [{ name: 'tokens', max }, { name: 'outputs', max }, { name: 'sequences', max: sequences }, { name: 'blocks', max: blocks }, { name: 'context', max: blocks * block }], inputs, outputs, steps: [] });
  const dims = { tokens, outputs: tokens, sequences, blocks, slots: blocks * block * 2, pool: sequences };
  return {
    version: 1, model: 'toy', target: 'toy', hash: '', block, ranks: 1, groups: [], buffers: [], weights: [], states: [], constants: [], kernels: [], peakBytes: 0,
    dims: Object.entries(dims).map(([name, max]) => ({ name, max })), entries: [entry('prefill', tokens), entry('decode', 4)],
  };
}

/** A model whose next token depends on every token of the sequence and its position, read through the block table. */
function toyExecutable(plan: Plan, log: string[] = []): Executable {
  const cache = new Int32Array(plan.dims.find((d) => d.name === 'slots')!.max);
  const at = (x: HostArray, i: number): number => x[i];
  return {
    resident: new Map(), async write() { throw new Error(); }, async read() { throw new Error(); }, async resetState() { cache.fill(0); }, async close() { cache.fill(0); },
    async run(entry: string, dims: DimValues, inputs: Readonly<Record<string, HostArray>>, wanted: readonly string[]) {
      log.push(`${entry}:${dims.tokens}`);
      const { tokens, position, sequence, slot, blocks, starts, rows } = inputs;
      expect(starts.length).toBe(dims.sequences + 1);
      expect(blocks.length).toBe(dims.sequences * dims.blocks);
      for (let t = 0; t < dims.tokens; t++) {
        expect(t >= at(starts, at(sequence, t)) && t < at(starts, at(sequence, t) + 1)).toBe(true);
        cache[at(slot, t)] = at(tokens, t);
      }
      const value = (t: number): number => {
        let sum = 0;
        for (let j = 0; j <= at(position, t); j++) sum += cache[at(blocks, at(sequence, t) * dims.blocks + Math.floor(j / block)) * block + (j % block)] * (j + 1);
        return sum % vocabulary;
      };
      const next = Int32Array.from(rows, value);
      const logits = new Float32Array(dims.outputs * vocabulary);
      next.forEach((id, i) => { logits[i * vocabulary + id] = 1; });
      const seen = Int32Array.from([...tokens, ...position]);
      const all: Record<string, HostArray> = { next, logits, seen };
      return Object.fromEntries(wanted.map((name) => [name, all[name]]));
    },
  };
}

const sessionFor = (tokens: number, policy?: (free: readonly number[]) => number): Session => {
  const plan = planFor(tokens);
  return new Session(toyExecutable(plan), plan, policy === undefined ? {} : { policy });
};
const prompt = (n: number, seed: number): number[] => Array.from({ length: n }, (_, i) => (i * 37 + seed * 11) % vocabulary);

describe('generation', () => {
  it('does not depend on the chunk, the block order or the largest run', async () => {
    const reference = await generate(sessionFor(128), prompt(50, 1), { maxTokens: 12 });
    expect(reference).toMatchObject({ reason: 'length', promptTokens: 50, decodedTokens: 11 });
    for (const chunk of [1, 5, 16, 49, 50]) {
      expect((await generate(sessionFor(128), prompt(50, 1), { maxTokens: 12, chunk })).tokens).toEqual(reference.tokens);
    }
    let turn = 7;
    const shuffled = sessionFor(20, (free) => (turn = (turn * 31 + 3) % 1009) % free.length);
    expect((await generate(shuffled, prompt(50, 1), { maxTokens: 12 })).tokens).toEqual(reference.tokens);
  });

  it('stops at a stop token, at the context, when aborted', async () => {
    const { tokens } = await generate(sessionFor(128), prompt(5, 2), { maxTokens: 8 });
    const stopped = await generate(sessionFor(128), prompt(5, 2), { maxTokens: 8, stop: [tokens[4]] });
    expect(stopped).toMatchObject({ reason: 'stop', tokens: tokens.slice(0, tokens.indexOf(tokens[4])) });
    expect(await generate(sessionFor(128), prompt(125, 2), { maxTokens: 99 })).toMatchObject({ reason: 'context', decodedTokens: 3 });
    const abort = new AbortController();
    const aborted = await generate(sessionFor(128), prompt(5, 2), { maxTokens: 8, signal: abort.signal, onToken: () => abort.abort() });
    expect(aborted).toMatchObject({ reason: 'aborted', tokens: tokens.slice(0, 1) });
  });

  it('uses the smallest entry that fits', async () => {
    const plan = planFor(64);
    const log: string[] = [];
    await generate(new Session(toyExecutable(plan, log), plan), prompt(70, 1), { maxTokens: 3 });
    expect(log).toEqual(['prefill:64', 'prefill:6', 'decode:1', 'decode:1']);
  });
});

describe('several sequences in one run', () => {
  it('get what each gets alone, prefill and decode mixed, whatever their order', async () => {
    const alone = await Promise.all([0, 1, 2].map(async (s) => (await generate(sessionFor(128), prompt(9 + 14 * s, s), { maxTokens: 3 })).tokens));
    const session = sessionFor(128, (free) => Math.floor(free.length / 2));
    const [a, b, c] = [session.open(), session.open(), session.open()];
    const next = (r: { outputs: Readonly<Record<string, HostArray>> }): number => r.outputs.next.at(-1)!;
    const [first] = await session.run([{ sequence: b, tokens: prompt(23, 1), rows: 'last' }], ['next']);
    const second = await session.run([
      { sequence: c, tokens: prompt(37, 2), rows: 'all' }, { sequence: b, tokens: [next(first)], rows: 'last' }, { sequence: a, tokens: prompt(9, 0).slice(0, 4), rows: 'none' },
    ], ['next', 'seen', 'logits']);
    expect(second[0].outputs.next.length).toBe(37);
    expect(second[0].outputs.logits.length).toBe(37 * vocabulary);
    expect([...second[2].outputs.seen]).toEqual([...prompt(9, 0).slice(0, 4), 0, 1, 2, 3]);
    expect([...second[1].outputs.seen]).toEqual([next(first), 23]);
    expect(second[2].outputs.next.length).toBe(0);
    const third = await session.run([{ sequence: a, tokens: prompt(9, 0).slice(4), rows: 'last' }, { sequence: c, tokens: [next(second[0])], rows: 'last' }], ['next']);
    expect([next(third[0]), next(first), next(second[1]), next(second[0]), next(third[1])]).toEqual([alone[0][0], alone[1][0], alone[1][1], alone[2][0], alone[2][1]]);
  });

  it('give their blocks back', async () => {
    const session = sessionFor(128);
    for (let i = 0; i < 20; i++) await generate(session, prompt(100, i), { maxTokens: 5 });
  });
});

describe('what cannot be served is said', () => {
  it.each([
    ['R01', (s: Session) => generate(s, [5, 300], { maxTokens: 1 })],
    ['R02', (s: Session) => generate(s, prompt(129, 0), { maxTokens: 1 })],
    ['R03', async (s: Session) => { for (let i = 0; i < 5; i++) s.open(); }],
    ['R05', async (s: Session) => s.run([{ sequence: s.open(), tokens: [1], rows: 'last' }], ['nonsense'])],
    ['R06', (s: Session) => generate(s, [], { maxTokens: 1 })],
    ['R02', async (s: Session) => { for (let i = 0; i < 3; i++) await s.run([{ sequence: s.open(), tokens: prompt(120, i), rows: 'last' }], ['next']); }],
  ] as [string, (s: Session) => Promise<unknown>][])('%s', async (code, act) => {
    await expect(act(sessionFor(128))).rejects.toMatchObject({ code, fix: expect.any(String) });
  });
});
