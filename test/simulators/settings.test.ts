import { expect, test } from 'vitest';
import { readSettings } from '../../simulators/settings.ts';

const required = {
  SIMULATORS_DATA_DIR: '/tmp/book',
  EASYPAY_API_KEY: 'k',
  PAYPAL_CLIENT_ID: 'id',
  PAYPAL_CLIENT_SECRET: 's',
};

test('receivers of events are optional, and an empty line names none', () => {
  const empty = { EASYPAY_WEBHOOK_URL: '', EASYPAY_WEBHOOK_SECRET: '', PAYPAL_WEBHOOK_URL: '', PAYPAL_WEBHOOK_ID: '' };
  for (const environment of [required, { ...required, ...empty, EASYPAY_PUBLIC_URL: '' }]) {
    expect(readSettings(environment)).toMatchObject({
      easypayPublicUrl: undefined,
      easypayWebhookUrl: undefined,
      easypayWebhookSecret: undefined,
      paypalWebhookUrl: undefined,
      paypalWebhookId: undefined,
    });
  }
});

test('receivers of events are read with what signs for them', () => {
  const environment = {
    ...required,
    EASYPAY_PUBLIC_URL: 'http://localhost:4011/',
    EASYPAY_WEBHOOK_URL: 'http://127.0.0.1:3000/easypay',
    EASYPAY_WEBHOOK_SECRET: 'secret',
    PAYPAL_WEBHOOK_URL: 'https://api.example/paypal',
    PAYPAL_WEBHOOK_ID: 'WH-1',
  };
  expect(readSettings(environment)).toMatchObject({
    easypayPublicUrl: 'http://localhost:4011',
    easypayWebhookUrl: 'http://127.0.0.1:3000/easypay',
    easypayWebhookSecret: 'secret',
    paypalWebhookUrl: 'https://api.example/paypal',
    paypalWebhookId: 'WH-1',
  });
});

test.for([
  [{ EASYPAY_WEBHOOK_URL: 'http://127.0.0.1:1' }, 'EASYPAY_WEBHOOK_SECRET'],
  [{ EASYPAY_WEBHOOK_SECRET: 'hidden' }, 'EASYPAY_WEBHOOK_URL'],
  [{ PAYPAL_WEBHOOK_URL: 'http://127.0.0.1:1' }, 'PAYPAL_WEBHOOK_ID'],
  [{ PAYPAL_WEBHOOK_ID: 'hidden' }, 'PAYPAL_WEBHOOK_URL'],
  [{ EASYPAY_WEBHOOK_URL: 'hidden', EASYPAY_WEBHOOK_SECRET: 's' }, 'EASYPAY_WEBHOOK_URL: must be'],
  [{ PAYPAL_WEBHOOK_URL: 'ftp://hidden', PAYPAL_WEBHOOK_ID: 's' }, 'PAYPAL_WEBHOOK_URL: must be'],
  [{ EASYPAY_WEBHOOK_URL: 'http://127.0.0.1:1', EASYPAY_WEBHOOK_SECRET: '' }, 'EASYPAY_WEBHOOK_SECRET'],
  [{ EASYPAY_PUBLIC_URL: 'hidden' }, 'EASYPAY_PUBLIC_URL: must be'],
] as const)('%o is refused by name and without its value', ([extra, named]) => {
  const read = () => readSettings({ ...required, ...extra });
  expect(read).toThrow(named);
  expect(read).not.toThrow('hidden');
});
