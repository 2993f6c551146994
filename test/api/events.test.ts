import { randomBytes, randomUUID } from 'node:crypto';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import type { EventObject } from '../../workflows/domain/event.ts';
import { base32 } from '../../workflows/domain/ids.ts';
import { callApi, type List, pathWith, readAll } from '../support/api-call.ts';
import { apiUnderTest } from '../support/api-under-test.ts';
import { insertPendingPayment } from '../support/payment-row.ts';

const path = '/api/v1/events';

const { database, api } = apiUnderTest();

/** A merchant of the test's own with its key. */
async function aMerchant(): Promise<{ id: string; key: string }> {
  const id = `mer_${randomBytes(6).toString('hex')}`;
  return { id, key: await api.keyFor(id) };
}

interface Queryable {
  query(text: string, values: unknown[]): Promise<unknown>;
}

/** An event of a payment, straight from SQL, in whatever transaction `by` is in. */
async function anEvent(
  merchantId: string,
  by: Queryable = database.admin,
  { type = 'payment.captured', objectId = `pay_${randomUUID()}`, sequence = 1, isTest = true } = {},
): Promise<string> {
  const id = `evt_${randomUUID()}`;
  const data = {
    id: objectId,
    external_id: 'order-17',
    status: 'captured',
    version: sequence,
    currency: 'KWD',
    amount_minor: '1234567',
    authorized_amount_minor: '1234567',
    captured_amount_minor: '1234567',
    voided_amount_minor: '0',
    refunded_amount_minor: '0',
    processor: 'easypay',
    processor_transaction_id: 't',
    failure_code: null,
    is_test: isTest,
  };
  await by.query(
    `INSERT INTO events (id, merchant_id, is_test, type, object_id, sequence, data, created_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [id, merchantId, isTest, type, objectId, sequence, data, new Date('2026-01-31T12:00:00Z')],
  );
  return id;
}

type Query = Readonly<Record<string, string | number | undefined | null>>;
const read = async (key: string, query: Query = {}) => {
  const answer = await callApi<List<EventObject>>(api.url, key, { path: pathWith(path, query) });
  if (answer.status !== 200) throw new Error(`answered ${answer.status}: ${JSON.stringify(answer.body)}`);
  const { data, has_more, next_cursor } = answer.body;
  return { ids: data.map(({ id }) => id), data, has_more, cursor: next_cursor };
};

describe('GET /events', () => {
  test('shows an event in the API’s words', async () => {
    const merchant = await aMerchant();
    const id = await anEvent(merchant.id, database.admin, { objectId: 'pay_1', sequence: 2 });
    expect((await read(merchant.key)).data).toEqual([
      {
        id,
        type: 'payment.captured',
        sequence: 2,
        object_id: 'pay_1',
        created_at: '2026-01-31T12:00:00.000Z',
        data: {
          id: 'pay_1',
          external_id: 'order-17',
          status: 'captured',
          currency: 'KWD',
          amount: '1234.567',
          authorized_amount: '1234.567',
          captured_amount: '1234.567',
          voided_amount: '0.000',
          refunded_amount: '0.000',
          processor: 'easypay',
          processor_transaction_id: 't',
          failure: null,
          is_test: true,
        },
      },
    ]);
  });

  test('is oldest first, whatever the page, and always says where to go on', async () => {
    const merchant = await aMerchant();
    const empty = await read(merchant.key);
    expect(empty).toMatchObject({ ids: [], has_more: false, cursor: expect.stringMatching(/./) });
    const written: string[] = [];
    for (let count = 0; count < 5; count++) written.push(await anEvent(merchant.id));
    for (const limit of [1, 2, 5, 100]) {
      const all = await readAll<EventObject>(api.url, merchant.key, path, { limit });
      expect([limit, all.map(({ id }) => id)]).toEqual([limit, written]);
    }
    const behindNothing = await read(merchant.key, { cursor: empty.cursor });
    expect(behindNothing.ids).toEqual(written);
    const end = await read(merchant.key, { cursor: behindNothing.cursor });
    expect(end).toMatchObject({ ids: [], has_more: false, cursor: expect.stringMatching(/./) });
    const next = await anEvent(merchant.id);
    expect((await read(merchant.key, { cursor: end.cursor })).ids).toEqual([next]);
  });

  test('filters by type and by object, page by page', async () => {
    const merchant = await aMerchant();
    const objectId = 'pay_filtered';
    const first = await anEvent(merchant.id, database.admin, { type: 'payment.pending', objectId });
    await anEvent(merchant.id);
    const last = await anEvent(merchant.id, database.admin, { objectId, sequence: 2 });
    const ids = async (query: Record<string, string | number>) =>
      (await readAll<EventObject>(api.url, merchant.key, path, { limit: 1, ...query })).map(({ id }) => id);
    expect(await ids({ object_id: objectId })).toEqual([first, last]);
    expect(await ids({ type: 'payment.pending' })).toEqual([first]);
    expect(await ids({ type: 'payment.captured', object_id: objectId })).toEqual([last]);
    const bad = await callApi(api.url, merchant.key, { path: pathWith(path, { type: 'payment.lost' }) });
    expect(bad.problem.errors?.map(({ parameter }) => parameter)).toEqual(['type']);
  });

  test('belongs to one merchant in one mode, and needs its permission', async () => {
    const merchant = await aMerchant();
    const other = await aMerchant();
    const mine = await anEvent(merchant.id);
    const live = await anEvent(merchant.id, database.admin, { isTest: false });
    const liveKey = await api.keyFor(merchant.id, { isTest: false });
    expect((await read(merchant.key)).ids).toEqual([mine]);
    expect((await read(liveKey)).ids).toEqual([live]);
    expect((await read(other.key)).ids).toEqual([]);
    const without = await api.keyFor(merchant.id, { permissions: ['payments:read'] });
    expect((await callApi(api.url, without, { path })).problem.code).toBe('forbidden');
    const { cursor } = await read(other.key);
    expect((await callApi(api.url, merchant.key, { path: pathWith(path, { cursor }) })).status).toBe(422);
  });
});

test.each([
  ['more than Postgres counts', ['18446744073709551616', '0']],
  ['a position beyond all', ['1', '9223372036854775808']],
  ['a sign', ['-1', '0']],
  ['no number', ['x', '0']],
])('a cursor with %s in it is refused', async (_name, position) => {
  const { key } = await aMerchant();
  const { cursor } = await read(key);
  const parsed = JSON.parse(Buffer.from(cursor ?? '', 'base64url').toString()) as object;
  const broken = Buffer.from(JSON.stringify({ ...parsed, at: position })).toString('base64url');
  const { problem } = await callApi(api.url, key, { path: pathWith(path, { cursor: broken }) });
  expect([problem.status, problem.errors?.map(({ parameter }) => parameter)]).toEqual([422, ['cursor']]);
});

describe('an event whose transaction commits late', () => {
  test('is not skipped: what was committed after it began waits for it', async () => {
    const merchant = await aMerchant();
    const { cursor: start } = await read(merchant.key);
    const slow = await database.admin.connect();
    await slow.query('BEGIN');
    const late = await anEvent(merchant.id, slow);
    const early = await anEvent(merchant.id);
    const meanwhile = await read(merchant.key, { cursor: start });
    expect(meanwhile).toMatchObject({ ids: [], has_more: false });
    await slow.query('COMMIT');
    slow.release();
    expect((await read(merchant.key, { cursor: meanwhile.cursor })).ids).toEqual([late, early]);
    expect((await read(merchant.key, { cursor: start })).ids).toEqual([late, early]);
  });

  test('waits for writers in other databases of the cluster too, and for no reader', async () => {
    const merchant = await aMerchant();
    const elsewhere = new pg.Client(await database.anotherDatabase('elsewhere'));
    await elsewhere.connect();
    await elsewhere.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    await elsewhere.query('SELECT 1');
    const first = await anEvent(merchant.id);
    expect((await read(merchant.key)).ids).toEqual([first]);
    await elsewhere.query('SELECT pg_current_xact_id()');
    const second = await anEvent(merchant.id);
    expect((await read(merchant.key)).ids).toEqual([first]);
    await elsewhere.query('COMMIT');
    await elsewhere.end();
    expect((await read(merchant.key)).ids).toEqual([first, second]);
  });

  test('that rolls back holds nothing up', async () => {
    const merchant = await aMerchant();
    const slow = await database.admin.connect();
    await slow.query('BEGIN');
    await anEvent(merchant.id, slow);
    const kept = await anEvent(merchant.id);
    await slow.query('ROLLBACK');
    slow.release();
    expect((await read(merchant.key)).ids).toEqual([kept]);
  });

  test('is read once by a reader who polls while many write at once', async () => {
    const merchant = await aMerchant();
    const written: string[] = [];
    const writer = async (number: number) => {
      const client = await database.admin.connect();
      for (let round = 0; round < 10; round++) {
        await client.query('BEGIN');
        for (let count = 0; count <= (number + round) % 3; count++) written.push(await anEvent(merchant.id, client));
        if (round % 2 === number % 2) await client.query('SELECT pg_sleep(0.005)');
        await client.query('COMMIT');
      }
      client.release();
    };
    const writing = { isOver: false };
    const writers = Promise.all(Array.from({ length: 6 }, (_, number) => writer(number))).finally(() => {
      writing.isOver = true;
    });
    const seen: string[] = [];
    let cursor: string | null = null;
    const poll = async () => {
      const page = await read(merchant.key, { cursor, limit: 7 });
      seen.push(...page.ids);
      cursor = page.cursor;
      return page.has_more;
    };
    while (!writing.isOver) await poll();
    await writers;
    while (await poll());
    expect(seen.toSorted()).toEqual(written.toSorted());
  });
});

describe('a restored database', () => {
  test('refuses cursors of its future, and shows all events once the owner has stamped them anew', async () => {
    const merchant = await aMerchant();
    const id = await anEvent(merchant.id);
    // As if the rows came from a cluster that had counted further: they are hidden.
    await database.admin.query(`UPDATE events SET transaction_id = '9000000000' WHERE id = $1`, [id]);
    expect((await read(merchant.key)).ids).toEqual([]);
    await database.admin.query('UPDATE events SET transaction_id = pg_current_xact_id()');
    const all = await read(merchant.key);
    expect(all.ids).toEqual([id]);

    const { cursor } = await read(merchant.key, { cursor: all.cursor });
    const parsed = JSON.parse(Buffer.from(cursor ?? '', 'base64url').toString()) as { at: string[] };
    const future = Buffer.from(JSON.stringify({ ...parsed, at: ['9000000000', '1'] })).toString('base64url');
    const { problem } = await callApi(api.url, merchant.key, { path: pathWith(path, { cursor: future }) });
    expect([problem.status, problem.errors]).toEqual([
      422,
      [{ parameter: 'cursor', detail: expect.stringContaining('restored') }],
    ]);
    await expect(database.db.pool.query('UPDATE events SET transaction_id = pg_current_xact_id()')).rejects.toThrow(
      /permission denied/,
    );
  });
});

describe('the story of a payment', () => {
  test('has its events as they were written and its attempts oldest first, without token or sender', async () => {
    const merchant = await aMerchant();
    const id = await insertPendingPayment(database, {
      id: `pay_${base32(randomBytes(17), 130)}`,
      merchant_id: merchant.id,
      card_token: 'tok_visa_secret',
    });
    for (const sequence of [1, 2, 3]) await anEvent(merchant.id, database.admin, { objectId: id, sequence });
    const outcome = {
      kind: 'declined',
      declineCode: 'issuer_unavailable',
      response: { transactionId: 't', responseCode: '91', responseMessage: 'Issuer away', card: null },
    };
    const attempts: [string, number, string, unknown, string | null][] = [
      ['charge', 1, 'easypay', outcome, null],
      ['prepare', 2, 'paypal', { preparationId: 'order-1' }, null],
      ['charge', 2, 'paypal', null, 'unavailable'],
    ];
    for (const [operation, number, provider, said, fault] of attempts) {
      await database.admin.query(
        `INSERT INTO attempts (id, merchant_id, is_test, payment_id, operation, number, provider, state, sender, sent_at,
           send_before, outcome, fault, created_at)
         VALUES ($1, $2, true, $3, $4, $5::int, $6, 'sent', 'sender-secret', now(), now(), $7, $8, now() + $5::int * interval '1 second')`,
        [`att_${operation}_${number}_${id}`, merchant.id, id, operation, number, provider, said, fault],
      );
    }
    const events = await callApi<List<EventObject>>(api.url, merchant.key, { path: `/api/v1/payments/${id}/events` });
    expect(events.body.data.map(({ sequence }) => sequence)).toEqual([1, 2, 3]);
    expect(events.body).toMatchObject({ has_more: false, next_cursor: null });
    const story = await callApi<List<unknown>>(api.url, merchant.key, { path: `/api/v1/payments/${id}/attempts` });
    const unsaid = { response_code: null, response_message: null, decline_code: null };
    expect(story.body.data).toMatchObject([
      {
        operation: 'charge',
        number: 1,
        provider: 'easypay',
        state: 'sent',
        sends: 1,
        doubts: 0,
        fault: null,
        response_code: '91',
        response_message: 'Issuer away',
        decline_code: 'issuer_unavailable',
      },
      { operation: 'prepare', number: 2, provider: 'paypal', ...unsaid },
      { operation: 'charge', number: 2, provider: 'paypal', fault: 'unavailable', ...unsaid },
    ]);
    expect(JSON.stringify(story.body)).not.toMatch(/secret/);

    for (const stranger of [await api.keyFor('mer_stranger'), await api.keyFor(merchant.id, { isTest: false })]) {
      for (const part of ['', '/events', '/attempts']) {
        const answer = await callApi(api.url, stranger, { path: `/api/v1/payments/${id}${part}` });
        expect([part, answer.problem.code]).toEqual([part, 'not_found']);
      }
    }
  });
});
