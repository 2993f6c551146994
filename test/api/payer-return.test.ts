import { randomBytes, randomUUID } from 'node:crypto';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createMerchant } from '../../prisma/merchants.ts';
import { base32 } from '../../workflows/domain/ids.ts';
import { apiUnderTest } from '../support/api-under-test.ts';
import { insertPendingPayment } from '../support/payment-row.ts';

/** What happens when the workflow is told that the payer came back. */
let onReturn: (paymentId: string) => Promise<void>;
const returned: string[] = [];
const tellPayerReturned = async (paymentId: string) => {
  returned.push(paymentId);
  await onReturn(paymentId);
};
const { database, api } = apiUnderTest({ payments: { tellPayerReturned } });
beforeAll(() => createMerchant(database.db, { id: 'mer_1', name: 'Merchant' }));
beforeEach(() => {
  returned.length = 0;
  onReturn = () => Promise.resolve();
});

const move = (id: string, status: string) =>
  database.admin.query('UPDATE payments SET status = $2, version = version + 1 WHERE id = $1', [id, status]);

/** A payment that its payer acts on, as far as its status says so. */
async function aPayment(returnUrl: string | null, status = 'requires_action') {
  const token = randomUUID();
  const id = await insertPendingPayment(database, {
    id: `pay_${base32(randomBytes(17), 130)}`,
    return_url: returnUrl,
    return_token: token,
    card_last_four: '4242',
    customer_name: 'Ada Lovelace',
    customer_email: 'ada@example.com',
  });
  if (status !== 'pending') await move(id, status);
  return { id, token };
}
const comeBack = (id: string, token: string) =>
  fetch(`${api.url}/api/v1/payments/${id}/return/${token}`, { redirect: 'manual' });

test('a payer is sent on as soon as the payment needs them no more, and the workflow was told to look', async () => {
  const { id, token } = await aPayment('https://shop.example/thanks');
  onReturn = async () => void (await move(id, 'failed'));
  const startedAt = performance.now();
  const answer = await comeBack(id, token);
  expect([answer.status, answer.headers.get('location')]).toEqual([
    303,
    `https://shop.example/thanks?payment_id=${id}`,
  ]);
  expect(performance.now() - startedAt).toBeLessThan(4_000);
  expect([returned, await answer.text()]).toEqual([[id], '']);
  expect(answer.headers.get('referrer-policy')).toBe('no-referrer');
});

test('a payer whose payment is decided waits for nothing, and nobody is told', async () => {
  for (const status of ['pending', 'failed', 'canceled']) {
    const { id, token } = await aPayment('https://shop.example/', status);
    expect((await comeBack(id, token)).status).toBe(303);
  }
  expect(returned).toEqual([]);
});

test('a payer is sent on after some seconds while nothing is known, also when Temporal is away', async () => {
  const { id, token } = await aPayment('https://shop.example/');
  onReturn = () => Promise.reject(new Error('14 UNAVAILABLE'));
  const startedAt = performance.now();
  expect((await comeBack(id, token)).status).toBe(303);
  expect(performance.now() - startedAt).toBeGreaterThan(4_500);
  expect(api.log()).toContain('the workflow does not know');
});

test.each([
  ['https://shop.example', 'https://shop.example/?payment_id='],
  ['https://shop.example/a?b=%20c+d&e', 'https://shop.example/a?b=%20c+d&e&payment_id='],
  ['https://shop.example/a?x=1#end', 'https://shop.example/a?x=1&payment_id=#end'],
  ['https://shop.example/caf\u00e9?', 'https://shop.example/caf%C3%A9?payment_id='],
])('the way back to %s keeps what is in it', async (returnUrl, location) => {
  const { id, token } = await aPayment(returnUrl, 'failed');
  const answer = await comeBack(id, token);
  expect(answer.headers.get('location')?.replace(id, '')).toBe(location);
});

describe('without an address of the merchant’s', () => {
  test('a page says what became of the payment, and nothing else of it', async () => {
    const seen = new Set<string>();
    for (const status of ['pending', 'failed', 'canceled', 'unresolved']) {
      const { id, token } = await aPayment(null, status);
      const answer = await comeBack(id, token);
      const page = await answer.text();
      expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
      expect(page).not.toMatch(/4242|Ada|ada@|25\.99|2599|mer_1|pay_|<script|<style|style=/);
      expect(page).toContain('<html lang="en">');
      expect(page).toContain('<meta name="color-scheme" content="light dark">');
      expect(answer.headers.get('content-security-policy')).toBe("default-src 'self'");
      seen.add(/<h1>(.*)<\/h1>/.exec(page)?.[1] ?? '');
    }
    expect(seen.size).toBe(4);
  });
});

test('a link that is not right to the last letter leads nowhere', async () => {
  const { id, token } = await aPayment('https://shop.example/', 'failed');
  const { token: another } = await aPayment('https://shop.example/', 'failed');
  const wrong = [
    another,
    token.slice(0, -1),
    `${token}0`,
    `${token.slice(0, -1)}${token.endsWith('0') ? '1' : '0'}`,
    token.toUpperCase().replaceAll('-', ''),
    'x',
  ];
  for (const link of wrong) expect([link, (await comeBack(id, link)).status]).toEqual([link, 404]);
  expect((await comeBack(`pay_${'0'.repeat(26)}`, token)).status).toBe(404);
  expect((await comeBack('pay_1', token)).status).toBe(404);
  expect((await comeBack(id, token)).status).toBe(303);
});
