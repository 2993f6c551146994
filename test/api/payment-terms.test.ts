import { randomUUID } from 'node:crypto';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { PaymentClient } from '../../api/temporal/payment-client.ts';
import { changeMerchantSettings } from '../../prisma/merchants.ts';
import { submitAtOnce } from '../support/accept-at-once.ts';
import { aPayment, postPayment } from '../support/api-client.ts';
import { apiUnderTest, merchantPerTest } from '../support/api-under-test.ts';

const submit = vi.fn<PaymentClient['submit']>();
const resume = vi.fn<PaymentClient['resume']>();

const { database, api } = apiUnderTest({ payments: { submit, resume } });
const merchant = merchantPerTest(api);
beforeEach(() => {
  vi.resetAllMocks();
  submit.mockImplementation((payment) => submitAtOnce(database, payment));
});

const post = (changes: Record<string, unknown>, options: { apiKey?: string; key?: string; prefer?: string } = {}) =>
  postPayment(api.url, aPayment(changes), {
    apiKey: options.apiKey ?? merchant.key,
    key: options.key ?? randomUUID(),
    headers: { prefer: options.prefer ?? 'respond-async' },
  });

describe('a payment is accepted', () => {
  test('to be charged at once, without retries and without a way back, unless it says otherwise', async () => {
    const answer = await post({});
    expect(answer.payment).toMatchObject({ capture: 'automatic', captures: null, retry: null, capture_before: null });
    expect(submit.mock.calls[0]?.[0].request).toMatchObject({
      captureMethod: 'automatic',
      returnUrl: null,
      terms: {
        expiresAfterSeconds: 3_600,
        askForSeconds: 86_400,
        actionWithinSeconds: 3_600,
        captureWithinSeconds: 604_800,
        retry: null,
        feeBasisPoints: 0,
        feeFixedMinor: '0',
      },
    });
  });

  test('with the terms that its merchant has then, and those that it asks for', async () => {
    await changeMerchantSettings(database.db, merchant.id, {
      capture_within: 60,
      action_within: 90,
      fee: { basis_points: 290, fixed: { USD: '0.30', JPY: '33' } },
    });
    const retry = { schedule: [60, 3_600], attempts_max: 4 };
    const answer = await post({ capture: 'manual', retry, return_url: 'http://shop.example/back?a=ü#done' });
    expect(answer.payment).toMatchObject({
      capture: 'manual',
      captures: [],
      retry: { ...retry, attempts_made: 1, next_attempt_at: null },
    });
    const { request } = submit.mock.calls[0]?.[0] ?? {};
    expect(request).toMatchObject({ captureMethod: 'manual', returnUrl: 'http://shop.example/back?a=%C3%BC#done' });
    expect(request?.terms).toMatchObject({
      actionWithinSeconds: 90,
      captureWithinSeconds: 60,
      retry: { scheduleSeconds: [60, 3_600], attemptsMax: 4 },
      feeBasisPoints: 290,
      feeFixedMinor: '30',
    });
    await post({ amount: '100', currency: 'JPY' });
    await post({ currency: 'EUR' });
    const fees = submit.mock.calls.slice(1).map(([payment]) => payment.request.terms.feeFixedMinor);
    expect(fees).toEqual(['33', '0']);
  });
});

describe('a payment is refused', () => {
  test.each<[string, Record<string, unknown>, string]>([
    ['an unknown way to capture', { capture: 'later' }, '/capture'],
    ['retries without a schedule', { retry: { schedule: [], attempts_max: 2 } }, '/retry/schedule'],
    ['eleven waits', { retry: { schedule: Array(11).fill(1), attempts_max: 2 } }, '/retry/schedule'],
    ['half a second', { retry: { schedule: [0.5], attempts_max: 2 } }, '/retry/schedule/0'],
    ['no time', { retry: { schedule: [0], attempts_max: 2 } }, '/retry/schedule/0'],
    ['more than 30 days', { retry: { schedule: [2_592_001], attempts_max: 2 } }, '/retry/schedule/0'],
    ['one round', { retry: { schedule: [1], attempts_max: 1 } }, '/retry/attempts_max'],
    ['eleven rounds', { retry: { schedule: [1], attempts_max: 11 } }, '/retry/attempts_max'],
    ['no end of rounds', { retry: { schedule: [1] } }, '/retry/attempts_max'],
    ['a way back that is no address', { return_url: 'shop.example/back' }, '/return_url'],
    ['a way back into a script', { return_url: 'javascript:alert(1)' }, '/return_url'],
    ['a way back with a password', { return_url: 'https://a:b@shop.example/' }, '/return_url'],
    ['a way back of 2001 characters', { return_url: `https://shop.example/${'a'.repeat(1_980)}` }, '/return_url'],
  ])('with %s', async (_, changes, pointer) => {
    const { status, problem } = await post(changes);
    expect([status, problem.code, problem.errors?.[0]?.pointer]).toEqual([422, 'validation_failed', pointer]);
    expect(submit).not.toHaveBeenCalled();
  });

  test('in a currency that is none of its merchant’s', async () => {
    await changeMerchantSettings(database.db, merchant.id, { currencies: ['EUR', 'CHF'] });
    const { problem } = await post({});
    expect(problem.errors).toEqual([{ pointer: '/currency', detail: 'must be one of yours: EUR, CHF' }]);
    expect((await post({ currency: 'CHF' })).status).toBe(202);
  });

  test('with a way back over http in live mode', async () => {
    const live = await api.keyFor(merchant.id, { isTest: false });
    const { problem } = await post({ return_url: 'http://shop.example/' }, { apiKey: live });
    expect(problem.errors).toEqual([{ pointer: '/return_url', detail: 'must be an https:// URL in live mode' }]);
    expect((await post({ return_url: 'https://shop.example/' }, { apiKey: live })).status).toBe(202);
  });
});

test('a payment that waits for its next round is answered at once: 202, with when that is', async () => {
  const accept = submit.getMockImplementation();
  submit.mockImplementation(async (payment, until, deadline) => {
    const answer = await accept?.(payment, until, deadline);
    await database.admin.query(
      `UPDATE payments SET version = 2, retries_made = 1, retry_at = '2030-01-01' WHERE id = $1`,
      [payment.paymentId],
    );
    return answer ?? { kind: 'stored' };
  });
  const idempotencyKey = randomUUID();
  const retry = { schedule: [60], attempts_max: 2 };
  const answer = await post({ retry }, { key: idempotencyKey, prefer: 'wait=60' });
  expect([answer.status, answer.payment.status, answer.payment.retry]).toEqual([
    202,
    'pending',
    { ...retry, attempts_made: 1, next_attempt_at: '2030-01-01T00:00:00.000Z' },
  ]);
  expect([submit.mock.calls.length, resume.mock.calls.length]).toEqual([1, 0]);
});
