import { inspect } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import type { ChargeRequest, Provider, ProviderCall } from '../../activities/providers/provider.ts';
import { isCurrency } from '../../workflows/domain/currencies.ts';
import { declineClasses } from '../../workflows/domain/failure.ts';
import { movementKinds } from '../../workflows/domain/movement.ts';
import { until } from '../support/until.ts';
import { describeMovements } from './contract-movements.ts';
import { stubServer } from './stub.ts';
import {
  aCall,
  aCharge,
  aMovement,
  faultKindOf,
  faultOf,
  type ProviderWorld,
  preparationOf,
  prepared,
} from './world.ts';

/**
 * What every provider must promise, shown on its adapter before the provider's simulator and before a server that answers
 * nonsense. What only one provider knows stands in its own file.
 */
export function describeProvider(name: string, world: ProviderWorld): void {
  describe(`${name}, a provider`, () => {
    describeItself(world);
    describe('makes a charge', () => describeCharge(world));
    describe('looks a charge up', () => describeLookUp(world));
    if (world.prepares) describe('prepares a charge', () => describePrepare(world));
    if (world.asksPayer) describe('asks the payer to act', () => describePayerAction(world));
    describeMovements(world);
    describe('says what it sends', () => describeRequests(world));
    describe('reads answers that no provider should give', () => describeOddAnswers(world));
  });
}

const movementsOf = async ({ bank }: ProviderWorld, { reference }: ChargeRequest) =>
  (await bank.movements(reference)).length;

/** One step of a charge and all that came before it. */
const wholeCharge = async (provider: Provider, charge: ChargeRequest) =>
  provider.charge(await prepared(provider, charge), aCall());

type Operation = (charge: ChargeRequest, call: ProviderCall) => Promise<unknown>;

/** Every operation of the provider, as the same call. */
function operationsOf(provider: Provider): [string, Operation][] {
  const movements = movementKinds.flatMap((kind): [string, Operation][] => {
    const movementOf = (charge: ChargeRequest) => aMovement(kind, charge, '3C679366HH908993F');
    return [
      [kind, (charge, call) => provider.move(movementOf(charge), call)],
      [`look-up of a ${kind}`, (charge, call) => provider.lookUpMovement(movementOf(charge), call)],
    ];
  });
  return [
    ['charge', (charge, call) => provider.charge(charge, call)],
    ['reservation', (charge, call) => provider.charge({ ...charge, capture: 'manual' }, call)],
    ['lookUpCharge', (charge, call) => provider.lookUpCharge(charge, call)],
    ...movements,
    ...(provider.prepare === undefined ? [] : [preparing(provider)]),
  ];
}

function preparing(provider: Provider): [string, Operation] {
  return ['prepare', async (charge, call) => provider.prepare?.(preparationOf(charge), call)];
}

/** As if something had been prepared, for servers that do not care. */
const preparedOutOfThinAir = (charge: ChargeRequest = aCharge()) => ({ ...charge, preparationId: '5O190127TN364715T' });

function describeItself(world: ProviderWorld): void {
  test('declares what it can charge in terms that routing knows', () => {
    const { methods, brands, currencies } = world.provider.capabilities;
    expect(methods).toContain('credit_card');
    expect(brands).not.toHaveLength(0);
    for (const [currency, decimals] of Object.entries(currencies ?? {})) {
      expect(isCurrency(currency), currency).toBe(true);
      expect(decimals).toBeGreaterThanOrEqual(0);
    }
  });

  test(`${world.prepares ? 'wants' : 'does not want'} a step before the charge`, () => {
    expect(world.provider.prepare !== undefined).toBe(world.prepares);
  });

  test('declares whether a refund pays back a charge or one capture of it', () => {
    expect(['charge', 'capture']).toContain(world.provider.refundsPer);
  });

  test('declares a horizon, after which a request is processed or never', () => {
    expect(world.provider.processingHorizonMs).toBeGreaterThan(0);
  });
}

function describeCharge(world: ProviderWorld): void {
  test('that is approved: names the transaction and the card, and moves the amount once', async () => {
    const charge = aCharge();
    const outcome = await wholeCharge(world.provider, charge);
    expect(outcome).toMatchObject({
      kind: 'approved',
      response: { transactionId: expect.stringMatching(/./), card: { brand: 'visa', lastFour: '4242' } },
    });
    expect(await world.bank.movements(charge.reference)).toMatchObject([
      { kind: 'charge', idempotency_key: charge.idempotencyKey, amount_minor: '2599', currency: 'USD' },
    ]);
  });

  test.each([
    ['tok_visa_declined_0002', 'card_declined'],
    ['tok_visa_insufficient_9995', 'insufficient_funds'],
    ['tok_visa_limit_0061', 'limit_exceeded'],
    ['tok_visa_expired_0069', 'expired_card'],
    ['tok_visa_cvc_0127', 'incorrect_cvc'],
    ['tok_visa_lost_9987', 'lost_or_stolen_card'],
    ['tok_visa_error_0096', 'processing_error'],
  ])('with %s: a decline, not a fault, normalized to %s', async (cardToken, declineCode) => {
    const charge = aCharge({ cardToken });
    expect(await wholeCharge(world.provider, charge)).toMatchObject({
      kind: 'declined',
      declineCode,
      response: { transactionId: expect.stringMatching(/./), responseCode: expect.stringMatching(/./) },
    });
    expect(await movementsOf(world, charge)).toBe(0);
  });

  test('that fails between the provider and the issuer: a decline that another provider may turn', async () => {
    const outcome = await wholeCharge(world.provider, aCharge({ cardToken: 'tok_visa_error_0096' }));
    if (outcome.kind !== 'declined') throw new Error(`expected a decline, got ${outcome.kind}`);
    expect(declineClasses[outcome.declineCode]).toBe('retry_other');
  });

  test('that the provider decides later: pending, and found when it is decided', async () => {
    const charge = await prepared(world.provider, aCharge({ cardToken: 'tok_visa_pending_7000' }));
    expect(await world.provider.charge(charge, aCall())).toMatchObject({ kind: 'pending' });
    const found = await until('it is decided', async () => {
      const outcome = await world.provider.lookUpCharge(charge, aCall());
      return outcome?.kind === 'pending' ? null : outcome;
    });
    expect(found).toMatchObject({ kind: 'approved' });
    expect(await movementsOf(world, charge)).toBe(1);
  });

  test('repeated with its key: the same transaction and one movement', async () => {
    const charge = await prepared(world.provider, aCharge());
    const first = await world.provider.charge(charge, aCall());
    expect(await world.provider.charge(charge, aCall())).toEqual(first);
    expect(await movementsOf(world, charge)).toBe(1);
  });

  test('sent five times at once with its key: one movement, and whoever gets an outcome gets the same', async () => {
    const charge = await prepared(world.provider, aCharge());
    const calls = Array.from({ length: 5 }, () => world.provider.charge(charge, aCall()));
    const ends = await Promise.allSettled(calls);
    const outcomes = ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []));
    expect(outcomes[0]).toMatchObject({ kind: 'approved' });
    for (const outcome of outcomes) expect(outcome).toEqual(outcomes[0]);
    for (const end of ends)
      if (end.status === 'rejected') expect(end.reason).toMatchObject({ kind: 'unknown_outcome' });
    expect(await movementsOf(world, charge)).toBe(1);
  });

  test('whose key was used for another amount: never approved, and no second movement', async () => {
    const first = await prepared(world.provider, aCharge());
    await world.provider.charge(first, aCall());
    const second = await world.provider.charge({ ...first, amountMinor: 1n }, aCall()).catch((fault: unknown) => fault);
    expect(['mismatched', 'unknown_outcome']).toContain((second as { kind: unknown }).kind);
    expect(await movementsOf(world, first)).toBe(1);
  });

  test.each([
    ['refuse', 'unavailable', 0],
    ['429', 'rate_limited', 0],
    ['500_before', 'unknown_outcome', 0],
    ['500_after', 'unknown_outcome', 1],
    ['reset', 'unknown_outcome', 0],
    ['lost_after', 'unknown_outcome', 1],
    ['cut_json', 'unknown_outcome', 1],
    ['never', 'unknown_outcome', 0],
  ])('hit by %s: %s, with %i movement(s)', async (fault, kind, movements) => {
    const charge = await prepared(world.provider, aCharge());
    await world.bank.inject([{ operation: 'charge', probability: 1, fault }]);
    const call = aCall({ timeoutMs: fault === 'never' ? 1_000 : 5_000 });
    expect(await faultKindOf(world.provider.charge(charge, call))).toBe(kind);
    expect(await world.bank.injected()).toMatchObject({ [fault]: 1 });
    expect(await movementsOf(world, charge)).toBe(movements);
  });

  test.each(['lost_after', '500_after', 'cut_json'])(
    'whose answer was lost by %s and that is sent again with its key: approved, with one movement',
    async (fault) => {
      const charge = await prepared(world.provider, aCharge());
      await world.bank.inject([{ operation: 'charge', probability: 1, times: 1, fault }]);
      expect(await faultKindOf(world.provider.charge(charge, aCall()))).toBe('unknown_outcome');
      expect(await world.provider.charge(charge, aCall())).toMatchObject({ kind: 'approved' });
      expect(await movementsOf(world, charge)).toBe(1);
    },
  );

  test('that the provider asks to slow down: carries the delay it named', async () => {
    const charge = await prepared(world.provider, aCharge());
    await world.bank.inject([{ operation: 'charge', probability: 1, fault: '429', delay_ms: 7_000 }]);
    expect(await faultOf(world.provider.charge(charge, aCall()))).toMatchObject({
      kind: 'rate_limited',
      retryAfterMs: 7_000,
    });
  });

  test('answered with another amount: mismatched, with what was reported, never approved', async () => {
    const charge = await prepared(world.provider, aCharge());
    await world.bank.inject([{ operation: 'charge', probability: 1, fault: 'wrong_amount' }]);
    expect(await world.provider.charge(charge, aCall())).toMatchObject({
      kind: 'mismatched',
      reported: { amountMinor: '2600', currency: 'USD' },
    });
  });

  test('with a token that the provider does not know: rejected, our request is wrong', async () => {
    const charge = aCharge({ cardToken: 'tok_nobody' });
    expect(await faultKindOf(wholeCharge(world.provider, charge))).toBe('rejected');
    expect(await movementsOf(world, charge)).toBe(0);
  });

  test('with a wrong secret of ours: misconfigured, an operator must act', async () => {
    const stranger = world.connect(world.url, 'wrong');
    const fault = await faultOf(stranger.charge(preparedOutOfThinAir(), aCall()));
    expect(fault.kind).toBe('misconfigured');
    expect(fault.message).toMatch(/check [A-Z]+_/);
  });

  test('that comes too late to its connection: unavailable, and nothing is sent', async () => {
    const charge = await prepared(world.provider, aCharge());
    await world.bank.inject([]);
    const call = aCall({ mayStillSend: () => false });
    expect(await faultKindOf(world.provider.charge(charge, call))).toBe('unavailable');
    expect(await world.bank.served()).toMatchObject({ charge: 0 });
    expect(await world.provider.lookUpCharge(charge, aCall())).toBeNull();
    expect(await movementsOf(world, charge)).toBe(0);
  });
}

function describePayerAction(world: ProviderWorld): void {
  const waiting = async (changes: Partial<ChargeRequest> = {}) => {
    const charge = await prepared(world.provider, aCharge({ cardToken: 'tok_visa_challenge_3220', ...changes }));
    const outcome = await world.provider.charge(charge, aCall());
    if (outcome.kind !== 'requires_action') throw new Error(`expected the payer to be asked, got ${outcome.kind}`);
    return { charge, outcome };
  };
  const act = (url: string, word: 'approve' | 'decline') =>
    fetch(url, { method: 'POST', body: new URLSearchParams({ outcome: word }), redirect: 'manual' });

  test('with a link of the provider’s, the same for the same key and at look-up, and no money moves', async () => {
    const { charge, outcome } = await waiting();
    expect(outcome.redirectUrl).toMatch(/^https?:/);
    expect(outcome.redirectUrl).not.toContain(charge.reference);
    expect(await world.provider.charge(charge, aCall())).toEqual(outcome);
    expect(await world.provider.lookUpCharge(charge, aCall())).toEqual(outcome);
    expect(await movementsOf(world, charge)).toBe(0);
  });

  test.each([
    ['automatic', 'charge'],
    ['manual', 'authorize'],
  ] as const)('who approves a charge with capture %s: sent back, and found as one %s', async (capture, kind) => {
    const { charge, outcome } = await waiting({ capture });
    expect((await act(outcome.redirectUrl, 'approve')).headers.get('location')).toBe(charge.returnUrl);
    expect(await world.provider.lookUpCharge(charge, aCall())).toMatchObject({ kind: 'approved' });
    expect(await world.bank.movements(charge.reference)).toMatchObject([{ kind, amount_minor: '2599' }]);
  });

  test('who declines: declined for that, and no money moves', async () => {
    const { charge, outcome } = await waiting();
    await act(outcome.redirectUrl, 'decline');
    expect(await world.provider.lookUpCharge(charge, aCall())).toMatchObject({
      kind: 'declined',
      declineCode: 'authentication_failed',
    });
    expect(await movementsOf(world, charge)).toBe(0);
  });

  test('and is not waited for any longer after a void: found as declined, and acting comes too late', async () => {
    const { charge, outcome } = await waiting();
    const release = aMovement('void', charge, outcome.response.transactionId, { amountMinor: 0n });
    const done = await world.provider.move(release, aCall());
    expect(done).toMatchObject({ kind: 'approved' });
    expect(await world.provider.lookUpMovement(release, aCall())).toEqual(done);
    await act(outcome.redirectUrl, 'approve');
    expect(await world.provider.lookUpCharge(charge, aCall())).toMatchObject({
      kind: 'declined',
      declineCode: 'authentication_failed',
    });
    expect(await movementsOf(world, charge)).toBe(0);
  });

  test('who approves a reservation just before it is voided: all of it is given back', async () => {
    const { charge, outcome } = await waiting({ capture: 'manual' });
    await act(outcome.redirectUrl, 'approve');
    const release = aMovement('void', charge, outcome.response.transactionId, { amountMinor: 0n });
    const done = await world.provider.move(release, aCall());
    expect(done).toMatchObject({ kind: 'approved' });
    expect(await world.provider.lookUpMovement(release, aCall())).toEqual(done);
    expect(await world.bank.movements(release.reference)).toMatchObject([{ kind: 'void', amount_minor: '2599' }]);
  });

  test('who approves a charge just before it is voided: nothing is given back, and the charge is found', async () => {
    const { charge, outcome } = await waiting();
    await act(outcome.redirectUrl, 'approve');
    const release = aMovement('void', charge, outcome.response.transactionId, { amountMinor: 0n });
    expect(await faultKindOf(world.provider.move(release, aCall()))).toBe('rejected');
    expect(await world.provider.lookUpMovement(release, aCall())).toBeNull();
    expect(await world.provider.lookUpCharge(charge, aCall())).toMatchObject({ kind: 'approved' });
    expect(await movementsOf(world, charge)).toBe(1);
  });
}

function describeLookUp(world: ProviderWorld): void {
  test.each([
    ['approved', 'tok_visa_4242'],
    ['declined', 'tok_visa_insufficient_9995'],
  ])('that was %s: finds what the charge answered', async (kind, cardToken) => {
    const charge = await prepared(world.provider, aCharge({ cardToken }));
    const outcome = await world.provider.charge(charge, aCall());
    expect(outcome.kind).toBe(kind);
    expect(await world.provider.lookUpCharge(charge, aCall())).toEqual(outcome);
  });

  test.each(['lost_after', '500_after', 'cut_json'])(
    'whose answer was lost by %s: finds it approved',
    async (fault) => {
      const charge = await prepared(world.provider, aCharge());
      await world.bank.inject([{ operation: 'charge', probability: 1, fault }]);
      expect(await faultKindOf(world.provider.charge(charge, aCall()))).toBe('unknown_outcome');
      expect(await world.provider.lookUpCharge(charge, aCall())).toMatchObject({ kind: 'approved' });
    },
  );

  test('that nobody sent: null', async () => {
    expect(await world.provider.lookUpCharge(await prepared(world.provider, aCharge()), aCall())).toBeNull();
    expect(await world.provider.lookUpCharge(aCharge(), aCall())).toBeNull();
  });

  test('that is processed late: null first, found once it is there', async () => {
    const charge = await prepared(world.provider, aCharge());
    await world.bank.park({ operation: 'charge', point: 'before_commit', reference: charge.reference });
    const call = aCall({ timeoutMs: 1_000 });
    expect(await faultKindOf(world.provider.charge(charge, call))).toBe('unknown_outcome');
    expect(await world.provider.lookUpCharge(charge, aCall())).toBeNull();
    await world.bank.release();
    const found = await until('it is processed', () => world.provider.lookUpCharge(charge, aCall()));
    expect(found).toMatchObject({ kind: 'approved' });
    expect(await movementsOf(world, charge)).toBe(1);
  });

  test('does not take another attempt of the same payment for ours', async () => {
    const first = aCharge();
    await wholeCharge(world.provider, first);
    const second = await prepared(world.provider, { ...first, idempotencyKey: `${first.idempotencyKey}_2` });
    expect(await world.provider.lookUpCharge(second, aCall())).toBeNull();
  });

  test('over another amount than ours: mismatched, with what the provider reports', async () => {
    const charge = await prepared(world.provider, aCharge());
    await world.provider.charge(charge, aCall());
    expect(await world.provider.lookUpCharge({ ...charge, amountMinor: 1n }, aCall())).toMatchObject({
      kind: 'mismatched',
      reported: { amountMinor: '2599', currency: 'USD' },
    });
  });

  test.each([
    ['refuse', 'unavailable'],
    ['429', 'rate_limited'],
    ['500_before', 'unknown_outcome'],
    ['reset', 'unknown_outcome'],
    ['cut_json', 'unknown_outcome'],
    ['never', 'unknown_outcome'],
  ])('hit by %s: %s, never "not found"', async (fault, kind) => {
    const charge = await prepared(world.provider, aCharge());
    await world.bank.inject([{ operation: 'lookup', probability: 1, fault }]);
    const call = aCall({ timeoutMs: fault === 'never' ? 1_000 : 5_000 });
    expect(await faultKindOf(world.provider.lookUpCharge(charge, call))).toBe(kind);
  });
}

function describePrepare(world: ProviderWorld): void {
  const prepare = async (charge: ChargeRequest, call = aCall()) =>
    (await world.provider.prepare?.(preparationOf(charge), call)) ?? null;

  test('moves no money by it, and answers the same id for the same key', async () => {
    const charge = aCharge();
    const id = await prepare(charge);
    expect(id).toMatch(/./);
    expect(await prepare(charge)).toBe(id);
    expect(await movementsOf(world, charge)).toBe(0);
  });

  test.each([
    ['refuse', 'unavailable'],
    ['429', 'rate_limited'],
    ['500_before', 'unknown_outcome'],
    ['500_after', 'unknown_outcome'],
    ['reset', 'unknown_outcome'],
    ['lost_after', 'unknown_outcome'],
    ['cut_json', 'unknown_outcome'],
    ['never', 'unknown_outcome'],
  ])('hit by %s: %s; asked again with its key it leads to one movement', async (fault, kind) => {
    const charge = aCharge();
    await world.bank.inject([{ operation: 'create', probability: 1, fault }]);
    const call = aCall({ timeoutMs: fault === 'never' ? 1_000 : 5_000 });
    expect(await faultKindOf(prepare(charge, call))).toBe(kind);
    await world.bank.heal();
    const again = { ...charge, preparationId: await prepare(charge) };
    expect(await prepare(charge)).toBe(again.preparationId);
    expect(await world.provider.charge(again, aCall())).toMatchObject({ kind: 'approved' });
    expect(await movementsOf(world, charge)).toBe(1);
  });

  test('that comes too late to its connection: unavailable, and nothing is sent', async () => {
    await world.bank.inject([]);
    expect(await faultKindOf(prepare(aCharge(), aCall({ mayStillSend: () => false })))).toBe('unavailable');
    expect(await world.bank.served()).toMatchObject({ create: 0 });
  });

  test('whose key was used for another amount: rejected, and the first stays good for its own', async () => {
    const charge = aCharge();
    const first = { ...charge, preparationId: await prepare(charge) };
    expect(await faultKindOf(prepare({ ...charge, amountMinor: 1n }))).toBe('rejected');
    expect(await world.provider.charge(first, aCall())).toMatchObject({ kind: 'approved' });
    expect(await movementsOf(world, charge)).toBe(1);
  });
}

function describeRequests(world: ProviderWorld): void {
  const stub = stubServer();

  test('every request carries the correlation id, once', async () => {
    const provider = world.connect(stub.url);
    stub.answerWith({ status: 500, body: '{}' });
    for (const [, operation] of operationsOf(provider)) {
      await faultOf(operation(preparedOutOfThinAir(), aCall({ correlationId: 'req_4711' })));
    }
    expect(stub.seen.map(({ headers }) => headers['x-correlation-id'])).toEqual(
      operationsOf(provider).map(() => 'req_4711'),
    );
  });

  test('every request goes below the base URL, whatever its path', async () => {
    stub.answerWith({ status: 500, body: '{}' });
    const provider = world.connect(`${stub.url}/somewhere/`);
    for (const [, operation] of operationsOf(provider)) await faultOf(operation(preparedOutOfThinAir(), aCall()));
    for (const { path } of stub.seen) expect(path).toMatch(/^\/somewhere\/v/);
  });

  test('a time-out may have a fraction, as what is left of a time has', async () => {
    stub.answerWith({ status: 500, body: '{}' });
    for (const [operation, ask] of operationsOf(world.connect(stub.url))) {
      const call = aCall({ timeoutMs: 4_999.5 });
      expect(await faultKindOf(ask(preparedOutOfThinAir(), call)), operation).toBe('unknown_outcome');
    }
  });

  test('a provider that nobody listens for is unavailable', async () => {
    const nobody = world.connect('http://127.0.0.1:1');
    for (const [operation, ask] of operationsOf(nobody)) {
      expect(await faultKindOf(ask(preparedOutOfThinAir(), aCall())), operation).toBe('unavailable');
    }
  });
}

function describeOddAnswers(world: ProviderWorld): void {
  const stub = stubServer();
  let operations: ReturnType<typeof operationsOf>;
  beforeAll(() => {
    operations = operationsOf(world.connect(stub.url));
  });

  test.each([
    ['an empty 200', 200, ''],
    ['HTML', 200, '<html>ok</html>'],
    ['JSON of something else', 200, '{"status":"approved"}'],
    ['a redirect', 302, ''],
    ['two megabytes', 201, Buffer.alloc(2_000_000, 32)],
    ['broken UTF-8', 201, Buffer.from([0x7b, 0xff, 0x7d])],
    ['a 409', 409, '{}'],
    ['a 500', 500, '{}'],
    ['a 503 that is not documented', 503, '{}'],
    ['a 418', 418, '{}'],
  ])('%s is an unknown outcome', async (_name, status, body) => {
    stub.answerWith({ status, body });
    for (const [operation, ask] of operations) {
      expect(await faultKindOf(ask(preparedOutOfThinAir(), aCall())), operation).toBe('unknown_outcome');
    }
  });

  test.each([
    [429, 'rate_limited'],
    [500, 'unknown_outcome'],
    [503, 'unknown_outcome'],
  ])('a %i with Retry-After carries the wait', async (status, kind) => {
    stub.answerWith({ status, body: '{}', headers: { 'retry-after': '7' } });
    for (const [operation, ask] of operations) {
      const fault = await faultOf(ask(preparedOutOfThinAir(), aCall()));
      expect(fault, operation).toMatchObject({ kind, retryAfterMs: 7_000 });
    }
  });

  test('a 403, and a 404 from somebody who is not the provider, are misconfigured: an operator must act', async () => {
    for (const status of [403, 404]) {
      stub.answerWith({ status, body: '<html>no such page</html>' });
      for (const [operation, ask] of operations) {
        const fault = await faultOf(ask(preparedOutOfThinAir(), aCall()));
        expect(fault.kind, `${operation} ${status}`).toBe('misconfigured');
        expect(fault.message).toMatch(/check [A-Z]+_URL/);
      }
    }
  });

  test('neither the provider’s words nor the card get into our messages', async () => {
    const words = 'Jane Doe 4242424242424242 secret';
    const bodies = [
      { error: { code: words, message: words } },
      { error: words, error_description: words },
      { name: words, message: words, details: [{ issue: words, description: words }] },
      words,
    ];
    for (const status of [200, 201, 400, 401, 403, 404, 409, 422, 429, 500, 503]) {
      for (const body of bodies) {
        stub.answerWith({ status, body: JSON.stringify(body) });
        for (const [, ask] of operations) {
          const fault = await faultOf(ask(preparedOutOfThinAir(), aCall()));
          expect(inspect(fault, { depth: 10 })).not.toMatch(/Jane|4242|secret|tok_/);
        }
      }
    }
  });
}
