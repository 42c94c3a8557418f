/** A machine that lacks something: a compiler, a driver, room on its disk; a checkpoint with a value that is none. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { SafetensorsWriter } from '../../runtime/safetensors-writer.js';
import { bigramSpec } from '../support/bigram-spec.js';
import { bin, root, temporaryFolder } from './firn.js';

vi.setConfig({ testTimeout: 120_000 });
const folder = temporaryFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string): string => join(folder, name);

const spec = at('tiny.firn');
writeFileSync(spec, bigramSpec('Tiny', 300));
writeFileSync(at('ids.json'), JSON.stringify([Array.from({ length: 60 }, (_, i) => i)]));

async function checkpoint(name: string, spoil?: number, bits = 0x7fc0, dtype: 'BF16' | 'I16' = 'BF16'): Promise<string> {
  mkdirSync(at(name));
  const shape = [300, 8];
  const writer = await SafetensorsWriter.create(join(at(name), 'model.safetensors'), ['embedding', 'head'].map((tensor) => ({ name: tensor, dtype: tensor === 'head' ? dtype : 'BF16', shape })));
  const values = Uint16Array.from({ length: 2400 }, (_, i) => 0x3f00 + (i % 128));
  await writer.write('embedding', new Uint8Array(values.buffer));
  const head = values.slice();
  if (spoil !== undefined) head[spoil] = bits;
  await writer.write('head', new Uint8Array(head.buffer));
  await writer.commit();
  return at(name);
}

/** With other environment variables, or with a limit of the shell. */
function firnIn(environment: Readonly<Record<string, string>>, args: readonly string[], limit = ':'): { status: number | null; stdout: string; stderr: string } {
  return spawnSync('bash', ['-c', `${limit}; exec "$0" "$@"`, process.execPath, bin, ...args], { cwd: root, encoding: 'utf8', env: { ...process.env, NO_COLOR: '1', ...environment }, timeout: 60_000, killSignal: 'SIGKILL' });
}

describe('a machine without', () => {
  const run = ['run', spec, '--init', '1', '--tokens', at('ids.json'), '--max-tokens', '2'];
  it.each([
    ['a C++ compiler', { CXX: '/absent/g++' }, ['--device', 'cpu'], /error\[D31\]: no C\+\+ compiler: '\/absent\/g\+\+' does not run\n {2}= fix: install one: sudo apt-get install/],
    ['a Vulkan driver', { VK_ICD_FILENAMES: '/absent', VK_DRIVER_FILES: '/absent' }, ['--device', 'wgsl'], /error\[D20\]: WebGPU finds no adapter[^]*= fix: .*mesa-vulkan-drivers/],
    ['a place for compiled kernels', { XDG_CACHE_HOME: '/proc/absent' }, ['--device', 'cpu'], /error\[D39\]: compiled kernels cannot be kept: .*\/proc\/absent[^]*= fix: .*XDG_CACHE_HOME/],
  ])('%s', (_, environment, device, message) => {
    const result = firnIn(environment as Record<string, string>, [...run, ...device]);
    expect(result.stderr).toMatch(message);
    expect(result).toMatchObject({ status: 1, stdout: '' });
  });
});

describe('a disk without room', () => {
  it('for logits: F30, and no file', async () => {
    const weights = await checkpoint('good');
    const out = at('logits.safetensors');
    const result = firnIn({}, ['logits', spec, '--weights', weights, '--tokens', at('ids.json'), '-o', out, '--device', 'reference'], 'ulimit -f 8');
    expect(result.stderr).toMatch(/error\[F30\]: .*logits\.safetensors: cannot be written: it would become larger/);
    expect(result.status).toBe(1);
    expect(readdirSync(folder).filter((n) => n.startsWith('logits'))).toEqual([]);
  });
  it('for a compiled model: F30, and no plan', () => {
    const result = firnIn({}, ['compile', 'examples/kimi-k2.firn', '--target', 'null', '-o', at('k2')], 'ulimit -f 8');
    expect(result.stderr).toMatch(/error\[F30\]: .*kernels\.json: cannot be written/);
    expect(result.status).toBe(1);
    expect(readdirSync(at('k2'))).toEqual([]);
  });
});

it('a weight that is not a number: F45 with its tensor and place', async () => {
  const result = firnIn({}, ['run', spec, '--weights', await checkpoint('spoilt', 1234), '--tokens', at('ids.json'), '--device', 'reference']);
  expect(result.stderr).toMatch(/error\[F45\]: .*model\.safetensors: tensor 'head': element 1234 of \[300, 8\] is not a number \(NaN\)\n {2}= fix:/);
  expect(result).toMatchObject({ status: 1, stdout: '' });
});

it('an infinite weight in a matrix', async () => {
  const result = firnIn({}, ['run', spec, '--weights', await checkpoint('infinite', 7, 0xff80), '--tokens', at('ids.json'), '--device', 'reference']);
  expect(result.stderr).toMatch(/error\[F45\]: .*tensor 'head': element 7 of \[300, 8\] is infinite\n/);
  expect(result).toMatchObject({ status: 1, stdout: '' });
});

it('whole numbers where a float should be: F43 with the tensor', async () => {
  const result = firnIn({}, ['run', spec, '--weights', await checkpoint('whole', undefined, 0, 'I16'), '--tokens', at('ids.json'), '--device', 'reference']);
  expect(result.stderr).toMatch(/error\[F43\]: .*tensor 'head': is stored as I16, which cannot serve head\.weight \(f32\)/);
  expect(result).toMatchObject({ status: 1, stdout: '' });
});

describe('what is no file', () => {
  it('a pipe that nobody writes to is not opened as weights', () => {
    mkdirSync(at('pipe'));
    spawnSync('mkfifo', [at('pipe/model.safetensors')]);
    expect(firnIn({}, ['run', spec, '--weights', at('pipe'), '--tokens', at('ids.json')])).toMatchObject({ status: 1, stderr: expect.stringMatching(/error\[F01\]: .*model\.safetensors: cannot be opened: it is not a regular file/) });
  });
  it('standard input that never comes gives way to Ctrl-C', async () => {
    const child = spawn(process.execPath, [bin, 'fmt', '-'], { stdio: ['pipe', 'ignore', 'ignore'] });
    const ended = new Promise<number | null>((resolve) => child.on('exit', resolve));
    await new Promise((resolve) => setTimeout(resolve, 2000));
    child.kill('SIGINT');
    expect(await ended).toBe(130);
  });
});

it('names of tensors do not steer the terminal', async () => {
  mkdirSync(at('steering'));
  const writer = await SafetensorsWriter.create(join(at('steering'), 'model.safetensors'), ['embedding', 'head', 'red\u001b[31m'].map((name) => ({ name, dtype: 'BF16', shape: [300, 8] })));
  for (const name of ['embedding', 'head', 'red\u001b[31m']) await writer.write(name, new Uint8Array(4800));
  await writer.commit();
  const { stderr } = firnIn({}, ['run', spec, '--weights', at('steering'), '--tokens', at('ids.json'), '--device', 'reference']);
  expect(stderr).toMatch(/error\[F41\].*red\\u001b\[31m/);
  expect(stderr).not.toContain('\u001b');
});

describe('Ctrl-C', () => {
  /** Starts a command in a cache of its own and interrupts it once `until` holds; the exit code. */
  async function interrupted(args: readonly string[], cache: string, until: () => boolean): Promise<number | null> {
    mkdirSync(cache);
    const child = spawn(process.execPath, [bin, ...args], { cwd: root, env: { ...process.env, XDG_CACHE_HOME: cache }, stdio: 'ignore' });
    const ended = new Promise<number | null>((resolve) => child.on('exit', resolve));
    while (!until() && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 5));
    child.kill('SIGINT');
    return ended;
  }
  const files = (path: string): string[] => (existsSync(path) ? readdirSync(path, { recursive: true, encoding: 'utf8' }) : []).filter((n) => /\.\w+\.[0-9a-f]{8}|\.tmp\./.test(n));

  it('while kernels are compiled leaves none half-written', async () => {
    const cache = at('cache');
    const status = await interrupted(['run', spec, '--init', '1', '--tokens', at('ids.json'), '--device', 'cpu'], cache, () => existsSync(join(cache, 'firn', 'kernels')));
    expect(status).toBe(130);
    expect(files(cache)).toEqual([]);
  });
  it('while a model is compiled to files leaves whole files or none', async () => {
    const out = at('interrupted');
    const status = await interrupted(['compile', 'examples/kimi-k2.firn', '-o', out], at('cache2'), () => existsSync(out));
    expect([0, 130]).toContain(status);
    expect(files(out)).toEqual([]);
  });
});
