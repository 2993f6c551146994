import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { resolvePayment } from '../../workflows/contract.ts';
import { attemptIdOf } from '../../workflows/domain/ids.ts';
import { isFinal, paymentStatuses } from '../../workflows/domain/payment-status.ts';
import type { TransitionAnswer } from '../../workflows/ports.ts';
import { type Engine, startEngine } from './engine.ts';
import type { FakePayment } from './fake-payment.ts';
import type { PaymentUnderTest } from './payment-under-test.ts';
import { approves, breaksInvariant, outcomeUnknown, stillUnknown } from './provider-steps.ts';
import { gate, type Script } from './script.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine?.close());

const act = { actor: 'operator:ann', reason: 'the merchant asked' };
const captured = { status: 'captured', failure: null };

/** Another process ends the payment. */
const endedElsewhere = (fake: FakePayment) =>
  fake.change({ status: 'captured', version: 2, processor: 'easypay', openAttemptId: null });

describe('a payment that moved on elsewhere', () => {
  test('before its charge is read again, and what the row says counts', async () => {
    const { fake, ...payment } = engine.aPayment({
      accept: [
        (self) => {
          const stale = self.change({});
          endedElsewhere(self);
          return { kind: 'accepted', payment: stale };
        },
        null,
      ],
      row: {},
    });
    await payment.start();
    expect(await payment.result()).toEqual(captured);
    expect(fake.sent).toEqual([]);
    expect(fake.transitions).toEqual([]);
    expect(fake.callsOf('acceptPayment')).toHaveLength(2);
  });

  test('before its outcome was recorded is decided by the row: nothing is written', async () => {
    const movedOn = (fake: FakePayment): TransitionAnswer => ({ kind: 'moved_on', payment: endedElsewhere(fake) });
    const { fake, ...payment } = engine.aPayment({ record: [movedOn] });
    await payment.start();
    expect(await payment.result()).toEqual(captured);
    expect(fake.transitions).toEqual([]);
    expect(fake.callsOf('recordTransition')).toHaveLength(1);
  });

  test('and is pending still is decided again on the row as it is then', async () => {
    const changed = (fake: FakePayment): TransitionAnswer => ({
      kind: 'moved_on',
      payment: fake.change({ version: 5 }),
    });
    const { fake, ...payment } = engine.aPayment({ record: [changed, null], ask: [approves] });
    await payment.start();
    expect(await payment.result()).toEqual(captured);
    expect(fake.transitions).toMatchObject([{ fromVersion: 5 }]);
    expect(fake.callsOf('chargePayment')).toHaveLength(1);
    expect(fake.asked).toHaveLength(1); // the row's attempt is open: it asks and does not send
  });
});

test('a row that no decision ever fits parks the workflow instead of going round', async () => {
  const movedOn = (fake: FakePayment): TransitionAnswer => ({ kind: 'moved_on', payment: fake.change({}) });
  const { fake, ...payment } = engine.aPayment({ record: [movedOn], ask: [approves] });
  await payment.start();
  await payment.historyWith('WORKFLOW_TASK_FAILED');
  expect(fake.callsOf('recordTransition').length).toBeGreaterThanOrEqual(10);
  expect(fake.transitions).toEqual([]);
  await payment.handle.terminate('end of the test');
});

test('a decision that was written before is taken as written', async () => {
  const alreadyMine = (fake: FakePayment): TransitionAnswer => ({
    kind: 'already_mine',
    payment: endedElsewhere(fake),
  });
  const { fake, ...payment } = engine.aPayment({ record: [alreadyMine] });
  await payment.start();
  expect(await payment.result()).toEqual(captured);
  expect(fake.sent).toEqual([1]);
});

describe('a broken invariant stops the workflow task, and a fixed deploy goes on where it stopped:', () => {
  test.each<[string, Script]>([
    ['an illegal move', { record: [() => ({ kind: 'illegal', reason: 'not in the table' }), null] }],
    ['found while accepting', { accept: [breaksInvariant, null] }],
    ['found while charging', { charge: [breaksInvariant, approves], ask: [approves] }],
    ['found while recording', { record: [breaksInvariant, null] }],
    [
      'a status that this version does not know',
      { accept: [(fake) => ({ kind: 'accepted', payment: { ...fake.change({}), status: 'held' } }), null], row: {} },
    ],
  ])('%s', async (_, script) => {
    const { fake, ...payment } = engine.aPayment(script);
    await payment.start();
    await payment.historyWith('WORKFLOW_TASK_FAILED');
    expect(await payment.result()).toEqual(captured);
    expect(fake.transitions).toHaveLength(1);
    expect(new Set(fake.sent)).toEqual(new Set([1]));
  });

  test('found while asking, after which nothing is decided', async () => {
    const { fake, ...payment } = engine.aPayment({ charge: [outcomeUnknown], ask: [breaksInvariant] });
    await payment.start();
    await payment.historyWith('WORKFLOW_TASK_FAILED');
    expect((await payment.handle.describe()).status.name).toBe('RUNNING');
    expect(fake.transitions).toEqual([]);
    await payment.handle.terminate('end of the test');
  });

  test('found while recording as a regular activity, after which nothing is decided', async () => {
    const away = () => {
      throw new Error('the database is away');
    };
    const { fake, ...payment } = engine.aPayment({ record: [away, away, breaksInvariant] });
    await payment.start();
    await payment.historyWith('WORKFLOW_TASK_FAILED');
    expect((await payment.handle.describe()).status.name).toBe('RUNNING');
    expect(fake.transitions).toEqual([]);
    await payment.handle.terminate('end of the test');
  });
});

describe('a workflow that is started with the payment id alone', () => {
  const openAttempt = (fake: FakePayment) => {
    const id = attemptIdOf(fake.id, 'charge', 1);
    fake.setAttempt({ id, number: 1, provider: 'easypay', state: 'sent', declineCode: null });
    fake.change({ openAttemptId: id });
  };

  test.each(paymentStatuses.filter(isFinal))('ends at once where the row is %s', async (status) => {
    const { fake, ...payment } = engine.aPayment({ row: { status, version: 2 } });
    await payment.redrive();
    expect(await payment.result()).toEqual({ status, failure: null });
    expect(fake.calls.map(({ port }) => port)).toEqual(['acceptPayment']);
  });

  test('charges where the row is pending and nothing was sent', async () => {
    const { fake, ...payment } = engine.aPayment({ row: {} });
    await payment.redrive();
    expect(await payment.result()).toEqual(captured);
    expect(fake.sent).toEqual([1]);
  });

  test('asks before anything else where the row is pending and something may have been sent', async () => {
    const { fake, ...payment } = engine.aPayment({ row: {} });
    openAttempt(fake);
    await payment.redrive();
    expect(await payment.result()).toEqual(captured);
    expect(fake.callsOf('chargePayment')).toEqual([]);
    expect(fake.asked).toHaveLength(1);
  });

  test('asks also where such a payment has expired meanwhile, and sends nothing again', async () => {
    const { fake, ...payment } = engine.aPayment({ row: { expiresAt: new Date(Date.now() - 1).toISOString() } });
    openAttempt(fake);
    await payment.redrive();
    expect(await payment.result()).toEqual(captured);
    expect(fake.asked).toMatchObject([{ mayRepeat: false }]);
  });

  test('asks once also where the time to ask was over before the first question', async () => {
    const past = new Date(Date.now() - 1).toISOString();
    const { fake, ...payment } = engine.aPayment({ row: { expiresAt: past, askUntil: past } });
    openAttempt(fake);
    await payment.redrive();
    expect(await payment.result()).toEqual(captured);
    expect(fake.asked).toMatchObject([{ mayRepeat: false }]);
  });

  test('ends a pending payment that expired meanwhile without a charge', async () => {
    const { fake, ...payment } = engine.aPayment({ row: { expiresAt: new Date(Date.now() - 1).toISOString() } });
    await payment.redrive();
    expect(await payment.result()).toMatchObject({ status: 'failed', failure: { code: 'provider_unavailable' } });
    expect(fake.sent).toEqual([]);
  });

  test('waits for a person where the row is unresolved', async () => {
    const { fake, ...payment } = engine.aPayment({ row: { status: 'unresolved', version: 2, processor: 'easypay' } });
    openAttempt(fake);
    await payment.redrive();
    const resolution = { ...act, outcome: 'captured', evidence: 'statement line 12' } as const;
    expect(await payment.handle.executeUpdate(resolvePayment, { args: [resolution] })).toEqual({ status: 'captured' });
    expect(fake.calls.map(({ port }) => port)).toEqual(['acceptPayment', 'recordTransition']);
  });

  test('parks where the row is held, which nothing here writes yet', async () => {
    const { fake, ...payment } = engine.aPayment({ row: { status: 'held', version: 2 } });
    await payment.redrive();
    await payment.historyWith('WORKFLOW_TASK_FAILED');
    expect(new Set(fake.calls.map(({ port }) => port))).toEqual(new Set(['acceptPayment']));
    await payment.handle.terminate('end of the test');
  });

  test('says so where there is no row', async () => {
    const payment = engine.aPayment();
    await payment.redrive();
    expect(await payment.result()).toEqual({ refused: 'not_found' });
  });
});

describe('a second run', () => {
  async function terminated(payment: PaymentUnderTest): Promise<void> {
    await payment.handle.terminate('by an operator');
  }

  test('after the first was terminated in doubt asks, and never sends', async () => {
    const payment = engine.aPayment({ charge: [outcomeUnknown], ask: [stillUnknown(60_000), approves] });
    await payment.start();
    await payment.isBackingOff('unknown_outcome');
    await terminated(payment);
    expect(await payment.awaitOutcome()).toEqual({ kind: 'stored' });
    expect(await payment.result()).toEqual(captured);
    expect(payment.fake.sent).toEqual([1]);
  });

  test('while the first run’s charge is still on its way asks, and the first run’s answer does no harm', async () => {
    const { step, open, reached } = gate(approves);
    const payment = engine.aPayment({ charge: [step], ask: [approves] });
    await payment.start();
    await reached;
    await terminated(payment);
    await payment.redrive();
    expect(await payment.result()).toEqual(captured);
    open();
    expect(payment.fake.sent).toEqual([1]);
    expect(payment.fake.transitions).toHaveLength(1);
  });
});
