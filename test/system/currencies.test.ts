import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { callApi } from '../support/api-call.ts';
import { aPayment, type Problem, postPayment } from '../support/api-client.ts';
import { expectInvariants } from '../support/invariants.ts';
import {
  anAuthorizedPayment,
  cancel,
  capture,
  firstVoidIdOf,
  type MovementAnswer,
  refund,
} from '../support/movement-call.ts';
import { bookedOf, listOf, paymentOf } from '../support/payment-life.ts';
import { startWorld, type TestMerchant, type World } from '../support/world.ts';

let world: World;
/** One percent and a fixed part; its ledger holds the payments of this file alone. */
let merchant: TestMerchant;
/** The same, whose payments go to PayPal. */
let paypalMerchant: TestMerchant;
beforeAll(async () => {
  world = await startWorld();
  const fee = { basis_points: 100, fixed: { JPY: '5', KWD: '0.050', USD: '0.30', CLF: '0.0010', HUF: '10.00' } };
  merchant = await world.createMerchant({ fee });
  paypalMerchant = await world.createMerchant({ fee, routing: { rules: [], default: ['paypal'] } });
});
afterAll(() => world?.close());

interface Posting {
  readonly event_id: string;
  readonly account: string;
  readonly amount: string;
  readonly direction: string;
  readonly object_id: string;
}
const eventDataOf = async (id: string, apiKey: string) =>
  (await listOf<{ type: string; data: Record<string, unknown> }>(world, `/events?object_id=${id}`, apiKey)).map(
    ({ type, data }) => [type, data] as const,
  );
const refusalOf = ({ status, problem }: { readonly status: number; readonly problem: Problem }) => [
  status,
  problem.code,
  problem.errors?.map(({ pointer }) => pointer),
];

/** An amount on the wire and in minor units. */
type Amount = readonly [wire: string, minor: string];

/** One currency's payment: reserved, captured in part, refunded in part, the rest given back; and the fee. */
interface Walk {
  readonly currency: string;
  readonly amount: Amount;
  readonly captured: Amount;
  readonly refunded: Amount;
  readonly voided: Amount;
  readonly fee: string;
  /** What the balance is in the end: owed to the merchant, and what the provider owes. */
  readonly available: string;
  readonly receivable: string;
  readonly zero: string;
}

const walks: readonly Walk[] = [
  {
    currency: 'JPY',
    amount: ['1000', '1000'],
    captured: ['400', '400'],
    refunded: ['150', '150'],
    voided: ['600', '600'],
    fee: '9',
    available: '241',
    receivable: '250',
    zero: '0',
  },
  {
    currency: 'KWD',
    amount: ['10.234', '10234'],
    captured: ['4.100', '4100'],
    refunded: ['1.050', '1050'],
    voided: ['6.134', '6134'],
    fee: '0.091',
    available: '2.959',
    receivable: '3.050',
    zero: '0.000',
  },
  {
    currency: 'USD',
    amount: ['25.99', '2599'],
    captured: ['10.00', '1000'],
    refunded: ['2.50', '250'],
    voided: ['15.99', '1599'],
    fee: '0.40',
    available: '7.10',
    receivable: '7.50',
    zero: '0.00',
  },
  {
    currency: 'CLF',
    amount: ['1.2345', '12345'],
    captured: ['0.5000', '5000'],
    refunded: ['0.0001', '1'],
    voided: ['0.7345', '7345'],
    fee: '0.0060',
    available: '0.4939',
    receivable: '0.4999',
    zero: '0.0000',
  },
];

/** Takes a payment through all that can happen to it, and holds every book against every other. */
async function take(walk: Walk, { testKey: apiKey }: TestMerchant, provider: string): Promise<void> {
  const { currency, amount, captured, refunded, voided, fee } = walk;
  const { id } = await anAuthorizedPayment(world, { amount: amount[0], currency }, apiKey);
  expect(await bookedOf(world, id)).toEqual([`authorize ${amount[1]}`]);
  const taken = (await capture(world, id, captured[0], { apiKey })).data;
  const captureId = taken.captures?.[0]?.id ?? '';
  expect(taken.captures).toMatchObject([{ amount: captured[0], status: 'succeeded' }]);
  expect(await bookedOf(world, captureId)).toEqual([`capture ${captured[1]}`]);
  const paidBack = (await refund(world, id, refunded[0], { apiKey })).data;
  expect(paidBack).toMatchObject({ amount: refunded[0], currency, status: 'succeeded' });
  expect(await bookedOf(world, paidBack.id)).toEqual([`refund ${refunded[1]}`]);
  expect((await cancel(world, id, { apiKey })).status).toBe(200);
  const voids =
    provider === 'easypay' ? await bookedOf(world, firstVoidIdOf(id)) : (await bookedOf(world, id)).slice(1);
  expect(voids).toEqual([`void ${voided[1]}`]);
  for (const { currency: booked } of await world.bank.movements(id)) expect(booked).toBe(currency);

  expect(await paymentOf(world, id, apiKey)).toMatchObject({
    amount: amount[0],
    currency,
    authorized_amount: amount[0],
    captured_amount: captured[0],
    voided_amount: voided[0],
    refunded_amount: refunded[0],
  });
  const balances = await listOf<{ currency: string }>(world, '/balance', apiKey);
  expect(balances.find((one) => one.currency === currency)).toEqual({
    currency,
    available: walk.available,
    refunds_pending: walk.zero,
    receivable: walk.receivable,
    fees: fee,
  });
  await expectTold(walk, id, apiKey, { captureId, refundId: paidBack.id, provider });
}

/** What the ledger and the events say about it. */
async function expectTold(
  { currency, amount, captured, refunded, voided, fee }: Walk,
  id: string,
  apiKey: string,
  about: { readonly captureId: string; readonly refundId: string; readonly provider: string },
): Promise<void> {
  const postings = await listOf<Posting>(world, `/ledger?payment_id=${id}&currency=${currency}`, apiKey);
  const told = (objectId: string) =>
    postings
      .filter((one) => one.object_id === objectId)
      .map(({ account, amount: posted, direction }) => `${account} ${direction} ${posted}`);
  const ofCapture = told(about.captureId);
  expect(ofCapture).toHaveLength(3);
  expect(ofCapture).toContain(`receivable.${about.provider} debit ${captured[0]}`);
  expect(ofCapture).toContain(`fees credit ${fee}`);
  const ofRefund = told(about.refundId);
  expect(ofRefund).toHaveLength(4);
  expect(ofRefund).toContain(`merchant debit ${refunded[0]}`);
  expect(ofRefund).toContain(`receivable.${about.provider} credit ${refunded[0]}`);

  const events = await eventDataOf(id, apiKey);
  for (const [, data] of events) expect(data).toMatchObject({ amount: amount[0], currency });
  expect(events.at(-1)?.[1]).toMatchObject({
    authorized_amount: amount[0],
    captured_amount: captured[0],
    voided_amount: voided[0],
    refunded_amount: refunded[0],
  });
  for (const [, data] of await eventDataOf(about.refundId, apiKey)) {
    expect(data).toMatchObject({ amount: refunded[0], currency });
  }
}

describe('no factor of ten anywhere', () => {
  test.each(walks)('$currency: the same amounts on the wire, at the bank, in the ledger and in events', (walk) =>
    take(walk, merchant, 'easypay'),
  );

  // Two decimals in ISO 4217 and none at PayPal; JPY has none in either.
  test.each([
    {
      currency: 'HUF',
      amount: ['2600.00', '260000'],
      captured: ['1000.00', '100000'],
      refunded: ['400.00', '40000'],
      voided: ['1600.00', '160000'],
      fee: '20.00',
      available: '580.00',
      receivable: '600.00',
      zero: '0.00',
    },
    {
      currency: 'JPY',
      amount: ['1000', '1000'],
      captured: ['400', '400'],
      refunded: ['150', '150'],
      voided: ['600', '600'],
      fee: '9',
      available: '241',
      receivable: '250',
      zero: '0',
    },
    {
      currency: 'TWD',
      amount: ['300.00', '30000'],
      captured: ['100.00', '10000'],
      refunded: ['1.00', '100'],
      voided: ['200.00', '20000'],
      fee: '1.00',
      available: '98.00',
      receivable: '99.00',
      zero: '0.00',
    },
  ] satisfies Walk[])('$currency at PayPal, which counts other decimals than ISO 4217', (walk) =>
    take(walk, paypalMerchant, 'paypal'),
  );
});

describe('an amount that its currency, or its provider, cannot have', () => {
  test.each([
    ['JPY', '1000', '1.0'],
    ['KWD', '10.234', '1.2345'],
    ['USD', '25.99', '1.999'],
    ['CLF', '1.2345', '0.00001'],
  ])('in %s is refused on every route, and stores nothing', async (currency, amount, tooFine) => {
    const { testKey: apiKey } = merchant;
    const refused = [422, 'validation_failed', ['/amount']];
    const body = aPayment({ amount: tooFine, currency });
    expect(refusalOf(await postPayment(world.apiUrl, body, { apiKey }))).toEqual(refused);
    const { id } = await anAuthorizedPayment(world, { amount, currency }, apiKey);
    const answers: MovementAnswer<unknown>[] = [await capture(world, id, tooFine, { apiKey })];
    expect((await capture(world, id, undefined, { apiKey })).data.captured_amount).toBe(amount);
    answers.push(await refund(world, id, tooFine, { apiKey }));
    for (const answer of answers) expect(refusalOf(answer)).toEqual(refused);
    expect(await listOf(world, `/payments/${id}/captures`, apiKey)).toHaveLength(1);
    expect(await listOf(world, `/payments/${id}/refunds`, apiKey)).toEqual([]);
  });

  test('at PayPal leaves the payment without a provider, and a movement refused by it', async () => {
    const { testKey: apiKey } = paypalMerchant;
    const half = aPayment({ amount: '2600.50', currency: 'HUF' });
    const { payment } = await postPayment(world.apiUrl, half, { apiKey });
    expect(payment).toMatchObject({ status: 'failed', failure: { code: 'no_eligible_provider' } });
    expect(payment.routing.ineligible).toMatchObject([{ provider: 'paypal' }]);
    const { id } = await anAuthorizedPayment(world, { amount: '2600.00', currency: 'HUF' }, apiKey);
    const captured = await capture(world, id, '10.50', { apiKey });
    expect(captured.status).toBe(201);
    expect(captured.data).toMatchObject({ status: 'authorized', captured_amount: '0.00' });
    expect(captured.data.captures).toMatchObject([{ status: 'failed', failure: { code: 'provider_rejected' } }]);
    expect((await capture(world, id, undefined, { apiKey })).data.captured_amount).toBe('2600.00');
    const paidBack = await refund(world, id, '10.50', { apiKey });
    expect(paidBack.data).toMatchObject({ status: 'failed', failure: { code: 'provider_rejected' } });
    expect((await refund(world, id, undefined, { apiKey })).data).toMatchObject({
      amount: '2600.00',
      status: 'succeeded',
    });
  });
});

test('a merchant who takes some currencies only is paid in no other one', async () => {
  const { testKey: apiKey, liveKey } = await world.createMerchant({ currencies: ['EUR', 'JPY'] });
  for (const key of [apiKey, liveKey]) {
    const refused = await postPayment(world.apiUrl, aPayment(), { apiKey: key });
    expect(refusalOf(refused)).toEqual([422, 'validation_failed', ['/currency']]);
    expect(refused.problem.errors?.[0]?.detail).toContain('EUR, JPY');
  }
  const taken = await postPayment(world.apiUrl, aPayment({ amount: '100', currency: 'JPY' }), { apiKey });
  expect(taken.payment).toMatchObject({ status: 'captured', captured_amount: '100' });
  expect(await listOf(world, '/payments', apiKey)).toHaveLength(1);
  const { body } = await callApi<{ data: { currency: string; available: string }[] }>(world.apiUrl, apiKey, {
    path: '/api/v1/balance',
  });
  expect(body.data).toMatchObject([{ currency: 'JPY', available: '100' }]);
});

test('after all that, the books agree', async () => {
  await expectInvariants(world);
});
