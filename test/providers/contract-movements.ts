import { describe, expect, test } from 'vitest';
import type { ChargeRequest, MovementRequest } from '../../activities/providers/provider.ts';
import type { MovementKind } from '../../workflows/domain/movement.ts';
import { until } from '../support/until.ts';
import { aCall, aCharge, aMovement, faultKindOf, faultOf, type ProviderWorld, prepared } from './world.ts';

/** What every provider must promise of reservations, and of the captures, voids and refunds after a charge. */
export function describeMovements(world: ProviderWorld): void {
  describe('reserves an amount', () => describeReservation(world));
  for (const kind of ['capture', 'void', 'refund'] as const) {
    describe(`makes a ${kind}`, () => describeMovement(world, kind));
    describe(`makes a ${kind}, and when it goes wrong`, () => describeFaults(world, kind));
    describe(`looks a ${kind} up`, () => describeLookUp(world, kind));
  }
  for (const kind of ['capture', 'refund'] as const) {
    describe(`makes a ${kind} of an amount`, () => describeAmount(world, kind));
  }
  describe('makes several movements of a charge', () => describeSeveral(world));
  describe('makes a movement that is not approved at once', () => describeDeclinedAndPending(world));
}

interface Charged {
  readonly charge: ChargeRequest;
  readonly transactionId: string;
}

/** A charge that was approved. */
async function charged({ provider }: ProviderWorld, changes: Partial<ChargeRequest>): Promise<Charged> {
  const charge = await prepared(provider, aCharge(changes));
  const outcome = await provider.charge(charge, aCall());
  if (outcome.kind !== 'approved') throw new Error(`expected an approved charge, got ${outcome.kind}`);
  return { charge, transactionId: outcome.response.transactionId };
}

/** A movement of the whole of a charge of its own: a refund of what was taken, or what becomes of a reservation. */
async function movementOfItsOwn(world: ProviderWorld, kind: MovementKind): Promise<MovementRequest> {
  const { charge, transactionId } = await charged(world, { capture: kind === 'refund' ? 'automatic' : 'manual' });
  return aMovement(kind, charge, transactionId);
}

/** A capture that was approved; what is not named is that of the whole. */
async function captured(world: ProviderWorld, { charge, transactionId }: Charged, changes: Partial<MovementRequest>) {
  const capture = aMovement('capture', charge, transactionId, changes);
  const outcome = await world.provider.move(capture, aCall());
  if (outcome.kind !== 'approved') throw new Error(`expected an approved capture, got ${outcome.kind}`);
  return { capture, transactionId: outcome.response.transactionId };
}

/** What the bank did for a movement. One without a reference of its own at the provider is found by its payment's. */
async function committed({ bank }: ProviderWorld, request: MovementRequest): Promise<string[]> {
  const all = [...(await bank.movements(request.reference)), ...(await bank.movements(request.paymentId))];
  return all.filter(({ kind }) => kind === request.kind).map((one) => `${one.amount_minor} ${one.currency}`);
}

function describeReservation(world: ProviderWorld): void {
  test('that is approved: holds it, takes nothing, and is found', async () => {
    const charge = await prepared(world.provider, aCharge({ capture: 'manual' }));
    const outcome = await world.provider.charge(charge, aCall());
    expect(outcome).toMatchObject({ kind: 'approved', response: { card: { brand: 'visa', lastFour: '4242' } } });
    expect(await world.provider.lookUpCharge(charge, aCall())).toEqual(outcome);
    expect(await world.bank.movements(charge.reference)).toMatchObject([{ kind: 'authorize', amount_minor: '2599' }]);
  });

  test('repeated with its key: the same, held once', async () => {
    const charge = await prepared(world.provider, aCharge({ capture: 'manual' }));
    const first = await world.provider.charge(charge, aCall());
    expect(await world.provider.charge(charge, aCall())).toEqual(first);
    expect(await world.bank.movements(charge.reference)).toHaveLength(1);
  });

  test('that the issuer declines: declined, and found so', async () => {
    const cardToken = 'tok_visa_insufficient_9995';
    const charge = await prepared(world.provider, aCharge({ capture: 'manual', cardToken }));
    const outcome = await world.provider.charge(charge, aCall());
    expect(outcome).toMatchObject({ kind: 'declined', declineCode: 'insufficient_funds' });
    expect(await world.provider.lookUpCharge(charge, aCall())).toEqual(outcome);
    expect(await world.bank.movements(charge.reference)).toEqual([]);
  });

  test.each(['lost_after', '500_after', 'cut_json'])(
    'whose answer was lost by %s: in doubt, and found',
    async (fault) => {
      const charge = await prepared(world.provider, aCharge({ capture: 'manual' }));
      await world.bank.inject([{ operation: 'charge', probability: 1, fault }]);
      expect(await faultKindOf(world.provider.charge(charge, aCall()))).toBe('unknown_outcome');
      expect(await world.provider.lookUpCharge(charge, aCall())).toMatchObject({ kind: 'approved' });
      expect(await world.bank.movements(charge.reference)).toHaveLength(1);
    },
  );

  test('that another amount is reported of: mismatched', async () => {
    const charge = await prepared(world.provider, aCharge({ capture: 'manual' }));
    await world.bank.inject([{ operation: 'charge', probability: 1, fault: 'wrong_amount' }]);
    expect(await world.provider.charge(charge, aCall())).toMatchObject({
      kind: 'mismatched',
      reported: { amountMinor: '2600', currency: 'USD' },
    });
  });

  test.each(['capture', 'void'] as const)('is found as made after a %s, too', async (kind) => {
    const { charge, transactionId } = await charged(world, { capture: 'manual' });
    await world.provider.move(aMovement(kind, charge, transactionId), aCall());
    expect(await world.provider.lookUpCharge(charge, aCall())).toMatchObject({
      kind: 'approved',
      response: { transactionId },
    });
  });
}

function describeMovement(world: ProviderWorld, kind: MovementKind): void {
  test('that is approved: names a transaction, and moves the amount once', async () => {
    const request = await movementOfItsOwn(world, kind);
    expect(await world.provider.move(request, aCall())).toMatchObject({
      kind: 'approved',
      response: { transactionId: expect.stringMatching(/./), responseCode: expect.stringMatching(/./) },
    });
    expect(await committed(world, request)).toEqual(['2599 USD']);
  });

  test('repeated with its key: the same, and one movement', async () => {
    const request = await movementOfItsOwn(world, kind);
    const first = await world.provider.move(request, aCall());
    expect(await world.provider.move(request, aCall())).toEqual(first);
    expect(await committed(world, request)).toHaveLength(1);
  });

  test('sent five times at once with its key: one movement, and whoever gets an outcome gets the same', async () => {
    const request = await movementOfItsOwn(world, kind);
    const ends = await Promise.allSettled(Array.from({ length: 5 }, () => world.provider.move(request, aCall())));
    const outcomes = ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []));
    expect(outcomes[0]).toMatchObject({ kind: 'approved' });
    for (const outcome of outcomes) expect(outcome).toEqual(outcomes[0]);
    for (const end of ends)
      if (end.status === 'rejected') expect(end.reason).toMatchObject({ kind: 'unknown_outcome' });
    expect(await committed(world, request)).toHaveLength(1);
  });

  test('that comes too late to its connection: unavailable, and nothing is sent', async () => {
    const request = await movementOfItsOwn(world, kind);
    await world.bank.inject([]);
    expect(await faultKindOf(world.provider.move(request, aCall({ mayStillSend: () => false })))).toBe('unavailable');
    expect(await world.bank.served()).toMatchObject({ [kind]: 0 });
    expect(await world.provider.lookUpMovement(request, aCall())).toBeNull();
    expect(await committed(world, request)).toEqual([]);
  });

  test('with a wrong secret of ours: misconfigured, an operator must act', async () => {
    const request = await movementOfItsOwn(world, kind);
    const fault = await faultOf(world.connect(world.url, 'wrong').move(request, aCall()));
    expect(fault.kind).toBe('misconfigured');
    expect(fault.message).toMatch(/check [A-Z]+_/);
  });
}

/** What a void has no part in: it names no amount, may be answered without one, and is made once. */
function describeAmount(world: ProviderWorld, kind: 'capture' | 'refund'): void {
  test('whose key was used for another amount: never approved, no second one', async () => {
    const { charge, transactionId } = await charged(world, { capture: kind === 'refund' ? 'automatic' : 'manual' });
    const request = aMovement(kind, charge, transactionId, { amountMinor: 1_000n, isFinal: false });
    await world.provider.move(request, aCall());
    const second = world.provider.move({ ...request, amountMinor: 1_001n }, aCall());
    const end: unknown = await second.catch((fault: unknown) => fault);
    expect(['mismatched', 'unknown_outcome']).toContain((end as { kind: unknown }).kind);
    expect(await committed(world, request)).toEqual(['1000 USD']);
  });

  test('that is answered with another one: mismatched, never approved', async () => {
    const request = await movementOfItsOwn(world, kind);
    await world.bank.inject([{ operation: kind, probability: 1, fault: 'wrong_amount' }]);
    expect(await world.provider.move(request, aCall())).toMatchObject({
      kind: 'mismatched',
      reported: { amountMinor: '2600', currency: 'USD' },
    });
  });

  test('and looked up does not take another of the same charge for ours', async () => {
    const { charge, transactionId } = await charged(world, { capture: kind === 'refund' ? 'automatic' : 'manual' });
    const part = { amountMinor: 1_000n, isFinal: false };
    await world.provider.move(aMovement(kind, charge, transactionId, part), aCall());
    const other = aMovement(kind, charge, transactionId, part);
    expect(await world.provider.lookUpMovement(other, aCall())).toBeNull();
  });

  test('and looked up over another than ours: mismatched, with what is reported', async () => {
    const request = await movementOfItsOwn(world, kind);
    await world.provider.move(request, aCall());
    expect(await world.provider.lookUpMovement({ ...request, amountMinor: 1n }, aCall())).toMatchObject({
      kind: 'mismatched',
      reported: { amountMinor: '2599', currency: 'USD' },
    });
  });
}

function describeFaults(world: ProviderWorld, kind: MovementKind): void {
  test.each([
    ['refuse', 'unavailable', 0],
    ['429', 'rate_limited', 0],
    ['500_before', 'unknown_outcome', 0],
    ['500_after', 'unknown_outcome', 1],
    ['reset', 'unknown_outcome', 0],
    ['lost_after', 'unknown_outcome', 1],
    ['cut_json', 'unknown_outcome', 1],
    ['never', 'unknown_outcome', 0],
  ])('by %s: %s, with %i movement(s); its key again ends approved, with one', async (fault, faultKind, movements) => {
    const request = await movementOfItsOwn(world, kind);
    await world.bank.inject([{ operation: kind, probability: 1, fault }]);
    const call = aCall({ timeoutMs: fault === 'never' ? 1_000 : 5_000 });
    expect(await faultKindOf(world.provider.move(request, call))).toBe(faultKind);
    expect(await world.bank.injected()).toMatchObject({ [fault]: 1 });
    expect(await committed(world, request)).toHaveLength(movements);
    await world.bank.heal();
    expect(await world.provider.move(request, aCall())).toMatchObject({ kind: 'approved' });
    expect(await committed(world, request)).toHaveLength(1);
  });

  test('because it is asked to slow down: carries the delay that was named', async () => {
    const request = await movementOfItsOwn(world, kind);
    await world.bank.inject([{ operation: kind, probability: 1, fault: '429', delay_ms: 7_000 }]);
    expect(await faultOf(world.provider.move(request, aCall()))).toMatchObject({
      kind: 'rate_limited',
      retryAfterMs: 7_000,
    });
  });
}

function describeLookUp(world: ProviderWorld, kind: MovementKind): void {
  test('that was approved: finds what the movement answered', async () => {
    const request = await movementOfItsOwn(world, kind);
    const outcome = await world.provider.move(request, aCall());
    expect(outcome).toMatchObject({ kind: 'approved' });
    expect(await world.provider.lookUpMovement(request, aCall())).toMatchObject({
      kind: 'approved',
      response: { transactionId: outcome.response.transactionId },
    });
  });

  test.each(['lost_after', '500_after', 'cut_json'])(
    'whose answer was lost by %s: finds it approved',
    async (fault) => {
      const request = await movementOfItsOwn(world, kind);
      await world.bank.inject([{ operation: kind, probability: 1, fault }]);
      expect(await faultKindOf(world.provider.move(request, aCall()))).toBe('unknown_outcome');
      expect(await world.provider.lookUpMovement(request, aCall())).toMatchObject({ kind: 'approved' });
    },
  );

  test('that nobody sent: null', async () => {
    expect(await world.provider.lookUpMovement(await movementOfItsOwn(world, kind), aCall())).toBeNull();
  });

  test('that is processed late: null first, found once it is there', async () => {
    const request = await movementOfItsOwn(world, kind);
    await world.bank.park({ operation: kind, point: 'before_commit' });
    expect(await faultKindOf(world.provider.move(request, aCall({ timeoutMs: 1_000 })))).toBe('unknown_outcome');
    expect(await world.provider.lookUpMovement(request, aCall())).toBeNull();
    await world.bank.release();
    const found = await until('it is processed', () => world.provider.lookUpMovement(request, aCall()));
    expect(found).toMatchObject({ kind: 'approved' });
    expect(await committed(world, request)).toHaveLength(1);
  });

  test.each([
    ['refuse', 'unavailable'],
    ['429', 'rate_limited'],
    ['500_before', 'unknown_outcome'],
    ['reset', 'unknown_outcome'],
    ['cut_json', 'unknown_outcome'],
    ['never', 'unknown_outcome'],
  ])('hit by %s: %s, never "not found"', async (fault, faultKind) => {
    const request = await movementOfItsOwn(world, kind);
    await world.bank.inject([{ operation: 'lookup', probability: 1, fault }]);
    const call = aCall({ timeoutMs: fault === 'never' ? 1_000 : 5_000 });
    expect(await faultKindOf(world.provider.lookUpMovement(request, call))).toBe(faultKind);
  });
}

function describeSeveral(world: ProviderWorld): void {
  test('captures: each moves its part, and none more than what was reserved', async () => {
    const reserved = await charged(world, { capture: 'manual' });
    const first = await captured(world, reserved, { amountMinor: 1_000n, isFinal: false });
    const second = await captured(world, reserved, { amountMinor: 1_599n });
    expect(await committed(world, first.capture)).toEqual(['1000 USD']);
    expect(await committed(world, second.capture)).toEqual(['1599 USD']);
    const third = aMovement('capture', reserved.charge, reserved.transactionId, { amountMinor: 1n });
    expect(['rejected', 'unknown_outcome']).toContain(await faultKindOf(world.provider.move(third, aCall())));
    expect(await committed(world, third)).toEqual([]);
  });

  test('a capture of more than is reserved: rejected, our books and the provider’s disagree', async () => {
    const reserved = await charged(world, { capture: 'manual' });
    const tooMuch = aMovement('capture', reserved.charge, reserved.transactionId, { amountMinor: 10_000n });
    expect(await faultKindOf(world.provider.move(tooMuch, aCall()))).toBe('rejected');
    expect(await world.provider.lookUpMovement(tooMuch, aCall())).toBeNull();
    expect(await committed(world, tooMuch)).toEqual([]);
  });

  test('a void after a capture: gives back the rest', async () => {
    const reserved = await charged(world, { capture: 'manual' });
    await captured(world, reserved, { amountMinor: 1_000n, isFinal: false });
    const rest = aMovement('void', reserved.charge, reserved.transactionId, { amountMinor: 1_599n });
    expect(await world.provider.move(rest, aCall())).toMatchObject({ kind: 'approved' });
    expect(await committed(world, rest)).toEqual(['1599 USD']);
  });

  test('refunds: each pays back its part, and none more than what was taken', async () => {
    const { charge, transactionId } = await charged(world, {});
    const refundOf = (amountMinor: bigint) => aMovement('refund', charge, transactionId, { amountMinor });
    const parts = [1_000n, 599n, 1_000n].map(refundOf);
    for (const part of parts) {
      expect(await world.provider.move(part, aCall())).toMatchObject({ kind: 'approved' });
      expect(await committed(world, part)).toEqual([`${part.amountMinor} USD`]);
    }
    const tooMuch = refundOf(1n);
    expect(['rejected', 'unknown_outcome']).toContain(await faultKindOf(world.provider.move(tooMuch, aCall())));
    const found = await world.provider.lookUpMovement(tooMuch, aCall());
    expect(['not found', 'declined']).toContain(found?.kind ?? 'not found');
    expect(await committed(world, tooMuch)).toEqual([]);
  });

  test('a refund of more than what is left: rejected, our books and the provider’s disagree', async () => {
    const { charge, transactionId } = await charged(world, {});
    await world.provider.move(aMovement('refund', charge, transactionId, { amountMinor: 1_000n }), aCall());
    const tooMuch = aMovement('refund', charge, transactionId, { amountMinor: 1_600n });
    expect(await faultKindOf(world.provider.move(tooMuch, aCall()))).toBe('rejected');
    expect(await world.provider.lookUpMovement(tooMuch, aCall())).toBeNull();
    expect(await committed(world, tooMuch)).toEqual([]);
  });

  test('refunds at the same time: each has its own transaction and movement', async () => {
    const { charge, transactionId } = await charged(world, {});
    const parts = Array.from({ length: 5 }, () => aMovement('refund', charge, transactionId, { amountMinor: 500n }));
    const outcomes = await Promise.all(parts.map((part) => world.provider.move(part, aCall())));
    expect(outcomes.map(({ kind }) => kind)).toEqual(parts.map(() => 'approved'));
    expect(new Set(outcomes.map(({ response }) => response.transactionId)).size).toBe(5);
    for (const part of parts) expect(await committed(world, part)).toEqual(['500 USD']);
  });

  test('a refund of one capture among several: found, and moved once', async () => {
    const reserved = await charged(world, { capture: 'manual' });
    await captured(world, reserved, { amountMinor: 1_000n, isFinal: false });
    const { transactionId: captureTransactionId } = await captured(world, reserved, { amountMinor: 1_599n });
    const { charge, transactionId } = reserved;
    const refund = aMovement('refund', charge, transactionId, { amountMinor: 1_500n, captureTransactionId });
    expect(await world.provider.move(refund, aCall())).toMatchObject({ kind: 'approved' });
    expect(await world.provider.lookUpMovement(refund, aCall())).toMatchObject({ kind: 'approved' });
    expect(await committed(world, refund)).toEqual(['1500 USD']);
  });
}

function describeDeclinedAndPending(world: ProviderWorld): void {
  test('a capture that is declined: an outcome, not a fault, and nothing moves', async () => {
    const cardToken = 'tok_visa_capture_declined_0057';
    const { charge, transactionId } = await charged(world, { capture: 'manual', cardToken });
    const capture = aMovement('capture', charge, transactionId);
    expect(await world.provider.move(capture, aCall())).toMatchObject({
      kind: 'declined',
      declineCode: 'authorization_expired',
    });
    expect(await committed(world, capture)).toEqual([]);
  });

  test('a refund that is declined: an outcome, not a fault, and nothing moves', async () => {
    const { charge, transactionId } = await charged(world, { cardToken: 'tok_visa_refund_declined_0058' });
    const refund = aMovement('refund', charge, transactionId);
    expect(await world.provider.move(refund, aCall())).toMatchObject({
      kind: 'declined',
      declineCode: 'refund_declined',
    });
    expect(await committed(world, refund)).toEqual([]);
  });

  test.each([
    ['capture', 'tok_visa_capture_pending_7200', 'manual'],
    ['refund', 'tok_visa_refund_pending_7100', 'automatic'],
  ] as const)('a %s that is decided later: pending, then found approved', async (kind, cardToken, capture) => {
    const { charge, transactionId } = await charged(world, { cardToken, capture });
    const movement = aMovement(kind, charge, transactionId);
    expect(await world.provider.move(movement, aCall())).toMatchObject({ kind: 'pending' });
    const found = await until('it is decided', async () => {
      const outcome = await world.provider.lookUpMovement(movement, aCall());
      return outcome?.kind === 'pending' ? null : outcome;
    });
    expect(found).toMatchObject({ kind: 'approved' });
    expect(await committed(world, movement)).toEqual(['2599 USD']);
  });
}
