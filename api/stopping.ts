import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** A connection that falls idle while we stop is closed within this time. */
const closingEveryMs = 100;

/**
 * Watches a server from its start and returns what stops it: calls under way get their answers, with
 * `Connection: close`; all other connections end at once, those too that never said a word. Ends when all have ended.
 */
export function stopsGracefully(server: Server): () => Promise<void> {
  const sockets = new Set<Socket>();
  const busy = new Set<ServerResponse>();
  let isStopping = false;

  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.prependListener('request', (_request, response: ServerResponse) => {
    if (isStopping) response.shouldKeepAlive = false;
    busy.add(response);
    response.once('close', () => busy.delete(response));
  });

  return async () => {
    isStopping = true;
    const closed = new Promise((resolve) => server.close(resolve));
    for (const response of busy) response.shouldKeepAlive = false;
    const working = new Set([...busy].map((response) => response.req.socket));
    for (const socket of sockets) if (!working.has(socket)) socket.destroy();
    // An answer that began before we stopped promised to keep its connection.
    const closing = setInterval(() => server.closeIdleConnections(), closingEveryMs);
    await closed;
    clearInterval(closing);
  };
}
