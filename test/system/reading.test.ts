import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PaymentObject } from '../../api/payment-object.ts';
import type { EventObject } from '../../workflows/domain/event.ts';
import { callApi, type List, pathWith, readAll } from '../support/api-call.ts';
import { aPayment, postPayment } from '../support/api-client.ts';
import { aCall } from '../support/call.ts';
import { until } from '../support/until.ts';
import { startWorld, type TestMerchant, type World } from '../support/world.ts';

const paymentsPath = '/api/v1/payments';
const eventsPath = '/api/v1/events';

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world?.close());

const get = <Body>(path: string, apiKey: string | null = world.merchant.testKey) =>
  callApi<Body>(world.apiUrl, apiKey, { path });
const put = (id: string, body: unknown, apiKey = world.merchant.testKey) =>
  callApi<{ data: PaymentObject }>(world.apiUrl, apiKey, { method: 'PUT', path: `${paymentsPath}/${id}`, body });

async function pay(merchant: TestMerchant, changes: Record<string, unknown> = {}, apiKey = merchant.testKey) {
  const answer = await postPayment(world.apiUrl, aPayment(changes), { apiKey, headers: { prefer: 'wait=60' } });
  return answer.payment;
}

describe('what was paid', () => {
  test('is listed newest first, by customer, by guest and by outcome, and its story is told', async () => {
    const merchant = await world.createMerchant();
    const key = merchant.testKey;
    const first = await pay(merchant, { customer_id: 'ada', external_id: 'order-1' });
    const declined = await pay(merchant, { customer_id: 'ada', card_token: 'tok_visa_insufficient_9995' });
    const guest = await pay(merchant);
    const ids = async (query: Record<string, string | number>) =>
      (await readAll<PaymentObject>(world.apiUrl, key, paymentsPath, query)).map(({ id }) => id);
    expect(await ids({ limit: 1 })).toEqual([guest.id, declined.id, first.id]);
    expect(await ids({ customer_id: 'ada' })).toEqual([declined.id, first.id]);
    expect(await ids({ guest: 'true' })).toEqual([guest.id]);
    expect(await ids({ status: 'captured', currency: 'USD', amount_min: '25.99' })).toEqual([guest.id, first.id]);
    expect(await ids({ external_id: 'order-1' })).toEqual([first.id]);
    expect(guest.customer_id).toBeNull();
    expect(declined.failure).toMatchObject({ code: 'insufficient_funds', decline_class: 'retry_same' });
    expect(declined.routing).toMatchObject({ candidates: expect.arrayContaining(['easypay']) });

    const story = await get<List<Record<string, unknown>>>(`${paymentsPath}/${declined.id}/attempts`, key);
    expect(story.body.data).toEqual([
      expect.objectContaining({
        operation: 'charge',
        number: 1,
        provider: 'easypay',
        state: 'declined',
        sends: 1,
        decline_code: 'insufficient_funds',
        response_code: declined.processor_response_code,
      }),
    ]);
    const events = await get<List<EventObject>>(`${paymentsPath}/${declined.id}/events`, key);
    expect(events.body.data.map(({ type, sequence }) => [type, sequence])).toEqual([
      ['payment.pending', 1],
      ['payment.failed', 2],
    ]);
    const feed = await readAll<EventObject>(world.apiUrl, key, eventsPath, { limit: 2 });
    expect(feed.filter(({ object_id }) => object_id === declined.id)).toEqual(events.body.data);
    expect(feed.map(({ object_id }) => object_id)).toEqual(
      [first, first, declined, declined, guest, guest].map(({ id }) => id),
    );
  });

  test('is paged without gap or double while payments go on', async () => {
    const merchant = await world.createMerchant();
    const before: string[] = [];
    for (let count = 0; count < 8; count++) before.push((await pay(merchant)).id);
    const going = { isOn: true };
    const payer = async () => {
      while (going.isOn) await pay(merchant);
    };
    const payers = [payer(), payer()];
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page: { body: List<PaymentObject> } = await get(
        pathWith(paymentsPath, { limit: 1, cursor }),
        merchant.testKey,
      );
      seen.push(...page.body.data.map(({ id }) => id));
      cursor = page.body.next_cursor;
    } while (cursor !== null);
    going.isOn = false;
    await Promise.all(payers);
    expect(new Set(seen).size).toBe(seen.length);
    expect(before.filter((id) => !seen.includes(id))).toEqual([]);
  });
});

describe('a change of a payment', () => {
  test('while the bank holds its charge disturbs nothing: the payment is captured once, and has the change', async () => {
    await world.bank.park({ operation: 'charge', point: 'before_commit' });
    const call = aCall(world);
    const answer = call.post();
    await until('its charge stands at the bank', async () =>
      (await world.bank.parked()).some(({ reference }) => reference === call.id),
    );
    const changes = Array.from({ length: 10 }, (_, index) => ({
      description: `change ${index}`,
      metadata: { a: `${index}` },
    }));
    const changed = await Promise.all(changes.map((change) => put(call.id, change)));
    expect(changed.map(({ status, body }) => [status, body.data.status])).toEqual(changes.map(() => [200, 'pending']));
    await put(call.id, { description: 'the last word', customer_name: 'Ada' });
    await world.bank.release();
    expect((await answer).payment).toMatchObject({
      status: 'captured',
      description: 'the last word',
      customer_name: 'Ada',
    });
    expect(await world.bank.movements(call.id)).toHaveLength(1);
    const { rows } = await world.admin.query<{ action: string; event_id: string | null; details: unknown }>(
      'SELECT action, event_id, details FROM payment_audit_trail WHERE payment_id = $1 ORDER BY created_at',
      [call.id],
    );
    expect(rows.filter(({ event_id }) => event_id !== null)).toHaveLength(2);
    const updates = rows.filter(({ action }) => action === 'update_payment');
    expect(updates.length).toBe(11);
    expect(updates.at(-1)?.details).toEqual({ fields: ['description', 'customer_name'] });
  });

  test('races with its capture: both are there in the end', async () => {
    const calls = Array.from({ length: 10 }, () => aCall(world));
    await Promise.all(
      calls.map(async (call) => {
        const answer = call.post();
        await until(
          'the payment can be changed',
          async () => (await put(call.id, { description: 'raced' })).status === 200,
        );
        expect((await answer).payment.status).toBe('captured');
        const { body } = await get<{ data: PaymentObject }>(`${paymentsPath}/${call.id}`);
        expect(body.data).toMatchObject({ status: 'captured', captured_amount: '25.99', description: 'raced' });
        expect(await world.bank.movements(call.id)).toHaveLength(1);
      }),
    );
  });
});

describe('the feed', () => {
  test('waits for an event whose transaction is still open, and skips nothing', async () => {
    const merchant = await world.createMerchant();
    const start = await get<List<EventObject>>(eventsPath, merchant.testKey);
    const slow = await world.admin.connect();
    await slow.query('BEGIN');
    const late = `evt_${randomUUID()}`;
    await slow.query(
      `INSERT INTO events (id, merchant_id, is_test, type, object_id, sequence, data, created_at)
       VALUES ($1, $2, true, 'payment.captured', $1, 1, '{"currency":"USD"}', now())`,
      [late, merchant.id],
    );
    const payment = await pay(merchant);
    const after = (cursor: string | null) => get<List<EventObject>>(pathWith(eventsPath, { cursor }), merchant.testKey);
    const meanwhile = await after(start.body.next_cursor);
    expect(meanwhile.body).toMatchObject({ data: [], has_more: false });
    await slow.query('COMMIT');
    slow.release();
    const read = await until('the feed goes on', async () => {
      const { body } = await after(meanwhile.body.next_cursor);
      return body.data.length >= 3 ? body.data : null;
    });
    expect(read.map(({ object_id }) => object_id)).toEqual([late, payment.id, payment.id]);
  });
});

test('no merchant, and no key of the other mode, sees anything of a payment by any route', async () => {
  const merchant = await world.createMerchant();
  const { id } = await pay(merchant, { external_id: 'secret-order' });
  const stranger = await world.createMerchant();
  for (const key of [stranger.testKey, stranger.liveKey, merchant.liveKey]) {
    const paths = [`${paymentsPath}/${id}`, `${paymentsPath}/${id}/attempts`, `${paymentsPath}/${id}/events`];
    for (const path of paths) expect([path, (await get(path, key)).status]).toEqual([path, 404]);
    expect((await put(id, { description: 'mine now' }, key)).status).toBe(404);
    const lists = [
      paymentsPath,
      `${paymentsPath}?external_id=secret-order`,
      eventsPath,
      `${eventsPath}?object_id=${id}`,
    ];
    for (const path of lists) expect([path, (await get<List<unknown>>(path, key)).body.data]).toEqual([path, []]);
  }
  const mine = await get<List<EventObject>>(`${eventsPath}?object_id=${id}`, merchant.testKey);
  expect(mine.body.data.map(({ object_id }) => object_id)).toEqual([id, id]);
});

describe('health', () => {
  interface Detailed {
    readonly status: string;
    readonly degraded: string[];
    readonly checks: Record<string, Record<string, unknown>>;
  }
  const detailed = () => get<Detailed>('/health/detailed', world.operatorKey);

  test('is ok while all run, with a worker at work', async () => {
    const { status, body } = await detailed();
    expect([status, body.checks['database']?.['status'], body.checks['temporal']?.['status']]).toEqual([
      200,
      'ok',
      'ok',
    ]);
    expect(body.checks['workers']).toEqual({ status: 'ok', count: 1 });
    expect((await get('/health', null)).status).toBe(200);
    const { body: version } = await get<{ data: { name: string } }>('/api/v1/version', null);
    expect(version.data.name).toBe('payment-orchestrator');
  });

  test('names what is down, and is back when it is', async () => {
    await world.temporalServer.kill();
    await until('Temporal is missed', async () => (await detailed()).body.degraded.includes('temporal'));
    const withoutTemporal = await detailed();
    expect([withoutTemporal.status, withoutTemporal.body.status]).toEqual([503, 'unavailable']);
    expect(withoutTemporal.body.checks['database']).toMatchObject({ status: 'ok' });
    expect((await get('/health', null)).status).toBe(503);
    await world.temporalServer.start();
    await until('all is well again', async () => (await get('/health', null)).status === 200);

    await world.postgres.kill();
    await until('the database is missed', async () => (await detailed()).body.degraded.includes('database'));
    const withoutDatabase = await detailed();
    expect([withoutDatabase.status, withoutDatabase.body.status]).toEqual([503, 'unavailable']);
    expect(withoutDatabase.body.checks).toMatchObject({
      temporal: { status: 'ok' },
      deliveries: { status: 'unknown', pending: null },
      payments: { status: 'unknown', open: null },
    });
    expect((await get('/health/live', null)).status).toBe(200);
  });
});
