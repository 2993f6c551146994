import { createServer, type Server } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { exchange } from './exchange.ts';

let server: Server | null = null;
afterEach(() => server?.close());

/** A server that answers whatever comes with these bytes and closes. */
async function answering(bytes: string): Promise<string> {
  const listening = createServer((socket) => socket.once('data', () => socket.end(bytes)));
  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  const address = listening.address();
  if (address === null || typeof address === 'string') throw new Error('a TCP server has a port');
  return `http://127.0.0.1:${address.port}`;
}

const request = { method: 'GET', target: '/', headers: [], body: null };

test('reads an answer by its length, after those that only said to go on', async () => {
  const url = await answering(
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 422 X\r\nX-A: b: c\r\nContent-Length: 2\r\n\r\n{}\r\n',
  );
  const { status, text, headers } = await exchange(url, request);
  expect({ status, text, a: headers.get('x-a') }).toEqual({ status: 422, text: '{}', a: 'b: c' });
});

test('reads an answer in chunks', async () => {
  const url = await answering('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab\n\r\n1\r\nc\r\n0\r\n\r\n');
  expect((await exchange(url, request)).text).toBe('ab\nc');
});

test.each(['', 'SSH-2.0-x\r\n', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab'])(
  'throws when there is no whole answer: %j',
  async (bytes) => {
    await expect(exchange(await answering(bytes), request)).rejects.toThrow(/answer/);
  },
);
