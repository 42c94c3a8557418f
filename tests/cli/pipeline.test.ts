import { spawn } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../runtime/disk.js';
import { families, goldenFolder, openFamily, relativeError, type Family } from '../golden/families.js';
import { bin, firn, root, temporaryFolder } from './firn.js';

const folder = temporaryFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.skipIf(!families.includes('k2-tiny'))('a published checkpoint from the command line', () => {
  const spec = join(folder, 'k2-tiny.firn');
  const ids = join(folder, 'prompts.json');
  const weights = join(goldenFolder, 'k2-tiny');
  let family: Family;
  beforeAll(async () => {
    family = await openFamily('k2-tiny');
    writeFileSync(ids, JSON.stringify(family.prompts.slice(0, 2)));
    expect(firn('import', weights, '-o', spec).status).toBe(0);
  });
  afterAll(() => family.close());

  it('logits with taps are those of the golden', async () => {
    const out = join(folder, 'logits.safetensors');
    const result = firn('logits', spec, '--weights', weights, '--tokens', ids, '-o', out, '--device', 'reference', '--chunk', '5', '--taps', 'hidden,router');
    expect(result.stderr).toContain('device: reference');
    expect(result.status).toBe(0);
    const file = await openCheckpoint(out);
    expect(file.tensors.get('logits.1')).toMatchObject({ dtype: 'F32', shape: [7, 320] });
    expect(file.tensors.get('hidden.3.1')).toMatchObject({ dtype: 'F32', shape: [7, 96] });
    expect(file.tensors.get('router.model.layers.2.mlp.gate.0')).toMatchObject({ dtype: 'I32', shape: [1, 3] });
    for (const i of [0, 1]) {
      const logits = new Float32Array((await file.read(`logits.${i}`)).slice().buffer);
      expect(relativeError(logits, await family.read(`logits.${i}`))).toBeLessThan(1e-5);
    }
    await file.close();
  });

  it('run continues as the golden does, and says how fast and with how much memory', () => {
    writeFileSync(ids, JSON.stringify(family.prompts[family.greedy.prompt]));
    const result = firn('run', spec, '--weights', weights, '--tokens', ids, '--max-tokens', '24', '--device', 'reference');
    expect(result.stdout.trim().split(' ').map(Number)).toEqual(family.greedy.tokens);
    expect(result.stderr).toMatch(/prompt 7 tokens in .* tokens\/s\); decode 23 tokens in .* tokens\/s\); ended by length/);
    expect(result.stderr).toMatch(/memory on reference: weights 2\.\d+ MiB/);
    const json = JSON.parse(firn('run', spec, '--weights', weights, '--tokens', ids, '--max-tokens', '3', '--device', 'reference', '--json').stdout) as { results: { tokens: number[] }[] };
    expect(json.results[0].tokens).toEqual(family.greedy.tokens.slice(0, 3));
  });

  it.each([
    [/error\[E0616\]: no tap is called `attention`/, ['--taps', 'attention']],
    [/error\[C10\]: .*prompt 0 is not an array/, ['--tokens', join(root, 'package.json')]],
  ])('%s', (message, extra) => {
    writeFileSync(ids, '[[1, 2]]');
    const out = join(folder, 'none.safetensors');
    const result = firn('logits', spec, '--weights', weights, '--tokens', ids, '-o', out, '--device', 'reference', ...extra);
    expect(result.stderr).toMatch(extra[0] === '--taps' ? message : /error\[C10\]/);
    expect(result.status).toBe(1);
    expect(existsSync(out)).toBe(false);
  });

  it('a token that the model does not have: R01', () => {
    writeFileSync(ids, '[[1, 320]]');
    const result = firn('run', spec, '--weights', weights, '--tokens', ids, '--device', 'reference');
    expect(result.stderr).toMatch(/error\[R01\]: token id 320 is outside the vocabulary of 320\n {2}= fix:/);
    expect(result.status).toBe(1);
  });

  it('another spec than the checkpoint: F42 with the rule', () => {
    const other = join(folder, 'other.firn');
    writeFileSync(other, readFileSync(spec, 'utf8').replace('q_rank: 40', 'q_rank: 48'));
    writeFileSync(ids, '[[1, 2]]');
    const result = firn('run', other, '--weights', weights, '--tokens', ids, '--device', 'reference');
    expect(result.stderr).toMatch(/error\[F42\].*is stored as \[40, 96\], but layers\[0\]\.attn\.wq_a needs \[48, 96\] \(rule "model\.layers\.\{i\}/);
    expect(result.status).toBe(1);
  });

  it('interrupted, it leaves no partial file', async () => {
    writeFileSync(ids, JSON.stringify([family.prompts[3], family.prompts[3], family.prompts[3]]));
    const out = join(folder, 'interrupted.safetensors');
    const child = spawn(process.execPath, [bin, 'logits', spec, '--weights', weights, '--tokens', ids, '-o', out, '--device', 'reference', '--chunk', '1'], { cwd: root });
    const ended = new Promise<number | null>((resolve) => child.on('exit', resolve));
    const pending = (): string[] => readdirSync(folder).filter((n) => n.startsWith('interrupted'));
    while (pending().length === 0 && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 20));
    child.kill('SIGINT');
    expect(await ended).toBe(130);
    expect(pending()).toEqual([]);
  });
});

describe('compiled files', () => {
  const out = join(folder, 'mini');
  it('compile writes what plan verify proves', () => {
    const result = firn('compile', 'examples/k2-mini.firn', '--target', 'null', '-o', out, '--json');
    expect(result.status).toBe(0);
    const summary = JSON.parse(result.stdout) as { hash: string; peakBytes: number };
    expect(readdirSync(out).sort()).toEqual(['kernels.json', 'plan.json', 'weights.json']);
    expect(firn('plan', 'verify', out)).toMatchObject({ status: 0, stdout: expect.stringContaining(summary.hash.slice(0, 12)) });
    const before = readFileSync(join(out, 'plan.json'), 'utf8');
    firn('compile', 'examples/k2-mini.firn', '--target', 'null', '-o', out);
    expect(readFileSync(join(out, 'plan.json'), 'utf8')).toBe(before);
    writeFileSync(join(out, 'plan.json'), before.replace('"peakBytes":', '"peakBytes":1'));
    expect(firn('plan', 'verify', out).status).toBe(1);
  });
  it('every stage can be printed', () => {
    for (const [phase, text] of [['ast', 'model K2Mini {'], ['graph', 'attend'], ['passes', 'attend'], ['kernels', 'entry decode'], ['plan', 'entry decode']]) {
      const { stdout, status } = firn('compile', 'examples/k2-mini.firn', '--target', 'cpu', '--stop-after', phase);
      expect(status).toBe(0);
      expect(stdout).toContain(text);
    }
  });
  it('explain names kernels, spec lines and amounts', () => {
    const { stdout } = firn('explain', 'examples/k2-mini.firn', '--target', 'cpu', '--entry', 'decode', '--context', '256');
    expect(stdout).toMatch(/decode on cpu at tokens 1.*context 256: \d+ launches/);
    expect(stdout).toContain('std/attention.firn:');
    const json = JSON.parse(firn('explain', 'examples/k2-mini.firn', '--json').stdout) as { launches: number };
    expect(json.launches).toBeGreaterThan(10);
  });
});
