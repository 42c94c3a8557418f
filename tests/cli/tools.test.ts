import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { bigramSpec } from '../support/bigram-spec.js';
import { bin, firn, root, temporaryFolder } from './firn.js';

const folder = temporaryFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('shrink', () => {
  it('writes a spec that checks', () => {
    const out = join(folder, 'mini.firn');
    const result = firn('shrink', 'examples/mixtral-8x7b.firn', '-o', out);
    expect(result).toMatchObject({ status: 0, stdout: '' });
    expect(result.stderr).toMatch(/46,702,792,704 parameters became [\d,]+; wrote /);
    expect(firn('check', out).stdout).toMatch(/: ok, [\d,]+ parameters\n$/);
    expect(firn('fmt', '--check', out).status).toBe(0);
    expect(firn('shrink', 'examples/mixtral-8x7b.firn').stdout).toBe(readFileSync(out, 'utf8'));
  });
  it('refuses a target that is no number', () => {
    expect(firn('shrink', 'examples/mixtral-8x7b.firn', '--target-params', 'few')).toMatchObject({ status: 2, stderr: expect.stringContaining('It must be a number of parameters') });
  });
});

describe('diff', () => {
  it('shows both sides, and costs', () => {
    const { stdout, status } = firn('diff', 'examples/mixtral-8x7b.firn', 'examples/llama-3.1-405b.firn');
    expect(status).toBe(0);
    expect(stdout).toMatch(/in the spec +Mixtral8x7B +Llama405B/);
    expect(stdout).toMatch(/ {2}attention.heads +32 +128\n/);
    expect(stdout).toMatch(/ {2}parameters +46.70 G +405.9 G {2}x 8.69\n/);
    const json = JSON.parse(firn('diff', '--json', 'examples/mixtral-8x7b.firn', 'examples/mixtral-8x7b.firn').stdout) as { spec: unknown[] };
    expect(json.spec).toEqual([]);
  });
});

describe('doctor', () => {
  const doctor = (env: NodeJS.ProcessEnv, ...args: string[]) => spawnSync(process.execPath, [bin, 'doctor', ...args], { cwd: root, encoding: 'utf8', env: { ...process.env, NO_COLOR: '1', ...env } });
  it('says what there is, in words and as JSON', () => {
    const { stdout, status } = doctor({});
    expect(status).toBe(0);
    expect(stdout).toMatch(/^Node +\d+\.\d+\.\d+ on /);
    const findings = JSON.parse(doctor({}, '--json').stdout) as { what: string; status: string; without?: string }[];
    expect(findings.map((f) => f.what)).toEqual(['Node', 'processor', 'memory', 'C++ compiler', 'kernel cache', 'Vulkan', 'WebGPU', 'CUDA driver', 'nvcc', 'Chromium']);
    for (const f of findings) expect(f.status === 'ok' || f.without !== undefined).toBe(true);
  });
  it('says which command installs what is missing', () => {
    const { stdout, status } = doctor({ PATH: '/nonexistent' });
    expect(status).toBe(0);
    expect(stdout).toMatch(/C\+\+ compiler +'g\+\+' does not run {2}\(missing\)\n +without it: .*\n +fix: sudo apt-get install -y g\+\+\n/);
    expect(stdout).toMatch(/Chromium +not in PATH {2}\(missing\)/);
  });
});

describe('bindings', () => {
  it('have entries, axes, dims and dtypes in types and docstrings', () => {
    const out = join(folder, 'model.ts');
    expect(firn('bindings', 'examples/k2-mini.firn', '-o', out, '--context', '512').status).toBe(0);
    const text = readFileSync(out, 'utf8');
    expect(text).toContain('export const dims = { vocab: 8192, hidden: 512 } as const;');
    expect(text).toContain('/** i32 [sequences, blocks], row-major: cache blocks of each sequence, in order */\n  readonly blocks: Int32Array;');
    expect(text).toContain('/** f32 [outputs, 8192], row-major: one row per wanted token */\n  readonly logits: Float32Array;');
    expect(text).toContain('async prefill<K extends keyof PrefillOutputs>(dims: PrefillDims, inputs: PrefillInputs, outputs: readonly K[])');
  });
  it('a model whose name TypeScript or the module has taken', () => {
    for (const name of ['class', 'Promise', 'DecodeInputs', 'generate']) {
      writeFileSync(join(folder, 'taken.firn'), bigramSpec(name, 16));
      expect(firn('bindings', join(folder, 'taken.firn'), '-o', join(folder, 'taken.ts'))).toMatchObject({ status: 0 });
      const text = readFileSync(join(folder, 'taken.ts'), 'utf8');
      expect(text).toContain(`export class ${name}Model {`);
      expect(text).toContain(`bundle.plan.model !== '${name}'`);
    }
  });
});
