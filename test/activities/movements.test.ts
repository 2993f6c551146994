import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openMovement } from '../../activities/open-movement.ts';
import type { Provider } from '../../activities/providers/provider.ts';
import { settleMovement } from '../../activities/settle-movement.ts';
import { createMerchant } from '../../prisma/merchants.ts';
import { stepMovement } from '../../prisma/movements.ts';
import { createLogger } from '../../runtime/logger.ts';
import { failureOf } from '../../workflows/domain/failure.ts';
import { movementIdOf } from '../../workflows/domain/ids.ts';
import type { MovementKind } from '../../workflows/domain/movement.ts';
import {
  aCapturedPayment,
  aMovementRequest,
  anAuthorizedPayment,
  aStep,
  merchantId,
  opened,
  sent,
} from '../prisma/steps.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { aProvider, depsWith } from './ground.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await startDatabase();
  await createMerchant(database.db, { id: merchantId, name: 'Merchant' });
});
afterAll(() => database?.close());

describe('opening a refund asks its provider’s way:', () => {
  test.each<[Provider['refundsPer'], string]>([
    ['charge', 'opened'],
    ['capture', 'refund_spans_captures'],
  ])('where one pays back a %s, a refund over two captures is %s', async (refundsPer, expected) => {
    const payment = await anAuthorizedPayment(database.db);
    for (const amountMinor of ['1000', '500']) {
      const capture = await sent(database.db, await opened(database.db, 'capture', payment, { amountMinor }));
      await stepMovement(database.db, aStep(capture, 'succeeded'));
    }
    const deps = depsWith(database, [aProvider({ refundsPer })]);
    const request = aMovementRequest({ amountMinor: '1200' });
    const movementId = movementIdOf('refund', payment.id, request.idempotencyKey);
    const now = new Date().toISOString();
    const order = { movementId, kind: 'refund', paymentId: payment.id, merchantId, request, now } as const;
    const answer = await openMovement(deps, order);
    expect(answer.kind === 'refused' ? answer.code : answer.kind).toBe(expected);
  });

  test('of a payment that nobody has, or that is started again, needs no provider', async () => {
    const deps = depsWith(database);
    const now = new Date().toISOString();
    const order = { movementId: 'ref_1', kind: 'refund', paymentId: 'pay_none', merchantId, now } as const;
    const refused = { kind: 'refused', code: 'not_found' };
    expect(await openMovement(deps, { ...order, request: aMovementRequest() })).toEqual(refused);
    expect(await openMovement(deps, order)).toEqual(refused);
    const movement = await opened(database.db, 'refund', await aCapturedPayment(database.db));
    expect(await openMovement(deps, { ...order, movementId: movement.id })).toEqual({ kind: 'opened', movement });
  });
});

describe('a step of a movement', () => {
  /** Deps whose counters and log can be read. */
  function observed() {
    const lines: string[] = [];
    const deps = depsWith(database, [], {
      logger: createLogger('worker', 'info', { write: (line) => void lines.push(line) }),
    });
    const counted = async () =>
      (await deps.metrics.text()).split('\n').filter((line) => /^payments_\w+_total(\{.*\})? [1-9]/.test(line));
    return { deps, lines, counted };
  }

  test.each(['succeeded', 'failed'] as const)('to %s is counted once, however often it is written', async (to) => {
    const { deps, lines, counted } = observed();
    const payment = await aCapturedPayment(database.db);
    const step = aStep(await sent(database.db, await opened(database.db, 'refund', payment)), to);
    expect(await settleMovement(deps, step)).toMatchObject({ kind: 'done' });
    expect(await settleMovement(deps, step)).toMatchObject({ kind: 'already_mine' });
    expect(await counted()).toEqual([`payments_movements_total{kind="refund",state="${to}",provider="easypay"} 1`]);
    expect(lines).toEqual([]);
  });

  test.each<[MovementKind, string]>([
    ['refund', 'refund_unresolved'],
    ['capture', 'payment_unresolved'],
    ['void', 'payment_unresolved'],
  ])('to unresolved calls a person: a %s by a count and a line', async (kind, alert) => {
    const { deps, lines, counted } = observed();
    const payment = await (kind === 'refund' ? aCapturedPayment(database.db) : anAuthorizedPayment(database.db));
    const movement = await sent(database.db, await opened(database.db, kind, payment));
    await settleMovement(deps, aStep(movement, 'unresolved', { failure: failureOf('outcome_unknown') }));
    expect(await counted()).toContain(`payments_alerts_opened_total{kind="${alert}"} 1`);
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      {
        msg: 'an operator must act',
        alert,
        payment_id: payment.id,
        movement_id: movement.id,
        failure: 'outcome_unknown',
      },
    ]);
  });
});
