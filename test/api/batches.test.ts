import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { readdirSync, readlinkSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { beforeEach, describe, expect, test } from 'vitest';
import type { BatchAct, KnownBatch } from '../../api/temporal/batch-client.ts';
import type { Acted } from '../../api/temporal/line.ts';
import { endRows, removeRows, stageRows } from '../../prisma/batch-rows.ts';
import { claimBatch } from '../../prisma/batches.ts';
import { signRequest } from '../../runtime/request-signature.ts';
import { createSecretBox } from '../../runtime/secret-box.ts';
import { batchIdOf, batchRowKeyOf, paymentIdOf, subscriptionIdOf } from '../../workflows/domain/ids.ts';
import { callApi } from '../support/api-call.ts';
import { startApi } from '../support/api-server.ts';
import { apiUnderTest, merchantPerTest } from '../support/api-under-test.ts';
import { type Batch, paymentFile, paymentHeader, paymentRow, postBatch, type Upload } from '../support/batch-call.ts';
import { insertPendingPayment } from '../support/payment-row.ts';
import { giveSigningSecret } from '../support/signing.ts';
import { until } from '../support/until.ts';

const secretBox = createSecretBox(new Map([['test', randomBytes(32)]]));

/** What the engine was asked for, and what it answers. */
const started: KnownBatch[] = [];
const acts: BatchAct[] = [];
let answer: Acted = { kind: 'stored' };
const batches = {
  start: async (batch: KnownBatch) => {
    started.push(batch);
    return null;
  },
  act: async (_batch: KnownBatch, _key: string, act: BatchAct) => {
    acts.push(act);
    return answer;
  },
};
beforeEach(() => {
  started.length = 0;
  acts.length = 0;
  answer = { kind: 'stored' };
});

const { database, api } = apiUnderTest({ batches, secretBox });
const merchant = merchantPerTest(api);

const send = (file: string | Buffer, upload?: Upload) => postBatch(api.url, merchant.key, file, upload);
const read = async (id: string) =>
  (await callApi<{ data: Batch }>(api.url, merchant.key, { path: `/api/v1/batches/${id}` })).body.data;
const steer = (method: string, path: string, body: unknown = {}) =>
  callApi<{ data: Batch }>(api.url, merchant.key, { method, path, body });
const rowsOf = async (id: string) =>
  (
    await database.admin.query<Record<string, unknown>>(
      'SELECT * FROM batch_rows WHERE batch_id = $1 ORDER BY number',
      [id],
    )
  ).rows;
/** Nameless ones, which this process has open. */
const spoolsOpen = () =>
  readdirSync('/proc/self/fd').filter((descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`).includes('payments-upload-');
    } catch {
      return false; // that of the listing itself
    }
  }).length;
const spools = () => readdirSync(tmpdir()).filter((name) => name.startsWith('payments-upload-'));

describe('a good file', () => {
  test('is staged row by row under ids that reference and key give, and its workflow is started', async () => {
    const { status, headers, body } = await send(paymentFile(3), { query: { rate_per_second: '7' }, key: 'k1' });
    const id = batchIdOf({ merchantId: merchant.id, isTest: true, idempotencyKey: 'k1' });
    expect([status, headers.get('location'), headers.get('idempotency-key')]).toEqual([
      202,
      `/api/v1/batches/${id}`,
      'k1',
    ]);
    expect(body.data).toMatchObject({
      id,
      reference: 'test',
      kind: 'payments',
      format: 'csv',
      dry_run: false,
      status: 'running',
      rows: { total: 3, staged: 3, started: 0, existing: 0, refused: 0, canceled: 0 },
      rate_per_second: 7,
      error_count: 0,
      errors: [],
      finished_at: null,
    });
    expect(started).toEqual([{ batchId: id, merchantId: merchant.id, summary: '3 payments · test' }]);
    const rows = await rowsOf(id);
    expect(rows.map(({ number, row_key, state }) => [number, row_key, state])).toEqual([
      [1, '1', 'staged'],
      [2, '2', 'staged'],
      [3, '3', 'staged'],
    ]);
    const idempotencyKey = batchRowKeyOf('test', '1');
    expect(rows[0]).toMatchObject({
      resource_id: paymentIdOf({ merchantId: merchant.id, isTest: true, idempotencyKey }),
      data: {
        request: { idempotencyKey, amountMinor: '150', currency: 'USD', correlationId: id },
        summary: expect.any(String),
      },
    });
    expect(await read(id)).toEqual(body.data);
  });

  test('says the same in CSV and in NDJSON', async () => {
    const csv = await send(`${paymentHeader},metadata.order\n${paymentRow('a')},7\n`);
    const row = {
      metadata: { order: '7' },
      card_token: 'tok_visa_4242',
      payment_method: 'credit_card',
      currency: 'USD',
      amount: '25.99',
      key: 'a',
    };
    const ndjson = await send(JSON.stringify(row), { type: 'application/x-ndjson; charset=utf-8' });
    const [one] = await rowsOf(csv.body.data.id);
    const [other] = await rowsOf(ndjson.body.data.id);
    expect([other?.['resource_id'], other?.['request_hash']]).toEqual([one?.['resource_id'], one?.['request_hash']]);
  });

  test('again under its key is the same batch, another file under it is refused', async () => {
    const first = await send(paymentFile(2), { key: 'k' });
    const again = await send(paymentFile(2), { key: 'k' });
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([202, 'true']);
    expect(again.body.data).toEqual(first.body.data);
    expect(await rowsOf(first.body.data.id)).toHaveLength(2);
    for (const [file, query] of [
      [paymentFile(3), {}],
      [paymentFile(2), { reference: 'other' }],
    ] as const)
      expect((await send(file, { key: 'k', query })).problem).toMatchObject({
        status: 422,
        code: 'idempotency_key_reused',
      });
  });

  test('of a dry run is checked, and nothing of it is left', async () => {
    const { status, body } = await send(paymentFile(600), { query: { dry_run: 'true' } });
    expect(status).toBe(201);
    expect(body.data).toMatchObject({
      status: 'validated',
      dry_run: true,
      rows: { total: 600, staged: 0 },
      started_at: null,
    });
    expect(await rowsOf(body.data.id)).toEqual([]);
    expect(started).toEqual([]);
  });

  test('whose workflow cannot be started now is accepted all the same: the sweep starts it', async () => {
    const away = await startApi(
      database,
      {},
      { batches: { start: async () => ({ kind: 'not_taken', cause: 'away' }), act: async () => answer } },
    );
    const key = await away.keyFor(merchant.id);
    expect((await postBatch(away.url, key, paymentFile(1))).status).toBe(202);
    away.close();
  });

  test('of thousands of rows is staged as a whole, in its order', async () => {
    const { body } = await send(paymentFile(1_700));
    const rows = await rowsOf(body.data.id);
    expect(rows.map(({ number }) => number)).toEqual(Array.from({ length: 1_700 }, (_, index) => index + 1));
  });
});

describe('a file of subscriptions', () => {
  const header = 'key,plan_id,customer_id,payment_method.type,payment_method.card_token';
  const plan = async (status = 'active') => {
    const made = await callApi<{ data: { id: string } }>(api.url, merchant.key, {
      method: 'POST',
      path: '/api/v1/plans',
      body: { name: 'Basic', amount: '9.99', currency: 'USD', interval: { unit: 'month', count: 1 } },
    });
    const { id } = made.body.data;
    if (status !== 'active') await database.admin.query('UPDATE plans SET status = $2 WHERE id = $1', [id, status]);
    return id;
  };

  test('is staged with the newest version of its plan', async () => {
    const planId = await plan();
    const { status, body } = await send(`${header},quantity\na,${planId},ada,credit_card,tok_visa_4242,2\n`, {
      query: { kind: 'subscriptions' },
    });
    expect(status).toBe(202);
    const [row] = await rowsOf(body.data.id);
    const identity = { merchantId: merchant.id, isTest: true, idempotencyKey: batchRowKeyOf('test', 'a') };
    expect(row).toMatchObject({
      resource_id: subscriptionIdOf(identity),
      data: {
        request: { planId, planVersion: 1, quantity: 2, customerId: 'ada' },
        summary: expect.stringContaining('19.98 USD every'),
      },
    });
  });

  test('names every plan and customer that is not there or is no more', async () => {
    const [good, archived] = [await plan(), await plan('archived')];
    const missing = 'cus_00000000000000000000000000';
    const file = `${header}\na,${good},ada,credit_card,tok\nb,${archived},ada,credit_card,tok\nc,pln_x,${missing},credit_card,tok\n`;
    const { problem } = await send(file, { query: { kind: 'subscriptions' } });
    expect(problem).toMatchObject({ status: 422, code: 'batch_invalid', error_count: 3 });
    expect(problem.errors?.map(({ pointer, line }: { pointer?: string; line?: number }) => [line, pointer])).toEqual([
      [3, '/plan_id'],
      [4, '/plan_id'],
      [4, '/customer_id'],
    ]);
  });
});

describe('a file with errors', () => {
  test('starts nothing, leaves no row, and names each error with line, column and member', async () => {
    const file = `${paymentHeader},is_test\n${paymentRow('a')},\na,1,USD,credit_card,tok,\nb,1.999,USD,cash,tok,\nc,1,USD,credit_card,tok,false\n`;
    const { problem } = await send(file, { key: 'k' });
    expect(problem).toMatchObject({ status: 422, code: 'batch_invalid', error_count: expect.any(Number) });
    const places = problem.errors?.map(
      ({ line, column, pointer }: { line?: number; column?: number; pointer?: string }) => [line, column, pointer],
    );
    expect(places).toEqual([
      [3, 1, '/key'],
      [4, 13, '/payment_method'],
      [5, 25, '/is_test'],
    ]);
    const id = batchIdOf({ merchantId: merchant.id, isTest: true, idempotencyKey: 'k' });
    expect(await rowsOf(id)).toEqual([]);
    expect(started).toEqual([]);
    expect(await read(id)).toMatchObject({
      status: 'invalid',
      rows: { total: 4, staged: 0 },
      error_count: 3,
      errors: problem.errors,
    });
  });

  test('may come again under its key, mended', async () => {
    expect((await send(`${paymentHeader}\nshort\n`, { key: 'k' })).status).toBe(422);
    const mended = await send(paymentFile(1), { key: 'k' });
    expect([mended.status, mended.body.data.errors, mended.body.data.error_count]).toEqual([202, [], 0]);
  });

  test('has all of them counted, and the first 1,000 named, also where rows were staged before the first', async () => {
    const bad = Array.from({ length: 1_200 }, (_, index) => `b${index},x,USD,credit_card,tok`).join('\n');
    const { problem } = await send(`${paymentFile(600)}${bad}\n`, { key: 'k' });
    expect(problem).toMatchObject({ code: 'batch_invalid', error_count: 1_200 });
    expect(problem.errors).toHaveLength(1_000);
    expect(await rowsOf(batchIdOf({ merchantId: merchant.id, isTest: true, idempotencyKey: 'k' }))).toEqual([]);
  });

  test('of the currency, which the merchant does not take, is refused; a row that is there already is only found', async () => {
    const idempotencyKey = batchRowKeyOf('test', 'old');
    const id = paymentIdOf({ merchantId: merchant.id, isTest: true, idempotencyKey });
    await insertPendingPayment(database, {
      id,
      merchant_id: merchant.id,
      idempotency_key: idempotencyKey,
      external_id: id,
    });
    await database.admin.query(`UPDATE merchants SET settings = settings || '{"currencies":["EUR"]}' WHERE id = $1`, [
      merchant.id,
    ]);
    const restricted = await api.keyFor(merchant.id);
    const { problem } = await postBatch(
      api.url,
      restricted,
      `${paymentHeader}\n${paymentRow('old')}\n${paymentRow('new')}\n`,
    );
    expect(problem.errors).toMatchObject([{ line: 3, pointer: '/currency' }]);
  });

  test('with a card number is refused in the words of every request, and nothing of it is kept', async () => {
    const { problem } = await send(`${paymentHeader},description\n${paymentRow('a')},4242 4242 4242 4242\n`, {
      key: 'k',
    });
    expect(problem).toMatchObject({ status: 422, code: 'card_number_refused', errors: [{ line: 2, column: 39 }] });
    expect(
      JSON.stringify(await read(batchIdOf({ merchantId: merchant.id, isTest: true, idempotencyKey: 'k' }))),
    ).not.toContain('4242');
  });

  test.each([
    ['kind', { kind: 'refunds' }],
    ['reference', { reference: '' }],
    ['reference', { reference: '=1+1' }],
    ['dry_run', { dry_run: 'yes' }],
    ['rate_per_second', { rate_per_second: '1001' }],
  ])('of the address is refused too: %s', async (parameter, query) => {
    const { problem } = await send(paymentFile(1), { query });
    expect(problem).toMatchObject({
      status: 422,
      code: 'validation_failed',
      errors: expect.arrayContaining([expect.objectContaining({ parameter })]),
    });
  });

  test('or rather a body of another type, encoding or character set is refused', async () => {
    for (const upload of [
      { type: 'application/json' },
      { type: 'text/csv; charset=iso-8859-1' },
      { headers: { 'content-encoding': 'gzip' } },
    ])
      expect((await send(paymentFile(1), upload)).problem).toMatchObject({
        status: 415,
        code: 'unsupported_media_type',
      });
  });

  test('that has more than 64 MB is refused, whether it says so or not', async () => {
    const megabyte = Buffer.alloc(1024 * 1024, 'x');
    let sent = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 1;
        if (sent > 80) controller.close();
        else controller.enqueue(megabyte);
      },
    });
    const answered = await postBatch(api.url, merchant.key, endless).catch(() => null); // cut off while sending
    expect(answered?.status ?? 413).toBe(413);
    expect(sent).toBeLessThan(80);
    const { host, hostname, port } = new URL(api.url);
    const socket = createConnection(Number(port), hostname);
    socket.write(
      `POST /api/v1/batches?kind=payments&reference=r HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${merchant.key}\r\n` +
        'Content-Type: text/csv\r\nContent-Length: 67108865\r\n\r\n',
    );
    expect(await new Promise((resolve) => socket.once('data', (bytes) => resolve(bytes.toString().slice(0, 12))))).toBe(
      'HTTP/1.1 413',
    );
    socket.destroy();
  });
});

test('a file that is cut off leaves nothing: no batch, no file', async () => {
  const before = spools();
  const { host, hostname, port } = new URL(api.url);
  const socket = createConnection(Number(port), hostname);
  socket.write(
    `POST /api/v1/batches?kind=payments&reference=cut HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${merchant.key}\r\n` +
      `Content-Type: text/csv\r\nContent-Length: 1000\r\nIdempotency-Key: cut\r\n\r\n${paymentHeader}\n`,
  );
  await until('it has begun', () => api !== undefined, { everyMs: 100 });
  socket.destroy();
  const id = batchIdOf({ merchantId: merchant.id, isTest: true, idempotencyKey: 'cut' });
  expect((await callApi(api.url, merchant.key, { path: `/api/v1/batches/${id}` })).status).toBe(404);
  expect(spools()).toEqual(before);
  expect((await send(paymentFile(1), { key: 'cut' })).status).toBe(202); // and its place is free
});

describe('places for files', () => {
  /** A file that has begun to arrive, and will not end. */
  const begun = async (key: string): Promise<Socket> => {
    const { host, hostname, port } = new URL(api.url);
    const socket = createConnection(Number(port), hostname);
    const before = spoolsOpen();
    socket.write(
      `POST /api/v1/batches?kind=payments&reference=slow HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${key}\r\n` +
        `Content-Type: text/csv\r\nContent-Length: 1000\r\n\r\n${paymentHeader}\n`,
    );
    await until('it has a place', () => spoolsOpen() > before);
    return socket;
  };

  test('are left for others when two merchants take as many as they may', async () => {
    const stranger = await api.keyFor(`mer_${randomUUID()}`);
    const sockets: Socket[] = [];
    for (const key of [merchant.key, stranger]) for (let file = 0; file < 4; file++) sockets.push(await begun(key));
    expect((await send(paymentFile(1))).problem.code).toBe('rate_limited');
    const third = await api.keyFor(`mer_${randomUUID()}`);
    expect((await postBatch(api.url, third, paymentFile(1))).status).toBe(202);
    for (const socket of sockets) socket.destroy();
    await until('their places are free', () => spoolsOpen() === 0);
    expect((await send(paymentFile(1))).status).toBe(202);
  });

  test('are taken until the file is worked off, not only until it is there', async () => {
    const blocking = await database.admin.connect();
    await blocking.query('BEGIN; LOCK TABLE batches IN EXCLUSIVE MODE');
    const answers = Array.from({ length: 4 }, (_, index) => send(paymentFile(1), { key: `k${index}` }));
    await until('all are there', () => spoolsOpen() === 4);
    const { problem } = await send(paymentFile(1));
    await blocking.query('ROLLBACK');
    blocking.release();
    expect(problem.code).toBe('rate_limited');
    for (const { status } of await Promise.all(answers)) expect(status).toBe(202);
  });
});

describe('a file that is laborious to refuse', () => {
  const members = Object.fromEntries(Array.from({ length: 4_500 }, (_, index) => [`m${index}`, 1]));

  test.each([
    ['of thousands of unknown members', { key: 'a', ...members }],
    ['of thousands of wrong members', { key: 'a', metadata: members }],
  ])('%s has 20 errors of each row named, and all counted, while others have their turn', async (_name, row) => {
    const delays = monitorEventLoopDelay();
    delays.enable();
    const { problem } = await send(`${JSON.stringify(row)}\n`.repeat(5), { type: 'application/x-ndjson' });
    delays.disable();
    expect(problem.errors).toHaveLength(100);
    expect(problem.code).toBe('batch_invalid');
    expect(Reflect.get(problem, 'error_count')).toBeGreaterThan(5 * 4_500);
    expect(delays.max / 1e6, 'ms').toBeLessThan(2_000);
  });
});

describe('while a file is being read', () => {
  const claimed = async (seconds: number) => {
    const id = batchIdOf({ merchantId: merchant.id, isTest: true, idempotencyKey: 'k' });
    const { body } = await send(paymentFile(2), { key: 'k' });
    await database.admin.query(
      `UPDATE batches SET status = 'receiving', started_at = NULL, rows_total = 0, updated_at = now() - $2 * interval '1 second' WHERE id = $1`,
      [id, seconds],
    );
    return body.data.id;
  };

  test('a repeat is told to come again', async () => {
    const id = await claimed(1);
    const { problem, headers } = await send(paymentFile(2), { key: 'k' });
    expect(problem).toMatchObject({ status: 503, code: 'acceptance_unknown', batch_id: id });
    expect(headers.get('retry-after')).toBe('2');
  });

  test('by a process that died, a repeat starts over: no row is there twice', async () => {
    const id = await claimed(60);
    const { status, body } = await send(paymentFile(2), { key: 'k' });
    expect([status, body.data.id, body.data.rows.staged]).toEqual([202, id, 2]);
    expect(await rowsOf(id)).toHaveLength(2);
  });

  test('who was thought dead and is not stages nothing any more, and removes nothing', async () => {
    const identity = { merchantId: merchant.id, isTest: true, idempotencyKey: 'zombie' };
    const one = {
      id: batchIdOf(identity),
      idempotencyKey: 'zombie',
      requestHash: 'h',
      reference: 'r',
      kind: 'payments',
      format: 'csv',
      isDryRun: false,
      ratePerSecond: null,
      actor: 'a',
      origin: 'o',
      correlationId: 'c',
    } as const;
    const zombie = await claimBatch(database.db, identity, one);
    if (zombie.kind === 'too_many') throw new Error('it is the first');
    await database.admin.query(`UPDATE batches SET updated_at = now() - interval '1 minute' WHERE id = $1`, [one.id]);
    expect((await claimBatch(database.db, identity, one)).kind).toBe('mine');
    const row = { number: 1, rowKey: 'a', resourceId: 'x', requestHash: 'h', data: {} };
    expect(await stageRows(database.db, one.id, zombie.batch.updated_at, [row])).toBeNull();
    expect(await rowsOf(one.id)).toEqual([]);
    const [{ updated_at: held } = { updated_at: null }] = (
      await database.admin.query<{ updated_at: Date }>('SELECT updated_at FROM batches WHERE id = $1', [one.id])
    ).rows;
    if (held === null) throw new Error('there is a batch');
    await stageRows(database.db, one.id, held, [row]);
    expect(await removeRows(database.db, one.id, zombie.batch.updated_at)).toBeNull();
    expect(await rowsOf(one.id)).toHaveLength(1);
  });
});

describe('a signature', () => {
  const signed = async (file: string, over = file) => {
    const secret = await giveSigningSecret(database, secretBox, merchant.key);
    const [timestamp, nonce] = [String(Math.floor(Date.now() / 1_000)), randomBytes(16).toString('hex')];
    const target = '/api/v1/batches?kind=payments&reference=test';
    const sha256 = createHash('sha256').update(over).digest('hex');
    const signature = signRequest(secret, {
      timestamp,
      nonce,
      method: 'POST',
      target,
      idempotencyKey: '',
      body: { sha256 },
    });
    return { 'x-signature': signature, 'x-signature-timestamp': timestamp, 'x-signature-nonce': nonce };
  };

  test('over the whole file lets it in', async () => {
    const file = paymentFile(2_000);
    expect((await send(file, { headers: await signed(file) })).status).toBe(202);
  });

  test('is remembered until no repeat whose file takes its time can be in time', async () => {
    const file = paymentFile(1);
    const headers = await signed(file);
    expect((await send(file, { headers })).status).toBe(202);
    const hash = createHash('sha256').update(headers['x-signature-nonce']).digest('hex');
    const { rows } = await database.admin.query<{ seconds: number }>(
      'SELECT extract(epoch FROM expires_at - now())::float AS seconds FROM request_nonces WHERE nonce_hash = $1',
      [hash],
    );
    expect(rows[0]?.seconds).toBeGreaterThan(2 * 300 + 600);
    expect((await send(file, { headers })).problem.code).toBe('nonce_reused');
  });

  test('over another file, or none, keeps it out before anything of it is read', async () => {
    const broken = `${paymentHeader}\nshort\n`;
    expect((await send(broken, { headers: await signed(broken, paymentFile(1)) })).problem.code).toBe(
      'signature_refused',
    );
    expect((await send(broken)).problem.code).toBe('signature_required');
  });
});

test('a fifth batch is refused while four are open, before its file is read; a repeat, a dry run and other merchants’ are not', async () => {
  const ids: string[] = [];
  for (let batch = 0; batch < 4; batch++) ids.push((await send(paymentFile(1), { key: `k${batch}` })).body.data.id);
  await database.admin.query(`UPDATE batches SET status = 'paused' WHERE id = $1`, [ids[0]]);
  expect((await send(`${paymentHeader}\nshort\n`, { key: 'fifth' })).problem).toMatchObject({
    status: 409,
    code: 'too_many_batches',
  });
  expect((await send(paymentFile(1), { key: 'k0' })).body.data.id).toBe(ids[0]);
  expect((await send(paymentFile(1), { query: { dry_run: 'true' } })).status).toBe(201);
  const stranger = await api.keyFor(`mer_${randomUUID()}`);
  expect((await postBatch(api.url, stranger, paymentFile(1))).status).toBe(202);
  await database.admin.query(`UPDATE batches SET status = 'completed', finished_at = now() WHERE id = $1`, [ids[1]]);
  expect((await send(paymentFile(1), { key: 'fifth' })).status).toBe(202);
});

test('who may start batches, and not what their rows make, starts none', async () => {
  const weak = await api.keyFor(merchant.id, { permissions: ['batches:write', 'batches:read', 'subscriptions:write'] });
  expect((await postBatch(api.url, weak, paymentFile(1))).problem).toMatchObject({
    status: 403,
    code: 'forbidden',
    detail: 'This key lacks the permission payments:write.',
  });
});

describe('a running batch', () => {
  const running = async () => (await send(paymentFile(3))).body.data.id;
  const standsAs = (id: string, status: string) =>
    database.admin.query('UPDATE batches SET status = $2 WHERE id = $1', [id, status]);

  test.each([
    ['pause', 'paused'],
    ['resume', 'running'],
    ['cancel', 'canceled'],
  ] as const)('is told to %s, with who and why; again, it is so already', async (act, status) => {
    const id = await running();
    if (act === 'resume') await standsAs(id, 'paused');
    const path = `/api/v1/batches/${id}/${act}`;
    expect((await steer('POST', path, { reason: 'month end' })).status).toBe(200);
    expect(acts).toEqual([{ kind: act, actor: expect.stringMatching(/^api_key:/), reason: 'month end' }]);
    await standsAs(id, status);
    const again = await steer('POST', path);
    expect([again.status, again.headers.get('idempotent-replayed'), acts.length]).toEqual([200, 'true', 1]);
  });

  test('is given another pace', async () => {
    const id = await running();
    expect((await steer('PUT', `/api/v1/batches/${id}`, { rate_per_second: 5 })).status).toBe(200);
    expect(acts).toMatchObject([{ kind: 'throttle', ratePerSecond: 5 }]);
    expect((await steer('PUT', `/api/v1/batches/${id}`, { rate_per_second: 0 })).problem.code).toBe(
      'validation_failed',
    );
  });

  test('that is over, or of somebody else, is steered no more', async () => {
    const id = await running();
    await standsAs(id, 'completed');
    for (const act of ['pause', 'resume', 'cancel'])
      expect((await steer('POST', `/api/v1/batches/${id}/${act}`)).problem).toMatchObject({
        status: 409,
        code: 'batch_over',
      });
    const stranger = await api.keyFor(`mer_${randomUUID()}`);
    expect((await callApi(api.url, stranger, { path: `/api/v1/batches/${id}` })).status).toBe(404);
  });

  test('whose workflow cannot be reached says whether anything was sent', async () => {
    const id = await running();
    answer = { kind: 'not_taken', cause: null };
    expect((await steer('POST', `/api/v1/batches/${id}/pause`)).problem).toMatchObject({
      code: 'not_accepted',
      batch_id: id,
    });
    answer = { kind: 'no_answer', cause: null };
    expect((await steer('POST', `/api/v1/batches/${id}/pause`)).problem).toMatchObject({ code: 'acceptance_unknown' });
    answer = { kind: 'refused', code: 'batch_over' };
    expect((await steer('POST', `/api/v1/batches/${id}/pause`)).problem).toMatchObject({ code: 'batch_over' });
  });

  test('is listed with others of its merchant, by status, kind and reference', async () => {
    const ids = [
      await running(),
      await running(),
      (await send(paymentFile(1), { query: { reference: 'other', dry_run: 'true' } })).body.data.id,
    ];
    const list = async (query: string) =>
      (await callApi<{ data: Batch[] }>(api.url, merchant.key, { path: `/api/v1/batches?${query}` })).body.data.map(
        ({ id }) => id,
      );
    expect(await list('limit=2')).toEqual([ids[2], ids[1]]);
    expect(await list('reference=test')).toEqual([ids[1], ids[0]]);
    expect(await list('status=validated')).toEqual([ids[2]]);
    expect(await list('kind=subscriptions')).toEqual([]);
  });
});

describe('the result', () => {
  const result = (id: string) =>
    fetch(`${api.url}/api/v1/batches/${id}/result`, { headers: { authorization: `Bearer ${merchant.key}` } });

  test('has one line per row, with what each names as it is now, and nothing that a spreadsheet would run', async () => {
    const { id } = (
      await send(`${paymentHeader}\n${paymentRow('one')}\n"two, ""2""",1,USD,credit_card,tok\n${paymentRow('three')}\n`)
    ).body.data;
    const [one, two, three] = (await rowsOf(id)).map((row) => String(row['resource_id']));
    await insertPendingPayment(database, { id: one, merchant_id: merchant.id });
    await endRows(database.db, id, [
      { number: 1, state: 'existing', code: null },
      { number: 2, state: 'refused', code: 'external_id_taken' },
    ]);
    await database.admin.query(`UPDATE batch_rows SET row_key = '=1+1' WHERE batch_id = $1 AND number = 3`, [id]);
    const response = await result(id);
    expect(response.headers.get('content-type')).toBe('text/csv; charset=utf-8');
    expect(await response.text()).toBe(
      `number,key,state,resource_id,status,code\r\n1,one,existing,${one},pending,\r\n` +
        `2,"two, ""2""",refused,${two},,external_id_taken\r\n3,'=1+1,staged,${three},,\r\n`,
    );
    expect(await read(id)).toMatchObject({ rows: { total: 3, staged: 1, existing: 1, refused: 1 } });
  });

  test('of thousands of rows comes as a whole', async () => {
    const { id } = (await send(paymentFile(2_500))).body.data;
    const lines = (await (await result(id)).text()).trimEnd().split('\r\n');
    expect(lines).toHaveLength(2_501);
    expect(lines.at(-1)).toMatch(/^2500,2500,staged,pay_/);
  });

  test('is not there before the batch has started', async () => {
    const { id } = (await send(paymentFile(1), { query: { dry_run: 'true' } })).body.data;
    expect(((await (await result(id)).json()) as { code: string }).code).toBe('batch_not_started');
  });
});
