import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { paypalCurrencies } from '../../activities/providers/paypal/amounts.ts';
import { createPaypal } from '../../activities/providers/paypal/paypal.ts';
import type { ChargeRequest, Provider } from '../../activities/providers/provider.ts';
import { exponentOf } from '../../workflows/domain/currencies.ts';
import { until } from '../support/until.ts';
import { describeProvider } from './contract.ts';
import { type SeenRequest, stubServer } from './stub.ts';
import { aCall, aCharge, faultKindOf, faultOf, preparationOf, prepared, providerWorld, secrets } from './world.ts';

const world = providerWorld({
  face: 'paypal',
  prepares: true,
  urlOf: ({ paypalUrl }) => paypalUrl,
  make: (url, clientSecret) => createPaypal({ url, clientId: secrets.paypalClient, clientSecret }),
});

describeProvider('PayPal', world);

const prepare = (provider: Provider, charge: ChargeRequest, call = aCall()) =>
  provider.prepare?.(preparationOf(charge), call) ?? Promise.reject(new Error('PayPal prepares'));

describe('a charge at PayPal', () => {
  test('on a wallet is approved, and has no card', async () => {
    const charge = await prepared(
      world.provider,
      aCharge({ cardToken: 'tok_paypal_wallet_1', paymentMethod: 'paypal' }),
    );
    const outcome = await world.provider.charge(charge, aCall());
    expect(outcome).toMatchObject({ kind: 'approved', response: { card: null } });
  });

  test('on a wallet that declines is a decline', async () => {
    const charge = await prepared(
      world.provider,
      aCharge({ cardToken: 'tok_paypal_declined_2', paymentMethod: 'paypal' }),
    );
    expect(await world.provider.charge(charge, aCall())).toMatchObject({ kind: 'declined' });
  });

  test('does not take a card for a wallet', async () => {
    const charge = await prepared(world.provider, aCharge({ paymentMethod: 'paypal' }));
    const fault = await faultOf(world.provider.charge(charge, aCall()));
    expect(fault).toMatchObject({ kind: 'rejected', message: expect.stringContaining('TOKEN_ID_NOT_FOUND') });
    expect(await world.provider.lookUpCharge(charge, aCall())).toBeNull();
    expect(await world.bank.movements(charge.reference)).toEqual([]);
  });

  test('on a card whose issuer another provider does not reach is approved', async () => {
    const charge = await prepared(world.provider, aCharge({ cardToken: 'tok_visa_issuer_away_0091' }));
    expect(await world.provider.charge(charge, aCall())).toMatchObject({ kind: 'approved' });
  });

  test.each(['automatic', 'manual'] as const)(
    'with capture %s whose payer would have to act: a decline that another provider may turn, and no money moves',
    async (capture) => {
      const charge = await prepared(world.provider, aCharge({ cardToken: 'tok_visa_challenge_3220', capture }));
      expect(await world.provider.charge(charge, aCall())).toMatchObject({
        kind: 'declined',
        declineCode: 'authentication_required',
        response: { transactionId: charge.preparationId, responseCode: 'PAYER_ACTION_REQUIRED' },
      });
      expect(await world.provider.lookUpCharge(charge, aCall())).toBeNull();
      expect(await world.bank.movements(charge.reference)).toEqual([]);
    },
  );

  test('in doubt: another key on an authorized order, for the look-up tells', async () => {
    const charge = await prepared(world.provider, aCharge({ capture: 'manual' }));
    const outcome = await world.provider.charge(charge, aCall());
    const another = { ...charge, idempotencyKey: `att_${randomUUID()}` };
    expect(await faultKindOf(world.provider.charge(another, aCall()))).toBe('unknown_outcome');
    expect(await world.provider.lookUpCharge(another, aCall())).toEqual(outcome);
    expect(await world.bank.movements(charge.reference)).toHaveLength(1);
  });

  test.each([
    ['automatic', 'manual'],
    ['manual', 'automatic'],
  ] as const)('prepared with capture %s and made with %s is rejected, and moves nothing', async (capture, other) => {
    const charge = await prepared(world.provider, aCharge({ capture }));
    expect(await faultKindOf(world.provider.charge({ ...charge, capture: other }, aCall()))).toBe('rejected');
    expect(await world.bank.movements(charge.reference)).toEqual([]);
  });

  test('in doubt: another key on a captured order, for the look-up tells', async () => {
    const charge = await prepared(world.provider, aCharge());
    const outcome = await world.provider.charge(charge, aCall());
    const another = { ...charge, idempotencyKey: `att_${randomUUID()}` };
    expect(await faultKindOf(world.provider.charge(another, aCall()))).toBe('unknown_outcome');
    expect(await world.provider.lookUpCharge(another, aCall())).toEqual(outcome);
    expect(await world.bank.movements(charge.reference)).toHaveLength(1);
  });

  test('in doubt: another card under the key of a captured order, for the look-up tells', async () => {
    const charge = await prepared(world.provider, aCharge());
    const outcome = await world.provider.charge(charge, aCall());
    for (const cardToken of ['tok_amex_0005', 'tok_nobody']) {
      const another = { ...charge, cardToken };
      expect(await faultKindOf(world.provider.charge(another, aCall()))).toBe('unknown_outcome');
      expect(await world.provider.lookUpCharge(another, aCall())).toEqual(outcome);
    }
    expect(await world.bank.movements(charge.reference)).toHaveLength(1);
  });

  test('of an order that PayPal does not know is rejected, and looks up as null', async () => {
    const charge = aCharge({ preparationId: 'NOBODYMADETHIS' });
    expect(await faultKindOf(world.provider.charge(charge, aCall()))).toBe('rejected');
    expect(await world.provider.lookUpCharge(charge, aCall())).toBeNull();
  });

  test('without an order breaks a rule of ours, and sends nothing', async () => {
    await world.bank.inject([]);
    await expect(world.provider.charge(aCharge(), aCall())).rejects.toThrow(/prepare comes first/);
    expect(await world.bank.served()).toMatchObject({ token: 0, charge: 0 });
  });

  test('that PayPal turns away with a 503 is in doubt: no 503 of its is documented as not processed', async () => {
    const charge = await prepared(world.provider, aCharge());
    await world.bank.inject([{ operation: 'charge', probability: 1, fault: '503' }]);
    expect(await faultKindOf(world.provider.charge(charge, aCall()))).toBe('unknown_outcome');
  });

  test.each(Object.entries(paypalCurrencies))(
    'in %s (%i decimals) moves what we asked for',
    async (currency, decimals) => {
      const smallest = 10n ** BigInt(exponentOf(currency) - decimals);
      const asked = aCharge({ amountMinor: 1_234_567n * smallest, currency });
      const charge = await prepared(world.provider, asked);
      expect(await world.provider.charge(charge, aCall())).toMatchObject({ kind: 'approved' });
      expect(await world.bank.movements(charge.reference)).toMatchObject([
        { amount_minor: asked.amountMinor.toString(), currency },
      ]);
    },
  );

  test.each([
    ['HUF', 260_050n],
    ['TWD', 1n],
    ['KWD', 1_000n],
  ])('in %s over %i minor units is rejected before anything is sent', async (currency, amountMinor) => {
    await world.bank.inject([]);
    expect(await faultKindOf(prepare(world.provider, aCharge({ currency, amountMinor })))).toBe('rejected');
    expect(await world.bank.served()).toMatchObject({ create: 0 });
  });
});

describe('PayPal’s access token', () => {
  const stub = stubServer();
  const made = ({ body }: SeenRequest) => ({ status: 201, body: orderOf(JSON.parse(body)) });
  const tokensUsed = () => stub.seen.map(({ headers }) => headers.authorization);

  test('is fetched once for calls that come one after another', async () => {
    const provider = world.connect(stub.url);
    stub.answerWith(made);
    for (let call = 0; call < 3; call++) await prepare(provider, aCharge());
    expect(stub.tokensAsked).toBe(1);
    expect(new Set(tokensUsed()).size).toBe(1);
  });

  test('is fetched once for calls that come at the same time', async () => {
    const provider = world.connect(stub.url);
    stub.answerWith(made);
    await Promise.all(Array.from({ length: 10 }, () => prepare(provider, aCharge())));
    expect(stub.tokensAsked).toBe(1);
    expect(stub.seen).toHaveLength(10);
  });

  test('is not lost to calls with time by one that has hardly any', async () => {
    const provider = world.connect(stub.url);
    const token = { access_token: 'slow', token_type: 'Bearer', expires_in: 32_400 };
    stub.answerWith(made, { status: 200, body: JSON.stringify(token), delayMs: 500 });
    const hurried = faultKindOf(prepare(provider, aCharge(), aCall({ timeoutMs: 50 })));
    const patient = prepare(provider, aCharge());
    expect(await hurried).toBe('unavailable');
    expect(await patient).toMatch(/./);
    expect([stub.tokensAsked, stub.seen.length]).toEqual([1, 1]);
  });

  test('that was taken back is unavailable, says that a new one is fetched, and the next try fetches it', async () => {
    const provider = world.connect(stub.url);
    stub.answerWith(made);
    await prepare(provider, aCharge());
    const [old] = tokensUsed();
    stub.answerWith((request) => (request.headers.authorization === old ? { status: 401, body: '{}' } : made(request)));
    const fault = await faultOf(prepare(provider, aCharge()));
    expect(fault).toMatchObject({ kind: 'unavailable', message: expect.stringMatching(/next try fetches a new one/) });
    expect(stub.tokensAsked).toBe(0);
    expect(await prepare(provider, aCharge())).toMatch(/./);
    expect(stub.tokensAsked).toBe(1);
  });

  test('that was given out just now and is refused is misconfigured: a third would not help', async () => {
    const provider = world.connect(stub.url);
    stub.answerWith({ status: 401, body: '{}' });
    expect(await faultKindOf(prepare(provider, aCharge()))).toBe('misconfigured');
  });

  test.each([
    ['a 401', 401, { error: 'unauthorized' }],
    ['a 400 invalid_client', 400, { error: 'invalid_client' }],
  ])('refused with %s is misconfigured, and names the settings', async (_name, status, body) => {
    const provider = world.connect(stub.url);
    stub.answerWith(made, { status, body: JSON.stringify(body) });
    const fault = await faultOf(prepare(provider, aCharge()));
    expect(fault).toMatchObject({ kind: 'misconfigured', message: expect.stringMatching(/PAYPAL_CLIENT_SECRET/) });
    expect(stub.seen).toHaveLength(0);
  });

  test.each([
    ['refuse', 'unavailable'],
    ['429', 'rate_limited'],
    ['500_before', 'unavailable'],
    ['503', 'unavailable'],
    ['reset', 'unavailable'],
    ['cut_json', 'unavailable'],
    ['never', 'unavailable'],
  ])(
    'whose fetch is hit by %s is %s: nothing of the charge was sent, and the next try succeeds',
    async (fault, kind) => {
      const provider = world.connect(world.url);
      await world.bank.inject([{ operation: 'token', probability: 1, fault, delay_ms: 7_000 }]);
      // Longer than a fetch may last: a call that ends before it leaves the fetch to those who come next.
      const found = await faultOf(prepare(provider, aCharge(), aCall({ timeoutMs: 5_000 })));
      expect(found.kind).toBe(kind);
      if (fault === '429') expect(found.retryAfterMs).toBe(7_000);
      expect(await world.bank.served()).toMatchObject({ token: 0, create: 0 });
      await world.bank.heal();
      expect(await prepare(provider, aCharge())).toMatch(/./);
    },
  );

  test.each([
    ['no token', { token_type: 'Bearer', expires_in: 100 }],
    ['a token that breaks headers', { access_token: 'a\r\nb', token_type: 'Bearer', expires_in: 100 }],
    ['another kind of token', { access_token: 'a', token_type: 'MAC', expires_in: 100 }],
    ['no time', { access_token: 'a', token_type: 'Bearer' }],
  ])('answered with %s is unavailable, and nothing was sent', async (_name, body) => {
    const provider = world.connect(stub.url);
    stub.answerWith(made, { status: 200, body: JSON.stringify(body) });
    expect(await faultKindOf(prepare(provider, aCharge()))).toBe('unavailable');
    expect(stub.seen).toHaveLength(0);
  });

  test('does not get time of its own: the call ends within its time-out', async () => {
    const provider = world.connect(world.url);
    await world.bank.inject([
      { operation: 'token', probability: 1, fault: 'slow', delay_ms: 2_500 },
      { operation: 'create', probability: 1, fault: 'never' },
    ]);
    const startedAt = performance.now();
    expect(await faultKindOf(prepare(provider, aCharge(), aCall({ timeoutMs: 3_000 })))).toBe('unknown_outcome');
    expect(performance.now() - startedAt).toBeLessThan(5_000); // 5,500 if the two times were added up
  });

  test('that comes after the last moment to send leaves the charge unsent', async () => {
    const charge = await prepared(world.provider, aCharge());
    const provider = world.connect(world.url);
    await world.bank.inject([{ operation: 'token', probability: 1, fault: 'slow', delay_ms: 200 }]);
    let isLate = false;
    const call = aCall({ mayStillSend: () => !isLate });
    const fault = faultKindOf(provider.charge(charge, call));
    isLate = true;
    expect(await fault).toBe('unavailable');
    expect(await world.bank.injected()).toMatchObject({ slow: 1 });
    expect(await world.bank.served()).toMatchObject({ charge: 0 });
  });
});

describe('an answer of PayPal', () => {
  const stub = stubServer();
  let provider: Provider;
  beforeAll(() => {
    provider = world.connect(stub.url);
  });

  const orderId = '5O190127TN364715T';
  const capture = (charge: ChargeRequest, changes: Record<string, unknown> = {}) => ({
    id: '3C679366HH908993F',
    status: 'COMPLETED',
    amount: { currency_code: 'USD', value: '25.99' },
    custom_id: charge.reference,
    processor_response: { response_code: '0000' },
    ...changes,
  });
  const order = (charge: ChargeRequest, captures: readonly object[], changes: Record<string, unknown> = {}) => ({
    id: orderId,
    status: 'COMPLETED',
    purchase_units: [{ reference_id: charge.reference, payments: { captures } }],
    payment_source: { card: { brand: 'VISA', last_digits: '4242' } },
    ...changes,
  });
  /** The charge and the look-up, to be made, with this answer to both. */
  const both = (charge: ChargeRequest, status: number, body: unknown) => {
    stub.answerWith({ status, body: JSON.stringify(body) });
    return [() => provider.charge(charge, aCall()), () => provider.lookUpCharge(charge, aCall())] as const;
  };
  /** The same with a capture with these changes. */
  const outcomes = (changes: Record<string, unknown>, orderChanges: Record<string, unknown> = {}) => {
    const charge = aCharge({ preparationId: orderId });
    return both(charge, 200, order(charge, [capture(charge, changes)], orderChanges));
  };

  test('with a completed capture is approved, in the provider’s words', async () => {
    for (const ask of outcomes({})) {
      expect(await ask()).toEqual({
        kind: 'approved',
        response: {
          transactionId: '3C679366HH908993F',
          responseCode: '0000',
          responseMessage: 'COMPLETED',
          card: { brand: 'visa', lastFour: '4242' },
        },
      });
    }
  });

  test.each(['REFUNDED', 'PARTIALLY_REFUNDED'])('with a capture that is %s by now is approved', async (status) => {
    for (const ask of outcomes({ status })) expect(await ask()).toMatchObject({ kind: 'approved' });
  });

  test.each([
    ['another amount', { currency_code: 'USD', value: '26.00' }, '2600', 'USD'],
    ['another currency', { currency_code: 'EUR', value: '25.99' }, '2599', 'EUR'],
    ['a currency with other decimals', { currency_code: 'HUF', value: '2599' }, '259900', 'HUF'],
  ])('with %s is mismatched', async (_name, amount, amountMinor, currency) => {
    for (const ask of outcomes({ amount })) {
      expect(await ask()).toMatchObject({ kind: 'mismatched', reported: { amountMinor, currency } });
    }
  });

  test('that is pending is pending, with the reason as its message', async () => {
    for (const ask of outcomes({ status: 'PENDING', status_details: { reason: 'PENDING_REVIEW' } })) {
      expect(await ask()).toMatchObject({ kind: 'pending', response: { responseMessage: 'PENDING_REVIEW' } });
    }
  });

  test.each([
    ['0500', 'card_declined'],
    ['5100', 'card_declined'],
    ['5120', 'insufficient_funds'],
    ['5400', 'expired_card'],
    ['PPEX', 'expired_card'],
    ['5110', 'incorrect_cvc'],
    ['00N7', 'incorrect_cvc'],
    ['9520', 'lost_or_stolen_card'],
    ['9500', 'suspected_fraud'],
    ['5180', 'not_permitted'],
    ['5700', 'not_permitted'],
    ['5710', 'limit_exceeded'],
    ['PPAX', 'limit_exceeded'],
    ['5910', 'issuer_unavailable'],
    ['5920', 'issuer_unavailable'],
    ['0960', 'processing_error'],
    ['8000', 'processing_error'],
    ['9100', 'processing_error'],
    ['constructor', 'card_declined'],
  ])('that declines with %s says %s', async (responseCode, declineCode) => {
    for (const status of ['DECLINED', 'FAILED']) {
      for (const ask of outcomes({ status, processor_response: { response_code: responseCode } })) {
        expect(await ask()).toMatchObject({ kind: 'declined', declineCode, response: { responseCode } });
      }
    }
  });

  test('that declines without a code is a decline', async () => {
    for (const ask of outcomes({ status: 'DECLINED', processor_response: undefined })) {
      expect(await ask()).toMatchObject({ declineCode: 'card_declined', response: { responseCode: 'DECLINED' } });
    }
  });

  test('with a declined capture beside one that moved money counts the money', async () => {
    const charge = aCharge({ preparationId: orderId });
    const captures = [capture(charge, { id: 'DECLINED1', status: 'DECLINED' }), capture(charge)];
    for (const ask of both(charge, 200, order(charge, captures))) {
      expect(await ask()).toMatchObject({ kind: 'approved', response: { transactionId: '3C679366HH908993F' } });
    }
  });

  test.each<[string, Record<string, unknown>, Record<string, unknown>]>([
    ['about another order', {}, { id: 'ANOTHERORDER' }],
    ['about another payment', { custom_id: 'pay_other' }, {}],
    ['without a reference', { custom_id: undefined }, {}],
    ['with a status that nobody knows', { status: 'PERHAPS' }, {}],
    ['with an amount that is none', { amount: { currency_code: 'USD', value: '1e3' } }, {}],
    ['with an amount that is too fine', { amount: { currency_code: 'USD', value: '25.999' } }, {}],
    ['with a currency that nobody knows', { amount: { currency_code: 'XXX', value: '25.99' } }, {}],
    ['with an id that is none', { id: 'a b' }, {}],
    ['without purchases', {}, { purchase_units: [] }],
    ['that is completed without a capture', {}, { purchase_units: [{}] }],
  ])('%s is an unknown outcome', async (_name, changes, orderChanges) => {
    for (const ask of outcomes(changes, orderChanges)) expect(await faultKindOf(ask())).toBe('unknown_outcome');
  });

  test.each([
    ['CREATED', 'approved'],
    ['PARTIALLY_CAPTURED', 'approved'],
    ['CAPTURED', 'approved'],
    ['VOIDED', 'approved'],
    ['PENDING', 'pending'],
    ['DENIED', 'declined'],
  ])('with an authorization that is %s by now: a reservation that is %s', async (status, kind) => {
    const charge = aCharge({ preparationId: orderId, capture: 'manual' });
    const units = [{ payments: { authorizations: [capture(charge, { status })] } }];
    for (const ask of both(charge, 200, order(charge, [], { purchase_units: units }))) {
      expect(await ask()).toMatchObject({ kind, response: { transactionId: '3C679366HH908993F' } });
    }
  });

  test('with a capture is not taken for the authorization that it is of', async () => {
    const charge = aCharge({ preparationId: orderId, capture: 'manual' });
    for (const ask of both(charge, 200, order(charge, [capture(charge)]))) {
      expect(await faultKindOf(ask())).toBe('unknown_outcome');
    }
  });

  test('with an order that waits for its payer is a decline: there is no way here to let him act', async () => {
    const charge = aCharge({ preparationId: orderId });
    for (const ask of both(charge, 200, order(charge, [], { status: 'PAYER_ACTION_REQUIRED' }))) {
      expect(await ask()).toMatchObject({ kind: 'declined', declineCode: 'authentication_required' });
    }
  });

  test('with an order that was not captured: null to a look-up, in doubt to a charge', async () => {
    const charge = aCharge({ preparationId: orderId });
    const [charged, lookedUp] = both(charge, 200, order(charge, [], { status: 'CREATED', payment_source: undefined }));
    expect(await faultKindOf(charged())).toBe('unknown_outcome');
    expect(await lookedUp()).toBeNull();
  });

  test.each([
    ['INSTRUMENT_DECLINED', 'card_declined'],
    ['PAYER_CANNOT_PAY', 'card_declined'],
    ['REFERENCED_CARD_EXPIRED', 'expired_card'],
    ['TRANSACTION_LIMIT_EXCEEDED', 'limit_exceeded'],
    ['CARD_BRAND_NOT_SUPPORTED', 'not_permitted'],
    ['PAYER_ACTION_REQUIRED', 'authentication_required'],
  ])('422 %s to a capture is a decline: %s, found by the order', async (issue, declineCode) => {
    const [charged] = both(aCharge({ preparationId: orderId }), 422, {
      name: 'UNPROCESSABLE_ENTITY',
      details: [{ issue }],
    });
    expect(await charged()).toMatchObject({
      kind: 'declined',
      declineCode,
      response: { transactionId: orderId, responseCode: issue, card: null },
    });
  });

  /** A refused capture with these details, in this order. */
  const refused = (details: readonly unknown[], status = 422) => {
    const body = { name: 'UNPROCESSABLE_ENTITY', details };
    return both(aCharge({ preparationId: orderId }), status, body)[0]();
  };

  test.each([
    'ORDER_ALREADY_CAPTURED',
    'ORDER_ALREADY_AUTHORIZED',
    'PAYPAL_REQUEST_ID_PREVIOUSLY_USED',
    'PREVIOUS_REQUEST_IN_PROGRESS',
  ])('%s leaves the outcome open, whatever stands before or behind it', async (issue) => {
    const others = [{ issue: 'INVALID_PARAMETER_VALUE' }, { issue: 'INSTRUMENT_DECLINED' }, { field: '/no/issue' }, 7];
    for (const status of [400, 422]) {
      for (const other of others) {
        for (const details of [[{ issue }], [other, { issue }], [{ issue }, other], [...others, { issue }]]) {
          const fault = await faultOf(refused(details, status));
          expect([details, fault.kind]).toEqual([details, 'unknown_outcome']);
          expect(fault.message).toContain(issue);
        }
      }
    }
  });

  test('a decline counts before a refusal of our request, wherever it stands', async () => {
    const decline = { issue: 'REFERENCED_CARD_EXPIRED' };
    for (const other of [{ issue: 'INVALID_PARAMETER_VALUE' }, { field: '/no/issue' }]) {
      for (const details of [
        [other, decline],
        [decline, other],
      ]) {
        expect(await refused(details)).toMatchObject({
          declineCode: 'expired_card',
          response: { responseCode: 'REFERENCED_CARD_EXPIRED' },
        });
      }
    }
  });

  test.each([
    [400, 'INVALID_REQUEST', 'INVALID_PARAMETER_VALUE', 'rejected'],
    [422, 'UNPROCESSABLE_ENTITY', 'ORDER_NOT_APPROVED', 'rejected'],
    [422, 'UNPROCESSABLE_ENTITY', 'TOKEN_ID_NOT_FOUND', 'rejected'],
    [422, 'UNPROCESSABLE_ENTITY', 'ORDER_ALREADY_CAPTURED', 'unknown_outcome'],
    [422, 'UNPROCESSABLE_ENTITY', 'PAYPAL_REQUEST_ID_PREVIOUSLY_USED', 'unknown_outcome'],
    [403, 'NOT_AUTHORIZED', 'PERMISSION_DENIED', 'misconfigured'],
    [404, 'RESOURCE_NOT_FOUND', 'INVALID_RESOURCE_ID', 'rejected'],
    [409, 'RESOURCE_CONFLICT', 'PREVIOUS_REQUEST_IN_PROGRESS', 'unknown_outcome'],
    [429, 'RATE_LIMIT_REACHED', undefined, 'rate_limited'],
    [500, 'INTERNAL_SERVER_ERROR', undefined, 'unknown_outcome'],
    [503, 'SERVICE_UNAVAILABLE', undefined, 'unknown_outcome'],
  ])('%i %s %s to a capture is %s, and the message names it', async (status, name, issue, kind) => {
    const details = issue === undefined ? [] : [{ issue }];
    const [charged] = both(aCharge({ preparationId: orderId }), status, { name, details });
    const fault = await faultOf(charged());
    expect(fault.kind).toBe(kind);
    expect(fault.message).toContain(issue ?? name);
  });

  test.each([
    ['NUL', 'do\0not'],
    ['half of a surrogate pair', 'no \uD83D'],
    ['ten thousand characters', 'x'.repeat(10_000)],
  ])('with %s in its remarks stays approved, and the remarks can be stored', async (_name, text) => {
    const changes = { processor_response: { response_code: text }, status_details: { reason: text } };
    const source = { payment_source: { card: { brand: text, last_digits: '4242' } } };
    for (const ask of outcomes(changes, source)) {
      const { kind, response } = (await ask()) ?? {};
      expect(kind).toBe('approved');
      for (const remark of [response?.responseCode, response?.responseMessage, response?.card?.brand]) {
        expect(remark?.length).toBeLessThanOrEqual(200);
        expect(remark?.isWellFormed()).toBe(true);
        expect(remark).not.toContain('\0');
      }
    }
  });

  test.each([
    ['more than the last digits', { card: { brand: 'VISA', last_digits: '4242424242424242' } }],
    ['nothing', undefined],
    ['a wallet', { paypal: { email_address: 'nobody@example.com' } }],
  ])('with %s of a card stays approved, without the card', async (_name, source) => {
    for (const ask of outcomes({}, { payment_source: source })) {
      expect(await ask()).toMatchObject({ kind: 'approved', response: { card: null } });
    }
  });

  test.each<[string, Record<string, unknown>]>([
    ['for another payment', { custom_id: 'pay_other' }],
    ['over another amount', { amount: { currency_code: 'USD', value: '26.00' } }],
    ['in another currency', { amount: { currency_code: 'EUR', value: '25.99' } }],
  ])('to a creation %s is an unknown outcome: such an order is never captured', async (_name, changes) => {
    stub.answerWith(({ body }) => ({ status: 201, body: orderOf(JSON.parse(body), { changes }) }));
    expect(await faultKindOf(prepare(provider, aCharge()))).toBe('unknown_outcome');
  });

  test.each(['../../v1/oauth2', 'a b', ''])('to a creation with the id %j is an unknown outcome', async (id) => {
    stub.answerWith(({ body }) => ({ status: 201, body: orderOf(JSON.parse(body), { id }) }));
    expect(await faultKindOf(prepare(provider, aCharge()))).toBe('unknown_outcome');
  });
});

describe('what PayPal is sent', () => {
  const stub = stubServer();

  test.each([
    ['credit_card', 'tok_visa_4242', { card: { vault_id: 'tok_visa_4242' } }],
    ['paypal', 'tok_paypal_wallet_1', { paypal: { vault_id: 'tok_paypal_wallet_1' } }],
  ])(
    'is an order that nobody pays, and its capture with the %s under a key of its own',
    async (paymentMethod, cardToken, source) => {
      const provider = world.connect(stub.url);
      const charge = aCharge({ amountMinor: 260_000n, currency: 'HUF', paymentMethod, cardToken });
      stub.answerWith(({ path, body }) =>
        path.endsWith('/capture') ? { status: 500, body: '' } : { status: 201, body: orderOf(JSON.parse(body)) },
      );
      const preparationId = await prepare(provider, charge);
      await faultOf(provider.charge({ ...charge, preparationId }, aCall()));
      expect(stub.seen).toMatchObject([
        {
          method: 'POST',
          path: '/v2/checkout/orders',
          headers: { 'paypal-request-id': `${charge.idempotencyKey}_prepare`, prefer: 'return=representation' },
        },
        {
          method: 'POST',
          path: `/v2/checkout/orders/${preparationId}/capture`,
          headers: { 'paypal-request-id': charge.idempotencyKey, prefer: 'return=representation' },
        },
      ]);
      const amount = { currency_code: 'HUF', value: '2600' };
      expect(stub.seen.map(({ body }) => JSON.parse(body))).toEqual([
        {
          intent: 'CAPTURE',
          purchase_units: [{ reference_id: charge.reference, custom_id: charge.reference, amount }],
        },
        { payment_source: source },
      ]);
    },
  );

  test('is an order to authorize, and its authorization, where the amount is only to be reserved', async () => {
    const provider = world.connect(stub.url);
    const charge = aCharge({ capture: 'manual' });
    stub.answerWith(({ path, body }) =>
      path.endsWith('/authorize') ? { status: 500, body: '' } : { status: 201, body: orderOf(JSON.parse(body)) },
    );
    const preparationId = await prepare(provider, charge);
    await faultOf(provider.charge({ ...charge, preparationId }, aCall()));
    expect(JSON.parse(stub.seen[0]?.body ?? '')).toMatchObject({ intent: 'AUTHORIZE' });
    expect(stub.seen[1]).toMatchObject({
      path: `/v2/checkout/orders/${preparationId}/authorize`,
      headers: { 'paypal-request-id': charge.idempotencyKey },
      body: JSON.stringify({ payment_source: { card: { vault_id: 'tok_visa_4242' } } }),
    });
  });

  test('tells our secret to nobody but the token endpoint', async () => {
    const provider = world.connect(stub.url);
    stub.answerWith({ status: 500, body: '' });
    await faultOf(prepare(provider, aCharge()));
    const secret = Buffer.from(`${secrets.paypalClient}:${secrets.paypal}`).toString('base64');
    await until('a request was seen', () => stub.seen.length > 0);
    expect(JSON.stringify(stub.seen)).not.toContain(secret);
    expect(JSON.stringify(stub.seen)).not.toContain(secrets.paypal);
  });
});

/** PayPal's answer to the creation of an order: what was asked, with changes to its one purchase. */
function orderOf(
  asked: { purchase_units: object[] },
  { id = '5O190127TN364715T', changes = {} }: { id?: string; changes?: Record<string, unknown> } = {},
): string {
  const purchaseUnits = asked.purchase_units.map((unit) => ({ ...unit, ...changes }));
  return JSON.stringify({ id, status: 'CREATED', purchase_units: purchaseUnits });
}
