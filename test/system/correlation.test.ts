import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PaymentObject } from '../../api/payment-object.ts';
import { aPayment, postPayment } from '../support/api-client.ts';
import { type RecordingProxy, startRecordingProxy } from '../support/recording-proxy.ts';
import { until } from '../support/until.ts';
import { freePorts, startWorld, type World } from '../support/world.ts';

/** One id from the caller, then found wherever its payment left a trace. */
const requestId = 'checkout-17.try-2';
const email = 'ada.lovelace@example.com';

let world: World;
let proxy: RecordingProxy;
let payment: PaymentObject;
let metricsUrl: string;
beforeAll(async () => {
  proxy = await startRecordingProxy();
  const [port = 0] = await freePorts(1);
  metricsUrl = `http://127.0.0.1:${port}/metrics`;
  world = await startWorld({ env: { EASYPAY_URL: proxy.url, METRICS_PORT: String(port) } });
  proxy.passTo(world.easypayUrl);
  payment = await pay(requestId, 'tok_visa_4242');
});
afterAll(async () => {
  proxy?.close();
  await world?.close();
});

async function pay(id: string, cardToken: string, apiKey = world.merchant.testKey): Promise<PaymentObject> {
  const options = { apiKey, headers: { 'x-request-id': id } };
  const body = aPayment({ card_token: cardToken, customer_email: email });
  const answer = await postPayment(world.apiUrl, body, options);
  expect(answer.headers.get('x-request-id')).toBe(id);
  expect(JSON.parse(answer.text)).toMatchObject({ request_id: id });
  return answer.payment;
}

const metricsPage = async () => (await fetch(metricsUrl)).text();

/** What the outside world got. */
interface Received {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The log lines of a process that carry the id. */
function linesOf(output: string, id: string): Record<string, unknown>[] {
  const lines = output.split('\n').filter((line) => line.startsWith('{'));
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>).filter((line) => line['request_id'] === id);
}

const correlationIdsOf = async (table: string, column: string) => {
  const { rows } = await world.admin.query(`SELECT correlation_id FROM ${table} WHERE ${column} = $1`, [payment.id]);
  return rows.map((row: { correlation_id: string }) => row.correlation_id);
};

describe('the request id of a caller is found in', () => {
  test('the line that the API writes about the request', async () => {
    const lines = await until('the line is written', () => {
      const found = linesOf(world.api.output(), requestId);
      return found.length > 0 && found;
    });
    expect(lines).toMatchObject([{ msg: 'served', operation: 'createPayment', method: 'POST', status: 201 }]);
  });

  test('the input of the workflow', async () => {
    const input = await world.temporal.workflow.getHandle(payment.id).fetchHistory();
    const [started] = input.events ?? [];
    const [payload] = started?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
    const decoded = await world.temporal.options.loadedDataConverter.payloadCodecs[0]?.decode([payload ?? {}]);
    const text = Buffer.from(decoded?.[0]?.data ?? []).toString();
    expect(JSON.parse(text)).toMatchObject({ paymentId: payment.id, request: { correlationId: requestId } });
  });

  test('the call to the provider, and the line that the worker writes about it', () => {
    expect(proxy.passed.map(({ headers }) => headers['x-correlation-id'])).toEqual([requestId]);
    expect(linesOf(world.worker.output(), requestId)).toContainEqual(
      expect.objectContaining({
        msg: 'provider called',
        payment_id: payment.id,
        provider: 'easypay',
        operation: 'charge',
        result: 'approved',
        http_status: 201,
        workflow_id: payment.id,
      }),
    );
  });

  test('the rows of the payment, its events and its audit trail', async () => {
    expect(await correlationIdsOf('payments', 'id')).toEqual([requestId]);
    expect(await correlationIdsOf('events', 'object_id')).toEqual([requestId, requestId]);
    expect(await correlationIdsOf('payment_audit_trail', 'payment_id')).toEqual([requestId, requestId]);
  });

  test('the mail to the payer', async () => {
    const mail = await until('the mail came', async () => {
      const { mails } = await world.outside<{ mails: (Received & { to: string[] })[] }>('/mailbox');
      return mails.find(({ to }) => to.includes(email));
    });
    expect(mail.headers['x-correlation-id']).toBe(requestId);
  });

  test('the webhook to the merchant', async () => {
    const made = await fetch(`${world.apiUrl}/api/v1/webhooks`, {
      method: 'POST',
      headers: { authorization: `Bearer ${world.merchant.testKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ url: `${world.inboxUrl}/hook`, event_types: ['payment.captured'] }),
    });
    expect(made.status).toBe(201);
    const { id } = await pay('told-by-webhook', 'tok_visa_4242');
    const webhook = await until('the webhook came', async () => {
      const { webhooks } = await world.outside<{ webhooks: Received[] }>('/inbox');
      return webhooks.find(({ body }) => body.includes(id));
    });
    expect(webhook.headers['x-correlation-id']).toBe('told-by-webhook');
  });
});

describe('a call to a provider that failed', () => {
  const failingId = 'failing-call';
  let failing: PaymentObject;
  beforeAll(async () => {
    await world.bank.inject([{ operation: 'charge', probability: 1, times: 1, fault: '500_before' }]);
    failing = await pay(failingId, 'tok_visa_4242');
    await world.bank.heal();
  });

  test('is one line with its kind, its ids and the HTTP status, and no word of the request', () => {
    const failed = linesOf(world.worker.output(), failingId).filter((line) => line['msg'] === 'provider call failed');
    expect(failed).toEqual([
      expect.objectContaining({
        provider: 'easypay',
        operation: 'charge',
        fault: 'unknown_outcome',
        payment_id: failing.id,
        attempt_id: expect.stringMatching(/^att_/),
        attempt: 1,
        http_status: 500,
        duration_ms: expect.any(Number),
      }),
    ]);
    expect(world.logs()).not.toContain('tok_visa_4242');
    expect(world.logs()).not.toContain(email);
  });

  test('and certainly did nothing counts as a failover to the next provider, apart from declines that do', async () => {
    const { testKey } = await world.createMerchant({ routing: { rules: [], default: ['easypay', 'paypal'] } });
    await world.bank.inject([{ operation: 'charge', probability: 1, times: 1, fault: '429' }]);
    const moved = await pay('moved-by-fault', 'tok_visa_4242', testKey);
    await world.bank.heal();
    const rerouted = await pay('moved-by-decline', 'tok_visa_issuer_away_0091', testKey);
    for (const each of [moved, rerouted]) expect(each).toMatchObject({ status: 'captured', processor: 'paypal' });
    const page = await metricsPage();
    expect(page).toContain('payments_failovers_total{provider="easypay",reason="fault"} 1');
    expect(page).toContain('payments_failovers_total{provider="easypay",reason="declined"} 1');
    expect(page).toContain('payments_ended_total{status="captured",provider="paypal",currency="USD"} 2');
  });

  test('is counted on the worker\u2019s page, beside what came of the payments and the SDK\u2019s own metrics', async () => {
    const page = await metricsPage();
    const calls = 'payments_provider_call_duration_seconds_count{provider="easypay",operation="charge"';
    expect(page).toContain(`${calls},result="unknown_outcome"} 1`);
    expect(page).toMatch(/payments_ended_total\{status="captured",provider="easypay",currency="USD"\} [1-3]$/m);
    expect(page).toMatch(/^payments_delivery_tries_total\{channel="email",result="delivered"\} [1-9]/m);
    expect(page).toMatch(/^temporal_worker_task_slots_available\{/m);
    expect(page).toMatch(/^temporal_workflow_task_schedule_to_start_latency_seconds_bucket\{/m);
  });

  test('is found by the query of docs/operate.md', async () => {
    const document = readFileSync(new URL('../../docs/operate.md', import.meta.url), 'utf8');
    const [, query = ''] = /## Failures[^]*?```sql\n([^]*?)```/.exec(document) ?? [];
    await pay('declined-call', 'tok_visa_insufficient_9995');
    const { rows } = await world.admin.query(query);
    for (const [what, kind] of [
      ['fault', 'unknown_outcome'],
      ['decline', 'insufficient_funds'],
    ]) {
      expect(rows).toContainEqual(
        expect.objectContaining({ provider: 'easypay', operation: 'charge', what, kind, count: '1' }),
      );
    }
  });
});
