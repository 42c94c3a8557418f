import { createReadStream, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { blobFolder } from '../../runtime/blob-files.js';
import { Checkpoint } from '../../runtime/checkpoint.js';
import { CheckpointError } from '../../runtime/checkpoint-error.js';
import { openCheckpoint } from '../../runtime/disk.js';
import { httpFolder, openHttpFile } from '../../runtime/http-files.js';
import { families, goldenFolder } from '../golden/families.js';
import { serve, type ServerOptions } from '../support/static-server.js';

const folder = mkdtempSync(join(tmpdir(), 'firn-http-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const size = 9 * 2 ** 20 + 5;
const content = Uint8Array.from({ length: size }, (_, i) => (i * 2654435761) >>> 24);
writeFileSync(join(folder, 'data.bin'), content);

async function served<T>(options: Partial<ServerOptions>, use: (url: string, requests: readonly string[]) => Promise<T>): Promise<T> {
  const server = await serve({ folders: { files: folder }, ...options });
  try {
    return await use(`${server.url}/files/data.bin`, server.requests);
  } finally {
    await server.close();
  }
}
const codeOf = async (work: Promise<unknown>): Promise<string> => work.then(() => 'ok', (error: unknown) => { if (error instanceof CheckpointError) return error.code; throw error; });

const ranges = [[0, 8], [65530, 20], [70000, 10], [4 * 2 ** 20 - 3, 6], [0, 5 * 2 ** 20], [size - 4, 4], [size - 4, 10], [size, 3]];

describe('a file on a web server', () => {
  it.each([['by ranges', false], ['sent whole', true]])('%s reads as it is stored', async (_, whole) => {
    await served({ whole }, async (url) => {
      let received = 0;
      const announced: string[] = [];
      const file = (await openHttpFile(url, { onBytes: (n) => { received += n; }, onWhole: (path, bytes) => announced.push(`${path} ${bytes}`) }))!;
      expect(file.size).toBe(size);
      for (const [at, length] of ranges) {
        const into = new Uint8Array(length);
        const count = await file.read(into, at);
        expect(count).toBe(Math.min(length, size - at));
        expect(Buffer.compare(into.subarray(0, count), content.subarray(at, at + count))).toBe(0);
      }
      expect(announced).toEqual(whole ? [`${url} ${size}`] : []);
      expect(received).toBeGreaterThan(5 * 2 ** 20);
    });
  });
  it('small reads near each other are one request', async () => {
    await served({}, async (url, requests) => {
      const file = (await openHttpFile(url))!;
      for (let at = 100_000; at < 200_000; at += 1000) await file.read(new Uint8Array(1000), at);
      expect(requests.length).toBe(2);
    });
  });
  it('goes on where a connection broke', async () => {
    let broken = 0;
    await served({
      intercept: (request, response) => {
        const range = /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? '')!;
        if (Number(range[1]) === 0 || broken++ > 1) return false;
        response.writeHead(206, { 'content-range': `bytes ${range[1]}-${range[2]}/${size}`, 'content-length': Number(range[2]) - Number(range[1]) + 1 });
        createReadStream(join(folder, 'data.bin'), { start: Number(range[1]), end: Number(range[1]) + 999 }).on('end', () => response.destroy()).pipe(response, { end: false });
        return true;
      },
    }, async (url, requests) => {
      const into = new Uint8Array(5 * 2 ** 20);
      const file = (await openHttpFile(url))!;
      expect(await file.read(into, 70_000)).toBe(into.length);
      expect(Buffer.compare(into, content.subarray(70_000, 70_000 + into.length))).toBe(0);
      expect(requests.length).toBe(4);
    });
  });
  it.each([
    ['F15', 'refused', 403, {}], ['F15', 'a server that fails', 500, {}], ['F16', 'no size', 206, { 'content-range': 'bytes 0-9/*' }],
  ] as const)('%s: %s', async (code, _, status, headers) => {
    await served({ intercept: (__, response) => { response.writeHead(status, headers).end('0123456789'); return true; } }, async (url) => {
      expect(await codeOf(openHttpFile(url))).toBe(code);
    });
  });
  it('F15: nobody there; undefined: no such file, or a page in its place', async () => {
    await served({}, async (url) => {
      expect(await openHttpFile(`${url}.absent`)).toBeUndefined();
      expect(await codeOf(openHttpFile('http://127.0.0.1:9/x'))).toBe('F15');
    });
    await served({ intercept: (_, response) => { response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end('<p>'); return true; } }, async (url) => {
      expect(await openHttpFile(url)).toBeUndefined();
    });
  });
  it('F14: the file changed', async () => {
    let requests = 0;
    await served({ intercept: (request) => { if (requests++ > 0) writeFileSync(join(folder, 'data.bin'), content.subarray(0, size - 100)); return request === undefined; } }, async (url) => {
      const file = (await openHttpFile(url))!;
      expect(await codeOf(file.read(new Uint8Array(10), 100_000))).toBe('F14');
      writeFileSync(join(folder, 'data.bin'), content);
    });
  });
  it('reading ends when it is aborted', async () => {
    const abort = new AbortController();
    let requests = 0;
    await served({ intercept: () => requests++ > 0 }, async (url) => {
      const file = (await openHttpFile(url, { signal: abort.signal }))!;
      const reading = file.read(new Uint8Array(10), 100_000);
      abort.abort();
      await expect(reading).rejects.toThrow('aborted');
      await expect(file.read(new Uint8Array(10), 0)).rejects.toThrow('aborted');
    });
  });
});

describe.skipIf(!families.includes('mixtral-tiny'))('shards with their index', () => {
  it('are the same from a disk, a server and blobs', async () => {
    const disk = await openCheckpoint(join(goldenFolder, 'mixtral-tiny'));
    const server = await serve({ folders: { w: join(goldenFolder, 'mixtral-tiny') } });
    const blobs = readdirSync(disk.path).filter((n) => n.startsWith('model')).map((name) => ({ name, blob: new Blob([readFileSync(join(disk.path, name))]) }));
    for (const other of [await Checkpoint.fromFolder(httpFolder(`${server.url}/w`)), await Checkpoint.fromFolder(blobFolder('picked', blobs))]) {
      expect([...other.tensors.keys()].sort()).toEqual([...disk.tensors.keys()].sort());
      for (const name of disk.tensors.keys()) expect(Buffer.compare(await other.read(name), await disk.read(name))).toBe(0);
    }
    await expect(Checkpoint.fromFolder(blobFolder('picked', blobs.slice(1)))).rejects.toThrow(/F21 picked\/model-00001-of-00010\.safetensors: is missing/);
    await server.close();
    await disk.close();
  });
});
