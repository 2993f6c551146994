import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { aPayment, getPayment, postPayment } from '../support/api-client.ts';
import { expectInvariants } from '../support/invariants.ts';
import { until } from '../support/until.ts';
import { startWorld, type TestMerchant, type World } from '../support/world.ts';

const refuse = [{ operation: '*', probability: 1, fault: 'refuse' }] as const;

let world: World;
let merchant: TestMerchant;
beforeAll(async () => {
  world = await startWorld();
  merchant = await world.createMerchant({ routing: { rules: [], default: ['easypay', 'paypal'] } });
});
afterAll(() => world?.close());
beforeEach(async () => {
  await world.bank.heal();
  await world.bank.at('paypal').heal();
});

const post = (changes: Record<string, unknown> = {}, headers: Record<string, string> = {}, who = merchant) =>
  postPayment(world.apiUrl, aPayment(changes), { apiKey: who.testKey, headers });

const read = async (id: string) => (await getPayment(world.apiUrl, id, merchant.testKey)).payment;

async function eventTypes(id: string): Promise<string[]> {
  const { rows } = await world.admin.query<{ type: string }>(
    'SELECT type FROM events WHERE object_id = $1 ORDER BY sequence',
    [id],
  );
  return rows.map(({ type }) => type);
}

async function attempts(id: string): Promise<string[]> {
  const { rows } = await world.admin.query<{ text: string }>(
    `SELECT concat_ws(' ', provider, operation, state) AS text FROM attempts WHERE payment_id = $1
     ORDER BY number, operation DESC`,
    [id],
  );
  return rows.map(({ text }) => text);
}

/** What PayPal was asked to make or to charge since its faults were last set. */
async function sentToPaypal(): Promise<number> {
  const { create = 0, charge } = await world.bank.at('paypal').served();
  return create + charge;
}

describe('a first provider that refuses connections', () => {
  test('costs the payer nothing: the second one charges within the same request', async () => {
    await world.bank.inject(refuse);
    const { status, payment } = await post();
    expect(status).toBe(201);
    expect(payment).toMatchObject({ status: 'captured', processor: 'paypal', captured_amount: '25.99' });
    expect(await attempts(payment.id)).toEqual([
      'easypay charge not_sent',
      'paypal prepare prepared',
      'paypal charge approved',
    ]);
    expect(await world.bank.movements(payment.id)).toMatchObject([{ provider: 'paypal', amount_minor: '2599' }]);
  });

  test('that is busy, and says so, is passed over as well', async () => {
    await world.bank.inject([{ operation: 'charge', probability: 1, fault: '429' }]);
    const { payment } = await post();
    expect(payment).toMatchObject({ status: 'captured', processor: 'paypal' });
  });
});

describe('an answer that was lost at the first provider', () => {
  test.each(['lost_after', '500_after', 'reset', '500_before', 'cut_json'])(
    'by %s never leads to the second one',
    async (fault) => {
      await world.bank.at('paypal').inject([]);
      await world.bank.inject([{ operation: 'charge', probability: 1, times: 1, fault }]);
      const { payment } = await post({}, { prefer: 'wait=60' });
      expect(payment).toMatchObject({ status: 'captured', processor: 'easypay' });
      expect(await world.bank.movements(payment.id)).toHaveLength(1);
      expect(await sentToPaypal()).toBe(0);
    },
  );
});

describe('PayPal as the first provider', () => {
  let paypalFirst: TestMerchant;
  beforeAll(async () => {
    paypalFirst = await world.createMerchant({ routing: { rules: [], default: ['paypal', 'easypay'] } });
  });

  test.each([
    ['create', 'lost_after'],
    ['create', '500_after'],
    ['charge', 'lost_after'],
    ['charge', '500_before'],
    ['charge', 'reset'],
  ] as const)('whose answer to %s is lost by %s is asked again, and nobody else is', async (operation, fault) => {
    await world.bank.inject([]);
    await world.bank.at('paypal').inject([{ operation, probability: 1, times: 1, fault }]);
    const { payment } = await post({}, { prefer: 'wait=60' }, paypalFirst);
    expect(payment).toMatchObject({ status: 'captured', processor: 'paypal' });
    expect(await world.bank.movements(payment.id)).toHaveLength(1);
    expect((await world.bank.served()).charge).toBe(0);
  });
});

test('PayPal as the first provider that confirms no order leaves the charge to the second one', async () => {
  const paypalFirst = await world.createMerchant({ routing: { rules: [], default: ['paypal', 'easypay'] } });
  await world.bank.at('paypal').inject([{ operation: 'create', probability: 1, fault: '500_before' }]);
  const { payment } = await post({}, { prefer: 'wait=60' }, paypalFirst);
  expect(payment).toMatchObject({ status: 'captured', processor: 'easypay' });
  expect((await world.bank.at('paypal').injected())['500_before']).toBe(3);
  expect(await world.bank.movements(payment.id)).toHaveLength(1);
});

test('both providers away: 202, told of the delay by event and mail, and captured by itself when one is back', async () => {
  await Promise.all([world.bank.inject(refuse), world.bank.at('paypal').inject(refuse)]);
  const email = `payer-${crypto.randomUUID()}@example.com`;
  const { status, payment } = await post({ customer_email: email }, { prefer: 'wait=2' });
  expect(status).toBe(202);
  const mails = (count: number) =>
    until(`${count} mails are there`, async () => {
      const box = await world.outside<{ mails: unknown[] }>(`/mailbox?to=${encodeURIComponent(email)}`);
      return box.mails.length >= count ? box.mails : null;
    });
  await mails(1);
  expect((await read(payment.id)).status).toBe('pending');
  await world.bank.at('paypal').heal();
  await until('it is captured', async () => (await read(payment.id)).status === 'captured');
  expect(await read(payment.id)).toMatchObject({ processor: 'paypal' });
  expect(await eventTypes(payment.id)).toEqual(['payment.pending', 'payment.delayed', 'payment.captured']);
  expect(await mails(2)).toHaveLength(2);
});

describe('a decline', () => {
  test.each(['tok_visa_declined_0002', 'tok_visa_expired_0069', 'tok_visa_insufficient_9995', 'tok_visa_limit_0061'])(
    'of %s is final: nobody else is asked, and it is not tried again',
    async (card_token) => {
      await Promise.all([world.bank.inject([]), world.bank.at('paypal').inject([])]);
      const { payment } = await post({ card_token });
      expect(payment).toMatchObject({ status: 'failed', processor: 'easypay' });
      expect(await world.bank.served()).toMatchObject({ charge: 1 });
      expect(await sentToPaypal()).toBe(0);
      expect(await eventTypes(payment.id)).toEqual(['payment.pending', 'payment.failed']);
    },
  );

  test('whose class says that another provider may succeed leads there at once', async () => {
    const { payment } = await post({ card_token: 'tok_visa_issuer_away_0091' });
    expect(payment).toMatchObject({ status: 'captured', processor: 'paypal', failure: null });
    expect(await eventTypes(payment.id)).toEqual(['payment.pending', 'payment.rerouted', 'payment.captured']);
    expect(await world.bank.movements(payment.id)).toHaveLength(1);
  });

  test('by both fails with what the last one said', async () => {
    const { payment } = await post({ card_token: 'tok_visa_error_0096' });
    expect(payment).toMatchObject({
      status: 'failed',
      processor: 'paypal',
      failure: { code: 'processing_error', decline_class: 'retry_other' },
    });
  });

  test('stands at once where the other provider is away', async () => {
    await world.bank.at('paypal').inject(refuse);
    const { payment } = await post({ card_token: 'tok_visa_issuer_away_0091' });
    expect(payment).toMatchObject({ status: 'failed', failure: { code: 'issuer_unavailable' } });
  });
});

describe('a merchant’s rules', () => {
  test('choose by currency, amount, brand and method, and say why', async () => {
    const choosy = await world.createMerchant({
      routing: {
        rules: [
          { when: { currencies: ['EUR'], amount_min: '100.00' }, providers: ['paypal'] },
          { when: { brands: ['amex'] }, providers: ['paypal', 'easypay'] },
        ],
        default: ['easypay'],
      },
    });
    const processorOf = async (changes: Record<string, unknown>) => (await post(changes, {}, choosy)).payment.processor;
    expect(await processorOf({ currency: 'EUR', amount: '100.00' })).toBe('paypal');
    expect(await processorOf({ currency: 'EUR', amount: '99.99' })).toBe('easypay');
    expect(await processorOf({ card_token: 'tok_amex_0005' })).toBe('paypal');
    expect(await processorOf({})).toBe('easypay');
    const { payment } = await post({ currency: 'EUR', amount: '150.00' }, {}, choosy);
    expect(payment.routing).toEqual({
      rule: 1,
      reason: 'rule 1: currency EUR, amount from 100.00',
      candidates: ['paypal'],
      ineligible: [],
    });
  });

  test('pass over providers that cannot take the payment; where nobody can, it fails with that reason', async () => {
    const wallet = await post({ payment_method: 'paypal', card_token: 'tok_paypal_wallet_1' });
    expect(wallet.payment).toMatchObject({ status: 'captured', processor: 'paypal' });
    expect(wallet.payment.routing?.ineligible).toEqual([
      { provider: 'easypay', reason: 'does not take the method paypal' },
    ]);
    const only = await world.createMerchant({ routing: { rules: [], default: ['paypal'] } });
    const dinars = await post({ currency: 'KWD', amount: '1.250' }, {}, only);
    expect(dinars.status).toBe(201);
    expect(dinars.payment).toMatchObject({ status: 'failed', failure: { code: 'no_eligible_provider' } });
  });
});

test('after all of it the books agree', () => expectInvariants(world));
