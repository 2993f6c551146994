import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Connection } from '@temporalio/client';
import proto from '@temporalio/proto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PaymentObject } from '../../api/payment-object.ts';
import { aPayment, getPayment, postPayment } from '../support/api-client.ts';
import { until } from '../support/until.ts';
import { startWorld, type World } from '../support/world.ts';

const run = promisify(execFile);
const { History } = proto.temporal.api.history.v1;

const person = {
  card_token: 'tok_visa_4242',
  customer_id: 'cus_lovelace_1815',
  customer_email: 'ada.lovelace@example.com',
  customer_name: 'Augusta Ada Lovelace',
  description: 'Notes on the Analytical Engine',
  metadata: { shelf: 'G-section-7' },
};
const secrets = [...Object.values(person).filter((value) => typeof value === 'string'), person.metadata.shelf];

let world: World;
let payment: PaymentObject;
let requestId: string;
beforeAll(async () => {
  world = await startWorld();
  const options = { apiKey: world.merchant.testKey, headers: { 'x-request-id': 'first-payment' } };
  const answer = await postPayment(world.apiUrl, aPayment({ ...person, external_id: 'order-17' }), options);
  expect(answer.status).toBe(201);
  payment = answer.payment;
  requestId = (JSON.parse(answer.text) as { request_id: string }).request_id;
});
afterAll(() => world?.close());

const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

describe('a payment of 25.99 USD', () => {
  test('answers 201 with all that a payment has', () => {
    const { card_token: _token, ...shown } = person;
    expect(payment).toEqual({
      id: expect.stringMatching(/^pay_[0-9a-z]{26}$/),
      external_id: 'order-17',
      amount: '25.99',
      currency: 'USD',
      status: 'captured',
      purpose: 'purchase',
      payment_method: 'credit_card',
      ...shown,
      card_last_four: '4242',
      card_brand: 'visa',
      processor: 'easypay',
      processor_response_code: '00',
      processor_response_message: expect.stringMatching(/./),
      processor_transaction_id: expect.stringMatching(/^epc_/),
      authorized_amount: '25.99',
      captured_amount: '25.99',
      voided_amount: '0.00',
      refunded_amount: '0.00',
      refund_count: 0,
      failure: null,
      next_action: null,
      capture: 'automatic',
      capture_before: null,
      captures: null,
      subscription_id: null,
      invoice_id: null,
      retry: null,
      routing: {
        rule: null,
        reason: 'no rule applies: the default order',
        candidates: ['easypay'],
        ineligible: [],
      },
      expires_at: instant,
      created_at: instant,
      updated_at: instant,
      processed_at: instant,
      settled_at: null,
      is_test: true,
    });
    expect(requestId).toBe('first-payment');
    const timeToTryMs = Date.parse(payment.expires_at) - Date.parse(payment.created_at);
    expect(timeToTryMs, 'an hour from the request, which came before the row').toBeLessThanOrEqual(3_600_000);
    expect(timeToTryMs).toBeGreaterThan(3_540_000);
  });

  test('is read as it was answered', async () => {
    const answer = await getPayment(world.apiUrl, payment.id, world.merchant.testKey);
    expect(answer.status).toBe(200);
    expect(answer.payment).toEqual(payment);
  });

  test('moves the money once, under its own id', async () => {
    const movements = await world.bank.movements(payment.id);
    expect(movements).toHaveLength(1);
    expect(movements[0]).toMatchObject({
      kind: 'charge',
      provider: 'easypay',
      amount_minor: '2599',
      currency: 'USD',
      state: 'committed',
    });
  });

  test('leaves one event and one audit entry per change, without a name or an address', async () => {
    const events = await rowsOf('SELECT * FROM events WHERE object_id = $1 ORDER BY sequence', [payment.id]);
    const audit = await rowsOf(
      'SELECT * FROM payment_audit_trail WHERE payment_id = $1 ORDER BY created_at, to_status DESC',
      [payment.id],
    );
    expect(events.map((event) => [event['sequence'], event['type']])).toEqual([
      [1, 'payment.pending'],
      [2, 'payment.captured'],
    ]);
    expect(
      audit.map((entry) => [entry['from_status'], entry['to_status'], entry['outcome'], entry['correlation_id']]),
    ).toEqual([
      [null, 'pending', 'Payment Pending', requestId],
      ['pending', 'captured', 'Payment Successful', requestId],
    ]);
    expect(audit.map((entry) => entry['event_id'])).toEqual(events.map((event) => event['id']));
    for (const secret of secrets) expect(JSON.stringify([events, audit])).not.toContain(secret);
  });

  test('is a story that operators can read in Temporal', async () => {
    const handle = world.temporal.workflow.getHandle(payment.id);
    await handle.result();
    const description = await handle.describe();
    const { searchAttributes, type, taskQueue, memo } = description;
    expect({ type, taskQueue, memo: memo ?? {} }).toEqual({ type: 'paymentWorkflow', taskQueue: 'payments', memo: {} });
    expect(searchAttributes).toMatchObject({
      PaymentId: [payment.id],
      MerchantId: [world.merchant.id],
      Currency: ['USD'],
      Provider: ['easypay'],
      PaymentStatus: ['captured'],
      NeedsReview: [false],
    });
    expect(await description.staticSummary()).toBe('25.99 USD · order-17');
    const details = await currentDetails(payment.id);
    expect(details).toContain('25.99 USD');
    expect(details).toContain('captured');
    expect(details).toContain('`order-17`');
    for (const secret of secrets) expect(details).not.toContain(secret);
  });

  test('is found by its attributes with the command line', async () => {
    const query = `PaymentStatus = 'captured' AND Currency = 'USD' AND Provider = 'easypay' AND MerchantId = '${world.merchant.id}'`;
    const args = ['workflow', 'list', '--query', query, '--output', 'json', '--address', world.temporalAddress];
    const env = { HOME: process.env['HOME'], TEMPORAL_VERSION_CHECK_DISABLED: '1' };
    await until('the list shows the payment', async () => {
      const { stdout } = await run(world.temporalProgram, args, { env });
      return stdout.includes(payment.id);
    });
  });

  test('keeps no personal data and no token in clear in its history', async () => {
    const bytes = await rawHistory(payment.id);
    expect(bytes.includes('binary/encrypted')).toBe(true);
    expect(bytes.includes('paymentWorkflow')).toBe(true); // what Temporal never encrypts: the search below does search
    for (const secret of secrets) expect([secret, bytes.includes(secret)]).toEqual([secret, false]);
    const readable = JSON.stringify(await world.temporal.workflow.getHandle(payment.id).fetchHistory());
    expect(readable).toContain(payment.id);
  });
});

test.each([
  ['JPY', '100', '100'],
  ['JPY', '1', '1'],
  ['KWD', '1.234', '1234'],
  ['KWD', '10', '10000'],
  ['USD', '0.01', '1'],
])('%s %s reaches the bank as %s minor units', async (currency, amount, minor) => {
  const answer = await postPayment(world.apiUrl, aPayment({ amount, currency }), { apiKey: world.merchant.testKey });
  expect(answer.payment.status).toBe('captured');
  expect(Number(answer.payment.captured_amount)).toBe(Number(amount));
  const movements = await world.bank.movements(answer.payment.id);
  expect(movements.map((movement) => [movement.amount_minor, movement.currency])).toEqual([[minor, currency]]);
});

test('no process logs personal data, a token or an API key, whether the payment goes well or not', async () => {
  const options = { apiKey: world.merchant.liveKey };
  const declined = await postPayment(
    world.apiUrl,
    aPayment({ ...person, card_token: 'tok_visa_declined_0002' }),
    options,
  );
  expect(declined).toMatchObject({ status: 201, payment: { status: 'failed', failure: { code: 'card_declined' } } });
  await world.bank.inject([{ operation: 'charge', probability: 1, times: 2, fault: '500_before' }]);
  const troubled = await postPayment(world.apiUrl, aPayment(person), {
    ...options,
    headers: { 'x-request-id': 'troubled' },
  });
  await until(
    'the troubled payment ends',
    async () =>
      (await getPayment(world.apiUrl, troubled.payment.id, world.merchant.liveKey)).payment.status === 'captured',
  );
  const injected = await world.bank.injected();
  expect(injected['500_before']).toBeGreaterThan(0);

  const logs = world.logs();
  expect(logs).toContain('first-payment');
  expect(logs).toContain('activity failed');
  const keyParts = [world.merchant.testKey, world.merchant.liveKey].flatMap((key) => [key, key.split('_')[3] ?? key]);
  for (const secret of [...secrets, ...keyParts, 'tok_visa_declined_0002']) expect(logs).not.toContain(secret);
});

async function rowsOf(sql: string, values: unknown[]): Promise<Record<string, unknown>[]> {
  return (await world.admin.query<Record<string, unknown>>(sql, values)).rows;
}

/** What the workflow's page shows: asked of the workflow itself, by a query that every workflow answers. */
async function currentDetails(id: string): Promise<string> {
  const metadata = await world.temporal.workflow
    .getHandle(id)
    .query<{ currentDetails?: string }>('__temporal_workflow_metadata');
  return metadata.currentDetails ?? '';
}

/** The history's own bytes, as anybody with access to Temporal's database could read them. */
async function rawHistory(id: string): Promise<Buffer> {
  const connection = await Connection.connect({ address: world.temporalAddress });
  try {
    const { history } = await connection.workflowService.getWorkflowExecutionHistory({
      namespace: 'default',
      execution: { workflowId: id },
    });
    if (history == null) throw new Error(`there is no history of ${id}`);
    return Buffer.from(History.encode(history).finish());
  } finally {
    await connection.close();
  }
}
