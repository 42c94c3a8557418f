/**
 * Checkpoints on a web server, read by range requests: only what is asked for is fetched, plus a little ahead. A server
 * that knows no ranges sends a file whole; it is then kept as a blob, which browsers hold on disk if it is large.
 */
import { BlobFile } from './blob-files.js';
import type { ByteFolder, ByteSource } from './byte-source.js';
import { CheckpointError } from './checkpoint-error.js';

export interface HttpOptions {
  /** Ends every request and read with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Called with the number of bytes that have arrived since the last call. */
  readonly onBytes?: (count: number) => void;
  /** Called when `path` has to be fetched whole before anything of it can be used; 0 bytes if the size is unknown. */
  readonly onWhole?: (path: string, bytes: number) => void;
}

/** The folder at `url`; it cannot be listed. */
export function httpFolder(url: string, options: HttpOptions = {}): ByteFolder {
  const base = url.endsWith('/') ? url : `${url}/`;
  return { path: base, names: async () => undefined, find: (name) => openHttpFile(base + encodeURIComponent(name), options) };
}

/** Small reads are served from windows of this many bytes. */
const windowBytes = 4 * 2 ** 20;
const keptWindows = 4;
/** Enough for the header of most files. */
const firstBytes = 2 ** 16;

/** Opens one file; undefined if the server has none at `url`. @throws CheckpointError F15, F16 */
export async function openHttpFile(url: string, options: HttpOptions = {}): Promise<ByteSource | undefined> {
  const response = await request(url, { begin: 0, end: firstBytes }, options);
  if (response.status === 404 || response.status === 410 || isPage(response)) {
    await response.body?.cancel();
    return undefined;
  }
  if (response.status === 206) {
    const size = sizeOf(response);
    if (size === undefined) {
      throw new CheckpointError({ code: 'F16', file: url, cause: 'is sent in parts by a server that does not say how large it is', fix: 'let the server send Content-Range, and expose it to this page: Access-Control-Expose-Headers: Content-Range' });
    }
    const start = new Uint8Array(Math.min(firstBytes, size));
    await receive(response, start, url, options);
    return new HttpFile(url, size, start, options);
  }
  if (response.status === 416) return new BlobFile(url, new Blob([]));
  if (!response.ok) throw refused(url, response);
  return new BlobFile(url, await receiveWhole(response, url, options), options.signal);
}

class HttpFile implements ByteSource {
  /** By their first byte; the last used comes last. */
  private readonly windows = new Map<number, Uint8Array>();

  constructor(readonly path: string, readonly size: number, private readonly start: Uint8Array, private readonly options: HttpOptions) {}

  async read(into: Uint8Array, at: number): Promise<number> {
    this.options.signal?.throwIfAborted();
    const count = Math.max(0, Math.min(into.length, this.size - at));
    if (at + count <= this.start.length) into.set(this.start.subarray(at, at + count));
    else if (count >= windowBytes) await this.fetch(into.subarray(0, count), at);
    else for (let done = 0; done < count;) done += await this.copyFromWindow(into.subarray(done, count), at + done);
    return count;
  }

  async close(): Promise<void> {
    this.windows.clear();
  }

  /** Copies what one window has; how many bytes that were. */
  private async copyFromWindow(into: Uint8Array, at: number): Promise<number> {
    const from = Math.floor(at / windowBytes) * windowBytes;
    let bytes = this.windows.get(from);
    if (bytes === undefined) {
      bytes = new Uint8Array(Math.min(windowBytes, this.size - from));
      await this.fetch(bytes, from);
    }
    this.windows.delete(from);
    this.windows.set(from, bytes);
    if (this.windows.size > keptWindows) this.windows.delete(this.windows.keys().next().value!);
    const part = bytes.subarray(at - from, at - from + into.length);
    into.set(part);
    return part.length;
  }

  /** Fills `into`; a connection that breaks is taken up again where it broke. */
  private async fetch(into: Uint8Array, at: number): Promise<void> {
    let done = 0;
    for (let failures = 0; done < into.length;) {
      const response = await request(this.path, { begin: at + done, end: at + into.length }, this.options);
      if (response.status !== 206) throw refused(this.path, response);
      if (sizeOf(response) !== this.size) throw new CheckpointError({ code: 'F14', file: this.path, cause: 'the file changed on the server while it was read', fix: 'load it again' });
      const count = await receive(response, into.subarray(done), this.path, this.options);
      failures = count === 0 ? failures + 1 : 0;
      if (failures === 3) throw unreachable(this.path, 'the connection breaks before any byte arrives');
      done += count;
    }
  }
}

const attempts = 3;

/** Bytes [begin, end) of `url`. Tries again where a server or the way to it fails. */
async function request(url: string, range: { begin: number; end: number }, { signal }: HttpOptions): Promise<Response> {
  for (let attempt = 1; ; attempt++) {
    try {
      const response = await fetch(url, { headers: { Range: `bytes=${range.begin}-${range.end - 1}` }, ...(signal === undefined ? {} : { signal }) });
      if (response.status < 500 || attempt === attempts) return response;
      await response.body?.cancel();
    } catch (error) {
      signal?.throwIfAborted();
      if (attempt === attempts) throw unreachable(url, (error as Error).message);
    }
    await new Promise((resolve) => setTimeout(resolve, 200 * attempt));
  }
}

/** Copies a body into `into` as far as it comes; how many bytes that were. */
async function receive(response: Response, into: Uint8Array, url: string, { signal, onBytes }: HttpOptions): Promise<number> {
  let done = 0;
  const reader = response.body!.getReader();
  try {
    for (;;) {
      const { value } = await reader.read();
      if (value === undefined) return done;
      if (done + value.length > into.length) throw new CheckpointError({ code: 'F15', file: url, cause: `the server sends more than the ${into.length} bytes asked for`, fix: 'the server answers range requests wrongly: use another one' });
      into.set(value, done);
      done += value.length;
      onBytes?.(value.length);
    }
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof CheckpointError) throw error;
    return done;
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

async function receiveWhole(response: Response, url: string, { signal, onBytes, onWhole }: HttpOptions): Promise<Blob> {
  const stated = Number(response.headers.get('content-length') ?? 0);
  onWhole?.(url, stated);
  // What has come is handed over to blobs now and then: the browser may move them to disk, arrays stay in memory.
  let blob = new Blob([]);
  let parts: Uint8Array<ArrayBuffer>[] = [];
  let waiting = 0;
  const reader = response.body!.getReader();
  try {
    for (;;) {
      const { value } = await reader.read();
      if (value === undefined) break;
      parts.push(value as Uint8Array<ArrayBuffer>);
      waiting += value.length;
      onBytes?.(value.length);
      if (waiting < windowBytes) continue;
      blob = new Blob([blob, ...parts]);
      [parts, waiting] = [[], 0];
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw unreachable(url, (error as Error).message);
  }
  return new Blob([blob, ...parts]);
}

function sizeOf(response: Response): number | undefined {
  const total = /^bytes \d+-\d+\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1];
  return total === undefined || !Number.isSafeInteger(Number(total)) ? undefined : Number(total);
}

/** Some servers answer with a page where they have no such file. */
const isPage = (response: Response): boolean => response.ok && (response.headers.get('content-type') ?? '').startsWith('text/html');

function refused(url: string, response: Response): CheckpointError {
  return new CheckpointError({ code: 'F15', file: url, cause: `the server answers ${response.status} ${response.statusText}`.trim(), fix: response.status === 401 || response.status === 403 ? 'the server wants a login: download the checkpoint and give its folder' : 'check the address' });
}

function unreachable(url: string, why: string): CheckpointError {
  return new CheckpointError({ code: 'F15', file: url, cause: `cannot be fetched: ${why}`, fix: 'check the address and the connection; a server other than the page\'s own must allow it (Access-Control-Allow-Origin)' });
}
