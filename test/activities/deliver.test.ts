import { ApplicationFailure } from '@temporalio/activity';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { deliver } from '../../activities/deliver.ts';
import type { DeliveryDeps } from '../../activities/delivery-deps.ts';
import { giveUpDelivery } from '../../activities/give-up-delivery.ts';
import { recordDeliveryResults } from '../../prisma/deliveries.ts';
import { createMerchant } from '../../prisma/merchants.ts';
import { createSecretBox } from '../../runtime/secret-box.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { deliveriesOf, deliveryDeps, insertEndpoint, insertEvent } from '../support/deliveries.ts';
import { type Answering, type Receiver, startReceiver, status } from '../support/receiver.ts';

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
    for (const [attempt, mostMs] of [
      [1, 10_000],
      [2, 20_000],
      [5, 160_000],
      [30, 3_600_000],
    ] as const) {
      const failure = await failureOf(inAttempt(attempt, deliveryId));
      expect(failure).toMatchObject({
        type: 'not_delivered',
        message: 'the endpoint answered 500',
        nonRetryable: false,
      });
      expect(failure.nextRetryDelay).toBeGreaterThanOrEqual(mostMs / 2);
      expect(failure.nextRetryDelay).toBeLessThanOrEqual(mostMs);
    }
    expect(await deliveriesOf(database)).toMatchObject([{ state: 'retrying', tries: 5, last_status_code: 500 }]);
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

test('a result that comes late does not change how a delivery ended', async () => {
  const { deliveryId } = await aDelivery();
  expect(await inAttempt(1, deliveryId)).toEqual({ state: 'delivered' });
  const late = { deliveryId, state: 'retrying' as const, problem: 'no answer in time', statusCode: null };
  await recordDeliveryResults(database.db, [late]);
  expect(await deliveriesOf(database)).toMatchObject([{ state: 'delivered', tries: 2, last_error: null }]);
});

describe('giving up', () => {
  const alerts = async () =>
    (await database.admin.query('SELECT kind, resource_id, owner_role, closed_at FROM alerts')).rows;

  test('ends the delivery and alerts an operator, once', async () => {
    const { deliveryId } = await aDelivery();
    for (let each = 0; each < 2; each++)
      expect(await giveUpDelivery(deps, { deliveryId })).toEqual({ state: 'failed' });
    expect(await deliveriesOf(database)).toMatchObject([{ state: 'failed' }]);
    const alert = { kind: 'delivery_failed', resource_id: deliveryId, owner_role: 'operator', closed_at: null };
    expect(await alerts()).toEqual([alert]);
  });

  test('changes nothing where it was delivered after all', async () => {
    const { deliveryId } = await aDelivery();
    expect(await inAttempt(1, deliveryId)).toEqual({ state: 'delivered' });
    expect(await giveUpDelivery(deps, { deliveryId })).toEqual({ state: 'delivered' });
    expect(await alerts()).toEqual([]);
  });
});
