import { randomUUID } from 'node:crypto';
import { WorkflowNotFoundError } from '@temporalio/client';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { PaymentObject } from '../../api/payment-object.ts';
import { paymentStartOptions, paymentWorkflowType, retryNow } from '../../workflows/contract.ts';
import { aPayment, getPayment, postPayment } from '../support/api-client.ts';
import type { FaultRule } from '../support/bank.ts';
import {
  isBackingOff,
  reset,
  resetOpenToEachPoint,
  resetPoints,
  resetToEachPoint,
  runIdOf,
} from '../support/resets.ts';
import { until } from '../support/until.ts';
import { startWorld, type World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterEach(() => world.bank.heal());
afterAll(() => world?.close());

const away: FaultRule[] = [{ operation: '*', probability: 1, fault: 'refuse' }];
const inDoubt: FaultRule[] = [
  { operation: 'charge', probability: 1, times: 1, fault: 'lost_after' },
  { operation: 'lookup', probability: 1, fault: '503' },
];

const act = { actor: 'operator:ann', reason: 'tried again by hand' };

interface Begun {
  readonly id: string;
  readonly key: string;
}

async function begin(faults: readonly FaultRule[] = []): Promise<Begun> {
  if (faults.length > 0) await world.bank.inject(faults);
  const key = randomUUID();
  const options = { apiKey: world.merchant.testKey, key, headers: { prefer: 'respond-async' } };
  const { payment } = await postPayment(world.apiUrl, aPayment(), options);
  if (faults.length > 0) await isBackingOff(world, payment.id);
  return { id: payment.id, key };
}

const read = async (id: string): Promise<PaymentObject> =>
  (await getPayment(world.apiUrl, id, world.merchant.testKey)).payment;

const ended = (id: string) => world.temporal.workflow.getHandle(id).result();

/** Captured once: one movement, events that count up to the version, and one audit entry for each of them. */
async function expectCapturedOnce(id: string): Promise<PaymentObject> {
  const payment = await read(id);
  expect(payment.status).toBe('captured');
  expect(await world.bank.movements(id)).toHaveLength(1);
  const { rows } = await world.admin.query<{ version: number; sequences: number[]; audited: number[] }>(
    `SELECT p.version,
       ARRAY(SELECT sequence FROM events e WHERE e.object_id = p.id ORDER BY sequence) AS sequences,
       ARRAY(SELECT e.sequence FROM payment_audit_trail a JOIN events e ON e.id = a.event_id
         WHERE a.payment_id = p.id ORDER BY sequence) AS audited
     FROM payments p WHERE p.id = $1`,
    [id],
  );
  const versions = Array.from({ length: rows[0]?.version ?? 0 }, (_, index) => index + 1);
  expect(rows).toEqual([{ version: 2, sequences: versions, audited: versions }]);
  return payment;
}

/** Resets a finished payment to each point of its history; each run must end as the first did. */
const resetFinished = (id: string) => resetToEachPoint(world, id, () => expectCapturedOnce(id));

describe('a finished payment that is reset to any of its workflow tasks ends the same, with one movement:', () => {
  test('charged at once', async () => {
    const { id } = await begin();
    expect(await resetFinished(id)).toBe(1);
  });

  test('charged after its provider was away', async () => {
    const { id } = await begin(away);
    await world.bank.heal();
    expect(await resetFinished(id)).toBeGreaterThanOrEqual(2);
  });

  test('charged by a worker that was killed before it could say so', async () => {
    await world.bank.park({ operation: 'charge', point: 'after_commit' });
    const { id } = await begin();
    await until('the charge is parked', async () => (await world.bank.parked()).length > 0);
    await world.worker.kill();
    await world.bank.release();
    await world.worker.start();
    await ended(id);
    const points = await resetPoints(world, id, await runIdOf(world, id));
    expect(points.map(({ type }) => type)).toContain('EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT');
    expect(await resetFinished(id)).toBeGreaterThanOrEqual(2);
  });

  test('found at its provider after the answer was lost', async () => {
    const { id } = await begin(inDoubt);
    await world.bank.heal();
    expect(await resetFinished(id)).toBeGreaterThanOrEqual(2);
  });
});

describe('an open payment that is reset to any of its workflow tasks goes on, and ends the same, with one movement:', () => {
  test.each([
    ['while its provider is away', away],
    ['while its charge is in doubt', inDoubt],
  ])('%s', async (_, faults) => {
    const { id } = await begin(faults);
    await world.temporal.workflow.getHandle(id).executeUpdate(retryNow, { args: [act] });
    await isBackingOff(world, id);
    const resets = await resetOpenToEachPoint(world, id, async () => {
      await isBackingOff(world, id);
      expect((await read(id)).status).toBe('pending');
    });
    expect(resets).toBeGreaterThanOrEqual(3);
    await world.bank.heal();
    await ended(id);
    await expectCapturedOnce(id);
  });
});

test('a payment that is reset again and again while its charge stands at the bank is charged once', async () => {
  await world.bank.park({ operation: 'charge', point: 'before_commit' });
  const { id } = await begin();
  await until('the charge is parked', async () => (await world.bank.parked()).length > 0);
  const runId = await runIdOf(world, id);
  const points = await resetPoints(world, id, runId);
  expect(points.length).toBeGreaterThanOrEqual(1);
  for (const point of points) await reset(world, id, runId, point);
  await world.bank.release();
  await ended(id);
  await expectCapturedOnce(id);
});

describe('an open payment that is terminated and re-driven ends the same, with one movement:', () => {
  const states: [string, readonly FaultRule[]][] = [
    ['while its provider is away', away],
    ['while its charge is in doubt', inDoubt],
  ];

  async function terminate({ id }: Begun): Promise<void> {
    await world.temporal.workflow.getHandle(id).terminate('an operator’s termination');
    expect((await read(id)).status).toBe('pending');
    await world.bank.heal();
  }

  test.each(states)('%s, by the merchant’s repeated request', async (_, faults) => {
    const begun = await begin(faults);
    await terminate(begun);
    const options = { apiKey: world.merchant.testKey, key: begun.key };
    const answer = await postPayment(world.apiUrl, aPayment(), options);
    expect(answer.status).toBe(201);
    expect(answer.headers.get('idempotent-replayed')).toBe('true');
    expect(answer.payment).toEqual(await expectCapturedOnce(begun.id));
  });

  test.each(states)('%s, by the payment id alone', async (_, faults) => {
    const begun = await begin(faults);
    await terminate(begun);
    const { id: paymentId } = begun;
    const { id: merchantId } = world.merchant;
    const options = paymentStartOptions({ paymentId, merchantId, currency: 'USD', summary: 're-driven' });
    const input = { paymentId, merchantId, isTest: true };
    await world.temporal.workflow.start(paymentWorkflowType, { ...options, args: [input] });
    expect(await ended(paymentId)).toEqual({ status: 'captured', failure: null });
    await expectCapturedOnce(paymentId);
  });
});

test('a finished payment cannot be terminated, and the API answers as before', async () => {
  const { id, key } = await begin();
  await ended(id);
  const before = await expectCapturedOnce(id);
  const terminating = world.temporal.workflow.getHandle(id).terminate('an operator’s termination');
  await expect(terminating).rejects.toThrow(WorkflowNotFoundError);
  expect(await read(id)).toEqual(before);
  const replay = await postPayment(world.apiUrl, aPayment(), { apiKey: world.merchant.testKey, key });
  expect(replay.payment).toEqual(before);
  await expectCapturedOnce(id);
});
