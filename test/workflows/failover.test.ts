import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cancelPayment, retryNow } from '../../workflows/contract.ts';
import { type DeclineClass, declineClasses, declineCodes } from '../../workflows/domain/failure.ts';
import { attemptIdOf } from '../../workflows/domain/ids.ts';
import type { FaultKind } from '../../workflows/domain/outcome.ts';
import { type Engine, startEngine } from './engine.ts';
import type { FakePayment } from './fake-payment.ts';
import type { PaymentUnderTest } from './payment-under-test.ts';
import {
  allowsRepeat,
  approves,
  declines,
  fault,
  nothingHappened,
  outcomeUnknown,
  perCandidate,
  rejectsPreparation,
  rejectsRepeat,
  stillUnknown,
  unprepared,
} from './provider-steps.ts';
import { gate, type Script } from './script.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine?.close());

const act = { actor: 'operator:ann', reason: 'the merchant asked' };
const captured = { status: 'captured', failure: null };
const candidates = ['easypay', 'paypal'];
const both = [1, 2].map((attemptNumber) => ({ attemptNumber, provider: candidates[attemptNumber - 1] }));
const away = fault('unavailable', 150);
const awayForLong = fault('unavailable', 60_000);

/** A payment that two providers may charge. */
const aPayment = (script: Script = {}) => engine.aPayment({ candidates, ...script });

const chargeAt = (number: number, fake: FakePayment) => attemptIdOf(fake.id, 'charge', number);
const codesOf = (wanted: DeclineClass) => declineCodes.filter((code) => declineClasses[code] === wanted);
const eventsOf = ({ transitions }: FakePayment) => transitions.map(({ eventType }) => eventType);

/** That everything happened in one workflow task, with local activities alone. */
async function expectQuick({ fake, ...payment }: PaymentUnderTest): Promise<void> {
  expect(fake.calls.filter(({ isLocal }) => !isLocal)).toEqual([]);
  const history = await payment.history();
  expect(history.filter((type) => type === 'WORKFLOW_TASK_COMPLETED')).toHaveLength(1);
  expect(history.filter((type) => /^(ACTIVITY|TIMER)/.test(type))).toEqual([]);
}

describe('a first provider at which certainly nothing happened', () => {
  test.each<FaultKind>(['unavailable', 'rate_limited', 'misconfigured'])(
    'because of %s leads to the second within the same quick round',
    async (kind) => {
      const payment = aPayment({ charge: [fault(kind, 60_000), approves] });
      await payment.awaitOutcome();
      expect(await payment.result()).toEqual(captured);
      const { fake } = payment;
      expect(fake.sent).toEqual([1, 2]);
      expect(fake.row).toMatchObject({ status: 'captured', version: 2, processor: 'paypal', openAttemptId: null });
      expect(fake.transitions).toMatchObject([
        { provider: 'paypal', openAttemptId: chargeAt(2, fake), attemptEnd: { attemptId: chargeAt(2, fake) } },
      ]);
      await expectQuick(payment);
    },
  );

  test('because it asked for a wait before is passed over', async () => {
    const payment = aPayment({ row: {} });
    payment.fake.notBefore.set(1, Date.now() + 60_000);
    await payment.redrive();
    expect(await payment.result()).toEqual(captured);
    expect(payment.fake.sent).toEqual([2]);
    await expectQuick(payment);
  });

  test('goes before the second again in every patient round, until one of them is back', async () => {
    const { fake, ...payment } = aPayment({ charge: [perCandidate({ 1: [away], 2: [away, away, away, approves] })] });
    await payment.awaitOutcome();
    expect(await payment.result()).toEqual(captured);
    expect(fake.sent).toEqual([1, 2, 1, 2, 1, 2, 1, 2]);
    expect(fake.callsOf('chargePayment').map(({ isLocal, attempt }) => [isLocal, attempt])).toEqual([
      [true, 1],
      [true, 1],
      [false, 1],
      [false, 2],
      [false, 3],
    ]);
    expect(fake.rounds.slice(2).map((round) => round.candidates)).toEqual([both, both, both]);
    const [first, second, third] = [2, 4, 6].map((index) => fake.sentAt[index] ?? 0) as [number, number, number];
    expect(second - first).toBeGreaterThanOrEqual(150);
    expect(third - second).toBeGreaterThanOrEqual(150);
    expect((await payment.history()).filter((type) => type === 'ACTIVITY_TASK_SCHEDULED')).toHaveLength(1);
  });

  test('because it limits us is not asked before its time, while the second goes on', async () => {
    const { fake, ...payment } = aPayment({
      charge: [perCandidate({ 1: [fault('rate_limited', 1_500), approves], 2: [fault('unavailable', 100)] })],
    });
    await payment.awaitOutcome();
    expect(await payment.result()).toEqual(captured);
    expect(fake.row?.processor).toBe('easypay');
    const [first = 0, again = 0] = fake.sentAt.filter((_, index) => fake.sent[index] === 1);
    expect(again - first).toBeGreaterThanOrEqual(1_500);
    expect(fake.sent.filter((number) => number === 2).length).toBeGreaterThanOrEqual(3);
    expect(fake.sent.slice(0, 2)).toEqual([1, 2]);
    expect(fake.sent.at(-1)).toBe(1);
  });

  test('and a second that is away until the expiry too end as provider_unavailable', async () => {
    const { fake, ...payment } = aPayment({ charge: [awayForLong], expiresInMs: 1_500 });
    await payment.awaitOutcome();
    expect(await payment.result()).toMatchObject({ status: 'failed', failure: { code: 'provider_unavailable' } });
    expect(fake.sent).toEqual([1, 2, 1, 2]);
  });
});

describe('a first provider in doubt', () => {
  test.each<[string, Script]>([
    ['finds the charge later', { charge: [outcomeUnknown], ask: [stillUnknown(), stillUnknown(), approves] }],
    ['allows a repeat', { charge: [outcomeUnknown, approves], ask: [allowsRepeat] }],
    ['allows a repeat and is away then', { charge: [outcomeUnknown, away, away, approves], ask: [allowsRepeat] }],
    [
      'allows a repeat and refuses it as wrong',
      { charge: [outcomeUnknown, rejectsRepeat], ask: [allowsRepeat, stillUnknown(), approves] },
    ],
    ['is one whose answer never came back', { charge: [() => Promise.reject(new Error('reset'))], ask: [approves] }],
  ])('that %s is the only one that is sent anything', async (_, script) => {
    const { fake, ...payment } = aPayment(script);
    await payment.awaitOutcome();
    expect(await payment.result()).toEqual(captured);
    expect(new Set(fake.sent)).toEqual(new Set([1]));
    expect(fake.asked.map(({ attemptNumber, provider }) => [attemptNumber, provider])).toEqual(
      fake.asked.map(() => [1, 'easypay']),
    );
    expect(fake.row?.processor).toBe('easypay');
  });

  test('until ask_until becomes unresolved, and nobody else was sent anything', async () => {
    const { fake, ...payment } = aPayment({
      charge: [outcomeUnknown],
      ask: [stillUnknown(100)],
      expiresInMs: 300,
      askForMs: 1_200,
    });
    await payment.awaitOutcome();
    expect(fake.row).toMatchObject({ status: 'unresolved', processor: 'easypay', openAttemptId: chargeAt(1, fake) });
    expect(fake.sent).toEqual([1]);
    await payment.handle.terminate('end of the test');
  });

  test('where it is proven that nothing happened gives the second its turn', async () => {
    const { fake, ...payment } = aPayment({ charge: [outcomeUnknown, approves], ask: [nothingHappened] });
    await payment.awaitOutcome();
    expect(await payment.result()).toEqual(captured);
    expect(fake.sent).toEqual([1, 2]);
    expect(fake.row?.processor).toBe('paypal');
  });

  test('where it is proven that nothing happened goes on first when the second is away', async () => {
    const { fake, ...payment } = aPayment({
      charge: [perCandidate({ 1: [outcomeUnknown, approves], 2: [away] })],
      ask: [nothingHappened],
    });
    await payment.awaitOutcome();
    expect(await payment.result()).toEqual(captured);
    expect(fake.sent).toEqual([1, 2, 1]);
    expect(fake.row?.processor).toBe('easypay');
  });

  test('that turns out declined for a reason of its own leads to the second', async () => {
    const { fake, ...payment } = aPayment({
      charge: [perCandidate({ 1: [outcomeUnknown], 2: [approves] })],
      ask: [declines('issuer_unavailable')],
    });
    await payment.awaitOutcome();
    expect(await payment.result()).toEqual(captured);
    expect(eventsOf(fake)).toEqual(['payment.rerouted', 'payment.captured']);
    expect(fake.sent).toEqual([1, 2]);
  });
});

test.each<[string, Script]>([
  [
    'in the quick round',
    { charge: [perCandidate({ 1: [away], 2: [outcomeUnknown] })], ask: [stillUnknown(), approves] },
  ],
  [
    'in a patient round',
    { charge: [perCandidate({ 1: [away], 2: [away, outcomeUnknown] })], ask: [stillUnknown(), approves] },
  ],
])('a second provider in doubt %s is asked, and the first is left alone from then on', async (_, script) => {
  const { fake, ...payment } = aPayment(script);
  await payment.awaitOutcome();
  expect(await payment.result()).toEqual(captured);
  expect(fake.sent.at(-1)).toBe(2);
  expect(fake.asked).toMatchObject([
    { attemptNumber: 2, provider: 'paypal' },
    { attemptNumber: 2, provider: 'paypal' },
  ]);
  expect(fake.row?.processor).toBe('paypal');
});

describe('a decline', () => {
  test.each([...codesOf('never'), ...codesOf('retry_same')])(
    'as %s is final, and nobody else is sent anything',
    async (code) => {
      const payment = aPayment({ charge: [declines(code)] });
      await payment.awaitOutcome();
      expect(await payment.result()).toMatchObject({
        status: 'failed',
        failure: { code, declineClass: declineClasses[code] },
      });
      expect(payment.fake.sent).toEqual([1]);
      expect(eventsOf(payment.fake)).toEqual(['payment.failed']);
      await expectQuick(payment);
    },
  );

  test.each(codesOf('retry_other'))(
    'as %s is told as payment.rerouted, and the next one charges at once',
    async (code) => {
      const payment = aPayment({ charge: [declines(code), approves] });
      await payment.awaitOutcome();
      expect(await payment.result()).toEqual(captured);
      const { fake } = payment;
      expect(fake.transitions).toMatchObject([
        {
          eventType: 'payment.rerouted',
          fromStatus: 'pending',
          toStatus: 'pending',
          openAttemptId: chargeAt(1, fake),
          keepsAttemptOpen: false,
          attemptEnd: { attemptId: chargeAt(1, fake), state: 'declined', outcome: { declineCode: code } },
          failure: null,
          details: { declined_by: 'easypay', code, next: 'paypal' },
        },
        { eventType: 'payment.captured', fromVersion: 2, attemptEnd: { attemptId: chargeAt(2, fake) } },
      ]);
      expect(fake.row).toMatchObject({ status: 'captured', version: 3, processor: 'paypal' });
      expect(fake.sent).toEqual([1, 2]);
      await expectQuick(payment);
    },
  );

  test('by both is failed with the last one’s reason', async () => {
    const { fake, ...payment } = aPayment({ charge: [declines('not_permitted'), declines('processing_error')] });
    await payment.awaitOutcome();
    expect(await payment.result()).toMatchObject({ status: 'failed', failure: { code: 'processing_error' } });
    expect(eventsOf(fake)).toEqual(['payment.rerouted', 'payment.failed']);
    expect(fake.row?.processor).toBe('paypal');
    expect(fake.sent).toEqual([1, 2]);
  });

  test('stands at once where the only other one is away', async () => {
    const payment = aPayment({ charge: [declines('not_permitted'), awayForLong] });
    await payment.awaitOutcome();
    expect(await payment.result()).toMatchObject({ status: 'failed', failure: { code: 'not_permitted' } });
    const { fake } = payment;
    expect(fake.transitions.at(-1)).toMatchObject({ provider: 'easypay', openAttemptId: null, attemptEnd: null });
    expect(fake.sent).toEqual([1, 2]);
    await expectQuick(payment);
  });

  test('by the second stands where the first is away', async () => {
    const payment = aPayment({ charge: [awayForLong, declines('not_permitted')] });
    await payment.awaitOutcome();
    expect(await payment.result()).toMatchObject({ status: 'failed', failure: { code: 'not_permitted' } });
    expect(eventsOf(payment.fake)).toEqual(['payment.failed']);
    await expectQuick(payment);
  });

  test('at the only provider is failed, however hopeful another one would be', async () => {
    const { fake, ...payment } = aPayment({ candidates: ['easypay'], charge: [declines('issuer_unavailable')] });
    await payment.awaitOutcome();
    expect(await payment.result()).toMatchObject({ status: 'failed', failure: { code: 'issuer_unavailable' } });
    expect(eventsOf(fake)).toEqual(['payment.failed']);
  });

  test('passes over all that declined, and comes to the third', async () => {
    const { fake, ...payment } = aPayment({
      candidates: ['easypay', 'paypal', 'thirdpay'],
      charge: [declines('not_permitted'), declines('issuer_unavailable'), approves],
    });
    await payment.awaitOutcome();
    expect(await payment.result()).toEqual(captured);
    expect(eventsOf(fake)).toEqual(['payment.rerouted', 'payment.rerouted', 'payment.captured']);
    expect(fake.sent).toEqual([1, 2, 3]);
    expect(fake.row).toMatchObject({ version: 4, processor: 'thirdpay' });
  });

  test('in a patient round leads to a next one that was away before', async () => {
    const { fake, ...payment } = aPayment({
      charge: [perCandidate({ 1: [away, declines('issuer_unavailable')], 2: [away, approves] })],
    });
    await payment.awaitOutcome();
    expect(await payment.result()).toEqual(captured);
    expect(eventsOf(fake)).toEqual(['payment.rerouted', 'payment.captured']);
    expect(fake.sent).toEqual([1, 2, 1, 2]);
  });

  test('after a cancellation leads nowhere', async () => {
    const { step, open, reached } = gate(declines('issuer_unavailable'));
    const { fake, ...payment } = aPayment({ charge: [perCandidate({ 1: [away, step], 2: [away] })] });
    await payment.start();
    await reached;
    const canceling = payment.handle.executeUpdate(cancelPayment, { args: [act] });
    await payment.historyWith('ACTIVITY_TASK_CANCEL_REQUESTED');
    open();
    expect(await canceling).toEqual({ status: 'failed' });
    expect(fake.sent).toEqual([1, 2, 1]);
    expect(eventsOf(fake)).toEqual(['payment.failed']);
  });
});

describe('a rejection', () => {
  test('by the first is final: our request would be as wrong at the second', async () => {
    const { fake, ...payment } = aPayment({ charge: [fault('rejected')] });
    await payment.awaitOutcome();
    expect(await payment.result()).toMatchObject({ status: 'failed', failure: { code: 'provider_rejected' } });
    expect(fake.sent).toEqual([1]);
  });

  test('of what comes before the charge is final too, and ends no attempt: none was begun', async () => {
    const { fake, ...payment } = aPayment({ charge: [rejectsPreparation] });
    await payment.awaitOutcome();
    expect(await payment.result()).toMatchObject({ status: 'failed', failure: { code: 'provider_rejected' } });
    expect(fake.transitions).toMatchObject([{ openAttemptId: null, attemptEnd: null, provider: 'easypay' }]);
  });
});

test('a payment that no provider may charge fails as no_eligible_provider, and nothing is sent', async () => {
  const payment = aPayment({ candidates: [] });
  await payment.awaitOutcome();
  expect(await payment.result()).toMatchObject({ status: 'failed', failure: { code: 'no_eligible_provider' } });
  expect(payment.fake.sent).toEqual([]);
  expect(payment.fake.transitions).toMatchObject([{ action: 'route', provider: null, openAttemptId: null }]);
  await expectQuick(payment);
});

describe('a preparation that the first provider did not confirm', () => {
  test('is asked for again in patient rounds that begin with it, before the second is tried at all', async () => {
    const { fake, ...payment } = aPayment({ charge: [perCandidate({ 1: [unprepared, unprepared, approves] })] });
    await payment.awaitOutcome();
    expect(await payment.result()).toEqual(captured);
    expect(fake.sent).toEqual([1, 1, 1]);
    expect(fake.rounds.map((round) => round.candidates)).toEqual([[both[0]], both, both]);
    expect(fake.callsOf('chargePayment').map(({ isLocal }) => isLocal)).toEqual([true, false, false]);
  });

  test('does not keep the second from its turn when the first is certainly away then', async () => {
    const { fake, ...payment } = aPayment({ charge: [perCandidate({ 1: [unprepared, away], 2: [approves] })] });
    await payment.awaitOutcome();
    expect(await payment.result()).toEqual(captured);
    expect(fake.sent).toEqual([1, 1, 2]);
  });

  test('does not keep the second from its turn when the first declines then', async () => {
    const { fake, ...payment } = aPayment({
      charge: [perCandidate({ 1: [unprepared, declines('issuer_unavailable')], 2: [approves] })],
    });
    await payment.awaitOutcome();
    expect(await payment.result()).toEqual(captured);
    expect(eventsOf(fake)).toEqual(['payment.rerouted', 'payment.captured']);
    expect(fake.sent).toEqual([1, 1, 2]);
  });
});

describe('operators, while all providers are away,', () => {
  test('cancel the payment at once', async () => {
    const { fake, ...payment } = aPayment({ charge: [awayForLong] });
    await payment.start();
    await payment.isBackingOff('unavailable');
    expect(await payment.handle.executeUpdate(cancelPayment, { args: [act] })).toEqual({ status: 'canceled' });
    expect(fake.sent).toEqual([1, 2, 1, 2]);
    expect(eventsOf(fake)).toEqual(['payment.canceled']);
  });

  test('have all of them tried again at once, in order, also those that asked for a wait', async () => {
    const { fake, ...payment } = aPayment({
      charge: [perCandidate({ 1: [fault('rate_limited', 60_000)], 2: [fault('rate_limited', 60_000), approves] })],
    });
    await payment.start();
    await payment.isBackingOff('not_now');
    expect(fake.sent).toEqual([1, 2]);
    await payment.handle.executeUpdate(retryNow, { args: [act] });
    expect(await payment.result()).toEqual(captured);
    expect(fake.sent).toEqual([1, 2, 1, 2]);
    expect(fake.rounds.map(({ isUrgent }) => isUrgent)).toEqual([false, false, false, true]);
  });
});

describe('a workflow that is started again with the payment id alone', () => {
  const attempt = (fake: FakePayment, number: 1 | 2, state: string) =>
    fake.setAttempt({
      id: chargeAt(number, fake),
      number,
      provider: candidates[number - 1] ?? '',
      state,
      declineCode: state === 'declined' ? 'not_permitted' : null,
    });

  test('asks the second where the first declined and the second is in doubt', async () => {
    const { fake, ...payment } = aPayment({ row: { version: 2 } });
    attempt(fake, 1, 'declined');
    attempt(fake, 2, 'sent');
    fake.change({ openAttemptId: chargeAt(2, fake) });
    await payment.redrive();
    expect(await payment.result()).toEqual(captured);
    expect(fake.sent).toEqual([]);
    expect(fake.asked).toMatchObject([{ attemptNumber: 2, provider: 'paypal' }]);
    expect(fake.transitions).toMatchObject([{ fromVersion: 2, attemptEnd: { attemptId: chargeAt(2, fake) } }]);
  });

  test.each([null, 'not_sent'])(
    'sends to the second, not to the first, where the first declined and the second is %s',
    async (state) => {
      const { fake, ...payment } = aPayment({ row: { version: 2 } });
      attempt(fake, 1, 'declined');
      if (state !== null) attempt(fake, 2, state);
      await payment.redrive();
      expect(await payment.result()).toEqual(captured);
      expect(fake.sent).toEqual([2]);
      expect(fake.asked).toEqual([]);
    },
  );

  test('fails with the first’s decline where the second is away', async () => {
    const { fake, ...payment } = aPayment({ row: { version: 2 }, charge: [awayForLong] });
    attempt(fake, 1, 'declined');
    await payment.redrive();
    expect(await payment.result()).toMatchObject({ status: 'failed', failure: { code: 'not_permitted' } });
    expect(fake.sent).toEqual([2]);
    expect(fake.row?.processor).toBe('easypay');
  });

  test('begins with the first again where nothing happened at either', async () => {
    const { fake, ...payment } = aPayment({ row: {} });
    attempt(fake, 1, 'not_sent');
    attempt(fake, 2, 'not_sent');
    await payment.redrive();
    expect(await payment.result()).toEqual(captured);
    expect(fake.sent).toEqual([1]);
  });
});
