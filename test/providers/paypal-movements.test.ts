import { beforeAll, describe, expect, test } from 'vitest';
import { createPaypal } from '../../activities/providers/paypal/paypal.ts';
import type { MovementRequest, Provider } from '../../activities/providers/provider.ts';
import { stubServer } from './stub.ts';
import { aCall, aCharge, aMovement, faultKindOf, faultOf, prepared, providerWorld, secrets } from './world.ts';

const world = providerWorld({
  face: 'paypal',
  prepares: true,
  urlOf: ({ paypalUrl }) => paypalUrl,
  make: (url, clientSecret) => createPaypal({ url, clientId: secrets.paypalClient, clientSecret }),
});

/** A charge that PayPal has made, with its id there. */
async function charged(changes: Parameters<typeof aCharge>[0] = {}) {
  const charge = await prepared(world.provider, aCharge(changes));
  const outcome = await world.provider.charge(charge, aCall());
  if (outcome.kind !== 'approved') throw new Error(`expected an approved charge, got ${outcome.kind}`);
  return { charge, id: outcome.response.transactionId };
}

const move = (request: MovementRequest) => world.provider.move(request, aCall());
const lookUp = (request: MovementRequest) => world.provider.lookUpMovement(request, aCall());

describe('a movement that PayPal refuses because it is done is in doubt, and the look-up ends the doubt:', () => {
  test('another capture of an authorization that is used up can never be, and is declined', async () => {
    const { charge, id } = await charged({ capture: 'manual' });
    const done = aMovement('capture', charge, id);
    await move(done);
    const another = aMovement('capture', charge, id, { amountMinor: 1n });
    expect(await faultOf(move(another))).toMatchObject({
      kind: 'unknown_outcome',
      message: expect.stringContaining('AUTHORIZATION_ALREADY_CAPTURED'),
    });
    expect(await lookUp(another)).toMatchObject({
      kind: 'declined',
      declineCode: 'authorization_expired',
      response: { transactionId: id },
    });
    expect(await lookUp(done)).toMatchObject({ kind: 'approved' });
  });

  test('a capture of a voided authorization can never be, and is declined', async () => {
    const { charge, id } = await charged({ capture: 'manual' });
    const before = aMovement('capture', charge, id, { amountMinor: 1_000n, isFinal: false });
    await move(before);
    await move(aMovement('void', charge, id, { amountMinor: 1_599n }));
    const after = aMovement('capture', charge, id, { amountMinor: 1_599n });
    expect(await faultKindOf(move(after))).toBe('unknown_outcome');
    expect(await lookUp(after)).toMatchObject({ kind: 'declined', declineCode: 'authorization_expired' });
    expect(await lookUp(before)).toMatchObject({ kind: 'approved' });
  });

  test('a void of what is voided is approved, whoever did it', async () => {
    const { charge, id } = await charged({ capture: 'manual' });
    await move(aMovement('void', charge, id));
    const again = aMovement('void', charge, id);
    expect(await faultKindOf(move(again))).toBe('unknown_outcome');
    expect(await lookUp(again)).toMatchObject({ kind: 'approved', response: { transactionId: id } });
    expect(await world.bank.movements(charge.reference)).toHaveLength(2);
  });

  test('a refund of what is refunded can never be, and is declined', async () => {
    const { charge, id } = await charged();
    const done = aMovement('refund', charge, id);
    await move(done);
    const another = aMovement('refund', charge, id, { amountMinor: 1n });
    expect(await faultKindOf(move(another))).toBe('unknown_outcome');
    expect(await lookUp(another)).toMatchObject({ kind: 'declined', declineCode: 'refund_declined' });
    expect(await lookUp(done)).toMatchObject({ kind: 'approved' });
  });

  test('another key for a capture that was made finds the capture', async () => {
    const { charge, id } = await charged({ capture: 'manual' });
    const done = aMovement('capture', charge, id, { amountMinor: 1_000n, isFinal: false });
    const outcome = await move(done);
    const again = { ...done, idempotencyKey: 'att_another' };
    expect(await faultOf(move(again))).toMatchObject({
      kind: 'unknown_outcome',
      message: expect.stringContaining('DUPLICATE_INVOICE_ID'),
    });
    expect(await lookUp(again)).toEqual(outcome);
    expect(await world.bank.movements(done.reference)).toHaveLength(1);
  });
});

test('a void of what is captured is rejected, and not found', async () => {
  const { charge, id } = await charged({ capture: 'manual' });
  await move(aMovement('capture', charge, id));
  const release = aMovement('void', charge, id);
  expect(await faultOf(move(release))).toMatchObject({
    kind: 'rejected',
    message: expect.stringContaining('PREVIOUSLY_CAPTURED'),
  });
  expect(await lookUp(release)).toBeNull();
});

test('a void is looked up over what was left of the reservation', async () => {
  const { charge, id } = await charged({ capture: 'manual' });
  await move(aMovement('capture', charge, id, { amountMinor: 1_000n, isFinal: false }));
  const rest = aMovement('void', charge, id, { amountMinor: 1_599n });
  await move(rest);
  expect(await lookUp(rest)).toMatchObject({ kind: 'approved' });
  expect(await lookUp({ ...rest, amountMinor: 2_599n })).toMatchObject({
    kind: 'mismatched',
    reported: { amountMinor: '1599', currency: 'USD' },
  });
});

test('a movement of what PayPal does not know is misconfigured: it keeps other books than those the charge is in', async () => {
  const charge = aCharge({ preparationId: 'NOBODYMADETHIS' });
  for (const kind of ['capture', 'void', 'refund'] as const) {
    const request = aMovement(kind, charge, 'NOBODYMADETHIS');
    for (const ask of [move, lookUp]) {
      const fault = await faultOf(ask(request));
      expect(fault).toMatchObject({ kind: 'misconfigured', message: expect.stringMatching(/check PAYPAL_URL/) });
    }
  }
});

test.each([
  ['HUF', 260_000n, '260000'],
  ['TWD', 10_000n, '10000'],
  ['JPY', 500n, '500'],
])('in %s of %i minor units: capture, void and refund move that many', async (currency, amountMinor, minor) => {
  for (const kind of ['capture', 'void', 'refund'] as const) {
    const capture = kind === 'refund' ? 'automatic' : 'manual';
    const { charge, id } = await charged({ currency, amountMinor, capture });
    const request = aMovement(kind, charge, id);
    expect(await move(request)).toMatchObject({ kind: 'approved' });
    expect(await lookUp(request)).toMatchObject({ kind: 'approved' });
    const reference = kind === 'void' ? charge.reference : request.reference;
    const [moved] = (await world.bank.movements(reference)).filter((one) => one.kind === kind);
    expect(moved).toMatchObject({ amount_minor: minor, currency });
  }
});

test('an amount that PayPal’s decimals cannot express is rejected before anything is sent', async () => {
  const { charge, id } = await charged({ currency: 'HUF', amountMinor: 260_000n });
  await world.bank.inject([]);
  expect(await faultKindOf(move(aMovement('refund', charge, id, { amountMinor: 50n })))).toBe('rejected');
  expect(await world.bank.served()).toMatchObject({ refund: 0 });
});

describe('what PayPal is sent', () => {
  const stub = stubServer();

  test.each([
    [
      'capture',
      '/v2/payments/authorizations/AUTH1/capture',
      { amount: { currency_code: 'USD', value: '25.99' }, invoice_id: 'cap_1', final_capture: true },
    ],
    ['void', '/v2/payments/authorizations/AUTH1/void', {}],
    [
      'refund',
      '/v2/payments/captures/AUTH1/refund',
      { amount: { currency_code: 'USD', value: '25.99' }, invoice_id: 'ref_1', custom_id: 'ref_1' },
    ],
  ] as const)('is our %s under its key, with our id', async (kind, path, body) => {
    const provider = world.connect(stub.url);
    stub.answerWith({ status: 500, body: '' });
    const reference = kind === 'refund' ? 'ref_1' : 'cap_1';
    const request = aMovement(kind, aCharge({ preparationId: 'ORDER1' }), 'AUTH1', { reference });
    await faultOf(provider.move(request, aCall()));
    expect(stub.seen).toMatchObject([
      {
        method: 'POST',
        path,
        headers: { 'paypal-request-id': request.idempotencyKey, prefer: 'return=representation' },
      },
    ]);
    expect(JSON.parse(stub.seen[0]?.body ?? '')).toEqual(body);
  });

  test('names the capture that is refunded, where there are several, and says when a capture is not the last', async () => {
    const provider = world.connect(stub.url);
    stub.answerWith({ status: 500, body: '' });
    const charge = aCharge({ preparationId: 'ORDER1' });
    await faultOf(provider.move(aMovement('refund', charge, 'AUTH1', { captureTransactionId: 'CAP2' }), aCall()));
    await faultOf(provider.move(aMovement('capture', charge, 'AUTH1', { isFinal: false }), aCall()));
    expect(stub.seen[0]?.path).toBe('/v2/payments/captures/CAP2/refund');
    expect(JSON.parse(stub.seen[1]?.body ?? '')).toMatchObject({ final_capture: false });
  });

  test('as a look-up is the order, and without one a rule of ours is broken', async () => {
    const provider = world.connect(stub.url);
    stub.answerWith({ status: 500, body: '' });
    await faultOf(provider.lookUpMovement(aMovement('void', aCharge({ preparationId: 'ORDER1' }), 'AUTH1'), aCall()));
    expect(stub.seen).toMatchObject([{ method: 'GET', path: '/v2/checkout/orders/ORDER1' }]);
    const unprepared = aMovement('void', aCharge(), 'AUTH1');
    await expect(provider.lookUpMovement(unprepared, aCall())).rejects.toThrow(/prepare comes first/);
  });
});

describe('an answer of PayPal', () => {
  const stub = stubServer();
  let provider: Provider;
  beforeAll(() => {
    provider = world.connect(stub.url);
  });

  const amount = (value: string, currency = 'USD') => ({ currency_code: currency, value });
  const charge = aCharge({ preparationId: 'ORDER1' });
  const request = (kind: MovementRequest['kind']) => aMovement(kind, charge, kind === 'refund' ? 'CAP1' : 'AUTH1');
  const authorization = (changes: object = {}) => ({
    id: 'AUTH1',
    status: 'CREATED',
    amount: amount('25.99'),
    custom_id: charge.reference,
    ...changes,
  });
  const capture = (asked: MovementRequest, changes: object = {}) => ({
    id: 'CAP1',
    status: 'COMPLETED',
    amount: amount('25.99'),
    invoice_id: asked.reference,
    custom_id: charge.reference,
    ...changes,
  });
  const refund = (asked: MovementRequest, changes: object = {}) => ({
    id: 'REF1',
    status: 'COMPLETED',
    amount: amount('25.99'),
    invoice_id: asked.reference,
    ...changes,
  });
  const resourceOf = { capture, void: () => authorization({ status: 'VOIDED' }), refund };

  const answered = (asked: MovementRequest, body: object, status = 201) => {
    stub.answerWith({ status, body: JSON.stringify(body) });
    return provider.move(asked, aCall());
  };
  const found = (asked: MovementRequest, payments: object, changes: object = {}) => {
    const order = { id: 'ORDER1', status: 'COMPLETED', purchase_units: [{ payments }], ...changes };
    stub.answerWith({ status: 200, body: JSON.stringify(order) });
    return provider.lookUpMovement(asked, aCall());
  };
  /** The answer to a movement, and the same as its look-up. */
  const both = (kind: 'capture' | 'refund', changes: object) => {
    const asked = request(kind);
    const resource = resourceOf[kind](asked, changes);
    const payments =
      kind === 'capture'
        ? { authorizations: [authorization()], captures: [resource] }
        : { captures: [capture(asked, { invoice_id: undefined })], refunds: [resource] };
    return [() => answered(asked, resource), () => found(asked, payments)];
  };

  test.each([
    ['capture', 'COMPLETED', 'approved'],
    ['capture', 'PARTIALLY_REFUNDED', 'approved'],
    ['capture', 'REFUNDED', 'approved'],
    ['capture', 'PENDING', 'pending'],
    ['capture', 'DECLINED', 'declined'],
    ['capture', 'FAILED', 'declined'],
    ['refund', 'COMPLETED', 'approved'],
    ['refund', 'PENDING', 'pending'],
    ['refund', 'FAILED', 'declined'],
    ['refund', 'CANCELLED', 'declined'],
  ] as const)('with a %s that is %s is %s, without a card', async (kind, status, outcome) => {
    for (const ask of both(kind, { status })) {
      expect(await ask()).toMatchObject({
        kind: outcome,
        response: { transactionId: kind === 'capture' ? 'CAP1' : 'REF1', responseMessage: status, card: null },
      });
    }
  });

  test('that declines a capture says why, and of a refund that it was declined', async () => {
    for (const [code, declineCode] of [
      ['PPS3', 'authorization_expired'],
      ['5120', 'insufficient_funds'],
      ['0500', 'card_declined'],
    ]) {
      for (const ask of both('capture', { status: 'DECLINED', processor_response: { response_code: code } })) {
        expect(await ask()).toMatchObject({ declineCode, response: { responseCode: code } });
      }
    }
    for (const ask of both('refund', { status: 'FAILED' }))
      expect(await ask()).toMatchObject({ declineCode: 'refund_declined' });
  });

  test.each(['capture', 'refund'] as const)('with a %s over another amount or currency is mismatched', async (kind) => {
    for (const [reported, amountMinor, currency] of [
      [amount('26.00'), '2600', 'USD'],
      [amount('25.99', 'EUR'), '2599', 'EUR'],
    ] as const) {
      for (const ask of both(kind, { amount: reported })) {
        expect(await ask()).toMatchObject({ kind: 'mismatched', reported: { amountMinor, currency } });
      }
    }
  });

  test.each<[string, MovementRequest['kind'], object]>([
    ['about another capture', 'capture', { invoice_id: 'cap_other' }],
    ['about a capture of another payment', 'capture', { custom_id: 'pay_other' }],
    ['about a capture without our id', 'capture', { invoice_id: undefined }],
    ['about another refund', 'refund', { invoice_id: 'ref_other' }],
    ['about a refund without our id', 'refund', { invoice_id: undefined }],
    ['with a status that nobody knows', 'refund', { status: 'PERHAPS' }],
    ['with an amount that is too fine', 'capture', { amount: amount('25.999') }],
    ['with an id that is none', 'refund', { id: 'a b' }],
    ['about another authorization', 'void', { id: 'AUTH2' }],
    ['about an authorization that is not voided', 'void', { status: 'CREATED' }],
  ])('%s is in doubt', async (_name, kind, changes) => {
    const asked = request(kind);
    expect(await faultKindOf(answered(asked, { ...resourceOf[kind](asked), ...changes }))).toBe('unknown_outcome');
  });

  test('204 to a void, which was asked to be shown, is in doubt', async () => {
    stub.answerWith({ status: 204, body: '' });
    expect(await faultKindOf(provider.move(request('void'), aCall()))).toBe('unknown_outcome');
  });

  test.each([
    ['capture', 'AUTHORIZATION_ALREADY_CAPTURED'],
    ['capture', 'AUTHORIZATION_VOIDED'],
    ['capture', 'DUPLICATE_INVOICE_ID'],
    ['capture', 'DUPLICATE_TRANSACTION'],
    ['void', 'PREVIOUSLY_VOIDED'],
    ['refund', 'CAPTURE_FULLY_REFUNDED'],
    ['refund', 'CAPTURED_AMOUNT_FULLY_REFUNDED'],
    ['refund', 'PAYPAL_REQUEST_ID_PREVIOUSLY_USED'],
    ['void', 'PREVIOUS_REQUEST_IN_PROGRESS'],
  ] as const)('to a %s with %s leaves the outcome open, whatever stands beside it', async (kind, issue) => {
    const others = [{ issue: 'TRANSACTION_REFUSED' }, { issue: 'MAX_CAPTURE_AMOUNT_EXCEEDED' }, 7];
    for (const details of [[{ issue }], [...others, { issue }], [{ issue }, ...others]]) {
      const fault = await faultOf(answered(request(kind), { name: 'UNPROCESSABLE_ENTITY', details }, 422));
      expect(fault.kind).toBe('unknown_outcome');
      expect(fault.message).toContain(issue);
    }
  });

  test.each([
    ['capture', 'AUTHORIZATION_EXPIRED', 'authorization_expired', 'AUTH1'],
    ['capture', 'TRANSACTION_REFUSED', 'card_declined', 'AUTH1'],
    ['capture', 'PAYER_CANNOT_PAY', 'card_declined', 'AUTH1'],
    ['refund', 'REFUND_FAILED_INSUFFICIENT_FUNDS', 'refund_declined', 'CAP1'],
    ['refund', 'REFUND_TIME_LIMIT_EXCEEDED', 'refund_declined', 'CAP1'],
    ['refund', 'TRANSACTION_REFUSED', 'refund_declined', 'CAP1'],
  ] as const)('to a %s with %s is a decline: %s, found by %s', async (kind, issue, declineCode, transactionId) => {
    const body = { name: 'UNPROCESSABLE_ENTITY', details: [{ field: '/no/issue' }, { issue }] };
    expect(await answered(request(kind), body, 422)).toMatchObject({
      kind: 'declined',
      declineCode,
      response: { transactionId, responseCode: issue, card: null },
    });
  });

  test.each([
    ['capture', 'MAX_CAPTURE_AMOUNT_EXCEEDED'],
    ['capture', 'AUTH_CAPTURE_CURRENCY_MISMATCH'],
    ['capture', 'AUTHORIZATION_DENIED'],
    ['capture', 'REFUND_TIME_LIMIT_EXCEEDED'],
    ['void', 'PREVIOUSLY_CAPTURED'],
    ['void', 'CANNOT_BE_VOIDED'],
    ['void', 'TRANSACTION_REFUSED'],
    ['refund', 'REFUND_AMOUNT_EXCEEDED'],
    ['refund', 'PENDING_CAPTURE'],
  ] as const)('to a %s with %s is rejected: nothing moved, and asking again would not help', async (kind, issue) => {
    const fault = await faultOf(answered(request(kind), { name: 'UNPROCESSABLE_ENTITY', details: [{ issue }] }, 422));
    expect(fault.kind).toBe('rejected');
    expect(fault.message).toContain(issue);
  });

  test('that shows an order of somebody else is in doubt', async () => {
    for (const kind of ['capture', 'void', 'refund'] as const) {
      const payments = { authorizations: [authorization()], captures: [capture(request('capture'))] };
      expect(await faultKindOf(found(request(kind), payments, { id: 'ORDER2' }))).toBe('unknown_outcome');
    }
  });

  test('that does not show what the movement is of is in doubt', async () => {
    for (const kind of ['capture', 'void', 'refund'] as const) {
      expect(await faultKindOf(found(request(kind), {}))).toBe('unknown_outcome');
    }
  });

  test('that does not account for all that was captured does not say that ours was not', async () => {
    const asked = request('capture');
    const other = capture(asked, { invoice_id: 'cap_other', amount: amount('10.00') });
    const captured = (changes: object) =>
      found(asked, { authorizations: [authorization({ status: 'CAPTURED' })], captures: [{ ...other, ...changes }] });
    expect(await captured({})).toBeNull();
    expect(await captured({ amount: amount('25.99'), status: 'DECLINED' })).toBeNull();
    expect(await captured({ final_capture: true })).toMatchObject({ kind: 'declined' });
    expect(await captured({ amount: amount('25.99') })).toMatchObject({ kind: 'declined' });
  });

  test('that does not account for all that was refunded does not say that ours was not', async () => {
    const asked = request('refund');
    const refunded = (refunds: object[], second: object[] = []) =>
      found(asked, {
        captures: [capture(asked, { status: 'REFUNDED', invoice_id: undefined }), ...second],
        refunds,
      });
    const other = refund(asked, { invoice_id: undefined, amount: amount('25.99') });
    expect(await refunded([])).toBeNull();
    expect(await refunded([{ ...other, status: 'FAILED' }])).toBeNull();
    expect(await refunded([other])).toMatchObject({ kind: 'declined', declineCode: 'refund_declined' });
    // Whose refund it is, is not said: it may be one of the other capture.
    const touched = capture(asked, { id: 'CAP2', status: 'PARTIALLY_REFUNDED', invoice_id: 'cap_2' });
    expect(await refunded([other], [touched])).toBeNull();
  });

  test('that shows two with our id counts the one that moved money', async () => {
    const asked = request('capture');
    const captures = [capture(asked, { id: 'CAP0', status: 'DECLINED' }), capture(asked)];
    expect(await found(asked, { authorizations: [authorization()], captures })).toMatchObject({
      kind: 'approved',
      response: { transactionId: 'CAP1' },
    });
  });
});
