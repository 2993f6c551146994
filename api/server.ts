import { createServer, type RequestListener, type Server } from 'node:http';
import { answerUnreadable } from './middleware/answer-unreadable.ts';

/** Whoever sends slower than this holds a connection for nothing. */
const patience = { headersTimeout: 10_000, requestTimeout: 15_000, connectionsCheckingInterval: 2_000 };

/** Above the usual minute of load balancers. */
const keepAliveTimeoutMs = 65_000;

/** A target that is no address at all would be answered by Express before any of our middleware; this one is not found. */
const unreadableTarget = '/unreadable';

/** An HTTP server for the app that leaves no answer to Node or Express: whatever comes in, the app says what is wrong. */
export function createApiServer(app: RequestListener): Server {
  const serve: RequestListener = (request, response) => {
    if (!URL.canParse(request.url ?? '', 'http://host')) request.url = unreadableTarget;
    app(request, response);
  };
  const server = createServer({ ...patience, requireHostHeader: false }, serve);
  server.on('checkExpectation', serve); // an expectation that nobody knows is passed over
  server.on('clientError', answerUnreadable);
  server.keepAliveTimeout = keepAliveTimeoutMs;
  return server;
}
