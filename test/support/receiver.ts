import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request as it came in. */
interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A merchant's webhook receiver, in the test's own process. */
export interface Receiver {
  readonly url: string;
  readonly port: number;
  readonly received: readonly Received[];
  /** How many requests are unanswered now, and at most were at a time. */
  readonly open: number;
  readonly openMax: number;
  close(): Promise<void>;
}

/** What a receiver does with its nth request, counted from 0. Doing nothing lets it hang. */
export type Answering = (response: ServerResponse, request: Received, index: number) => void;

/** Answers every request with this status. */
export const status =
  (code: number, headers: Record<string, string> = {}): Answering =>
  (response) =>
    response.writeHead(code, headers).end();

/** Starts a receiver on a free port, or on a given one. Close it in the end. */
export async function startReceiver(answering: Answering = status(200), port = 0): Promise<Receiver> {
  const received: Received[] = [];
  const count = { open: 0, max: 0 };
  const server = createServer((request, response) => {
    count.open += 1;
    count.max = Math.max(count.max, count.open);
    response.once('close', () => {
      count.open -= 1;
    });
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url: path = '', headers } = request;
      const one = { method, path, headers, body: Buffer.concat(chunks).toString() };
      received.push(one);
      answering(response, one, received.length - 1);
    });
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  const address = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${address.port}/hook`,
    port: address.port,
    received,
    get open() {
      return count.open;
    },
    get openMax() {
      return count.max;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
