import { createHmac, randomUUID } from 'node:crypto';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createEasypayEvents } from '../../activities/providers/easypay/events.ts';
import { ProviderFault } from '../../activities/providers/provider.ts';
import type { ProviderEvents } from '../../activities/providers/provider-events.ts';
import type { HintedSubject } from '../../api/temporal/hints.ts';
import { createMerchant } from '../../prisma/merchants.ts';
import { containsCardNumber } from '../../workflows/domain/card-number.ts';
import type { Problem } from '../support/api-client.ts';
import { apiUnderTest } from '../support/api-under-test.ts';
import { insertPendingPayment } from '../support/payment-row.ts';
import { insertAttempt, insertMovement } from '../support/provider-event-rows.ts';

const secret = 'signing-secret';
const easypay = createEasypayEvents({ accountId: 'main', secret });
/** A provider that has to be asked about its signatures, and is away. */
const away: ProviderEvents = {
  provider: 'paypal',
  accountId: 'main',
  read: () => Promise.reject(new ProviderFault('unavailable', 'the provider is away')),
  close: () => Promise.resolve(),
};

const told: { subject: HintedSubject; providerEventId: string }[] = [];
let temporalIsAway = false;
const tellProviderEvent = async (subject: HintedSubject, providerEventId: string) => {
  if (temporalIsAway) throw new Error('14 UNAVAILABLE');
  told.push({ subject, providerEventId });
};
const providerEvents = new Map([
  ['easypay/main', easypay],
  ['paypal/main', away],
]);
const { database, api } = apiUnderTest({ payments: { tellProviderEvent }, providerEvents });
beforeAll(() => createMerchant(database.db, { id: 'mer_1', name: 'Merchant' }));
beforeEach(async () => {
  told.length = 0;
  temporalIsAway = false;
  await database.admin.query('TRUNCATE webhooks');
});

interface Said {
  readonly type?: string;
  readonly id?: string;
  readonly reference?: string | null;
}
/** An event as EasyPay words it, spaced so that no other JSON of the same content has the same bytes. */
const anEvent = ({ type = 'charge.approved', id = `epe_${randomUUID()}`, reference = null }: Said = {}) =>
  JSON.stringify({ id, type, created_at: '2026-01-31T12:00:00Z', data: { reference, amount_minor: '2599' } }, null, 3);

function signed(body: string, { by = secret, at = Math.floor(Date.now() / 1_000) } = {}): string {
  return `t=${at},v1=${createHmac('sha256', by).update(`${at}.${body}`).digest('hex')}`;
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Problem & { readonly data: { readonly id: string; readonly status: string } };
}
async function post(
  body: string,
  headers: Record<string, string> = { 'easypay-signature': signed(body) },
  path = 'easypay/main',
): Promise<Answer> {
  const response = await fetch(`${api.url}/api/v1/webhooks/${path}`, { method: 'POST', headers, body });
  return { status: response.status, headers: response.headers, body: (await response.json()) as Answer['body'] };
}

const rows = async () =>
  (await database.admin.query('SELECT * FROM webhooks ORDER BY created_at')).rows as Record<string, unknown>[];

describe('an event is believed', () => {
  test('by the signature over its very bytes, whatever content type it names, and kept as it came', async () => {
    const body = anEvent({ id: 'epe_1', type: 'payout.paid', reference: 'somebody-else' });
    for (const type of ['application/json', 'text/plain', 'application/vnd.easypay+json; charset=utf-8']) {
      expect((await post(body, { 'easypay-signature': signed(body), 'content-type': type })).status).toBe(200);
    }
    expect(await rows()).toMatchObject([
      {
        event_id: 'epe_1',
        event_type: 'payout.paid',
        source: 'easypay',
        account_id: 'main',
        reference: 'somebody-else',
        claim: 'other',
        status: 'ignored',
        payload: { id: 'epe_1', type: 'payout.paid' },
        signature: expect.stringMatching(/^t=\d+,v1=/),
      },
    ]);
  });

  test.each([
    ['another secret', (body: string) => ({ 'easypay-signature': signed(body, { by: 'other' }) })],
    ['another body', () => ({ 'easypay-signature': signed('{}') })],
    ['no signature', () => ({})],
    ['an old time', (body: string) => ({ 'easypay-signature': signed(body, { at: 1_000_000_000 }) })],
  ])('and not with %s: nothing is stored, nobody is told', async (_name, headersOf: (body: string) => object) => {
    const body = anEvent({ reference: await insertPendingPayment(database) });
    const answer = await post(body, { ...headersOf(body) });
    expect([answer.status, answer.body.code]).toEqual([401, 'event_refused']);
    expect([await rows(), told]).toEqual([[], []]);
  });

  test('and refused as unreadable when what is signed is no event', async () => {
    for (const body of ['', 'no JSON', '{}']) {
      expect([body, (await post(body)).status]).toEqual([body, 422]);
    }
    expect(await rows()).toEqual([]);
  });

  test('only at the address of an account that is ours', async () => {
    const body = anEvent();
    for (const path of ['easypay/other', 'stripe/main', 'easypay/constructor']) {
      const answer = await post(body, { 'easypay-signature': signed(body) }, path);
      expect([path, answer.body.code]).toEqual([path, 'not_found']);
    }
  });

  test('later, when it cannot be checked now: the provider sends it again', async () => {
    const answer = await post(anEvent(), {}, 'paypal/main');
    expect([answer.status, answer.body.code, answer.headers.get('retry-after')]).toEqual([503, 'unavailable', '30']);
    expect(await rows()).toEqual([]);
  });

  test('up to 256 KB, and not beyond', async () => {
    const fits = `${anEvent()}${' '.repeat(200 * 1024)}`;
    expect((await post(fits)).status).toBe(200);
    const tooLarge = `${anEvent()}${' '.repeat(256 * 1024)}`;
    expect((await post(tooLarge)).body.code).toBe('body_too_large');
  });
});

describe('an event about something open', () => {
  test('is handed to the workflow once, however often it is sent', async () => {
    const paymentId = await insertPendingPayment(database);
    await insertAttempt(database, { paymentId, state: 'unknown' });
    const body = anEvent({ reference: paymentId });
    const answers = await Promise.all(Array.from({ length: 10 }, () => post(body)));
    expect(new Set(answers.map(({ status, body: { data } }) => `${status} ${data.status}`))).toEqual(
      new Set(['200 pending']),
    );
    const [row] = await rows();
    expect(told).toMatchObject([{ subject: { paymentId, movement: null }, providerEventId: row?.['id'] }]);
    expect(row).toMatchObject({ status: 'pending', reference: paymentId });
  });

  test.each(['capture', 'void', 'refund'] as const)('names the %s that it is about', async (kind) => {
    const paymentId = await insertPendingPayment(database);
    await insertAttempt(database, { paymentId, state: 'approved' });
    const movementId = await insertMovement(database, paymentId, kind);
    await insertAttempt(database, { paymentId, movementId, operation: kind, state: 'unknown' });
    await post(anEvent({ type: `${kind}.approved`, reference: movementId }));
    expect(told).toMatchObject([{ subject: { paymentId, movement: { id: movementId, kind } } }]);
  });

  test('is taken while Temporal is away, and left for the sweep', async () => {
    temporalIsAway = true;
    const paymentId = await insertPendingPayment(database);
    const answer = await post(anEvent({ reference: paymentId }));
    expect([answer.status, answer.body.data.status]).toEqual([200, 'pending']);
    expect(await rows()).toMatchObject([{ status: 'pending', processed_at: null }]);
    expect(api.log()).toContain('the sweep will do it');
  });
});

describe('an event about something settled', () => {
  test('that says what is recorded is done with at once, and wakes nobody', async () => {
    for (const [state, type] of [
      ['approved', 'charge.approved'],
      ['declined', 'charge.declined'],
      ['approved', 'charge.pending'],
    ] as const) {
      const paymentId = await insertPendingPayment(database);
      await insertAttempt(database, { paymentId, state });
      expect((await post(anEvent({ type, reference: paymentId }))).body.data.status).toBe('processed');
    }
    expect((await rows()).map(({ status, processed_at }) => [status, processed_at instanceof Date])).toEqual(
      Array.from({ length: 3 }, () => ['processed', true]),
    );
    expect(told).toEqual([]);
  });

  test('that contradicts what is recorded is looked at', async () => {
    for (const [state, type] of [
      ['declined', 'charge.approved'],
      ['approved', 'charge.declined'],
    ] as const) {
      const paymentId = await insertPendingPayment(database);
      await insertAttempt(database, { paymentId, state });
      expect((await post(anEvent({ type, reference: paymentId }))).body.data.status).toBe('pending');
    }
    expect(told).toHaveLength(2);
  });

  test('is looked at when another provider did what this one claims', async () => {
    const paymentId = await insertPendingPayment(database);
    await insertAttempt(database, { paymentId, state: 'unanswered' });
    await insertAttempt(database, { paymentId, state: 'approved', provider: 'paypal', number: 2 });
    await post(anEvent({ reference: paymentId }));
    expect(told).toMatchObject([{ subject: { paymentId } }]);
  });
});

test('an event about nothing of ours is kept and ignored', async () => {
  for (const said of [{ reference: 'pay_of_somebody_else' }, { reference: null }]) {
    expect((await post(anEvent(said))).body.data.status).toBe('ignored');
  }
  expect((await rows()).map(({ status }) => status)).toEqual(['ignored', 'ignored']);
  expect(told).toEqual([]);
});

test('an event with a number like a card’s in it is refused, stored nowhere and logged nowhere', async () => {
  const number = `${'4'.padEnd(15, '2')}0`;
  expect(containsCardNumber(number)).toBe(true);
  const body = anEvent({ reference: number });
  expect((await post(body)).body.code).toBe('card_number_refused');
  const stored = await database.admin.query('SELECT FROM webhooks WHERE reference = $1 OR payload::text LIKE $2', [
    number,
    `%${number}%`,
  ]);
  expect(stored.rowCount).toBe(0);
  expect(api.log()).not.toContain(number);
});
