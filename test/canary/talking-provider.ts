import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** An answer of the provider. */
interface ProviderAnswer {
  readonly status: number;
  readonly text: string;
}

/** Stands before a provider and changes what it says. */
export interface TalkingProvider {
  readonly url: string;
  /** Where requests go from now on; before, they are answered with 503. */
  passTo(url: string): void;
  /** How answers are changed from now on. */
  say(change: (answer: ProviderAnswer) => ProviderAnswer): void;
  /** How many answers were changed. */
  readonly changed: number;
  close(): void;
}

/** Listens on a free port of loopback. Close it in `afterAll`. */
export async function startTalkingProvider(): Promise<TalkingProvider> {
  let target: string | null = null;
  let change = (answer: ProviderAnswer) => answer;
  let changed = 0;
  const server = createServer((request, response) => {
    void (async () => {
      if (target === null) return response.writeHead(503).end();
      const { host: _host, connection: _connection, 'content-length': _length, ...others } = request.headers;
      const body = request.method === 'GET' ? null : Buffer.concat(await request.toArray());
      const headers = Object.entries(others).map(([name, value]): [string, string] => [name, String(value)]);
      const answer = await fetch(target + (request.url ?? '/'), { method: request.method ?? 'GET', headers, body });
      const given = { status: answer.status, text: await answer.text() };
      const said = change(given);
      if (said.text !== given.text) changed += 1;
      response.writeHead(said.status, { 'content-type': 'application/json' });
      return response.end(said.text);
    })().catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    passTo: (url) => void (target = url),
    say: (next) => void (change = next),
    get changed() {
      return changed;
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
