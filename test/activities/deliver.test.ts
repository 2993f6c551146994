import { ApplicationFailure } from '@temporalio/activity';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { deliver } from '../../activities/deliver.ts';
import type { DeliveryDeps } from '../../activities/delivery-deps.ts';
import { giveUpDelivery } from '../../activities/give-up-delivery.ts';
import { recordDeliveryResults, restoreStalledDeliveries } from '../../prisma/deliveries.ts';
import { createMerchant } from '../../prisma/merchants.ts';
import { createSecretBox } from '../../runtime/secret-box.ts';
import { shards } from '../../workflows/delivery-contract.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { deliveriesOf, deliveryDeps, insertEndpoint, insertEvent } from '../support/deliveries.ts';
import { type Answering, type Receiver, startReceiver, status } from '../support/receiver.ts';
import { until } from '../support/until.ts';

let database: TestDatabase;
let deps: DeliveryDeps;
const receivers: Receiver[] = [];
beforeAll(async () => {
  database = await startDatabase();
  await createMerchant(database.db, { id: 'mer_1', name: 'Tea & Sons' });
  deps = deliveryDeps(database);
});
afterEach(async () => {
  for (const receiver of receivers.splice(0)) await receiver.close();
  await database.admin.query('TRUNCATE deliveries, events, payments, webhook_endpoints, alerts CASCADE');
});
afterAll(async () => {
  await deps?.webhooks.close();
  await database?.close();
});

/** A delivery whose first try failed, at a receiver that answers like this. */
async function aDelivery(answering?: Answering, query = '') {
  const receiver = await startReceiver(answering);
  receivers.push(receiver);
  const endpoint = await insertEndpoint(database, `${receiver.url}${query}`);
  const { eventId } = await insertEvent(database);
  await database.admin.query(`UPDATE deliveries SET state = 'retrying', tries = 1`);
  const [row] = await deliveriesOf(database);
  if (row === undefined) throw new Error('nothing was queued');
  return { receiver, endpoint, eventId, deliveryId: row.id };
}

/** The activity, in its nth attempt. */
function inAttempt(attempt: number, deliveryId: string, by: DeliveryDeps = deps) {
  const environment = new MockActivityEnvironment({ attempt }, { logger: new DefaultLogger('ERROR', () => undefined) });
  return environment.run(deliver, by, { deliveryId });
}

async function failureOf(trying: Promise<unknown>): Promise<ApplicationFailure> {
  const error = await trying.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ApplicationFailure)) throw new Error(`expected a failure of Temporal’s, got ${String(error)}`);
  return error;
}

describe('another try', () => {
  test('tells the receiver with the same id and ends the delivery', async () => {
    const { receiver, eventId, deliveryId } = await aDelivery();
    expect(await inAttempt(1, deliveryId)).toEqual({ state: 'delivered' });
    expect(receiver.received.map(({ headers }) => headers['webhook-id'])).toEqual([eventId]);
    expect(await deliveriesOf(database)).toMatchObject([{ state: 'delivered', tries: 2, last_error: null }]);
  });

  test.each(['delivered', 'failed', 'skipped'])('tells nobody when it is %s already', async (state) => {
    const { receiver, deliveryId } = await aDelivery();
    await database.admin.query('UPDATE deliveries SET state = $1', [state]);
    expect(await inAttempt(1, deliveryId)).toEqual({ state });
    expect(receiver.received).toEqual([]);
    expect(await deliveriesOf(database)).toMatchObject([{ state, tries: 1 }]);
  });

  test('that fails is worth the next one after 5 to 10 seconds, doubled each time, up to an hour', async () => {
    const { deliveryId } = await aDelivery(status(500), '?token=a-secret-of-the-merchant');
    for (const [tries, mostMs] of [
      [1, 10_000],
      [2, 20_000],
      [5, 160_000],
      [30, 3_600_000],
    ] as const) {
      await database.admin.query('UPDATE deliveries SET tries = $1', [tries]);
      const failure = await failureOf(inAttempt(7, deliveryId)); // whatever Temporal counts: not each one was a try
      expect(failure).toMatchObject({
        type: 'not_delivered',
        message: 'the endpoint answered 500',
        nonRetryable: false,
      });
      expect(failure.nextRetryDelay).toBeGreaterThanOrEqual(mostMs / 2);
      expect(failure.nextRetryDelay).toBeLessThanOrEqual(mostMs);
    }
    expect(await deliveriesOf(database)).toMatchObject([{ state: 'retrying', tries: 31, last_status_code: 500 }]);
  });

  test('waits as long as the receiver asks, at most an hour', async () => {
    const { deliveryId } = await aDelivery((response, _request, index) =>
      response.writeHead(429, { 'retry-after': index === 0 ? '600' : '999999' }).end(),
    );
    expect((await failureOf(inAttempt(1, deliveryId))).nextRetryDelay).toBe(600_000);
    expect((await failureOf(inAttempt(1, deliveryId))).nextRetryDelay).toBe(3_600_000);
  });

  test('at an endpoint that is gone disables it and ends', async () => {
    const { deliveryId, endpoint } = await aDelivery(status(410));
    expect(await inAttempt(1, deliveryId)).toEqual({ state: 'failed' });
    const { rows } = await database.admin.query('SELECT status FROM webhook_endpoints WHERE id = $1', [endpoint.id]);
    expect(rows).toEqual([{ status: 'disabled' }]);
    expect((await database.admin.query('SELECT * FROM alerts')).rows).toEqual([]);
  });

  test('at an endpoint that was disabled meanwhile is skipped', async () => {
    const { receiver, deliveryId } = await aDelivery();
    await database.admin.query(`UPDATE webhook_endpoints SET status = 'disabled'`);
    expect(await inAttempt(1, deliveryId)).toEqual({ state: 'skipped' });
    expect(receiver.received).toEqual([]);
  });

  test('without the key of its secret waits for the key, and says so', async () => {
    const { receiver, deliveryId } = await aDelivery();
    const withoutKey = { ...deps, secretBox: createSecretBox(new Map([['another', Buffer.alloc(32)]])) };
    const failure = await failureOf(inAttempt(1, deliveryId, withoutKey));
    expect(failure).toMatchObject({ type: 'not_delivered', message: 'it cannot be made: see the log' });
    expect(receiver.received).toEqual([]);
    expect(await inAttempt(2, deliveryId)).toEqual({ state: 'delivered' });
  });

  test('for a delivery that is not there ends', async () => {
    expect(await inAttempt(1, 'dlv_none')).toEqual({ state: 'skipped' });
  });
});

describe('a receiver that hangs', () => {
  /** Ten deliveries for it, and one for a healthy one. */
  async function aCrowd() {
    const hanging = await startReceiver((response) => void answers.push(() => response.writeHead(500).end()));
    const healthy = await startReceiver();
    receivers.push(hanging, healthy);
    const answers: (() => void)[] = [];
    const endpoint = await insertEndpoint(database, hanging.url, ['payment.captured']);
    await insertEndpoint(database, healthy.url, ['payment.failed']);
    for (let each = 0; each < 10; each++) await insertEvent(database);
    await insertEvent(database, 'payment.failed');
    await database.admin.query(`UPDATE deliveries SET state = 'retrying', tries = 1`);
    const rows = await deliveriesOf(database);
    const idsTo = (isHanging: boolean) =>
      rows.filter(({ receiver }) => (receiver === endpoint.id) === isHanging).map(({ id }) => id);
    return { hanging, answers, ids: idsTo(true), healthyId: idsTo(false)[0] ?? '' };
  }

  test('is told four events at a time; the rest comes back soon, untried, and others are not concerned', async () => {
    const { hanging, answers, ids, healthyId } = await aCrowd();
    let sentBack = 0;
    const ends = ids.map((id) => failureOf(inAttempt(1, id)).finally(() => (sentBack += 1)));
    await until('four are on their way', () => answers.length === 4);
    await until('the others were sent back', () => sentBack === 6); // or they would have the room that the four leave
    expect(await inAttempt(1, healthyId)).toEqual({ state: 'delivered' });
    const busy = await Promise.race(ends);
    expect(busy).toMatchObject({ type: 'receiver_busy', nonRetryable: false });
    expect(busy.nextRetryDelay).toBeGreaterThan(1_000);
    for (const answer of answers) answer();
    const types = (await Promise.all(ends)).map(({ type }) => String(type)).toSorted();
    expect(types).toEqual([...Array(4).fill('not_delivered'), ...Array(6).fill('receiver_busy')]);
    expect(hanging.openMax).toBe(4);
    const tried = (await deliveriesOf(database)).filter(({ id }) => ids.includes(id)).map(({ tries }) => tries);
    expect(tried.toSorted((one, other) => one - other)).toEqual([1, 1, 1, 1, 1, 1, 2, 2, 2, 2]);
    const again = failureOf(inAttempt(1, ids[9] ?? ''));
    await until('there is room again', () => answers.length === 5);
    answers[4]?.();
    expect(await again).toMatchObject({ type: 'not_delivered' });
  });

  test('leaves nobody to a dispatcher who was only sent away', async () => {
    const { answers, ids } = await aCrowd();
    const ends = ids.slice(0, 4).map((id) => failureOf(inAttempt(1, id)));
    await until('four are on their way', () => answers.length === 4);
    await database.admin.query(`UPDATE deliveries SET updated_at = now() - interval '3 hours'`);
    const sentAway = ids[5] ?? '';
    expect(await failureOf(inAttempt(1, sentAway))).toMatchObject({ type: 'receiver_busy' });
    for (const answer of answers) answer();
    await Promise.all(ends);
    for (let shard = 0; shard < shards; shard++) await restoreStalledDeliveries(database.db, shard, 3_600_000);
    const states = new Map((await deliveriesOf(database)).map(({ id, state }) => [id, state]));
    expect([states.get(sentAway), states.get(ids[6] ?? '')]).toEqual(['retrying', 'pending']);
  });
});

test('a result that comes late does not change how a delivery ended', async () => {
  const { deliveryId } = await aDelivery();
  expect(await inAttempt(1, deliveryId)).toEqual({ state: 'delivered' });
  const late = { deliveryId, state: 'retrying' as const, problem: 'no answer in time', statusCode: null };
  await recordDeliveryResults(database.db, [late]);
  expect(await deliveriesOf(database)).toMatchObject([{ state: 'delivered', tries: 2, last_error: null }]);
});

describe('giving up', () => {
  const alerts = async () =>
    (await database.admin.query('SELECT kind, resource_id, owner_role, closed_at, is_test FROM alerts')).rows;

  test('ends the delivery and alerts an operator of its receiver, once however many are given up', async () => {
    const counted: unknown[] = [];
    const metrics = { ...deps.metrics, alertOpened: (alert: unknown) => void counted.push(alert) };
    const { deliveryId, endpoint } = await aDelivery();
    for (let each = 0; each < 3; each++) await insertEvent(database);
    for (const { id } of [...(await deliveriesOf(database)), { id: deliveryId }])
      expect(await giveUpDelivery({ ...deps, metrics }, { deliveryId: id })).toEqual({ state: 'failed' });
    expect(new Set((await deliveriesOf(database)).map(({ state }) => state))).toEqual(new Set(['failed']));
    const alert = { kind: 'delivery_failed', resource_id: endpoint.id, owner_role: 'operator', is_test: true };
    expect(await alerts()).toEqual([{ ...alert, closed_at: null }]);
    expect(counted).toEqual([{ kind: 'delivery_failed' }]);
  });

  test('changes nothing where it was delivered after all, or is not there', async () => {
    const { deliveryId } = await aDelivery();
    expect(await inAttempt(1, deliveryId)).toEqual({ state: 'delivered' });
    expect(await giveUpDelivery(deps, { deliveryId })).toEqual({ state: 'delivered' });
    expect(await giveUpDelivery(deps, { deliveryId: 'dlv_none' })).toEqual({ state: 'failed' });
    expect(await alerts()).toEqual([]);
  });

  test('opens an alert that closes when the receiver takes an event, and opens again', async () => {
    let code = 500;
    const { deliveryId } = await aDelivery((response) => response.writeHead(code).end());
    const [first, second] = [await insertEvent(database), await insertEvent(database)];
    const idOf = async (eventId: string) =>
      (await deliveriesOf(database)).find(({ event_id }) => event_id === eventId)?.id ?? '';
    const isOpen = async () => (await alerts()).map(({ closed_at }) => closed_at === null);
    await giveUpDelivery(deps, { deliveryId });
    await failureOf(inAttempt(1, await idOf(first.eventId)));
    expect(await isOpen(), 'it took nothing').toEqual([true]);
    code = 200;
    expect(await inAttempt(1, await idOf(first.eventId))).toEqual({ state: 'delivered' });
    expect(await isOpen()).toEqual([false]);
    await giveUpDelivery(deps, { deliveryId: await idOf(second.eventId) });
    expect(await isOpen()).toEqual([true]);
  });
});
