import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Provider, ProviderFault } from '../../activities/providers/provider.ts';
import { contradictionIn, reconcile } from '../../activities/reconcile.ts';
import { createMerchant } from '../../prisma/merchants.ts';
import { stepMovement } from '../../prisma/movements.ts';
import { storeProviderEvent } from '../../prisma/provider-events.ts';
import { createLogger } from '../../runtime/logger.ts';
import { failureOf } from '../../workflows/domain/failure.ts';
import type { ChargeOutcome } from '../../workflows/domain/outcome.ts';
import type { MovementSnapshot, PaymentSnapshot } from '../../workflows/ports.ts';
import {
  aCapturedPayment,
  anAuthorizedPayment,
  aPendingPayment,
  aStep,
  attemptOf,
  aWaitingPayment,
  charged,
  chargeOf,
  merchantId,
  opened,
  reread,
  rerouting,
  sent,
} from '../prisma/steps.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { anExecution, aProvider, depsWith } from './ground.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await startDatabase();
  await createMerchant(database.db, { id: merchantId, name: 'Merchant' });
});
afterAll(() => database?.close());

const response = { transactionId: 'epc_1', responseCode: '00', responseMessage: 'Approved', card: null };
const approved: ChargeOutcome = { kind: 'approved', response };
const declined: ChargeOutcome = { kind: 'declined', declineCode: 'card_declined', response };
const pending: ChargeOutcome = { kind: 'pending', response };
const waiting: ChargeOutcome = { kind: 'requires_action', response, redirectUrl: 'http://127.0.0.1:1/' };
const mismatched: ChargeOutcome = {
  kind: 'mismatched',
  response,
  reported: { amountMinor: '2600', currency: 'USD' },
};

describe('what is recorded of an attempt is contradicted', () => {
  /** What is recorded, and what the provider said then; then what it says now: what that contradicts, or `-`. */
  const table = `
    state      then             approved  declined  mismatched  not_found  pending  requires_action
    approved   approved         -         declined  mismatched  not_found  -        -
    approved   null             -         declined  mismatched  not_found  -        -
    approved   mismatched       -         declined  -           not_found  -        -
    declined   declined         approved  -         mismatched  -          -        -
    declined   null             approved  -         mismatched  -          -        -
    declined   mismatched       approved  -         -           -          -        -
    rejected   null             approved  -         mismatched  -          -        -
    not_sent   null             approved  -         mismatched  -          -        -
    voided     requires_action  approved  -         mismatched  -          -        -`;
  const [[, , ...columns] = [], ...rows] = table
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/));
  const saidNow: Readonly<Record<string, ChargeOutcome | null>> = {
    approved,
    declined,
    mismatched,
    not_found: null,
    pending,
    requires_action: waiting,
  };
  const cases = rows.flatMap(([state = '', then = '', ...words]) =>
    columns.map((column, index): [string, string, string, string] => [state, then, column, words[index] ?? '']),
  );

  test.each(cases)('as %s, when the provider said %s then and says %s now: %s', (state, then, now, word) => {
    const recorded = { state, outcome_kind: then === 'null' ? null : then };
    expect(contradictionIn(recorded, saidNow[now] ?? null)).toBe(word === '-' ? null : word);
  });
});

/** One execution: what the provider says now of charges and of movements, or of one of them by its reference. */
async function hold(
  payment: { readonly id: string },
  says: Readonly<Record<string, ChargeOutcome | null>> & { charge?: ChargeOutcome | null },
  providerEventIds: readonly string[] = [],
  changes: Partial<Provider> = {},
) {
  const asked: string[] = [];
  let log = '';
  const answerTo = (reference: string, otherwise: ChargeOutcome | null) => {
    asked.push(reference);
    return says[reference] === undefined ? otherwise : says[reference];
  };
  const provider = aProvider({
    lookUpCharge: async ({ idempotencyKey }) => answerTo(idempotencyKey, says.charge ?? null),
    lookUpMovement: async ({ reference }) => answerTo(reference, null),
    ...changes,
  });
  const logger = createLogger('worker', 'info', { write: (line) => void (log += line) });
  const deps = depsWith(database, [provider], { logger });
  const input = { paymentId: payment.id, merchantId, providerEventIds, now: '2026-01-31T12:00:00.000Z' };
  const answer: unknown = await anExecution()
    .run(reconcile, deps, input)
    .catch((error: unknown) => error);
  const counted = (await deps.metrics.text()).split('\n').filter((line) => /^payments_alerts_\w+_total\{/.test(line));
  return { answer, asked, log, counted };
}

async function discrepanciesOf({ id }: { readonly id: string }) {
  const { rows } = await database.admin.query<Record<string, unknown>>(
    `SELECT d.object_id, d.attempt_id, d.recorded, d.reported, d.amount::text, d.currency, d.status, d.provider,
       (SELECT count(*)::int FROM alerts a WHERE a.resource_id = d.id AND a.kind = 'discrepancy'
         AND a.closed_at IS NULL) AS alerts
     FROM discrepancies d WHERE d.payment_id = $1 ORDER BY d.object_id, d.reported`,
    [id],
  );
  return rows;
}

async function anEvent(reference: string): Promise<string> {
  const event = { source: 'easypay', accountId: 'main', eventId: randomUUID(), type: 'charge.approved', payload: {} };
  const now = new Date().toISOString();
  return (await storeProviderEvent(database.db, { ...event, signature: 's', reference, claim: 'approved', now })).id;
}
const statusOf = async (id: string) =>
  (await database.admin.query('SELECT status, processed_at FROM webhooks WHERE id = $1', [id])).rows[0];

async function done(to: 'succeeded' | 'failed' | 'unresolved', payment: PaymentSnapshot): Promise<MovementSnapshot> {
  const movement = await sent(database.db, await opened(database.db, 'refund', payment, { amountMinor: '1000' }));
  const answer = await stepMovement(database.db, aStep(movement, to));
  if (answer.kind !== 'done') throw new Error(answer.kind);
  return answer.movement;
}

describe('a payment held against its provider', () => {
  test('that agrees has no discrepancy, and the events that led here are done with', async () => {
    const payment = await aCapturedPayment(database.db);
    const refund = await done('succeeded', payment);
    const [event, other] = [await anEvent(payment.id), await anEvent(payment.id)];
    const { answer, asked, log, counted } = await hold(payment, { charge: approved, [refund.id]: approved }, [event]);
    expect(answer).toEqual({ lookedUp: 2, discrepancies: 0 });
    expect(asked).toEqual([chargeOf(payment), refund.id]);
    expect(await discrepanciesOf(payment)).toEqual([]);
    expect(await statusOf(event)).toEqual({ status: 'processed', processed_at: new Date('2026-01-31T12:00:00.000Z') });
    expect(await statusOf(other)).toMatchObject({ status: 'pending' });
    expect([log, counted]).toEqual(['', []]);
  });

  test('that contradicts a charge is written down once, with an alert, a count and a line; nothing else changes', async () => {
    const payment = await aPendingPayment(database.db);
    const attemptEnd = { attemptId: chargeOf(payment), state: 'declined', outcome: declined } as const;
    await charged(database.db, payment, { toStatus: 'failed', attemptEnd, failure: failureOf('card_declined') });
    const before = await reread(database.db, payment);
    const first = await hold(payment, { charge: approved }, [await anEvent(payment.id)]);
    expect(first.answer).toEqual({ lookedUp: 1, discrepancies: 1 });
    expect(JSON.parse(first.log)).toMatchObject({
      alert: 'discrepancy',
      payment_id: payment.id,
      attempt_id: chargeOf(payment),
      provider: 'easypay',
      recorded: 'declined',
      reported: 'approved',
    });
    expect(first.counted).toEqual(['payments_alerts_opened_total{kind="discrepancy"} 1']);
    const again = await hold(payment, { charge: approved });
    expect(again).toMatchObject({ answer: { lookedUp: 1, discrepancies: 1 }, log: '', counted: [] });
    expect(await discrepanciesOf(payment)).toEqual([
      {
        object_id: payment.id,
        attempt_id: chargeOf(payment),
        recorded: 'declined',
        reported: 'approved',
        amount: '2599',
        currency: 'USD',
        status: 'open',
        provider: 'easypay',
        alerts: 1,
      },
    ]);
    expect(await reread(database.db, payment)).toEqual(before);
  });

  test('that contradicts movements has one discrepancy for each, of its own amount', async () => {
    const payment = await aCapturedPayment(database.db);
    const [made, refused] = [await done('succeeded', payment), await done('failed', payment)];
    const { answer } = await hold(payment, { charge: approved, [made.id]: declined, [refused.id]: approved });
    expect(answer).toEqual({ lookedUp: 3, discrepancies: 2 });
    const expected = [
      { object_id: made.id, attempt_id: attemptOf(made), recorded: 'approved', reported: 'declined', amount: '1000' },
      {
        object_id: refused.id,
        attempt_id: attemptOf(refused),
        recorded: 'declined',
        reported: 'approved',
        amount: '1000',
      },
    ];
    expect(await discrepanciesOf(payment)).toMatchObject(
      expected.toSorted((one, two) => (one.object_id < two.object_id ? -1 : 1)),
    );
  });

  test('that changes its word again has another discrepancy beside the first', async () => {
    const payment = await aCapturedPayment(database.db);
    await hold(payment, { charge: declined });
    await hold(payment, { charge: null });
    expect(await discrepanciesOf(payment)).toMatchObject([{ reported: 'declined' }, { reported: 'not_found' }]);
  });

  test('that cannot be asked leaves the events for later', async () => {
    const payment = await aCapturedPayment(database.db);
    const event = await anEvent(payment.id);
    const fault = new ProviderFault('unavailable', 'away');
    const { answer } = await hold(payment, {}, [event], { lookUpCharge: () => Promise.reject(fault) });
    expect(answer).toBe(fault);
    expect(await statusOf(event)).toMatchObject({ status: 'pending' });
    expect(await discrepanciesOf(payment)).toEqual([]);
  });

  test('is asked about nothing that is still being worked on', async () => {
    const unresolved = async () => {
      const payment = await aPendingPayment(database.db);
      const attemptEnd = { attemptId: chargeOf(payment), state: 'unanswered', outcome: null } as const;
      return charged(database.db, payment, { toStatus: 'unresolved', keepsAttemptOpen: true, attemptEnd });
    };
    const rerouted = async () => {
      const payment = await aPendingPayment(database.db);
      return charged(database.db, payment, rerouting(payment));
    };
    const open = [aPendingPayment(database.db), aWaitingPayment(database.db), unresolved(), rerouted()];
    for (const payment of await Promise.all(open)) {
      const { answer, asked } = await hold(payment, {});
      expect([answer, asked]).toEqual([{ lookedUp: 0, discrepancies: 0 }, []]);
    }
    const payment = await anAuthorizedPayment(database.db);
    await sent(database.db, await opened(database.db, 'capture', payment));
    expect((await hold(payment, { charge: approved })).asked).toEqual([chargeOf(payment)]);
    const captured = await aCapturedPayment(database.db);
    await done('unresolved', captured);
    expect((await hold(captured, { charge: approved })).asked).toEqual([chargeOf(captured)]);
  });

  test('of another merchant, or that there is not, is asked about nothing', async () => {
    const payment = await aCapturedPayment(database.db);
    const deps = depsWith(database, [aProvider()]);
    const input = { paymentId: payment.id, merchantId: 'mer_2', providerEventIds: [], now: new Date().toISOString() };
    expect(await anExecution().run(reconcile, deps, input)).toEqual({ lookedUp: 0, discrepancies: 0 });
    expect((await hold({ id: 'pay_none' }, {})).answer).toEqual({ lookedUp: 0, discrepancies: 0 });
  });
});
