import { WorkflowUpdateFailedError, WorkflowUpdateStage } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  cancelPayment,
  type OperatorAct,
  type Resolution,
  resolvePayment,
  retryNow,
  sweepScheduleId,
  getPayment as viewPayment,
} from '../../workflows/contract.ts';
import { aPayment, getPayment, type PostOptions, postPayment } from '../support/api-client.ts';
import type { FaultRule } from '../support/bank.ts';
import { expectInvariants } from '../support/invariants.ts';
import { until } from '../support/until.ts';
import { startWorld, type World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterEach(() => world?.bank.heal());
afterAll(() => world?.close());

const act = { actor: 'operator:ada', reason: 'the customer called' };
const evidence = 'statement line 17';

const portClosed: readonly FaultRule[] = [{ operation: '*', probability: 1, fault: 'refuse' }];
/** The charge happens, its answer is lost, and nobody says anything about it. */
const chargeInDoubt: readonly FaultRule[] = [
  { operation: 'charge', probability: 1, times: 1, fault: 'lost_after' },
  { operation: 'lookup', probability: 1, fault: '500_before' },
];

const post = (body: unknown = aPayment(), options: Partial<PostOptions> = {}) =>
  postPayment(world.apiUrl, body, { apiKey: world.merchant.testKey, ...options });
const handleOf = (id: string) => world.temporal.workflow.getHandle(id);
const paymentOf = async (id: string) => (await getPayment(world.apiUrl, id, world.merchant.testKey)).payment;
const hasStatus = (id: string, status: string) =>
  until(`${id} is ${status}`, async () => (await paymentOf(id)).status === status);
const lastAuditOf = async (id: string) => {
  const { rows } = await world.admin.query(
    'SELECT actor, action, from_status, to_status, details FROM payment_audit_trail WHERE payment_id = $1 ORDER BY created_at DESC LIMIT 1',
    [id],
  );
  return rows[0];
};

/** The activity that the workflow waits for, once it has been tried at least so often. */
const pendingActivity = (id: string, type: string, attemptMin = 1) =>
  until(`${type} of ${id} is at attempt ${attemptMin}`, async () => {
    const { raw } = await handleOf(id).describe();
    return raw.pendingActivities?.find((one) => one.activityType?.name === type && (one.attempt ?? 0) >= attemptMin);
  });

/** A payment that is accepted and cannot be charged: the provider is away. */
async function paymentWithoutProvider(): Promise<string> {
  await world.bank.inject(portClosed);
  const answer = await post(aPayment(), { headers: { prefer: 'respond-async' } });
  expect(answer.status).toBe(202);
  await pendingActivity(answer.payment.id, 'chargePayment');
  return answer.payment.id;
}

/** A payment that was charged, but nobody tells us. */
async function paymentInDoubt(): Promise<string> {
  await world.bank.inject(chargeInDoubt);
  const answer = await post(aPayment(), { headers: { prefer: 'wait=1' } });
  expect(answer.status).toBe(202);
  await pendingActivity(answer.payment.id, 'askProvider');
  expect(await world.bank.movements(answer.payment.id)).toHaveLength(1);
  return answer.payment.id;
}

/** Why an update was refused. */
async function refusalOf(update: Promise<unknown>): Promise<string> {
  const error = await update.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof WorkflowUpdateFailedError)) throw new Error(`expected a refusal, got ${String(error)}`);
  const { cause } = error;
  if (!(cause instanceof ApplicationFailure)) throw new Error(`expected a refusal of ours, got ${String(cause)}`);
  expect(['refused', 'movement_in_progress', 'not_unresolved', 'payment_not_cancelable']).toContain(cause.type);
  return cause.message;
}

describe('cancelPayment', () => {
  test('while the provider is away ends as canceled, and nothing ever moves', async () => {
    const id = await paymentWithoutProvider();
    const canceled = await handleOf(id).executeUpdate(cancelPayment, { args: [act] });
    expect(canceled).toEqual({ status: 'canceled' });
    expect(await lastAuditOf(id)).toMatchObject({
      actor: act.actor,
      action: 'cancel',
      from_status: 'pending',
      details: { reason: act.reason },
    });
    await world.bank.inject([]);
    expect((await post()).payment.status).toBe('captured');
    expect(await world.bank.served()).toMatchObject({ charge: 1, lookup: 0 });
    expect((await paymentOf(id)).status).toBe('canceled');
    expect(await world.bank.movements(id)).toEqual([]);
  });

  test('while the charge is in doubt waits for the truth, which is captured', async () => {
    const id = await paymentInDoubt();
    const cancel = () =>
      handleOf(id).startUpdate(cancelPayment, { args: [act], waitForStage: WorkflowUpdateStage.ACCEPTED });
    const [first, second] = [await cancel(), await cancel()];
    expect((await paymentOf(id)).status).toBe('pending');
    await world.bank.heal();
    expect(await first.result()).toEqual({ status: 'captured' });
    expect(await second.result()).toEqual({ status: 'captured' });
    expect((await paymentOf(id)).status).toBe('captured');
    expect(await world.bank.movements(id)).toHaveLength(1);
  });

  test('by canceling the workflow itself does the same', async () => {
    const away = await paymentWithoutProvider();
    await handleOf(away).cancel();
    await hasStatus(away, 'canceled');
    expect(await lastAuditOf(away)).toMatchObject({
      actor: 'operator:temporal',
      action: 'cancel',
      to_status: 'canceled',
    });
    expect((await handleOf(away).describe()).status.name).toBe('COMPLETED');
    await world.bank.heal();

    const inDoubt = await paymentInDoubt();
    await handleOf(inDoubt).cancel();
    await world.bank.heal();
    await hasStatus(inDoubt, 'captured');
    expect(await world.bank.movements(away)).toEqual([]);
    expect(await world.bank.movements(inDoubt)).toHaveLength(1);
  });
});

describe('an operator act is refused', () => {
  test('without an actor or a reason, and where nothing is unknown', async () => {
    const id = await paymentWithoutProvider();
    const handle = handleOf(id);
    const { actor, reason } = act;
    const cancel = (given: OperatorAct) => refusalOf(handle.executeUpdate(cancelPayment, { args: [given] }));
    const retry = (given: OperatorAct) => refusalOf(handle.executeUpdate(retryNow, { args: [given] }));
    for (const ask of [cancel, retry]) {
      expect(await ask({ actor: ' ', reason })).toMatch(/actor is missing/);
      expect(await ask({ actor, reason: '' })).toMatch(/reason is missing/);
    }
    const resolution: Resolution = { ...act, outcome: 'captured', evidence };
    const resolve = (given: Resolution) => refusalOf(handle.executeUpdate(resolvePayment, { args: [given] }));
    expect(await resolve({ ...resolution, actor: '' })).toMatch(/actor is missing/);
    expect(await resolve({ ...resolution, reason: '' })).toMatch(/reason is missing/);
    expect(await resolve({ ...resolution, evidence: '' })).toMatch(/evidence is missing/);
    expect(await resolve(resolution)).toMatch(/nothing to resolve/);
    expect(await paymentOf(id)).toMatchObject({ status: 'pending' });
    expect(await handle.executeUpdate(cancelPayment, { args: [act] })).toEqual({ status: 'canceled' });
  });

  test('once the payment is final', async () => {
    const { id } = (await post()).payment;
    await handleOf(id).result();
    await expect(handleOf(id).executeUpdate(cancelPayment, { args: [act] })).rejects.toThrow();
    await expect(handleOf(id).executeUpdate(retryNow, { args: [act] })).rejects.toThrow();
    await expect(
      handleOf(id).executeUpdate(resolvePayment, { args: [{ ...act, outcome: 'failed', evidence }] }),
    ).rejects.toThrow();
    expect((await paymentOf(id)).status).toBe('captured');
  });

  test('when it is a second resolution: the first one decides', async () => {
    await world.bank.inject([{ operation: 'charge', probability: 1, times: 1, fault: 'wrong_amount' }]);
    const { id, status } = (await post()).payment;
    expect(status).toBe('unresolved');
    expect(await refusalOf(handleOf(id).executeUpdate(cancelPayment, { args: [act] }))).toMatch(/use resolvePayment/);
    const resolve = (actor: string) =>
      handleOf(id).executeUpdate(resolvePayment, { args: [{ ...act, actor, outcome: 'captured', evidence }] });
    const actors = ['operator:ada', 'operator:bob'];
    const results = await Promise.allSettled(actors.map(resolve));
    const accepted = actors.filter((_, index) => results[index]?.status === 'fulfilled');
    expect(accepted).toHaveLength(1);
    expect(await lastAuditOf(id)).toMatchObject({ actor: accepted[0], action: 'resolve', to_status: 'captured' });
    await expect(resolve('operator:eve')).rejects.toThrow();
    const { rows } = await world.admin.query(
      "SELECT 1 FROM events WHERE object_id = $1 AND type = 'payment.captured'",
      [id],
    );
    expect(rows).toHaveLength(1);
  });
});

test('resolvePayment does not overtake a charge that the provider is still asked about', async () => {
  const id = await paymentInDoubt();
  const resolution = { ...act, outcome: 'failed', evidence } as const;
  expect(await refusalOf(handleOf(id).executeUpdate(resolvePayment, { args: [resolution] }))).toMatch(/not unresolved/);
  await world.bank.heal();
  await handleOf(id).executeUpdate(retryNow, { args: [act] });
  await hasStatus(id, 'captured');
  expect(await world.bank.movements(id)).toHaveLength(1);
});

test('a card number in what an operator writes is refused, and not repeated', async () => {
  const id = await paymentWithoutProvider();
  const refusal = await refusalOf(
    handleOf(id).executeUpdate(cancelPayment, {
      args: [{ ...act, reason: 'the payer of 4242 4242 4242 4242 called' }],
    }),
  );
  expect(refusal).toMatch(/holds a card number/);
  expect(refusal).not.toContain('4242');
  expect(await handleOf(id).executeUpdate(cancelPayment, { args: [act] })).toEqual({ status: 'canceled' });
});

test('retryNow ends the wait before the next try', async () => {
  const id = await paymentWithoutProvider();
  // After the fifth failure the next try is four to eight seconds away.
  const waiting = await until('the next try is seconds away', async () => {
    const pending = await pendingActivity(id, 'chargePayment', 6);
    return pending.nextAttemptScheduleTime == null ? null : pending;
  });
  const nextTryAt = Number(waiting.nextAttemptScheduleTime?.seconds ?? 0) * 1000;
  await world.bank.heal();
  expect(await handleOf(id).executeUpdate(retryNow, { args: [act] })).toEqual({ retried: true });
  await hasStatus(id, 'captured');
  const { processed_at: processedAt } = await paymentOf(id);
  expect(Date.parse(processedAt ?? '')).toBeLessThan(nextTryAt);
  expect(await world.bank.movements(id)).toHaveLength(1);
});

test('the query getPayment says what the workflow knows and does, while it waits and when it is done', async () => {
  const id = await paymentWithoutProvider();
  const handle = handleOf(id);
  expect(await handle.query(viewPayment)).toEqual({
    paymentId: id,
    status: 'pending',
    version: 1,
    doing: expect.stringMatching(/^charging at easypay/),
  });
  await world.bank.heal();
  await handle.executeUpdate(retryNow, { args: [act] });
  await hasStatus(id, 'captured');
  await handle.result();
  expect(await handle.query(viewPayment)).toEqual({ paymentId: id, status: 'captured', version: 2, doing: 'done' });
});

test('a payment whose workflow was terminated is resumed by the sweep, and captured with one movement', async () => {
  const neverSent = await paymentWithoutProvider();
  await handleOf(neverSent).terminate('by mistake');
  await world.bank.heal();
  const charged = await paymentInDoubt();
  await handleOf(charged).terminate('by mistake');
  await world.bank.heal();

  // The sweep leaves rows alone that were touched in the last 20 seconds: make these older.
  await world.admin.query("UPDATE payments SET updated_at = updated_at - interval '1 minute' WHERE id IN ($1, $2)", [
    neverSent,
    charged,
  ]);
  await world.temporal.schedule.getHandle(sweepScheduleId).trigger();
  await hasStatus(neverSent, 'captured');
  await hasStatus(charged, 'captured');
  expect(await world.bank.movements(neverSent)).toHaveLength(1);
  expect(await world.bank.movements(charged)).toHaveLength(1);
});

test('after all that, the books agree', async () => {
  await until('nothing is pending', async () => {
    const { rows } = await world.admin.query("SELECT id FROM payments WHERE status = 'pending'");
    return rows.length === 0;
  });
  await expectInvariants(world);
});
