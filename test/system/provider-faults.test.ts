import { randomInt, randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { resolvePayment } from '../../workflows/contract.ts';
import { type Answer, aPayment, getPayment, type PostOptions, postPayment } from '../support/api-client.ts';
import type { FaultRule } from '../support/bank.ts';
import { expectInvariants } from '../support/invariants.ts';
import { until } from '../support/until.ts';
import { startWorld, type TestMerchant, type World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterEach(() => world?.bank.heal());
afterAll(() => world?.close());

const post = (body: unknown = aPayment(), options: Partial<PostOptions> = {}) =>
  postPayment(world.apiUrl, body, { apiKey: world.merchant.testKey, ...options });
const wait = (seconds: number) => ({ prefer: `wait=${seconds}` });
const statusOf = async (id: string, merchant: TestMerchant = world.merchant) =>
  (await getPayment(world.apiUrl, id, merchant.testKey)).payment.status;
const hasStatus = (id: string, status: string, merchant?: TestMerchant) =>
  until(`${id} is ${status}`, async () => (await statusOf(id, merchant)) === status);
const alertsOf = async (id: string) =>
  (await world.admin.query('SELECT kind, owner_role, closed_at FROM alerts WHERE resource_id = $1', [id])).rows;
/** What the provider said that it charged, as it is kept with the attempt. */
const reportedOf = async (id: string) =>
  (await world.admin.query("SELECT outcome -> 'reported' AS reported FROM attempts WHERE payment_id = $1", [id]))
    .rows[0]?.reported;
const auditOf = async (id: string) =>
  (await world.admin.query('SELECT * FROM payment_audit_trail WHERE payment_id = $1 ORDER BY created_at', [id])).rows;

/** A fault that strikes the first charge that it can strike. */
const onceOnCharge = (fault: string, delayMs?: number): FaultRule => ({
  operation: 'charge',
  probability: 1,
  times: 1,
  fault,
  ...(delayMs === undefined ? {} : { delay_ms: delayMs }),
});

describe('one fault on the charge, and the payment is captured with one movement', () => {
  test.for([
    ['lost_after', 'the answer lost after the commit'],
    ['500_after', '500 after the commit'],
    ['500_before', '500 before the commit'],
    ['reset', 'the connection reset'],
    ['late_commit', 'committed late and never answered'],
    ['late_commit', 'committed after we have asked for the first time', 6_000],
    ['cut_json', 'an answer cut in the middle'],
    ['never', 'never answered and never done'],
    ['slow', 'answered slowly'],
    ['429', 'asked to slow down'],
    ['503', 'turned away at the door'],
  ] as const)('%s: %s', async ([fault, , delayMs]) => {
    await world.bank.inject([onceOnCharge(fault, delayMs)]);
    const answer = await post(aPayment(), { headers: wait(30) });
    expect(answer.status).toBe(201);
    expect(answer.payment).toMatchObject({ status: 'captured', captured_amount: '25.99', failure: null });
    await until(`${fault} has struck`, async () => (await world.bank.injected())[fault] === 1);
    expect(await world.bank.movements(answer.payment.id)).toHaveLength(1);
  });
});

test('a provider that asks us to slow down is not asked again before the time that it named', async () => {
  await world.bank.inject([onceOnCharge('429', 2_000)]);
  const { payment } = await post(aPayment(), { headers: wait(30) });
  expect(payment.status).toBe('captured');
  expect(await world.bank.injected()).toEqual({ 429: 1 });
  const [movement] = await world.bank.movements(payment.id);
  expect(Date.parse(movement?.at ?? '') - Date.parse(payment.created_at)).toBeGreaterThanOrEqual(2_000);
});

test('an answer that comes more slowly than we wait for it is found by asking, with one movement', async () => {
  await world.bank.inject([onceOnCharge('slow', 6_000)]);
  const answer = await post(aPayment(), { headers: wait(30) });
  expect(answer.status).toBe(201);
  expect(answer.payment.status).toBe('captured');
  expect(await world.bank.served()).toMatchObject({ charge: 0, lookup: 1 }); // nobody was left to hear the slow answer
  expect(await world.bank.movements(answer.payment.id)).toHaveLength(1);
});

describe('one fault on a look-up while a charge is in doubt, and the payment is captured with one movement', () => {
  test.for(['500_before', 'cut_json', 'reset', '429', '503'])('%s', async (fault) => {
    await world.bank.inject([onceOnCharge('lost_after'), { operation: 'lookup', probability: 1, times: 1, fault }]);
    const answer = await post(aPayment(), { headers: wait(30) });
    expect(answer.status).toBe(201);
    expect(answer.payment.status).toBe('captured');
    expect(await world.bank.injected()).toEqual({ lost_after: 1, [fault]: 1 });
    expect(await world.bank.movements(answer.payment.id)).toHaveLength(1);
  });
});

describe('a charge reported with another amount', () => {
  test('is unresolved with an open alert until an operator resolves it, who is named in the audit trail', async () => {
    await world.bank.inject([onceOnCharge('wrong_amount')]);
    const answer = await post();
    const { id } = answer.payment;
    expect(answer.status).toBe(201);
    expect(answer.payment).toMatchObject({ status: 'unresolved', failure: { code: 'amount_mismatch' } });
    expect(await world.bank.injected()).toEqual({ wrong_amount: 1 });
    expect(await world.bank.movements(id)).toHaveLength(1);
    expect(await alertsOf(id)).toEqual([{ kind: 'payment_unresolved', owner_role: 'operator', closed_at: null }]);
    expect(
      world.worker
        .output()
        .split('\n')
        .filter((line) => line.includes('an operator must act') && line.includes(id)),
    ).toHaveLength(1);
    const reported = await reportedOf(id);
    expect(reported).toEqual({ amountMinor: expect.stringMatching(/^(?!2599$)\d+$/), currency: 'USD' });

    const act = { actor: 'operator:ada', reason: 'seen at the provider', evidence: 'statement line 17' };
    const resolved = await world.temporal.workflow
      .getHandle(id)
      .executeUpdate(resolvePayment, { args: [{ ...act, outcome: 'captured' }] });
    expect(resolved).toEqual({ status: 'captured' });
    const payment = (await getPayment(world.apiUrl, id, world.merchant.testKey)).payment;
    expect(payment).toMatchObject({ status: 'captured', captured_amount: '25.99', failure: null });
    expect(await alertsOf(id)).toEqual([expect.objectContaining({ closed_at: expect.any(Date) })]);
    expect(await reportedOf(id)).toEqual(reported);
    expect((await auditOf(id)).at(-1)).toMatchObject({
      actor: 'operator:ada',
      action: 'resolve',
      from_status: 'unresolved',
      to_status: 'captured',
      details: { reason: 'seen at the provider', evidence: 'statement line 17' },
    });
    expect(await world.bank.movements(id)).toHaveLength(1);
  });
});

describe('a decline is an answer: 201, failed with its code, nothing moved, asked once', () => {
  test.for([
    ['tok_visa_declined_0002', 'card_declined'],
    ['tok_visa_insufficient_9995', 'insufficient_funds'],
    ['tok_visa_expired_0069', 'expired_card'],
    ['tok_visa_cvc_0127', 'incorrect_cvc'],
    ['tok_visa_lost_9987', 'lost_or_stolen_card'],
  ] as const)('%s is %s', async ([token, code]) => {
    await world.bank.inject([]);
    const key = randomUUID();
    const answer = await post(aPayment({ card_token: token }), { key });
    expect(answer.status).toBe(201);
    expect(answer.payment).toMatchObject({ status: 'failed', captured_amount: '0.00', failure: { code } });
    expect((await post(aPayment({ card_token: token }), { key })).payment).toEqual(answer.payment);
    expect(await world.bank.served()).toMatchObject({ charge: 1, lookup: 0 });
    expect(await world.bank.movements(answer.payment.id)).toEqual([]);
  });
});

describe('every other test card ends well, with one movement', () => {
  test.for(['tok_mastercard_5454', 'tok_amex_0005', 'tok_visa_slow_3000', 'tok_visa_pending_7000'])(
    '%s',
    async (token) => {
      const answer = await post(aPayment({ card_token: token }), { headers: wait(30) });
      expect(answer.status).toBe(201);
      expect(answer.payment.status).toBe('captured');
      expect(await world.bank.movements(answer.payment.id)).toHaveLength(1);
    },
  );
});

test('a provider whose port is closed is tried again in sight of operators, and charges once when it is back', async () => {
  await world.bank.inject([{ operation: '*', probability: 1, fault: 'refuse' }]);
  const answer = await post(aPayment(), { headers: wait(2) });
  const { id } = answer.payment;
  expect(answer.status).toBe(202);
  expect(answer.payment.status).toBe('pending');
  const pending = await until('the charge is being tried again', async () => {
    const { raw } = await world.temporal.workflow.getHandle(id).describe();
    return raw.pendingActivities?.find((activity) => (activity.attempt ?? 0) > 1 && activity.lastFailure != null);
  });
  expect(pending.activityType?.name).toBe('chargePayment');
  expect(pending.lastFailure?.applicationFailureInfo?.type).toBe('unavailable');
  expect((await world.bank.injected())['refuse']).toBe(1);
  expect(await world.bank.movements(id)).toEqual([]);
  await world.bank.heal();
  await hasStatus(id, 'captured');
  expect(await world.bank.movements(id)).toHaveLength(1);
});

test('a provider that is away past expires_at fails the payment, and nothing moves after it is back', async () => {
  const merchant = await world.createMerchant({ expires_after: 10, ask_for: 20 });
  await world.bank.inject([{ operation: '*', probability: 1, fault: 'refuse' }]);
  const key = randomUUID();
  const options = { key, apiKey: merchant.testKey, headers: wait(1) };
  const answer = await post(aPayment(), options);
  const { id } = answer.payment;
  expect(answer.status).toBe(202);
  await hasStatus(id, 'failed', merchant);
  await world.bank.inject([]);
  const again = await post(aPayment(), options);
  expect(again.status).toBe(201);
  expect(again.payment).toMatchObject({ id, status: 'failed', failure: { code: 'provider_unavailable' } });
  expect(Date.parse(again.payment.processed_at ?? '')).toBeGreaterThanOrEqual(Date.parse(again.payment.expires_at));
  expect((await post()).payment.status).toBe('captured');
  expect(await world.bank.served()).toMatchObject({ charge: 1, lookup: 0 });
  expect(await world.bank.movements(id)).toEqual([]);
});

test('a charge that nobody can say anything about until ask_until is unresolved, until an operator says that it failed', async () => {
  const merchant = await world.createMerchant({ expires_after: 10, ask_for: 10 });
  await world.bank.inject([
    { operation: 'charge', probability: 1, fault: '500_before' },
    { operation: 'lookup', probability: 1, fault: '500_before' },
  ]);
  const answer = await post(aPayment(), { apiKey: merchant.testKey, headers: wait(1) });
  const { id } = answer.payment;
  expect(answer.status).toBe(202);
  await hasStatus(id, 'unresolved', merchant);
  expect((await world.bank.injected())['500_before']).toBeGreaterThan(2);
  expect(await alertsOf(id)).toEqual([{ kind: 'payment_unresolved', owner_role: 'operator', closed_at: null }]);
  await world.bank.heal();
  const act = { actor: 'operator:ada', reason: 'the provider has no such charge', evidence: 'case 4711' };
  const resolved = await world.temporal.workflow
    .getHandle(id)
    .executeUpdate(resolvePayment, { args: [{ ...act, outcome: 'failed' }] });
  expect(resolved).toEqual({ status: 'failed' });
  const { payment } = await getPayment(world.apiUrl, id, merchant.testKey);
  expect(payment).toMatchObject({
    status: 'failed',
    failure: { code: 'resolved_not_charged' },
    captured_amount: '0.00',
  });
  expect(await alertsOf(id)).toEqual([expect.objectContaining({ closed_at: expect.any(Date) })]);
  expect(await world.bank.movements(id)).toEqual([]);
});

test('forty payments through a storm of faults are all definite once it is over, and the books agree', async () => {
  const seed = Number(process.env['SEED'] ?? randomInt(2 ** 31));
  process.stdout.write(`the storm's seed is ${seed}\n`);
  await world.bank.inject(storm, seed);
  const calls = Array.from({ length: 40 }, (_, index) => ({
    key: randomUUID(),
    body: aPayment({
      card_token: index % 8 === 7 ? 'tok_visa_declined_0002' : 'tok_visa_4242',
      amount: `${index + 1}.00`,
    }),
  }));
  const first = await Promise.all(calls.map((call) => post(call.body, { key: call.key, headers: wait(2) })));
  await until('every fault has struck', async () => {
    const injected = await world.bank.injected();
    return storm.every(({ fault }) => (injected[fault] ?? 0) > 0);
  });
  const { rows } = await world.admin.query("SELECT id FROM payments WHERE status = 'pending'");
  expect(rows.length, 'payments in flight when the storm ends').toBeGreaterThan(0);
  await world.bank.heal();

  const last = await Promise.all(calls.map(definite));
  for (const [index, answer] of last.entries()) {
    const before = first[index];
    if (before?.status === 503)
      expect(before.problem.payment_id).toBe(answer.payment.id); // accepted later than it waited
    else expect(before?.payment.id).toBe(answer.payment.id);
    expect(answer.payment.status).toBe(index % 8 === 7 ? 'failed' : 'captured');
  }
  await expectInvariants(world);
});

/** What the storm injects: on charges a few times each, so that all of them strike, and the dice decide whom. */
const storm: readonly FaultRule[] = [
  ...['never', 'late_commit', 'lost_after', '500_after', 'reset', '503', '429'].map(
    (fault): FaultRule => ({ operation: 'charge', probability: 0.5, times: 4, fault }),
  ),
  { operation: 'lookup', probability: 0.5, fault: '500_before' },
  { operation: 'lookup', probability: 0.5, fault: 'cut_json' },
];

/** Repeats a call until its payment has an outcome. */
function definite(call: { readonly key: string; readonly body: unknown }): Promise<Answer> {
  return until(`${call.key} is definite`, async () => {
    const answer = await post(call.body, { key: call.key, headers: wait(30) });
    return answer.status === 201 ? answer : null;
  });
}
