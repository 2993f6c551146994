import { beforeAll, describe, expect, test } from 'vitest';
import { createEasypay } from '../../activities/providers/easypay/easypay.ts';
import type { ChargeRequest, MovementRequest, Provider } from '../../activities/providers/provider.ts';
import type { MovementKind } from '../../workflows/domain/movement.ts';
import { describeProvider } from './contract.ts';
import { stubServer } from './stub.ts';
import { aCall, aCharge, aMovement, faultKindOf, faultOf, providerWorld } from './world.ts';

const world = providerWorld({
  face: 'easypay',
  prepares: false,
  asksPayer: true,
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

/** The charge with what EasyPay calls it. */
async function charged(changes: Partial<ChargeRequest> = {}): Promise<[ChargeRequest, string]> {
  const charge = aCharge(changes);
  const outcome = await world.provider.charge(charge, aCall());
  if (outcome.kind !== 'approved') throw new Error(`expected an approved charge, got ${outcome.kind}`);
  return [charge, outcome.response.transactionId];
}

describe('a refusal of EasyPay’s that is final', () => {
  const move = (request: MovementRequest) => world.provider.move(request, aCall());
  /** Refused twice with the same key, not found, and certainly without a movement. */
  async function expectFinal(request: MovementRequest, code: string): Promise<void> {
    for (let time = 0; time < 2; time++) {
      expect(await faultOf(move(request))).toMatchObject({ kind: 'rejected', message: expect.stringContaining(code) });
      expect(await world.provider.lookUpMovement(request, aCall())).toBeNull();
    }
    expect(await world.bank.movements(request.reference)).toEqual([]);
  }

  test('a void of what another key has voided', async () => {
    const reserved = await charged({ capture: 'manual' });
    await move(aMovement('void', ...reserved));
    await expectFinal(aMovement('void', ...reserved), 'already_voided');
  });

  test('a void or a capture of what is all captured', async () => {
    const reserved = await charged({ capture: 'manual' });
    await move(aMovement('capture', ...reserved));
    await expectFinal(aMovement('void', ...reserved), 'already_captured');
    await expectFinal(aMovement('capture', ...reserved), 'already_captured');
  });

  test('a capture of what was voided', async () => {
    const reserved = await charged({ capture: 'manual' });
    await move(aMovement('void', ...reserved));
    await expectFinal(aMovement('capture', ...reserved), 'already_voided');
  });

  test('a capture of more than is reserved, a refund of more than is captured, a refund of nothing', async () => {
    const reserved = await charged({ capture: 'manual' });
    await expectFinal(aMovement('capture', ...reserved, { amountMinor: 2_600n }), 'amount_exceeds_authorized');
    await expectFinal(aMovement('refund', ...reserved), 'not_captured');
    await move(aMovement('capture', ...reserved));
    await expectFinal(aMovement('refund', ...reserved, { amountMinor: 2_600n }), 'amount_exceeds_captured');
  });

  test('a capture of a charge whose payer has not acted', async () => {
    const charge = aCharge({ capture: 'manual', cardToken: 'tok_visa_challenge_3220' });
    const { response } = await world.provider.charge(charge, aCall());
    await expectFinal(aMovement('capture', charge, response.transactionId), 'not_authorized');
  });

  test('does not hide that the same key did it before: that is answered with its movement', async () => {
    const reserved = await charged({ capture: 'manual' });
    const release = aMovement('void', ...reserved);
    const first = await move(release);
    await expectFinal(aMovement('void', ...reserved), 'already_voided');
    expect(await move(release)).toEqual(first);
  });
});

describe('a movement at EasyPay', () => {
  test('of a charge that it does not know is misconfigured: it named that charge to us', async () => {
    for (const kind of ['capture', 'void', 'refund'] as const) {
      const request = aMovement(kind, aCharge(), 'epc_nobody');
      const fault = await faultOf(world.provider.move(request, aCall()));
      expect(fault).toMatchObject({ kind: 'misconfigured', message: expect.stringContaining('unknown_charge') });
      expect(await faultKindOf(world.provider.lookUpMovement(request, aCall()))).toBe('misconfigured');
    }
  });

  test.each([
    ['capture', 'tok_visa_capture_declined_0057', 'manual'],
    ['refund', 'tok_visa_refund_declined_0058', 'automatic'],
  ] as const)('a %s that was declined is found as declined', async (kind, cardToken, capture) => {
    const request = aMovement(kind, ...(await charged({ cardToken, capture })));
    const outcome = await world.provider.move(request, aCall());
    expect(outcome.kind).toBe('declined');
    expect(await world.provider.lookUpMovement(request, aCall())).toEqual(outcome);
  });

  test.each([
    ['JPY', 1_500n],
    ['KWD', 1_234_567n],
    ['CLF', 12_345n],
  ])('in %s moves the minor units of ISO 4217', async (currency, amountMinor) => {
    const reserved = await charged({ capture: 'manual', currency, amountMinor });
    for (const kind of ['capture', 'refund'] as const) {
      const request = aMovement(kind, ...reserved);
      expect(await world.provider.move(request, aCall())).toMatchObject({ kind: 'approved' });
      expect(await world.bank.movements(request.reference)).toMatchObject([
        { kind, amount_minor: amountMinor.toString(), currency, idempotency_key: request.idempotencyKey },
      ]);
    }
  });

  test.each(['move', 'lookUpMovement'] as const)(
    'the documented 503 turns a %s away: unavailable',
    async (operation) => {
      await world.bank.inject([{ operation: '*', probability: 1, fault: '503' }]);
      const request = aMovement('refund', aCharge(), 'epc_1');
      expect(await faultKindOf(world.provider[operation](request, aCall()))).toBe('unavailable');
    },
  );
});

describe('a charge that was reserved at EasyPay', () => {
  test('and is looked up as one that was to be captured at once is mismatched: nothing was taken', async () => {
    const [charge] = await charged({ capture: 'manual' });
    const taken = { ...charge, capture: 'automatic' as const };
    expect(await world.provider.lookUpCharge(taken, aCall())).toMatchObject({ kind: 'mismatched' });
  });

  test('under the key of one that was captured at once is in doubt', async () => {
    const [charge] = await charged();
    const reserved = { ...charge, capture: 'manual' as const };
    expect(await faultKindOf(world.provider.charge(reserved, aCall()))).toBe('unknown_outcome');
  });
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
    captured: charge.capture === 'automatic',
    action_url: null,
    card: { brand: 'visa', last_four: '4242' },
    ...changes,
  });
  const answered = (changes: Record<string, unknown>, charge = aCharge()) => {
    stub.answerWith({ status: 201, body: JSON.stringify(answer(charge, changes)) });
    return provider.charge(charge, aCall());
  };

  test.each([
    ['reference', { reference: 'pay_other' }],
    ['key', { idempotency_key: 'att_other' }],
  ])('about another %s is an unknown outcome', async (_name, changes) => {
    expect(await faultKindOf(answered(changes))).toBe('unknown_outcome');
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
    ['authentication_failed', ['1A']],
    ['authorization_expired', ['N0']],
  ])('that declines says %s for the codes %j', async (declineCode, codes) => {
    for (const code of codes) {
      const outcome = await answered({ status: 'declined', response_code: code });
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
    const outcome = await answered({ response_message: text, response_code: text, card });
    expect(outcome.kind).toBe('approved');
    const { responseMessage, responseCode, card: shown } = outcome.response;
    for (const remark of [responseMessage, responseCode, shown?.brand ?? '']) {
      expect(remark.length).toBeLessThanOrEqual(200);
      expect(remark.isWellFormed()).toBe(true);
      expect(remark).not.toContain('\0');
    }
  });

  test('with a card that cannot be read stays approved, without the card', async () => {
    const outcome = await answered({ card: { brand: 'visa', last_four: '42' } });
    expect(outcome).toMatchObject({ kind: 'approved', response: { card: null } });
  });

  test.each(['ch\0', 'ch 1', '', 'c'.repeat(201), '\uD83D'])('with the id %j is an unknown outcome', async (id) => {
    expect(await faultKindOf(answered({ id }))).toBe('unknown_outcome');
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

  test.each([
    'https://easypay.example/challenge/abc_-123',
    `https://easypay.example/${'x'.repeat(1_900)}`,
    'http://127.0.0.1:4011/challenge/abc',
  ])('that sends the payer to %j asks for that', async (url) => {
    expect(await answered({ status: 'requires_action', action_url: url })).toMatchObject({
      kind: 'requires_action',
      redirectUrl: url,
    });
  });

  test.each([
    ['nothing', null],
    ['a number', 17],
    ['no address', 'challenge'],
    ['a script', 'javascript:alert(1)'],
    ['another protocol', 'ftp://easypay.example/challenge'],
    ['an address of more than 2000 characters', `https://easypay.example/${'x'.repeat(2_000)}`],
  ])('that sends the payer to %s is an unknown outcome, and nothing of it is repeated', async (_name, url) => {
    const fault = await faultOf(answered({ status: 'requires_action', action_url: url }));
    expect(fault).toMatchObject({ kind: 'unknown_outcome', message: expect.not.stringMatching(/alert|easypay\./) });
  });

  test('that sends the payer to an address in two lines names it in one', async () => {
    const outcome = await answered({ status: 'requires_action', action_url: 'https://easypay.example/a\r\nb c' });
    expect(outcome).toMatchObject({ redirectUrl: 'https://easypay.example/ab%20c' });
  });

  test('that approves stays approved, whatever address it names', async () => {
    expect(await answered({ action_url: 17 })).toMatchObject({ kind: 'approved' });
  });

  test.each([
    ['automatic', false],
    ['manual', true],
  ] as const)('that approves what was to be captured %s with captured=%s is mismatched', async (capture, captured) => {
    expect(await answered({ captured }, aCharge({ capture }))).toMatchObject({ kind: 'mismatched' });
  });

  test('that does not say whether it captured is an unknown outcome', async () => {
    expect(await faultKindOf(answered({ captured: undefined }))).toBe('unknown_outcome');
  });

  test('that shows a reservation as voided after it was approved says that it was made', async () => {
    const charge = aCharge({ capture: 'manual' });
    expect(await answered({ status: 'voided' }, charge)).toMatchObject({ kind: 'approved' });
    expect(await answered({ status: 'voided', amount_minor: '1' }, charge)).toMatchObject({ kind: 'mismatched' });
  });

  test('that shows a charge as voided that was never approved says that its payer did not confirm it', async () => {
    const outcome = await answered({ status: 'voided', response_code: '17' });
    expect(outcome).toMatchObject({ kind: 'declined', declineCode: 'authentication_failed' });
  });

  test('comes after a request that names the way back and whether to capture', async () => {
    await answered({}, aCharge({ capture: 'manual', returnUrl: 'https://payments.example/return/1' }));
    expect(stub.seen.map(({ body }) => JSON.parse(body))).toMatchObject([
      { capture: false, return_url: 'https://payments.example/return/1' },
    ]);
  });
});

describe('an answer of EasyPay to a movement', () => {
  const stub = stubServer();
  let provider: Provider;
  beforeAll(() => {
    provider = world.connect(stub.url);
  });

  const answer = (request: MovementRequest, changes: Record<string, unknown>) => ({
    id: 'epm_1',
    charge_id: request.chargeTransactionId,
    kind: request.kind,
    reference: request.reference,
    idempotency_key: request.idempotencyKey,
    status: 'approved',
    amount_minor: request.amountMinor.toString(),
    currency: request.currency,
    response_code: '00',
    response_message: 'Approved',
    ...changes,
  });
  const aRequest = (kind: MovementKind, amountMinor = 2_599n) => aMovement(kind, aCharge(), 'epc_1', { amountMinor });
  const answered = (request: MovementRequest, changes: Record<string, unknown> = {}) => {
    stub.answerWith({ status: 201, body: JSON.stringify(answer(request, changes)) });
    return provider.move(request, aCall());
  };
  const refused = (kind: MovementKind, status: number, code: string) => {
    stub.answerWith({ status, body: JSON.stringify({ error: { code } }) });
    return faultKindOf(provider.move(aRequest(kind), aCall()));
  };

  test.each([
    ['capture', '/v1/charges/epc_1/captures', { amount_minor: '2599', currency: 'USD' }],
    ['void', '/v1/charges/epc_1/voids', {}],
    ['refund', '/v1/charges/epc_1/refunds', { amount_minor: '2599', currency: 'USD' }],
  ] as const)('comes after a %s sent to %s with %j', async (kind, path, body) => {
    const request = aRequest(kind);
    await answered(request);
    expect(stub.seen).toMatchObject([{ method: 'POST', path, headers: { 'idempotency-key': request.idempotencyKey } }]);
    expect(stub.seen.map((one) => JSON.parse(one.body))).toEqual([{ reference: request.reference, ...body }]);
    await faultOf(provider.lookUpMovement(request, aCall()));
    expect(stub.seen[1]).toMatchObject({ method: 'GET', path: `${path}?reference=${request.reference}` });
  });

  test.each([
    ['reference', { reference: 'ref_other' }],
    ['key', { idempotency_key: 'att_other' }],
    ['kind', { kind: 'capture' }],
    ['charge', { charge_id: 'epc_2' }],
  ])('about another %s is an unknown outcome, and not found in a list', async (_name, changes) => {
    const request = aRequest('refund');
    expect(await faultKindOf(answered(request, changes))).toBe('unknown_outcome');
    stub.answerWith({ status: 200, body: JSON.stringify({ movements: [answer(request, changes)] }) });
    expect(await provider.lookUpMovement(request, aCall())).toBeNull();
  });

  test.each(['requires_action', 'voided', 'unheard_of'])('with the status %s is an unknown outcome', async (status) => {
    expect(await faultKindOf(answered(aRequest('capture'), { status }))).toBe('unknown_outcome');
  });

  test('over another amount or currency is mismatched', async () => {
    for (const kind of ['capture', 'void', 'refund'] as const) {
      for (const changes of [{ amount_minor: '2598' }, { currency: 'EUR' }]) {
        expect(await answered(aRequest(kind), changes), kind).toMatchObject({ kind: 'mismatched' });
      }
    }
  });

  test('that gave back something where nothing was to be given back is approved: the payer was faster', async () => {
    expect(await answered(aRequest('void', 0n), { amount_minor: '2599' })).toMatchObject({ kind: 'approved' });
    expect(await answered(aRequest('void', 0n), { amount_minor: '0' })).toMatchObject({ kind: 'approved' });
  });

  test('that gave back nothing where something was to be given back is mismatched', async () => {
    expect(await answered(aRequest('void'), { amount_minor: '0' })).toMatchObject({ kind: 'mismatched' });
  });

  test.each([
    ['capture', 'N0', 'authorization_expired'],
    ['capture', '51', 'insufficient_funds'],
    ['capture', 'ZZ', 'card_declined'],
    ['refund', 'R0', 'refund_declined'],
    ['refund', '05', 'refund_declined'],
  ] as const)('that declines a %s with %s says %s', async (kind, code, declineCode) => {
    const outcome = await answered(aRequest(kind), { status: 'declined', response_code: code });
    expect(outcome).toMatchObject({ kind: 'declined', declineCode, response: { responseCode: code, card: null } });
  });

  test.each([
    'amount_exceeds_authorized',
    'amount_exceeds_captured',
    'already_captured',
    'already_voided',
    'not_authorized',
    'not_captured',
  ])('that refuses with 409 %s is rejected: certainly nothing moved', async (code) => {
    for (const kind of ['capture', 'void', 'refund'] as const) expect(await refused(kind, 409, code)).toBe('rejected');
  });

  test.each(['request_in_progress', 'idempotency_key_reused', 'unheard_of'])(
    'that refuses with 409 %s leaves it open whether an earlier send did it',
    async (code) => {
      expect(await refused('refund', 409, code)).toBe('unknown_outcome');
    },
  );

  test('that is a refusal in words but not in status leaves it open', async () => {
    expect(await refused('void', 500, 'already_voided')).toBe('unknown_outcome');
    expect(await refused('void', 418, 'already_voided')).toBe('unknown_outcome');
  });

  test('that is empty leaves it open, for a void too', async () => {
    stub.answerWith({ status: 204, body: '' });
    expect(await faultKindOf(provider.move(aRequest('void'), aCall()))).toBe('unknown_outcome');
  });
});
