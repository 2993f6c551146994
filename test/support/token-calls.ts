import { randomBytes } from 'node:crypto';
import { type CallAnswer, callApi } from './api-call.ts';
import type { ApiServer } from './api-server.ts';
import type { TestDatabase } from './database.ts';
import { sessionFor, testAccessTokens, testPassword } from './session.ts';

/** Tokens as the API sends them. */
export interface Tokens {
  readonly access_token: string;
  readonly token_type: string;
  readonly expires_in: number;
  readonly refresh_token: string | null;
  readonly refresh_expires_at: string | null;
  readonly session_id: string;
  readonly permissions: string[];
  readonly totp_required: boolean;
}

/** Somebody who can log in. */
export interface Person {
  readonly userId: string;
  /** Null: one of the platform's own people. */
  readonly merchantId: string | null;
  readonly email: string;
}

/** An id for a merchant of a test's own. */
export function aMerchantId(): string {
  return `mer_${randomBytes(6).toString('hex')}`;
}

/** Makes a user whose password is `testPassword`, and their merchant unless it is there. */
export async function aPerson(
  { db }: TestDatabase,
  { merchantId = aMerchantId(), role = 'owner' }: { merchantId?: string | null; role?: string } = {},
): Promise<Person> {
  const { userId, email } = await sessionFor(db, testAccessTokens(), { merchantId, role });
  return { userId, merchantId, email };
}

/** The body of a person's login; in test mode, unless told otherwise. */
export function loginOf(
  { merchantId, email }: Person,
  changes: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  const atMerchant = merchantId === null ? {} : { merchant_id: merchantId, mode: 'test' };
  return { grant: 'password', email, password: testPassword, ...atMerchant, ...changes };
}

type Sent = CallAnswer<{ readonly data: Tokens }>;

/** `POST /api/v1/auth/tokens`, with an API key or without. */
export function postTokens({ url }: ApiServer, body: unknown, apiKey: string | null = null): Promise<Sent> {
  return callApi(url, apiKey, { method: 'POST', path: '/api/v1/auth/tokens', body });
}

/** Logs a person in. Throws unless that succeeds. */
export async function logIn(
  api: ApiServer,
  person: Person,
  changes: Readonly<Record<string, unknown>> = {},
): Promise<Tokens & { readonly refresh_token: string }> {
  const { status, body } = await postTokens(api, loginOf(person, changes));
  const refreshToken = body.data?.refresh_token;
  if (status !== 201 || !refreshToken) throw new Error(`no login: ${status} ${JSON.stringify(body)}`);
  return { ...body.data, refresh_token: refreshToken };
}

/** `POST /api/v1/auth/tokens/refresh`. */
export function refresh({ url }: ApiServer, refreshToken: string | null): Promise<Sent> {
  return callApi(url, null, {
    method: 'POST',
    path: '/api/v1/auth/tokens/refresh',
    body: { refresh_token: refreshToken },
  });
}

/** `POST /api/v1/auth/tokens/revoke`. */
export function revoke({ url }: ApiServer, token: string): Promise<CallAnswer<{ readonly data: unknown }>> {
  return callApi(url, null, { method: 'POST', path: '/api/v1/auth/tokens/revoke', body: { token } });
}

/** What the API says to a token or key that asks who it is: `served`, or the code of the problem. */
export async function wordFor({ url }: ApiServer, token: string): Promise<string> {
  const answer = await callApi<unknown>(url, token, { path: '/api/v1/auth/me' });
  return answer.status === 200 ? 'served' : answer.problem.code;
}
