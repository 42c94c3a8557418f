import { cpSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { importHf } from '../../compiler/import/hf.js';
import { decodeElements } from '../../compiler/kernels/half.js';
import { quantizeInt4 } from '../../compiler/kernels/packing.js';
import { nodeLoader, standardFamilies } from '../../dsl/std-node.js';
import { checkSpec, compile, load, openCheckpoint, storedIn } from '../../index.js';
import { quantizeCheckpoint } from '../../runtime/quantize-checkpoint.js';
import { tensorsToQuantize } from '../../runtime/quantize-plan.js';
import { runPrompt } from '../../runtime/run-prompt.js';
import { SafetensorsWriter } from '../../runtime/safetensors-writer.js';
import { openDevice } from '../support/devices.js';

const source = 'tests/goldens/k2-tiny';
const folder = mkdtempSync(join(tmpdir(), 'firn-quantize-'));
afterAll(() => rmSync(folder, { recursive: true }));

const imported = (path: string): string => importHf({ config: { path: 'config.json', text: readFileSync(join(path, 'config.json'), 'utf8') }, rules: standardFamilies() }).text!;
const statement = 'quantize layers[*].ffn.experts.* to int4(group: 32, along: in)';
const spec = imported(source).replace('  precision {', `  ${statement}\n  precision {`);

async function quantize(output: string, shardBytes?: number, from = source): Promise<void> {
  const checkpoint = await openCheckpoint(from);
  const { module, sources } = checkSpec({ entry: { path: 'k2.firn', text: spec }, load: nodeLoader, stored: storedIn(checkpoint) });
  const groups = tensorsToQuantize(module!.params, sources!, checkpoint);
  await quantizeCheckpoint({ checkpoint, groups, output, ...(shardBytes === undefined ? {} : { shardBytes }) });
  await checkpoint.close();
}

async function logits(text: string, path: string): Promise<Float32Array> {
  const checkpoint = await openCheckpoint(path);
  const compiled = compile({ entry: { path: 'k2.firn', text }, load: nodeLoader, target: 'reference', stored: storedIn(checkpoint), context: 32, maxTokens: 8, outputs: 8 });
  const device = await openDevice('reference');
  const model = await load(compiled.bundle!, device, { weights: { checkpoint, sources: compiled.sources! } });
  let found = new Float32Array();
  for await (const { outputs } of runPrompt(model.session, [5, 9, 2, 77, 31], ['logits'])) found = Float32Array.from(outputs.logits as Float32Array);
  await checkpoint.close();
  return found;
}

describe('int4 from floats', () => {
  it('writes a checkpoint that means what quantizing on load means, and says so in config.json', async () => {
    const output = join(folder, 'whole');
    await quantize(output);
    expect(readdirSync(output).sort()).toEqual(['config.json', ...readdirSync(source).filter((n) => n.endsWith('.json') && n !== 'config.json'), 'model.safetensors'].sort());
    expect(imported(output)).toContain(statement);
    expect(await logits(imported(output), output)).toEqual(await logits(spec, source));
  });
  it('codes and scales are those of the published format', async () => {
    const output = join(folder, 'codes');
    await quantize(output);
    const [before, after] = [await openCheckpoint(source), await openCheckpoint(output)];
    const name = 'model.layers.1.mlp.experts.3.down_proj';
    const tensor = before.tensors.get(`${name}.weight`)!;
    const [rows, columns] = tensor.shape;
    const want = quantizeInt4(decodeElements(await before.read(tensor.name), 'f32'), columns, 32);
    const words = new Int32Array((await after.read(`${name}.weight_packed`)).slice().buffer);
    const scales = new Uint16Array((await after.read(`${name}.weight_scale`)).slice().buffer);
    expect([...new Int32Array((await after.read(`${name}.weight_shape`)).slice().buffer)]).toEqual([rows, columns]);
    expect(scales).toEqual(want.scales);
    want.codes.forEach((code, i) => {
      const [row, column] = [Math.floor(i / columns), i % columns];
      expect((words[row * (columns / 8) + (column >> 3)] >>> (4 * (column & 7))) & 15).toBe(code);
    });
    expect(after.tensors.has(`${name}.weight`)).toBe(false);
    expect(await after.read('model.norm.weight')).toEqual(await before.read('model.norm.weight'));
    await before.close();
    await after.close();
  });
  it('in shards with an index', async () => {
    const output = join(folder, 'shards');
    await quantize(output, 300_000);
    expect(readdirSync(output).filter((n) => n.endsWith('.safetensors')).length).toBeGreaterThan(2);
    expect(await logits(imported(output), output)).toEqual(await logits(spec, source));
  });
  it('reads config.json before it writes anything', async () => {
    const from = join(folder, 'bad-config');
    cpSync(source, from, { recursive: true });
    for (const text of ['{', '[]']) {
      writeFileSync(join(from, 'config.json'), text);
      await expect(quantize(join(folder, 'none'), undefined, from)).rejects.toMatchObject({ code: 'F06', file: join(from, 'config.json') });
    }
    expect(readdirSync(folder).filter((n) => n.startsWith('none'))).toEqual([]);
  });
  it('leaves nothing when it fails, and never overwrites', async () => {
    await expect(quantize(join(folder, 'whole'))).rejects.toMatchObject({ code: 'F31' });
    const path = join(folder, 'broken.safetensors');
    const writer = await SafetensorsWriter.create(path, [{ name: 'w.weight', dtype: 'F32', shape: [2, 32] }]);
    await writer.write('w.weight', new Uint8Array(Float32Array.from({ length: 64 }, (_, i) => (i === 40 ? NaN : 1)).buffer));
    await writer.commit();
    const checkpoint = await openCheckpoint(path);
    const before = readdirSync(folder).sort();
    await expect(quantizeCheckpoint({ checkpoint, groups: new Map([['w.weight', 32]]), output: join(folder, 'none') })).rejects.toMatchObject({ code: 'F45', tensor: 'w.weight' });
    expect(existsSync(join(folder, 'none'))).toBe(false);
    expect(readdirSync(folder).sort()).toEqual(before);
    await checkpoint.close();
  });
});
