import {
  cancelPayment,
  capturePayment,
  paymentStartOptions,
  paymentWorkflowType,
  retryNow,
} from '../../workflows/contract.ts';
import type { FaultRule } from '../support/bank.ts';
import { anAuthorizedPayment, cancel, capture } from '../support/movement-call.ts';
import { isBackingOff } from '../support/resets.ts';
import { until } from '../support/until.ts';
import type { World } from '../support/world.ts';
import { act, begun, finished, impatient, lost, type Path, resolved } from './steps.ts';

const async = { prefer: 'respond-async' };

/** The ways of captures and voids. */
export const movementPaths: Readonly<Record<string, Path>> = {
  'captured-in-parts-then-voided': async (world) => {
    const { id } = await anAuthorizedPayment(world);
    await capture(world, id, '10.00');
    await capture(world, id, '5.00');
    await cancel(world, id);
    return finished(world, id);
  },
  'captured-by-an-operator': async (world) => {
    const { id } = await anAuthorizedPayment(world);
    await world.temporal.workflow.getHandle(id).executeUpdate(capturePayment, { args: [act] });
    return finished(world, id);
  },
  'capture-declined-then-voided': async (world) => {
    const { id } = await anAuthorizedPayment(world, { card_token: 'tok_visa_capture_declined_0057' });
    await capture(world, id);
    await cancel(world, id);
    return finished(world, id);
  },
  'capture-decided-later': async (world) => {
    const { id } = await anAuthorizedPayment(world, { card_token: 'tok_visa_capture_pending_7200' });
    await capture(world, id);
    return finished(world, id);
  },
  'capture-lost-then-found': (world) =>
    capturedDespite(world, [{ operation: 'capture', probability: 1, times: 1, fault: 'lost_after' }]),
  'capture-not-found-then-repeated': (world) =>
    capturedDespite(world, [{ operation: 'capture', probability: 1, times: 1, fault: 'reset' }]),
  'capture-retried-by-an-operator': async (world) => {
    const { id } = await anAuthorizedPayment(world);
    await world.bank.inject([{ operation: 'capture', probability: 1, times: 1, fault: '429', delay_ms: 120_000 }]);
    await capture(world, id, undefined, async);
    await isBackingOff(world, id);
    await world.temporal.workflow.getHandle(id).executeUpdate(retryNow, { args: [act] });
    return finished(world, id);
  },
  'capture-expired-then-voided': async (world) => {
    const merchant = await world.createMerchant({ expires_after: 10 });
    const { id } = await anAuthorizedPayment(world, {}, merchant.testKey);
    await world.bank.inject([{ operation: 'capture', probability: 1, fault: '503' }]);
    await capture(world, id, undefined, { apiKey: merchant.testKey, prefer: 'wait=30' });
    await cancel(world, id, { apiKey: merchant.testKey });
    return finished(world, id);
  },
  'capture-unresolved-then-resolved': async (world) => {
    const merchant = await world.createMerchant(impatient);
    const { id } = await anAuthorizedPayment(world, {}, merchant.testKey);
    await world.bank.inject(lost('capture'));
    await capture(world, id, undefined, { apiKey: merchant.testKey, ...async });
    return resolved(world, id);
  },
  'capture-redriven-by-id-alone': async (world) => {
    const { id } = await anAuthorizedPayment(world);
    await world.bank.inject(lost('capture'));
    await capture(world, id, undefined, async);
    await isBackingOff(world, id);
    return redriven(world, id);
  },
  'worker-killed-in-the-capture': async (world) => {
    const { id } = await anAuthorizedPayment(world);
    await world.bank.park({ operation: 'capture', point: 'after_commit' });
    await capture(world, id, undefined, async);
    await until('the capture is parked', async () => (await world.bank.parked()).length > 0);
    await world.worker.kill();
    await world.bank.release();
    await world.worker.start();
    return finished(world, id);
  },
  voided: async (world) => {
    const { id } = await anAuthorizedPayment(world);
    await cancel(world, id);
    return finished(world, id);
  },
  'voided-when-its-time-was-over': async (world) => {
    const merchant = await world.createMerchant({ capture_within: 2 });
    return finished(world, (await anAuthorizedPayment(world, {}, merchant.testKey)).id);
  },
  'void-unresolved-then-resolved': async (world) => {
    const merchant = await world.createMerchant({ ...impatient, capture_within: 2 });
    await world.bank.inject(lost('void'));
    return resolved(world, (await anAuthorizedPayment(world, {}, merchant.testKey)).id, 'canceled');
  },
  'canceled-in-doubt-then-voided': async (world) => {
    await world.bank.inject(lost('charge'));
    const id = await begun(world, { capture: 'manual' });
    await isBackingOff(world, id);
    await world.temporal.workflow.getHandle(id).startUpdate(cancelPayment, { args: [act], waitForStage: 'ACCEPTED' });
    await world.bank.heal();
    return finished(world, id);
  },
};

/** A capture of all while faults strike. */
async function capturedDespite(world: World, faults: readonly FaultRule[]): Promise<string> {
  const { id } = await anAuthorizedPayment(world);
  await world.bank.inject(faults);
  await capture(world, id);
  return finished(world, id);
}

/** Ends an open workflow, and starts another run that knows the payment's id alone. */
async function redriven(world: World, paymentId: string): Promise<string> {
  await world.temporal.workflow.getHandle(paymentId).terminate('recorded for replay');
  await world.bank.heal();
  const { id: merchantId } = world.merchant;
  const options = paymentStartOptions({ paymentId, merchantId, currency: 'USD', summary: 'again' });
  const input = { paymentId, merchantId, isTest: true };
  await world.temporal.workflow.start(paymentWorkflowType, { ...options, args: [input] });
  return finished(world, paymentId);
}
