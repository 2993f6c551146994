import { randomUUID } from 'node:crypto';
import { Client, Connection, ServiceError, WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { resumePayments, resumeProviderEvents, resumeRefunds } from '../../activities/resume.ts';
import { createMerchant } from '../../prisma/merchants.ts';
import { stepMovement } from '../../prisma/movements.ts';
import { storeProviderEvent } from '../../prisma/provider-events.ts';
import { recordTransition } from '../../prisma/transitions.ts';
import { failureOf } from '../../workflows/domain/failure.ts';
import type { MovementKind } from '../../workflows/domain/movement.ts';
import type { MovementSnapshot, PaymentSnapshot } from '../../workflows/ports.ts';
import {
  aCapturedPayment,
  anAuthorizedPayment,
  aPendingPayment,
  aStep,
  aTransition,
  aWaitingPayment,
  canceling,
  charged,
  chargeOf,
  opened,
  sent,
} from '../prisma/steps.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { insertPendingPayment } from '../support/payment-row.ts';
import { anExecution, depsWith } from './ground.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await startDatabase();
  await createMerchant(database.db, { id: 'mer_1', name: 'Merchant' });
});
afterEach(() => database.admin.query('TRUNCATE payments, webhooks CASCADE'));
afterAll(() => database?.close());

const [invalidArgument, unavailable] = [3, 14];
const grpcError = (code: number) =>
  new ServiceError('Failed to start Workflow', {
    cause: Object.assign(new Error(`code ${code}`), { code, details: 'details', metadata: {} }),
  });

interface Asked {
  readonly workflowId: string;
  readonly type: string;
  readonly args: readonly unknown[];
  readonly signal: string | null;
  readonly signalArgs: readonly unknown[];
}

/** One pass of a sweep, against a Temporal that only says what comes of each start. */
async function pass(start: (workflowId: string) => void = () => undefined, work = resumePayments, ageMinSeconds = 20) {
  const all: Asked[] = [];
  const heartbeats: unknown[] = [];
  const client = new Client({
    connection: Connection.lazy({ address: '127.0.0.1:1' }),
    interceptors: {
      workflow: [
        {
          async startWithDetails({ options: { workflowId, args }, workflowType: type }) {
            all.push({ workflowId, type, args, signal: null, signalArgs: [] });
            start(workflowId);
            return { runId: 'run', eagerlyStarted: false };
          },
          async signalWithStart({ options: { workflowId, args }, workflowType: type, signalName, signalArgs }) {
            all.push({ workflowId, type, args, signal: signalName, signalArgs });
            start(workflowId);
            return 'run';
          },
        },
      ],
    },
  });
  const environment = anExecution({}, client);
  environment.on('heartbeat', (details: unknown) => heartbeats.push(details));
  const result = environment.run(work, depsWith(database), { ageMinSeconds });
  return { result, all, heartbeats, asked: () => all.map(({ workflowId }) => workflowId) };
}

const first = 'pay_00000000-0';

test('a payment that cannot be prepared stops nobody behind it', async () => {
  await insertPendingPayment(database, { id: first, currency: 'ZZZ' });
  const behind = await Promise.all(Array.from({ length: 20 }, () => insertPendingPayment(database)));
  const { result, asked } = await pass();
  expect(await result).toEqual({ checked: 21, resumed: 20 });
  expect(asked().toSorted()).toEqual(behind.toSorted());
});

test('a payment that Temporal refuses as invalid stops nobody behind it', async () => {
  await insertPendingPayment(database, { id: first });
  await insertPendingPayment(database);
  const { result } = await pass((paymentId) => {
    if (paymentId === first) throw grpcError(invalidArgument);
  });
  expect(await result).toEqual({ checked: 2, resumed: 1 });
});

test('every payment is looked at once, over pages, with a heartbeat each', async () => {
  await database.admin.query(`
    INSERT INTO payments (id, merchant_id, is_test, idempotency_key, external_id, request_hash, correlation_id, amount,
      currency, payment_method, card_token, route, expires_at, ask_until, created_at, updated_at)
    SELECT 'pay_' || n, 'mer_1', true, n, n, 'h', 'c', 1, 'USD', 'credit_card', 'tok', '{}', now() + interval '1 hour',
      now() + interval '1 hour', now() - interval '1 hour', now() - interval '1 hour' FROM generate_series(1, 401) n`);
  const { result, asked, heartbeats } = await pass();
  expect(await result).toEqual({ checked: 401, resumed: 401 });
  expect(new Set(asked()).size).toBe(401);
  expect(asked()).toHaveLength(401);
  expect(heartbeats).toHaveLength(401);
});

test('a Temporal that is away ends the pass at once: the next one makes up for it', async () => {
  await Promise.all(Array.from({ length: 50 }, () => insertPendingPayment(database)));
  const { result, asked } = await pass(() => {
    throw grpcError(unavailable);
  });
  await expect(result).rejects.toThrow(ServiceError);
  expect(asked().length).toBeLessThan(50);
});

async function done(
  toState: 'succeeded' | 'failed' | 'unresolved',
  kind: MovementKind,
  payment: PaymentSnapshot,
  amountMinor: string | null = null,
): Promise<MovementSnapshot> {
  const movement = await sent(database.db, await opened(database.db, kind, payment, { amountMinor }));
  const answer = await stepMovement(database.db, aStep(movement, toState));
  if (answer.kind !== 'done') throw new Error(answer.kind);
  return answer.movement;
}

describe('a payment gets a workflow', () => {
  const moved = async (...steps: readonly ['succeeded' | 'unresolved', MovementKind, string | null][]) => {
    const payment = await anAuthorizedPayment(database.db);
    for (const [to, kind, amountMinor] of steps) await done(to, kind, payment, amountMinor);
    return payment;
  };
  const unresolved = async () => {
    const payment = await aPendingPayment(database.db);
    const attemptEnd = { attemptId: chargeOf(payment), state: 'unanswered', outcome: null } as const;
    const failure = failureOf('outcome_unknown');
    return charged(database.db, payment, { toStatus: 'unresolved', keepsAttemptOpen: true, attemptEnd, failure });
  };
  const canceled = async () => {
    const payment = await aPendingPayment(database.db);
    await recordTransition(database.db, aTransition(payment, canceling));
    return payment;
  };
  const withOpenVoid = async () => {
    const payment = await aWaitingPayment(database.db);
    await opened(database.db, 'void', payment);
    await recordTransition(database.db, aTransition(payment));
    return payment;
  };

  test.each<[boolean, string, () => Promise<PaymentSnapshot>]>([
    [true, 'waits for its charge', () => aPendingPayment(database.db)],
    [true, 'waits for its payer', () => aWaitingPayment(database.db)],
    [true, 'is unresolved', unresolved],
    [true, 'is authorized', () => anAuthorizedPayment(database.db)],
    [true, 'was captured in part', () => moved(['succeeded', 'capture', '1000'])],
    [
      true,
      'was captured in part and refunded',
      () => moved(['succeeded', 'capture', '1000'], ['succeeded', 'refund', null]),
    ],
    [true, 'has an unresolved capture', () => moved(['unresolved', 'capture', null])],
    [true, 'took its money while a void was open', withOpenVoid],
    [false, 'took its money at once', () => aCapturedPayment(database.db)],
    [false, 'was captured', () => moved(['succeeded', 'capture', null])],
    [
      false,
      'was captured in part, and the rest voided',
      () => moved(['succeeded', 'capture', '9'], ['succeeded', 'void', null]),
    ],
    [false, 'was voided', () => moved(['succeeded', 'void', null])],
    [false, 'was canceled', canceled],
    [false, 'has an open refund', () => moved(['succeeded', 'capture', null], ['unresolved', 'refund', null])],
    [false, 'was refunded', () => moved(['succeeded', 'capture', null], ['succeeded', 'refund', null])],
  ])('(%s) when it %s', async (isNeeded, _name, aPayment) => {
    const { id } = await aPayment();
    const { result, all } = await pass(undefined, resumePayments, -60);
    expect(await result).toEqual(isNeeded ? { checked: 1, resumed: 1 } : { checked: 0, resumed: 0 });
    expect(all).toMatchObject(
      isNeeded
        ? [{ workflowId: id, type: 'paymentWorkflow', args: [{ paymentId: id, merchantId: 'mer_1', isTest: true }] }]
        : [],
    );
  });

  test('once: who has one is left alone', async () => {
    await insertPendingPayment(database);
    const { result } = await pass((id) => {
      throw new WorkflowExecutionAlreadyStartedError('started already', id, 'paymentWorkflow');
    });
    expect(await result).toEqual({ checked: 1, resumed: 0 });
  });
});

describe('a refund gets a workflow', () => {
  test('while it is pending or unresolved and has none, each its own', async () => {
    const payment = await aCapturedPayment(database.db);
    const pending = await opened(database.db, 'refund', payment, { amountMinor: '10' });
    const unresolved = await done('unresolved', 'refund', payment, '10');
    await done('succeeded', 'refund', payment, '10');
    await done('failed', 'refund', payment, '10');
    await opened(database.db, 'capture', await anAuthorizedPayment(database.db));
    const { result, all } = await pass(undefined, resumeRefunds, -60);
    expect(await result).toEqual({ checked: 2, resumed: 2 });
    expect(all.toSorted((one, other) => (one.workflowId < other.workflowId ? -1 : 1))).toEqual(
      [pending.id, unresolved.id].toSorted().map((refundId) => ({
        workflowId: refundId,
        type: 'refundWorkflow',
        args: [{ refundId, paymentId: payment.id, merchantId: 'mer_1' }],
        signal: null,
        signalArgs: [],
      })),
    );
  });

  test('not before it is old enough, for the call that made it may be starting one', async () => {
    await opened(database.db, 'refund', await aCapturedPayment(database.db));
    const { result } = await pass(undefined, resumeRefunds, 60);
    expect(await result).toEqual({ checked: 0, resumed: 0 });
  });

  test('unless Temporal refuses it, which stops nobody behind it', async () => {
    const payment = await aCapturedPayment(database.db);
    const refunds: string[] = [];
    for (let index = 0; index < 3; index++)
      refunds.push((await opened(database.db, 'refund', payment, { amountMinor: '10' })).id);
    const { result } = await pass(
      (id) => {
        if (id === refunds[1]) throw grpcError(invalidArgument);
      },
      resumeRefunds,
      -60,
    );
    expect(await result).toEqual({ checked: 3, resumed: 2 });
  });
});

describe('a provider’s event that nobody has looked at', () => {
  const store = async (reference: string) =>
    storeProviderEvent(database.db, {
      source: 'easypay',
      accountId: 'main',
      eventId: `epe_${randomUUID()}`,
      type: 'charge.approved',
      payload: {},
      signature: 's',
      reference,
      claim: 'approved',
      now: new Date().toISOString(),
    });
  const rowOf = async (id: string) =>
    (
      await database.admin.query<Record<string, unknown>>(
        'SELECT status, retry_count, error_message FROM webhooks WHERE id = $1',
        [id],
      )
    ).rows[0];
  const sweep = (start?: (id: string) => void) => pass(start, resumeProviderEvents, -60);

  test('is handed to the workflow of the payment, capture or void that it names, and stays open until that has looked', async () => {
    const payment = await anAuthorizedPayment(database.db);
    const capture = await opened(database.db, 'capture', payment);
    for (const reference of [payment.id, capture.id]) {
      const { id } = await store(reference);
      const { result, all } = await sweep();
      expect(await result).toMatchObject({ checked: expect.any(Number) });
      expect(all.at(-1)).toEqual({
        workflowId: payment.id,
        type: 'paymentWorkflow',
        args: [{ paymentId: payment.id, merchantId: 'mer_1', isTest: true }],
        signal: 'providerEventReceived',
        signalArgs: [{ providerEventId: expect.stringMatching(/^pev_/) }],
      });
      expect(all.flatMap(({ signalArgs }) => signalArgs)).toContainEqual({ providerEventId: id });
      expect(await rowOf(id)).toMatchObject({ status: 'pending', retry_count: 1 });
    }
  });

  test('about a refund is handed to the refund’s own workflow', async () => {
    const payment = await aCapturedPayment(database.db);
    const refund = await opened(database.db, 'refund', payment, { amountMinor: '10' });
    const { id } = await store(refund.id);
    const { result, all } = await sweep();
    expect(await result).toEqual({ checked: 1, resumed: 1 });
    expect(all).toEqual([
      {
        workflowId: refund.id,
        type: 'refundWorkflow',
        args: [{ refundId: refund.id, paymentId: payment.id, merchantId: 'mer_1' }],
        signal: 'providerEventReceived',
        signalArgs: [{ providerEventId: id }],
      },
    ]);
  });

  test('about nothing of ours is done with, and nobody is told', async () => {
    const { id } = await store('pay_of_somebody_else');
    const { result, all } = await sweep();
    expect(await result).toEqual({ checked: 1, resumed: 0 });
    expect(all).toEqual([]);
    expect(await rowOf(id)).toEqual({ status: 'ignored', retry_count: 0, error_message: null });
  });

  test('stays as it is when Temporal is away', async () => {
    const { id } = await store((await aCapturedPayment(database.db)).id);
    const { result } = await sweep(() => {
      throw grpcError(unavailable);
    });
    await expect(result).rejects.toThrow(ServiceError);
    expect(await rowOf(id)).toMatchObject({ status: 'pending', retry_count: 0 });
  });
});
