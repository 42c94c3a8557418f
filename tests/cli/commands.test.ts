import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { kimiK2, mixtral } from '../import/configs.js';
import { bin, firn, root, temporaryFolder } from './firn.js';

const folder = temporaryFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const commands = ['check', 'fmt', 'stats', 'import', 'compile', 'explain', 'explore', 'diff', 'shrink', 'plan', 'doctor', 'logits', 'run', 'bindings'];

/** Files of this project that the command line loads for these arguments. */
function loadedBy(...args: string[]): string[] {
  const coverage = join(folder, 'coverage');
  const { status } = spawnSync(process.execPath, [bin, ...args], { cwd: root, stdio: 'ignore', env: { ...process.env, NODE_V8_COVERAGE: coverage } });
  expect(status).toBe(0);
  const urls = readdirSync(coverage).flatMap((name) => (JSON.parse(readFileSync(join(coverage, name), 'utf8')) as { result: { url: string }[] }).result.map((r) => r.url));
  return urls.filter((url) => url.startsWith('file:')).map((url) => fileURLToPath(url));
}

describe('help', () => {
  it('lists the commands, without loading what they do', () => {
    const { stdout, status } = firn('--help');
    expect(status).toBe(0);
    for (const command of commands) expect(stdout).toContain(`  ${command}`);
  });
  it('loads little: neither the language nor the compiler', () => {
    // How long it takes is measured by bench/start.mjs; what Node read says the same on any machine.
    const loaded = loadedBy('--help').map((path) => readFileSync(path, 'utf8'));
    expect(loaded.some((text) => text.includes('Usage:'))).toBe(true);
    expect(loaded.filter((text) => text.includes('createToken'))).toEqual([]);
    expect(loaded.reduce((bytes, text) => bytes + text.length, 0)).toBeLessThan(250_000);
  });
  it.each([...commands.filter((c) => c !== 'plan').map((c) => [c]), ['plan', 'verify']])('of %s has an example', (...command) => {
    const { stdout, status } = firn(...command, '--help');
    expect(status).toBe(0);
    expect(stdout).toMatch(/Example:\n {2}firn /);
  });
});

describe('exit codes', () => {
  it.each([
    ['an unknown command', 2, ['compil'], /unknown command 'compil'\n\(Did you mean compile\?\)/],
    ['an unknown option', 2, ['check', '--jsn', 'x.firn'], /unknown option '--jsn'/],
    ['a value that is no number', 2, ['run', 'x.firn', '--max-tokens', 'many'], /It must be a whole number/],
    ['no weights', 2, ['run', 'examples/k2-mini.firn', '--prompt', 'x'], /--weights DIR, or --init SEED/],
    ['no prompt', 2, ['run', 'examples/k2-mini.firn', '--init', '1'], /--prompt TEXT or --tokens/],
    ['two sources of weights', 2, ['run', 'x.firn', '--init', '1', '--weights', 'y', '--prompt', 'x'], /cannot be used with/],
    ['a missing file', 1, ['check', 'absent.firn'], /error\[C01\]: absent.firn: there is no such file or folder\n {2}= fix:/],
    ['a missing checkpoint', 1, ['run', 'examples/k2-mini.firn', '--weights', 'absent', '--prompt', 'x'], /error\[C01\]: absent: there is no such file or folder\n {2}= fix:/],
    ['no plan', 1, ['plan', 'verify', 'examples'], /error\[C20\]: examples holds no plan.json/],
  ] as [string, number, string[], RegExp][])('%s: %i', (_, status, args, message) => {
    const result = firn(...args);
    expect(result.stderr).toMatch(message);
    expect(result.status).toBe(status);
    expect(result.stderr).not.toMatch(/\n\s+at /);
  });
  it('errors of a spec: 1, each with a code frame', () => {
    const path = join(folder, 'wrong.firn');
    writeFileSync(path, 'model M {\n  dim a 3\n  dim b 4\n}\n');
    const result = firn('check', path);
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch(/error\[E\d{4}\].*\n *--> .*wrong\.firn:\d+:\d+/);
    expect(result.stderr).toMatch(/2 errors/);
    const json = JSON.parse(firn('check', '--json', path).stdout) as { diagnostics: { code: string; span: { line: number } }[] }[];
    expect(json[0].diagnostics.length).toBe(2);
  });
});

describe('fmt', () => {
  it('writes the canonical form, and says what is not in it', () => {
    const path = join(folder, 'loose.firn');
    writeFileSync(path, '# mine\nfn   f( x )=x*2\n');
    expect(firn('fmt', path).stdout).toBe('# mine\nfn f(x) = x * 2\n');
    expect(firn('fmt', '--check', path)).toMatchObject({ status: 1, stdout: `${path}\n` });
    expect(firn('fmt', '--write', path).status).toBe(0);
    expect(readFileSync(path, 'utf8')).toBe('# mine\nfn f(x) = x * 2\n');
    expect(firn('fmt', '--check', path)).toMatchObject({ status: 0, stdout: '' });
  });
  it('the examples and the library are in canonical form', () => {
    const specs = ['examples', 'dsl/std', 'dsl/std/families'].flatMap((f) => readdirSync(join(root, f)).filter((n) => n.endsWith('.firn')).map((n) => join(f, n)));
    expect(firn('fmt', '--check', ...specs).stdout).toBe('');
  });
});

describe('import', () => {
  it('writes a spec that checks', () => {
    const model = join(folder, 'model');
    mkdirSync(model);
    writeFileSync(join(model, 'config.json'), JSON.stringify(mixtral));
    const path = join(folder, 'mixtral.firn');
    expect(firn('import', model, '-o', path)).toMatchObject({ status: 0, stderr: `wrote ${path}\n` });
    expect(firn('import', model).stdout).toBe(readFileSync(path, 'utf8'));
    expect(firn('check', path)).toMatchObject({ status: 0, stdout: `${path}: ok, 46,702,792,704 parameters\n` });
  });
  it('shows what it cannot import in the file', () => {
    const model = join(folder, 'unknown');
    mkdirSync(model);
    writeFileSync(join(model, 'config.json'), JSON.stringify({ ...kimiK2, moe_layer_freq: 2 }, null, 2));
    const result = firn('import', model, '-o', join(folder, 'unknown.firn'));
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch(/error\[E0905\]: 'moe_layer_freq' is 2.*\n *--> .*config\.json:\d+:3/);
    expect(existsSync(join(folder, 'unknown.firn'))).toBe(false);
  });
});

describe('stats', () => {
  it.each([
    ['kimi-k2', 1_026_408_232_448], ['mixtral-8x7b', 46_702_792_704], ['llama-3.1-405b', 405_853_388_800],
  ])('of %s are exact', (name, parameters) => {
    const stats = JSON.parse(firn('stats', '--json', `examples/${name}.firn`).stdout) as { parameters: number };
    expect(stats.parameters).toBe(parameters);
  });
  it('of Kimi K2: active parameters and cache', () => {
    const stats = JSON.parse(firn('stats', '--json', 'examples/kimi-k2.firn').stdout) as { activeParameters: number; cacheBytesPerToken: number };
    // One row of the embedding is read per token.
    expect(stats.activeParameters).toBe(31_687_095_808 + 7168);
    expect(stats.cacheBytesPerToken).toBe(70_272);
    expect(firn('stats', 'examples/kimi-k2.firn').stdout).toContain('1,026,408,232,448');
  });
});
