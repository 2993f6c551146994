import { isIP } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { Agent, buildConnector, type Dispatcher } from 'undici';
import { type AddressGuard, AddressRefused } from '../../runtime/address-guard.ts';
import type { EventObject } from '../../workflows/domain/event.ts';
import { retryAfterMsOf } from '../../workflows/domain/retry-after.ts';
import type { Telling } from './telling.ts';

/** One event for one endpoint. */
interface WebhookMessage {
  readonly url: string;
  /** The endpoint's secret in clear, `whsec_…`. */
  readonly secret: string;
  readonly event: EventObject;
  /** The id of the request that began what the event is a part of. */
  readonly correlationId: string;
}

/** Sends webhooks. */
export interface WebhookSender {
  /** One try, which never throws and takes at most `timeoutMs`. */
  send(message: WebhookMessage, timeoutMs: number): Promise<Telling>;
  close(): Promise<void>;
}

const connectTimeoutMs = 3_000;
const connectionsPerOriginMax = 16;
/** An answer's body says nothing to us: so much is read, to keep the connection, and no more. */
const answerBytesMax = 4_096;

/**
 * Makes a sender that signs as Standard Webhooks says, connects only where the guard allows, and follows no redirects.
 * `userAgent` is how receivers know us.
 */
export function createWebhookSender(guard: AddressGuard, userAgent: string): WebhookSender {
  const agent = new Agent({
    connections: connectionsPerOriginMax,
    pipelining: 1,
    allowH2: false,
    connect: guardedConnector(guard),
  });
  return {
    send: (message, timeoutMs) => send(agent, message, userAgent, timeoutMs),
    close: () => agent.destroy(),
  };
}

async function send(agent: Agent, message: WebhookMessage, userAgent: string, timeoutMs: number): Promise<Telling> {
  const { event } = message;
  const body = JSON.stringify(event);
  const now = new Date();
  try {
    const { origin, pathname, search } = new URL(message.url);
    const answer = await agent.request({
      origin,
      path: `${pathname}${search}`,
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'user-agent': userAgent,
        'webhook-id': event.id,
        'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
        'webhook-signature': new Webhook(message.secret).sign(event.id, now, body),
        'x-correlation-id': message.correlationId,
      },
      body,
      signal: AbortSignal.timeout(timeoutMs),
    });
    answer.body.dump({ limit: answerBytesMax }).catch(() => undefined); // the status has said it all
    return tellingOf(answer, now.getTime());
  } catch (error) {
    return { kind: 'again', problem: problemOf(error), statusCode: null, retryAfterMs: null };
  }
}

function tellingOf({ statusCode, headers }: Dispatcher.ResponseData, now: number): Telling {
  if (statusCode >= 200 && statusCode < 300) return { kind: 'delivered', statusCode };
  if (statusCode === 410) return { kind: 'gone', statusCode };
  const redirect = statusCode >= 300 && statusCode < 400 ? '; redirects are not followed' : '';
  const retryAfterMs = retryAfterMsOf(headers['retry-after'], now);
  return { kind: 'again', problem: `the endpoint answered ${statusCode}${redirect}`, statusCode, retryAfterMs };
}

/** In our own words: those of a library may hold the URL, which may hold a token of the merchant. */
function problemOf(error: unknown): string {
  if (error instanceof AddressRefused) return `not sent: ${error.message}`;
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null;
  if (error instanceof Error && error.name === 'TimeoutError') return 'no answer in time';
  return `no answer (${code ?? (error instanceof Error ? error.name : 'unknown')})`;
}

/** Connects to the very address that the guard answered, as the host that the URL names. */
function guardedConnector(guard: AddressGuard): buildConnector.connector {
  const connect = buildConnector({ timeout: connectTimeoutMs, allowH2: false });
  async function connectGuarded(options: buildConnector.Options, callback: buildConnector.Callback): Promise<void> {
    const host = options.hostname;
    let address: string;
    try {
      address = await guard.addressOf(host);
    } catch (error) {
      callback(error instanceof Error ? error : new Error('the address was not found'), null);
      return;
    }
    // A literal address has no name to be asked for in TLS.
    const named = options.protocol === 'https:' && isIP(host) === 0 ? { servername: options.servername || host } : {};
    connect({ ...options, ...named, hostname: address }, callback);
  }
  return (options, callback) => void connectGuarded(options, callback);
}
