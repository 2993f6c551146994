import { randomBytes, randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { problemCatalogue } from '../../api/errors.ts';
import { parseKey } from '../../runtime/api-key.ts';
import { base32 } from '../../workflows/domain/ids.ts';
import type { Problem } from '../support/api-client.ts';
import { apiUnderTest } from '../support/api-under-test.ts';
import { testAccessTokens } from '../support/session.ts';
import { until } from '../support/until.ts';

const accessTokens = testAccessTokens();
/** The test itself is a proxy that is believed, so that it can come from anywhere. */
const httpPolicy = {
  trustedProxies: ['127.0.0.0/8'],
  corsOrigins: [],
  addressLimitPerMinute: 1_000_000,
  wrongSecretLimitPerMinute: 1_000_000,
};

const { database, api } = apiUnderTest({ accessTokens, httpPolicy });

interface Rules {
  readonly allowed?: readonly string[];
  readonly denied?: readonly string[];
  readonly hours?: unknown;
  readonly permissions?: readonly string[];
}

async function aKey({
  allowed = [],
  denied = [],
  hours = null,
  permissions = ['payments:read'],
}: Rules): Promise<string> {
  const text = await api.keyFor(`mer_${randomUUID()}`, { permissions });
  await change(text, { allowed, denied, hours });
  return text;
}

async function change(text: string, { allowed = [], denied = [], hours = null }: Rules): Promise<void> {
  await database.admin.query(
    'UPDATE api_keys SET ip_whitelist = $2, ip_blacklist = $3, allowed_hours = $4 WHERE key_id = $1',
    [parseKey(text)?.keyId, allowed, denied, hours === null ? null : JSON.stringify(hours)],
  );
}

/** What the holder of this key or token is told who calls from there: null for the list of payments. */
async function told(text: string, from?: string): Promise<Problem | null> {
  const response = await fetch(`${api.url}/api/v1/payments`, {
    headers: { authorization: `Bearer ${text}`, ...(from !== undefined && { 'x-forwarded-for': from }) },
  });
  return response.ok ? null : ((await response.json()) as Problem);
}

describe('addresses', () => {
  test.each<[string, Rules, string | undefined, boolean]>([
    ['none in the lists', {}, '203.0.113.7', true],
    ['the caller’s own', { allowed: ['127.0.0.1/32'] }, undefined, true],
    ['another than the caller’s own', { allowed: ['203.0.113.7/32'] }, undefined, false],
    ['an allowed one', { allowed: ['203.0.113.0/24'] }, '203.0.113.7', true],
    ['one beside it', { allowed: ['203.0.113.0/24'] }, '203.0.114.7', false],
    ['an allowed one in IPv6', { allowed: ['2001:db8::/32'] }, '2001:db8::7', true],
    ['one beside it in IPv6', { allowed: ['2001:db8::/32'] }, '2001:db9::7', false],
    ['IPv4 in the clothes of IPv6', { allowed: ['203.0.113.0/24'] }, '::ffff:203.0.113.7', true],
    ['a denied one', { denied: ['203.0.113.7/32'] }, '203.0.113.7', false],
    ['a denied one in the clothes of IPv6', { denied: ['203.0.113.7/32'] }, '::ffff:203.0.113.7', false],
    ['one that is both', { allowed: ['203.0.113.0/24'], denied: ['203.0.113.7/32'] }, '203.0.113.7', false],
    ['what is no address, for which the proxy’s own stands', { denied: ['127.0.0.1/32'] }, 'nonsense', false],
    [
      'an invented one in front of the proxy’s word',
      { allowed: ['203.0.113.0/24'] },
      '203.0.113.7, 198.51.100.1',
      false,
    ],
  ])('%s', async (_what, rules, from, isServed) => {
    const problem = await told(await aKey(rules), from);
    expect(problem?.code ?? null).toBe(isServed ? null : 'address_not_allowed');
  });

  test('refused, the holder learns no entry', async () => {
    const problem = await told(await aKey({ allowed: ['198.51.100.0/24'], denied: ['203.0.113.7/32'] }), '203.0.113.7');
    expect(problem).toEqual({
      type: 'urn:payment-orchestrator:problem:address_not_allowed',
      title: problemCatalogue.address_not_allowed.title,
      status: 403,
      detail: problemCatalogue.address_not_allowed.meaning,
      code: 'address_not_allowed',
      request_id: expect.any(String),
    });
  });

  test('hold a second after they were changed', async () => {
    const text = await aKey({});
    expect(await told(text)).toBeNull();
    await change(text, { denied: ['127.0.0.1/32'] });
    await until('it is denied', async () => (await told(text))?.code === 'address_not_allowed', {
      withinMs: 1_000,
      everyMs: 20,
    });
  });

  test('of which a list is unreadable are all refused', async () => {
    expect((await told(await aKey({ denied: ['nonsense'] })))?.code).toBe('internal_error');
    expect((await told(await aKey({ allowed: ['nonsense'] })))?.code).toBe('internal_error');
  });
});

describe('hours', () => {
  const always = {
    time_zone: 'Europe/Berlin',
    weekdays: ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'],
    from: '00:00',
    to: '24:00',
  };
  const inThreeDays = new Intl.DateTimeFormat('en-US', { weekday: 'short', timeZone: 'UTC' })
    .format(new Date(Date.now() + 3 * 24 * 3_600_000))
    .toLowerCase();
  const anotherDay = { ...always, time_zone: 'UTC', weekdays: [inThreeDays] };

  test('that are now let the key in', async () => {
    expect(await told(await aKey({ hours: always }))).toBeNull();
  });

  test('that are not now keep it out, and it learns no hour', async () => {
    expect(await told(await aKey({ hours: anotherDay }))).toEqual({
      type: 'urn:payment-orchestrator:problem:outside_allowed_hours',
      title: problemCatalogue.outside_allowed_hours.title,
      status: 403,
      detail: problemCatalogue.outside_allowed_hours.meaning,
      code: 'outside_allowed_hours',
      request_id: expect.any(String),
    });
  });

  test('that cannot be read keep it out', async () => {
    expect((await told(await aKey({ hours: { ...always, time_zone: 'Mars/Olympus' } })))?.code).toBe('internal_error');
    expect((await told(await aKey({ hours: {} })))?.code).toBe('internal_error');
  });

  test('count after the address, and both after the permission', async () => {
    const denied = ['127.0.0.1/32'];
    expect((await told(await aKey({ hours: anotherDay, denied })))?.code).toBe('address_not_allowed');
    expect((await told(await aKey({ hours: anotherDay, denied, permissions: ['refunds:read'] })))?.code).toBe(
      'forbidden',
    );
  });

  test('bind the tokens that the key asked for, and so do its addresses', async () => {
    const text = await aKey({});
    const { keyId = '' } = parseKey(text) ?? {};
    const { merchantId } = await database.db.prisma.apiKey.findUniqueOrThrow({ where: { keyId } });
    const sessionId = `ses_${base32(randomBytes(17), 130)}`;
    const expiresAt = new Date(Date.now() + 3_600_000);
    await database.db.prisma.authSession.create({
      data: { id: sessionId, apiKeyId: keyId, merchantId, isTest: true, expiresAt },
    });
    const token = (await accessTokens.issue({ subject: `key_${keyId}`, sessionId }, new Date())).text;
    expect(await told(token)).toBeNull();
    await change(text, { hours: anotherDay });
    await until('its hours hold', async () => (await told(token))?.code === 'outside_allowed_hours');
    await change(text, { allowed: ['203.0.113.7/32'] });
    await until('its addresses hold', async () => (await told(token))?.code === 'address_not_allowed');
  });
});
