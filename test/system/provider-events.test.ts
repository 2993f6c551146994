import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { PaymentObject } from '../../api/payment-object.ts';
import { sweepScheduleId } from '../../workflows/contract.ts';
import { aPayment, postPayment } from '../support/api-client.ts';
import { easypayEvent, easypaySignature, type Signing, tellEasypayEvent } from '../support/easypay-event.ts';
import { expectInvariants } from '../support/invariants.ts';
import { aCapturedPayment, aMovementCall, anAuthorizedPayment, capture, refund } from '../support/movement-call.ts';
import {
  always,
  bookedOf,
  hasStatus,
  isParked,
  once,
  paymentOf,
  refundOf,
  wantEvents,
} from '../support/payment-life.ts';
import { until } from '../support/until.ts';
import { startWorld, type World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterEach(async () => {
  await world?.bank.heal();
  await world?.bank.release();
  for (const face of ['easypay', 'paypal'] as const) await wantEvents(world, face, 'asynchronous');
});
afterAll(() => world?.close());

const pay = async (changes: Record<string, unknown> = {}, apiKey = world.merchant.testKey, prefer = 'wait=30') =>
  (await postPayment(world.apiUrl, aPayment(changes), { apiKey, headers: { prefer } })).payment;

/** A provider's event as it is stored. */
interface StoredEvent {
  readonly id: string;
  readonly source: string;
  readonly event_type: string;
  readonly status: string;
  readonly processed_at: Date | null;
}

const eventsOf = async (...references: readonly string[]) =>
  (
    await world.admin.query<StoredEvent>(
      'SELECT id, source, event_type, status, processed_at FROM webhooks WHERE reference = ANY($1) ORDER BY created_at',
      [references],
    )
  ).rows;

/** The events of these, once there are some and each is done with. */
const doneWith = (...references: readonly string[]) =>
  until(`the provider’s events about ${references.join(', ')} are done with`, async () => {
    const found = await eventsOf(...references);
    return found.length > 0 && found.every(({ status }) => status === 'processed') ? found : null;
  });

const tell = (body: string, signing?: Signing) => tellEasypayEvent(world, body, signing);

/** The end that every one of these payments comes to. */
async function expectCapturedOnce(id: string): Promise<void> {
  expect(await hasStatus(world, id, 'captured')).toMatchObject({ captured_amount: '25.99', failure: null });
  expect(await bookedOf(world, id)).toEqual(['charge 2599']);
  const { rows } = await world.admin.query('SELECT FROM discrepancies WHERE payment_id = $1', [id]);
  expect(rows).toEqual([]);
}

/** Answers a payer's challenge and follows no redirect: nobody but the provider knows. */
async function approveAndLeave({ next_action: next }: PaymentObject): Promise<void> {
  const body = new URLSearchParams({ outcome: 'approve' });
  const pressed = await fetch(next?.redirect_url ?? '', { method: 'POST', redirect: 'manual', body });
  expect(pressed.status).toBe(303);
}

/** What only an event or the sweep can tell us of: the payer has approved, and their browser is gone. */
async function anUntoldPayment(): Promise<PaymentObject> {
  await wantEvents(world, 'easypay', 'none');
  const payment = await pay({ card_token: 'tok_visa_challenge_3220' });
  expect(payment.status).toBe('requires_action');
  await approveAndLeave(payment);
  return payment;
}

/** The sweep hands over what is older than twenty seconds: as if these had come a minute earlier. */
async function sweepEventsOf(reference: string): Promise<void> {
  await world.admin.query("UPDATE webhooks SET created_at = created_at - interval '1 minute' WHERE reference = $1", [
    reference,
  ]);
  await until('Temporal takes the order', () =>
    world.temporal.schedule
      .getHandle(sweepScheduleId)
      .trigger()
      .then(() => true)
      .catch(() => false),
  );
}

describe('a provider’s event', () => {
  test('that comes before the answer of the call it is about leads to the same end', async () => {
    await wantEvents(world, 'easypay', 'all');
    await world.bank.park({ operation: 'charge', point: 'after_commit' });
    const { id } = await pay({}, undefined, 'respond-async');
    await isParked(world, id);
    await until('the event has come', async () => (await eventsOf(id)).length > 0);
    await expectCapturedOnce(id); // the call itself still stands there
    await world.bank.release();
    await doneWith(id);
    await expectCapturedOnce(id);
  });

  test.each(['easypay', 'paypal'] as const)(
    'of every commit at %s is known to be its own, and done with',
    async (provider) => {
      const { testKey: apiKey } = await world.createMerchant({ routing: { rules: [], default: [provider] } });
      await wantEvents(world, provider, 'all');
      const payment = await anAuthorizedPayment(world, {}, apiKey);
      expect(payment.processor).toBe(provider);
      const { captures } = (await capture(world, payment.id, '10.00', { apiKey })).data;
      const paidBack = (await refund(world, payment.id, '4.00', { apiKey })).data;
      expect(paidBack.status).toBe('succeeded');
      const ids = [payment.id, captures?.[0]?.id ?? '', paidBack.id];
      for (const id of ids) {
        const events = await until(`the events of ${id} have come and are done with`, async () => {
          const found = await eventsOf(id);
          return found.length > 0 && found.every(({ status }) => status !== 'pending') ? found : null;
        });
        expect(new Set(events.map(({ source }) => source))).toEqual(new Set([provider]));
        expect(events.some(({ status }) => status === 'processed')).toBe(true);
      }
      const { rows } = await world.admin.query('SELECT FROM discrepancies WHERE payment_id = $1', [payment.id]);
      expect(rows).toEqual([]);
    },
  );

  test('ten times each and in the wrong order leaves a payment as it is', async () => {
    const { id } = await aCapturedPayment(world);
    const types = ['charge.declined', 'charge.approved', 'charge.pending'];
    const bodies = types.map((type) => easypayEvent(type, id));
    const answers = await Promise.all(bodies.flatMap((body) => Array.from({ length: 10 }, () => tell(body))));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    const events = await doneWith(id);
    expect(new Set(events.map(({ event_type }) => event_type))).toEqual(new Set(types));
    expect(events).toHaveLength(types.length);
    for (const { processed_at } of events) expect(processed_at).toBeInstanceOf(Date);
    await expectCapturedOnce(id);
  });

  test('ten times each and in the wrong order leaves a refund as it is', async () => {
    const { id: paymentId } = await aCapturedPayment(world);
    const { id, status } = (await refund(world, paymentId, '10.00')).data;
    expect(status).toBe('succeeded');
    const bodies = ['refund.declined', 'refund.pending', 'refund.approved'].map((type) => easypayEvent(type, id));
    await Promise.all(bodies.flatMap((body) => Array.from({ length: 10 }, () => tell(body))));
    expect(await doneWith(id)).toHaveLength(3);
    expect((await refundOf(world, id)).status).toBe('succeeded');
    expect(await bookedOf(world, id)).toEqual(['refund 1000']);
  });

  test('that is forged, altered or stale is refused, and stored nowhere', async () => {
    const payment = await anUntoldPayment();
    const body = easypayEvent('charge.approved', payment.id);
    const other = easypayEvent('charge.declined', payment.id);
    const at = Math.floor(Date.now() / 1_000);
    const of = (text: string) => easypaySignature(world.easypayWebhookSecret, text, at);
    const forgeries: Signing[] = [
      { secret: 'guessed' },
      { ageSeconds: 3_600 },
      { ageSeconds: -3_600 },
      { signature: '' },
      { signature: 'v1=' },
      { signature: of(other) },
      { signature: of(body).replace(`t=${at}`, `t=${at + 1}`) },
    ];
    for (const forgery of forgeries) {
      const { status, text } = await tell(body, forgery);
      expect([forgery, status]).toEqual([forgery, 401]);
      expect(text).toContain('event_refused');
      expect(text).not.toContain(payment.id);
    }
    expect(await eventsOf(payment.id)).toEqual([]);
    expect((await paymentOf(world, payment.id)).status).toBe('requires_action'); // it would have led to a look
    expect((await tell(body)).status).toBe(200);
    await expectCapturedOnce(payment.id);
    await doneWith(payment.id);
  });

  test('about nothing of ours is kept as ignored, once', async () => {
    const reference = `pay_${'0'.repeat(26)}`;
    const body = easypayEvent('charge.approved', reference);
    for (let time = 0; time < 3; time++) {
      const answer = await tell(body);
      expect([answer.status, answer.outcome]).toEqual([200, 'ignored']);
    }
    expect(await eventsOf(reference)).toMatchObject([{ status: 'ignored' }]);
    const { rows } = await world.admin.query('SELECT FROM payments WHERE id = $1', [reference]);
    expect(rows).toEqual([]);
  });

  test('that says more than is true is held against the provider, which decides', async () => {
    const payment = await pay({ card_token: 'tok_visa_challenge_3220' });
    await world.bank.inject([]); // counts from here on
    expect((await tell(easypayEvent('charge.approved', payment.id))).status).toBe(200);
    await until('somebody looked', async () => (await world.bank.served()).lookup > 0);
    expect((await paymentOf(world, payment.id)).status).toBe('requires_action');
    expect(await bookedOf(world, payment.id)).toEqual([]);
    await approveAndLeave(payment);
    await expectCapturedOnce(payment.id);
    await doneWith(payment.id);
  });
});

describe('an event about what is in doubt', () => {
  test('settles a payment and a refund sooner than the next question would have', async () => {
    const { id: paymentId } = await aCapturedPayment(world);
    await world.bank.inject([
      once('charge', 'lost_after'),
      once('refund', 'lost_after'),
      always('lookup', '500_before'),
    ]);
    const { id } = await pay({}, undefined, 'respond-async');
    const { id: refundId, key } = aMovementCall(world, 'refund', paymentId, '10.00');
    expect((await refund(world, paymentId, '10.00', { key, prefer: 'respond-async' })).status).toBe(202);
    const [payDueAt, refundDueAt] = await until('both next questions are seconds away', async () => {
      const [one, other] = await Promise.all([nextTryOf(id, 'askProvider'), nextTryOf(refundId, 'askMovement')]);
      return one === null || other === null ? null : ([one, other] as const);
    });
    await world.bank.heal();
    const told = [easypayEvent('charge.approved', id), easypayEvent('refund.approved', refundId)].map((body) =>
      tell(body),
    );
    expect((await Promise.all(told)).map(({ outcome }) => outcome)).toEqual(['pending', 'pending']);
    await expectCapturedOnce(id);
    await until('the refund is made', async () => (await refundOf(world, refundId)).status === 'succeeded');
    expect(Date.parse((await paymentOf(world, id)).processed_at ?? '')).toBeLessThan(payDueAt);
    expect(Date.parse((await refundOf(world, refundId)).updated_at)).toBeLessThan(refundDueAt);
    expect(await bookedOf(world, refundId)).toEqual(['refund 1000']);
    await Promise.all([doneWith(id), doneWith(refundId)]);
  });

  /** When the next question is due, where that is seconds away: an instant in ms. */
  async function nextTryOf(workflowId: string, type: string): Promise<number | null> {
    const { raw } = await world.temporal.workflow.getHandle(workflowId).describe();
    const pending = raw.pendingActivities?.find((one) => one.activityType?.name === type && (one.attempt ?? 0) >= 5);
    const dueAt = Number(pending?.nextAttemptScheduleTime?.seconds ?? 0) * 1_000;
    return dueAt > Date.now() + 2_000 ? dueAt : null;
  }
});

describe('an event that nobody can hand over at once', () => {
  test('because Temporal is away is stored, and handed over by the sweep', async () => {
    const payment = await anUntoldPayment();
    world.temporalServer.pause();
    try {
      const answer = await tell(easypayEvent('charge.approved', payment.id));
      expect([answer.status, answer.outcome]).toEqual([200, 'pending']);
    } finally {
      world.temporalServer.resume();
    }
    expect(await eventsOf(payment.id)).toMatchObject([{ status: 'pending' }]);
    await sweepEventsOf(payment.id);
    await expectCapturedOnce(payment.id);
    await doneWith(payment.id);
  });

  test('because the API was killed behind its row is handed over by the sweep', async () => {
    const payment = await anUntoldPayment();
    const body = easypayEvent('charge.approved', payment.id);
    world.temporalServer.pause();
    try {
      const answer = tell(body);
      answer.catch(() => undefined);
      await until('its row is there', async () => (await eventsOf(payment.id)).length > 0);
      await world.api.kill();
      await expect(answer).rejects.toThrow();
    } finally {
      world.temporalServer.resume();
    }
    await world.api.start();
    const again = await tell(body); // as every provider does that got no answer
    expect(again.status).toBe(200);
    // Temporal may find the dead process's word on its line when it wakes: then nothing is left to be handed over.
    if (again.outcome === 'pending') await sweepEventsOf(payment.id);
    else expect(again.outcome).toBe('processed');
    await expectCapturedOnce(payment.id);
    expect(await doneWith(payment.id)).toHaveLength(1);
  });
});

test('after all that, every event is done with, and the books agree', async () => {
  await until('no event is open', async () => {
    const { rows } = await world.admin.query("SELECT FROM webhooks WHERE status = 'pending'");
    return rows.length === 0;
  });
  const { rows } = await world.admin.query<{ status: string }>('SELECT DISTINCT status FROM webhooks');
  expect(rows.map(({ status }) => status).toSorted()).toEqual(['ignored', 'processed']);
  await expectInvariants(world);
});
