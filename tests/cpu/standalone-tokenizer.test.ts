/** Tokenizers inside standalone programs give the ids that the same tokenizers give here. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { compilerVersion } from '../../backends/cpu/build.js';
import { chooseLevel } from '../../backends/cpu/levels.js';
import { linkProgram } from '../../backends/cpu/link-program.js';
import { nodeLoader } from '../../dsl/std-node.js';
import { compile } from '../../index.js';
import { fillWeights } from '../../runtime/load-model.js';
import { writeProgram } from '../../runtime/program-file.js';
import { loadTokenizer } from '../../runtime/tokenizer/load.js';
import { readPattern } from '../../runtime/tokenizer/split-pattern.js';
import { tiktokenTokenizer } from '../../runtime/tokenizer/tiktoken.js';
import type { Tokenizer } from '../../runtime/tokenizer/tokenizer.js';
import { goldenFolder } from '../golden/families.js';
import { smallSpec } from '../support/small-spec.js';

const folder = mkdtempSync(join(tmpdir(), 'firn-words-'));
afterAll(() => rmSync(folder, { recursive: true }));
const compiler = await compilerVersion().catch(() => undefined);
const data = join(goldenFolder, '..', 'data', 'kimi-tokenizer');

async function programWith(name: string, tokenizer: Tokenizer): Promise<(text: string, ...args: string[]) => number[]> {
  const { bundle } = compile({ entry: smallSpec, load: nodeLoader, target: 'cpu' });
  const level = await chooseLevel();
  const pieces = tokenizer.pieces!();
  if (typeof pieces === 'string') throw new Error(pieces);
  const path = join(folder, name);
  await writeProgram({
    path, program: await linkProgram(bundle!, level), plan: bundle!.plan, weightsBeside: false, fill: (weights) => fillWeights(weights, bundle!.plan, { seed: 1 }),
    description: { processor: level.label, needs: level.needs, vocabulary: tokenizer.size, stop: [], tokenizer: pieces },
  });
  return (text, ...args) => {
    const { status, stdout, stderr } = spawnSync(path, ['--encode', `--prompt=${text}`, ...args], { encoding: 'utf8', env: {} });
    expect(stderr).toBe('');
    expect(status).toBe(0);
    return stdout.trim() === '' ? [] : stdout.trim().split(' ').map(Number);
  };
}

/** Words with every kind of boundary, and long runs of one kind. */
const texts = [
  "It's I'LL we'vE 'Twas don’t", 'tabs\t\tand \n\n  lines \r\n x', '12345678 1,234.5 ٣٤٥', 'CamelCaseHTTPServer élan ÉCOLE ǅungla', '漢字とカナ 한국어 汉字abc', '🙂👍🏽 e\u0301 \u200d \ufeff \u0085 \u00a0x',
  '<|end|> <|end|', `${' '.repeat(300)}x${'ab'.repeat(400)}`, 'ſ\'ſ K\'ll', '((((()))))!!!---\n\n\n', 'the'.repeat(17_000),
];

describe.skipIf(compiler === undefined)('tokenizers of standalone programs', { timeout: 240_000 }, () => {
  it('a small tiktoken.model', async () => {
    const words = ['th', 'the', ' the', "'S", 'ab', 'abab', '  ', '    ', 'é', '漢', '漢字'].map((w) => Buffer.from(w));
    const model = [...Array.from({ length: 256 }, (_, i) => Buffer.from([i])), ...words].map((b, rank) => `${b.toString('base64')} ${rank}`).join('\n');
    const tokenizer = tiktokenTokenizer('tiktoken.model', model, JSON.stringify({ added_tokens_decoder: { 270: { content: '<|end|>' } } }));
    const encode = await programWith('small', tokenizer);
    for (const text of texts) {
      expect(encode(text), text).toEqual(tokenizer.encode(text, true));
      expect(encode(text, '--no-specials'), text).toEqual(tokenizer.encode(text, false));
    }
  });

  it.skipIf(!existsSync(join(goldenFolder, 'llama31-tiny', 'tokenizer.json')))('a byte-level tokenizer.json', async () => {
    const tokenizer = await loadTokenizer(join(goldenFolder, 'llama31-tiny'));
    const encode = await programWith('byte-level', tokenizer);
    for (const text of texts) expect(encode(text), text).toEqual(tokenizer.encode(text, true));
  });

  it.skipIf(!existsSync(join(data, 'tiktoken.model')))('a published tiktoken.model', async () => {
    const tokenizer = await loadTokenizer(data);
    const encode = await programWith('published', tokenizer);
    const cases = JSON.parse(readFileSync(join(goldenFolder, 'kimi-tokenizer', 'cases.json'), 'utf8')) as { text: string; plain: number[]; special: number[] }[];
    for (const { text, plain, special } of cases.filter((c) => c.text !== '' && !c.text.includes('\0'))) {
      expect(encode(text), text).toEqual(special);
      expect(encode(text, '--no-specials'), text).toEqual(plain);
    }
    for (const text of texts) expect(encode(text), text).toEqual(tokenizer.encode(text, true));
  });
});

describe('splitting patterns', () => {
  it('are trees over sets, or refused', () => {
    expect(readPattern('a?(?i:x|b)(?!c)|[^a-c]{1,3}')).toEqual({
      sets: [[0x61, 0x61], [0x58, 0x58, 0x78, 0x78], [0x42, 0x42, 0x62, 0x62], [0x63, 0x63], [0, 0x60, 0x64, 0x10ffff]],
      tree: ['either', [['sequence', [['many', 0, 0, 1], ['either', [['set', 1], ['set', 2]]], ['not_ahead', ['set', 3]]]], ['many', 4, 1, 3]]],
    });
    for (const source of ['a*+', 'a+?', '(ab)+', '(?<=a)b', '(a', '[a', '^a', '\\p{Nonsense}']) expect(() => readPattern(source), source).toThrow();
  });
});
