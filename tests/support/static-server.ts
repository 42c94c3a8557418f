/** A web server for folders, as simple or as capable as a test needs. */
import { createReadStream, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, normalize } from 'node:path';

export interface ServerOptions {
  /** Folders by the first part of the path. */
  readonly folders: Readonly<Record<string, string>>;
  /** Answers range requests with the whole file, as the simplest servers do. */
  readonly whole?: boolean;
  /** Called before each answer; true if it answered by itself. */
  readonly intercept?: (request: IncomingMessage, response: ServerResponse) => boolean;
}
export interface StaticServer { readonly url: string; readonly requests: string[]; close(): Promise<void> }

const types: Readonly<Record<string, string>> = { html: 'text/html', js: 'text/javascript', json: 'application/json' };

export async function serve(options: ServerOptions): Promise<StaticServer> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(`${request.url} ${request.headers.range ?? ''}`.trim());
    if (options.intercept?.(request, response)) return;
    answer(options, request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests,
    close: () => new Promise((resolve) => { server.closeAllConnections(); server.close(() => resolve()); }),
  };
}

function answer({ folders, whole }: ServerOptions, request: IncomingMessage, response: ServerResponse): void {
  const [, top, ...rest] = normalize(decodeURIComponent(new URL(request.url!, 'http://x').pathname)).split('/');
  const path = folders[top] === undefined ? undefined : join(folders[top], ...rest);
  const info = path === undefined ? undefined : statSync(path, { throwIfNoEntry: false });
  if (path === undefined || !info?.isFile()) {
    response.writeHead(404).end();
    return;
  }
  const type = { 'content-type': types[path.split('.').at(-1)!] ?? 'application/octet-stream' };
  const range = whole ? null : /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
  const begin = range ? Number(range[1]) : 0;
  const end = range ? Math.min(Number(range[2]) + 1, info.size) : info.size;
  response.writeHead(range ? 206 : 200, { ...type, 'content-length': end - begin, ...(range ? { 'content-range': `bytes ${begin}-${end - 1}/${info.size}` } : {}) });
  if (end > begin) createReadStream(path, { start: begin, end: end - 1 }).pipe(response);
  else response.end();
}
