import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request that passed. */
interface PassedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
}

/** Passes HTTP requests on and remembers their headers. */
export interface RecordingProxy {
  readonly url: string;
  readonly passed: readonly PassedRequest[];
  /** Where requests go from now on; before, they are answered with 503. */
  passTo(url: string): void;
  close(): void;
}

/** Listens on a free port of loopback. Close it in `afterAll`. */
export async function startRecordingProxy(): Promise<RecordingProxy> {
  const passed: PassedRequest[] = [];
  let target: string | null = null;
  const server = createServer((request, response) => {
    const { method = 'GET', url: path = '/', headers } = request;
    passed.push({ method, path, headers });
    void (async () => {
      if (target === null) return response.writeHead(503).end();
      const { host: _host, connection: _connection, 'content-length': _length, ...others } = headers;
      const body = method === 'GET' ? null : Buffer.concat(await request.toArray());
      const sent = Object.entries(others).map(([name, value]) => [name, String(value)] as [string, string]);
      const answer = await fetch(target + path, { method, headers: sent, body });
      response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'text/plain' });
      return response.end(await answer.text());
    })().catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    passed,
    passTo: (url) => void (target = url),
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
