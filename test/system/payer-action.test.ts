import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { PaymentObject } from '../../api/payment-object.ts';
import { aPayment, postPayment } from '../support/api-client.ts';
import { findBrowser, launchBrowser, lowestContrast, openPage, pressByKeyboard } from '../support/browser.ts';
import { expectInvariants } from '../support/invariants.ts';
import { cancel, capture, firstVoidIdOf, refund } from '../support/movement-call.ts';
import { bookedOf, hasStatus, listOf, once, paymentOf, wantEvents } from '../support/payment-life.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { until } from '../support/until.ts';
import { startWorld, type World } from '../support/world.ts';

const program = findBrowser();
if (program === null) process.stdout.write('NO BROWSER: the tests of payers’ pages are skipped; install chromium\n');

let world: World;
let browser: Browser | null;
/** The merchant's page that payers come back to. */
let shop: Receiver;
beforeAll(async () => {
  [world, browser, shop] = await Promise.all([
    startWorld(),
    program === null ? null : launchBrowser(program),
    startReceiver((response) =>
      response
        .writeHead(200, { 'content-type': 'text/html' })
        .end('<!doctype html><title>Shop</title><h1>Thank you</h1>'),
    ),
  ]);
});
afterEach(async () => {
  await world?.bank.heal();
  await wantEvents(world, 'easypay', 'asynchronous');
});
afterAll(async () => {
  await browser?.close();
  await shop?.close();
  await world?.close();
});

/** A payment that waits for its payer. */
async function aChallenge(
  changes: Record<string, unknown> = {},
  apiKey = world.merchant.testKey,
): Promise<{ readonly payment: PaymentObject; readonly redirectUrl: string }> {
  const body = aPayment({ card_token: 'tok_visa_challenge_3220', return_url: `${shop.url}?order=17`, ...changes });
  const { status, payment } = await postPayment(world.apiUrl, body, { apiKey });
  expect([status, payment.status]).toEqual([201, 'requires_action']);
  const { next_action: next } = payment;
  if (next === null) throw new Error('the payer is not told where to go');
  expect(next.type).toBe('redirect');
  return { payment, redirectUrl: next.redirect_url };
}

/** Answers the challenge as a browser does that is closed right behind: it follows no redirect. */
async function answerAndLeave(redirectUrl: string, outcome: 'approve' | 'decline'): Promise<Response> {
  return fetch(redirectUrl, { method: 'POST', redirect: 'manual', body: new URLSearchParams({ outcome }) });
}

const eventTypesOf = async (id: string) =>
  (await listOf<{ type: string }>(world, `/payments/${id}/events`)).map(({ type }) => type);

describe.skipIf(program === null)('a payer in a real browser', () => {
  const inBrowser = (): Browser => {
    if (browser === null) throw new Error('there is no browser');
    return browser;
  };

  test.each([
    ['approves', 'Approve', 'captured', 'light'],
    ['declines', 'Decline', 'failed', 'dark'],
  ] as const)(
    '%s by keyboard alone, and comes back to the shop when that is decided',
    async (_does, button, status, scheme) => {
      const { payment, redirectUrl } = await aChallenge();
      expect(Date.parse(payment.next_action?.expires_at ?? '')).toBeGreaterThan(Date.now());
      const page = await openPage(inBrowser(), scheme);
      const complaints: string[] = [];
      page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
      page.on('pageerror', (error) => complaints.push(error.message));
      await page.goto(redirectUrl);
      expect(await page.getByRole('heading', { level: 1 }).count()).toBe(1);
      expect(await page.locator('main').innerText()).toMatch(/25\.99/);
      expect(await page.locator('main').innerText()).toContain(payment.id);
      expect(await lowestContrast(page)).toBeGreaterThanOrEqual(4.5);
      await pressByKeyboard(page, button);
      await page.getByText('Thank you').waitFor();
      expect(page.url()).toBe(`${shop.url}?order=17&payment_id=${payment.id}`);
      const ended = await paymentOf(world, payment.id); // at once: our way back waited for it
      expect(ended).toMatchObject({ status, next_action: null });
      expect(ended.failure?.code ?? null).toBe(status === 'failed' ? 'authentication_failed' : null);
      expect(await bookedOf(world, payment.id)).toEqual(status === 'captured' ? ['charge 2599'] : []);
      expect(complaints).toEqual([]);
      await page.context().close();
    },
  );

  test('without a page of the shop sees ours, and a page that is over says so', async () => {
    const { payment, redirectUrl } = await aChallenge({ return_url: undefined });
    const page = await openPage(inBrowser(), 'light');
    await page.goto(redirectUrl);
    await pressByKeyboard(page, 'Approve');
    await page.getByRole('heading', { name: 'Your payment was made.' }).waitFor();
    expect((await paymentOf(world, payment.id)).status).toBe('captured');
    const again = await page.goto(redirectUrl);
    expect(again?.status()).toBe(410);
    await page.emulateMedia({ colorScheme: 'dark' });
    expect(await lowestContrast(page)).toBeGreaterThanOrEqual(4.5);
    await page.context().close();
  });
});

test('there is a browser where everything is tested', () => {
  const mayBeMissing = process.env['CI'] === undefined;
  expect(program !== null || mayBeMissing, 'no chromium, chromium-browser or google-chrome on PATH').toBe(true);
});

describe('when the payer’s time is over and nobody told us what they did', () => {
  test('nothing is charged of what they left open, and what they approved is captured', async () => {
    await wantEvents(world, 'easypay', 'none');
    const { testKey } = await world.createMerchant({ action_within: 5 });
    const [open, approved, declined] = await Promise.all([
      aChallenge({}, testKey),
      aChallenge({}, testKey),
      aChallenge({}, testKey),
    ]);
    expect((await answerAndLeave(approved.redirectUrl, 'approve')).status).toBe(303);
    expect((await answerAndLeave(declined.redirectUrl, 'decline')).status).toBe(303);
    expect((await paymentOf(world, approved.payment.id, testKey)).status).toBe('requires_action');
    const [canceled, captured, failed] = await Promise.all([
      hasStatus(world, open.payment.id, 'canceled', testKey),
      hasStatus(world, approved.payment.id, 'captured', testKey),
      hasStatus(world, declined.payment.id, 'failed', testKey),
    ]);
    expect(canceled).toMatchObject({ captured_amount: '0.00', voided_amount: '0.00', next_action: null });
    expect(captured).toMatchObject({ captured_amount: '25.99', next_action: null });
    expect(failed.failure?.code).toBe('authentication_failed');
    expect((await answerAndLeave(open.redirectUrl, 'approve')).status).toBe(410);
    expect(await bookedOf(world, open.payment.id)).toEqual([]);
    expect(await bookedOf(world, approved.payment.id)).toEqual(['charge 2599']);
  });
});

test('a payer who confirms a reservation leaves it authorized, to be captured', async () => {
  const { payment, redirectUrl } = await aChallenge({ capture: 'manual' });
  expect((await capture(world, payment.id)).problem.code).toBe('payment_not_capturable');
  expect((await refund(world, payment.id)).problem.code).toBe('movement_in_progress');
  await answerAndLeave(redirectUrl, 'approve');
  const authorized = await hasStatus(world, payment.id, 'authorized');
  expect(authorized).toMatchObject({ authorized_amount: '25.99', captured_amount: '0.00', next_action: null });
  expect((await capture(world, payment.id)).data.status).toBe('captured');
  expect(await eventTypesOf(payment.id)).toEqual(
    expect.arrayContaining(['payment.requires_action', 'payment.authorized', 'payment.captured']),
  );
});

describe('a cancellation while the payer is to act', () => {
  test('ends it, also at the provider: the payer’s page is over', async () => {
    const { payment, redirectUrl } = await aChallenge();
    const answer = await cancel(world, payment.id);
    expect([answer.status, answer.data.status, answer.data.next_action]).toEqual([200, 'canceled', null]);
    const late = await answerAndLeave(redirectUrl, 'approve');
    expect(late.status).toBe(410);
    expect(await bookedOf(world, payment.id)).toEqual([]);
    expect(await bookedOf(world, firstVoidIdOf(payment.id))).toEqual([]);
    expect((await cancel(world, payment.id)).status).toBe(200);
  });

  test('whose answer is lost at the provider ends it too', async () => {
    const { payment, redirectUrl } = await aChallenge();
    await world.bank.inject([once('void', 'lost_after')]);
    const answer = await cancel(world, payment.id);
    expect([answer.status, answer.data.status]).toEqual([200, 'canceled']);
    expect(await world.bank.injected()).toEqual({ lost_after: 1 });
    expect((await answerAndLeave(redirectUrl, 'approve')).status).toBe(410);
  });

  test('comes too late where the payer has approved and nobody told us', async () => {
    await wantEvents(world, 'easypay', 'none');
    const { payment, redirectUrl } = await aChallenge();
    await answerAndLeave(redirectUrl, 'approve');
    expect((await cancel(world, payment.id)).problem.code).toBe('too_late_to_cancel');
    expect((await paymentOf(world, payment.id)).status).toBe('captured');
  });
});

test('a worker that is killed while the payer acts: the payment ends as the payer wanted', async () => {
  const [approved, declined] = [await aChallenge(), await aChallenge()];
  await world.worker.kill();
  await answerAndLeave(approved.redirectUrl, 'approve');
  await answerAndLeave(declined.redirectUrl, 'decline');
  await until('the provider’s events are stored', async () => {
    const ids = [approved.payment.id, declined.payment.id];
    const { rows } = await world.admin.query('SELECT FROM webhooks WHERE reference = ANY($1)', [ids]);
    return rows.length === ids.length;
  });
  expect((await paymentOf(world, approved.payment.id)).status).toBe('requires_action');
  await world.worker.start();
  await hasStatus(world, approved.payment.id, 'captured');
  await hasStatus(world, declined.payment.id, 'failed');
  expect(await bookedOf(world, approved.payment.id)).toEqual(['charge 2599']);
});

test('after all that, the books agree', async () => {
  await expectInvariants(world);
});
