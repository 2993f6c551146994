import { Agent, type Dispatcher } from 'undici';
import { retryAfterMsOf as waitMsOf } from '../../workflows/domain/retry-after.ts';
import { type ProviderCall, ProviderFault } from './provider.ts';

/** One exchange with a provider, as read from the wire. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** A provider's HTTP connections. */
export interface HttpClient {
  /**
   * Sends a request, with the call's correlation id, and reads the whole answer. Throws a `ProviderFault`: `unavailable`
   * when certainly no byte was written, `unknown_outcome` when the request left and no whole answer came back in time.
   */
  send(request: HttpRequest, call: ProviderCall): Promise<HttpAnswer>;
  close(): Promise<void>;
}

export interface HttpRequest {
  readonly method: 'GET' | 'POST';
  /** Below the client's base URL, with a slash first. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

const connectTimeoutMs = 2_000;
const answerBytesMax = 1_000_000;

/** Opens connections to one base URL: no retries, no redirects, no pipelining, answers of at most 1 MB. */
export function createHttpClient(baseUrl: string, connectionsMax = 64): HttpClient {
  const { origin, pathname } = new URL(baseUrl);
  const basePath = pathname.replace(/\/$/, '');
  const agent = new Agent({
    connections: connectionsMax,
    pipelining: 1,
    connect: { timeout: connectTimeoutMs },
    maxResponseSize: answerBytesMax,
  });
  return {
    send: (request, call) => exchange(agent, origin, { ...request, path: basePath + request.path }, call),
    close: () => agent.close(),
  };
}

async function exchange(agent: Agent, origin: string, request: HttpRequest, call: ProviderCall): Promise<HttpAnswer> {
  let isWritten = false;
  call.noteStatus?.(null);
  const guarded = agent.compose((dispatch) => (options, handler) => {
    const onRequestStart = handler.onRequestStart?.bind(handler);
    handler.onRequestStart = (controller, context) => {
      onRequestStart?.(controller, context);
      if (call.mayStillSend()) isWritten = true;
      else controller.abort(new Error('the request came too late to its connection'));
    };
    return dispatch(options, handler);
  });
  try {
    const answer = await guarded.request({
      origin,
      path: request.path,
      method: request.method,
      headers: { accept: 'application/json', 'x-correlation-id': call.correlationId, ...request.headers },
      body: request.body ?? null,
      signal: AbortSignal.timeout(Math.ceil(call.timeoutMs)),
    });
    call.noteStatus?.(answer.statusCode);
    return { status: answer.statusCode, headers: answer.headers, body: await readText(answer.body) };
  } catch (error) {
    if (isWritten) throw new ProviderFault('unknown_outcome', 'no whole answer came back in time', { cause: error });
    throw new ProviderFault('unavailable', 'the request did not leave: no connection in time', { cause: error });
  }
}

/** Strict UTF-8: a broken byte must not become a replacement character in an amount or an id. */
async function readText(body: Dispatcher.ResponseData['body']): Promise<string> {
  return new TextDecoder('utf-8', { fatal: true }).decode(await body.arrayBuffer());
}

/** How long an answer asks us to wait, in milliseconds; null when it does not. */
export function retryAfterMsOf(answer: HttpAnswer, now: number): number | null {
  return waitMsOf(answer.headers['retry-after'], now);
}
