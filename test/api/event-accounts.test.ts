import { expect, test } from 'vitest';
import { eventAccountsOf } from '../../api/event-accounts.ts';
import { SettingsError } from '../../runtime/settings.ts';

const accounts = { EASYPAY_ACCOUNT_ID: 'main', PAYPAL_ACCOUNT_ID: 'shop' };
const none = {
  EASYPAY_WEBHOOK_SECRET: undefined,
  PAYPAL_WEBHOOK_ID: undefined,
  PAYPAL_URL: undefined,
  PAYPAL_CLIENT_ID: undefined,
  PAYPAL_CLIENT_SECRET: undefined,
};
const paypal = {
  PAYPAL_WEBHOOK_ID: 'WH-1',
  PAYPAL_URL: 'http://127.0.0.1:4012',
  PAYPAL_CLIENT_ID: 'id',
  PAYPAL_CLIENT_SECRET: 'secret',
};

test('without a secret or a webhook’s id no events of that provider are taken', () => {
  expect(eventAccountsOf({ ...accounts, ...none })).toEqual({ easypay: null, paypal: null });
  expect(eventAccountsOf({ ...accounts, ...paypal, ...none, PAYPAL_URL: 'http://127.0.0.1:4012' }).paypal).toBeNull();
});

test('each provider has the account and what proves its events', () => {
  expect(eventAccountsOf({ ...accounts, ...none, ...paypal, EASYPAY_WEBHOOK_SECRET: 's' })).toEqual({
    easypay: { accountId: 'main', secret: 's' },
    paypal: {
      accountId: 'shop',
      webhookId: 'WH-1',
      url: 'http://127.0.0.1:4012',
      clientId: 'id',
      clientSecret: 'secret',
    },
  });
});

test.each(['PAYPAL_URL', 'PAYPAL_CLIENT_ID', 'PAYPAL_CLIENT_SECRET'])(
  'a webhook’s id without %s is a wrong setting, and no value is shown',
  (missing) => {
    const settings = { ...accounts, ...none, ...paypal, [missing]: undefined };
    expect(() => eventAccountsOf(settings)).toThrow(SettingsError);
    expect(() => eventAccountsOf(settings)).not.toThrow(/WH-1|4012/);
  },
);
