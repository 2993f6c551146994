import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { answerUnreadable } from './middleware/answer-unreadable.ts';
import { mayTakeItsTime } from './middleware/read-file.ts';

/** Whoever sends slower than this holds a connection for nothing. A file that somebody known sends has limits of its own. */
const bodyTimeoutMs = 15_000;
const patience = { headersTimeout: 10_000, requestTimeout: 660_000, connectionsCheckingInterval: 2_000 };

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
  server.on('request', (request) => endSlowBody(server, request));
  server.on('checkExpectation', serve); // an expectation that nobody knows is passed over
  server.on('clientError', answerUnreadable);
  server.keepAliveTimeout = keepAliveTimeoutMs;
  return server;
}

/** As Node does it with `requestTimeout`, which is one for all requests. */
function endSlowBody(server: Server, request: IncomingMessage): void {
  if (request.headers['content-length'] === undefined && request.headers['transfer-encoding'] === undefined) return;
  const timer = setTimeout(() => {
    if (request.complete || mayTakeItsTime(request)) return;
    const error = Object.assign(new Error('the body did not arrive in time'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' });
    server.emit('clientError', error, request.socket);
  }, bodyTimeoutMs);
  timer.unref();
  request.once('end', () => clearTimeout(timer));
  request.once('close', () => clearTimeout(timer));
}
