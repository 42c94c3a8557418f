/** Programs of their own: the same tokens as `firn run`, nothing needed where they run, clear errors. */
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compilerVersion } from '../../backends/cpu/build.js';
import { families, goldenFolder, openFamily } from '../golden/families.js';
import { smallSpec } from '../support/small-spec.js';
import { firn, temporaryFolder, type Outcome } from './firn.js';

const folder = temporaryFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const compiler = await compilerVersion().catch(() => undefined);

/** Without PATH or any other variable: no Node, no compiler to be found. */
function program(path: string, ...args: string[]): Outcome {
  const { status, stdout, stderr } = spawnSync(path, args, { cwd: '/', env: {}, encoding: 'utf8' });
  return { status, stdout, stderr };
}

const textSpec = smallSpec.text.replace('dim vocab = 64', 'dim vocab = 300');

describe.skipIf(compiler === undefined)('firn build', { timeout: 300_000 }, () => {
  const spec = join(folder, 'small.firn');
  const file = join(folder, 'small');
  const ids = join(folder, 'ids.json');
  beforeAll(() => {
    writeFileSync(spec, textSpec);
    writeFileSync(ids, '[[1, 2, 3, 250], [7]]');
    expect(firn('build', spec, '--init', '3', '-o', file)).toMatchObject({ status: 0, stdout: expect.stringContaining('wrote:') });
  }, 300_000);

  it.each([[[]], [['--temperature', '1.2', '--seed', '9']], [['--temperature', '1.5', '--seed', '4', '--top-k', '40', '--top-p', '0.8']]])('with %j: tokens and text are those of firn run', (extra) => {
    const run = (...args: string[]): string => firn('run', spec, '--init', '3', '--device', 'cpu', '--max-tokens', '20', ...args, ...extra).stdout;
    const own = (...args: string[]): string => {
      const result = program(file, '--max-tokens', '20', ...args, ...extra);
      expect(result).toMatchObject({ status: 0, stderr: expect.stringMatching(/ended by length\n$/) });
      return result.stdout;
    };
    expect(own('--tokens', ids)).toBe(run('--tokens', ids));
    expect(own('--prompt', 'né🙂')).toBe(run('--prompt', 'né🙂'));
  });

  it('needs glibc, libstdc++ and libgcc_s only', () => {
    const needed = [...spawnSync('ldd', [file], { encoding: 'utf8' }).stdout.matchAll(/^\s*(\S+?)\.so/gm)].map((m) => m[1].split('/').at(-1)!);
    expect(needed.length).toBeGreaterThan(2);
    for (const name of needed) expect(['linux-vdso', 'libstdc++', 'libm', 'libgcc_s', 'libc', 'libpthread', 'libdl', 'ld-linux-x86-64']).toContain(name);
  });

  it('says what it takes, and what was wrong', () => {
    expect(program(file, '--help')).toMatchObject({ status: 0, stdout: expect.stringMatching(/^Small, built by firn: 300 ids, context 96, .*\n[^]*--top-p <p>/) });
    expect(program(file)).toMatchObject({ status: 2, stderr: expect.stringContaining('give --prompt TEXT or --tokens IDS.json') });
    expect(program(file, '--tokens', ids, '--top-p', '0')).toMatchObject({ status: 2, stderr: expect.stringContaining("--top-p is '0'; it must be more than 0") });
    expect(program(file, '--tokens', join(folder, 'none.json'))).toMatchObject({ status: 1, stderr: expect.stringMatching(/^error\[X06\]: .*none\.json: No such file or directory\n {2}= fix: /) });
    for (const [text, code, message] of [['[[1, 300]]', 'R01', 'token id 300 is outside the vocabulary of 300'], ['[]', 'C10', 'is not an array with a prompt'], ['[[1, 2.5]]', 'C10', 'prompt 0 holds'], ['[[1', 'C10', 'is not JSON'], [`[${'1,'.repeat(99)}1]`, 'R02', 'longer than the 96']]) {
      const path = join(folder, 'bad.json');
      writeFileSync(path, text);
      expect(program(file, '--tokens', path)).toMatchObject({ status: 1, stderr: expect.stringContaining(`error[${code}]`) });
      expect(program(file, '--tokens', path).stderr).toContain(message);
    }
  });

  it('knows when it is damaged, cut short or on the wrong processor', () => {
    const copy = join(folder, 'damaged');
    const bytes = readFileSync(file);
    const attempt = (changed: Buffer): Outcome => {
      writeFileSync(copy, changed);
      chmodSync(copy, 0o755);
      return program(copy, '--tokens', ids);
    };
    expect(attempt(bytes.subarray(0, bytes.length - 100))).toMatchObject({ status: 1, stderr: expect.stringContaining('error[X02]') });
    const description = Buffer.from(bytes);
    description.write('[[[[', Number(bytes.readBigUInt64LE(bytes.length - 24)), 'latin1');
    expect(attempt(description)).toMatchObject({ status: 1, stderr: expect.stringContaining('error[X03]') });
    const foreign = Buffer.from(bytes);
    const at = foreign.lastIndexOf('"needs":["') + '"needs":["'.length;
    foreign.write('zzz', at, 'latin1');
    expect(attempt(foreign)).toMatchObject({ status: 1, stderr: expect.stringMatching(/error\[X05\]: this program was built for processors with .*; this one lacks zzz/) });
  });

  it('maps weights from a file beside it, of the same build only', () => {
    const beside = join(folder, 'beside');
    expect(firn('build', spec, '--init', '3', '-o', beside, '--weights-beside', '--cpu', 'portable').status).toBe(0);
    expect(statSync(`${beside}.weights`).size).toBeGreaterThan(4096);
    const want = firn('run', spec, '--init', '3', '--device', 'cpu', '--max-tokens', '8', '--tokens', ids).stdout;
    expect(program(beside, '--tokens', ids, '--max-tokens', '8').stdout).toBe(want);
    const other = join(folder, 'other');
    expect(firn('build', spec, '--init', '4', '-o', other, '--weights-beside', '--cpu', 'portable').status).toBe(0);
    copyFileSync(`${other}.weights`, `${beside}.weights`);
    expect(program(beside, '--tokens', ids)).toMatchObject({ status: 1, stderr: expect.stringContaining('error[X04]') });
    renameSync(`${beside}.weights`, join(folder, 'gone'));
    expect(program(beside, '--tokens', ids)).toMatchObject({ status: 1, stderr: expect.stringMatching(/error\[X01\]: .*beside\.weights: No such file/) });
  });

  it.skipIf(!families.includes('llama31-tiny'))('continues a published checkpoint as the golden does, with its tokenizer', async () => {
    const family = await openFamily('llama31-tiny');
    const weights = join(goldenFolder, 'llama31-tiny');
    const [imported, built] = [join(folder, 'llama.firn'), join(folder, 'llama')];
    expect(firn('import', weights, '-o', imported).status).toBe(0);
    expect(firn('build', imported, '--weights', weights, '-o', built, '--context', '128').status).toBe(0);
    writeFileSync(ids, JSON.stringify(family.prompts[family.greedy.prompt]));
    expect(program(built, '--tokens', ids, '--max-tokens', '24').stdout.trim().split(' ').map(Number)).toEqual(family.greedy.tokens);
    const cases = JSON.parse(readFileSync(join(weights, 'tokenizer-cases.json'), 'utf8')) as { text: string; ids: number[] }[];
    for (const { text, ids: want } of cases.filter((c) => c.text !== '' && !c.text.includes('\0'))) expect(program(built, '--encode', '--prompt', text).stdout.trim().split(' ').map(Number), text).toEqual(want);
    for (const extra of [[], ['--no-specials']]) {
      const text = '<s>It snows</s>\n 12345 né🙂';
      expect(program(built, '--prompt', text, '--max-tokens', '20', ...extra).stdout).toBe(firn('run', imported, '--weights', weights, '--device', 'cpu', '--prompt', text, '--max-tokens', '20', ...extra).stdout);
    }
    await family.close();
  });

  it('without a tokenizer it takes ids', () => {
    const [path, built] = [join(folder, 'few.firn'), join(folder, 'few')];
    writeFileSync(path, smallSpec.text);
    expect(firn('build', path, '--init', '1', '-o', built).stderr).toContain('the program will take token ids only: a vocabulary of 64 ids');
    expect(program(built, '--prompt', 'x')).toMatchObject({ status: 1, stderr: expect.stringMatching(/error\[X07\]: .*256 bytes of text\n {2}= fix: give token ids instead/) });
  });
});
