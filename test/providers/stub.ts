import { createServer, type IncomingHttpHeaders } from 'node:http';
import { afterAll, beforeAll } from 'vitest';

/** What the stub says next; `delayMs` before it does. */
interface StubAnswer {
  readonly status: number;
  readonly body: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
  readonly delayMs?: number;
}

/** What a request looked like on the wire. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A server that gives answers which no simulator gives. Requests for access tokens get good ones, `token-1` and on. */
export interface Stub {
  readonly url: string;
  /** All other requests, oldest first, since the last `answerWith`. */
  readonly seen: readonly SeenRequest[];
  /** How many access tokens were asked for since the last `answerWith`. */
  readonly tokensAsked: number;
  /** From now on; `token` answers the requests for access tokens in the place of good ones. */
  answerWith(answer: StubAnswer | ((request: SeenRequest) => StubAnswer), token?: StubAnswer): void;
}

/** Starts a stub for the tests of the block. */
export function stubServer(): Stub {
  let answers: (request: SeenRequest) => StubAnswer = () => ({ status: 500, body: '' });
  let tokenAnswer: StubAnswer | undefined;
  let seen: SeenRequest[] = [];
  let tokensAsked = 0;
  let tokensGiven = 0;
  let url = '';

  function answerTo(request: SeenRequest): StubAnswer {
    if (!request.path.endsWith('/v1/oauth2/token')) {
      seen.push(request);
      return answers(request);
    }
    tokensAsked += 1;
    if (tokenAnswer !== undefined) return tokenAnswer;
    tokensGiven += 1;
    const body = { access_token: `token-${tokensGiven}`, token_type: 'Bearer', expires_in: 32_400 };
    return { status: 200, body: JSON.stringify(body) };
  }

  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url: path = '', headers } = request;
      const answer = answerTo({ method, path, headers, body: Buffer.concat(chunks).toString() });
      const send = () =>
        response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers }).end(answer.body);
      if (answer.delayMs === undefined) send();
      else setTimeout(send, answer.delayMs);
    });
  });
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('a TCP server has a port');
    url = `http://127.0.0.1:${address.port}`;
  });
  afterAll(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return {
    get url() {
      return url;
    },
    get seen() {
      return seen;
    },
    get tokensAsked() {
      return tokensAsked;
    },
    answerWith(answer, token) {
      answers = typeof answer === 'function' ? answer : () => answer;
      tokenAnswer = token;
      seen = [];
      tokensAsked = 0;
    },
  };
}
