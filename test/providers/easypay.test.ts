import { beforeAll, describe, expect, test } from 'vitest';
import { createEasypay } from '../../activities/providers/easypay/easypay.ts';
import type { ChargeRequest, Provider } from '../../activities/providers/provider.ts';
import { describeProvider } from './contract.ts';
import { stubServer } from './stub.ts';
import { aCall, aCharge, faultKindOf, faultOf, providerWorld } from './world.ts';

const world = providerWorld({
  face: 'easypay',
  prepares: false,
  urlOf: ({ easypayUrl }) => easypayUrl,
  make: (url, apiKey) => createEasypay({ url, apiKey }),
});

describeProvider('EasyPay', world);

test('a card whose issuer is away is declined, so that another provider may be tried', async () => {
  const charge = aCharge({ cardToken: 'tok_visa_issuer_away_0091' });
  expect(await world.provider.charge(charge, aCall())).toMatchObject({
    kind: 'declined',
    declineCode: 'issuer_unavailable',
    response: { responseCode: '91' },
  });
});

test('a PayPal wallet is no card of EasyPay’s: rejected', async () => {
  const charge = aCharge({ cardToken: 'tok_paypal_wallet_1', paymentMethod: 'paypal' });
  expect(await faultKindOf(world.provider.charge(charge, aCall()))).toBe('rejected');
});

test.each(['charge', 'lookUpCharge'] as const)('the documented 503 turns a %s away: unavailable', async (operation) => {
  await world.bank.inject([{ operation: '*', probability: 1, fault: '503' }]);
  expect(await faultKindOf(world.provider[operation](aCharge(), aCall()))).toBe('unavailable');
});

test('a key that was used for another charge is in doubt: the look-up tells', async () => {
  const first = aCharge();
  await world.provider.charge(first, aCall());
  expect(await faultKindOf(world.provider.charge({ ...first, amountMinor: 1n }, aCall()))).toBe('unknown_outcome');
});

describe('an answer of EasyPay', () => {
  const stub = stubServer();
  let provider: Provider;
  beforeAll(() => {
    provider = world.connect(stub.url);
  });

  const answer = (charge: ChargeRequest, changes: Record<string, unknown> = {}) => ({
    id: 'ch_1',
    reference: charge.reference,
    idempotency_key: charge.idempotencyKey,
    status: 'approved',
    amount_minor: charge.amountMinor.toString(),
    currency: charge.currency,
    response_code: '00',
    response_message: 'Approved',
    card: { brand: 'visa', last_four: '4242' },
    ...changes,
  });
  const charged = (changes: Record<string, unknown>) => {
    const charge = aCharge();
    stub.answerWith({ status: 201, body: JSON.stringify(answer(charge, changes)) });
    return provider.charge(charge, aCall());
  };

  test.each([
    ['reference', { reference: 'pay_other' }],
    ['key', { idempotency_key: 'att_other' }],
  ])('about another %s is an unknown outcome', async (_name, changes) => {
    expect(await faultKindOf(charged(changes))).toBe('unknown_outcome');
  });

  // By our codes, as docs/add-a-provider.md has them; `04`, to pick up the card, stands for all that are not listed.
  test.each([
    ['card_declined', ['05', '04', 'constructor', '']],
    ['insufficient_funds', ['51']],
    ['limit_exceeded', ['61', '65']],
    ['expired_card', ['54']],
    ['incorrect_cvc', ['82']],
    ['lost_or_stolen_card', ['41', '43']],
    ['suspected_fraud', ['34', '59']],
    ['not_permitted', ['57', '62']],
    ['issuer_unavailable', ['91']],
    ['processing_error', ['96']],
  ])('that declines says %s for the codes %j', async (declineCode, codes) => {
    for (const code of codes) {
      const outcome = await charged({ status: 'declined', response_code: code });
      expect([code, outcome]).toMatchObject([code, { kind: 'declined', declineCode }]);
    }
  });

  test.each([
    ['NUL', 'Appr\0oved'],
    ['half of a surrogate pair', 'Approved \uD83D'],
    ['a surrogate pair where it is cut', `${'x'.repeat(199)}😀`],
    ['ten thousand characters', 'x'.repeat(10_000)],
  ])('with %s in its remarks stays approved, and the remarks can be stored', async (_name, text) => {
    const card = { brand: text, last_four: '4242' };
    const outcome = await charged({ response_message: text, response_code: text, card });
    expect(outcome.kind).toBe('approved');
    const { responseMessage, responseCode, card: shown } = outcome.response;
    for (const remark of [responseMessage, responseCode, shown?.brand ?? '']) {
      expect(remark.length).toBeLessThanOrEqual(200);
      expect(remark.isWellFormed()).toBe(true);
      expect(remark).not.toContain('\0');
    }
  });

  test('with a card that cannot be read stays approved, without the card', async () => {
    const outcome = await charged({ card: { brand: 'visa', last_four: '42' } });
    expect(outcome).toMatchObject({ kind: 'approved', response: { card: null } });
  });

  test.each(['ch\0', 'ch 1', '', 'c'.repeat(201), '\uD83D'])('with the id %j is an unknown outcome', async (id) => {
    expect(await faultKindOf(charged({ id }))).toBe('unknown_outcome');
  });

  test.each(['charge', 'lookUpCharge'] as const)(
    'that turns a %s away carries the wait it names',
    async (operation) => {
      const body = JSON.stringify({ error: { code: 'service_unavailable' } });
      stub.answerWith({ status: 503, body, headers: { 'retry-after': '7' } });
      const fault = await faultOf(provider[operation](aCharge(), aCall()));
      expect(fault).toMatchObject({ kind: 'unavailable', retryAfterMs: 7_000 });
    },
  );
});
