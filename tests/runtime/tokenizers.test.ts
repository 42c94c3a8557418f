import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from '../support/properties.js';
import { afterAll, describe, expect, it } from 'vitest';
import { loadTokenizer, stopTokens } from '../../runtime/tokenizer/load.js';
import { mergePairs, type Ranks } from '../../runtime/tokenizer/merge-pairs.js';
import { tiktokenTokenizer } from '../../runtime/tokenizer/tiktoken.js';
import { checkVocabulary, type Tokenizer } from '../../runtime/tokenizer/tokenizer.js';
import { goldenFolder } from '../golden/families.js';

const folder = mkdtempSync(join(tmpdir(), 'firn-tokenizers-'));
afterAll(() => rmSync(folder, { recursive: true }));

function streamed(tokenizer: Tokenizer, ids: readonly number[]): string[] {
  const decoder = tokenizer.decoder();
  return [...ids.map((id) => decoder.push(id)), decoder.end()];
}

/** Every text comes back, whole and piece by piece, and no piece holds part of a character. */
function expectStream(tokenizer: Tokenizer, text: string, specials: boolean): void {
  const pieces = streamed(tokenizer, tokenizer.encode(text, specials));
  expect(pieces.join('')).toBe(text);
  if (!text.includes('\ufffd')) for (const piece of pieces) expect(piece).not.toContain('\ufffd');
}

/** A tiktoken.model with the bytes and these words. */
function modelOf(...words: string[]): string {
  const bytes = Array.from({ length: 256 }, (_, i) => Buffer.from([i]));
  return `${[...bytes, ...words.map((w) => Buffer.from(w))].map((b, rank) => `${b.toString('base64')} ${rank}`).join('\n')}\n`;
}

/** Merging as it is defined: look for the lowest rank, merge, look again. */
function mergeByDefinition(bytes: string, ranks: Ranks): number[] {
  const parts = [...bytes];
  for (;;) {
    let best = Infinity, at = -1;
    for (let i = 0; i + 1 < parts.length; i++) {
      const rank = ranks.get(parts[i] + parts[i + 1]);
      if (rank !== undefined && rank < best) [best, at] = [rank, i];
    }
    if (at < 0) return parts.map((p) => ranks.get(p)!);
    parts.splice(at, 2, parts[at] + parts[at + 1]);
  }
}

describe('tokenizer.json', () => {
  const path = join(goldenFolder, 'llama31-tiny');
  const cases = (): { text: string; ids: number[] }[] => JSON.parse(readFileSync(join(path, 'tokenizer-cases.json'), 'utf8')) as never;
  it('gives the ids of the cases, and their text comes back as it is decoded', async () => {
    const tokenizer = await loadTokenizer(path);
    expect(tokenizer).toMatchObject({ name: 'tokenizer.json', size: 512 });
    for (const { text, ids } of cases()) {
      expect(tokenizer.encode(text, true)).toEqual(ids);
      expectStream(tokenizer, text, true);
    }
  });
  it('recognises special tokens, or takes them as text', async () => {
    const tokenizer = await loadTokenizer(path);
    expect(tokenizer.encode('a<s>b', true)).toEqual([...tokenizer.encode('a', true), 0, ...tokenizer.encode('b', true)]);
    const plain = tokenizer.encode('a<s>b', false);
    expect(plain).not.toContain(0);
    expect(streamed(tokenizer, plain).join('')).toBe('a<s>b');
    expect(streamed(tokenizer, [0]).join('')).toBe('<s>');
  });
  it('decodes vocabularies that rewrite text, character by character', async () => {
    const bytes = ['<0xF0>', '<0x9F>', '<0x99>', '<0x82>'];
    const vocab = Object.fromEntries(['<unk>', '\u2581snow', 'fall', ...bytes].map((t, id) => [t, id]));
    const json = {
      version: '1.0', added_tokens: [], normalizer: null, pre_tokenizer: null, post_processor: null,
      decoder: { type: 'Sequence', decoders: [{ type: 'Replace', pattern: { String: '\u2581' }, content: ' ' }, { type: 'ByteFallback' }, { type: 'Fuse' }] },
      model: { type: 'BPE', vocab, merges: [], unk_token: '<unk>', byte_fallback: true },
    };
    writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(json));
    const tokenizer = await loadTokenizer(folder);
    expect(streamed(tokenizer, [1, 2, 3, 4, 5, 6, 1])).toEqual([' snow', 'fall', '', '', '', '\u{1f642}', ' snow', '']);
    rmSync(join(folder, 'tokenizer.json'));
  });
});

describe('tiktoken.model', () => {
  const data = join(goldenFolder, '..', 'data', 'kimi-tokenizer');
  const published = existsSync(join(data, 'tiktoken.model'));
  it.skipIf(!published)('gives the ids of the cases, special tokens both ways', async () => {
    const tokenizer = await loadTokenizer(data);
    expect(tokenizer).toMatchObject({ name: 'tiktoken.model', size: 163840 });
    const cases = JSON.parse(readFileSync(join(goldenFolder, 'kimi-tokenizer', 'cases.json'), 'utf8')) as { text: string; plain: number[]; special: number[] }[];
    expect(cases.length).toBeGreaterThan(50);
    for (const { text, plain, special } of cases) {
      expect(tokenizer.encode(text, false), text).toEqual(plain);
      expect(tokenizer.encode(text, true), text).toEqual(special);
      expectStream(tokenizer, text, true);
      expectStream(tokenizer, text, false);
    }
  });
  it('merges as the definition says, in long words too', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 60 });
    fc.assert(fc.property(fc.uniqueArray(fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 2, maxLength: 5 }), { maxLength: 12 }), letters, (words, text) => {
      const ranks = new Map(['a', 'b', 'c', ...words].map((w, i) => [w, i]));
      if (ranks.has(text)) return;
      const out: number[] = [];
      mergePairs(text, ranks, out);
      expect(out).toEqual(mergeByDefinition(text, ranks));
    }), { seed: 1, numRuns: 400 });
    const started = performance.now();
    const out: number[] = [];
    mergePairs('ab'.repeat(100_000), new Map([['a', 0], ['b', 1], ['ab', 2], ['abab', 3]]), out);
    expect(out).toHaveLength(50_000);
    expect(performance.now() - started).toBeLessThan(2000);
  });
  it('splits words, names reserved ids, keeps characters whole', () => {
    const config = JSON.stringify({ tokenizer_class: 'TikTokenTokenizer', added_tokens_decoder: { 260: { content: '<|end|>' } } });
    const tokenizer = tiktokenTokenizer('tiktoken.model', modelOf('th', 'the', ' the', "'S"), config);
    expect(tokenizer.size).toBe(260 + 256);
    expect(tokenizer.encode("the the'S", true)).toEqual([257, 258, 259]);
    expect(tokenizer.encode('<|end|><|reserved_token_261|>', true)).toEqual([260, 261]);
    expect(tokenizer.encode('<|end|>', false)).toEqual([...Buffer.from('<|end|>')]);
    expect(streamed(tokenizer, [260, ...Buffer.from('né'), 515])).toEqual(['<|end|>', 'n', '', 'é', '<|reserved_token_515|>', '']);
    fc.assert(fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), (text) => expectStream(tokenizer, text, false)), { seed: 2, numRuns: 200 });
    const long = 'x'.repeat(60_000);
    expect(streamed(tokenizer, tokenizer.encode(`${long} ${long}`, false)).join('')).toBe(`${long} ${long}`);
  });
});

describe('bytes', () => {
  it('are the tokenizer where no other is found', async () => {
    const tokenizer = await loadTokenizer(folder);
    expect(tokenizer.name).toBe('bytes');
    expect(streamed(tokenizer, [...tokenizer.encode('né→🙂', false), 0xe2, 299])).toEqual(['n', '', 'é', '', '', '→', '', '', '', '🙂', '', '\ufffd<299>', '']);
    expect(() => checkVocabulary(tokenizer, 255)).toThrow('R07');
    checkVocabulary(tokenizer, 256);
  });
});

describe('what cannot be used is said', () => {
  const trying = async (name: string, text: string, config?: string): Promise<unknown> => {
    writeFileSync(join(folder, name), text);
    if (config !== undefined) writeFileSync(join(folder, 'tokenizer_config.json'), config);
    try {
      return await loadTokenizer(folder);
    } finally {
      rmSync(join(folder, name));
      rmSync(join(folder, 'tokenizer_config.json'), { force: true });
    }
  };
  it.each([
    ['T02', 'tokenizer.json', '{"model":'], ['T02', 'tokenizer.json', '[]x'], ['T03', 'tokenizer.json', '{"model":{"type":"Oracle"}}'],
    ['T02', 'tokenizer.json', '{"model":{"type":"BPE","merges":[]}}'], ['T02', 'tokenizer.json', '{"model":{"type":"BPE","vocab":{"a":2147483648},"merges":[]}}'],
    ['T02', 'tokenizer.json', '{"model":{"type":"BPE","vocab":{"a":-1},"merges":[]}}'], ['T02', 'tokenizer.json', '{"model":{"type":"BPE","vocab":{"a":0},"merges":["aa"]}}'],
    ['T02', 'tokenizer.json', '{"model":{"type":"Unigram","vocab":[["a"]]}}'], ['T02', 'tokenizer.json', '{"model":{"type":"BPE","vocab":{"a":0},"merges":[]},"added_tokens":""}'],
    ['T02', 'tokenizer.json', '{"model":{"type":"BPE","vocab":{"a":0},"merges":[]},"added_tokens":[{"id":1e9,"content":"<s>"}]}'],
    ['T02', 'tokenizer.json', '{"model":{"type":"BPE","vocab":{"a":0},"merges":[]},"added_tokens":[{"id":1}]}'],
    ['T02', 'tiktoken.model', 'IQ== 1\n'], ['T02', 'tiktoken.model', 'IQ== 0\nIQ== 1\n'], ['T02', 'tiktoken.model', 'IQ== 0\n'],
    ['T03', 'tiktoken.model', modelOf(), '{"tokenizer_class":"Other"}'], ['T02', 'tiktoken.model', modelOf(), '{'],
  ])('%s: %s', async (code, name, text, config?: string) => {
    await expect(trying(name, text, config)).rejects.toMatchObject({ code, fix: expect.any(String), message: expect.stringContaining(name === 'tiktoken.model' && config ? 'tokenizer_config.json' : name) });
  });
});

describe('stop tokens', () => {
  it.each([['{"eos_token_id": 2}', [2]], ['{"eos_token_id": [2, 7]}', [2, 7]], ['{}', []]])('of %s', async (text, ids) => {
    writeFileSync(join(folder, 'generation_config.json'), text);
    expect(await stopTokens(folder)).toEqual(ids);
  });
  it('that are none are an error', async () => {
    writeFileSync(join(folder, 'generation_config.json'), '{"eos_token_id": "end"}');
    await expect(stopTokens(folder)).rejects.toMatchObject({ code: 'T02' });
    rmSync(join(folder, 'generation_config.json'));
    expect(await stopTokens(folder)).toEqual([]);
  });
});
