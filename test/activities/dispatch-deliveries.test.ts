import { Client, Connection } from '@temporalio/client';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { DeliveryDeps } from '../../activities/delivery-deps.ts';
import { dispatchDeliveries } from '../../activities/dispatch-deliveries.ts';
import type { PayerMail } from '../../activities/notifications/mail.ts';
import { claimDeliveries } from '../../prisma/deliveries.ts';
import { createMerchant } from '../../prisma/merchants.ts';
import { type DeliveryWorkflowInput, shards } from '../../workflows/delivery-contract.ts';
import type { DispatchTally } from '../../workflows/delivery-ports.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import {
  deliveriesOf,
  deliveryDeps,
  insertEndpoint,
  insertEvent,
  listenTo,
  noListener,
} from '../support/deliveries.ts';
import { type Answering, type Receiver, startReceiver, status } from '../support/receiver.ts';
import { until } from '../support/until.ts';

let database: TestDatabase;
const closing: (() => unknown)[] = [];
beforeAll(async () => {
  database = await startDatabase();
  await createMerchant(database.db, { id: 'mer_1', name: 'Tea & Sons' });
});
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
  await database.admin.query('TRUNCATE deliveries, events, payments, webhook_endpoints, alerts CASCADE');
});
afterAll(() => database?.close());

/** A Temporal that only says what comes of each start. */
function temporalThat(start: (input: DeliveryWorkflowInput) => void) {
  return new Client({
    connection: Connection.lazy({ address: '127.0.0.1:1' }),
    interceptors: {
      workflow: [
        {
          async startWithDetails({ options }) {
            const input = options.args[0] as DeliveryWorkflowInput;
            expect(options.workflowId).toBe(input.deliveryId);
            start(input);
            return { runId: 'run', eagerlyStarted: false };
          },
        },
      ],
    },
  });
}

/** A dispatcher per shard, as the worker has it, until the test ends. */
function dispatch(
  changes: Partial<DeliveryDeps> = {},
  start: (input: DeliveryWorkflowInput) => void = () => undefined,
) {
  const started: DeliveryWorkflowInput[] = [];
  const client = temporalThat((input) => {
    started.push(input);
    start(input);
  });
  const stopping = new AbortController();
  const listener = changes.listener ?? listenTo(database);
  const deps = deliveryDeps(database, { stopping: stopping.signal, listener, ...changes });
  const ends = Array.from({ length: shards }, async (_, shard): Promise<DispatchTally> => {
    const environment = new MockActivityEnvironment(
      {},
      { client, logger: new DefaultLogger('ERROR', () => undefined) },
    );
    return (await environment.run(dispatchDeliveries, deps, { shard })) as DispatchTally;
  });
  const stop = async () => {
    stopping.abort();
    return Promise.all(ends);
  };
  closing.push(async () => {
    await stop();
    await Promise.all([deps.webhooks.close(), listener.close()]);
  });
  return { started, stop };
}

async function aReceiver(answering?: Answering): Promise<Receiver> {
  const receiver = await startReceiver(answering);
  closing.push(() => receiver.close());
  return receiver;
}

const allAre = (state: string) =>
  until(`every delivery is ${state}`, async () => {
    const rows = await deliveriesOf(database);
    return rows.length > 0 && rows.every((row) => row.state === state) ? rows : null;
  });

describe('what is due', () => {
  test('is told to every endpoint that subscribed to it, and to no other', async () => {
    const all = await aReceiver();
    const some = await aReceiver();
    await insertEndpoint(database, all.url);
    await insertEndpoint(database, some.url, ['payment.captured']);
    dispatch();
    const captured = await insertEvent(database, 'payment.captured');
    const failed = await insertEvent(database, 'payment.failed');
    const rows = await allAre('delivered');
    expect(rows).toHaveLength(3);
    for (const row of rows) {
      expect(row).toMatchObject({ tries: 1, last_error: null, last_status_code: 200, claimed_by: null });
      expect(row.delivered_at).toBeInstanceOf(Date);
    }
    const idsAt = (receiver: Receiver) =>
      receiver.received.map(({ headers }) => String(headers['webhook-id'])).toSorted();
    expect(idsAt(all)).toEqual([captured.eventId, failed.eventId].toSorted());
    expect(idsAt(some)).toEqual([captured.eventId]);
    expect(some.received[0]?.headers['x-correlation-id']).toBe(`req_of_${captured.paymentId}`);
    expect(JSON.parse(some.received[0]?.body ?? '')).toMatchObject({
      id: captured.eventId,
      type: 'payment.captured',
      object_id: captured.paymentId,
      data: { amount: '25.99', currency: 'USD' },
    });
  });

  test('is told once, in a crowd of dispatchers too', async () => {
    const receiver = await aReceiver();
    await insertEndpoint(database, receiver.url);
    for (let each = 0; each < 3; each++) dispatch();
    await Promise.all(Array.from({ length: 60 }, () => insertEvent(database)));
    await allAre('delivered');
    const ids = receiver.received.map(({ headers }) => headers['webhook-id']);
    expect(new Set(ids).size).toBe(60);
    expect(ids).toHaveLength(60);
  });

  test('is found without a notification', async () => {
    const receiver = await aReceiver();
    await insertEndpoint(database, receiver.url);
    dispatch({ listener: noListener });
    await insertEvent(database);
    await allAre('delivered');
  });

  test('and was claimed by a process that died, is told when the claim has run out, and not before', async () => {
    const receiver = await aReceiver();
    await insertEndpoint(database, receiver.url);
    const [dead, other] = [await insertEvent(database), await insertEvent(database)];
    await database.admin.query(
      `UPDATE deliveries SET claimed_by = 'dead', claimed_until = now() + interval '1 hour' WHERE event_id = $1`,
      [dead.eventId],
    );
    dispatch();
    const idsThere = () => receiver.received.map(({ headers }) => headers['webhook-id']);
    await until('the other one is told', () => idsThere().length === 1);
    expect(idsThere()).toEqual([other.eventId]);
    await database.admin.query('UPDATE deliveries SET claimed_until = now() WHERE event_id = $1', [dead.eventId]);
    await allAre('delivered');
    expect(idsThere()).toEqual([other.eventId, dead.eventId]);
  });
});

describe('a receiver that does not take it', () => {
  test('is tried again by a workflow of its own, whose id is the delivery’s', async () => {
    const receiver = await aReceiver(status(500));
    await insertEndpoint(database, receiver.url);
    const { started } = dispatch();
    await insertEvent(database);
    const [row] = await allAre('retrying');
    expect(row).toMatchObject({
      tries: 1,
      last_error: 'the endpoint answered 500',
      last_status_code: 500,
      claimed_by: null,
    });
    expect(started).toEqual([{ deliveryId: row?.id, receiver: row?.receiver, firstTryInMs: 5_000 }]);
    expect(receiver.received).toHaveLength(1);
  });

  test('is left alone as long as it asked, at most for an hour', async () => {
    const patient = await aReceiver(status(429, { 'retry-after': '60' }));
    const endless = await aReceiver(status(503, { 'retry-after': '999999' }));
    await insertEndpoint(database, patient.url);
    await insertEndpoint(database, endless.url);
    const { started } = dispatch();
    await insertEvent(database);
    await allAre('retrying');
    expect(new Set(started.map(({ firstTryInMs }) => firstTryInMs))).toEqual(new Set([3_600_000, 60_000]));
  });

  test('is told again here while Temporal is away: nothing is lost', async () => {
    const receiver = await aReceiver((response, _request, index) => response.writeHead(index === 0 ? 500 : 200).end());
    await insertEndpoint(database, receiver.url);
    dispatch({}, () => {
      throw new Error('Temporal is away');
    });
    await insertEvent(database);
    await until('it was tried', () => receiver.received.length === 1);
    const [claimed] = await deliveriesOf(database);
    expect(claimed?.state).toBe('pending');
    await database.admin.query(`UPDATE deliveries SET claimed_until = now() - interval '1 second'`);
    await allAre('delivered');
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
  });

  test('and wants nothing any more is disabled, and what else waits for it is skipped', async () => {
    const receiver = await aReceiver(status(410));
    const { id } = await insertEndpoint(database, receiver.url);
    await Promise.all(Array.from({ length: 20 }, () => insertEvent(database)));
    const { started } = dispatch();
    await until('nothing is due', async () => (await deliveriesOf(database)).every(({ state }) => state !== 'pending'));
    const states = (await deliveriesOf(database)).map(({ state }) => state);
    expect(new Set(states)).toEqual(new Set(['failed', 'skipped']));
    expect(receiver.received.length).toBeLessThan(20);
    expect(started).toEqual([]);
    const { rows } = await database.admin.query('SELECT status, disabled_reason FROM webhook_endpoints WHERE id = $1', [
      id,
    ]);
    expect(rows).toEqual([{ status: 'disabled', disabled_reason: 'it answered 410 Gone' }]);
    await insertEvent(database);
    expect(await deliveriesOf(database), 'no event is queued for it').toHaveLength(20);
  });

  test('gets eight at a time, and one at a time while it fails', async () => {
    const openAtStart: number[] = [];
    const slow: Answering = (response) => {
      openAtStart.push(receiver.open);
      setTimeout(() => response.writeHead(500).end(), 100);
    };
    const receiver: Receiver = await aReceiver(slow);
    await insertEndpoint(database, receiver.url);
    await Promise.all(Array.from({ length: 20 }, () => insertEvent(database)));
    dispatch();
    await allAre('retrying');
    expect(receiver.openMax).toBe(8);
    // While the first eight end one by one, none of the others begins beside another one of these.
    expect(openAtStart.slice(16)).toEqual([1, 1, 1, 1]);
  });

  test('slows nobody else, however many of them hang with whatever backlog', async () => {
    const hanging = await Promise.all(Array.from({ length: 50 }, () => aReceiver(() => undefined)));
    for (const { url } of hanging) await insertEndpoint(database, url);
    await Promise.all(Array.from({ length: 30 }, () => insertEvent(database)));
    const healthy = await aReceiver();
    await insertEndpoint(database, healthy.url);
    dispatch();
    await until('receivers hang', () => hanging.every(({ received }) => received.length > 0));
    await Promise.all(Array.from({ length: 30 }, () => insertEvent(database)));
    await until('the healthy one knows all', () => healthy.received.length >= 30);
    expect(Math.max(...hanging.map(({ openMax }) => openMax))).toBeLessThanOrEqual(8);
  });
});

describe('a delivery whose workflow is gone', () => {
  test('is due again after hours without a try', async () => {
    const receiver = await aReceiver();
    await insertEndpoint(database, receiver.url);
    const stalled = await insertEvent(database);
    const waiting = await insertEvent(database);
    const set = `UPDATE deliveries SET state = 'retrying', updated_at = now() - $2::interval WHERE event_id = $1`;
    await database.admin.query(set, [stalled.eventId, '3 hours']);
    await database.admin.query(set, [waiting.eventId, '1 hour']);
    dispatch();
    await until('the stalled one is told', () => receiver.received.length > 0);
    expect(receiver.received.map(({ headers }) => headers['webhook-id'])).toEqual([stalled.eventId]);
    const states = new Map((await deliveriesOf(database)).map((row) => [row.event_id, row.state]));
    expect(states.get(waiting.eventId)).toBe('retrying');
  });
});

describe('what a receiver had no room for', () => {
  const backdate = (eventIds: readonly string[], set: string) =>
    database.admin.query(`UPDATE deliveries SET ${set} WHERE event_id = ANY ($1)`, [eventIds]);
  const threeDaysAgo = `now() - interval '73 hours'`;
  const stateOf = async (eventId: string) =>
    (await deliveriesOf(database)).filter((row) => row.event_id === eventId).map(({ state }) => state);

  test('for three days is given up, with one alert per receiver; what is newer, again due or being tried is not', async () => {
    const hanging = await aReceiver(() => undefined);
    await insertEndpoint(database, hanging.url);
    await insertEndpoint(database, hanging.url);
    const ids: string[] = [];
    for (let each = 0; each < 9; each++) ids.push((await insertEvent(database)).eventId);
    const [fresh = '', again = '', tried = '', ...old] = ids;
    await backdate([again, tried, ...old], `created_at = ${threeDaysAgo}`);
    await backdate([tried, ...old], `updated_at = ${threeDaysAgo}`);
    await backdate([tried], `claimed_until = now() + interval '1 hour'`);
    const opened: unknown[] = [];
    const metrics = { deliveryTried: () => undefined, alertOpened: (alert: unknown) => void opened.push(alert) };
    dispatch({ metrics });
    await until('the old ones are given up', async () =>
      (await Promise.all(old.map(stateOf))).flat().every((state) => state === 'failed'),
    );
    for (const id of [fresh, again, tried]) expect(await stateOf(id)).toEqual(['pending', 'pending']);
    const { rows } = await database.admin.query('SELECT resource_id, closed_at FROM alerts ORDER BY resource_id');
    const receivers = new Set((await deliveriesOf(database)).map(({ receiver }) => receiver));
    expect(rows).toEqual([...receivers].toSorted().map((receiver) => ({ resource_id: receiver, closed_at: null })));
    expect(opened).toEqual([{ kind: 'delivery_failed' }, { kind: 'delivery_failed' }]);
  });
});

describe('a dispatcher that is stopped', () => {
  test('ends what it began, writes it down and begins nothing else', async () => {
    const answers: (() => void)[] = [];
    const receiver = await aReceiver((response) => void answers.push(() => response.writeHead(200).end()));
    await insertEndpoint(database, receiver.url);
    await Promise.all(Array.from({ length: 12 }, () => insertEvent(database)));
    const { stop } = dispatch();
    await until('eight are on their way', () => answers.length === 8);
    const ended = stop();
    for (const answer of answers) answer();
    const tallies = await ended;
    expect(tallies.map(({ delivered }) => delivered).reduce((sum, one) => sum + one)).toBe(8);
    const rows = await deliveriesOf(database);
    expect(rows.filter(({ state }) => state === 'delivered')).toHaveLength(8);
    expect(rows.filter(({ state, claimed_by }) => state === 'pending' && claimed_by === null)).toHaveLength(4);
  });
});

describe('a mail', () => {
  const sent: PayerMail[] = [];
  const mails: NonNullable<DeliveryDeps['mails']> = {
    send: async (mail) => {
      sent.push(mail);
      return { kind: 'delivered', statusCode: null };
    },
    close: () => undefined,
  };
  afterEach(() => void sent.splice(0));
  const payer = { customer_email: 'ada@example.com', description: 'Tea for two' };

  test('goes to the payer of a success, a failure with its reason, and a delay', async () => {
    await insertEvent(database, 'payment.captured', payer);
    await insertEvent(database, 'payment.failed', { ...payer, failure: { code: 'expired_card' } });
    await insertEvent(database, 'payment.delayed', payer);
    await insertEvent(database, 'payment.pending', payer);
    await insertEvent(database, 'payment.captured');
    dispatch({ mails });
    const rows = await allAre('delivered');
    expect(rows).toHaveLength(3);
    expect(sent.map(({ kind }) => kind).toSorted()).toEqual(['delay', 'failure', 'success']);
    const ids = new Set(rows.map(({ id }) => id));
    for (const mail of sent) {
      expect(ids.has(mail.deliveryId)).toBe(true);
      expect(mail).toMatchObject({
        to: payer.customer_email,
        merchantName: 'Tea & Sons',
        amount: '25.99 USD',
        isTest: true,
      });
    }
    expect(sent.find(({ kind }) => kind === 'failure')?.reason).toContain('The card has expired.');
    expect(JSON.stringify(await deliveriesOf(database))).not.toContain('ada@');
  });

  test('is skipped, once, without a mail server, without an address, and when the delay is over', async () => {
    await insertEvent(database, 'payment.captured', payer);
    const first = dispatch();
    expect((await allAre('skipped'))[0]).toMatchObject({ tries: 1, last_error: 'no mail server is configured' });
    await first.stop();
    const blanked = await insertEvent(database, 'payment.captured', payer);
    await database.admin.query('UPDATE payments SET customer_email = NULL WHERE id = $1', [blanked.paymentId]);
    const over = await insertEvent(database, 'payment.delayed', payer);
    await database.admin.query(`UPDATE payments SET status = 'failed', version = version + 1 WHERE id = $1`, [
      over.paymentId,
    ]);
    dispatch({ mails });
    const reasons = (await allAre('skipped')).map((row) => String(row.last_error)).toSorted();
    expect(reasons).toEqual([
      'no mail server is configured',
      'the payment takes no longer',
      'there is nobody to write to',
    ]);
    expect(sent).toEqual([]);
  });

  test('that is refused for good is failed without a workflow, and holds nobody up', async () => {
    const refused = { kind: 'refused' as const, problem: 'the mail server refused it (550)', statusCode: 550 };
    await insertEvent(database, 'payment.captured', payer);
    const { started } = dispatch({ mails: { ...mails, send: async () => refused } });
    const [row] = await allAre('failed');
    expect(row).toMatchObject({ tries: 1, last_error: refused.problem, last_status_code: 550 });
    expect(started).toEqual([]);
  });
});

describe('a claim', () => {
  const claim = { claimant: 'me', leaseMs: 60_000, perReceiverMax: 8, rooms: new Map<string, number>() };

  test('takes from the receivers with the least in flight first, and never more than there is room for', async () => {
    const endpoints = [];
    for (let each = 0; each < 40; each++) endpoints.push(await insertEndpoint(database, 'http://127.0.0.1:1/'));
    await Promise.all(Array.from({ length: 10 }, () => insertEvent(database)));
    const rows = await deliveriesOf(database);
    const shard = rows[0]?.shard ?? 0;
    const here = [...new Set(rows.filter((row) => row.shard === shard).map(({ receiver }) => receiver))];
    const [full = '', busy = '', ...free] = here;
    const rooms = new Map([
      [full, 0],
      [busy, 2],
    ]);
    const first = await claimDeliveries(database.db, { ...claim, shard, rooms, limit: free.length });
    expect(first.map(({ receiver }) => receiver).toSorted(), 'one for each that is free').toEqual(free.toSorted());
    const rest = await claimDeliveries(database.db, { ...claim, shard, rooms, limit: 1_000 });
    const countOf = (receiver: string) => rest.filter((delivery) => delivery.receiver === receiver).length;
    expect([countOf(full), countOf(busy), countOf(free[0] ?? '')]).toEqual([0, 2, 8]);
    expect(
      await claimDeliveries(database.db, {
        ...claim,
        shard,
        rooms: new Map(here.map((one) => [one, 0])),
        limit: 1_000,
      }),
    ).toEqual([]);
  });
});

test('the listener is called at once, and again when its connection was cut', async () => {
  const listener = listenTo(database);
  closing.push(() => listener.close());
  const calls: number[] = [];
  for (let shard = 0; shard < shards; shard++) listener.onDue(shard, () => calls.push(shard));
  const isListening = () => database.admin.query(`SELECT pid FROM pg_stat_activity WHERE query = 'LISTEN deliveries'`);
  await until('it is listening', async () => (await isListening()).rowCount === 1);
  await until('it called all at its start', () => new Set(calls).size === shards);
  await insertEndpoint(database, 'http://127.0.0.1:1/');
  await insertEvent(database);
  const [row] = await deliveriesOf(database);
  await until('the shard is called', () => calls.length === shards + 1);
  expect(calls.at(-1)).toBe(row?.shard);
  await database.admin.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'LISTEN deliveries'`,
  );
  await until('it called all again: it may have missed some', () => calls.length === 2 * shards + 1);
  await insertEvent(database);
  await until('it is called as before', () => calls.length === 2 * shards + 2);
});
