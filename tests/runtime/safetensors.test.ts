import fc from '../support/properties.js';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { CheckpointError } from '../../runtime/checkpoint-error.js';
import { openCheckpoint, openSafetensors } from '../../runtime/disk.js';
import { checkHeader } from '../../runtime/safetensors.js';
import { SafetensorsWriter } from '../../runtime/safetensors-writer.js';
import { goldenFolder } from '../golden/families.js';

const folder = mkdtempSync(join(tmpdir(), 'firn-safetensors-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let count = 0;
function fileOf(header: string | Uint8Array, data: number | Uint8Array = 0, length?: bigint): string {
  const head = typeof header === 'string' ? new TextEncoder().encode(header) : header;
  const bytes = typeof data === 'number' ? new Uint8Array(data) : data;
  const out = new Uint8Array(8 + head.length + bytes.length);
  new DataView(out.buffer).setBigUint64(0, length ?? BigInt(head.length), true);
  out.set(head, 8);
  out.set(bytes, 8 + head.length);
  const path = join(folder, `case-${count++}.safetensors`);
  writeFileSync(path, out);
  return path;
}
const entry = (dtype: string, shape: number[], begin: number, end: number): string => `{"dtype":"${dtype}","shape":[${shape}],"data_offsets":[${begin},${end}]}`;

async function codeOf(path: string): Promise<string> {
  try {
    await (await openCheckpoint(path)).close();
    return 'ok';
  } catch (error) {
    if (error instanceof CheckpointError) return error.code;
    throw error;
  }
}

describe('what a valid file is', () => {
  it.each([
    ['two tensors', `{"a":${entry('F32', [2], 0, 8)},"b":${entry('BF16', [1, 2], 8, 12)}}`, 12],
    ['space at the end', `{"a":${entry('F32', [2], 0, 8)}}    `, 8],
    ['a scalar and an empty tensor', `{"a":${entry('F32', [], 0, 4)},"b":${entry('F32', [0, 7], 4, 4)}}`, 4],
    ['metadata', `{"__metadata__":{"format":"pt"},"a":${entry('U8', [3], 0, 3)}}`, 3],
    ['entries out of order', `{"b":${entry('U8', [1], 3, 4)},"a":${entry('U8', [3], 0, 3)}}`, 4],
    ['nothing', `{}`, 0],
    ['escapes in names', `{"a\\u00e9\\"":${entry('U8', [1], 0, 1)}}`, 1],
  ])('%s', async (_, header, bytes) => {
    expect(await codeOf(fileOf(header, bytes))).toBe('ok');
  });
});

describe('every broken law has its code', () => {
  it.each([
    ['F02', 'an empty file', () => { const p = join(folder, 'empty.safetensors'); writeFileSync(p, ''); return p; }],
    ['F03', 'a header longer than the format allows', () => fileOf('{}', 0, 100_000_001n)],
    ['F03', 'a header longer than the file', () => fileOf('{}', 0, 3n)],
    ['F03', 'the largest possible length', () => fileOf('{}', 0, 0xffff_ffff_ffff_ffffn)],
    ['F04', 'a header that starts with a space', () => fileOf(' {}')],
    ['F05', 'bytes that are not UTF-8', () => fileOf(new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x7d]))],
    ['F06', 'JSON cut short', () => fileOf(`{"a":{"dtype":"U8"`)],
    ['F06', 'something after the object', () => fileOf('{} x')],
    ['F06', 'a negative extent', () => fileOf(`{"a":${entry('U8', [-1], 0, 0)}}`)],
    ['F06', 'a fraction', () => fileOf(`{"a":{"dtype":"U8","shape":[1.5],"data_offsets":[0,1]}}`, 1)],
    ['F06', 'a missing key', () => fileOf(`{"a":{"dtype":"U8","shape":[1]}}`, 1)],
    ['F06', 'an unknown key', () => fileOf(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":"y"}}`, 1)],
    ['F07', 'a tensor twice', () => fileOf(`{"a":${entry('U8', [1], 0, 1)},"a":${entry('U8', [1], 1, 2)}}`, 2)],
    ['F07', 'a key twice', () => fileOf(`{"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1)],
    ['F08', 'an unknown dtype', () => fileOf(`{"a":${entry('toString', [1], 0, 1)}}`, 1)],
    ['F09', 'a product that overflows', () => fileOf(`{"a":${entry('F32', [4294967296, 4294967296], 0, 0)}}`)],
    ['F09', 'an overflow hidden by a zero', () => fileOf(`{"a":${entry('F32', [0, 4294967296, 4294967296], 0, 0)}}`)],
    ['F09', 'a number beyond 2^53', () => fileOf(`{"a":{"dtype":"U8","shape":[99999999999999999999],"data_offsets":[0,1]}}`, 1)],
    ['F10', 'offsets that run backwards', () => fileOf(`{"a":${entry('U8', [0], 1, 0)}}`, 1)],
    ['F11', 'a shape of another size', () => fileOf(`{"a":${entry('F32', [2], 0, 4)}}`, 4)],
    ['F11', 'a sub-byte type that ends inside a byte', () => fileOf(`{"a":${entry('F4', [3], 0, 2)}}`, 2)],
    ['F12', 'a hole at the start', () => fileOf(`{"a":${entry('U8', [1], 1, 2)}}`, 2)],
    ['F12', 'a hole', () => fileOf(`{"a":${entry('U8', [1], 0, 1)},"b":${entry('U8', [1], 2, 3)}}`, 3)],
    ['F12', 'an overlap', () => fileOf(`{"a":${entry('U8', [2], 0, 2)},"b":${entry('U8', [2], 1, 3)}}`, 3)],
    ['F13', 'bytes that belong to nothing', () => fileOf(`{"a":${entry('U8', [1], 0, 1)}}`, 5)],
    ['F13', 'a file cut short', () => fileOf(`{"a":${entry('U8', [9], 0, 9)}}`, 5)],
    ['F01', 'no file', () => join(folder, 'absent.safetensors')],
  ])('%s: %s', async (code, _, make) => {
    expect(await codeOf(make())).toBe(code);
  });

  it('names the file, the tensor, the cause and the fix', async () => {
    const path = fileOf(`{"a":${entry('U8', [1], 0, 1)},"b":${entry('U8', [1], 2, 3)}}`, 3);
    await expect(openSafetensors(path)).rejects.toThrow(`F12 ${path}: tensor 'b': its bytes begin at 2 but the ones before it end at 1\n  fix:`);
  });

  it('does not run out of stack on deep nesting, nor of time on many overlapping entries', async () => {
    expect(await codeOf(fileOf('{"a":' + '['.repeat(1_000_000)))).toBe('F06');
    expect(await codeOf(fileOf('{' + '"a":{'.repeat(300_000)))).toBe('F06');
    const many = Array.from({ length: 100_000 }, (_, i) => `"t${i}":${entry('F32', [200, 200], 0, 160000)}`).join(',');
    expect(await codeOf(fileOf(`{${many}}`, 160000))).toBe('F12');
  });
});

describe('shards', () => {
  function shards(map: Record<string, string>, totalSize: number, files: Record<string, string[]>): string {
    const path = mkdtempSync(join(folder, 'shards-'));
    for (const [file, names] of Object.entries(files)) {
      const source = fileOf(`{${names.map((n, i) => `"${n}":${entry('U8', [4], 4 * i, 4 * i + 4)}`).join(',')}}`, 4 * names.length);
      writeFileSync(join(path, file), readFileSync(source));
    }
    writeFileSync(join(path, 'model.safetensors.index.json'), JSON.stringify({ metadata: { total_size: totalSize }, weight_map: map }));
    return path;
  }
  it.each([
    ['ok', 'agreeing shards', { a: 'x.safetensors', b: 'y.safetensors' }, 8, { 'x.safetensors': ['a'], 'y.safetensors': ['b'] }],
    ['F21', 'a missing shard', { a: 'x.safetensors', b: 'y.safetensors' }, 8, { 'x.safetensors': ['a'] }],
    ['F22', 'a path that leaves the folder', { a: '../x.safetensors' }, 4, { 'x.safetensors': ['a'] }],
    ['F22', 'an absolute path', { a: '/etc/passwd' }, 4, { 'x.safetensors': ['a'] }],
    ['F23', 'a tensor in another shard', { a: 'x.safetensors', b: 'x.safetensors', c: 'y.safetensors' }, 12, { 'x.safetensors': ['a'], 'y.safetensors': ['b', 'c'] }],
    ['F24', 'a tensor that the index does not know', { a: 'x.safetensors' }, 8, { 'x.safetensors': ['a', 'b'] }],
    ['F07', 'a tensor in two shards', { a: 'x.safetensors', b: 'y.safetensors' }, 12, { 'x.safetensors': ['a'], 'y.safetensors': ['a', 'b'] }],
    ['F25', 'another total size', { a: 'x.safetensors' }, 5, { 'x.safetensors': ['a'] }],
    ['F20', 'an empty map', {}, 0, {}],
  ] as [string, string, Record<string, string>, number, Record<string, string[]>][])('%s: %s', async (code, _, map, total, files) => {
    expect(await codeOf(shards(map, total, files))).toBe(code);
  });
  it('F26: several files without an index, and none at all', async () => {
    const path = mkdtempSync(join(folder, 'loose-'));
    expect(await codeOf(path)).toBe('F26');
    for (const name of ['p.safetensors', 'q.safetensors']) writeFileSync(join(path, name), '');
    expect(await codeOf(path)).toBe('F26');
  });
});

describe('mutated headers', () => {
  const valid = `{"__metadata__":{"format":"pt"},"model.a":${entry('F32', [3, 5], 0, 60)},"b":${entry('I32', [2], 60, 68)},"c":${entry('BF16', [2, 2], 68, 76)}}  `;
  it('are accepted or rejected with a code, never anything else', () => {
    const mutation = fc.record({ at: fc.nat(valid.length - 1), remove: fc.nat(6), insert: fc.oneof(fc.string({ maxLength: 6 }), fc.constantFrom('"', '{', '}', '[', ']', ',', ':', '9', '-', '\\', '0', '1e9', '\u0000')) });
    fc.assert(fc.property(fc.array(mutation, { minLength: 1, maxLength: 4 }), fc.nat(200), (mutations, extra) => {
      let text = valid;
      for (const m of mutations) text = text.slice(0, m.at) + m.insert + text.slice(m.at + m.remove);
      const bytes = new TextEncoder().encode(text);
      try {
        const { tensors } = checkHeader('f', bytes, 8 + bytes.length + extra);
        expect(tensors.reduce((sum, t) => sum + t.bytes, 0)).toBe(extra);
      } catch (error) {
        expect(error).toBeInstanceOf(CheckpointError);
      }
    }), { numRuns: 3000 });
  });
  it('also as raw bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (noise) => {
      try {
        checkHeader('f', new Uint8Array([0x7b, ...noise]), 100);
      } catch (error) {
        expect(error).toBeInstanceOf(CheckpointError);
      }
    }), { numRuns: 2000 });
  });
});

describe('the writer', () => {
  it('is read back, in any order of writing', async () => {
    const path = join(folder, 'written.safetensors');
    const writer = await SafetensorsWriter.create(path, [{ name: 'x', dtype: 'F32', shape: [2, 2] }, { name: 'y', dtype: 'I32', shape: [1] }], { made: 'here' });
    await writer.write('y', new Uint8Array([7, 0, 0, 0]));
    await writer.write('x', new Uint8Array(8).fill(2), 8);
    await writer.write('x', new Uint8Array(8).fill(1));
    expect(readdirSync(folder)).not.toContain('written.safetensors');
    await writer.commit();
    const file = await openSafetensors(path);
    expect(file.metadata).toEqual({ made: 'here' });
    expect([...await file.read(file.tensors.get('x')!, 6, 10)]).toEqual([1, 1, 2, 2]);
    expect([...await file.read(file.tensors.get('y')!)]).toEqual([7, 0, 0, 0]);
    await file.close();
  });
  it('leaves nothing when discarded, and the old file when it fails', async () => {
    const path = join(folder, 'kept.safetensors');
    writeFileSync(path, 'old');
    const writer = await SafetensorsWriter.create(path, [{ name: 'x', dtype: 'U8', shape: [4] }]);
    await writer.write('x', new Uint8Array(2));
    await expect(writer.commit()).rejects.toThrow('2 bytes were never written');
    await writer.discard();
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(readdirSync(folder).filter((n) => n.startsWith('kept'))).toEqual(['kept.safetensors']);
  });
});

describe('published files', () => {
  it('every family opens', async () => {
    const folders = readdirSync(goldenFolder).map((name) => join(goldenFolder, name)).filter((path) => existsSync(join(path, 'config.json')));
    expect(folders.length).toBeGreaterThan(3);
    for (const path of folders) {
      const checkpoint = await openCheckpoint(path);
      expect(checkpoint.tensors.size).toBeGreaterThan(10);
      await checkpoint.close();
    }
  });
});
