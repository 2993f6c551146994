import { randomBytes, randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { rememberCredentials } from '../../api/credentials.ts';
import { parseKey } from '../../runtime/api-key.ts';
import { createLogger } from '../../runtime/logger.ts';
import { base32 } from '../../workflows/domain/ids.ts';
import { alteredDatabase } from '../support/altered-database.ts';
import { callApi } from '../support/api-call.ts';
import type { Problem } from '../support/api-client.ts';
import { type ApiServer, startApi } from '../support/api-server.ts';
import { apiOn, apiUnderTest } from '../support/api-under-test.ts';
import { forgedKey } from '../support/forged-key.ts';
import { until } from '../support/until.ts';

const apiKeyPepper = randomBytes(32).toString('hex');
const logger = createLogger('api', 'silent');

const { database, api } = apiUnderTest({ apiKeyPepper });
const second = apiOn(database, { apiKeyPepper });

async function aKey(options: { isTest?: boolean; permissions?: readonly string[] } = {}) {
  const merchantId = `mer_${randomUUID()}`;
  const text = await api.keyFor(merchantId, options);
  return { text, merchantId, id: `key_${parseKey(text)?.keyId}` };
}

/** What the holder of this text is told: null for the list of payments. */
async function told(text: string, at = api): Promise<Problem | null> {
  const answer = await callApi(at.url, text, { path: '/api/v1/payments' });
  return answer.status === 200 ? null : answer.problem;
}

const codeOf = async (text: string, at = api) => (await told(text, at))?.code ?? null;

async function set(id: string, assignment: string): Promise<void> {
  await database.admin.query(`UPDATE api_keys SET ${assignment} WHERE id = $1`, [id]);
}

describe('a caller learns', () => {
  test('nothing, with a wrong secret and the right id, whatever the key’s state', async () => {
    const answers: string[] = [];
    for (const state of [`name = 'key'`, `status = 'revoked'`, `expires_at = now() - interval '1 s'`]) {
      const { text, id } = await aKey();
      await set(id, state);
      const { keyId = '' } = parseKey(text) ?? {};
      const wrong = forgedKey('test', keyId, base32(randomBytes(20), 160));
      expect(parseKey(wrong)?.keyId).toBe(keyId);
      const { request_id: _id, ...problem } = (await told(wrong)) ?? {};
      answers.push(JSON.stringify(problem));
    }
    const { request_id: _id, ...unknown } = (await told(forgedKey('test', '0'.repeat(16), '0'.repeat(32)))) ?? {};
    expect(new Set([...answers, JSON.stringify(unknown)]).size).toBe(1);
    expect(unknown).toMatchObject({ code: 'unauthorized', status: 401 });
  });

  test('nothing, with the right secret of another key', async () => {
    const [one, other] = [parseKey((await aKey()).text), parseKey((await aKey()).text)];
    expect(await codeOf(forgedKey('test', one?.keyId ?? '', other?.secret ?? ''))).toBe('unauthorized');
  });

  test('nothing, with the prefix of another mode or kind', async () => {
    const [one, live] = [parseKey((await aKey()).text), parseKey((await aKey({ isTest: false })).text)];
    const operator = parseKey(await api.operatorKey());
    const texts = [
      forgedKey('live', one?.keyId ?? '', one?.secret ?? ''),
      forgedKey('operator', one?.keyId ?? '', one?.secret ?? ''),
      forgedKey('test', live?.keyId ?? '', live?.secret ?? ''),
      forgedKey('live', operator?.keyId ?? '', operator?.secret ?? ''),
      forgedKey('admin', one?.keyId ?? '', one?.secret ?? ''),
    ];
    expect(await Promise.all(texts.map((text) => codeOf(text)))).toEqual(Array(5).fill('unauthorized'));
    expect(await codeOf(forgedKey('test', one?.keyId ?? '', one?.secret ?? ''))).toBeNull();
  });

  test('that the key expired, at the very moment', async () => {
    const { text, id } = await aKey();
    await set(id, `expires_at = now() + interval '700 ms'`);
    await until('it has expired', async () => (await codeOf(text)) === 'api_key_expired', { everyMs: 20 });
    const { rows } = await database.admin.query<{ isOver: boolean }>(
      'SELECT expires_at <= clock_timestamp() AS "isOver" FROM api_keys WHERE id = $1',
      [id],
    );
    expect(rows[0]?.isOver).toBe(true);
  });

  test('that the key was revoked, also if it expired too', async () => {
    const { text, id } = await aKey();
    await set(id, `status = 'revoked', expires_at = now() - interval '1 s'`);
    expect(await told(text)).toMatchObject({ code: 'api_key_revoked', status: 401 });
  });

  test('that the merchant is suspended', async () => {
    const { text, merchantId } = await aKey();
    await database.admin.query(`UPDATE merchants SET status = 'suspended' WHERE id = $1`, [merchantId]);
    expect(await told(text)).toMatchObject({ code: 'merchant_suspended', status: 403 });
  });

  test('that the key lacks the permission, which gives it none', async () => {
    expect(await told((await aKey({ permissions: ['refunds:read'] })).text)).toMatchObject({
      code: 'forbidden',
      status: 403,
    });
    expect(await codeOf((await aKey({ permissions: [] })).text)).toBe('forbidden');
    expect(await codeOf((await aKey({ permissions: ['payments:READ', 'payments', '*', 'system:read'] })).text)).toBe(
      'forbidden',
    );
    expect(await codeOf((await aKey({ permissions: ['payments:read'] })).text)).toBeNull();
  });
});

/** How long after a revocation through the first API somebody is still served by the other: until the last such request began. */
async function servedAfterRevocationMs(at: ApiServer): Promise<number> {
  const { text, id, merchantId } = await aKey();
  const admin = await api.keyFor(merchantId);
  expect(await codeOf(text, at)).toBeNull();
  const revoked = await callApi(api.url, admin, { method: 'DELETE', path: `/api/v1/auth/api-keys/${id}` });
  expect(revoked.status).toBe(200);
  const revokedAt = performance.now();
  let lastServed = 0;
  await until(
    'it is refused',
    async () => {
      const begunAt = performance.now();
      const code = await codeOf(text, at);
      if (code === null) lastServed = begunAt - revokedAt;
      return code === 'api_key_revoked';
    },
    { everyMs: 5 },
  );
  return lastServed;
}

describe('a revoked key is refused by another process', () => {
  test('at once, as it hears of it', async () => {
    const times: number[] = [];
    for (let trial = 0; trial < 5; trial++) times.push(await servedAfterRevocationMs(second));
    expect(Math.max(...times)).toBeLessThan(1_000);
    expect(Math.min(...times)).toBeLessThan(300); // whoever does not hear of it goes on for 800 ms
  });

  test('within a second, when the connection that hears was cut', async () => {
    for (let trial = 0; trial < 3; trial++) {
      const { rowCount } = await database.admin.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'credentials-listener'`,
      );
      expect(rowCount).toBeGreaterThan(0);
      expect(await servedAfterRevocationMs(second)).toBeLessThan(1_000);
      await until('both listen again', async () => {
        const { rows } = await database.admin.query<{ count: number }>(
          `SELECT count(*)::int AS count FROM pg_stat_activity WHERE application_name = 'credentials-listener' AND query ~ '^LISTEN'`,
        );
        return rows[0]?.count === 2;
      });
    }
  });

  test('within a second, when it never hears anything', async () => {
    const deaf = rememberCredentials(database.db, 'postgres://app:app@127.0.0.1:1/payments', logger);
    const third = await startApi(database, {}, { apiKeyPepper, credentials: deaf });
    const servedMs = await servedAfterRevocationMs(third);
    third.close();
    expect(servedMs).toBeLessThan(1_000);
  });
});

describe('what is remembered', () => {
  test('is asked for once by many requests at once', async () => {
    const { text } = await aKey();
    let reads = 0;
    const db = alteredDatabase(database.db, (name) => void (name === 'select_api_key' && (reads += 1)));
    const credentials = rememberCredentials(db, null, logger);
    const { keyId = '' } = parseKey(text) ?? {};
    const found = await Promise.all(Array.from({ length: 100 }, () => credentials.apiKey(keyId)));
    expect(new Set(found.map(({ record }) => record?.keyId))).toEqual(new Set([keyId]));
    expect(reads).toBe(1);
    await credentials.close();
  });

  test('is not what was asked for before a change and came after it', async () => {
    const { text, id } = await aKey();
    const { keyId = '' } = parseKey(text) ?? {};
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    let reads = 0;
    // The first reading is slow: its answer, from before the change, comes after everything else.
    const pool = new Proxy(database.db.pool, {
      get: () => async (statement: { name: string; text: string; values: unknown[] }) => {
        const answer = await database.db.pool.query(statement);
        if (++reads === 1) await gate;
        return answer;
      },
    });
    const credentials = rememberCredentials({ ...database.db, pool }, database.url, logger);
    await until('it listens', async () => {
      const { rows } = await database.admin.query<{ count: number }>(
        `SELECT count(*)::int AS count FROM pg_stat_activity WHERE application_name = 'credentials-listener' AND query ~ '^LISTEN'`,
      );
      return rows[0]?.count === 3;
    });
    const first = credentials.apiKey(keyId);
    await until('it is read', () => reads === 1);
    await set(id, `status = 'revoked'`);
    await until('it is asked for anew', () => {
      void credentials.apiKey(keyId);
      return reads >= 2;
    });
    expect((await credentials.apiKey(keyId)).record?.status).toBe('revoked');
    open();
    expect((await first).record?.status).toBe('active'); // it was, when it was asked
    expect((await credentials.apiKey(keyId)).record?.status).toBe('revoked');
    await credentials.close();
  });

  test('names a caller while the database is away, and is never good for more', async () => {
    const { text } = await aKey();
    const { keyId = '' } = parseKey(text) ?? {};
    let isAway = false;
    const db = alteredDatabase(database.db, () => {
      if (isAway) throw Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });
    });
    const credentials = rememberCredentials(db, null, logger);
    const deaf = await startApi(database, {}, { apiKeyPepper, credentials });
    expect(await codeOf(text, deaf)).toBeNull();
    isAway = true;
    await until('it is asked for again', async () => (await credentials.apiKey(keyId)).outage !== null);
    expect((await credentials.apiKey(keyId)).record?.keyId).toBe(keyId);
    expect(await codeOf(text, deaf)).toBe('unavailable');
    expect((await told((await aKey()).text, deaf))?.code).toBe('unavailable');
    deaf.close();
  });
});
