import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { changeMerchantSettings } from '../../prisma/merchants.ts';
import { apiUnderTest, merchantPerTest } from '../support/api-under-test.ts';
import { calling, codeOf, refusalOf } from '../support/keyed-call.ts';
import { sessionFor, testAccessTokens } from '../support/session.ts';

const accessTokens = testAccessTokens();

const { database, api } = apiUnderTest({ accessTokens });
const merchant = merchantPerTest(api, { isTest: false });
const call = calling(api);

interface Merchant {
  readonly id: string;
  readonly name: string;
  readonly settings: Readonly<Record<string, unknown>>;
}

const path = '/api/v1/merchant';
const get = (credential = merchant.key) => call<Merchant>(credential, 'GET', path);
const put = (body: unknown, credential = merchant.key) => call<Merchant>(credential, 'PUT', path, body);

describe('one’s own merchant', () => {
  test('is shown with all of its settings, the fee too, in both modes alike', async () => {
    await changeMerchantSettings(database.db, merchant.id, { fee: { basis_points: 290 } });
    const { body } = await get();
    expect(body.data).toMatchObject({
      id: merchant.id,
      name: merchant.id,
      status: 'active',
      settings: { wait: 10, fee: { basis_points: 290, fixed: {} }, currencies: null },
    });
    expect((await get(await api.keyFor(merchant.id))).body.data).toEqual(body.data);
    expect(JSON.stringify(body)).not.toContain('hash');
  });

  test('has every setting changed that is the merchant’s own, and no other merchant’s', async () => {
    const other = await api.keyFor(`mer_${randomUUID()}`);
    const before = (await get(other)).body.data;
    const settings = {
      currencies: ['EUR', 'USD'],
      expires_after: 60,
      ask_for: 120,
      wait: 0,
      routing: { rules: [{ when: { currencies: ['EUR'] }, providers: ['paypal'] }], default: ['easypay'] },
      capture_within: 3_600,
      action_within: 60,
      payer_emails: false,
      dunning: { retry_days: [2, 4], grace_days: 0, final_action: 'unpaid' },
    };
    const answer = await put({ settings });
    expect([answer.status, answer.body.data.settings]).toEqual([
      200,
      { ...settings, fee: { basis_points: 0, fixed: {} } },
    ]);
    expect((await get()).body.data).toEqual(answer.body.data);
    expect((await get(other)).body.data).toEqual(before);
    const { rows } = await database.admin.query(
      "SELECT action, user_id, request_data FROM audit_logs WHERE resource_id = $1 AND action LIKE '%.%'",
      [merchant.id],
    );
    expect(rows).toEqual([
      {
        action: 'merchant.changed',
        user_id: expect.stringMatching(/^api_key:/),
        request_data: { fields: ['settings'], settings: expect.arrayContaining(Object.keys(settings)) },
      },
    ]);
  });

  test.each([
    ['/name', { name: 'Mine' }],
    ['/status', { status: 'active' }],
    ['/id', { id: 'mer_other' }],
    ['/merchant_id', { merchant_id: 'mer_other' }],
    ['/settings/fee', { settings: { fee: { basis_points: 0 } } }],
    ['/settings/fee', { settings: { wait: 5, fee: null } }],
    ['/settings/status', { settings: { status: 'active' } }],
    ['/settings/__proto__', { settings: JSON.parse('{"__proto__":{"fee":1}}') as unknown }],
    ['/settings/wait', { settings: { wait: '5' } }],
    ['/settings/currencies', { settings: { currencies: [] } }],
    ['/settings/routing/default', { settings: { routing: { rules: [] } } }],
    ['/settings/payer_emails', { settings: { payer_emails: null } }],
  ])('is not changed, naming %s, by %j', async (pointer, body) => {
    const before = (await get()).body.data;
    const withSettings = 'settings' in body ? body : { settings: { wait: 5 }, ...body };
    expect(refusalOf(await put(withSettings))).toEqual([422, 'validation_failed', [pointer]]);
    expect((await get()).body.data).toEqual(before);
  });

  test('is not changed with a test key: its settings hold for live payments too', async () => {
    const before = (await get()).body.data;
    const answer = await put({ settings: { wait: 5 } }, await api.keyFor(merchant.id));
    expect(codeOf(answer)).toBe('422 wrong_mode');
    expect((await get()).body.data).toEqual(before);
  });

  test('is read with the one permission and changed with the other, by keys and people alike', async () => {
    const keyWith = (permissions: string[]) => api.keyFor(merchant.id, { isTest: false, permissions });
    const tokenOf = async (role: string) =>
      (await sessionFor(database.db, accessTokens, { merchantId: merchant.id, role, isTest: false })).token;
    const codes = async (credential: string) => [
      codeOf(await get(credential)),
      codeOf(await put({ settings: {} }, credential)),
    ];
    expect(await codes(await keyWith(['merchant:read']))).toEqual(['200', '403 forbidden']);
    expect(await codes(await keyWith(['merchant:write']))).toEqual(['403 forbidden', '200']);
    expect(await codes(await tokenOf('owner'))).toEqual(['200', '200']);
    expect(await codes(await tokenOf('developer'))).toEqual(['200', '403 forbidden']);
    expect(await codes(await api.operatorKey())).toEqual(['403 forbidden', '403 forbidden']);
  });
});
