import { type CallAnswer, callApi } from './api-call.ts';
import type { Problem } from './api-client.ts';

/** One object as the API sends it. */
interface One<Data> {
  readonly data: Data;
}

/** Calls that make something, under an idempotency key of their own choice. */
export async function postKeyed<Data>(
  apiUrl: string,
  apiKey: string,
  request: { readonly path: string; readonly body: unknown; readonly idempotencyKey: string },
): Promise<CallAnswer<One<Data>>> {
  const response = await fetch(`${apiUrl}${request.path}`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${apiKey}`,
      'content-type': 'application/json',
      'idempotency-key': request.idempotencyKey,
    },
    body: JSON.stringify(request.body),
  });
  const body = (await response.json()) as One<Data> & Problem;
  return { status: response.status, headers: response.headers, body, problem: body };
}

/** The problem's code and what it names; throws on a success. */
export function refusalOf({ status, problem }: CallAnswer<unknown>): [number, string, (string | undefined)[]] {
  const named = (problem.errors ?? []).map(({ pointer, header, parameter }) => pointer ?? header ?? parameter);
  return [status, problem.code, named];
}

/** The status and code of an answer, whatever it is. */
export function codeOf(answer: CallAnswer<unknown>): string {
  return answer.status < 400 ? String(answer.status) : `${answer.status} ${answer.problem.code}`;
}

/** Calls with a method and a body or none. */
export function calling(apiUrl: string) {
  return <Data>(apiKey: string, method: string, path: string, body?: unknown) =>
    callApi<One<Data>>(apiUrl, apiKey, { method, path, body });
}
