import { randomUUID } from 'node:crypto';
import { cancelPayment, paymentStartOptions, paymentWorkflowType, retryNow } from '../../workflows/contract.ts';
import { paymentIdOf } from '../../workflows/domain/ids.ts';
import { aPayment, postPayment } from '../support/api-client.ts';
import { isBackingOff } from '../support/resets.ts';
import { until } from '../support/until.ts';
import type { World } from '../support/world.ts';
import { act, away, begun, charged, finished, impatient, lost, type Path, resolved } from './steps.ts';

/** Routes of paths that EasyPay alone is not enough for. */
const both = { routing: { rules: [], default: ['easypay', 'paypal'] } };
const onlyPaypal = { routing: { rules: [], default: ['paypal'] } };

/** Declined for a reason that passes. */
const later = (seconds: number) => ({
  card_token: 'tok_visa_later_9996',
  retry: { schedule: [seconds], attempts_max: 2 },
});

/** The ways of a charge. Payments have EasyPay alone unless a path says more. */
export const chargePaths: Readonly<Record<string, Path>> = {
  captured: (world) => charged(world),
  declined: (world) => charged(world, { card_token: 'tok_visa_declined_0002' }),
  'decided-later': (world) => charged(world, { card_token: 'tok_visa_pending_7000' }),
  'provider-away-then-captured': async (world) => {
    await world.bank.inject([away]);
    const id = await begun(world);
    await isBackingOff(world, id);
    await world.bank.heal();
    return finished(world, id);
  },
  'rate-limited-then-captured': (world) =>
    charged(world, {}, [{ operation: 'charge', probability: 1, times: 1, fault: '429' }]),
  'lost-answer-then-found': (world) =>
    charged(world, {}, [{ operation: 'charge', probability: 1, times: 1, fault: 'lost_after' }]),
  'not-found-then-repeated': (world) =>
    charged(world, {}, [{ operation: 'charge', probability: 1, times: 1, fault: 'reset' }]),
  expired: async (world) => {
    await world.bank.inject([away]);
    const merchant = await world.createMerchant({ expires_after: 10 });
    return finished(world, await begun(world, {}, merchant));
  },
  canceled: async (world) => {
    await world.bank.inject([away]);
    const id = await begun(world);
    await isBackingOff(world, id);
    await world.temporal.workflow.getHandle(id).executeUpdate(cancelPayment, { args: [act] });
    return finished(world, id);
  },
  'retried-by-an-operator': async (world) => {
    await world.bank.inject([{ operation: 'charge', probability: 1, times: 1, fault: '429', delay_ms: 120_000 }]);
    const id = await begun(world);
    await isBackingOff(world, id);
    await world.temporal.workflow.getHandle(id).executeUpdate(retryNow, { args: [act] });
    return finished(world, id);
  },
  'unresolved-then-resolved': async (world) => {
    await world.bank.inject(lost('charge'));
    const merchant = await world.createMerchant(impatient);
    return resolved(world, await begun(world, {}, merchant));
  },
  'wrong-amount': async (world) => {
    await world.bank.inject([{ operation: 'charge', probability: 1, times: 1, fault: 'wrong_amount' }]);
    return resolved(world, await begun(world));
  },
  'worker-killed-in-the-charge': async (world) => {
    await world.bank.park({ operation: 'charge', point: 'after_commit' });
    const id = await begun(world);
    await until('the charge is parked', async () => (await world.bank.parked()).length > 0);
    await world.worker.kill();
    await world.bank.release();
    await world.worker.start();
    return finished(world, id);
  },
  'external-id-taken': async (world) => {
    const external_id = `order-${randomUUID()}`;
    await charged(world, { external_id });
    const key = randomUUID();
    const { id: merchantId, testKey: apiKey } = world.merchant;
    const { problem } = await postPayment(world.apiUrl, aPayment({ external_id }), { apiKey, key });
    if (problem.code !== 'external_id_taken') throw new Error(`expected external_id_taken, got ${problem.code}`);
    return paymentIdOf({ merchantId, isTest: true, idempotencyKey: key });
  },
  'redriven-by-id-alone': async (world) => {
    await world.bank.inject(lost('charge'));
    const id = await begun(world);
    await isBackingOff(world, id);
    await world.temporal.workflow.getHandle(id).terminate('recorded for replay');
    await world.bank.heal();
    const { id: merchantId } = world.merchant;
    const options = paymentStartOptions({ paymentId: id, merchantId, currency: 'USD', summary: 'again' });
    const input = { paymentId: id, merchantId, isTest: true };
    await world.temporal.workflow.start(paymentWorkflowType, { ...options, args: [input] });
    return finished(world, id);
  },
  delayed: async (world) => {
    await world.bank.inject([away]);
    return delayed(world, await begun(world));
  },
  'delayed-in-doubt': async (world) => {
    await world.bank.inject(lost('charge'));
    return delayed(world, await begun(world));
  },
  'failed-over': async (world) => {
    await world.bank.inject([away]);
    return charged(world, {}, [], await world.createMerchant(both));
  },
  'all-away-then-captured': async (world) => {
    await Promise.all([world.bank.inject([away]), world.bank.at('paypal').inject([away])]);
    const id = await begun(world, {}, await world.createMerchant(both));
    await isBackingOff(world, id);
    await world.bank.at('paypal').heal();
    return finished(world, id);
  },
  'declined-by-class': async (world) =>
    charged(world, { card_token: 'tok_visa_issuer_away_0091' }, [], await world.createMerchant(both)),
  'declined-by-all': async (world) =>
    charged(world, { card_token: 'tok_visa_error_0096' }, [], await world.createMerchant(both)),
  'declined-and-the-other-away': async (world) => {
    await world.bank.at('paypal').inject([away]);
    return charged(world, { card_token: 'tok_visa_issuer_away_0091' }, [], await world.createMerchant(both));
  },
  'no-eligible-provider': async (world) =>
    charged(world, { amount: '500', currency: 'ISK' }, [], await world.createMerchant(onlyPaypal)),
  'unprepared-then-captured': async (world) => {
    await world.bank.at('paypal').inject([{ operation: 'create', probability: 1, times: 1, fault: 'lost_after' }]);
    return charged(world, {}, [], await world.createMerchant(onlyPaypal));
  },
  'tried-again-later': (world) => charged(world, later(2)),
  'tried-again-by-an-operator': async (world) => {
    const id = await waitingForRound(world);
    await world.temporal.workflow.getHandle(id).executeUpdate(retryNow, { args: [act] });
    return finished(world, id);
  },
  'canceled-between-rounds': async (world) => {
    const id = await waitingForRound(world);
    await world.temporal.workflow.getHandle(id).executeUpdate(cancelPayment, { args: [act] });
    return finished(world, id);
  },
};

/** A payment that was declined, and is not tried again for long. */
async function waitingForRound(world: World): Promise<string> {
  const { testKey: apiKey } = world.merchant;
  const { payment } = await postPayment(world.apiUrl, aPayment(later(600)), { apiKey });
  if (payment.retry?.next_attempt_at == null) throw new Error(`expected a payment that is tried later: ${payment.id}`);
  return payment.id;
}

/** Waits until payer and merchant were told that it takes longer, and ends the outage then. */
async function delayed(world: World, id: string): Promise<string> {
  await until(`${id} is delayed`, async () => {
    const { rows } = await world.admin.query('SELECT FROM payments WHERE id = $1 AND delayed_at IS NOT NULL', [id]);
    return rows.length > 0;
  });
  await world.bank.heal();
  return finished(world, id);
}
