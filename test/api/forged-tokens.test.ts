import { createPrivateKey, randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { beforeAll, describe, expect, test } from 'vitest';
import { createAccessTokens } from '../../runtime/access-token.ts';
import { base32 } from '../../workflows/domain/ids.ts';
import type { Problem } from '../support/api-client.ts';
import { apiUnderTest } from '../support/api-under-test.ts';
import { forgeries, type Target, withMore } from '../support/forged-tokens.ts';
import { sessionFor, type TestSession } from '../support/session.ts';

const seed = randomBytes(32);
const accessTokens = createAccessTokens(new Map([['test', seed]]), 'payment-orchestrator');
const privateKey = createPrivateKey({
  key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]), // RFC 8410
  format: 'der',
  type: 'pkcs8',
});

const { database, api } = apiUnderTest({ accessTokens });
let session: TestSession;
let target: Target;
beforeAll(async () => {
  session = await sessionFor(database.db, accessTokens, { merchantId: 'mer_1', role: 'owner' });
  target = { token: session.token, privateKey };
});

/** What a route answers to these bytes after `Authorization: Bearer`. */
async function call(path: string, token: string): Promise<{ status: number; headers: unknown; body: string }> {
  const authorization = `Bearer ${Buffer.from(token).toString('latin1')}`;
  return new Promise((resolve, reject) => {
    const sent = request(`${api.url}${path}`, { headers: { authorization } }, (response) => {
      text(response).then(
        (body) => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
        reject,
      );
    });
    sent.on('error', reject).end();
  });
}

const paths = ['/api/v1/payments', '/api/v1/auth/me'];

test.each(paths)('the good token opens %s, and so does one that says more than it must', async (path) => {
  for (const token of [session.token, withMore(target)]) expect((await call(path, token)).status).toBe(200);
});

describe('no forged token opens anything, and the answer does not say what is wrong with it:', () => {
  test.each(forgeries)('$name', async ({ make, verdict }) => {
    const token = make(target);
    for (const path of paths) {
      const { status, headers, body } = await call(path, token);
      const problem = JSON.parse(body) as Problem;
      expect([status, problem.code]).toEqual([401, verdict === 'expired' ? 'token_expired' : 'unauthorized']);
      expect(headers).toHaveProperty('www-authenticate', expect.stringMatching(/^Bearer/));
      if (token.length > 20) expect(body).not.toContain(token.slice(0, 20));
    }
  });

  test('a token for a session that there is not', async () => {
    const sessionId = `ses_${base32(randomBytes(17), 130)}`;
    const { text: token } = await accessTokens.issue({ subject: session.userId, sessionId }, new Date());
    expect(JSON.parse((await call('/api/v1/auth/me', token)).body)).toMatchObject({ code: 'unauthorized' });
  });

  test.each([
    ['another user of the merchant', { merchantId: 'mer_1', role: 'read_only' }],
    ['a user of another merchant', { merchantId: 'mer_2', role: 'owner' }],
    ['an operator of the platform', { merchantId: null, role: 'operator' }],
  ])('a session of %s under this user’s name, and the other way round', async (_name, of) => {
    const other = await sessionFor(database.db, accessTokens, of);
    for (const [subject, sessionId] of [
      [session.userId, other.sessionId],
      [other.userId, session.sessionId],
    ] as const) {
      const { text: token } = await accessTokens.issue({ subject, sessionId }, new Date());
      const { status, body } = await call('/api/v1/auth/me', token);
      expect([status, (JSON.parse(body) as Problem).code]).toEqual([401, 'unauthorized']);
    }
  });

  test('two tokens in two headers, though each is good', async () => {
    const response = await new Promise<number>((resolve, reject) => {
      const headers = ['Authorization', `Bearer ${session.token}`, 'Authorization', `Bearer ${session.token}`];
      const host = new URL(api.url).host;
      request(`${api.url}/api/v1/auth/me`, { headers: [...headers, 'Host', host] }, (answer) => {
        answer.resume();
        resolve(answer.statusCode ?? 0);
      })
        .on('error', reject)
        .end();
    });
    expect(response).toBe(401);
  });
});

test('nothing of all this stands in the log', () => {
  const log = api.log();
  expect(log.match(/"msg":"served"/g)?.length).toBeGreaterThan(forgeries.length * paths.length);
  expect(log).not.toContain(session.token);
  expect(log).not.toMatch(/eyJ[\w-]{10}/);
});
