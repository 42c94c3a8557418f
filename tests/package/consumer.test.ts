import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildSync } from 'esbuild';
import { firn, root } from '../cli/firn.js';

/** A project that has the packed package, and nothing of this one's. */
const project = mkdtempSync(join(tmpdir(), 'firn-consumer-'));
const installed = join(project, 'node_modules', 'firn');
afterAll(() => rmSync(project, { recursive: true, force: true }));

function run(command: string, args: string[], cwd = project): string {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8', env: { ...process.env, NO_COLOR: '1' } });
  expect(`${stdout}${stderr}`.slice(status === 0 ? Infinity : 0), `${command} ${args.join(' ')}`).toBe('');
  return stdout;
}

const consumer = `import { compile, DeviceError, explore, FirnError, generate, knownDevices, load, nodeLoader, openDevice, readSpec, type Compiled } from 'firn';
import { K2Mini, dims } from './model.js';

const compiled: Compiled = compile({ entry: readSpec('mini.firn'), load: nodeLoader, target: 'reference', context: 64 });
if (!compiled.bundle) throw new FirnError(compiled.diagnostics, compiled.files);
const device = await openDevice('reference');
const model = await load(compiled.bundle, device, { weights: { seed: 7 } });
const { tokens, reason } = await generate(model.session, [1, 2, 3], { maxTokens: 4 });
await model.close();

const typed = await K2Mini.load('mini.firn', device, { weights: { seed: 7 } });
const again = await typed.generate([1, 2, 3], { maxTokens: 4 });
const inputs = { tokens: Int32Array.of(1), position: Int32Array.of(0), sequence: Int32Array.of(0), slot: Int32Array.of(0), blocks: Int32Array.of(0), starts: Int32Array.of(0, 1), rows: Int32Array.of(0), temperature: Float32Array.of(0), seed: Uint32Array.of(0), top_k: Int32Array.of(0), top_p: Float32Array.of(1) };
const { logits } = await typed.decode({ tokens: 1, outputs: 1, sequences: 1, blocks: 1, context: 1 }, inputs, ['logits']);
const floats: Float32Array = logits;
// @ts-expect-error: there is no such output
await typed.decode({ tokens: 1, outputs: 1, sequences: 1, blocks: 1, context: 1 }, inputs, ['logit']).catch(() => undefined);
await typed.close();
await device.close();

const variants = explore({ entry: readSpec('mini.firn'), load: nodeLoader, device: knownDevices.h100, vary: [{ name: 'experts', values: ['4', '8'] }] }).exploration?.variants.length;
const vocab: number = dims.vocab;
console.log(JSON.stringify({ tokens, again: again.tokens, reason, logits: floats.length, vocab, variants, isError: new DeviceError('D0', 'x', 'y') instanceof Error }));
`;

describe('the packed package', () => {
  beforeAll(() => {
    mkdirSync(join(project, 'node_modules'));
    const [{ filename }] = JSON.parse(run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', project], root)) as { filename: string }[];
    run('tar', ['-xzf', filename]);
    renameSync(join(project, 'package'), installed);
    for (const name of ['@types/node', 'undici-types']) {
      mkdirSync(dirname(join(project, 'node_modules', name)), { recursive: true });
      symlinkSync(join(root, 'node_modules', name), join(project, 'node_modules', name));
    }
    expect(firn('shrink', 'examples/k2-mini.firn', '-o', join(project, 'mini.firn'), '--target-params', '200000').status).toBe(0);
    // The name of the model in the miniature's place, so that the bindings' class has it.
    writeFileSync(join(project, 'mini.firn'), readFileSync(join(project, 'mini.firn'), 'utf8').replace('model K2MiniMini', 'model K2Mini'));
    expect(firn('bindings', join(project, 'mini.firn'), '-o', join(project, 'model.ts'), '--context', '64').status).toBe(0);
    writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'consumer', type: 'module', private: true }));
    writeFileSync(join(project, 'consumer.ts'), consumer);
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions: { target: 'ES2022', module: 'NodeNext', strict: true, skipLibCheck: false, types: ['node'] }, files: ['consumer.ts'] }));
  }, 120_000);

  it('holds what it needs to run, and no sources or tests', () => {
    expect(readdirSync(installed).sort()).toEqual(['README.md', 'bin', 'dist', 'dsl', 'examples', 'package.json', 'runtime']);
    expect(existsSync(join(installed, 'dist', 'cli', 'main.js'))).toBe(false);
    expect(readFileSync(join(installed, 'dist', 'bundle', 'LICENCES.txt'), 'utf8')).toContain('chevrotain');
  });

  it('is typed: a consumer and its bindings check and run', () => {
    run(process.execPath, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', '.']);
    const out = JSON.parse(run(process.execPath, ['consumer.js'])) as { tokens: number[]; again: number[]; logits: number; vocab: number; variants: number };
    expect(out.tokens).toHaveLength(4);
    expect(out.again).toEqual(out.tokens);
    expect(out).toMatchObject({ logits: out.vocab, variants: 2, reason: 'length', isError: true });
  });

  it('has a command line that needs no other package', () => {
    expect(run(process.execPath, [join(installed, 'bin', 'firn.mjs'), 'check', 'mini.firn'])).toMatch(/^mini\.firn: ok, [\d,]+ parameters\n$/);
    expect(run(process.execPath, [join(installed, 'bin', 'firn.mjs'), 'explore', 'mini.firn', '-o', 'mini.html'])).toContain('K2Mini on h200');
  });

  it('has a core that a page can bundle', () => {
    writeFileSync(join(project, 'page.js'), "import { explore, memoryLoader } from 'firn/core';\nconsole.log(explore, memoryLoader);\n");
    const { errors } = buildSync({ entryPoints: [join(project, 'page.js')], bundle: true, write: false, platform: 'browser', format: 'esm', logLevel: 'silent' });
    expect(errors).toEqual([]);
  });
});
