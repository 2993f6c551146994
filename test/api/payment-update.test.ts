import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import type { PaymentObject } from '../../api/payment-object.ts';
import { base32 } from '../../workflows/domain/ids.ts';
import { type CallAnswer, callApi } from '../support/api-call.ts';
import { apiUnderTest } from '../support/api-under-test.ts';
import { insertPendingPayment } from '../support/payment-row.ts';
import { until } from '../support/until.ts';

const { database, api } = apiUnderTest();
let key = '';
beforeAll(async () => {
  key = await api.keyFor('mer_1');
});

type Answer = CallAnswer<{ data: PaymentObject }>;

const given = {
  description: 'A book',
  metadata: { color: 'blue' },
  customer_email: 'ada@example.com',
  customer_name: 'Ada',
};
const aRow = (columns: Record<string, unknown> = {}) =>
  insertPendingPayment(database, { id: `pay_${base32(randomBytes(17), 130)}`, ...given, ...columns });
const put = (id: string, body: unknown, apiKey = key): Promise<Answer> =>
  callApi(api.url, apiKey, { method: 'PUT', path: `/api/v1/payments/${id}`, body });

interface AuditRow {
  readonly id: string;
  readonly details: unknown;
}
const auditOf = async (id: string) =>
  (
    await database.admin.query<AuditRow>(
      'SELECT * FROM payment_audit_trail WHERE payment_id = $1 ORDER BY created_at',
      [id],
    )
  ).rows;
const rowOf = async (id: string) =>
  (await database.admin.query<Record<string, unknown>>('SELECT * FROM payments WHERE id = $1', [id])).rows[0];

describe('PUT /payments/{id}', () => {
  test('changes the given field, keeps the others, and says so in one audit entry without the values', async () => {
    const id = await aRow();
    const before = await rowOf(id);
    const answer = await put(id, { description: 'Two books' });
    expect(answer.status).toBe(200);
    expect(answer.body.data).toMatchObject({ ...given, description: 'Two books', id, status: 'pending' });
    const after = await rowOf(id);
    expect(after).toEqual({ ...before, description: 'Two books', updated_at: after?.['updated_at'] });
    expect(Number(after?.['updated_at'])).toBeGreaterThan(Number(before?.['updated_at']));
    expect(await auditOf(id)).toEqual([
      {
        id: expect.stringMatching(/^aud_[0-9a-z]{26}$/),
        event_id: null,
        merchant_id: 'mer_1',
        is_test: true,
        object_id: id,
        payment_id: id,
        actor: `api_key:${key.split('_')[2]}`,
        origin: expect.stringContaining('127.0.0.1'),
        action: 'update_payment',
        from_status: 'pending',
        to_status: 'pending',
        outcome: 'Payment Pending',
        amount: '2599',
        currency: 'USD',
        processor: null,
        correlation_id: answer.headers.get('x-request-id'),
        details: { fields: ['description'] },
        created_at: after?.['updated_at'],
      },
    ]);
    const events = await database.admin.query('SELECT * FROM events WHERE object_id = $1', [id]);
    expect(events.rows).toEqual([]);
  });

  test('blanks what is null', async () => {
    const id = await aRow();
    const nothing = { description: null, metadata: null, customer_email: null, customer_name: null };
    expect((await put(id, nothing)).body.data).toMatchObject({ ...nothing, metadata: {} });
    const [entry] = await auditOf(id);
    expect(entry?.details).toEqual({ fields: ['description', 'metadata', 'customer_email', 'customer_name'] });
  });

  test.each([
    ['the same request again', { description: 'Two books' }],
    ['what is there already', { metadata: given.metadata, customer_name: given.customer_name }],
    ['nothing', {}],
  ])('is harmless when it says %s: no change, no entry', async (_name, body) => {
    const id = await aRow();
    await put(id, { description: 'Two books' });
    const before = await rowOf(id);
    const answer = await put(id, body);
    expect([answer.status, answer.body.data.description]).toEqual([200, 'Two books']);
    expect(await rowOf(id)).toEqual(before);
    expect(await auditOf(id)).toHaveLength(1);
  });

  test('is allowed in every state, and leaves it as it is', async () => {
    const id = await aRow();
    await database.admin.query(`UPDATE payments SET status = 'failed', version = 2 WHERE id = $1`, [id]);
    expect((await put(id, { description: 'Why it failed' })).body.data.status).toBe('failed');
    expect(await auditOf(id)).toMatchObject([
      { from_status: 'failed', to_status: 'failed', outcome: 'Payment Failed' },
    ]);
  });

  test('of one payment at once is done one after the other: each change has its entry, none is lost', async () => {
    const id = await aRow();
    const fields = ['description', 'customer_name'];
    await Promise.all(
      Array.from({ length: 20 }, (_, index) => put(id, { [fields[index % 2] ?? '']: `change ${index}` })),
    );
    const entries = await auditOf(id);
    expect(entries).toHaveLength(20);
    expect(new Set(entries.map((entry) => entry.id)).size).toBe(20);
    expect(await rowOf(id)).toMatchObject({
      description: expect.stringMatching(/^change \d*[02468]$/),
      customer_name: expect.stringMatching(/^change \d*[13579]$/),
      version: 1,
    });
  });

  test('that waits for the workflow’s own change, or for another request’s, keeps it', async () => {
    const id = await aRow();
    const other = await database.admin.connect();
    await other.query('BEGIN');
    await other.query(
      `UPDATE payments SET status = 'failed', version = 2, processor = 'easypay', customer_name = 'Eve' WHERE id = $1`,
      [id],
    );
    const answer = put(id, { description: 'Meanwhile' });
    await until('the change waits for the row', async () => {
      const waiting = await database.admin.query('SELECT FROM pg_locks WHERE NOT granted');
      return waiting.rowCount === 1;
    });
    await other.query('COMMIT');
    other.release();
    expect((await answer).body.data).toMatchObject({
      status: 'failed',
      processor: 'easypay',
      description: 'Meanwhile',
    });
    expect(await rowOf(id)).toMatchObject({
      status: 'failed',
      version: 2,
      description: 'Meanwhile',
      customer_name: 'Eve',
    });
    expect(await auditOf(id)).toMatchObject([
      { from_status: 'failed', outcome: 'Payment Failed', processor: 'easypay' },
    ]);
  });

  test.each([
    ['amount', '1.00'],
    ['currency', 'EUR'],
    ['status', 'captured'],
    ['card_token', 'tok_visa_4242'],
    ['external_id', 'order-18'],
    ['is_test', false],
    ['unknown', null],
  ])('refuses %s, whatever else is good', async (field, value) => {
    const id = await aRow();
    const { problem } = await put(id, { description: 'Good', [field]: value });
    expect([problem.status, problem.errors]).toEqual([422, [{ pointer: `/${field}`, detail: 'is not a known field' }]]);
    expect(await rowOf(id)).toMatchObject(given);
    expect(await auditOf(id)).toEqual([]);
  });

  test('does not exist for another merchant, for the other mode, or for an id that is none', async () => {
    const id = await aRow();
    const foreign = await api.keyFor('mer_2');
    const live = await api.keyFor('mer_1', { isTest: false });
    for (const answer of [await put(id, { description: 'x' }, foreign), await put(id, { description: 'x' }, live)])
      expect(answer.problem.code).toBe('not_found');
    expect((await put('42', { description: 'x' })).problem.code).toBe('not_found');
    expect(await rowOf(id)).toMatchObject(given);
    const reader = await api.keyFor('mer_1', { permissions: ['payments:read'] });
    expect((await put(id, { description: 'x' }, reader)).problem.code).toBe('forbidden');
  });
});
