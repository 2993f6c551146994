import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { keyPermissions } from '../../api/permissions.ts';
import { parseKey } from '../../runtime/api-key.ts';
import { signRequest } from '../../runtime/request-signature.ts';
import { createSecretBox } from '../../runtime/secret-box.ts';
import { type CallAnswer, callApi } from '../support/api-call.ts';
import { type ApiServer, startApi } from '../support/api-server.ts';
import { databaseUnderTest } from '../support/api-under-test.ts';
import { forgedKey } from '../support/forged-key.ts';
import { giveSigningSecret } from '../support/signing.ts';
import { aMerchantId } from '../support/token-calls.ts';

/** The layers in their order, validation last, and what a request is told that is wrong in the eyes of each. */
const layers = [
  ['limit-addresses', '429 rate_limited by address'],
  ['authenticate', '401 unauthorized'],
  ['authorize', '403 forbidden'],
  ['restrict-keys', '403 address_not_allowed'],
  ['verify-signature', '401 signature_required'],
  ['limit-callers', '429 rate_limited by minute'],
  ['validate', '422 validation_failed'],
] as const;
type Layer = (typeof layers)[number][0];

const secretBox = createSecretBox(new Map([['test', randomBytes(32)]]));
const unlimited = 1_000_000;
const servers: ApiServer[] = [];
const database = databaseUnderTest();
afterAll(() => {
  for (const server of servers) server.close();
});

async function serving(addressLimitPerMinute: number): Promise<ApiServer> {
  const limits = { addressLimitPerMinute, wrongSecretLimitPerMinute: unlimited };
  const httpPolicy = { trustedProxies: [], corsOrigins: [], ...limits };
  const server = await startApi(database, {}, { httpPolicy, secretBox });
  servers.push(server);
  return server;
}

/** Sends a request twice that is wrong for these layers and right for all others: the first one uses up what is limited. */
async function answerTo(wrong: ReadonlySet<Layer>): Promise<CallAnswer<unknown>> {
  const server = await serving(wrong.has('limit-addresses') ? 1 : unlimited);
  const permissions = wrong.has('authorize') ? ['payments:read'] : keyPermissions;
  const key = await server.keyFor(aMerchantId(), { permissions });
  const { keyId = '' } = parseKey(key) ?? {};
  const secret = await giveSigningSecret(database, secretBox, key);
  await database.db.prisma.apiKey.update({
    where: { keyId },
    data: {
      rateLimitPerMinute: wrong.has('limit-callers') ? 1 : unlimited,
      ipWhitelist: wrong.has('restrict-keys') ? ['203.0.113.0/24'] : [],
    },
  });
  const credential = wrong.has('authenticate') ? forgedKey('test', keyId, '0'.repeat(32)) : key;
  const send = () => {
    const path = '/api/v1/webhooks';
    const body = wrong.has('validate') ? { url: 7 } : { url: 'https://shop.example.com/hooks' };
    const headers = wrong.has('verify-signature') ? {} : signatureOf(secret, path, body);
    return callApi(server.url, credential, { method: 'POST', path, body, headers });
  };
  await send();
  return send();
}

function signatureOf(secret: string, target: string, body: unknown): Record<string, string> {
  const timestamp = String(Math.floor(Date.now() / 1_000));
  const nonce = randomBytes(16).toString('hex');
  const sent = { method: 'POST', target, idempotencyKey: '', body: Buffer.from(JSON.stringify(body)) };
  return {
    'x-signature-timestamp': timestamp,
    'x-signature-nonce': nonce,
    'x-signature': signRequest(secret, { timestamp, nonce, ...sent }),
  };
}

/** Of a limit also whose it is: the answers' codes are the same. */
function wordOf({ status, headers, problem }: CallAnswer<unknown>): string {
  const [, policy] = /^"([a-z-]+)"/.exec(headers.get('ratelimit-policy') ?? '') ?? [];
  return `${status} ${problem.code}${status === 429 ? ` by ${policy}` : ''}`;
}

test('docs/access.md names these layers in this order', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/access.md'), 'utf8');
  const [, section = ''] = /^## The layers$(.*?)^## /ms.exec(page) ?? [];
  const named = [...section.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, name]) => name);
  expect([...named, 'validate']).toEqual(layers.map(([name]) => name));
});

test.each(layers)('%s answers %s, whatever the layers behind it would say', async (layer, word) => {
  const from = layers.findIndex(([name]) => name === layer);
  expect(wordOf(await answerTo(new Set(layers.slice(from).map(([name]) => name))))).toBe(word);
});

test('a request that is right for all of them is served', async () => {
  expect((await answerTo(new Set())).status).toBe(201);
});
