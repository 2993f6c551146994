import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { PaymentObject } from '../../api/payment-object.ts';
import { movementIdOf } from '../../workflows/domain/ids.ts';
import { aPayment, postPayment } from '../support/api-client.ts';
import { expectInvariants } from '../support/invariants.ts';
import {
  aCapturedPayment,
  aMovementCall,
  anAuthorizedPayment,
  cancel,
  capture,
  firstVoidIdOf,
  type MovementAnswer,
  postTo,
  refund,
} from '../support/movement-call.ts';
import { always, bookedOf, hasStatus, isParked, listOf, once, paymentOf } from '../support/payment-life.ts';
import { until } from '../support/until.ts';
import { startWorld, type World } from '../support/world.ts';

let world: World;
/** What is not captured in time: nothing of the one, a part of the other. Begun first, because it takes a while. */
let expiring: { readonly untouched: PaymentObject; readonly part: PaymentObject; readonly apiKeys: readonly string[] };
beforeAll(async () => {
  world = await startWorld();
  const soon = (await world.createMerchant({ capture_within: 2 })).testKey;
  const later = (await world.createMerchant({ capture_within: 10 })).testKey;
  const untouched = await anAuthorizedPayment(world, {}, soon);
  const { id } = await anAuthorizedPayment(world, {}, later);
  const part = (await capture(world, id, '10.00', { apiKey: later })).data;
  expiring = { untouched, part, apiKeys: [soon, later] };
});
afterEach(async () => {
  for (const face of ['easypay', 'paypal'] as const) {
    await world?.bank.at(face).heal();
    await world?.bank.at(face).release();
  }
});
afterAll(() => world?.close());

const isReplay = ({ headers }: MovementAnswer<unknown>) => headers.get('idempotent-replayed') === 'true';
const refusalOf = ({ status, problem }: MovementAnswer<unknown>) => [status, problem.code];
/** What became of each capture of a payment. */
const capturesOf = ({ captures }: PaymentObject) =>
  captures?.map(({ amount, status, failure }) => [amount, status, failure?.code ?? null]);

describe('a capture', () => {
  test('of all that is reserved takes it, once', async () => {
    const { id } = await anAuthorizedPayment(world);
    const { id: captureId, post } = aMovementCall(world, 'capture', id);
    const answer = await post();
    expect([answer.status, isReplay(answer)]).toEqual([201, false]);
    expect(answer.data).toMatchObject({ status: 'captured', captured_amount: '25.99', voided_amount: '0.00' });
    expect(answer.data).toEqual(await paymentOf(world, id));
    expect(await bookedOf(world, id)).toEqual(['authorize 2599']);
    expect(await bookedOf(world, captureId)).toEqual(['capture 2599']);
    const [shown, ...others] = await listOf<Record<string, unknown>>(world, `/payments/${id}/captures`);
    expect(shown).toMatchObject({
      id: captureId,
      payment_id: id,
      amount: '25.99',
      currency: 'USD',
      status: 'succeeded',
    });
    expect(others).toEqual([]);
  });

  test('of a part leaves the rest to others, until nothing is left', async () => {
    const { id, capture_before: before } = await anAuthorizedPayment(world);
    expect(Date.parse(before ?? '')).toBeGreaterThan(Date.now());
    const first = await capture(world, id, '10.00');
    expect(first.data).toMatchObject({ status: 'captured', captured_amount: '10.00', authorized_amount: '25.99' });
    expect((await capture(world, id, '5.99')).data.captured_amount).toBe('15.99');
    const last = await capture(world, id);
    expect(last.data.captured_amount).toBe('25.99');
    expect(capturesOf(last.data)).toEqual([
      ['10.00', 'succeeded', null],
      ['5.99', 'succeeded', null],
      ['10.00', 'succeeded', null],
    ]);
    const events = await listOf<{ type: string }>(world, `/payments/${id}/events`);
    expect(events.map(({ type }) => type).filter((type) => type.startsWith('payment.'))).toEqual([
      'payment.pending',
      'payment.authorized',
      'payment.captured',
      'payment.captured',
      'payment.captured',
    ]);
  });

  test('repeated with its key answers the payment as it is now, and moves nothing more', async () => {
    const { id } = await anAuthorizedPayment(world);
    const { id: captureId, key, post } = aMovementCall(world, 'capture', id, '10.00');
    expect((await post()).data.captured_amount).toBe('10.00');
    await capture(world, id, '5.00');
    const again = await post();
    expect([again.status, isReplay(again)]).toEqual([201, true]);
    expect(again.data.captured_amount).toBe('15.00');
    expect(await bookedOf(world, captureId)).toEqual(['capture 1000']);
    expect(refusalOf(await capture(world, id, '11.00', { key }))).toEqual([422, 'idempotency_key_reused']);
    expect(refusalOf(await capture(world, id, undefined, { key }))).toEqual([422, 'idempotency_key_reused']);
    expect((await paymentOf(world, id)).captured_amount).toBe('15.00');
  });

  test('sent a hundred times at once with one key is one capture, and everybody gets the same answer', async () => {
    const { id } = await anAuthorizedPayment(world);
    const { id: captureId, post } = aMovementCall(world, 'capture', id, '10.00');
    const answers = await Promise.all(Array.from({ length: 100 }, post));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
    expect(new Set(answers.map(({ data }) => JSON.stringify(data))).size).toBe(1);
    expect(answers.filter((answer) => !isReplay(answer))).toHaveLength(1);
    expect(await bookedOf(world, captureId)).toEqual(['capture 1000']);
    expect(answers[0]?.data.captured_amount).toBe('10.00');
  });

  test('of more than is left is refused, and stores nothing', async () => {
    const { id } = await anAuthorizedPayment(world);
    expect(refusalOf(await capture(world, id, '26.00'))).toEqual([409, 'amount_exceeds_capturable']);
    await capture(world, id, '20.00');
    expect(refusalOf(await capture(world, id, '6.00'))).toEqual([409, 'amount_exceeds_capturable']);
    const last = await capture(world, id, '5.99');
    expect(capturesOf(last.data)).toHaveLength(2);
    expect(refusalOf(await capture(world, id, '0.01'))).toEqual([409, 'payment_not_capturable']);
  });

  test('that was refused may be asked for again with its key', async () => {
    const { id } = await anAuthorizedPayment(world);
    const keys = Array.from({ length: 20 }, () => randomUUID());
    const atOnce = await Promise.all(keys.map((key) => capture(world, id, '1.00', { key })));
    const refused = atOnce.filter(({ status }) => status !== 201);
    for (const answer of refused) expect(refusalOf(answer)).toEqual([409, 'movement_in_progress']);
    const again: number[] = [];
    for (const key of keys) again.push((await capture(world, id, '1.00', { key })).status);
    expect(again).toEqual(keys.map(() => 201));
    const payment = await paymentOf(world, id);
    expect(payment.captured_amount).toBe('20.00');
    expect(capturesOf(payment)).toEqual(keys.map(() => ['1.00', 'succeeded', null]));
    const key = randomUUID();
    expect(refusalOf(await capture(world, id, '6.00', { key }))).toEqual([409, 'amount_exceeds_capturable']);
    expect((await capture(world, id, '5.99', { key })).data.captured_amount).toBe('25.99');
  });

  test.each(['automatic', 'manual'] as const)(
    'without an amount of what is captured already (%s) is a success that moves nothing',
    async (method) => {
      const payment = method === 'automatic' ? await aCapturedPayment(world) : await anAuthorizedPayment(world);
      if (method === 'manual') await capture(world, payment.id);
      const answer = await capture(world, payment.id);
      expect(answer.status).toBe(200);
      expect(answer.data).toEqual(await paymentOf(world, payment.id));
      expect(answer.data.captures?.length ?? null).toBe(method === 'manual' ? 1 : null);
      expect(refusalOf(await capture(world, payment.id, '1.00'))).toEqual([409, 'payment_not_capturable']);
    },
  );

  test('that the issuer declines fails alone: the payment stays authorized, and the next one may follow', async () => {
    const { id } = await anAuthorizedPayment(world, { card_token: 'tok_visa_capture_declined_0057' });
    const answer = await capture(world, id, '10.00');
    expect([answer.status, answer.data.status, answer.data.failure]).toEqual([201, 'authorized', null]);
    expect(capturesOf(answer.data)).toEqual([['10.00', 'failed', 'authorization_expired']]);
    expect(capturesOf((await capture(world, id)).data)).toHaveLength(2);
    expect((await cancel(world, id)).data).toMatchObject({ status: 'canceled', voided_amount: '25.99' });
  });

  test('that is not decided at once is 202, and attached to when it is asked for again', async () => {
    const { id } = await anAuthorizedPayment(world, { card_token: 'tok_visa_capture_pending_7200' });
    const { key } = aMovementCall(world, 'capture', id);
    const first = await capture(world, id, '10.00', { key, prefer: 'respond-async' });
    expect([first.status, capturesOf(first.data)]).toEqual([202, [['10.00', 'pending', null]]]);
    expect(refusalOf(await capture(world, id, '1.00'))).toEqual([409, 'movement_in_progress']);
    expect(refusalOf(await cancel(world, id))).toEqual([409, 'movement_in_progress']);
    const second = await capture(world, id, '10.00', { key });
    expect([second.status, isReplay(second), second.data.captured_amount]).toEqual([201, true, '10.00']);
  });
});

describe('a cancellation', () => {
  test('gives back all that is reserved, once, however often it is asked for', async () => {
    const { id } = await anAuthorizedPayment(world);
    const key = randomUUID();
    const answer = await cancel(world, id, { key });
    expect([answer.status, isReplay(answer)]).toEqual([200, false]);
    expect(answer.data).toMatchObject({ status: 'canceled', voided_amount: '25.99', captured_amount: '0.00' });
    const again = await cancel(world, id, { key });
    expect([again.status, isReplay(again)]).toEqual([200, true]);
    expect(again.data).toEqual(answer.data);
    expect((await cancel(world, id)).data).toEqual(answer.data);
    expect(await bookedOf(world, firstVoidIdOf(id))).toEqual(['void 2599']);
    expect(refusalOf(await capture(world, id))).toEqual([409, 'payment_not_capturable']);
    expect(refusalOf(await refund(world, id))).toEqual([409, 'payment_not_refundable']);
  });

  test('of a payment that was captured in part gives back the rest', async () => {
    const { id } = await anAuthorizedPayment(world);
    await capture(world, id, '10.00');
    const answer = await cancel(world, id);
    expect(answer.status).toBe(200);
    expect(answer.data).toMatchObject({ status: 'captured', captured_amount: '10.00', voided_amount: '15.99' });
    expect(refusalOf(await capture(world, id, '1.00'))).toEqual([409, 'payment_not_capturable']);
    expect((await refund(world, id)).data).toMatchObject({ status: 'succeeded', amount: '10.00' });
  });

  test('comes too late for what is captured, and has nothing to do for what failed', async () => {
    const { id } = await aCapturedPayment(world);
    expect(refusalOf(await cancel(world, id))).toEqual([409, 'too_late_to_cancel']);
    const manual = await anAuthorizedPayment(world);
    await capture(world, manual.id);
    expect(refusalOf(await cancel(world, manual.id))).toEqual([409, 'too_late_to_cancel']);
    const options = { apiKey: world.merchant.testKey };
    const failed = (await postPayment(world.apiUrl, aPayment({ card_token: 'tok_visa_declined_0002' }), options))
      .payment;
    expect(refusalOf(await cancel(world, failed.id))).toEqual([409, 'payment_not_cancelable']);
  });
});

describe('a cancellation while the card is being charged', () => {
  const post = async (changes: Record<string, unknown> = {}) => {
    const options = { apiKey: world.merchant.testKey, headers: { prefer: 'respond-async' } };
    return (await postPayment(world.apiUrl, aPayment(changes), options)).payment.id;
  };
  const isTakenOn = (id: string) =>
    until('the workflow knows of the cancellation', async () => {
      const { events } = await world.temporal.workflow.getHandle(id).fetchHistory();
      return events?.some(
        ({ workflowExecutionUpdateAcceptedEventAttributes: update }) =>
          update?.acceptedRequest?.input?.name === 'cancelPayment',
      );
    });

  test('waits for the truth: too late for what was charged, done for what was only reserved', async () => {
    await world.bank.park({ operation: 'charge', point: 'before_commit' });
    const [charged, declined, reserved] = await Promise.all([
      post(),
      post({ card_token: 'tok_visa_declined_0002' }),
      post({ capture: 'manual' }),
    ]);
    const ids = [charged, declined, reserved];
    await Promise.all(ids.map((id) => isParked(world, id)));
    const answers = ids.map((id) => cancel(world, id));
    await Promise.all(ids.map(isTakenOn));
    await world.bank.release();
    const [tooLate, nothingThere, done] = await Promise.all(answers);
    expect(tooLate && refusalOf(tooLate)).toEqual([409, 'too_late_to_cancel']);
    expect((await paymentOf(world, charged)).status).toBe('captured');
    expect(nothingThere && refusalOf(nothingThere)).toEqual([409, 'payment_not_cancelable']);
    expect((await paymentOf(world, declined)).status).toBe('failed');
    expect([done?.status, done?.data.status, done?.data.voided_amount]).toEqual([200, 'canceled', '25.99']);
    expect(await bookedOf(world, reserved)).toEqual(['authorize 2599']);
    expect(await bookedOf(world, firstVoidIdOf(reserved))).toEqual(['void 2599']);
  });

  test('takes effect where the provider turns the charge away, and nothing ever moves', async () => {
    await world.bank.inject([always('charge', '503')]);
    const id = await post();
    const answer = await cancel(world, id);
    expect([answer.status, answer.data.status, answer.data.voided_amount]).toEqual([200, 'canceled', '0.00']);
    expect(await bookedOf(world, id)).toEqual([]);
  });
});

describe('a capture and a cancellation at once', () => {
  test('in twelve rounds: exactly one of them moves money, and the other one is told why it did not', async () => {
    for (let round = 0; round < 12; round++) {
      const { id } = await anAuthorizedPayment(world);
      const { id: captureId, post } = aMovementCall(world, 'capture', id);
      const asks = [post, () => cancel(world, id)];
      const [one, other] = await Promise.all((round % 2 === 0 ? asks : asks.toReversed()).map((ask) => ask()));
      const answers = [one, other].filter((answer) => answer !== undefined);
      const refused = answers.filter(({ status }) => status === 409);
      expect(answers.map(({ status }) => status).filter((status) => status === 200 || status === 201)).toHaveLength(1);
      expect(refused).toHaveLength(1);
      expect([
        'movement_in_progress',
        'payment_not_capturable',
        'payment_not_cancelable',
        'too_late_to_cancel',
      ]).toContain(refused[0]?.problem.code);
      const booked = [...(await bookedOf(world, captureId)), ...(await bookedOf(world, firstVoidIdOf(id)))];
      const payment = await paymentOf(world, id);
      expect(booked).toEqual([payment.status === 'captured' ? 'capture 2599' : 'void 2599']);
    }
  });

  test('and the cancellation that is refused may be asked for again with its key', async () => {
    const payments = await Promise.all(Array.from({ length: 8 }, () => anAuthorizedPayment(world)));
    const again = payments.map(async ({ id }) => {
      const key = randomUUID();
      const [, first] = await Promise.all([capture(world, id, '10.00'), cancel(world, id, { key })]);
      if (first.status !== 200) expect(refusalOf(first)).toEqual([409, 'movement_in_progress']);
      return (await cancel(world, id, { key })).status;
    });
    expect(await Promise.all(again)).toEqual(payments.map(() => 200));
  });

  test('while either is in doubt nothing else begins, and a second cancellation joins the first', async () => {
    const [one, other] = await Promise.all([anAuthorizedPayment(world), anAuthorizedPayment(world)]);
    await world.bank.inject([
      once('capture', 'lost_after'),
      once('void', 'lost_after'),
      always('lookup', '500_before'),
    ]);
    const begun = [capture(world, one.id), cancel(world, other.id)];
    await until('both are in doubt', async () => ((await world.bank.injected())['500_before'] ?? 0) >= 2);
    const others = await Promise.all([
      ...[one.id, other.id].flatMap((id) => [capture(world, id, '1.00'), capture(world, id)]),
      cancel(world, one.id),
    ]);
    for (const answer of others) expect(refusalOf(answer)).toEqual([409, 'movement_in_progress']);
    const joined = await cancel(world, other.id, { prefer: 'respond-async' });
    expect([joined.status, joined.data.status]).toEqual([202, 'authorized']);
    await world.bank.heal();
    const [captured, canceled] = await Promise.all(begun);
    expect([captured?.status, captured?.data.status]).toEqual([201, 'captured']);
    expect([canceled?.status, canceled?.data.status]).toEqual([200, 'canceled']);
  });
});

describe('an answer that is lost', () => {
  test.each(['lost_after', '500_after', 'late_commit', 'cut_json', 'reset'])(
    'to a capture and to a void (%s) is found out, and each moved money once',
    async (fault) => {
      const [one, other] = await Promise.all([anAuthorizedPayment(world), anAuthorizedPayment(world)]);
      await world.bank.inject([once('capture', fault), once('void', fault)]);
      const { id: captureId, post } = aMovementCall(world, 'capture', one.id, '10.00');
      const [captured, canceled] = await Promise.all([post(), cancel(world, other.id)]);
      expect([captured.status, captured.data.captured_amount]).toEqual([201, '10.00']);
      expect([canceled.status, canceled.data.status]).toEqual([200, 'canceled']);
      expect(await world.bank.injected()).toEqual({ [fault]: 2 });
      expect(await bookedOf(world, captureId)).toEqual(['capture 1000']);
      expect(await bookedOf(world, firstVoidIdOf(other.id))).toEqual(['void 2599']);
    },
  );
});

describe('at PayPal', () => {
  /** A merchant whose payments go there. */
  const aMerchant = () => world.createMerchant({ routing: { rules: [], default: ['paypal'] } });
  /** PayPal keeps no reference of ours with a void: what the bank booked of a whole payment. */
  const allBooked = async (payment: PaymentObject, refundIds: readonly string[] = []) => {
    const ids = [payment.id, ...(payment.captures ?? []).map(({ id }) => id), ...refundIds];
    return (await Promise.all(ids.map((id) => bookedOf(world, id)))).flat().toSorted();
  };

  test('captures, a refund and the void of the rest move money once each', async () => {
    const { testKey: apiKey } = await aMerchant();
    const { id, processor } = await anAuthorizedPayment(world, {}, apiKey);
    expect(processor).toBe('paypal');
    await capture(world, id, '10.00', { apiKey });
    const second = await capture(world, id, '5.00', { apiKey });
    expect([second.status, second.data.captured_amount]).toEqual([201, '15.00']);
    const [first] = second.data.captures ?? [];
    const paidBack = await refund(world, id, '4.00', { apiKey });
    expect(paidBack.data).toMatchObject({ status: 'succeeded', amount: '4.00', capture_id: first?.id, processor });
    const voided = await cancel(world, id, { apiKey });
    expect([voided.status, voided.data.voided_amount, voided.data.status]).toEqual([
      200,
      '10.99',
      'partially_refunded',
    ]);
    const all = await allBooked(voided.data, [paidBack.data.id]);
    expect(all).toEqual(['authorize 2599', 'capture 1000', 'capture 500', 'refund 400', 'void 1099']);
  });

  test('a refund that no single capture covers is refused, and goes by the captures one by one', async () => {
    const { testKey: apiKey } = await aMerchant();
    const { id } = await anAuthorizedPayment(world, {}, apiKey);
    await capture(world, id, '10.00', { apiKey });
    const { captures } = (await capture(world, id, '15.99', { apiKey })).data;
    expect(refusalOf(await refund(world, id, undefined, { apiKey }))).toEqual([409, 'refund_spans_captures']);
    for (const { id: captureId, amount } of captures ?? []) {
      const answer = await postTo(world, `/payments/${id}/refund`, { amount, capture_id: captureId }, { apiKey });
      expect(answer.data).toMatchObject({ status: 'succeeded', capture_id: captureId, amount });
    }
    expect(await paymentOf(world, id, apiKey)).toMatchObject({ status: 'refunded', refunded_amount: '25.99' });
  });

  test('answers that are lost are found out', async () => {
    const { testKey: apiKey } = await aMerchant();
    const paypal = world.bank.at('paypal');
    const { id } = await anAuthorizedPayment(world, {}, apiKey);
    await paypal.inject([once('capture', 'lost_after'), once('refund', '500_after'), once('void', 'cut_json')]);
    expect((await capture(world, id, '10.00', { apiKey })).data.captured_amount).toBe('10.00');
    const key = randomUUID();
    expect((await refund(world, id, '4.00', { apiKey, key })).data.status).toBe('succeeded');
    const voided = await cancel(world, id, { apiKey });
    expect([voided.status, voided.data.voided_amount]).toEqual([200, '15.99']);
    const all = await allBooked(voided.data, [movementIdOf('refund', id, key)]);
    expect(all).toEqual(['authorize 2599', 'capture 1000', 'refund 400', 'void 1599']);
    expect(await paypal.injected()).toEqual({ lost_after: 1, '500_after': 1, cut_json: 1 });
  });
});

test('a payment whose workflow was terminated is captured, and canceled, all the same', async () => {
  const [one, other] = await Promise.all([anAuthorizedPayment(world), anAuthorizedPayment(world)]);
  for (const { id } of [one, other]) await world.temporal.workflow.getHandle(id).terminate('by mistake');
  const captured = await capture(world, one.id, '10.00');
  expect([captured.status, captured.data.captured_amount]).toEqual([201, '10.00']);
  const canceled = await cancel(world, other.id);
  expect([canceled.status, canceled.data.status]).toEqual([200, 'canceled']);
  await world.temporal.workflow.getHandle(one.id).terminate('again');
  expect((await cancel(world, one.id)).data.voided_amount).toBe('15.99');
});

test('what was not captured in time is given back, whether a part was captured or nothing', async () => {
  const { untouched, part, apiKeys } = expiring;
  const [soon, later] = apiKeys;
  expect(Date.parse(untouched.capture_before ?? '') - Date.parse(untouched.created_at)).toBeLessThan(60_000);
  expect(part).toMatchObject({ status: 'captured', captured_amount: '10.00' });
  const expired = await hasStatus(world, untouched.id, 'canceled', soon);
  expect(expired).toMatchObject({ voided_amount: '25.99', captured_amount: '0.00' });
  const rest = await until('the rest is given back', async () => {
    const payment = await paymentOf(world, part.id, later);
    return payment.voided_amount === '0.00' ? null : payment;
  });
  expect(rest).toMatchObject({ status: 'captured', voided_amount: '15.99', captured_amount: '10.00' });
  for (const [payment, booked] of [
    [expired, 'void 2599'],
    [rest, 'void 1599'],
  ] as const) {
    expect(await bookedOf(world, firstVoidIdOf(payment.id))).toEqual([booked]);
    expect(Date.parse(payment.updated_at)).toBeGreaterThanOrEqual(Date.parse(payment.capture_before ?? ''));
  }
  const tooLate = await capture(world, untouched.id, undefined, { apiKey: soon ?? '' });
  expect(refusalOf(tooLate)).toEqual([409, 'payment_not_capturable']);
});

test('after all that, the books agree', async () => {
  await expectInvariants(world);
});
