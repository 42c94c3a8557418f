import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { families, goldenFolder, openFamily, relativeError } from '../golden/families.js';
import { openCheckpoint } from '../../runtime/disk.js';
import { smallSpec } from '../support/small-spec.js';
import { firn, temporaryFolder } from './firn.js';

const folder = temporaryFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Results { readonly results: readonly { readonly tokens: readonly number[]; readonly text?: string; readonly reason: string }[] }

describe('firn run', { timeout: 120_000 }, () => {
  const spec = join(folder, 'small.firn');
  beforeAll(() => writeFileSync(spec, smallSpec.text.replace('dim vocab = 64', 'dim vocab = 300')));
  const run = (...args: string[]): ReturnType<typeof firn> => firn('run', spec, '--init', '3', '--device', 'reference', '--max-tokens', '6', ...args);

  it('continues several prompts one by one or together, to the same end', () => {
    const prompts = ['--prompt', 'a', '--prompt', 'Snow falls', '--temperature', '1', '--top-k', '9', '--top-p', '0.9', '--seed', '2'];
    const alone = JSON.parse(run(...prompts, '--json').stdout) as Results;
    expect(alone.results.map((r) => r.tokens.length)).toEqual([6, 6]);
    expect((JSON.parse(run(...prompts, '--batch', '--json').stdout) as Results).results.map((r) => r.tokens)).toEqual(alone.results.map((r) => r.tokens));
    const lines = run(...prompts, '--batch').stdout.trimEnd().split('\n').map((line) => line.split('\t'));
    for (const [i, { text }] of alone.results.entries()) {
      const streamed = lines.filter(([index]) => index === `${i}`).map(([, piece]) => piece.replace(/\\([nrt\\])/g, (_, c: string) => ({ n: '\n', r: '\r', t: '\t' })[c] ?? c));
      expect(streamed.join('')).toBe(text);
    }
  });

  it('says which tokenizer it uses, and what cannot be', () => {
    expect(run('--prompt', 'x').stderr).toContain('tokenizer: bytes (random weights have no other)');
    for (const [args, message] of [[['--top-p', '0'], "'--top-p <p>' argument '0' is invalid. It must be more than 0"], [['--top-k', '-1'], "'--top-k <k>' argument '-1' is invalid"], [['--prompt', ''], 'the prompt is empty']] as const) {
      expect(run('--prompt', 'x', ...args)).toMatchObject({ status: 2, stderr: expect.stringContaining(message) });
    }
  });
});

describe.skipIf(!families.includes('llama31-tiny'))('a checkpoint with a tokenizer', { timeout: 120_000 }, () => {
  const weights = join(folder, 'llama');
  const spec = join(folder, 'llama.firn');
  beforeAll(() => {
    cpSync(join(goldenFolder, 'llama31-tiny'), weights, { recursive: true, filter: (path) => !/^(train|golden)/.test(basename(path)) });
    expect(firn('import', weights, '-o', spec).status).toBe(0);
  });
  const run = (...args: string[]): ReturnType<typeof firn> => firn('run', spec, '--weights', weights, '--device', 'reference', ...args);

  it('takes and gives text, special tokens either way', () => {
    const special = run('--prompt', '<s>It snows', '--max-tokens', '4', '--json');
    expect(special.stderr).toContain(`tokenizer: tokenizer.json in ${weights}`);
    const plain = run('--prompt', '<s>It snows', '--max-tokens', '4', '--json', '--no-specials');
    expect((JSON.parse(plain.stdout) as Results).results[0].tokens).not.toEqual((JSON.parse(special.stdout) as Results).results[0].tokens);
  });

  it('stops at the ids of generation_config.json', async () => {
    const family = await openFamily('llama31-tiny');
    const { prompt, tokens } = family.greedy;
    writeFileSync(join(folder, 'ids.json'), JSON.stringify(family.prompts[prompt]));
    writeFileSync(join(weights, 'generation_config.json'), JSON.stringify({ eos_token_id: [tokens[3]] }));
    const { results: [result] } = JSON.parse(run('--tokens', join(folder, 'ids.json'), '--json').stdout) as Results;
    expect(result).toMatchObject({ reason: 'stop', tokens: tokens.slice(0, tokens.indexOf(tokens[3])) });
    await family.close();
  });
});

describe.skipIf(!families.includes('mixtral-tiny'))('firn logits --pin-routing', { timeout: 240_000 }, () => {
  const [weights, spec, ids] = [join(goldenFolder, 'mixtral-tiny'), join(folder, 'mixtral.firn'), join(folder, 'prompts.json')];
  const logits = (out: string, ...args: string[]): ReturnType<typeof firn> => firn('logits', spec, '--weights', weights, '--tokens', ids, '-o', join(folder, out), '--device', 'reference', ...args);

  it('forces the ids of a file, and says what does not fit', async () => {
    const family = await openFamily('mixtral-tiny');
    expect(firn('import', weights, '-o', spec).status).toBe(0);
    expect(readFileSync(spec, 'utf8')).toContain('tap "router.');
    writeFileSync(ids, JSON.stringify(family.prompts.slice(1, 2)));
    expect(logits('free.safetensors', '--taps', 'router').status).toBe(0);
    expect(logits('same.safetensors', '--pin-routing', join(folder, 'free.safetensors'), '--chunk', '3')).toMatchObject({ status: 0, stderr: expect.stringContaining('chosen ids pinned') });
    const read = async (name: string): Promise<Float32Array> => {
      const file = await openCheckpoint(join(folder, name));
      expect(name === 'same.safetensors' ? [...file.tensors.keys()] : ['logits.0']).toEqual(['logits.0']);
      const values = new Float32Array((await file.read('logits.0')).slice().buffer);
      await file.close();
      return values;
    };
    expect(relativeError(await read('same.safetensors'), await read('free.safetensors'))).toBeLessThan(1e-5);

    // Every choice moved on by one: other experts, other logits.
    const bytes = readFileSync(join(folder, 'free.safetensors'));
    const header = JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE())).toString()) as Record<string, { dtype: string; data_offsets: [number, number] }>;
    const start = 8 + Number(bytes.readBigUInt64LE());
    const change = (to: (id: number) => number): void => {
      const changed = Buffer.from(bytes);
      for (const { dtype, data_offsets: [from, end] } of Object.values(header)) if (dtype === 'I32') for (let at = start + from; at < start + end; at += 4) changed.writeInt32LE(to(changed.readInt32LE(at)), at);
      writeFileSync(join(folder, 'changed.safetensors'), changed);
    };
    change((id) => (id + 1) % 8);
    expect(logits('moved.safetensors', '--pin-routing', join(folder, 'changed.safetensors')).status).toBe(0);
    expect(relativeError(await read('moved.safetensors'), await read('free.safetensors'))).toBeGreaterThan(1e-2);
    change(() => 99);
    expect(logits('none.safetensors', '--pin-routing', join(folder, 'changed.safetensors'))).toMatchObject({ status: 1, stderr: expect.stringMatching(/error\[C31\]: .*'router\..*\.0' chooses 99, the model has \d+/) });
    writeFileSync(ids, JSON.stringify(family.prompts.slice(0, 2)));
    expect(logits('none.safetensors', '--pin-routing', join(folder, 'free.safetensors'))).toMatchObject({ status: 1, stderr: expect.stringContaining('error[C31]') });
    expect(logits('none.safetensors', '--pin-routing', join(weights, '..', 'llama31-tiny', 'golden.safetensors'))).toMatchObject({ status: 1, stderr: expect.stringContaining('error[C30]') });
    await family.close();
  });
});
