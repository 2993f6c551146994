import { randomBytes } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { expect, test } from 'vitest';
import { verifyWebhook } from '../../examples/verify-webhook.mjs';

const newSecret = () => `whsec_${randomBytes(32).toString('base64')}`;
const secret = newSecret();
const event = { id: 'evt_1', type: 'payment.captured', data: { description: 'Tee für zwei 🙂' } };
const body = JSON.stringify(event);

/** What a library of another house signs: the snippet is held against it. */
function headersAt(date: Date, by = secret) {
  return {
    'webhook-id': 'evt_1',
    'webhook-timestamp': String(Math.floor(date.getTime() / 1000)),
    'webhook-signature': new Webhook(by).sign('evt_1', date, body),
  };
}
const headers = headersAt(new Date());
const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000);

test('accepts what was signed with the secret, and gives the event', () => {
  expect(verifyWebhook(body, headers, secret)).toEqual(event);
});

test('accepts one right signature among several', () => {
  const signatures = [headersAt(new Date(), newSecret())['webhook-signature'], headers['webhook-signature'], 'v2,abc'];
  expect(verifyWebhook(body, { ...headers, 'webhook-signature': signatures.join(' ') }, secret)).toEqual(event);
});

test('accepts what is a few minutes old or early, and refuses what is older or earlier', () => {
  for (const minutes of [4.9, -4.9]) expect(verifyWebhook(body, headersAt(minutesAgo(minutes)), secret)).toEqual(event);
  for (const minutes of [5.1, -5.1, 60_000]) {
    expect(() => verifyWebhook(body, headersAt(minutesAgo(minutes)), secret)).toThrow('not of now');
  }
});

const right = headers['webhook-signature'];
test.each<[string, Record<string, string>, string?, string?]>([
  ['another secret', {}, body, newSecret()],
  ['a changed body', {}, body.replace('captured', 'failed')],
  ['a body that was parsed and written again', {}, JSON.stringify(event, null, 2)],
  ['another id', { 'webhook-id': 'evt_2' }],
  ['another timestamp', { 'webhook-timestamp': String(Math.floor(Date.now() / 1000) + 1) }],
  ['another version', { 'webhook-signature': right.replace('v1,', 'v2,') }],
  ['no version', { 'webhook-signature': right.replace('v1,', '') }],
  ['a cut signature', { 'webhook-signature': right.slice(0, -8) }],
  ['an empty signature', { 'webhook-signature': 'v1,' }],
  ['no signature', { 'webhook-signature': '' }],
  ['no id', { 'webhook-id': '' }],
  ['a timestamp that is no number', { 'webhook-timestamp': 'NaN' }],
  ['a timestamp of another writing', { 'webhook-timestamp': ` ${headers['webhook-timestamp']}` }],
])('refuses %s', (_, changes, given = body, by = secret) => {
  expect(() => verifyWebhook(given, { ...headers, ...changes }, by)).toThrow();
});
