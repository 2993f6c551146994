import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { Problem, problemBody, problemCatalogue } from '../errors.ts';
import { securityHeaders } from './harden-headers.ts';

/** Answers a request that is not even HTTP (control characters in a header, too many of them), or never arrives as a whole, with a problem too. */
export function answerUnreadable(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const problem = error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? new Problem('request_timeout') : unreadable();
  const body = JSON.stringify(problemBody(problem, 'none'));
  const { status } = problemCatalogue[problem.code];
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
    'Cache-Control: no-store',
    ...Object.entries(securityHeaders).map(([name, value]) => `${name}: ${value}`),
  ];
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`);
}

function unreadable(): Problem {
  const detail =
    'The request line, a header or a chunk cannot be read: check for control characters and for very long headers.';
  return new Problem('invalid_header', { detail });
}
