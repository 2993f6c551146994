import { randomBytes, randomUUID } from 'node:crypto';
import { Writable } from 'node:stream';
import { beforeEach, describe, expect, test } from 'vitest';
import { type CallLogLimits, createCallLog } from '../../api/call-log.ts';
import type { LoggedCall } from '../../prisma/audit-logs.ts';
import type { Database } from '../../prisma/database.ts';
import { createLogger } from '../../runtime/logger.ts';
import { callApi } from '../support/api-call.ts';
import { apiUnderTest } from '../support/api-under-test.ts';
import { until } from '../support/until.ts';

const { database, api } = apiUnderTest();

interface Row extends Record<string, unknown> {
  readonly request_data: Readonly<Record<string, unknown>>;
  readonly response_data: Readonly<Record<string, unknown>>;
}

/** The row of the call with this id, as soon as it is there. */
async function rowOf(correlationId: string): Promise<Row> {
  return until(`the call ${correlationId} is written down`, async () => {
    const { rows } = await database.admin.query<Row>('SELECT * FROM audit_logs WHERE correlation_id = $1', [
      correlationId,
    ]);
    return rows[0];
  });
}

interface Request {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

/** Calls the API with an id of its own, and returns the answer with the row of the call. */
async function call(path: string, key: string | null, { method = 'GET', headers = {}, body }: Request = {}) {
  const id = randomUUID();
  const response = await fetch(`${api.url}${path}`, {
    method,
    headers: {
      'x-request-id': id,
      ...(key !== null && { authorization: `Bearer ${key}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body }),
  });
  const answer = (await response.json()) as { data: Record<string, unknown> };
  return { id, status: response.status, answer, row: await rowOf(id) };
}

const secretWords = () => `canary-${randomBytes(8).toString('hex')}`;

describe('a call', () => {
  test('is written down with who called, for what, from where, and what came of it', async () => {
    const merchantId = `mer_${randomUUID()}`;
    const key = await api.keyFor(merchantId);
    const url = 'https://shop.example.com/hooks';
    const { id, answer, row } = await call('/api/v1/webhooks', key, {
      method: 'POST',
      headers: { 'user-agent': 'shop-client/2.1 (Linux; somebody)' },
      body: JSON.stringify({ url, description: 'secret plans', event_types: ['payment.captured'] }),
    });
    expect(row).toEqual({
      id: expect.stringMatching(/^log_/),
      correlation_id: id,
      service_name: 'api',
      action: 'createWebhook',
      resource_type: 'webhook',
      resource_id: answer.data['id'],
      merchant_id: merchantId,
      is_test: true,
      user_id: `api_key:${key.split('_')[2]}`,
      ip_address: '127.0.0.1',
      user_agent: 'shop-client/2.1',
      request_data: { event_types: ['payment.captured'] },
      response_data: { id: answer.data['id'], event_types: ['payment.captured'], status: 'active', is_test: true },
      status_code: 201,
      duration_ms: expect.any(Number),
      created_at: expect.any(Date),
    });
  });

  test('of a list is written down with what was asked for and how much there was', async () => {
    const key = await api.keyFor(`mer_${randomUUID()}`);
    const { row } = await call('/api/v1/payments?limit=7&currency=USD&status=captured&customer_id=jane', key);
    expect(row).toMatchObject({
      action: 'listPayments',
      resource_type: 'payment',
      resource_id: null,
      status_code: 200,
      request_data: { currency: 'USD', status: 'captured' },
      response_data: { count: 0 },
    });
  });

  test('about an object of ours names it, be it there or not; any other text is not kept', async () => {
    const key = await api.keyFor(`mer_${randomUUID()}`);
    const id = `pay_${'0'.repeat(26)}`;
    const found = await call(`/api/v1/payments/${id}`, key);
    expect(found.row).toMatchObject({ resource_id: id, status_code: 404, response_data: { code: 'not_found' } });
    const nested = await call(`/api/v1/payments/${id}/refunds`, key);
    expect(nested.row).toMatchObject({ action: 'listPaymentRefunds', resource_type: 'payment', resource_id: id });
    for (const odd of ['jane@example.com', 'pay_JANE', `pay_${'4'.repeat(12)}`, 'pay_4242424242424242'])
      expect((await call(`/api/v1/payments/${odd}`, key)).row['resource_id']).toBeNull();
  });

  test('that is refused is written down too, by nobody where nobody was known', async () => {
    const nobody = { merchant_id: null, is_test: null, user_id: null };
    expect((await call('/api/v1/payments', null)).row).toMatchObject({
      ...nobody,
      action: 'listPayments',
      status_code: 401,
      response_data: { code: 'unauthorized' },
    });
    expect((await call('/api/v1/payments', `po_test_${'0'.repeat(54)}`)).row).toMatchObject({
      ...nobody,
      status_code: 401,
    });
    const weak = await api.keyFor(`mer_${randomUUID()}`, { permissions: ['events:read'] });
    expect((await call('/api/v1/payments', weak)).row).toMatchObject({
      user_id: `api_key:${weak.split('_')[2]}`,
      status_code: 403,
      response_data: { code: 'forbidden' },
    });
    expect((await call('/api/v1/payments', weak, { method: 'POST', body: '{' })).row).toMatchObject({
      status_code: 403,
    });
  });

  test('that is beyond the budget of its key is written down', async () => {
    const key = await api.keyFor(`mer_${randomUUID()}`);
    const keyId = key.split('_')[2] ?? '';
    await database.db.prisma.apiKey.update({ where: { keyId }, data: { rateLimitPerMinute: 1 } });
    await call('/api/v1/payments', key);
    const { row } = await call('/api/v1/payments', key);
    expect(row).toMatchObject({
      user_id: `api_key:${keyId}`,
      status_code: 429,
      response_data: { code: 'rate_limited' },
    });
  });

  test('that needs no key is written down; probes, metrics and documents are not', async () => {
    expect((await call('/api/v1/version', null)).row).toMatchObject({ action: 'getVersion', status_code: 200 });
    const ids = ['/health', '/health/live', '/health/ready', '/metrics', '/openapi.json', '/nowhere'].map(
      async (path) => {
        const id = randomUUID();
        await (await fetch(`${api.url}${path}`, { headers: { 'x-request-id': id } })).text();
        return id;
      },
    );
    const unwanted = await Promise.all(ids);
    await call('/api/v1/version', null); // written after them
    const { rowCount } = await database.admin.query('SELECT 1 FROM audit_logs WHERE correlation_id = ANY($1)', [
      unwanted,
    ]);
    expect(rowCount).toBe(0);
  });

  test('leaves no free text behind, whatever it is called and wherever it stands', async () => {
    const key = await api.keyFor(`mer_${randomUUID()}`);
    const said = secretWords();
    const names =
      `id amount currency status capture outcome role type code purpose expires_at payment_id merchant_id count
      is_test permissions event_types description metadata ${said}`.split(/\s+/);
    const body = Object.fromEntries(names.map((name, index) => [name, [said, [said], { [said]: said }][index % 3]]));
    const { row, status } = await call('/api/v1/payments', key, { method: 'POST', body: JSON.stringify(body) });
    expect(status).toBe(422);
    expect(row.request_data).toEqual({});
    const agent = { 'user-agent': said };
    expect((await call(`/api/v1/payments?status=${said}&${said}=1`, key, { headers: agent })).status).toBe(422);
    const { rows } = await database.admin.query<{ text: string }>('SELECT a::text AS text FROM audit_logs a');
    expect(rows.filter(({ text }) => text.includes(said))).toEqual([]);
  });

  test.each([
    ['Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36', 'Mozilla/5.0'],
    ['curl/8.5.0', 'curl/8.5.0'],
    ['jane@example.com/1.0', null],
    ['4242424242424242/1.0', null],
    ['tok_visa_4242/1', null],
    ['shop/1.0-beta', null],
    [`${'a'.repeat(41)}/1`, null],
    ['shop', null],
  ])('of the program %s is of %s', async (userAgent, kept) => {
    const { row } = await call('/api/v1/version', null, { headers: { 'user-agent': userAgent } });
    expect(row['user_agent']).toBe(kept);
  });

  test('with a card number in its body or address keeps none', async () => {
    const key = await api.keyFor(`mer_${randomUUID()}`);
    const number = '4242424242424242';
    await call('/api/v1/payments', key, {
      method: 'POST',
      body: JSON.stringify({ amount: number, id: `pay_${number}` }),
    });
    await call(`/api/v1/payments?amount_min=${number}`, key);
    const { rows } = await database.admin.query<{ text: string }>('SELECT a::text AS text FROM audit_logs a');
    expect(rows.filter(({ text }) => text.includes(number))).toEqual([]);
  });

  test('whose caller goes away before the answer has no status', async () => {
    const key = await api.keyFor(`mer_${randomUUID()}`);
    const id = randomUUID();
    const leaving = new AbortController();
    const locker = await database.admin.connect();
    await locker.query('BEGIN; LOCK TABLE webhook_endpoints IN ACCESS EXCLUSIVE MODE');
    const sent = fetch(`${api.url}/api/v1/webhooks`, {
      headers: { authorization: `Bearer ${key}`, 'x-request-id': id },
      signal: leaving.signal,
    });
    await until('the call waits', async () => {
      const { rowCount } = await database.admin.query(
        "SELECT 1 FROM pg_locks WHERE relation = 'webhook_endpoints'::regclass AND NOT granted",
      );
      return (rowCount ?? 0) > 0;
    });
    leaving.abort();
    await sent.catch(() => undefined);
    expect(await rowOf(id)).toMatchObject({ status_code: null, response_data: {} });
    await locker.query('ROLLBACK');
    locker.release();
  });
});

describe('the log of calls', () => {
  let lost = 0;
  let printed = '';
  let isAway = false;
  let statements = 0;
  beforeEach(() => {
    lost = 0;
    printed = '';
    isAway = false;
    statements = 0;
  });

  const destination = new Writable({
    write(chunk, _encoding, done) {
      printed += String(chunk);
      done();
    },
  });
  const logger = createLogger('api', 'info', destination);
  const metrics = {
    callsNotLogged(count: number) {
      lost += count;
    },
  };

  /** A log of a database that is away when the test says so. */
  function aLog(limits: CallLogLimits) {
    const { pool } = database.db;
    const query = (statement: { name: string; text: string; values: unknown[] }) => {
      statements += 1;
      const away = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
      return isAway ? Promise.reject(away) : pool.query(statement);
    };
    const db: Database = { ...database.db, pool: Object.create(pool, { query: { value: query } }) };
    return createCallLog(db, logger, metrics, limits);
  }

  const aCall = (correlationId: string, changes: Partial<LoggedCall> = {}): LoggedCall => ({
    correlationId,
    action: 'getVersion',
    resourceType: null,
    resourceId: null,
    merchantId: null,
    isTest: null,
    userId: null,
    ipAddress: '::1',
    userAgent: null,
    requestData: {},
    responseData: {},
    statusCode: 200,
    durationMs: 1,
    createdAt: new Date(),
    ...changes,
  });

  const written = async (correlationId: string) =>
    (await database.admin.query('SELECT 1 FROM audit_logs WHERE correlation_id = $1', [correlationId])).rowCount;

  const never = 3_600_000;

  test('writes a full batch at once, in one statement', async () => {
    const log = aLog({ waitMs: never, batchMax: 50, waitingMax: 1_000 });
    const id = randomUUID();
    for (let number = 0; number < 49; number++) log.add(aCall(id));
    expect([statements, await written(id)]).toEqual([0, 0]);
    log.add(aCall(id));
    await until('the batch is written', async () => (await written(id)) === 50);
    expect(statements).toBe(1);
    await log.close();
  });

  test('writes what waits when it is closed', async () => {
    const log = aLog({ waitMs: never, batchMax: 50, waitingMax: 1_000 });
    const id = randomUUID();
    for (let number = 0; number < 120; number++) log.add(aCall(id));
    await log.close();
    expect(await written(id)).toBe(120);
  });

  test('keeps what waits while the database is away, and writes it once when it is back', async () => {
    const log = aLog({ waitMs: 5, batchMax: 50, waitingMax: 1_000 });
    const id = randomUUID();
    isAway = true;
    for (let number = 0; number < 120; number++) log.add(aCall(id));
    await until('it was tried three times', () => statements >= 3);
    isAway = false;
    await until('all is written', async () => (await written(id)) === 120);
    await log.close();
    expect([await written(id), lost]).toEqual([120, 0]);
    expect(printed.match(/the database is away/g)).toHaveLength(1);
  });

  test('writes a call once whose batch was written without an answer', async () => {
    const { pool } = database.db;
    let answers = 0;
    const query = async (statement: { name: string; text: string; values: unknown[] }) => {
      const result = await pool.query(statement);
      answers += 1;
      if (answers === 1) throw new Error('Connection terminated unexpectedly');
      return result;
    };
    const db: Database = { ...database.db, pool: Object.create(pool, { query: { value: query } }) };
    const log = createCallLog(db, logger, metrics, { waitMs: 5, batchMax: 10, waitingMax: 100 });
    const id = randomUUID();
    for (let number = 0; number < 10; number++) log.add(aCall(id));
    await until('it was written twice', () => answers === 2);
    await log.close();
    expect(await written(id)).toBe(10);
  });

  test('holds no more than its limit: the rest is counted and told', async () => {
    const log = aLog({ waitMs: never, batchMax: 1_000, waitingMax: 100 });
    const id = randomUUID();
    for (let number = 0; number < 130; number++) log.add(aCall(id));
    expect(lost).toBe(30);
    await log.close();
    expect(await written(id)).toBe(100);
    expect(printed).toContain('"count":30');
  });

  test('tells what is lost when it is closed without a database', async () => {
    const log = aLog({ waitMs: never, batchMax: 50, waitingMax: 100 });
    isAway = true;
    for (let number = 0; number < 7; number++) log.add(aCall('lost'));
    await log.close();
    log.add(aCall('too late'));
    expect(lost).toBe(8);
    expect(printed).toContain('"count":7');
  });

  test('leaves out a row that the database refuses, and no other', async () => {
    const log = aLog({ waitMs: never, batchMax: 50, waitingMax: 100 });
    const [good, bad] = [randomUUID(), randomUUID()];
    for (let number = 0; number < 49; number++)
      log.add(number === 20 ? aCall(bad, { ipAddress: 'no address' }) : aCall(good));
    await log.close();
    expect([await written(good), await written(bad), lost]).toEqual([48, 0, 1]);
  });

  test('is there for the metrics page', async () => {
    const operator = await api.operatorKey();
    const response = await fetch(`${api.url}/metrics`, { headers: { authorization: `Bearer ${operator}` } });
    expect(await response.text()).toContain('payments_api_calls_not_logged_total 0');
  });
});

test('the application can add to the log and read it, and nothing else', async () => {
  await callApi(api.url, null, { path: '/api/v1/version' });
  const { pool } = database.db;
  for (const act of [
    'UPDATE audit_logs SET action = action',
    'DELETE FROM audit_logs',
    'TRUNCATE audit_logs',
    'DROP TABLE audit_logs',
  ])
    await expect(pool.query(act)).rejects.toThrow(/permission denied|must be owner/);
});
