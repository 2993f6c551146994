import { randomBytes, randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { changeMerchantSettings } from '../../prisma/merchants.ts';
import { recordTransition } from '../../prisma/transitions.ts';
import { aPendingPayment, aTransition, canceling, merchantId as stepsMerchantId } from '../prisma/steps.ts';
import { readAll } from '../support/api-call.ts';
import { startApi } from '../support/api-server.ts';
import { apiUnderTest } from '../support/api-under-test.ts';
import { calling, codeOf, postKeyed, refusalOf } from '../support/keyed-call.ts';
import { sessionFor, testAccessTokens } from '../support/session.ts';
import { until } from '../support/until.ts';
import { madeOnce } from './creation-contract.ts';

const accessTokens = testAccessTokens();
const apiKeyPepper = randomBytes(32).toString('hex');

const { database, api } = apiUnderTest({ accessTokens, apiKeyPepper });
const call = calling(api);
let operator: string;
beforeAll(async () => {
  operator = await api.operatorKey();
});

interface Merchant {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly created_at: string;
  readonly updated_at: string;
}

interface Owner {
  readonly id: string;
  readonly invitation_token?: string;
}

const path = '/api/v1/merchants';
const ofToday = {
  expires_after: 3_600,
  ask_for: 86_400,
  wait: 10,
  routing: { rules: [], default: ['easypay', 'paypal'] },
  payer_emails: true,
  capture_within: 604_800,
  action_within: 3_600,
  currencies: null,
  fee: { basis_points: 0, fixed: {} },
  dunning: { retry_days: [1, 3, 5, 7], grace_days: 3, final_action: 'cancel' },
};

const post = (body: unknown, idempotencyKey: string = randomUUID(), key = operator) =>
  postKeyed<Merchant & { owner?: Owner }>(api.url, key, { path, body, idempotencyKey });
const made = async (body: unknown = { name: 'Bookshop' }): Promise<Merchant> => (await post(body)).body.data;
const get = (id: string) => call<Merchant>(operator, 'GET', `${path}/${id}`);
const put = (id: string, body: unknown) => call<Merchant>(operator, 'PUT', `${path}/${id}`, body);
const actsOn = async (id: string) =>
  (
    await database.admin.query<{ action: string; user_id: string; request_data: unknown; is_test: unknown }>(
      `SELECT action, user_id, request_data, is_test FROM audit_logs
       WHERE resource_type = 'merchant' AND resource_id = $1 AND action LIKE '%.%' ORDER BY created_at, id`,
      [id],
    )
  ).rows;

describe('a new merchant', () => {
  test('is active, has the settings that were given and the usual ones, and is written down by name', async () => {
    const answer = await post({ name: 'Bookshop', settings: { wait: 3, fee: { basis_points: 290 } } }, 'key-1');
    expect(answer.status).toBe(201);
    const merchant = answer.body.data;
    expect(merchant).toEqual({
      id: expect.stringMatching(/^mer_[0-9a-z]{26}$/),
      name: 'Bookshop',
      status: 'active',
      settings: { ...ofToday, wait: 3, fee: { basis_points: 290, fixed: {} } },
      created_at: expect.stringMatching(/Z$/),
      updated_at: merchant.created_at,
    });
    expect(answer.headers.get('location')).toBe(`${path}/${merchant.id}`);
    expect((await get(merchant.id)).body.data).toEqual(merchant);
    const { rows } = await database.admin.query('SELECT settings FROM merchants WHERE id = $1', [merchant.id]);
    expect(rows, 'the others follow the release').toEqual([
      { settings: { wait: 3, fee: { basis_points: 290, fixed: {} } } },
    ]);
    expect(await actsOn(merchant.id)).toEqual([
      {
        action: 'merchant.created',
        user_id: expect.stringMatching(/^operator_key:/),
        request_data: { settings: ['wait', 'fee'] },
        is_test: null,
      },
    ]);
  });

  test('with the same key is the same one, for twenty at once too, and with another body it is refused', async () => {
    const key = randomUUID();
    const { id } = await madeOnce(key, (idempotencyKey) => post({ name: 'Tea' }, idempotencyKey));
    expect(codeOf(await post({ name: 'Coffee' }, key))).toBe('422 idempotency_key_reused');
    expect(await actsOn(id)).toHaveLength(1);
  });

  test.each([
    ['/name', {}],
    ['/name', { name: ' ' }],
    ['/name', { name: 'x'.repeat(201) }],
    ['/name', { name: 'A\nB' }],
    ['/settings', { name: 'A', settings: null }],
    ['/settings/wait', { name: 'A', settings: { wait: 61 } }],
    ['/settings/expires_after', { name: 'A', settings: { expires_after: 9 } }],
    ['/settings/currencies/1', { name: 'A', settings: { currencies: ['USD', 'usd'] } }],
    ['/settings/routing/default', { name: 'A', settings: { routing: {} } }],
    [
      '/settings/routing/rules/0/when/amount_min',
      {
        name: 'A',
        settings: { routing: { default: ['easypay'], rules: [{ when: { amount_min: '1' }, providers: ['paypal'] }] } },
      },
    ],
    ['/settings/fee/fixed/JPY', { name: 'A', settings: { fee: { fixed: { JPY: '0.5' } } } }],
    ['/settings/fee/extra', { name: 'A', settings: { fee: { extra: 1 } } }],
    ['/settings/surcharge', { name: 'A', settings: { surcharge: 1 } }],
    ['/id', { name: 'A', id: 'mer_mine' }],
    ['/status', { name: 'A', status: 'suspended' }],
    ['/created_at', { name: 'A', created_at: '2020-01-01T00:00:00Z' }],
    ['/request_hash', { name: 'A', request_hash: 'h' }],
  ])('is refused, naming %s, for what it may not be', async (pointer, body) => {
    expect(refusalOf(await post(body))).toEqual([422, 'validation_failed', [pointer]]);
  });
});

describe('the first owner', () => {
  const owner = { email: 'ada.canary@example.com', name: 'Ada Canary' };

  test('is invited with the merchant, by a token that no repeat shows', async () => {
    const key = randomUUID();
    const answers = await Promise.all(Array.from({ length: 5 }, () => post({ name: 'Bookshop', owner }, key)));
    const owners = answers.map(({ body }) => body.data.owner);
    const { invitation_token: token, ...shown } = owners.find((one) => one?.invitation_token !== undefined) ?? {};
    expect(token).toMatch(/^poi_[0-9a-z]{32}$/);
    expect(shown).toMatchObject({ ...owner, id: expect.stringMatching(/^usr_/), role: 'owner', status: 'invited' });
    const others = owners.filter((one) => one?.invitation_token === undefined);
    expect(others).toEqual([shown, shown, shown, shown]);
    const { rows } = await database.admin.query('SELECT merchant_id, role FROM users WHERE id = $1', [owners[0]?.id]);
    expect(rows).toEqual([{ merchant_id: answers[0]?.body.data.id, role: 'owner' }]);
  });

  test('does not use up an idempotency key of the merchant’s: the platform’s keys are others', async () => {
    const key = randomUUID();
    const { id, owner: invited } = (await post({ name: 'Bookshop', owner }, key)).body.data;
    const { token } = await sessionFor(database.db, accessTokens, { merchantId: id, role: 'owner', isTest: false });
    const body = { email: 'another.canary@example.com', role: 'support' };
    const answer = await postKeyed<Owner>(api.url, token, { path: '/api/v1/users', body, idempotencyKey: key });
    expect(answer.status).toBe(201);
    expect(answer.body.data.id).not.toBe(invited?.id);
  });

  test('is invited by a repeat if the first request ended before it came to that', async () => {
    const key = randomUUID();
    const { id } = (await post({ name: 'Bookshop', owner }, key)).body.data;
    await database.admin.query('DELETE FROM users WHERE merchant_id = $1', [id]);
    const again = await post({ name: 'Bookshop', owner }, key);
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect(again.body.data.owner?.invitation_token).toMatch(/^poi_/);
  });

  test.each([
    ['/owner/email', {}],
    ['/owner/email', { email: 'ada' }],
    ['/owner/name', { email: 'ada@example.com', name: ' ' }],
    ['/owner/role', { email: 'ada@example.com', role: 'operator' }],
    ['/owner/password', { email: 'ada@example.com', password: 'x' }],
    ['/owner', null],
  ])('is refused, naming %s, as %j', async (pointer, given) => {
    expect(refusalOf(await post({ name: 'A', owner: given }))).toEqual([422, 'validation_failed', [pointer]]);
  });

  test('is named, with the token, in no log and no audit row', async () => {
    const { body } = await post({ name: 'Bookshop', owner });
    await until('the call is in the log', async () => {
      const row = "SELECT FROM audit_logs WHERE action = 'createMerchant' AND resource_id = $1";
      return (await database.admin.query(row, [body.data.id])).rowCount;
    });
    const { rows } = await database.admin.query<{ text: string }>(
      "SELECT string_agg(to_jsonb(l)::text, ' ') AS text FROM audit_logs l",
    );
    const kept = `${rows[0]?.text} ${api.log()}`;
    expect(kept, 'that something is kept').toContain(body.data.id);
    for (const secret of ['anary', body.data.owner?.invitation_token ?? 'poi_']) expect(kept).not.toContain(secret);
  });
});

describe('a merchant', () => {
  test('is changed in what is given, and keeps the rest', async () => {
    const merchant = await made({ name: 'Bookshop', settings: { wait: 3 } });
    const answer = await put(merchant.id, {
      name: 'Books & Tea',
      settings: { currencies: ['EUR'], payer_emails: false },
    });
    expect([answer.status, answer.body.data]).toEqual([
      200,
      {
        ...merchant,
        name: 'Books & Tea',
        settings: { ...merchant.settings, currencies: ['EUR'], payer_emails: false },
        updated_at: expect.any(String),
      },
    ]);
    expect((await get(merchant.id)).body.data).toEqual(answer.body.data);
    expect((await put(merchant.id, { settings: { currencies: ['EUR'] } })).body.data, 'again').toEqual(
      answer.body.data,
    );
    expect((await put(merchant.id, {})).body.data).toEqual(answer.body.data);
    expect((await actsOn(merchant.id)).slice(1), 'once, without values').toEqual([
      {
        action: 'merchant.changed',
        user_id: expect.stringMatching(/^operator_key:/),
        request_data: { fields: ['name', 'settings'], settings: ['currencies', 'payer_emails'] },
        is_test: null,
      },
    ]);
  });

  test('loses none of the settings that are changed at once', async () => {
    const { id } = await made();
    for (let round = 1; round <= 5; round++) {
      const wanted = { wait: round, ask_for: 60 + round, expires_after: 70 + round, action_within: 80 + round };
      const changes = Object.entries(wanted).map(([name, value]) => put(id, { settings: { [name]: value } }));
      const direct = changeMerchantSettings(database.db, id, { capture_within: 90 + round });
      await Promise.all([...changes, direct, put(id, { name: `Shop ${round}` })]);
      const { name, settings } = (await get(id)).body.data;
      expect([name, settings]).toMatchObject([`Shop ${round}`, { ...wanted, capture_within: 90 + round }]);
    }
  });

  test.each([
    ['/id', { id: 'mer_other' }],
    ['/status', { status: 'closed' }],
    ['/name', { name: null }],
    ['/created_at', { created_at: '2020-01-01T00:00:00Z' }],
    ['/idempotency_key', { idempotency_key: 'k' }],
    ['/owner', { owner: { email: 'ada@example.com' } }],
    ['/settings/wait', { settings: { wait: null } }],
    ['/settings/fee/basis_points', { settings: { fee: { basis_points: 10_001 } } }],
    ['/settings/name', { settings: { name: 'A' } }],
  ])('is not changed, naming %s, in what it may not be', async (pointer, body) => {
    const merchant = await made();
    expect(refusalOf(await put(merchant.id, body))).toEqual([422, 'validation_failed', [pointer]]);
    expect((await get(merchant.id)).body.data).toEqual(merchant);
  });

  test('who does not exist is not there', async () => {
    for (const id of ['mer_00000000000000000000000000', 'pay_1', '%00', "'"]) {
      expect([id, codeOf(await get(id)), codeOf(await put(id, {}))]).toEqual([id, '404 not_found', '404 not_found']);
    }
  });

  test('is the business of the platform alone, and changed by whoever may', async () => {
    const { id } = await made();
    const key = await api.keyFor(id);
    const owner = await sessionFor(database.db, accessTokens, { merchantId: id, role: 'owner' });
    const auditor = await sessionFor(database.db, accessTokens, { merchantId: null, role: 'auditor' });
    const person = await sessionFor(database.db, accessTokens, { merchantId: null, role: 'operator' });
    const codes = async (credential: string) => [
      codeOf(await call(credential, 'GET', path)),
      codeOf(await call(credential, 'GET', `${path}/${id}`)),
      codeOf(await call(credential, 'PUT', `${path}/${id}`, {})),
      codeOf(await post({ name: 'A' }, randomUUID(), credential)),
    ];
    const forbidden = '403 forbidden';
    for (const one of [key, owner.token]) expect(await codes(one)).toEqual(Array.from({ length: 4 }, () => forbidden));
    expect(await codes(auditor.token)).toEqual(['200', '200', forbidden, forbidden]);
    expect(await codes(person.token)).toEqual(['200', '200', '200', '201']);
  });
});

test('the list is newest first, page by page, and is filtered by state', async () => {
  const ids: string[] = [];
  for (let count = 0; count < 4; count++) ids.unshift((await made()).id);
  await put(ids[1] ?? '', { status: 'suspended' });
  const listed = (query: Record<string, string | number>) => readAll<Merchant>(api.url, operator, path, query);
  const mine = (all: Merchant[]) => all.map(({ id }) => id).filter((id) => ids.includes(id));
  expect(mine(await listed({ limit: 1 }))).toEqual(ids);
  expect(mine(await listed({ status: 'suspended' }))).toEqual([ids[1]]);
  expect(mine(await listed({ status: 'active', limit: 2 }))).toEqual(ids.filter((_, index) => index !== 1));
  for (const query of ['status=gone', 'name=A', 'limit=101', 'cursor=x']) {
    const answer = refusalOf(await call(operator, 'GET', `${path}?${query}`));
    expect(answer).toEqual([422, 'validation_failed', [query.split('=')[0]]]);
  }
});

describe('a suspended merchant', () => {
  test('is served by no process within a second, neither keys nor users, and is served again as soon', async () => {
    const { id } = await made();
    const second = await startApi(database, {}, { accessTokens, apiKeyPepper });
    const { token } = await sessionFor(database.db, accessTokens, { merchantId: id, role: 'owner' });
    const credentials = [await api.keyFor(id), await api.keyFor(id, { isTest: false }), token];
    const codes = async () =>
      (
        await Promise.all(
          [api, second].map((asked) =>
            Promise.all(credentials.map(async (one) => codeOf(await calling(asked)(one, 'GET', '/api/v1/payments')))),
          ),
        )
      ).flat();
    const all = (code: string) => Array.from({ length: 6 }, () => code);
    const within = async (code: string) =>
      until(`all are answered ${code}`, async () => (await codes()).every((one) => one === code), {
        withinMs: 1_000,
        everyMs: 10,
      });
    try {
      expect(await codes(), 'and now both processes remember').toEqual(all('200'));
      expect((await put(id, { status: 'suspended' })).body.data).toMatchObject({ status: 'suspended' });
      await within('403 merchant_suspended');
      expect((await put(id, { status: 'suspended' })).status, 'again').toBe(200);
      await put(id, { status: 'active' });
      await within('200');
    } finally {
      second.close();
    }
    expect((await actsOn(id)).map(({ action, request_data }) => [action, request_data]).slice(1)).toEqual([
      ['merchant.suspended', { fields: ['status'], settings: [], status: 'suspended' }],
      ['merchant.activated', { fields: ['status'], settings: [], status: 'active' }],
    ]);
  });

  test('has its payments under way brought to their end', async () => {
    await api.keyFor(stepsMerchantId);
    const payment = await aPendingPayment(database.db);
    await put(stepsMerchantId, { status: 'suspended' });
    const recorded = await recordTransition(database.db, aTransition(payment, canceling));
    expect(recorded.kind).toBe('done');
  });
});

test('a setting holds for the next request of a key that was used just now', async () => {
  const { id } = await made();
  const key = await api.keyFor(id);
  expect(codeOf(await call(key, 'GET', '/api/v1/merchant'))).toBe('200');
  await put(id, { settings: { currencies: ['CHF'] } });
  const refusal = async () => {
    const body = { amount: '1.00', currency: 'USD', payment_method: 'credit_card', card_token: 'tok_1' };
    const answer = await postKeyed(api.url, key, { path: '/api/v1/payments', body, idempotencyKey: randomUUID() });
    return answer.status === 422 && answer.problem.errors?.[0]?.pointer;
  };
  expect(await until('it is known', refusal, { withinMs: 1_000, everyMs: 10 })).toBe('/currency');
});
