// The page as it was built, from a server of its own.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { gzipSync } from 'node:zlib';

export const SITE = path.resolve(import.meta.dirname, '../../../build/site/page');
const TYPES: Record<string, string> = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css' };

export interface Site {
  readonly address: string;
  /** Compressed bytes that were sent so far. */
  sent(): number;
  close(): void;
}

export async function serve(): Promise<Site> {
  assert.ok(existsSync(path.join(SITE, 'index.html')), 'the page is not built: run scripts/web.sh page');
  let sent = 0;
  const kept = new Map<string, Buffer>(); // a real server has them compressed already
  const server = createServer((request, response) => {
    const name = path.join(SITE, decodeURIComponent(new URL(request.url ?? '/', 'http://x').pathname));
    const file = name.endsWith(path.sep) ? path.join(name, 'index.html') : name;
    if (!file.startsWith(SITE) || !existsSync(file)) {
      response.writeHead(404).end();
      return;
    }
    const body = kept.get(file) ?? gzipSync(readFileSync(file));
    kept.set(file, body);
    sent += body.length;
    response.writeHead(200, { 'content-type': TYPES[path.extname(file)] ?? 'application/octet-stream', 'content-encoding': 'gzip' }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    sent: () => sent,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
