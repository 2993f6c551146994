import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { RefundObject } from '../../api/refund-object.ts';
import { sweepScheduleId } from '../../workflows/contract.ts';
import { movementIdOf } from '../../workflows/domain/ids.ts';
import { callApi } from '../support/api-call.ts';
import { expectInvariants } from '../support/invariants.ts';
import {
  aCapturedPayment,
  aMovementCall,
  anAuthorizedPayment,
  cancel,
  capture,
  type MovementAnswer,
  postTo,
  refund,
} from '../support/movement-call.ts';
import { always, bookedOf, listOf, once, paymentOf, refundOf } from '../support/payment-life.ts';
import { until } from '../support/until.ts';
import { startWorld, type World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterEach(() => world?.bank.heal());
afterAll(() => world?.close());

const isReplay = ({ headers }: MovementAnswer<unknown>) => headers.get('idempotent-replayed') === 'true';
const refusalOf = ({ status, problem }: MovementAnswer<unknown>) => [status, problem.code];
const eventsOf = async (id: string) => {
  const { rows } = await world.admin.query<{ type: string }>(
    'SELECT type FROM events WHERE object_id = $1 ORDER BY sequence',
    [id],
  );
  return rows.map(({ type }) => type);
};

describe('a refund', () => {
  test('of all that was captured is a resource of its own, and pays it back once', async () => {
    const { id: paymentId } = await aCapturedPayment(world);
    const { id, key } = aMovementCall(world, 'refund', paymentId);
    const answer = await postTo<RefundObject>(world, `/payments/${paymentId}/refund`, { reason: 'returned' }, { key });
    expect([answer.status, isReplay(answer), answer.headers.get('location')]).toEqual([
      201,
      false,
      `/api/v1/refunds/${id}`,
    ]);
    expect(answer.data).toEqual({
      id,
      payment_id: paymentId,
      amount: '25.99',
      currency: 'USD',
      status: 'succeeded',
      failure: null,
      reason: 'returned',
      capture_id: null,
      processor: 'easypay',
      processor_transaction_id: expect.stringMatching(/^epm_/),
      processor_response_code: '00',
      created_at: expect.stringMatching(/Z$/),
      updated_at: expect.stringMatching(/Z$/),
      is_test: true,
    });
    expect(await refundOf(world, id)).toEqual(answer.data);
    expect(await listOf(world, `/payments/${paymentId}/refunds`)).toEqual([answer.data]);
    expect(await paymentOf(world, paymentId)).toMatchObject({
      status: 'refunded',
      refunded_amount: '25.99',
      refund_count: 1,
      captured_amount: '25.99',
    });
    expect(await bookedOf(world, id)).toEqual(['refund 2599']);
    expect(await eventsOf(id)).toEqual(['refund.pending', 'refund.succeeded']);
    expect(await eventsOf(paymentId)).toEqual(['payment.pending', 'payment.captured', 'payment.refunded']);
    expect(refusalOf(await refund(world, paymentId))).toEqual([409, 'amount_exceeds_refundable']);
  });

  test('of a part may be followed by others, until all is paid back', async () => {
    const { id } = await aCapturedPayment(world);
    const first = await refund(world, id, '10.00');
    expect(first.data).toMatchObject({ amount: '10.00', status: 'succeeded' });
    expect(await paymentOf(world, id)).toMatchObject({ status: 'partially_refunded', refunded_amount: '10.00' });
    expect(refusalOf(await refund(world, id, '16.00'))).toEqual([409, 'amount_exceeds_refundable']);
    const second = await refund(world, id, '5.00');
    const last = await refund(world, id);
    expect(last.data.amount).toBe('10.99');
    expect(await paymentOf(world, id)).toMatchObject({ status: 'refunded', refunded_amount: '25.99', refund_count: 3 });
    const listed = await listOf<RefundObject>(world, `/payments/${id}/refunds`);
    expect(listed).toEqual([first.data, second.data, last.data]);
  });

  test('repeated with its key is the same refund as it is now, and another body under that key is refused', async () => {
    const { id } = await aCapturedPayment(world);
    const { id: refundId, key, post } = aMovementCall(world, 'refund', id, '5.00');
    const answers = await Promise.all(Array.from({ length: 20 }, post));
    expect(new Set(answers.map(({ data }) => JSON.stringify(data))).size).toBe(1);
    expect(answers.filter((answer) => !isReplay(answer))).toHaveLength(1);
    await refund(world, id);
    const again = await post();
    expect([again.status, isReplay(again), again.data.id]).toEqual([201, true, refundId]);
    expect(refusalOf(await refund(world, id, '6.00', { key }))).toEqual([422, 'idempotency_key_reused']);
    expect(await bookedOf(world, refundId)).toEqual(['refund 500']);
  });

  test('fifty times at once never pays back more than was captured, and each that is refused is told why', async () => {
    const { id } = await aCapturedPayment(world);
    const answers = await Promise.all(Array.from({ length: 50 }, () => refund(world, id, '1.00')));
    const made = answers.filter(({ status }) => status === 201);
    const refused = answers.filter(({ status }) => status !== 201);
    expect([made.length, refused.length]).toEqual([25, 25]);
    for (const answer of made) expect(answer.data.status).toBe('succeeded');
    for (const answer of refused) expect(refusalOf(answer)).toEqual([409, 'amount_exceeds_refundable']);
    expect(await paymentOf(world, id)).toMatchObject({ refunded_amount: '25.00', refund_count: 25 });
    expect((await Promise.all(made.map(({ data }) => bookedOf(world, data.id)))).flat()).toEqual(
      Array.from({ length: 25 }, () => 'refund 100'),
    );
    expect((await refund(world, id)).data.amount).toBe('0.99');
  });

  test('of a payment that was captured in part leaves the rest to be captured', async () => {
    const { id } = await anAuthorizedPayment(world);
    expect(refusalOf(await refund(world, id))).toEqual([409, 'payment_not_refundable']);
    await capture(world, id, '10.00');
    expect((await refund(world, id)).data.amount).toBe('10.00');
    expect(await paymentOf(world, id)).toMatchObject({ status: 'refunded', refunded_amount: '10.00' });
    const captured = await capture(world, id, '5.00');
    expect([captured.status, captured.data.status, captured.data.captured_amount]).toEqual([
      201,
      'partially_refunded',
      '15.00',
    ]);
    expect((await refund(world, id)).data.amount).toBe('5.00');
    expect((await paymentOf(world, id)).status).toBe('refunded');
  });

  test('that the provider declines gives its amount free again', async () => {
    const { id } = await aCapturedPayment(world, { card_token: 'tok_visa_refund_declined_0058' });
    for (let time = 0; time < 2; time++) {
      const answer = await refund(world, id);
      expect(answer.status).toBe(201);
      expect(answer.data).toMatchObject({ status: 'failed', amount: '25.99', failure: { code: 'refund_declined' } });
      expect(await eventsOf(answer.data.id)).toEqual(['refund.pending', 'refund.failed']);
    }
    expect(await paymentOf(world, id)).toMatchObject({ status: 'captured', refunded_amount: '0.00', refund_count: 0 });
  });

  test('that is not decided at once is 202 and keeps its amount reserved until it is', async () => {
    const { id } = await aCapturedPayment(world, { card_token: 'tok_visa_refund_pending_7100' });
    const { id: refundId, key, post } = aMovementCall(world, 'refund', id, '20.00');
    const first = await refund(world, id, '20.00', { key, prefer: 'respond-async' });
    expect([first.status, first.data.status]).toEqual([202, 'pending']);
    expect(refusalOf(await refund(world, id, '6.00'))).toEqual([409, 'amount_exceeds_refundable']);
    expect((await paymentOf(world, id)).refunded_amount).toBe('0.00');
    const second = await post();
    expect([second.status, isReplay(second), second.data.status]).toEqual([201, true, 'succeeded']);
    expect(await bookedOf(world, refundId)).toEqual(['refund 2000']);
  });
});

test('a refund that is under way hinders no capture and no cancellation, and is hindered by none', async () => {
  const { id } = await anAuthorizedPayment(world, { card_token: 'tok_visa_refund_pending_7100' });
  await capture(world, id, '10.00');
  const key = randomUUID();
  const begun = await refund(world, id, '10.00', { key, prefer: 'respond-async' });
  expect([begun.status, begun.data.status]).toEqual([202, 'pending']);
  expect((await capture(world, id, '5.00')).data).toMatchObject({ status: 'captured', captured_amount: '15.00' });
  expect((await cancel(world, id)).data).toMatchObject({ status: 'captured', voided_amount: '10.99' });
  expect((await refund(world, id, '10.00', { key })).data.status).toBe('succeeded');
  expect(await paymentOf(world, id)).toMatchObject({ status: 'partially_refunded', refunded_amount: '10.00' });
});

test('a refund that ends while a capture is unresolved is counted, and the payment stays unresolved', async () => {
  const { id } = await anAuthorizedPayment(world, { card_token: 'tok_visa_refund_pending_7100' });
  await capture(world, id, '10.00');
  const begun = await refund(world, id, '4.00', { prefer: 'respond-async' });
  await world.bank.inject([once('capture', 'wrong_amount')]);
  expect((await capture(world, id, '5.00')).data.status).toBe('unresolved');
  await until('the refund is made', async () => (await refundOf(world, begun.data.id)).status === 'succeeded');
  expect(await paymentOf(world, id)).toMatchObject({ status: 'unresolved', refunded_amount: '4.00' });
  const decision = { outcome: 'captured', evidence: 'statement line 17', reason: 'seen at the provider' };
  const resolved = await postTo(world, `/payments/${id}/resolve`, decision, { apiKey: world.operatorKey });
  expect(resolved.data).toMatchObject({ status: 'partially_refunded', captured_amount: '15.00' });
});

test('a refund while a capture is unresolved is refused, and made once the capture is decided', async () => {
  const { id } = await anAuthorizedPayment(world);
  await capture(world, id, '10.00');
  await world.bank.inject([once('capture', 'wrong_amount')]);
  const mismatched = await capture(world, id, '5.00');
  expect([mismatched.status, mismatched.data.status]).toEqual([201, 'unresolved']);
  expect(refusalOf(await refund(world, id, '1.00'))).toEqual([409, 'movement_in_progress']);
  const decision = { outcome: 'captured', evidence: 'statement line 17', reason: 'seen at the provider' };
  const resolved = await postTo(world, `/payments/${id}/resolve`, decision, { apiKey: world.operatorKey });
  expect(resolved.data).toMatchObject({ status: 'captured', captured_amount: '15.00', failure: null });
  expect((await refund(world, id)).data).toMatchObject({ amount: '15.00', status: 'succeeded' });
});

describe('an answer to a refund that is lost', () => {
  test.each(['lost_after', '500_after', '500_before', 'late_commit', 'cut_json', 'reset', '429'])(
    '%s: the refund is found out, and paid back once',
    async (fault) => {
      const { id } = await aCapturedPayment(world);
      await world.bank.inject([once('refund', fault)]);
      const { id: refundId, post } = aMovementCall(world, 'refund', id, '10.00');
      const answer = await post();
      expect([answer.status, answer.data.status]).toEqual([201, 'succeeded']);
      expect(await world.bank.injected()).toEqual({ [fault]: 1 });
      expect(await bookedOf(world, refundId)).toEqual(['refund 1000']);
    },
  );
});

test('refunds of another merchant, or of the other mode, are not there', async () => {
  const { id } = await aCapturedPayment(world);
  const { data: own } = await refund(world, id, '1.00');
  const other = await world.createMerchant();
  for (const apiKey of [other.testKey, world.merchant.liveKey]) {
    expect(refusalOf(await refund(world, id, '1.00', { apiKey }))).toEqual([404, 'not_found']);
    for (const path of [`/refunds/${own.id}`, `/payments/${id}/refunds`, `/payments/${id}/captures`]) {
      const answer = await callApi(world.apiUrl, apiKey, { path: `/api/v1${path}` });
      expect([path, answer.status, answer.problem.code]).toEqual([path, 404, 'not_found']);
    }
  }
  expect(await listOf(world, `/payments/${id}/refunds`)).toHaveLength(1);
});

describe('a refund whose workflow was terminated', () => {
  /** A refund that was paid back, or not, and of which nobody hears; its workflow is gone. */
  async function abandoned(fault: 'lost_after' | '500_before') {
    const { id: paymentId } = await aCapturedPayment(world);
    await world.bank.inject([always('refund', fault), always('lookup', '500_before')]);
    const key = randomUUID();
    const id = movementIdOf('refund', paymentId, key);
    const first = await refund(world, paymentId, '10.00', { key, prefer: 'respond-async' });
    expect([first.status, first.data.id]).toEqual([202, id]);
    await until('its outcome is in doubt', async () => {
      const { rows } = await world.admin.query('SELECT FROM attempts WHERE movement_id = $1 AND fault IS NOT NULL', [
        id,
      ]);
      return rows.length > 0;
    });
    await world.temporal.workflow.getHandle(id).terminate('by mistake');
    return { id, post: () => refund(world, paymentId, '10.00', { key }) };
  }

  test.each(['lost_after', '500_before'] as const)('(%s) goes on when it is posted again', async (fault) => {
    const { id, post } = await abandoned(fault);
    await world.bank.heal();
    const again = await post();
    expect([again.status, isReplay(again), again.data.status]).toEqual([201, true, 'succeeded']);
    expect(await bookedOf(world, id)).toEqual(['refund 1000']);
  });

  test('is found by the sweep, and goes on', async () => {
    const left = [await abandoned('lost_after'), await abandoned('500_before')];
    await world.bank.heal();
    await madeEarlier(left.map(({ id }) => id));
    await world.temporal.schedule.getHandle(sweepScheduleId).trigger();
    for (const { id } of left) {
      await until(`${id} is paid back`, async () => (await refundOf(world, id)).status === 'succeeded');
      expect(await bookedOf(world, id)).toEqual(['refund 1000']);
    }
  });

  /** The sweep leaves alone what is younger than twenty seconds: as if these had been made a minute earlier. */
  async function madeEarlier(ids: readonly string[]): Promise<void> {
    const client = await world.admin.connect();
    try {
      await client.query('BEGIN');
      await client.query('SET LOCAL session_replication_role = replica'); // the guard lets nobody change that instant
      await client.query("UPDATE movements SET created_at = created_at - interval '1 minute' WHERE id = ANY($1)", [
        ids,
      ]);
      await client.query('COMMIT');
    } finally {
      client.release();
    }
  }
});

test('after all that, the books agree', async () => {
  await expectInvariants(world);
});
