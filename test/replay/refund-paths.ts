import { randomUUID } from 'node:crypto';
import {
  type ResolvedOutcome,
  refundStartOptions,
  refundWorkflowType,
  resolveRefund,
  retryNow,
} from '../../workflows/contract.ts';
import { movementIdOf } from '../../workflows/domain/ids.ts';
import type { MovementRequest } from '../../workflows/ports.ts';
import type { FaultRule } from '../support/bank.ts';
import { aCapturedPayment, refund } from '../support/movement-call.ts';
import { isBackingOff } from '../support/resets.ts';
import type { TestMerchant, World } from '../support/world.ts';
import { act, away, finished, impatient, isInState, lost, type Path } from './steps.ts';

/** The ways of a refund. */
export const refundPaths: Readonly<Record<string, Path>> = {
  refunded: async (world) => finished(world, await begun(world)),
  'refund-declined': async (world) =>
    finished(world, await begun(world, [], { card_token: 'tok_visa_refund_declined_0058' })),
  'refund-decided-later': async (world) =>
    finished(world, await begun(world, [], { card_token: 'tok_visa_refund_pending_7100' })),
  'refund-lost-then-found': async (world) =>
    finished(world, await begun(world, [{ operation: 'refund', probability: 1, times: 1, fault: 'lost_after' }])),
  'refund-not-found-then-repeated': async (world) =>
    finished(world, await begun(world, [{ operation: 'refund', probability: 1, times: 1, fault: 'reset' }])),
  'refund-retried-by-an-operator': async (world) => {
    const id = await begun(world, [{ operation: 'refund', probability: 1, times: 1, fault: '429', delay_ms: 120_000 }]);
    await isBackingOff(world, id);
    await world.temporal.workflow.getHandle(id).executeUpdate(retryNow, { args: [act] });
    return finished(world, id);
  },
  'refund-expired': async (world) =>
    finished(world, await begun(world, [away], {}, await world.createMerchant({ expires_after: 10 }))),
  'refund-unresolved-then-resolved': (world) => resolved(world, 'refunded'),
  'refund-unresolved-then-resolved-as-failed': (world) => resolved(world, 'failed'),
  'refund-redriven-by-id-alone': async (world) => {
    const { id: paymentId } = await aCapturedPayment(world);
    const id = await begunOf(world, paymentId, lost('refund'));
    await isBackingOff(world, id);
    await world.temporal.workflow.getHandle(id).terminate('recorded for replay');
    await world.bank.heal();
    return started(world, paymentId, id);
  },
  'refund-refused': async (world) => {
    const { id: paymentId } = await aCapturedPayment(world);
    const idempotencyKey = randomUUID();
    return started(world, paymentId, movementIdOf('refund', paymentId, idempotencyKey), {
      idempotencyKey,
      requestHash: idempotencyKey,
      correlationId: 'recorded',
      actor: act.actor,
      origin: 'recorder',
      reason: null,
      amountMinor: '9999',
      captureId: null,
    });
  },
};

/** Begins a refund of a payment of its own while faults strike, and waits for nothing: the refund's id. */
async function begun(
  world: World,
  faults: readonly FaultRule[] = [],
  changes: Record<string, unknown> = {},
  { testKey }: TestMerchant = world.merchant,
): Promise<string> {
  const { id } = await aCapturedPayment(world, changes, testKey);
  return begunOf(world, id, faults, testKey);
}

async function begunOf(
  world: World,
  paymentId: string,
  faults: readonly FaultRule[],
  apiKey = world.merchant.testKey,
): Promise<string> {
  if (faults.length > 0) await world.bank.inject(faults);
  return (await refund(world, paymentId, '10.00', { apiKey, prefer: 'respond-async' })).data.id;
}

async function resolved(world: World, outcome: ResolvedOutcome): Promise<string> {
  const id = await begun(world, lost('refund'), {}, await world.createMerchant(impatient));
  await isInState(world, id, 'unresolved');
  const resolution = { ...act, outcome, evidence: 'the bank simulator’s book' };
  await world.temporal.workflow.getHandle(id).executeUpdate(resolveRefund, { args: [resolution] });
  return finished(world, id);
}

/** Starts a run of a refund as the sweep does, or with a request as the API does, and waits for its end. */
async function started(world: World, paymentId: string, refundId: string, request?: MovementRequest): Promise<string> {
  const { id: merchantId } = world.merchant;
  const options = refundStartOptions({ refundId, paymentId, merchantId, currency: 'USD', summary: 'again' });
  const input = { refundId, paymentId, merchantId, ...(request && { request }) };
  await world.temporal.workflow.start(refundWorkflowType, { ...options, args: [input] });
  return finished(world, refundId);
}
