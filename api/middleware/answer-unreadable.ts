import type { Duplex } from 'node:stream';
import { Problem, problemBody } from '../errors.ts';

/** Answers a request that is not even HTTP (control characters in a header, too many of them) with a problem too. */
export function answerUnreadable(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const detail = 'The request line or a header cannot be read: check for control characters and for very long headers.';
  const body = JSON.stringify(problemBody(new Problem('invalid_header', { detail }), 'none'));
  const lines = [
    'HTTP/1.1 400 Bad Request',
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`);
}
