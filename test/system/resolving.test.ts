import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { PaymentObject } from '../../api/payment-object.ts';
import type { RefundObject } from '../../api/refund-object.ts';
import { callApi, type List } from '../support/api-call.ts';
import { aPayment, type Problem, postPayment } from '../support/api-client.ts';
import type { FaultRule } from '../support/bank.ts';
import { easypayEvent, tellEasypayEvent } from '../support/easypay-event.ts';
import { expectInvariants } from '../support/invariants.ts';
import {
  aCapturedPayment,
  anAuthorizedPayment,
  cancel,
  capture,
  firstVoidIdOf,
  type MovementAnswer,
  postTo,
  refund,
} from '../support/movement-call.ts';
import { always, bookedOf, hasStatus, isParked, once, paymentOf, refundOf } from '../support/payment-life.ts';
import { until } from '../support/until.ts';
import { startWorld, type TestMerchant, type World } from '../support/world.ts';

const operations: readonly FaultRule['operation'][] = ['charge', 'capture', 'void', 'refund'];
const decision = { evidence: 'statement line 17', reason: 'seen at the provider' };
const hurried = { prefer: 'respond-async' } as const;

let world: World;
/** A merchant whose doubts last for twenty seconds. */
let merchant: TestMerchant;

/** What is in doubt: payments, but for `refund`, and what the bank has of it. */
interface Doubts {
  readonly charge: string;
  readonly capture: string;
  readonly void: string;
  readonly refund: { readonly id: string; readonly paymentId: string };
}
/** Carried out, and nobody says so. */
let moved: Doubts;
/** Not carried out, and nobody says so. */
let lost: Doubts;
/** Charges that were carried out: one that the provider speaks about while a person decides, and one afterwards. */
let raced: string;
let contradicted: string;
/** A reservation at PayPal whose time to capture is over, and that PayPal does not give back. */
let expired: PaymentObject;
let atPaypal: TestMerchant;

beforeAll(async () => {
  world = await startWorld();
  merchant = await world.createMerchant({ expires_after: 10, ask_for: 10 });
  const routing = { rules: [], default: ['paypal'] };
  atPaypal = await world.createMerchant({ expires_after: 10, ask_for: 10, capture_within: 1, routing });
  await world.bank.at('paypal').inject([always('void', '503')]);
  expired = await anAuthorizedPayment(world, {}, atPaypal.testKey);
  const prepared = { moved: await prepare(), lost: await prepare() };
  await world.bank.inject([...operations.map((one) => always(one, 'lost_after')), always('lookup', '500_before')]);
  [moved, raced, contradicted] = await Promise.all([begin(prepared.moved), aCharge(), aCharge()]);
  await until('the bank has carried them out', async () => {
    const references = [moved.charge, moved.refund.id, firstVoidIdOf(moved.void), raced, contradicted];
    const booked = await Promise.all(references.map((one) => bookedOf(world, one)));
    return booked.every((one) => one.length === 1) && (await capturesOf(moved.capture)).length === 1;
  });
  await world.bank.inject([...operations.map((one) => always(one, '500_before')), always('lookup', '500_before')]);
  lost = await begin(prepared.lost);
});
afterEach(() => world?.bank.release());
afterAll(() => world?.close());

const ownKey = () => ({ apiKey: merchant.testKey });
const operator = () => ({ apiKey: world.operatorKey });
const shown = (id: string) => paymentOf(world, id, merchant.testKey);
const shownRefund = (id: string) => refundOf(world, id, merchant.testKey);
const refusalOf = ({ status, problem }: { readonly status: number; readonly problem: Problem }) => [
  status,
  problem.code,
];
const alertsOf = async (id: string) =>
  (
    await world.admin.query<{ kind: string; isOpen: boolean }>(
      'SELECT kind, closed_at IS NULL AS "isOpen" FROM alerts WHERE resource_id = $1',
      [id],
    )
  ).rows;
const lastActOn = async (id: string) =>
  (
    await world.admin.query('SELECT * FROM payment_audit_trail WHERE object_id = $1 ORDER BY created_at DESC LIMIT 1', [
      id,
    ])
  ).rows[0];

async function prepare() {
  const [toCapture, toVoid, toRefund] = await Promise.all([
    anAuthorizedPayment(world, {}, merchant.testKey),
    anAuthorizedPayment(world, {}, merchant.testKey),
    aCapturedPayment(world, {}, merchant.testKey),
  ]);
  return { capture: toCapture.id, void: toVoid.id, refund: toRefund.id };
}

async function aCharge(): Promise<string> {
  const options = { apiKey: merchant.testKey, headers: hurried };
  return (await postPayment(world.apiUrl, aPayment(), options)).payment.id;
}

/** Asks for one of each, of which nobody will hear. */
async function begin(prepared: Awaited<ReturnType<typeof prepare>>): Promise<Doubts> {
  const options = { ...ownKey(), ...hurried };
  const [charge, captured, voided, refunded] = await Promise.all([
    aCharge(),
    capture(world, prepared.capture, undefined, options),
    cancel(world, prepared.void, options),
    refund(world, prepared.refund, '10.00', options),
  ]);
  expect([captured.status, voided.status, refunded.status]).toEqual([202, 202, 202]);
  const { data } = refunded;
  return {
    charge,
    capture: prepared.capture,
    void: prepared.void,
    refund: { id: data.id, paymentId: prepared.refund },
  };
}

async function capturesOf(paymentId: string): Promise<string[]> {
  const { captures } = await shown(paymentId);
  return (await Promise.all((captures ?? []).map(({ id }) => bookedOf(world, id)))).flat();
}

const resolvePayment = (id: string, outcome: string, options = operator()) =>
  postTo<PaymentObject>(world, `/payments/${id}/resolve`, { outcome, ...decision }, options);
const resolveRefund = (id: string, outcome: string, options = operator()) =>
  postTo<RefundObject>(world, `/refunds/${id}/resolve`, { outcome, ...decision }, options);

describe('what nobody can say anything about in time', () => {
  test('becomes unresolved, each with one alert for an operator', async () => {
    const payments = [moved, lost].flatMap((one) => [one.charge, one.capture, one.void]).concat(raced, contradicted);
    for (const id of payments) {
      const payment = await until(`${id} is unresolved`, async () => {
        const found = await shown(id);
        return found.status === 'unresolved' ? found : null;
      });
      expect(payment.failure?.code).toBe('outcome_unknown');
      expect(await alertsOf(id)).toEqual([{ kind: 'payment_unresolved', isOpen: true }]);
    }
    for (const { id, paymentId } of [moved.refund, lost.refund]) {
      await until(`${id} is unresolved`, async () => (await shownRefund(id)).status === 'unresolved');
      expect(await alertsOf(id)).toEqual([{ kind: 'refund_unresolved', isOpen: true }]);
      expect(await shown(paymentId)).toMatchObject({ status: 'captured', refunded_amount: '0.00' });
    }
    await world.bank.heal();
  });

  test('lets nothing else of the payment begin, and keeps what a refund has reserved', async () => {
    for (const id of [lost.charge, lost.capture, lost.void]) {
      const answers: MovementAnswer<unknown>[] = await Promise.all([
        capture(world, id, undefined, ownKey()),
        refund(world, id, undefined, ownKey()),
        ...(id === lost.void ? [] : [cancel(world, id, ownKey())]),
      ]);
      for (const answer of answers) expect(refusalOf(answer)).toEqual([409, 'movement_in_progress']);
    }
    const joined = await cancel(world, lost.void, ownKey()); // the void is what it wants
    expect([joined.status, joined.data.status]).toEqual([202, 'unresolved']);
    const tooMuch = await refund(world, lost.refund.paymentId, '16.00', ownKey());
    expect(refusalOf(tooMuch)).toEqual([409, 'amount_exceeds_refundable']);
    const beside = await refund(world, lost.refund.paymentId, '15.99', ownKey());
    expect(beside.data.status).toBe('succeeded');
  });

  test('is decided by operators alone', async () => {
    const stranger = await world.createMerchant();
    for (const apiKey of [merchant.testKey, merchant.liveKey, stranger.testKey]) {
      const answers: { readonly status: number; readonly problem: Problem }[] = [
        await resolvePayment(lost.charge, 'failed', { apiKey }),
        await resolveRefund(lost.refund.id, 'failed', { apiKey }),
        await callApi(world.apiUrl, apiKey, { path: '/api/v1/discrepancies' }),
      ];
      for (const answer of answers) expect(refusalOf(answer)).toEqual([403, 'forbidden']);
    }
    expect((await shown(lost.charge)).status).toBe('unresolved');
  });

  test('is decided in a word that fits it', async () => {
    for (const [id, outcome] of [
      [lost.charge, 'authorized'],
      [lost.charge, 'canceled'],
      [lost.capture, 'canceled'],
      [lost.void, 'captured'],
    ] as const) {
      const answer = await resolvePayment(id, outcome);
      expect(refusalOf(answer)).toEqual([422, 'validation_failed']);
      expect(answer.problem.errors).toMatchObject([{ pointer: '/outcome' }]);
      expect((await shown(id)).status).toBe('unresolved');
    }
  });
});

describe('an operator who decides that it happened', () => {
  test.each([
    ['charge', 'captured', { status: 'captured', captured_amount: '25.99', failure: null }],
    ['capture', 'captured', { status: 'captured', captured_amount: '25.99', failure: null }],
    ['void', 'canceled', { status: 'canceled', voided_amount: '25.99', failure: null }],
  ] as const)('ends a %s so', async (what, outcome, end) => {
    const id = moved[what];
    const answer = await resolvePayment(id, outcome);
    expect(answer.status).toBe(200);
    expect(answer.data).toMatchObject(end);
    await expectDecided(id, outcome === 'canceled' ? 'canceled' : 'captured');
  });

  test('ends a refund so', async () => {
    const { id, paymentId } = moved.refund;
    const answer = await resolveRefund(id, 'refunded');
    expect([answer.status, answer.data.status, answer.data.failure]).toEqual([200, 'succeeded', null]);
    expect(await shown(paymentId)).toMatchObject({ status: 'partially_refunded', refunded_amount: '10.00' });
    expect(await alertsOf(id)).toEqual([{ kind: 'refund_unresolved', isOpen: false }]);
    expect(await bookedOf(world, id)).toEqual(['refund 1000']);
  });
});

describe('an operator who decides that it did not happen', () => {
  test('ends a charge as failed', async () => {
    const answer = await resolvePayment(lost.charge, 'failed');
    expect(answer.data).toMatchObject({ status: 'failed', failure: { code: 'resolved_not_charged' } });
    await expectDecided(lost.charge, 'failed');
    expect(await bookedOf(world, lost.charge)).toEqual([]);
  });

  test.each(['capture', 'void'] as const)(
    'leaves a payment authorized after a %s, and open to another one',
    async (what) => {
      const id = lost[what];
      const answer = await resolvePayment(id, 'failed');
      expect([answer.status, answer.data.status, answer.data.failure]).toEqual([200, 'authorized', null]);
      await expectDecided(id, 'authorized');
      const again =
        what === 'capture' ? await capture(world, id, '10.00', ownKey()) : await cancel(world, id, ownKey());
      expect(again.data.status).toBe(what === 'capture' ? 'captured' : 'canceled');
      const [first] = again.data.captures ?? [];
      if (what === 'capture')
        expect(first).toMatchObject({ status: 'failed', failure: { code: 'resolved_not_moved' } });
    },
  );

  test('gives the amount of a refund free again', async () => {
    const { id, paymentId } = lost.refund;
    const answer = await resolveRefund(id, 'failed');
    expect([answer.status, answer.data.status, answer.data.failure?.code]).toEqual([
      200,
      'failed',
      'resolved_not_moved',
    ]);
    expect(await alertsOf(id)).toEqual([{ kind: 'refund_unresolved', isOpen: false }]);
    expect(await bookedOf(world, id)).toEqual([]);
    expect((await refund(world, paymentId, undefined, ownKey())).data).toMatchObject({
      amount: '10.00',
      status: 'succeeded',
    });
  });

  test('is the last to decide it', async () => {
    expect(refusalOf(await resolvePayment(lost.charge, 'captured'))).toEqual([409, 'not_unresolved']);
    expect(refusalOf(await resolveRefund(lost.refund.id, 'refunded'))).toEqual([409, 'not_unresolved']);
  });
});

/** Who decided, why, and that nobody is asked any more. */
async function expectDecided(id: string, status: PaymentObject['status']): Promise<void> {
  expect(await alertsOf(id)).toEqual([{ kind: 'payment_unresolved', isOpen: false }]);
  const act = await lastActOn(id);
  expect(act).toMatchObject({
    actor: expect.stringMatching(/^operator_key:/),
    from_status: 'unresolved',
    to_status: status,
  });
}

test('a reservation that must be given back is tried again after an operator says that it was not', async () => {
  await hasStatus(world, expired.id, 'unresolved', atPaypal.testKey);
  expect(await alertsOf(expired.id)).toEqual([{ kind: 'payment_unresolved', isOpen: true }]);
  await world.bank.at('paypal').heal();
  expect((await resolvePayment(expired.id, 'failed')).status).toBe(200);
  const canceled = await hasStatus(world, expired.id, 'canceled', atPaypal.testKey);
  expect(canceled).toMatchObject({ voided_amount: '25.99', failure: null });
  expect(await bookedOf(world, expired.id)).toEqual(['authorize 2599', 'void 2599']); // PayPal’s voids name the payment
});

test('of several operators who decide at once one does, and the others are told', async () => {
  await world.bank.inject([once('charge', 'wrong_amount')]);
  const { payment } = await postPayment(world.apiUrl, aPayment(), ownKey());
  expect(payment).toMatchObject({ status: 'unresolved', failure: { code: 'amount_mismatch' } });
  const answers = await Promise.all([1, 2, 3].map(() => resolvePayment(payment.id, 'captured')));
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  for (const answer of answers.filter(({ status }) => status !== 200)) {
    expect(answer.status).toBe(409);
    expect(['not_unresolved', 'movement_in_progress']).toContain(answer.problem.code);
  }
  await expectDecided(payment.id, 'captured');
  const { rows } = await world.admin.query(
    "SELECT FROM payment_audit_trail WHERE object_id = $1 AND action = 'resolve'",
    [payment.id],
  );
  expect(rows).toHaveLength(1);
});

test('a provider that answers while a person decides is heard first, and the person is told', async () => {
  await world.outside('/park/easypay', {
    method: 'PUT',
    body: JSON.stringify({ operation: 'lookup', point: 'before_commit', reference: raced }),
  });
  expect((await tellEasypayEvent(world, easypayEvent('charge.approved', raced))).status).toBe(200);
  await isParked(world, raced);
  const decided = resolvePayment(raced, 'failed');
  await until('the decision waits in the workflow', async () => {
    const { events } = await world.temporal.workflow.getHandle(raced).fetchHistory();
    return events?.some(
      ({ workflowExecutionUpdateAcceptedEventAttributes: update }) =>
        update?.acceptedRequest?.input?.name === 'resolvePayment',
    );
  });
  await world.bank.release();
  expect(refusalOf(await decided)).toEqual([409, 'not_unresolved']);
  expect(await shown(raced)).toMatchObject({ status: 'captured', captured_amount: '25.99', failure: null });
  expect(await alertsOf(raced)).toEqual([{ kind: 'payment_unresolved', isOpen: false }]);
  expect(await bookedOf(world, raced)).toEqual(['charge 2599']);
});

test('after all that, the books agree', async () => {
  await expectInvariants(world);
});

/** Last, because here the books must not agree: what was decided is not what the bank has done. */
test('a provider that contradicts later what was decided changes nothing, and a person must look at it', async () => {
  const id = contradicted;
  const before = (await resolvePayment(id, 'failed')).data;
  expect(before).toMatchObject({ status: 'failed', captured_amount: '0.00' });
  for (let time = 0; time < 2; time++) {
    expect((await tellEasypayEvent(world, easypayEvent('charge.approved', id))).status).toBe(200);
  }
  const [found, ...others] = await until('the contradiction is written down', async () => {
    const { data } = await discrepancies('?status=open');
    return data.length > 0 ? data : null;
  });
  await until('both events are done with', async () => {
    const { rows } = await world.admin.query("SELECT FROM webhooks WHERE reference = $1 AND status = 'processed'", [
      id,
    ]);
    return rows.length === 2;
  });
  expect(others).toEqual([]);
  expect(found).toMatchObject({
    merchant_id: merchant.id,
    payment_id: id,
    object_id: id,
    provider: 'easypay',
    recorded: 'declined',
    reported: 'approved',
    amount: '25.99',
    currency: 'USD',
    status: 'open',
    closed_at: null,
  });
  const discrepancyId = found?.id ?? '';
  expect(await alertsOf(discrepancyId)).toEqual([{ kind: 'discrepancy', isOpen: true }]);
  expect(world.worker.output()).toContain('"alert":"discrepancy"');
  expect(await shown(id)).toEqual(before);
  expect(await bookedOf(world, id)).toEqual(['charge 2599']);

  const close = (reason: string) =>
    postTo<Discrepancy>(world, `/discrepancies/${discrepancyId}/close`, { reason }, operator());
  const closed = await close('paid back by hand');
  expect([closed.status, closed.data.status, closed.data.closed_reason]).toEqual([200, 'closed', 'paid back by hand']);
  expect((await close('once more')).data).toEqual(closed.data);
  expect(await alertsOf(discrepancyId)).toEqual([{ kind: 'discrepancy', isOpen: false }]);
  expect((await discrepancies('?status=open')).data).toEqual([]);
  expect((await discrepancies('')).data).toEqual([closed.data]);
  expect(await shown(id)).toEqual(before);
});

interface Discrepancy {
  readonly id: string;
  readonly status: string;
  readonly closed_reason: string | null;
}

async function discrepancies(query: string): Promise<List<Discrepancy>> {
  const path = `/api/v1/discrepancies${query}`;
  return (await callApi<List<Discrepancy>>(world.apiUrl, world.operatorKey, { path })).body;
}
