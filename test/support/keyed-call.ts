import { type CallAnswer, callApi } from './api-call.ts';

/** One object as the API sends it. */
interface One<Data> {
  readonly data: Data;
}

/** Calls that make something, under an idempotency key of their own choice. */
export function postKeyed<Data>(
  apiUrl: string,
  apiKey: string,
  request: { readonly path: string; readonly body: unknown; readonly idempotencyKey: string },
): Promise<CallAnswer<One<Data>>> {
  const { idempotencyKey, ...sent } = request;
  return callApi(apiUrl, apiKey, { method: 'POST', ...sent, headers: { 'idempotency-key': idempotencyKey } });
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
export function calling(api: { readonly url: string }) {
  return <Data>(apiKey: string, method: string, path: string, body?: unknown) =>
    callApi<One<Data>>(api.url, apiKey, { method, path, body });
}
