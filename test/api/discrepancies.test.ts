import { randomUUID } from 'node:crypto';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Contradiction, openDiscrepancy } from '../../prisma/discrepancies.ts';
import { createMerchant } from '../../prisma/merchants.ts';
import { alertIdOf, discrepancyIdOf } from '../../workflows/domain/ids.ts';
import { callApi, type List, pathWith, readAll } from '../support/api-call.ts';
import { apiUnderTest } from '../support/api-under-test.ts';
import { insertPendingPayment } from '../support/payment-row.ts';
import { until } from '../support/until.ts';

const path = '/api/v1/discrepancies';

const { database, api } = apiUnderTest();
let key: string;
beforeAll(async () => {
  key = await api.operatorKey();
  await createMerchant(database.db, { id: 'mer_1', name: 'Merchant' });
});
beforeEach(() => database.admin.query('TRUNCATE discrepancies, alerts'));

const aContradiction = (paymentId: string, changes: Partial<Contradiction> = {}): Contradiction => ({
  merchantId: 'mer_1',
  isTest: true,
  paymentId,
  objectId: paymentId,
  attemptId: `att_${randomUUID()}`,
  provider: 'easypay',
  recorded: 'declined',
  reported: 'approved',
  amountMinor: '2599',
  currency: 'USD',
  now: '2026-01-31T12:00:00.000Z',
  ...changes,
});
const idOf = ({ attemptId, recorded, reported }: Contradiction) => discrepancyIdOf(attemptId, recorded, reported);

/** A discrepancy of a payment that is there. */
async function aDiscrepancy(changes: Partial<Contradiction> = {}): Promise<string> {
  const found = aContradiction(await insertPendingPayment(database), changes);
  await openDiscrepancy(database.db, found);
  return idOf(found);
}

const count = async (table: string) =>
  (await database.admin.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${table}`)).rows[0]?.n;
const alertOf = async (id: string) =>
  (await database.admin.query('SELECT * FROM alerts WHERE resource_id = $1', [id])).rows as Record<string, unknown>[];

interface DiscrepancyObject {
  readonly id: string;
  readonly status: string;
}
interface Shown {
  readonly data: DiscrepancyObject & Record<string, unknown>;
}
const close = (id: string, reason: string, by = key) =>
  callApi<Shown>(api.url, by, { method: 'POST', path: `${path}/${id}/close`, body: { reason } });

describe('openDiscrepancy', () => {
  test('writes it with its alert, once, however often and by however many it is found', async () => {
    const found = aContradiction('pay_1');
    const answers = await Promise.all(Array.from({ length: 10 }, () => openDiscrepancy(database.db, found)));
    expect(answers.filter(Boolean)).toHaveLength(1);
    expect(await openDiscrepancy(database.db, { ...found, now: '2026-02-01T00:00:00.000Z' })).toBe(false);
    expect([await count('discrepancies'), await count('alerts')]).toEqual([1, 1]);
    expect(await alertOf(idOf(found))).toMatchObject([
      {
        id: alertIdOf(idOf(found)),
        kind: 'discrepancy',
        owner_role: 'operator',
        closed_at: null,
        merchant_id: 'mer_1',
      },
    ]);
    expect(await openDiscrepancy(database.db, { ...found, reported: 'declined' })).toBe(true);
  });

  test('does not open again what was closed', async () => {
    const found = aContradiction(await insertPendingPayment(database));
    await openDiscrepancy(database.db, found);
    await close(idOf(found), 'Paid back by hand');
    expect(await openDiscrepancy(database.db, found)).toBe(false);
    expect((await alertOf(idOf(found))).filter(({ closed_at }) => closed_at === null)).toEqual([]);
  });
});

describe('GET /discrepancies', () => {
  test('shows those of every merchant and mode, newest first, page by page', async () => {
    const ids: string[] = [];
    for (const [index, isTest] of [true, false, true].entries()) {
      ids.unshift(
        await aDiscrepancy({ isTest, merchantId: `mer_${index}`, now: `2026-01-0${index + 1}T00:00:00.000Z` }),
      );
    }
    for (const limit of [1, 2, 100]) {
      const all = await readAll<DiscrepancyObject>(api.url, key, path, { limit });
      expect([limit, all.map(({ id }) => id)]).toEqual([limit, ids]);
    }
  });

  test('shows amounts in units of the currency, and filters by status', async () => {
    const one = await aDiscrepancy({ currency: 'KWD', amountMinor: '1234567' });
    const other = await aDiscrepancy();
    await close(other, 'Paid back by hand');
    const read = async (status: string) =>
      (await callApi<List<DiscrepancyObject>>(api.url, key, { path: pathWith(path, { status }) })).body.data;
    expect(await read('open')).toMatchObject([
      { id: one, amount: '1234.567', recorded: 'declined', reported: 'approved', closed_at: null, closed_by: null },
    ]);
    expect(await read('closed')).toMatchObject([{ id: other, status: 'closed' }]);
    const bad = await callApi(api.url, key, { path: pathWith(path, { status: 'lost' }) });
    expect(bad.problem.errors).toMatchObject([{ parameter: 'status' }]);
  });

  test('is for operators alone', async () => {
    const merchantKey = await api.keyFor('mer_1');
    const id = await aDiscrepancy();
    expect((await callApi(api.url, merchantKey, { path })).problem.code).toBe('forbidden');
    expect((await close(id, 'Mine', merchantKey)).problem.code).toBe('forbidden');
    expect((await callApi(api.url, null, { path })).problem.code).toBe('unauthorized');
    expect((await alertOf(id))[0]).toMatchObject({ closed_at: null });
  });
});

describe('POST /discrepancies/{id}/close', () => {
  test('closes it and its alert, and says in the audit trail who did so and why', async () => {
    const id = await aDiscrepancy();
    const untouched = await aDiscrepancy();
    const { status, body } = await close(id, 'Paid back by hand');
    expect([status, body.data]).toMatchObject([
      200,
      {
        id,
        status: 'closed',
        closed_reason: 'Paid back by hand',
        closed_by: expect.stringMatching(/^operator/),
        closed_at: expect.any(String),
      },
    ]);
    expect((await alertOf(id))[0]?.['closed_at']).toBeInstanceOf(Date);
    expect((await alertOf(untouched))[0]).toMatchObject({ closed_at: null });
    const audit = await database.admin.query('SELECT * FROM payment_audit_trail WHERE payment_id = $1', [
      body.data['payment_id'],
    ]);
    expect(audit.rows).toMatchObject([
      {
        action: 'close_discrepancy',
        actor: body.data['closed_by'],
        event_id: null,
        details: { discrepancy_id: id, reason: 'Paid back by hand' },
      },
    ]);
  });

  test('again, or by several in the same moment, leaves it as the first one closed it', async () => {
    const id = await aDiscrepancy();
    const holder = await database.admin.connect();
    await holder.query('BEGIN');
    await holder.query('SELECT FROM discrepancies WHERE id = $1 FOR UPDATE', [id]);
    const reasons = ['A', 'B', 'C', 'D', 'E'];
    const closing = Promise.all(reasons.map((reason) => close(id, reason)));
    await until('all of them wait for the row', async () => {
      const waiting = await database.admin.query(
        `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%discrepancies%'`,
      );
      return waiting.rowCount === reasons.length;
    });
    await holder.query('ROLLBACK');
    holder.release();
    const answers = await closing;
    const again = await close(id, 'F');
    const seen = [...answers, again].map(({ status, body }) => [status, body.data['closed_reason']]);
    expect(new Set(seen.map(String)).size).toBe(1);
    expect(seen[0]).toEqual([200, expect.stringMatching(/^[A-E]$/)]);
    expect(again.body.data).toEqual(answers[0]?.body.data);
  });

  test.each(['dis_1', discrepancyIdOf('att_1', 'a', 'b')])('knows no %s', async (id) => {
    expect((await close(id, 'Gone')).problem.code).toBe('not_found');
  });

  test('wants a reason', async () => {
    const id = await aDiscrepancy();
    expect((await close(id, ' ')).problem.errors).toMatchObject([{ pointer: '/reason' }]);
    expect((await alertOf(id))[0]).toMatchObject({ closed_at: null });
  });
});
