import { createHmac, randomUUID } from 'node:crypto';
import { type ResolvedOutcome, resolvePayment } from '../../workflows/contract.ts';
import { aPayment, postPayment } from '../support/api-client.ts';
import type { FaultRule } from '../support/bank.ts';
import { until } from '../support/until.ts';
import type { TestMerchant, World } from '../support/world.ts';

/** Drives a world along a path, and answers the id of the workflow whose last run is to be kept, or which run of it. */
export type Path = (world: World) => Promise<string | { readonly id: string; readonly runId: string }>;

/** Who acts by hand. */
export const act = { actor: 'operator:recorder', reason: 'recorded for replay' };

/** Nobody hears us. */
export const away: FaultRule = { operation: '*', probability: 1, fault: 'refuse' };

/** It happens, its answer is lost, and nobody says what came of it. */
export function lost(operation: FaultRule['operation']): readonly FaultRule[] {
  return [
    { operation, probability: 1, times: 1, fault: 'lost_after' },
    { operation: 'lookup', probability: 1, fault: '503' },
  ];
}

/** So little time that one outlives it. */
export const impatient = { expires_after: 10, ask_for: 10 };

/** Begins a payment, and waits for nothing. */
export async function begun(
  world: World,
  body: Record<string, unknown> = {},
  { testKey: apiKey }: TestMerchant = world.merchant,
): Promise<string> {
  const options = { apiKey, headers: { prefer: 'respond-async' } };
  return (await postPayment(world.apiUrl, aPayment(body), options)).payment.id;
}

/** Makes a payment while faults strike, and waits for its end. */
export async function charged(
  world: World,
  body: Record<string, unknown> = {},
  faults: readonly FaultRule[] = [],
  { testKey: apiKey }: TestMerchant = world.merchant,
): Promise<string> {
  if (faults.length > 0) await world.bank.inject(faults);
  const { payment } = await postPayment(world.apiUrl, aPayment(body), { apiKey });
  return finished(world, payment.id);
}

/** Waits for a workflow's end. */
export async function finished(world: World, id: string): Promise<string> {
  await world.temporal.workflow.getHandle(id).result();
  return id;
}

/** Waits until a payment, or a movement, is in a state. */
export async function isInState(world: World, id: string, state: string): Promise<void> {
  await until(`${id} is ${state}`, async () => {
    const { rows } = await world.admin.query<{ state: string }>(
      'SELECT status AS state FROM payments WHERE id = $1 UNION ALL SELECT state FROM movements WHERE id = $1',
      [id],
    );
    return rows[0]?.state === state;
  });
}

/** Has a person decide a payment that is unresolved, and waits for its end. */
export async function resolved(world: World, id: string, outcome: ResolvedOutcome = 'captured'): Promise<string> {
  await isInState(world, id, 'unresolved');
  const resolution = { ...act, outcome, evidence: 'the bank simulator’s book' };
  await world.temporal.workflow.getHandle(id).executeUpdate(resolvePayment, { args: [resolution] });
  return finished(world, id);
}

/** Sends a provider's event about a payment or movement, and waits until it is looked at. */
export async function told(world: World, reference: string, type: string): Promise<void> {
  const id = `epe_${randomUUID()}`;
  const body = JSON.stringify({ id, type, created_at: new Date().toISOString(), data: { reference } });
  const at = Math.floor(Date.now() / 1_000);
  const signature = createHmac('sha256', world.easypayWebhookSecret).update(`${at}.${body}`).digest('hex');
  const response = await fetch(`${world.apiUrl}/api/v1/webhooks/easypay/main`, {
    method: 'POST',
    headers: { 'easypay-signature': `t=${at},v1=${signature}` },
    body,
  });
  if (response.status !== 200) throw new Error(`the event was answered ${response.status}: ${await response.text()}`);
  await until(`the event about ${reference} is done with`, async () => {
    const { rows } = await world.admin.query<{ status: string }>('SELECT status FROM webhooks WHERE event_id = $1', [
      id,
    ]);
    return rows[0]?.status === 'processed';
  });
}
