import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createMerchant } from '../../prisma/merchants.ts';
import {
  findSubject,
  listOpenProviderEvents,
  noteProviderEventError,
  type ReceivedEvent,
  settleProviderEvents,
  storeProviderEvent,
} from '../../prisma/provider-events.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { insertPendingPayment } from '../support/payment-row.ts';
import { insertAttempt, insertMovement } from '../support/provider-event-rows.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await startDatabase();
  await createMerchant(database.db, { id: 'mer_1', name: 'Merchant' });
});
afterAll(() => database?.close());
beforeEach(() => database.admin.query('TRUNCATE webhooks'));

const now = '2026-01-31T12:00:00.000Z';
const anEvent = (changes: Partial<ReceivedEvent> = {}): ReceivedEvent => ({
  source: 'easypay',
  accountId: 'main',
  eventId: `epe_${randomUUID()}`,
  type: 'charge.approved',
  payload: { id: 'epe_1' },
  signature: 't=1,v1=00',
  reference: 'pay_1',
  claim: 'approved',
  now,
  ...changes,
});
const store = async (changes: Partial<ReceivedEvent> = {}) => storeProviderEvent(database.db, anEvent(changes));
const rowOf = async (id: string) =>
  (await database.admin.query('SELECT * FROM webhooks WHERE id = $1', [id])).rows[0] as Record<string, unknown>;

test('an event is stored once per account, whatever differs in a repeat and however many send it at once', async () => {
  const event = anEvent();
  const stored = await Promise.all(
    Array.from({ length: 10 }, (_, index) => storeProviderEvent(database.db, { ...event, payload: { index } })),
  );
  expect(stored.filter(({ kind }) => kind === 'new')).toHaveLength(1);
  expect(new Set(stored.map(({ id, status }) => `${id} ${status}`)).size).toBe(1);
  const others = [{ accountId: 'other' }, { source: 'paypal' }, { eventId: 'epe_other' }];
  for (const change of others) expect(await store({ ...event, ...change })).toMatchObject({ kind: 'new' });
  expect((await database.admin.query('SELECT FROM webhooks')).rowCount).toBe(4);
});

test('an event that names nothing, or moves no money, waits for nobody', async () => {
  expect((await store()).status).toBe('pending');
  expect((await store({ reference: null })).status).toBe('ignored');
  expect((await store({ claim: 'other' })).status).toBe('ignored');
  expect(await listOpenProviderEvents(database.db, { madeBefore: new Date(), afterId: '', limit: 9 })).toHaveLength(1);
});

test('open events are listed by id, those of before an instant, page by page', async () => {
  const ids: string[] = [];
  for (let count = 0; count < 3; count++) ids.push((await store()).id);
  ids.sort();
  const page = (afterId: string, madeBefore = new Date('2026-01-31T12:00:01Z')) =>
    listOpenProviderEvents(database.db, { madeBefore, afterId, limit: 2 });
  expect((await page('')).map(({ id }) => id)).toEqual(ids.slice(0, 2));
  expect(await page(ids[1] ?? '')).toEqual([{ id: ids[2], source: 'easypay', reference: 'pay_1', claim: 'approved' }]);
  expect(await page('', new Date(now))).toEqual([]);
});

test('a settled event is open no more, and stays as it was settled first', async () => {
  const [one, other, open] = [await store(), await store(), await store()];
  await settleProviderEvents(database.db, [one.id, other.id], '2026-02-01T00:00:00.000Z');
  await settleProviderEvents(database.db, [one.id], '2026-02-02T00:00:00.000Z', 'ignored');
  await noteProviderEventError(database.db, one.id, 'too late', now);
  expect(await rowOf(one.id)).toMatchObject({
    status: 'processed',
    processed_at: new Date('2026-02-01T00:00:00Z'),
    retry_count: 0,
    error_message: null,
  });
  const left = await listOpenProviderEvents(database.db, { madeBefore: new Date(), afterId: '', limit: 9 });
  expect(left.map(({ id }) => id)).toEqual([open.id]);
});

test('a note of a failed try counts it, keeps its words and leaves the event open', async () => {
  const { id } = await store();
  await noteProviderEventError(database.db, id, 'first', now);
  await noteProviderEventError(database.db, id, 'x'.repeat(1_000), now);
  expect(await rowOf(id)).toMatchObject({ status: 'pending', retry_count: 2, error_message: 'x'.repeat(500) });
});

test('a reference names a payment, with its charges alone', async () => {
  const paymentId = await insertPendingPayment(database, { external_id: 'order-17' });
  const captureId = await insertMovement(database, paymentId, 'capture');
  await insertAttempt(database, { paymentId, state: 'declined' });
  await insertAttempt(database, { paymentId, state: 'prepared', operation: 'prepare', number: 2 });
  await insertAttempt(database, { paymentId, state: 'approved', number: 2, provider: 'paypal' });
  await insertAttempt(database, { paymentId, state: 'sent', operation: 'capture', movementId: captureId });
  const subject = await findSubject(database.db, paymentId);
  expect(subject?.attempts.toSorted((one, other) => one.state.localeCompare(other.state))).toEqual([
    { provider: 'paypal', state: 'approved' },
    { provider: 'easypay', state: 'declined' },
  ]);
  expect(subject).toMatchObject({
    paymentId,
    merchantId: 'mer_1',
    isTest: true,
    externalId: 'order-17',
    status: 'pending',
    currency: 'USD',
    amountMinor: '2599',
    movement: null,
  });
});

test('a reference names a movement with its payment, and what was sent for that movement alone', async () => {
  const paymentId = await insertPendingPayment(database);
  await insertAttempt(database, { paymentId, state: 'approved' });
  const refundId = await insertMovement(database, paymentId, 'refund');
  const otherId = await insertMovement(database, paymentId, 'refund');
  await insertAttempt(database, { paymentId, state: 'unknown', operation: 'refund', movementId: refundId });
  await insertAttempt(database, { paymentId, state: 'declined', operation: 'refund', movementId: otherId });
  expect(await findSubject(database.db, refundId)).toMatchObject({
    paymentId,
    amountMinor: '2599',
    movement: { id: refundId, kind: 'refund', state: 'pending' },
    attempts: [{ provider: 'easypay', state: 'unknown' }],
  });
});

test('a reference that is nothing of ours names nothing', async () => {
  for (const reference of ['pay_unknown', '', 'x'.repeat(200)]) {
    expect(await findSubject(database.db, reference)).toBeNull();
  }
});
