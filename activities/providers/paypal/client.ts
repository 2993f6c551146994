import { createHttpClient, type HttpAnswer, type HttpClient, type HttpRequest } from '../http.ts';
import { ProviderFault } from '../provider.ts';
import { createAccessTokens, type FetchToken } from './access-tokens.ts';
import { type GivenToken, readToken, refusedToken } from './answers.ts';

/** Where PayPal is and the client that it knows us as. */
export interface PaypalOptions {
  readonly url: string;
  readonly clientId: string;
  readonly clientSecret: string;
}

/** A request that comes after it would be sent too late anyway. */
const tokenTimeoutMs = 3_000;

/**
 * PayPal's HTTP connections, with an access token that is fetched when it is needed and kept while it is good. The time of
 * a call covers its wait for the token; only the request itself asks `mayStillSend`. An answer is never a 401.
 */
export function createPaypalClient(options: PaypalOptions): HttpClient {
  const http = createHttpClient(options.url);
  const tokens = createAccessTokens((call) => fetchToken(http, options, call).catch(throwAsNotSent));
  return {
    async send(request, call): Promise<HttpAnswer> {
      const startedAt = performance.now();
      const token = await tokens.get(call);
      const timeoutMs = call.timeoutMs - (performance.now() - startedAt);
      if (timeoutMs <= 0) throw new ProviderFault('unavailable', 'the access token came too late: nothing was sent');
      const answer = await http.send(withToken(request, token.value), { ...call, timeoutMs });
      if (answer.status !== 401) return answer;
      tokens.drop(token.value);
      throw refusedToken(token.isNew);
    },
    close: () => http.close(),
  };
}

async function fetchToken(
  http: HttpClient,
  { clientId, clientSecret }: PaypalOptions,
  call: Parameters<FetchToken>[0],
): Promise<GivenToken> {
  const credentials = Buffer.from(`${clientId}:${clientSecret}`).toString('base64');
  const request: HttpRequest = {
    method: 'POST',
    path: '/v1/oauth2/token',
    headers: { authorization: `Basic ${credentials}`, 'content-type': 'application/x-www-form-urlencoded' },
    body: 'grant_type=client_credentials',
  };
  return readToken(await http.send(request, { ...call, timeoutMs: tokenTimeoutMs, mayStillSend: () => true }));
}

/** Whatever came of a token's fetch, the request that it was for did not leave. */
function throwAsNotSent(error: unknown): never {
  if (!(error instanceof ProviderFault) || error.kind !== 'unknown_outcome') throw error;
  const options = { cause: error, retryAfterMs: error.retryAfterMs };
  throw new ProviderFault('unavailable', `no access token: ${error.message}; nothing was sent`, options);
}

function withToken(request: HttpRequest, token: string): HttpRequest {
  return { ...request, headers: { ...request.headers, authorization: `Bearer ${token}` } };
}
