import { beforeAll, expect, test } from 'vitest';
import { aPayment } from '../support/api-client.ts';
import { apiUnderTest } from '../support/api-under-test.ts';
import { until } from '../support/until.ts';

const { api } = apiUnderTest({ payments: { submit: () => new Promise(() => undefined) } });
let key: string;
let operatorKey: string;
beforeAll(async () => {
  key = await api.keyFor('mer_1');
  operatorKey = await api.operatorKey();
});

const readMetrics = () => fetch(`${api.url}/metrics`, { headers: { authorization: `Bearer ${operatorKey}` } });
const metrics = async () => (await readMetrics()).text();
const count = (operation: string, method: string, status: string) =>
  `payments_api_request_duration_seconds_count{operation="${operation}",method="${method}",status="${status}"} 1`;

/** The lines that the API logged about one request. */
function linesOf(requestId: string): Record<string, unknown>[] {
  const lines = api
    .log()
    .split('\n')
    .filter((line) => line.includes(requestId));
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

test('GET /metrics is text for Prometheus, for those who look after the system, and has no envelope', async () => {
  expect((await fetch(`${api.url}/metrics`)).status).toBe(401);
  const answer = await readMetrics();
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  expect(await answer.text()).toMatch(/^# HELP /);
});

test.each([
  ['GET', '/api/v1/payments/pay_1', 'getPayment', '4xx', 'unauthorized'],
  ['GET', '/health/live', 'healthLive', '2xx', undefined],
  ['POST', '/api/v1/payments', 'createPayment', '4xx', 'unauthorized'],
  ['DELETE', '/api/v1/payments/pay_secret_1', 'none', '4xx', 'method_not_allowed'],
  ['GET', '/secret-path?secret=1', 'none', '4xx', 'not_found'],
])('%s %s is counted as %s, %s, and logged in one line with its request id', async (...expected) => {
  const [method, path, operation, status, code] = expected;
  const requestId = `metrics-${operation}-${method}`;
  const answer = await fetch(`${api.url}${path}`, { method, headers: { 'x-request-id': requestId } });
  const text = await until('it is counted', async () => {
    const page = await metrics();
    return page.includes(count(operation, method, status)) && page;
  });
  expect(text).not.toContain('secret');
  const lines = linesOf(requestId);
  expect(lines).toMatchObject([{ msg: 'served', operation, method, status: answer.status, request_id: requestId }]);
  expect(lines).toMatchObject([{ duration_ms: expect.any(Number) }]);
  expect(lines[0]?.['code']).toBe(code);
  expect(api.log()).not.toContain('secret');
});

test('a method that nobody knows does not become a label', async () => {
  await fetch(`${api.url}/health/live`, { method: 'PROPFIND' });
  await until('it is counted', async () => (await metrics()).includes(count('none', 'other', '4xx')));
});

test('a caller who goes away before the answer is counted as such, and is no longer in flight', async () => {
  const leaving = new AbortController();
  const request = fetch(`${api.url}/api/v1/payments`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'x-request-id': 'leaving' },
    body: JSON.stringify(aPayment({})),
    signal: leaving.signal,
  }).catch(() => null);
  await until('it is in flight beside the one that asks', async () =>
    (await metrics()).includes('payments_api_requests_in_flight 2'),
  );
  leaving.abort();
  await request;
  await until('it is counted', async () => (await metrics()).includes(count('createPayment', 'POST', 'aborted')));
  expect(await metrics()).toContain('payments_api_requests_in_flight 1');
  expect(linesOf('leaving')).toMatchObject([{ msg: 'the caller went away before the answer' }]);
});
