import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { goldenFolder } from '../golden/families.js';
import { smallSpec } from '../support/small-spec.js';
import { bin, firn, root, temporaryFolder } from './firn.js';

const folder = temporaryFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string): string => join(folder, name);
mkdirSync(at('folder'));
writeFileSync(at('binary'), Uint8Array.of(0xff, 0xfe, 0, 1, 2));
writeFileSync(at('uses.firn'), 'use "./folder".{a}\nuse "./binary".{b}\nmodel M {\n  logits = a(b)\n}\n');
const ids = (name: string, text: string): string => {
  writeFileSync(at(name), text);
  return at(name);
};
const mini = at('mini.firn');
writeFileSync(mini, smallSpec.text);

describe('files that are not what they should be', () => {
  it.each([
    ['a folder as a spec', ['check', at('folder')], /error\[C01\]: .*folder: is a folder/],
    ['bytes as a spec', ['check', at('binary')], /error\[C02\]: .*binary: is not a text in UTF-8/],
    ['an endless spec', ['check', '/dev/zero'], /error\[C03\]: \/dev\/zero: is larger than 4 MiB/],
    ['what a spec uses', ['check', at('uses.firn')], /error\[E0108\].*"\.\/folder"[^]*folder is a folder[^]*error\[E0108\][^]*binary is not a text in UTF-8[^]*2 errors/],
    ['a folder as prompts', ['run', mini, '--init', '1', '--tokens', at('folder')], /error\[C01\]: .*folder: is a folder/],
    ['a file as the folder of a config', ['import', mini], /error\[C01\]: .*config.json: a part of this path is not a folder/],
    ['an output below a file', ['compile', mini, '--target', 'null', '-o', join(at('binary'), 'x')], /error\[F30\]: .*binary: cannot be written: it is there already, and is no folder/],
    ['an output where nothing can be', ['compile', mini, '--target', 'null', '-o', '/proc/x'], /error\[F30\]: \/proc\/x: cannot be written/],
  ] as [string, string[], RegExp][])('%s', (_, args, message) => {
    const result = firn(...args);
    expect(result.stderr).toMatch(message);
    expect(result.stderr).not.toMatch(/\n\s+at |internal error/);
    expect(result.status).toBe(1);
  });
  it('standard output on a full disk', () => {
    const { status, stderr } = spawnSync('sh', ['-c', `"${process.execPath}" "${bin}" fmt ${mini} > /dev/full`], { cwd: root, encoding: 'utf8' });
    expect(stderr).toMatch(/error\[C05\]: standard output: the disk is full/);
    expect(status).toBe(1);
  });
});

describe('requests beyond what the spec allows', () => {
  it.each([
    ['a longer context', ['run', mini, '--init', '1', '--tokens', ids('one.json', '[1]'), '--context', '5000', '--device', 'null'], /error\[E0617\]: a context of 5000 tokens is asked for, and the model is made for 96\n[^]*context 96\n/],
    ['a longer context, explained', ['explain', mini, '--context', '5000'], /error\[E0617\]/],
    ['a prompt longer than the context', ['run', mini, '--init', '1', '--tokens', ids('more.json', '[1, 2, 3, 4, 5, 6]'), '--context', '3', '--device', 'null'], /error\[R02\]: a sequence of 6 tokens is longer than the context of 3\n {2}= fix:/],
    ['an id outside of the vocabulary, in the last prompt', ['run', mini, '--init', '1', '--tokens', ids('far.json', '[[1], [64]]'), '--device', 'null'], /error\[R01\]: token id 64 is outside the vocabulary of 64/],
  ] as [string, string[], RegExp][])('%s', (_, args, message) => {
    const result = firn(...args);
    expect(result.stderr).toMatch(message);
    expect(result.stdout).toBe('');
    expect(result.status).toBe(1);
  });
  it('a text ends where its context does', () => {
    const { stdout } = firn('run', mini, '--init', '1', '--tokens', ids('six.json', '[1, 2, 3, 4, 5, 6]'), '--context', '8', '--max-tokens', '20', '--device', 'null', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ results: [{ reason: 'context', promptTokens: 6, decodedTokens: 2 }] });
  });
  it('E0618: a training step, with the line that binds it', () => {
    expect(firn('explain', 'examples/kimi-k2.firn', '--entry', 'train_step')).toMatchObject({ status: 1, stderr: expect.stringMatching(/error\[E0618\]: training steps are not compiled yet\n *--> examples\/kimi-k2\.firn:\d+:3[^]*train with muon_clip/) });
    expect(firn('explain', mini, '--entry', 'train_step')).toMatchObject({ status: 1, stderr: expect.stringMatching(/error\[E0618\]: `Small` has no training step/) });
  });
  it('more than one new token in a decode', () => {
    expect(firn('explain', mini, '--entry', 'decode', '--tokens', '2')).toMatchObject({ status: 2, stderr: expect.stringContaining('a decode has one new token') });
  });
});

it('a configuration that leads to no model is not imported', () => {
  mkdirSync(at('nothing'));
  const config = JSON.parse(readFileSync(join(root, 'tests/goldens/mixtral-tiny/config.json'), 'utf8'));
  writeFileSync(at('nothing/config.json'), JSON.stringify({ ...config, num_experts_per_tok: 1000 }));
  const result = firn('import', at('nothing'), '-o', at('nothing.firn'));
  expect(result.stderr).toMatch(/error\[E0314\][^]*error\[C13\]: the spec that .*config\.json leads to is no model, so nothing is written/);
  expect(result.status).toBe(1);
  expect(readdirSync(folder)).not.toContain('nothing.firn');
});

describe('fmt', () => {
  it('reads standard input', () => {
    const { stdout, status } = spawnSync(process.execPath, [bin, 'fmt', '-'], { cwd: root, encoding: 'utf8', input: 'fn  f( x )=x*2' });
    expect({ stdout, status }).toEqual({ stdout: 'fn f(x) = x * 2\n', status: 0 });
    expect(firn('fmt', '--write', '-').status).toBe(2);
  });
  it('goes on after a file with errors', () => {
    writeFileSync(at('broken.firn'), 'model {');
    writeFileSync(at('loose.firn'), 'fn  f( x )=x*2');
    expect(firn('fmt', '--write', at('broken.firn'), at('loose.firn')).status).toBe(1);
    expect(readFileSync(at('loose.firn'), 'utf8')).toBe('fn f(x) = x * 2\n');
  });
});

describe('taps', () => {
  const weights = join(goldenFolder, 'llama31-tiny');
  it('a model without a router has none to write; another missing name is an error', () => {
    const spec = at('llama.firn');
    expect(firn('import', weights, '-o', spec).status).toBe(0);
    const logits = (taps: string): ReturnType<typeof firn> => firn('logits', spec, '--weights', weights, '--tokens', ids('ids.json', '[[1, 2]]'), '-o', at('out.safetensors'), '--device', 'reference', '--taps', taps);
    expect(logits('hiden,router')).toMatchObject({ status: 1, stderr: expect.stringMatching(/error\[E0616\]: no tap is called `hiden`[^]*did you mean `hidden`/) });
    expect(readdirSync(folder).filter((n) => n.startsWith('out'))).toEqual([]);
    const { status, stderr } = logits('hidden,router,loads?');
    expect(stderr).toContain(`the spec has no tap 'router': nothing is written for it`);
    expect(stderr).toContain(`the spec has no tap 'loads': nothing is written for it`);
    expect(status).toBe(0);
  });
});
