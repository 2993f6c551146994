import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  cancelPayment,
  paymentStartOptions,
  paymentTaskQueue,
  paymentWorkflowType,
  type Resolution,
  resolvePayment,
  retryNow,
  sweepWorkflowType,
} from '../../workflows/contract.ts';
import { paymentIdOf } from '../../workflows/domain/ids.ts';
import { aPayment, postPayment } from '../support/api-client.ts';
import type { FaultRule } from '../support/bank.ts';
import { until } from '../support/until.ts';
import { startWorld, type TestMerchant, type World } from '../support/world.ts';
import { toReadableJson } from './readable.ts';

/**
 * Records the histories that `replay.test.ts` replays: a real world is driven along every path. Run by hand when a path
 * is new; histories of released versions are kept, because payments that they belong to may still be open.
 *
 *     node test/replay/record.ts [path…]
 */
const folder = join(import.meta.dirname, 'histories');
const act = { actor: 'operator:recorder', reason: 'recorded for replay' };

type Path = (world: World) => Promise<string>;

/** Routes of paths that EasyPay alone is not enough for. */
const both = { routing: { rules: [], default: ['easypay', 'paypal'] } };
const onlyPaypal = { routing: { rules: [], default: ['paypal'] } };
const away: FaultRule = { operation: '*', probability: 1, fault: 'refuse' };
const lost: readonly FaultRule[] = [
  { operation: 'charge', probability: 1, times: 1, fault: 'lost_after' },
  { operation: 'lookup', probability: 1, fault: '503' },
];

/** Each path answers the workflow id whose last run is to be kept. Payments have EasyPay alone unless a path says more. */
const paths: Readonly<Record<string, Path>> = {
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
    await world.bank.inject(lost);
    const merchant = await world.createMerchant({ expires_after: 10, ask_for: 10 });
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
    await world.bank.inject(lost);
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
    await world.bank.inject(lost);
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
  sweep: async (world) => {
    const workflowId = 'payment-sweep-recorded';
    await world.temporal.workflow.execute(sweepWorkflowType, { workflowId, taskQueue: paymentTaskQueue });
    return workflowId;
  },
  dispatch: async (world) => {
    const workflowId = 'dispatch-0';
    await until('it is at work', async () => {
      const { raw } = await world.temporal.workflow.getHandle(workflowId).describe();
      return (raw.pendingActivities?.length ?? 0) > 0;
    });
    return workflowId;
  },
  'delivered-later': async (world) => finished(world, await handedOver(world, [{ ...failing, times: 1 }])),
  'delivery-given-up': async (world) => {
    const id = await handedOver(world, [failing]);
    await world.temporal.workflow.getHandle(id).cancel();
    return finished(world, id);
  },
};

const failing: FaultRule = { operation: '*', probability: 1, fault: '500_before' };

/** A delivery that the dispatcher tried in vain: its workflow's id. */
async function handedOver(world: World, faults: readonly FaultRule[]): Promise<string> {
  await world.bank.at('inbox').inject(faults);
  const merchant = await world.createMerchant();
  const response = await fetch(`${world.apiUrl}/api/v1/webhooks`, {
    method: 'POST',
    headers: { authorization: `Bearer ${merchant.testKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ url: `${world.inboxUrl}/hook`, event_types: ['payment.captured'] }),
  });
  if (response.status !== 201) throw new Error(`no endpoint was made: ${response.status} ${await response.text()}`);
  const paymentId = await charged(world, {}, [], merchant);
  return until('the delivery has a workflow of its own', async () => {
    const { rows } = await world.admin.query<{ id: string }>(
      `SELECT id FROM deliveries WHERE object_id = $1 AND state = 'retrying'`,
      [paymentId],
    );
    return rows[0]?.id;
  });
}

async function begun(
  world: World,
  body: Record<string, unknown> = {},
  { testKey: apiKey }: TestMerchant = world.merchant,
): Promise<string> {
  const options = { apiKey, headers: { prefer: 'respond-async' } };
  return (await postPayment(world.apiUrl, aPayment(body), options)).payment.id;
}

async function charged(
  world: World,
  body: Record<string, unknown> = {},
  faults: readonly FaultRule[] = [],
  { testKey: apiKey }: TestMerchant = world.merchant,
): Promise<string> {
  if (faults.length > 0) await world.bank.inject(faults);
  const { payment } = await postPayment(world.apiUrl, aPayment(body), { apiKey });
  return finished(world, payment.id);
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

async function finished(world: World, id: string): Promise<string> {
  await world.temporal.workflow.getHandle(id).result();
  return id;
}

async function resolved(world: World, id: string): Promise<string> {
  await until(`${id} is unresolved`, async () => {
    const { rows } = await world.admin.query<{ status: string }>('SELECT status FROM payments WHERE id = $1', [id]);
    return rows[0]?.status === 'unresolved';
  });
  const resolution: Resolution = { ...act, outcome: 'captured', evidence: 'the bank simulator’s book' };
  await world.temporal.workflow.getHandle(id).executeUpdate(resolvePayment, { args: [resolution] });
  return finished(world, id);
}

async function isBackingOff(world: World, id: string): Promise<void> {
  await until(`${id} waits for its next try`, async () => {
    const { raw } = await world.temporal.workflow.getHandle(id).describe();
    return raw.pendingActivities?.some(({ lastFailure }) => lastFailure);
  });
}

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in paths));
if (unknown.length > 0)
  throw new Error(`no path named ${unknown.join(', ')}; there are ${Object.keys(paths).join(', ')}`);
mkdirSync(folder, { recursive: true });
const world = await startWorld();
try {
  const codecs = world.temporal.options.loadedDataConverter.payloadCodecs;
  for (const [name, walk] of Object.entries(paths)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    const history = await world.temporal.workflow.getHandle(await walk(world)).fetchHistory();
    for (const face of ['easypay', 'paypal', 'inbox'] as const) await world.bank.at(face).heal();
    writeFileSync(join(folder, `${name}.json`), await toReadableJson(history, codecs));
    process.stdout.write(`${name}: ${history.events?.length} events\n`);
  }
} finally {
  await world.close();
}
