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

/** Each path answers the workflow id whose last run is to be kept. */
const paths: Readonly<Record<string, Path>> = {
  captured: (world) => charged(world),
  declined: (world) => charged(world, { card_token: 'tok_visa_declined_0002' }),
  'decided-later': (world) => charged(world, { card_token: 'tok_visa_pending_7000' }),
  'provider-away-then-captured': async (world) => {
    await world.bank.inject([{ operation: '*', probability: 1, fault: 'refuse' }]);
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
    await world.bank.inject([{ operation: '*', probability: 1, fault: 'refuse' }]);
    return finished(world, await begun(world, {}, await world.createMerchant({ expires_after: 10 })));
  },
  canceled: async (world) => {
    await world.bank.inject([{ operation: '*', probability: 1, fault: 'refuse' }]);
    const id = await begun(world);
    await isBackingOff(world, id);
    await world.temporal.workflow.getHandle(id).executeUpdate(cancelPayment, { args: [act] });
    return finished(world, id);
  },
  'unresolved-then-resolved': async (world) => {
    await world.bank.inject([
      { operation: 'charge', probability: 1, times: 1, fault: 'lost_after' },
      { operation: 'lookup', probability: 1, fault: '503' },
    ]);
    const id = await begun(world, {}, await world.createMerchant({ expires_after: 10, ask_for: 10 }));
    return resolved(world, id);
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
    await world.bank.inject([
      { operation: 'charge', probability: 1, times: 1, fault: 'lost_after' },
      { operation: 'lookup', probability: 1, fault: '503' },
    ]);
    const id = await begun(world);
    await isBackingOff(world, id);
    await world.temporal.workflow.getHandle(id).terminate('recorded for replay');
    await world.bank.heal();
    const options = paymentStartOptions({
      paymentId: id,
      merchantId: world.merchant.id,
      currency: 'USD',
      summary: 'again',
    });
    const input = { paymentId: id, merchantId: world.merchant.id, isTest: true };
    await world.temporal.workflow.start(paymentWorkflowType, { ...options, args: [input] });
    return finished(world, id);
  },
  sweep: async (world) => {
    const workflowId = 'payment-sweep-recorded';
    await world.temporal.workflow.execute(sweepWorkflowType, { workflowId, taskQueue: paymentTaskQueue });
    return workflowId;
  },
};

async function begun(
  world: World,
  body: Record<string, unknown> = {},
  merchant: TestMerchant = world.merchant,
): Promise<string> {
  const options = { apiKey: merchant.testKey, headers: { prefer: 'respond-async' } };
  return (await postPayment(world.apiUrl, aPayment(body), options)).payment.id;
}

async function charged(
  world: World,
  body: Record<string, unknown> = {},
  faults: readonly FaultRule[] = [],
): Promise<string> {
  if (faults.length > 0) await world.bank.inject(faults);
  const { payment } = await postPayment(world.apiUrl, aPayment(body), { apiKey: world.merchant.testKey });
  return finished(world, payment.id);
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
    await world.bank.heal();
    writeFileSync(join(folder, `${name}.json`), await toReadableJson(history, codecs));
    process.stdout.write(`${name}: ${history.events?.length} events\n`);
  }
} finally {
  await world.close();
}
