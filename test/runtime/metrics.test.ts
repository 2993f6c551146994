import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createApiMetrics, createWorkerMetrics, type MetricsPage } from '../../runtime/metrics.ts';
import { startMetricsServer } from '../../runtime/metrics-server.ts';

const pool = { totalCount: 7, idleCount: 4, waitingCount: 2 };

/** The samples of a page by name and labels, as Prometheus would read them. */
async function samplesOf(page: MetricsPage): Promise<Record<string, number>> {
  const lines = (await page.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return Object.fromEntries(lines.map((line) => [line.replace(/ \S+$/, ''), Number(line.split(' ').at(-1))]));
}

describe('the metrics of an API process', () => {
  test('count requests by operation, method and class of status, and those in flight', async () => {
    const metrics = createApiMetrics(pool);
    for (let begun = 0; begun < 3; begun += 1) metrics.requestBegan();
    const request = { operation: 'createPayment', method: 'POST', statusClass: '2xx' };
    metrics.requestEnded({ ...request, durationMs: 120 });
    metrics.requestEnded({ ...request, durationMs: 240 });
    const labels = 'operation="createPayment",method="POST",status="2xx"';
    const name = 'payments_api_request_duration_seconds';
    expect(await samplesOf(metrics)).toMatchObject({
      payments_api_requests_in_flight: 1,
      [`${name}_count{${labels}}`]: 2,
      [`${name}_sum{${labels}}`]: 0.36,
      [`${name}_bucket{le="0.2",${labels}}`]: 1,
      [`${name}_bucket{le="0.3",${labels}}`]: 2,
    });
  });

  test('tell apart what the promise of 200 ms needs: 150, 200 and 300 ms', async () => {
    const metrics = createApiMetrics(pool);
    metrics.requestEnded({ operation: 'getPayment', method: 'GET', statusClass: '2xx', durationMs: 1 });
    const bounds = [...(await metrics.text()).matchAll(/le="([^"]+)"/g)].map(([, bound]) => bound);
    expect(bounds).toEqual(expect.arrayContaining(['0.15', '0.2', '0.3', '60', '+Inf']));
  });

  test('show the database pool as it is when they are read', async () => {
    const changing = { ...pool };
    const metrics = createApiMetrics(changing);
    expect(await samplesOf(metrics)).toMatchObject({
      'payments_database_connections{state="busy"}': 3,
      'payments_database_connections{state="idle"}': 4,
      payments_database_waiting: 2,
    });
    changing.waitingCount = 0;
    expect(await samplesOf(metrics)).toMatchObject({ payments_database_waiting: 0 });
  });

  test('are of this process alone, and hold what Node says of it', async () => {
    const [one, other] = [createApiMetrics(pool), createApiMetrics(pool)];
    one.requestBegan();
    expect(await samplesOf(other)).toMatchObject({ payments_api_requests_in_flight: 0 });
    expect(await samplesOf(one)).toHaveProperty('process_cpu_seconds_total');
  });
});

/** A worker's metrics to which everything has happened. */
function aBusyWorker() {
  const metrics = createWorkerMetrics(pool);
  metrics.paymentEnded({ status: 'captured', provider: 'easypay', currency: 'USD' });
  metrics.paymentEnded({ status: 'failed', provider: null, currency: 'EUR' });
  metrics.providerCalled({ provider: 'paypal', operation: 'charge', result: 'declined', durationMs: 30 });
  metrics.providerCalled({ provider: 'paypal', operation: 'charge', result: 'unavailable', durationMs: 2_500 });
  metrics.failedOver({ provider: 'paypal', reason: 'fault' });
  metrics.paymentDelayed();
  metrics.movementEnded({ kind: 'refund', state: 'succeeded', provider: 'paypal' });
  metrics.deliveryTried({ channel: 'webhook', result: 'again' });
  metrics.alertOpened({ kind: 'payment_unresolved' });
  return metrics;
}

test('the metrics of a worker count all that happens to payments, by closed lists', async () => {
  const metrics = aBusyWorker();
  const calls = 'payments_provider_call_duration_seconds';
  const samples = await samplesOf(metrics);
  expect(samples).toMatchObject({
    'payments_ended_total{status="captured",provider="easypay",currency="USD"}': 1,
    'payments_ended_total{status="failed",provider="none",currency="EUR"}': 1,
    [`${calls}_count{provider="paypal",operation="charge",result="declined"}`]: 1,
    [`${calls}_sum{provider="paypal",operation="charge",result="unavailable"}`]: 2.5,
    'payments_failovers_total{provider="paypal",reason="fault"}': 1,
    payments_delayed_total: 1,
    'payments_delivery_tries_total{channel="webhook",result="again"}': 1,
    'payments_alerts_opened_total{kind="payment_unresolved"}': 1,
  });
});

test('docs/operate.md describes every metric of ours with its labels, none of which names anybody', async () => {
  const api = createApiMetrics(pool);
  api.requestEnded({ operation: 'getPayment', method: 'GET', statusClass: '2xx', durationMs: 1 });
  const text = (await Promise.all([api, aBusyWorker()].map((page) => page.text()))).join('\n');
  const inCode = [...text.matchAll(/^# TYPE (payments_\w+) \w+\n(?:\w+\{(.*)\})?/gm)].map(([, name, labels = '']) => {
    const names = [...labels.matchAll(/(\w+)="/g)].map(([, label]) => label);
    return [name, new Set(names.filter((label) => label !== 'le'))];
  });
  const document = readFileSync(new URL('../../docs/operate.md', import.meta.url), 'utf8');
  const documented = [...document.matchAll(/^\| `(payments_\w+)` \| [^|]* \| ([^|]*)\|/gm)].map(
    ([, name, labels = '']) => [name, new Set([...labels.matchAll(/`(\w+)`/g)].map(([, label]) => label))],
  );
  expect(Object.fromEntries(documented)).toEqual(Object.fromEntries(inCode));
  expect(documented.length).toBeGreaterThan(5);
});

/** A server of some page of metrics, until the test ends. */
async function serve(appended: URL | null) {
  const page = createWorkerMetrics(pool);
  const server = await startMetricsServer({ host: '127.0.0.1', port: 0, page, appended });
  onTestFinished(() => server.close());
  return (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${server.port}${path}`, init);
}

describe('the server of a worker\u2019s metrics', () => {
  test('appends the page of the engine to its own', async () => {
    const engine = createServer((_request, response) => response.end('temporal_worker_slots 5\n'));
    await new Promise<void>((resolve) => engine.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void engine.close());
    const ask = await serve(new URL(`http://127.0.0.1:${(engine.address() as AddressInfo).port}/metrics`));
    const answer = await ask('/metrics');
    expect(answer.headers.get('content-type')).toContain('text/plain; version=0.0.4');
    const text = await answer.text();
    expect(text).toContain('\npayments_delayed_total 0\n');
    expect(text).toMatch(/\ntemporal_worker_slots 5\n$/);
  });

  test('shows its own page although the engine does not answer, and says so', async () => {
    const ask = await serve(new URL('http://127.0.0.1:1/metrics'));
    const answer = await ask('/metrics?name=all');
    expect(answer.status).toBe(200);
    expect(await answer.text()).toMatch(/payments_delayed_total 0\n[^]*\n# the engine.* did not answer\n$/);
  });

  test('says that the process is alive, and answers nothing else', async () => {
    const ask = await serve(null);
    expect(await (await ask('/health/live')).json()).toEqual({ status: 'ok' });
    expect((await ask('/')).status).toBe(404);
    expect((await ask('/metrics', { method: 'POST' })).status).toBe(405);
  });
});
