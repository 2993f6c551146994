import type { RequestListener, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { Protocol } from './listener.ts';

// Far above any client's own keep-alive, so that a reused connection is never cut by us unasked.
const keepAliveTimeoutMs = 120_000;

/** HTTP for a listener. When the port closes, calls under way get their answer, and then their connection ends. */
export function httpProtocol(handler: RequestListener): Protocol {
  const busy = new Set<ServerResponse>();
  return {
    scheme: 'http',
    createServer: () => {
      const server = createServer({ keepAliveTimeout: keepAliveTimeoutMs }, (request, response) => {
        busy.add(response);
        response.once('close', () => busy.delete(response));
        if (!server.listening) response.shouldKeepAlive = false;
        handler(request, response);
      });
      return server;
    },
    finishing: () => {
      for (const response of busy) response.shouldKeepAlive = false;
      return new Set([...busy].map((response) => response.socket));
    },
  };
}
